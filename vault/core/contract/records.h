#pragma once
// Records of an engine as JSON, by name in its space. Thread-safe functions.

#include "vault/core/contract/engine.h"

namespace leasehold::core {

// Nothing when absent; Code::internal when it cannot be read.
Result<std::optional<Json>> load_json(ReadTxn& txn, std::string_view name);
Status save_json(WriteTxn& txn, std::string_view name, const Json& record);  // its text is wiped
// Answers a list of the names directly in `directory`, a page as the request asks for.
Result<Response> list_names(Call& call, ReadTxn& txn, std::string_view directory);

// Of what writes many stored records anew in one batch: whether it takes this one, too, whatever
// their sizes are. The first it always takes: the batch that made the record held more beside it.
Result<bool> has_room(WriteTxn& txn, const barrier::PhysicalKey& record);

}  // namespace leasehold::core
