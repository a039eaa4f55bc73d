// sys/config/auditing/request-headers: which headers of a request the audit log records.

#include "vault/core/authority/audited_headers.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

Json shown(const AuditedHeader& header) { return Json::object().set("hmac", header.hmac); }

Result<Response> injected(const Json& data) {
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

Result<Response> list(ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const AuditedHeaders headers, AuditedHeaders::read(core));
  Json all = Json::object();
  for (const AuditedHeader& header : headers.all()) all.set(header.name, shown(header));
  return injected(Json::object().set("headers", std::move(all)));
}

// Under the name as it was asked for, as clients of Vault look it up.
Result<Response> read(const Call& call, ReadTxn& txn) {
  const std::string name = call.fields.text("name");
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const AuditedHeaders headers, AuditedHeaders::read(core));
  const AuditedHeader* header = headers.find(name);
  if (header == nullptr) return failure(Code::invalid, "Could not find header in config");
  return injected(Json::object().set(name, shown(*header)));
}

// The table that the next request is judged by is made at once, so that its listener knows.
void make_known(Unsealed& live) {
  auto held = live.snapshots.take();
  if (!held.ok()) return;
  ReadTxn txn(**held, live.barrier, barrier::kCoreSpace);
  live.mounts.at(txn).ok();
}

template <class Change>
Result<Response> change(Unsealed& live, WriteTxn& txn, Change how) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(AuditedHeaders headers, AuditedHeaders::read(core));
  // Two changes at once: the second sees the first.
  VAULT_TRY(core.version(Mounts::mounts_key()));
  VAULT_TRY(how(headers));
  VAULT_TRY(headers.write(core));
  Response response = Response::none();
  response.orders.on_commit = [&live] { make_known(live); };
  return response;
}

}  // namespace

void add_request_header_routes(std::vector<Route>& routes, Unsealed& live) {
  constexpr const char* kAll = "config/auditing/request-headers";
  Route all = route(kAll, {}, {reads([](Call&, ReadTxn& txn) { return list(txn); })},
                    "Lists the request headers that the audit log records");
  all.sudo = true;
  routes.push_back(std::move(all));
  Route one = route(std::string(kAll) + "/:name*", {{"hmac", FieldType::boolean}},
                    {reads([](Call& call, ReadTxn& txn) { return read(call, txn); }),
                     writes([&live](Call& call, WriteTxn& txn) {
                       return change(live, txn, [&](AuditedHeaders& headers) {
                         return headers.set(call.fields.text("name"), call.fields.boolean("hmac"));
                       });
                     }),
                     removes([&live](Call& call, WriteTxn& txn) {
                       return change(live, txn, [&](AuditedHeaders& headers) -> Status {
                         headers.remove(call.fields.text("name"));
                         return {};
                       });
                     })},
                    "Has a header of each request recorded, in clear or as its HMAC");
  one.sudo = true;
  one.folds_case = true;
  routes.push_back(std::move(one));
}

}  // namespace leasehold::core
