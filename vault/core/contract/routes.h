#pragma once
// How a table of routes is written: `route("policy/:name", fields, {reads(…), writes(…)}, "…")`.

#include "vault/core/contract/engine.h"

namespace leasehold::core {

// A route with its operations, short to write in a table.
Route route(std::string pattern, std::vector<Field> fields, std::vector<Action> actions,
            std::string synopsis);
Action reads(ReadHandler handler, Place place = Place::inline_);
Action lists(ReadHandler handler);
// `asks`: an update that writes nothing.
Action asks(ReadHandler handler, Place place = Place::inline_);
Action writes(WriteHandler handler, Place place = Place::inline_);
Action removes(WriteHandler handler, Place place = Place::inline_);
Action ends(WriteHandler handler);  // an update that revokes

}  // namespace leasehold::core
