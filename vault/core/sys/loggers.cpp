// sys/loggers: which messages the server's log keeps, until the next start.

#include "vault/base/log_level.h"
#include "vault/base/log_settings.h"
#include "vault/core/contract/routes.h"
#include "vault/core/sys/areas.h"

namespace leasehold::core {

namespace {

// There is one log for all parts. Vault's has many; "core" is the one that clients ask for.
constexpr const char* kNames[] = {"core", "leasehold"};

Error no_logger(const std::string& name) {
  return failure(Code::invalid,
                 "logger \"" + name + "\" not found: the log is one, \"leasehold\" or \"core\"");
}

Status check_name(const Fields& fields) {
  const std::string name = fields.text("name");
  if (name.empty()) return {};  // all of them
  for (const char* known : kNames)
    if (name == known) return {};
  return no_logger(name);
}

Result<Response> read(Call& call, ReadTxn&) {
  VAULT_TRY(check_name(call.fields));
  const std::string name = call.fields.text("name");
  const std::string_view level = name_of(log_level());
  Json data = Json::object();
  for (const char* known : kNames)
    if (name.empty() || name == known) data.set(known, level);
  return Response::of(data);
}

Result<Response> write(Call& call, ReadTxn&, LogSink& log) {
  VAULT_TRY(check_name(call.fields));
  if (!call.fields.given("level")) return failure(Code::invalid, "level is required");
  const std::string given = call.fields.text("level");
  if (given.empty()) return failure(Code::invalid, "level is empty");
  const auto level = parse_log_level(given);
  if (!level)
    return failure(Code::invalid, "invalid level provided: unknown log level: " + given +
                                      "; it is trace, debug, info, warn or error");
  set_log_level(*level);
  log.warn("the log's level is {} now, until the next start or a DELETE of sys/loggers",
           name_of(*level));
  return Response::none();
}

Result<Response> reset(Call& call, WriteTxn&, LogSink& log) {
  VAULT_TRY(check_name(call.fields));
  reset_log_level();
  log.warn("the log's level is that of the configuration again: {}", name_of(log_level()));
  return Response::none();
}

}  // namespace

void add_logger_routes(std::vector<Route>& routes, Unsealed& live) {
  LogSink& log = live.environment.log;
  const auto writes_level = [&log](Call& call, ReadTxn& txn) { return write(call, txn, log); };
  const auto resets = [&log](Call& call, WriteTxn& txn) { return reset(call, txn, log); };
  for (const char* pattern : {"loggers", "loggers/:name"})
    routes.push_back(route(pattern,
                           {{"level", FieldType::text, {}, "trace, debug, info, warn or error."}},
                           {reads(read), asks(writes_level), removes(resets)},
                           "Reads, sets and resets the level of the server's log"));
}

}  // namespace leasehold::core
