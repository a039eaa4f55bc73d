#pragma once
// Answers as people and scripts read them. A table has two columns and rulers, lease and token rows
// first; JSON is the envelope as the server sent it, indented; a list in JSON is a bare array.
// Thread safety: functions without state.

#include <string>
#include <string_view>
#include <vector>

#include "cli/leasehold/session.h"

namespace leasehold::cli {

using Row = std::vector<std::string>;
// Prints columns padded to their widest cell, or to 64 characters, four spaces between; the first
// row is ruled with dashes.
void print_table(const Session& session, const std::vector<Row>& rows);

// A value as Go prints it with %v: `[a b]`, `map[k:v]`, `<nil>`, text without quotes.
std::string plain(const Json& value);
// Seconds as a duration when the key says that it is one ("ttl", "…_ttl", "period", …).
std::string plain_field(std::string_view key, const Json& value);
std::string human_duration(std::int64_t seconds);

// The rows of an envelope, without a header: lease, auth, wrap_info, data.
std::vector<Row> rows_of(const Json& envelope);
std::vector<Row> with_header(std::vector<Row> rows);

// Prints an answer in the session's format, or only -field; warnings go to stderr.
int show(const Session& session, const Answer& answer);
int show_json(const Session& session, const Json& envelope);
// One value in the session's format: JSON and YAML as they are, a table by `rows`.
int show_value(const Session& session, const Json& value, const std::vector<Row>& rows);
int show_keys(const Session& session, const Json& keys);
// The value of -field out of an envelope; exit code 1 when it is not there.
int show_field(const Session& session, const Json& envelope, std::string_view field);
// Without a newline unless a person is looking.
void print_bare(const Session& session, std::string_view text);
void show_warnings(const Session& session, const Json& envelope);

std::string yaml(const Json& value);

}  // namespace leasehold::cli
