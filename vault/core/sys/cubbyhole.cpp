// cubbyhole/: what a token puts there for itself. No other token reaches it, the root token
// neither, and it ends with its token (authority/owned.h). A wrapping token has none: `response` is
// the answer it holds, as clients of old read it.

#include "vault/core/authority/owned.h"
#include "vault/core/authority/wrapped.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kOldUnwrap =
    "Reading from 'cubbyhole/response' is deprecated. Please use sys/wrapping/unwrap to unwrap "
    "responses, as it provides additional security checks and other benefits.";

bool names_an_entry(std::string_view path) { return !path.empty() && path.back() != '/'; }

// Null: nothing was put there yet.
Result<std::optional<ReadTxn>> own(Call& call, ReadTxn& txn) {
  if (call.caller.batch)
    return failure(Code::invalid,
                   "cubbyhole operations are only supported by \"service\" type tokens");
  VAULT_TRY_ASSIGN(const auto space, cubbyhole_of(txn, call.caller.token_id));
  if (!space) return std::optional<ReadTxn>();
  return std::optional<ReadTxn>(txn.in(*space));
}

Result<Response> read(Call& call, ReadTxn& txn) {
  if (call.path.empty()) return failure(Code::invalid, multierror("missing path"));
  VAULT_TRY_ASSIGN(auto hole, own(call, txn));
  if (!hole || !names_an_entry(call.path)) return Response::refused(404, "");
  VAULT_TRY_ASSIGN(auto stored, hole->get(call.path));
  if (!stored) return Response::refused(404, "");
  return Response::of_text(std::move(stored->value));
}

Result<Response> list(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(auto hole, own(call, txn));
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  if (!hole) return Response::keys({});
  std::string directory(call.path);
  if (!directory.empty() && directory.back() != '/') directory += '/';
  VAULT_TRY_ASSIGN(const auto names, hole->list(directory, page.after, page.limit));
  return Response::keys(names);
}

Result<Response> write(Unsealed& live, Call& call, WriteTxn& txn) {
  VAULT_TRY(own(call, txn));
  VAULT_TRY_ASSIGN(const auto token, live.tokens.load(txn, call.caller.token_id));
  if (!token || token->wrapping) return failure(Code::denied, multierror("permission denied"));
  const Json& body = call.request.body;
  if (!body.is_object() || body.size() == 0)
    return failure(Code::invalid, multierror("missing data fields"));
  if (call.path.empty()) return failure(Code::invalid, multierror("missing path"));
  VAULT_TRY_ASSIGN(const barrier::Space space,
                   make_cubbyhole(txn, call.caller.token_id, call.random));
  SecretBytes text;
  {
    std::string dumped = body.dump();
    text = SecretBytes(dumped);
    wipe(dumped);
  }
  WriteTxn hole = txn.in(space);
  VAULT_TRY(hole.put(call.path, text.reveal()));
  return Response::none();
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const auto hole, own(call, txn));
  if (!hole || !names_an_entry(call.path)) return Response::none();
  WriteTxn writable = txn.in(hole->space());
  VAULT_TRY(writable.erase(call.path));
  return Response::none();
}

Result<bool> exists(Call& call, ReadTxn& txn) {
  if (call.caller.batch) return false;  // what it asks for is refused
  VAULT_TRY_ASSIGN(auto hole, own(call, txn));
  if (!hole || !names_an_entry(call.path)) return false;
  VAULT_TRY_ASSIGN(const std::uint64_t mod, hole->version(call.path));
  return mod != 0;
}

// Of a wrapping token: what it wraps, as a text. It is spent.
Result<Response> read_response(Unsealed& live, Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const auto token, live.tokens.load(txn, call.caller.token_id));
  if (!token || !token->wrapping) return read(call, txn);
  VAULT_TRY_ASSIGN(const Response wrapped, opened(txn, *token, call.request.token));
  VAULT_TRY(live.tokens.revoke(txn, *token, call.now));
  Json data = Json::object();
  data.set("response", as_text(wrapped.data.reveal()));
  Response answer = Response::of(data);
  answer.inside = wrapped.inside;
  answer.warnings.emplace_back(kOldUnwrap);
  return answer;
}

}  // namespace

std::vector<Route> cubbyhole_routes(Unsealed& live) {
  const auto writing = [&live](Call& call, WriteTxn& txn) { return write(live, call, txn); };
  Route entry = route(":path*", {}, {reads(read), lists(list), writes(writing), removes(remove)},
                      "What a token keeps for itself, until it ends");
  entry.whole_body = true;
  entry.slash = Slash::names_a_folder;
  entry.exists = exists;
  Route response = entry;
  response.pattern = "response";
  response.actions.front().handler =
      WriteHandler([&live](Call& call, WriteTxn& txn) { return read_response(live, call, txn); });
  return {std::move(response), std::move(entry)};
}

}  // namespace leasehold::core
