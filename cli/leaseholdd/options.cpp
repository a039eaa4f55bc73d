#include "cli/leaseholdd/options.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "vault/base/nearest.h"

namespace leasehold::server_process {

namespace {

std::string from_environment(const char* name) {
  for (const char* prefix : {"LEASEHOLD_", "BAO_", "VAULT_"})
    if (const char* value = std::getenv((std::string(prefix) + name).c_str())) return value;
  return {};
}

struct TextFlag {
  const char* name;
  std::string Options::*field;
};
constexpr TextFlag kTexts[] = {
    {"dev-root-token-id", &Options::dev_root_token},
    {"dev-listen-address", &Options::dev_listen_address},
    {"dev-tls-cert-dir", &Options::dev_tls_cert_dir},
    {"log-file", &Options::log_file},
    {"head", &Options::head},
    {"public-key", &Options::public_key},
};

constexpr const char* kSwitches[] = {
    "dev", "dev-no-store-token", "dev-tls", "dev-kv-v1", "test-server-config", "version", "v"};
// With values that are more than a text, or may be given several times.
constexpr const char* kValues[] = {"config", "log", "dev-tls-san", "log-level", "log-format"};

bool is_switch(const std::string& flag) {
  return std::find(std::begin(kSwitches), std::end(kSwitches), flag) != std::end(kSwitches);
}

// Where the value of a flag goes; null: there is no such flag.
const TextFlag* text_flag(const std::string& flag) {
  for (const TextFlag& text : kTexts)
    if (flag == text.name) return &text;
  return nullptr;
}

Error unknown_flag(const std::string& flag) {
  Nearest nearest(flag);
  for (const char* name : kSwitches) nearest.consider(name);
  for (const TextFlag& text : kTexts) nearest.consider(text.name);
  for (const char* name : kValues) nearest.consider(name);
  nearest.consider("restored");
  const std::string hint = nearest.name().empty() ? "" : "; did you mean -" + nearest.name() + "?";
  return failure(Code::invalid, "unknown flag -" + flag + hint + "\n" + usage());
}

Options::Command command_of(std::string_view word, bool& known) {
  known = true;
  if (word == "server") return Options::Command::server;
  if (word == "verify") return Options::Command::verify;
  if (word == "verify-backup") return Options::Command::verify_backup;
  if (word == "restore-backup") return Options::Command::restore_backup;
  if (word == "keyhost") return Options::Command::keyhost;
  if (word == "version") return Options::Command::version;
  known = false;
  return Options::Command::server;
}

bool takes_file(Options::Command command) {
  return command == Options::Command::verify_backup || command == Options::Command::restore_backup;
}

Result<Options::Restored> to_restored(const std::string& value, bool has_value) {
  if (!has_value || value == "true" || value == "revoke-tokens")
    return Options::Restored::revoke_tokens;
  if (value == "false") return Options::Restored::no;
  if (value == "keep-tokens") return Options::Restored::keep_tokens;
  return failure(Code::invalid, "-restored takes nothing, or keep-tokens");
}

Result<bool> to_bool(const std::string& name, const std::string& value, bool has_value) {
  if (!has_value || value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  return failure(Code::invalid, "-" + name + " takes true or false");
}

void turn(Options& options, const std::string& flag, bool on) {
  if (flag == "dev") options.dev = on;
  if (flag == "dev-no-store-token") options.dev_store_token = !on;
  if (flag == "dev-tls") options.dev_tls = on;
  if (flag == "dev-kv-v1") options.dev_kv_version = on ? 1 : 2;
  if (flag == "test-server-config") options.test_config = on;
  if (flag == "version" || flag == "v") options.command = Options::Command::version;
}

Status set_log(Options& options, const std::string& name, const std::string& value) {
  if (name == "log-level") {
    options.log_level = parse_log_level(value);
    if (options.log_level) return {};
    return failure(Code::invalid, "-log-level is one of trace, debug, info, warn, error");
  }
  options.log_format = parse_log_format(value);
  if (options.log_format) return {};
  return failure(Code::invalid, "-log-format is standard or json");
}

Status set_value(Options& options, const std::string& flag, const std::string& value) {
  if (const TextFlag* text = text_flag(flag))
    options.*text->field = value;
  else if (flag == "config")
    options.configs.push_back(value);
  else if (flag == "log")
    options.logs.push_back(value);
  else if (flag == "dev-tls-san")
    options.dev_tls_names.push_back(value);
  else
    return set_log(options, flag, value);
  return {};
}

bool takes_value(const std::string& flag) {
  return text_flag(flag) != nullptr ||
         std::find(std::begin(kValues), std::end(kValues), flag) != std::end(kValues);
}

}  // namespace

Result<Options> parse_options(int argc, char** argv) {
  Options options;
  options.dev_root_token = from_environment("DEV_ROOT_TOKEN_ID");
  if (const std::string address = from_environment("DEV_LISTEN_ADDRESS"); !address.empty())
    options.dev_listen_address = address;
  for (const char* name : {"log-level", "log-format"}) {
    const std::string value =
        from_environment(name == std::string("log-level") ? "LOG_LEVEL" : "LOG_FORMAT");
    if (!value.empty()) VAULT_TRY(set_log(options, name, value));
  }
  int at = 1;
  if (at < argc && argv[at][0] != '-') {
    bool known = false;
    options.command = command_of(argv[at], known);
    if (!known)
      return failure(Code::invalid,
                     "unknown command \"" + std::string(argv[at]) + "\"\n" + usage());
    ++at;
  }
  for (; at < argc; ++at) {
    std::string flag = argv[at];
    if (!flag.starts_with('-') && takes_file(options.command) && options.backup.empty()) {
      options.backup = flag;
      continue;
    }
    if (!flag.starts_with('-'))
      return failure(Code::invalid, "unexpected argument \"" + flag + "\"");
    flag.erase(0, flag.starts_with("--") ? 2 : 1);
    const std::size_t equals = flag.find('=');
    bool has_value = equals != std::string::npos;
    std::string value = has_value ? flag.substr(equals + 1) : std::string();
    if (has_value) flag.resize(equals);
    if (flag == "h" || flag == "help") {
      options.command = Options::Command::help;
      return options;
    }
    if (flag == "restored") {
      VAULT_TRY_ASSIGN(options.restored, to_restored(value, has_value));
      continue;
    }
    if (is_switch(flag)) {
      VAULT_TRY_ASSIGN(const bool on, to_bool(flag, value, has_value));
      turn(options, flag, on);
      continue;
    }
    if (!takes_value(flag)) return unknown_flag(flag);
    if (!has_value) {
      if (at + 1 >= argc) return failure(Code::invalid, "-" + flag + " needs a value");
      value = argv[++at];
    }
    VAULT_TRY(set_value(options, flag, value));
  }
  if (options.dev_tls) options.dev = true;
  return options;
}

std::string usage() {
  return "Usage: leaseholdd [server] -config=FILE|DIRECTORY [-config=...] [-log-level=LEVEL]\n"
         "       leaseholdd [server] -dev [-dev-root-token-id=ID] [-dev-listen-address=HOST:PORT]\n"
         "                  [-dev-kv-v1] [-dev-tls [-dev-tls-cert-dir=DIRECTORY] "
         "[-dev-tls-san=NAME]]\n"
         "       leaseholdd [server] -test-server-config -config=FILE   tries all but the start "
         "itself\n"
         "       leaseholdd [server] -config=FILE -restored[=keep-tokens]   once, for a storage "
         "that "
         "was put back\n"
         "       leaseholdd verify -config=FILE [-head=HEAD] [-log=FILE...]   checks every record "
         "of a "
         "stopped vault's store\n"
         "       leaseholdd verify-backup FILE [-public-key=HEX]\n"
         "       leaseholdd restore-backup FILE -config=FILE [-public-key=HEX] "
         "[-restored=keep-tokens]\n"
         "       leaseholdd version\n";
}

}  // namespace leasehold::server_process
