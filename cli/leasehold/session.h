#pragma once
// What a command works with: its arguments, one client, and the way out (results to stdout in the
// chosen format, everything else to stderr). Not thread-safe: a process runs one command.

#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>

#include "api/client/client.h"
#include "cli/leasehold/arguments.h"
#include "cli/leasehold/command.h"

namespace leasehold::cli {

enum class Format { table, json, yaml, raw };

using client::Answer;
using client::Call;

class Session {
 public:
  // Flags over environment over defaults. Code::invalid names what cannot be understood.
  static Result<std::unique_ptr<Session>> open(Arguments arguments);

  const Arguments& args() const { return arguments_; }
  const client::Settings& settings() const { return settings_; }
  Format format() const { return format_; }
  bool is_detailed() const { return is_detailed_; }  // more columns where there are some

  // Looks for the token where `login` left it, unless the environment holds one; `send` does so by
  // itself. What needs no token never asks a token helper.
  Status find_token();
  Result<Answer> send(Call call);
  bool describes() const;  // calls are printed, as a command or a policy, and not sent
  // Prints why `answer` is no success, with a hint of what to do next: the command's own, or one
  // that the answer suggests. Returns the exit code.
  int refused(std::string_view doing, const Result<Answer>& answer,
              std::string_view hint = {}) const;
  int misused(std::string_view message) const;  // local error: stderr, exit code 1

  bool is_terminal() const { return is_terminal_; }  // stdout
  // stdout: as it is, or printable on a terminal.
  void print(std::string_view text) const;
  void line(std::string_view text) const;  // with a newline
  void note(std::string_view text) const;  // stderr: printable, with a newline

  // `Success! …` of a command that answers nothing; only in the table format, as scripts expect.
  int succeed(std::string_view text) const;
  // The same, unless `answer` says that nothing was done.
  int did(const Answer& answer, std::string_view text) const;

 private:
  Session(Arguments arguments, client::Settings settings, Format format, bool is_detailed)
      : arguments_(std::move(arguments)),
        settings_(std::move(settings)),
        format_(format),
        is_detailed_(is_detailed) {}

  Status describe(const Call& call) const;
  void ask_why(const Call& call, Answer& denied);

  Arguments arguments_;
  client::Settings settings_;
  Format format_;
  bool is_detailed_;
  const bool is_terminal_ = ::isatty(STDOUT_FILENO) == 1;  // asked once: lines are many
  bool token_sought_ = false;
  bool lacks_token_ = false;  // what keeps it cannot be read
  bool described_ = false;    // -output-curl-string or -output-policy has printed a call
  std::optional<client::Client> client_;
};

inline bool is_good(const Result<Answer>& answer) { return answer.ok() && answer->ok(); }
// Whether it says that what the request was about is not there.
bool did_nothing(const Answer& answer);
// "secret/a" of "/secret//./a/": as it is sent.
std::string plain_path(std::string_view path);

}  // namespace leasehold::cli
