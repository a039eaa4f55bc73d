#pragma once
// How a table of routes is written: `route("policy/:name", fields, {reads(…), writes(…)}, "…")`.

#include "vault/core/contract/engine.h"

namespace leasehold::core {

// A route with its operations, short to write in a table.
Route route(std::string pattern, std::vector<Field> fields, std::vector<Action> actions,
            std::string synopsis);
// Of what anybody may write, without a token: it holds a few names or a secret.
inline constexpr std::size_t kOpenBodyMax = 64u << 10;

Field sensitive(Field field);
Field required(Field field, std::string answer);
Action reads(ReadHandler handler, Place place = Place::inline_);
Action lists(ReadHandler handler);
Action scans(ReadHandler handler);
// `asks`: an update that writes nothing.
Action asks(ReadHandler handler, Place place = Place::inline_);
Action writes(WriteHandler handler, Place place = Place::inline_);
Action removes(WriteHandler handler, Place place = Place::inline_);
Action ends(WriteHandler handler);  // an update that revokes

}  // namespace leasehold::core
