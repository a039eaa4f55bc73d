#include "vault/core/contract/records.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kRewrittenBytes = 256 * 1024;  // of a batch's 1 MiB

}  // namespace

Result<std::optional<Json>> load_json(ReadTxn& txn, std::string_view name) {
  VAULT_TRY_ASSIGN(const auto stored, txn.get(name));
  if (!stored) return std::optional<Json>();
  auto record = parse_json(as_text(stored->value.reveal()));
  if (!record.ok() || !record->is_object())
    return failure(Code::internal, "internal error", "a record of an engine cannot be read");
  return std::optional<Json>(std::move(record).value());
}

Status save_json(WriteTxn& txn, std::string_view name, const Json& record) {
  std::string text = record.dump();
  const Status saved = txn.put(name, as_bytes(text));
  wipe(text);
  return saved;
}

Result<Response> list_names(Call& call, ReadTxn& txn, std::string_view directory) {
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(const auto names, txn.list(directory, page.after, page.limit));
  return Response::keys(names);
}

Result<bool> has_room(WriteTxn& txn, const barrier::PhysicalKey& record) {
  const storage::Batch& batch = txn.changes().storage;
  if (!batch.has_writes()) return true;
  VAULT_TRY_ASSIGN(const auto found, txn.snapshot().get(record.view()));
  return batch.bytes() + (found ? found->value.size() : 0) <= kRewrittenBytes;
}

}  // namespace leasehold::core
