// sys/wrapping: what was wrapped is looked up, opened and wrapped anew. The wrapping itself is the
// finish station's (road/finish.h), the answers are kept by authority/wrapped.h.

#include "vault/core/authority/wrapped.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

// A wrapping token that is meant to be opened or looked at, and its text.
struct Asked {
  TokenRef token;
  std::string_view text;  // in the request, which wipes it
};

Result<Asked> asked_for(Unsealed& live, const Call& call, ReadTxn& txn) {
  Asked asked;
  asked.text = call.fields.json("token").text();
  if (asked.text.empty()) asked.text = call.request.token;
  VAULT_TRY_ASSIGN(asked.token, live.wrapping_token(txn, asked.text, call.now));
  return asked;
}

Result<Response> wrap_body(const Call& call) {
  if (!call.request.wrap_ttl)
    return failure(Code::invalid, "endpoint requires response wrapping to be used");
  return Response::of(call.request.body.is_object() ? call.request.body : Json::object());
}

Result<Response> lookup(Unsealed& live, Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Asked asked, asked_for(live, call, txn));
  Json data = Json::object();
  data.set("creation_path", asked.token->path);
  data.set("creation_time", rfc3339(asked.token->created));
  data.set("creation_ttl", static_cast<std::int64_t>(asked.token->creation_ttl.count()));
  return Response::of(data);
}

// Answer and token go together, in the batch of this request: of many who ask, one gets it.
Result<Response> unwrap(Unsealed& live, Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const Asked asked, asked_for(live, call, txn));
  VAULT_TRY_ASSIGN(Response answer, opened(txn, *asked.token, asked.text));
  VAULT_TRY(live.tokens.revoke(txn, *asked.token, call.now));
  return answer;
}

// The same answer under a new token, for as long as the first time, and still of the first path.
Result<Response> rewrap(Unsealed& live, Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const Asked asked, asked_for(live, call, txn));
  VAULT_TRY_ASSIGN(Response answer, opened(txn, *asked.token, asked.text));
  VAULT_TRY(live.tokens.revoke(txn, *asked.token, call.now));
  answer.orders.must_wrap = Orders::Wrapping{asked.token->creation_ttl, asked.token->path};
  return answer;
}

}  // namespace

void add_wrapping_routes(std::vector<Route>& routes, Unsealed& live) {
  Route wraps =
      route("wrapping/wrap", {}, {asks([](Call& call, ReadTxn&) { return wrap_body(call); })},
            "Wraps the body of the request");
  wraps.whole_body = true;
  routes.push_back(std::move(wraps));

  const std::vector<Field> token = {sensitive(
      {"token", FieldType::text, {}, "The wrapping token; without it, the caller's own."})};
  const auto looks = [&live](Call& call, ReadTxn& txn) { return lookup(live, call, txn); };
  Route looked = route("wrapping/lookup", token, {reads(looks), asks(looks)},
                       "Shows when, where and for how long an answer was wrapped");
  looked.unauthenticated = looked.takes_wrapping_token = true;
  looked.body_max = kOpenBodyMax;
  routes.push_back(std::move(looked));

  const auto opens = [&live](Call& call, WriteTxn& txn) { return unwrap(live, call, txn); };
  Route unwraps = route("wrapping/unwrap", token, {writes(opens)}, "Opens a wrapped answer, once");
  unwraps.takes_wrapping_token = true;
  routes.push_back(std::move(unwraps));

  const auto again = [&live](Call& call, WriteTxn& txn) { return rewrap(live, call, txn); };
  Route rewraps =
      route("wrapping/rewrap", token, {writes(again)}, "Wraps a wrapped answer under a new token");
  rewraps.takes_wrapping_token = true;
  routes.push_back(std::move(rewraps));
}

}  // namespace leasehold::core
