#pragma once
// JSON records of an engine, by name in its space. Thread-safe functions.

#include "vault/core/contract/engine.h"

namespace leasehold::core {

// Nothing when absent; Code::internal when it cannot be read.
Result<std::optional<Json>> load_json(ReadTxn& txn, std::string_view name);
Status save_json(WriteTxn& txn, std::string_view name, const Json& record);  // its text is wiped
// Answers a list of the names directly in `directory`, a page as the request asks for.
Result<Response> list_names(Call& call, ReadTxn& txn, std::string_view directory);

}  // namespace leasehold::core
