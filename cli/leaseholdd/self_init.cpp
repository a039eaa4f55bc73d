#include "cli/leaseholdd/self_init.h"

#include <algorithm>
#include <optional>
#include <set>

#include "cli/leaseholdd/self_init_values.h"
#include "vault/base/loop.h"
#include "vault/base/problems.h"
#include "vault/core/contract/envelope.h"

namespace leasehold::server_process {
namespace {

using core::Operation;

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

std::optional<Operation> operation_called(std::string_view name) {
  // As over HTTP: whether an update creates something, its route says.
  if (name == "create" || name == "update") return Operation::update;
  for (const Operation one :
       {Operation::read, Operation::patch, Operation::remove, Operation::list, Operation::scan})
    if (name == core::operation_name(one)) return one;
  return std::nullopt;
}

class Reader {
 public:
  Result<std::vector<SelfInitStep>> read(const std::vector<Stanza>& stanzas) {
    std::set<std::string> names;
    for (Stanza stanza : stanzas) {
      const std::string name = stanza.label(0);
      check_name(stanza, name, names);
      std::set<std::string> requests;
      for (Stanza& request : stanza.nested_all("request")) read_request(name, request, requests);
      if (requests.empty()) problems_.add(stanza.where() + ": initialize needs a request block");
      problems_.add(stanza.finish());
    }
    VAULT_TRY(problems_.status());
    return std::move(steps_);
  }

 private:
  void check_name(const Stanza& stanza, const std::string& name, std::set<std::string>& names) {
    if (!is_name(name))
      problems_.add(stanza.where() + ": \"" + name +
                    "\" is no name: letters, digits, - and _, and a letter or _ at the front");
    else if (!names.insert(name).second)
      problems_.add(stanza.where() + ": there is another \"" + name + "\" before this one");
  }

  void read_request(const std::string& init, Stanza& request, std::set<std::string>& names) {
    SelfInitStep step;
    step.init = init;
    step.name = request.label(0);
    step.where = request.where();
    check_name(request, step.name, names);
    const auto operation = request.text("operation");
    const auto found = operation_called(operation.ok() ? *operation : "");
    if (!found)
      request.refuse("operation", "operation is create, read, update, patch, delete, list or scan");
    step.operation = found.value_or(Operation::update);
    if (const auto path = request.text("path"); path.ok()) step.path = *path;
    if (step.path.empty() || step.path.front() == '/' || step.path.find("//") != step.path.npos)
      request.refuse("path", "path is one of the API, such as \"sys/mounts/secret\"");
    if (const Json* data = request.value("data")) step.data = *data;
    if (!step.data.is_null() && !step.data.is_object())
      request.refuse("data", "data is a map: data = { type = \"kv\" }");
    if (const Json* token = request.value("token")) step.token = *token;
    const auto allowed = request.flag("allow_failure", false);
    step.allow_failure = allowed.ok() && *allowed;
    problems_.add(request.finish());
    steps_.push_back(std::move(step));
  }

  std::vector<SelfInitStep> steps_;
  Problems problems_;
};

// One request down the road that all take, on a loop of its own.
class Asker final : public Waiter, public core::Exchange {
 public:
  Asker(core::Core& core, Clock& clock) : core_(core), loop_(clock) {
    home = &loop_;
    resume = [](Waiter* waiter) {
      auto* asker = static_cast<Asker*>(waiter);
      ++asker->loop_.live;
      asker->core_.handle(std::move(asker->request_), *asker);
    };
  }
  core::Response ask(core::Request request) {
    request_ = std::move(request);
    loop_.post(this);
    loop_.run();
    return std::move(answer_);
  }
  void deliver(core::Response&& answer) override {
    answer_ = std::move(answer);
    --loop_.live;
    loop_.stop();
  }

 private:
  core::Core& core_;
  Loop loop_;
  core::Request request_;
  core::Response answer_;
};

class SelfInit {
 public:
  SelfInit(core::Core& core, Clock& clock, LogSink& log, const SecretBytes& root)
      : core_(core), clock_(clock), log_(log), root_(root) {}

  Status run(const std::vector<SelfInitStep>& steps) {
    for (const SelfInitStep& step : steps) VAULT_TRY(run(step));
    core::Request last;
    last.operation = Operation::update;
    last.path = "auth/token/revoke-self";
    last.token = as_text(root_.reveal());
    const core::Response revoked = Asker(core_, clock_).ask(std::move(last));
    if (core::status_of(revoked) < 300) return {};
    return failure(Code::internal, "the root token could not be revoked: " + errors_of(revoked));
  }

 private:
  Status run(const SelfInitStep& step) {
    const auto failed = [&](const std::string& why) {
      return failure(Code::invalid, step.where + ": request \"" + step.name +
                                        "\" of initialize \"" + step.init + "\" failed: " + why);
    };
    auto data = evaluated(step.data, done_);
    if (!data.ok()) return failed("data: " + data.error().message);
    auto token = evaluated(step.token, done_);
    if (!token.ok()) return failed("token: " + token.error().message);
    core::Request request;
    request.operation = step.operation;
    request.path = step.path;
    if (core::lists_names(step.operation) && !request.path.ends_with('/')) request.path += '/';
    request.token = token->is_null() ? std::string(as_text(root_.reveal())) : token->text();
    request.body = *data;
    const core::Response answer = Asker(core_, clock_).ask(std::move(request));
    const int status = core::status_of(answer);
    if (status >= 300 && !step.allow_failure)
      return failed(std::to_string(status) + " " + errors_of(answer));
    if (status >= 300)
      log_.warn("self-initialization: {}: {} {}; the request may fail", step.where, status,
                errors_of(answer));
    Json sent = Json::object();
    sent.set("data", std::move(*data));
    done_[{step.init, step.name}] = {std::move(sent), body_of(answer)};
    return {};
  }

  static Json body_of(const core::Response& answer) {
    std::string text;
    text.reserve(core::body_bytes_max(answer));
    core::write_body(text, answer);
    auto body = parse_json(text);
    wipe(text);
    return body.ok() ? *std::move(body) : Json::object();
  }
  static std::string errors_of(const core::Response& answer) {
    std::string all;
    for (const std::string& one : body_of(answer).strings_at("errors"))
      all += (all.empty() ? "" : "; ") + one;
    return all;
  }

  core::Core& core_;
  Clock& clock_;
  LogSink& log_;
  const SecretBytes& root_;
  ExchangedByName done_;
};

}  // namespace

Result<std::vector<SelfInitStep>> read_self_init(const std::vector<Stanza>& stanzas) {
  return Reader().read(stanzas);
}

Status undo_unfinished(seal::Seal& seal, core::Lifecycle& lifecycle, LogSink& log) {
  if (!seal.provisional()) return {};
  log.warn("a self-initialization was not finished; what it had written is removed");
  return lifecycle.undo_provisional();
}

Status self_initialize(const std::vector<SelfInitStep>& steps, core::Lifecycle& lifecycle,
                       core::Core& core, Clock& clock, LogSink& log) {
  log.info("the vault is new and initializes itself: {} requests", steps.size());
  VAULT_TRY_ASSIGN(const SecretBytes root, lifecycle.begin_provisional());
  Status done = SelfInit(core, clock, log, root).run(steps);
  if (done.ok()) done = lifecycle.finish_provisional();
  if (done.ok()) {
    log.info("the vault is initialized; its root token is revoked");
    return {};
  }
  const Status undone = lifecycle.undo_provisional();
  return failure(done.error().code,
                 done.error().message +
                     (undone.ok() ? "; nothing was kept, the next start begins anew"
                                  : "; it is undone by the next start: " + undone.error().message),
                 done.error().detail);
}

}  // namespace leasehold::server_process
