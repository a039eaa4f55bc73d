#include "cli/leasehold/ceremony.h"

#include "cli/leasehold/explain.h"
#include "cli/leasehold/input.h"

namespace leasehold::cli {

Status add_key(const Session& session, std::string_view prompt, Call& call) {
  const std::string given = session.args().positional(0);
  SecretBytes key{std::string_view(given)};
  if (given.empty() || given == "-") {
    VAULT_TRY_ASSIGN(key, ask_hidden(session, prompt));
    call.hidden = "key";
  }
  call.body->set("key", as_text(key.reveal()));
  return {};
}

Result<Call> share_for(Session& session, const std::string& path, std::string_view question,
                       std::string_view prompt) {
  std::string nonce = session.args().text("nonce");
  if (nonce.empty()) {
    Call call{"GET", std::string(question)};
    call.is_preliminary = true;
    const auto answer = session.send(std::move(call));
    if (!is_good(answer))
      return failure(
          Code::invalid,
          explain("cannot tell which operation is in progress", answer, session.settings()) +
              "\n\nOr give its -nonce: whoever began it has it, as the \"Nonce\" that -init "
              "printed");
    nonce = answer->json.string_at("nonce");
    if (nonce.empty())
      return failure(Code::invalid, "no operation is in progress: begin one with -init");
    session.note("Operation nonce: " + nonce);
  }
  Call share{"PUT", path, Json::object()};
  VAULT_TRY(add_key(session, prompt, share));
  share.body->set("nonce", nonce);
  return share;
}

}  // namespace leasehold::cli
