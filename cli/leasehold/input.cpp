#include "cli/leasehold/input.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace leasehold::cli {
namespace {

Result<std::string> read_descriptor(int descriptor, const std::string& name) {
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(Code::invalid, "cannot read " + name + ": " + std::strerror(errno));
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kInputBytesMax)
      return failure(Code::invalid, name + " is larger than 32 MiB");
  }
  wipe(buffer, sizeof buffer);
  return text;
}

Error bad_pair(std::string_view word) {
  // The word may be a secret typed without its key: never repeat it.
  return failure(Code::invalid, "Failed to parse K=V data: an argument of " +
                                    std::to_string(word.size()) +
                                    " characters has no \"=\": write key=value, key=@file, "
                                    "@file.json or -");
}

Status merge_json(const std::string& file, Json& data) {
  VAULT_TRY_ASSIGN(std::string text, read_input(file));
  auto parsed = parse_json(text);
  wipe(text);
  if (!parsed.ok() || !parsed->is_object())
    return failure(Code::invalid, (file == "-" ? "standard input" : file) +
                                      " is not a JSON object" +
                                      (parsed.ok() ? "" : ": " + parsed.error().message));
  for (const auto& member : parsed->members()) data.set(member.first, member.second);
  return {};
}

Result<std::string> value_of(std::string_view text) {
  if (text == "-") return read_input("-");
  if (!text.empty() && text[0] == '@') return read_input(std::string(text.substr(1)));
  if (text.substr(0, 2) == "\\@") text.remove_prefix(1);
  return std::string(text);
}

void set_or_append(Json& data, const std::string& key, std::string value) {
  const Json* present = data.find(key);
  if (present == nullptr) {
    data.set(key, std::move(value));
    return;
  }
  Json list = Json::array();
  if (present->is_array()) {
    list = *present;
  } else {
    list.push(*present);
  }
  list.push(std::move(value));
  data.set(key, std::move(list));
}

volatile std::sig_atomic_t interrupted = 0;

// Echo off for one line. Ctrl-C must not leave the terminal silent: it ends the read, the
// destructor restores what was, and the command ends as refused.
class Silence {
 public:
  Silence() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };  // without SA_RESTART
    ::sigaction(SIGINT, &action, &interrupt_before_);
    ::sigaction(SIGTERM, &action, &terminate_before_);
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    is_silent_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() {
    if (is_silent_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    ::sigaction(SIGINT, &interrupt_before_, nullptr);
    ::sigaction(SIGTERM, &terminate_before_, nullptr);
  }

 private:
  termios before_{};
  struct sigaction interrupt_before_ {};
  struct sigaction terminate_before_ {};
  bool is_silent_ = false;
};

// Byte by byte: what follows the line belongs to somebody else. False when interrupted.
bool read_line(SecretBytes& line) {
  line.reserve(4096);
  for (;;) {
    char c = 0;
    const ssize_t got = ::read(STDIN_FILENO, &c, 1);
    if (interrupted != 0) return false;
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || c == '\n') return true;
    if (c == '\r') continue;
    if (line.size() == 4096) return false;
    line.append(as_bytes({&c, 1}));
  }
}

}  // namespace

Result<std::string> read_input(const std::string& file) {
  if (file == "-") return read_descriptor(STDIN_FILENO, "standard input");
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return failure(Code::invalid, "cannot read " + file + ": " + std::strerror(errno));
  auto text = read_descriptor(descriptor, file);
  ::close(descriptor);
  return text;
}

Result<Json> parse_data(const std::vector<std::string>& words, std::size_t first) {
  Json data = Json::object();
  for (std::size_t i = first; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto equals = word.find('=');
    if (word == "-") {
      VAULT_TRY(merge_json("-", data));
    } else if (!word.empty() && word[0] == '@') {
      VAULT_TRY(merge_json(word.substr(1), data));
    } else if (equals == std::string::npos || equals == 0) {
      return bad_pair(word);
    } else {
      VAULT_TRY_ASSIGN(std::string value, value_of(std::string_view(word).substr(equals + 1)));
      set_or_append(data, word.substr(0, equals), std::move(value));
    }
  }
  return data;
}

Result<client::Fields> parse_query(const std::vector<std::string>& words, std::size_t first) {
  VAULT_TRY_ASSIGN(const Json data, parse_data(words, first));
  client::Fields fields;
  for (const auto& member : data.members()) {
    if (member.second.is_array()) {
      for (const Json& item : member.second.items()) fields.emplace_back(member.first, item.text());
    } else if (member.second.is_bool()) {
      fields.emplace_back(member.first, member.second.boolean() ? "true" : "false");
    } else {
      fields.emplace_back(member.first, member.second.text());
    }
  }
  return fields;
}

Result<SecretBytes> ask_hidden(const Session& session, std::string_view prompt) {
  if (session.args().is_on("non-interactive"))
    return failure(Code::invalid, std::string(prompt) +
                                      " is needed and -non-interactive forbids "
                                      "to ask; pass \"-\" and pipe it in");
  SecretBytes line;
  bool answered = false;
  if (::isatty(STDIN_FILENO) == 1) {
    const std::string text = std::string(prompt) + " (will be hidden): ";
    [[maybe_unused]] const ssize_t shown = ::write(STDERR_FILENO, text.data(), text.size());
    const Silence silence;
    answered = read_line(line);
  } else {
    answered = read_line(line);
  }
  if (!answered || line.empty())
    return failure(Code::invalid, "no answer to: " + std::string(prompt));
  return line;
}

}  // namespace leasehold::cli
