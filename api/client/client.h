#pragma once
// The client of Vault's HTTP API: paths and JSON in, answers out; retries, one redirect, Vault's
// headers. What prepares or opens a vault is never sent twice. LIST goes out as `GET ?list=true`,
// as the Go client does.
//
//   Client client(settings, make_http_transport(settings));
//   VAULT_TRY_ASSIGN(const Answer answer, client.send({"GET", "secret/a"}));
//   if (answer.ok()) answer.json.find("data") ...
//
// An Error means that no server answered (see transport.h for the codes); what a server refused is
// an Answer with its status. Not thread-safe: one per thread.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/client/settings.h"
#include "api/client/transport.h"
#include "vault/base/json.h"

namespace leasehold::client {

struct Call {
  std::string method;  // GET, LIST, PUT, POST, PATCH, DELETE
  std::string path;    // "secret/a", without /v1/
  std::optional<Json> body{};
  Fields query{};
  SecretBytes token{};  // instead of the client's own, when not empty
  // What a command must know before it can ask its own question: never wrapped.
  bool is_preliminary = false;
  // The member of `body` that was typed without echo: curl() does not print it.
  std::string hidden{};
};

struct Answer {
  std::string method;
  std::string url;
  bool had_token = false;  // the request carried one
  int status = 0;
  std::string content_type;
  std::string body;
  Json json;                                // an object when the body was one, otherwise null
  std::vector<std::string> quiet_warnings;  // of an answer without a body: its `Warning` headers

  // Of a refusal that the server can explain (sys/explain); letters, digits and dashes, or empty.
  std::string request_id;
  // Why policies refused it, in the server's words; filled by who asks for it.
  std::string explanation;

  bool ok() const { return status >= 200 && status < 300; }
  // Vault answers a deleted version, or a misplaced path, with 404 and data or warnings to show.
  bool has_value() const;
  // "There is nothing": Vault's 404 without a message. A 404 from something else is no such answer.
  bool is_absent() const;
  std::vector<std::string> errors() const { return json.strings_at("errors"); }
  const Json* data() const;  // the member `data` when it is an object
};

// The text of a `Warning` header of ours; empty for another's.
std::string text_of_warning(std::string_view header);

class Client {
 public:
  using Pause = std::function<void(Millis)>;

  Client(const Settings& settings, std::unique_ptr<Transport> transport, Pause pause = {});

  Result<Answer> send(const Call& call);
  // The same call as a command line; the token is left to the reader's own `print token`, and what
  // was typed without echo to the reader.
  Result<std::string> curl(const Call& call) const;

 private:
  Result<RawRequest> prepare(const Url& server, const Call& call) const;
  Result<RawResponse> exchange_with_retries(const Url& server, const RawRequest& request);
  Result<RawResponse> follow(Url& server, RawRequest& request, RawResponse response);

  const Settings& settings_;
  std::unique_ptr<Transport> transport_;
  Pause pause_;
};

}  // namespace leasehold::client
