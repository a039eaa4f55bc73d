// sys/decode-token: the token that a root token ceremony hands out under its one-time password.

#include "vault/base/encoding.h"
#include "vault/core/contract/routes.h"
#include "vault/core/sys/areas.h"

namespace leasehold::core {

namespace {

Result<Response> decode(Call& call, ReadTxn&) {
  std::string encoded = call.fields.text("encoded_token");
  const SecretBytes otp = call.fields.secret("otp");
  while (encoded.size() % 4 != 0) encoded += '=';  // it comes without padding
  const auto bytes = from_base64(encoded);
  wipe(encoded);
  if (!bytes) return failure(Code::invalid, "encoded_token is not in base64");
  SecretBytes token{ByteView(*bytes)};
  if (token.empty() || token.size() != otp.size())
    return failure(Code::invalid,
                   "otp and encoded_token are not of one ceremony: their lengths differ");
  for (std::size_t i = 0; i < token.size(); ++i) token.writable()[i] ^= otp.reveal()[i];
  return Response::of(Json::object().set("token", as_text(token.reveal())));
}

}  // namespace

void add_decode_token_route(std::vector<Route>& routes) {
  Route made = route(
      "decode-token",
      {required(sensitive({"encoded_token", FieldType::text, {}, "What the ceremony ended with."}),
                "encoded_token must be supplied"),
       required(sensitive({"otp", FieldType::text, {}, "Its one-time password."}),
                "otp must be supplied")},
      {asks(decode)}, "The token of a root token ceremony");
  made.unauthenticated = true;
  routes.push_back(std::move(made));
}

}  // namespace leasehold::core
