#pragma once
// What a command reads besides its flags: `K=V` data, files, standard input, hidden answers.
// Thread safety: functions without state of their own; standard input is read once.

#include <string>
#include <string_view>
#include <vector>

#include "cli/leasehold/session.h"

namespace leasehold::cli {

inline constexpr std::size_t kInputBytesMax = 32u << 20;

// "-" is standard input.
Result<std::string> read_input(const std::string& file);
// `k=v`, `k=@file`, `k=-`, `@file.json`, `-`; `k=\@v` is the text "@v"; a repeated key makes a
// list.
Result<Json> parse_data(const std::vector<std::string>& words, std::size_t first);
// The same as query fields, for operations without a body.
Result<client::Fields> parse_query(const std::vector<std::string>& words, std::size_t first);
// A line typed without echo, or the first line of standard input when it is no terminal.
Result<SecretBytes> ask_hidden(const Session& session, std::string_view prompt);

}  // namespace leasehold::cli
