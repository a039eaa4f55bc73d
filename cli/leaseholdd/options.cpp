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

struct ListFlag {
  const char* name;
  std::vector<std::string> Options::*field;
};
constexpr ListFlag kLists[] = {{"config", &Options::configs}, {"log", &Options::logs}};

struct TextFlag {
  const char* name;
  std::string Options::*field;
};
constexpr TextFlag kTexts[] = {
    {"dev-root-token-id", &Options::dev_root_token},
    {"dev-listen-address", &Options::dev_listen_address},
    {"log-level", &Options::log_level},
    {"log-format", &Options::log_format},
    {"log-file", &Options::log_file},
    {"head", &Options::head},
    {"public-key", &Options::public_key},
};

constexpr const char* kSwitches[] = {"dev", "dev-no-store-token", "test-server-config", "version",
                                     "v"};

bool is_switch(const std::string& flag) {
  return std::find(std::begin(kSwitches), std::end(kSwitches), flag) != std::end(kSwitches);
}

// Where the value of a flag goes; null: there is no such flag.
const TextFlag* text_flag(const std::string& flag) {
  for (const TextFlag& text : kTexts)
    if (flag == text.name) return &text;
  return nullptr;
}

const ListFlag* list_flag(const std::string& flag) {
  for (const ListFlag& list : kLists)
    if (flag == list.name) return &list;
  return nullptr;
}

Error unknown_flag(const std::string& flag) {
  Nearest nearest(flag);
  for (const char* name : kSwitches) nearest.consider(name);
  for (const TextFlag& text : kTexts) nearest.consider(text.name);
  for (const ListFlag& list : kLists) nearest.consider(list.name);
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

}  // namespace

Result<Options> parse_options(int argc, char** argv) {
  Options options;
  options.dev_root_token = from_environment("DEV_ROOT_TOKEN_ID");
  if (const std::string address = from_environment("DEV_LISTEN_ADDRESS"); !address.empty())
    options.dev_listen_address = address;
  options.log_level = from_environment("LOG_LEVEL");
  options.log_format = from_environment("LOG_FORMAT");
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
      if (flag == "dev") options.dev = on;
      if (flag == "dev-no-store-token") options.dev_store_token = !on;
      if (flag == "test-server-config") options.test_config = on;
      if (flag == "version" || flag == "v") options.command = Options::Command::version;
      continue;
    }
    const TextFlag* text = text_flag(flag);
    const ListFlag* list = list_flag(flag);
    if (text == nullptr && list == nullptr) return unknown_flag(flag);
    if (!has_value) {
      if (at + 1 >= argc) return failure(Code::invalid, "-" + flag + " needs a value");
      value = argv[++at];
    }
    if (text != nullptr)
      options.*text->field = value;
    else
      (options.*list->field).push_back(value);
  }
  return options;
}

std::string usage() {
  return "Usage: leaseholdd [server] -config=FILE|DIRECTORY [-config=...] [-log-level=LEVEL]\n"
         "       leaseholdd [server] -dev [-dev-root-token-id=ID] [-dev-listen-address=HOST:PORT]\n"
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
