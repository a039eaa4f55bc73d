#include "cli/leaseholdd/options.h"

#include <algorithm>
#include <iterator>

#include "vault/base/dashes.h"
#include "vault/base/environment.h"
#include "vault/base/nearest.h"

namespace leasehold::server_process {

namespace {

std::string from_environment(const char* name) {
  for (const char* prefix : {"LEASEHOLD_", "BAO_", "VAULT_"})
    if (const char* value = find_in_environment(std::string(prefix) + name)) return value;
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
  if (value == "drill") return Options::Restored::drill;
  return failure(Code::invalid, "-restored takes nothing, keep-tokens or drill");
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

Status read_environment(Options& options) {
  options.dev_root_token = from_environment("DEV_ROOT_TOKEN_ID");
  if (const std::string address = from_environment("DEV_LISTEN_ADDRESS"); !address.empty())
    options.dev_listen_address = address;
  constexpr std::pair<const char*, const char*> kLog[] = {{"log-level", "LOG_LEVEL"},
                                                          {"log-format", "LOG_FORMAT"}};
  for (const auto& [flag, variable] : kLog)
    if (const std::string value = from_environment(variable); !value.empty())
      VAULT_TRY(set_log(options, flag, value));
  return {};
}

// A word of the command line that begins with a dash.
struct GivenFlag {
  std::string name, value;
  bool has_value = false;
};
GivenFlag split(std::string word) {
  word.erase(0, word.starts_with("--") ? 2 : 1);
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) return {std::move(word), {}, false};
  return {word.substr(0, equals), word.substr(equals + 1), true};
}

// Takes the word behind a flag that needs one: `at` then stands on it.
Status set_flag(Options& options, GivenFlag flag, int argc, char** argv, int& at) {
  if (flag.name == "restored") {
    VAULT_TRY_ASSIGN(options.restored, to_restored(flag.value, flag.has_value));
    return {};
  }
  if (is_switch(flag.name)) {
    VAULT_TRY_ASSIGN(const bool on, to_bool(flag.name, flag.value, flag.has_value));
    turn(options, flag.name, on);
    return {};
  }
  if (!takes_value(flag.name)) return unknown_flag(flag.name);
  if (!flag.has_value) {
    if (at + 1 >= argc) return failure(Code::invalid, "-" + flag.name + " needs a value");
    flag.value = argv[++at];
  }
  return set_value(options, flag.name, flag.value);
}

}  // namespace

Result<Options> parse_options(int argc, char** argv) {
  Options options;
  VAULT_TRY(read_environment(options));
  int at = 1;
  if (at < argc && argv[at][0] != '-' && with_plain_dash(argv[at]).empty()) {
    bool known = false;
    options.command = command_of(argv[at], known);
    if (!known)
      return failure(Code::invalid,
                     "unknown command \"" + std::string(argv[at]) + "\"\n" + usage());
    ++at;
  }
  for (; at < argc; ++at) {
    const std::string word = argv[at];
    if (const std::string meant = with_plain_dash(word); !meant.empty())
      return failure(Code::invalid,
                     "\"" + word + "\" begins with a typographic dash: write " + meant);
    if (word.starts_with('-')) {
      GivenFlag flag = split(word);
      if (flag.name == "h" || flag.name == "help") {
        options.command = Options::Command::help;
        return options;
      }
      VAULT_TRY(set_flag(options, std::move(flag), argc, argv, at));
    } else if (takes_file(options.command) && options.backup.empty()) {
      options.backup = word;
    } else {
      return failure(Code::invalid, "unexpected argument \"" + word + "\"");
    }
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
         "       leaseholdd [server] -config=FILE -restored=drill   a copy beside its original: "
         "reaches no target\n"
         "       leaseholdd verify -config=FILE [-head=HEAD] [-log=FILE...]   checks every record "
         "of a "
         "stopped vault's store\n"
         "       leaseholdd verify-backup FILE [-public-key=HEX]\n"
         "       leaseholdd restore-backup FILE -config=FILE [-public-key=HEX] "
         "[-restored=keep-tokens]\n"
         "       leaseholdd version\n";
}

}  // namespace leasehold::server_process
