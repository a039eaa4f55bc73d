#include "cli/leasehold/output.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/base/printable.h"

namespace leasehold::cli {
namespace {

// Code points, not bytes: "∞" is one column wide.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// No column is padded beyond this: of a wide name every row, and every line of a value, would get
// the width, and one stored secret would fill the memory of whoever reads it.
constexpr std::size_t kPaddedMax = 64;

// A value of several lines stays in its column: none of them looks like a row. Each is printed once
// it is made: a value may have as many as it has bytes.
void print_row(const Session& session, const Row& row, const std::vector<std::size_t>& widths) {
  std::string line;
  std::size_t column = 0;
  for (std::size_t i = 0; i + 1 < row.size(); ++i) {
    const std::string cell = row[i].empty() ? "n/a" : printable(row[i]);
    const std::size_t width = width_of(cell);
    line += cell;
    line.append(std::max(widths[i], width) - width + 4, ' ');
    column += widths[i] + 4;
  }
  const std::string value = row.back().empty() ? "n/a" : printable(row.back(), "\n\t");
  std::string_view rest = value;
  for (std::size_t end = 0; (end = rest.find('\n')) != rest.npos; rest.remove_prefix(end + 1)) {
    line += rest.substr(0, end + 1);
    session.print(line);
    line.assign(column, ' ');
  }
  line += rest;
  session.line(line);
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_duration(std::string_view key) {
  return key == "period" || key == "ttl" || key == "duration" || key == "lease_max" ||
         key == "ttl_max" || ends_with(key, "_period") || ends_with(key, "_ttl") ||
         ends_with(key, "_duration");
}

// Go's %q of a list of strings: `["root" "dev"]`.
std::string quoted_list(const Json& object, std::string_view key) {
  std::string out = "[";
  for (const std::string& item : object.strings_at(key)) {
    if (out.size() > 1) out += ' ';
    write_json_string(out, item);
  }
  return out + "]";
}

void add_lease(const Json& envelope, std::vector<Row>& rows) {
  const std::int64_t seconds = envelope.integer_at("lease_duration");
  if (seconds <= 0) return;
  const std::string id = envelope.string_at("lease_id");
  if (id.empty()) {
    rows.push_back({"refresh_interval", human_duration(seconds)});
    return;
  }
  rows.push_back({"lease_id", id});
  rows.push_back({"lease_duration", human_duration(seconds)});
  rows.push_back({"lease_renewable", envelope.bool_at("renewable") ? "true" : "false"});
}

std::string token_duration(const Json& auth) {
  const std::int64_t seconds = auth.integer_at("lease_duration");
  return seconds == 0 ? "∞" : human_duration(seconds);
}

void add_auth(const Json& auth, std::vector<Row>& rows) {
  rows.push_back({"token", auth.string_at("client_token")});
  rows.push_back({"token_accessor", auth.string_at("accessor")});
  rows.push_back({"token_duration", token_duration(auth)});
  rows.push_back({"token_renewable", auth.bool_at("renewable") ? "true" : "false"});
  rows.push_back({"token_policies", quoted_list(auth, "token_policies")});
  rows.push_back({"identity_policies", quoted_list(auth, "identity_policies")});
  rows.push_back({"policies", quoted_list(auth, "policies")});
  if (const Json* metadata = auth.find("metadata"))
    for (const auto& member : metadata->members())
      rows.push_back({"token_meta_" + member.first, plain(member.second)});
}

void add_wrapping(const Json& wrap, std::vector<Row>& rows) {
  rows.push_back({"wrapping_token:", wrap.string_at("token")});
  rows.push_back({"wrapping_accessor:", wrap.string_at("accessor")});
  rows.push_back({"wrapping_token_ttl:", human_duration(wrap.integer_at("ttl"))});
  rows.push_back({"wrapping_token_creation_time:", wrap.string_at("creation_time")});
  rows.push_back({"wrapping_token_creation_path:", wrap.string_at("creation_path")});
  const std::string wrapped = wrap.string_at("wrapped_accessor");
  if (!wrapped.empty()) rows.push_back({"wrapped_accessor:", wrapped});
}

const Json* object_at(const Json& envelope, std::string_view key) {
  const Json* found = envelope.find(key);
  return found != nullptr && found->is_object() ? found : nullptr;
}

// The names Vault gives to the parts of an envelope that are not data.
std::optional<Json> auth_field(const Json& auth, std::string_view field) {
  if (field == "token") return auth.string_at("client_token");
  if (field == "token_accessor") return auth.string_at("accessor");
  if (field == "token_duration") return Json(auth.integer_at("lease_duration"));
  if (field == "token_renewable") return Json(auth.bool_at("renewable"));
  for (const char* list : {"token_policies", "identity_policies", "policies"})
    if (field == list) return Json(auth.strings_at(list));
  constexpr std::string_view kMeta = "token_meta_";
  const Json* metadata = auth.find("metadata");
  if (metadata == nullptr || field.substr(0, kMeta.size()) != kMeta) return std::nullopt;
  const Json* value = metadata->find(field.substr(kMeta.size()));
  return value == nullptr ? std::nullopt : std::optional<Json>(*value);
}

std::optional<Json> wrapping_field(const Json& wrap, std::string_view field) {
  if (field == "wrapping_token") return wrap.string_at("token");
  if (field == "wrapping_accessor") return wrap.string_at("accessor");
  if (field == "wrapping_token_ttl") return Json(wrap.integer_at("ttl"));
  if (field == "wrapping_token_creation_time") return wrap.string_at("creation_time");
  if (field == "wrapping_token_creation_path") return wrap.string_at("creation_path");
  if (field == "wrapped_accessor") return wrap.string_at("wrapped_accessor");
  return std::nullopt;
}

std::optional<Json> find_field(const Json& envelope, std::string_view field) {
  if (const Json* auth = object_at(envelope, "auth"))
    if (auto found = auth_field(*auth, field)) return found;
  if (const Json* wrap = object_at(envelope, "wrap_info"))
    if (auto found = wrapping_field(*wrap, field)) return found;
  const Json* data = object_at(envelope, "data");
  const Json* value = data == nullptr ? nullptr : data->find(field);
  if (value != nullptr && !value->is_null()) return *value;
  if (field == "data" && data != nullptr) return *data;
  if (field == "refresh_interval") field = "lease_duration";
  if (field == "lease_renewable") field = "renewable";
  for (const char* name : {"lease_id", "lease_duration", "renewable", "request_id"})
    if (const Json* found = envelope.find(name); field == name && found != nullptr) return *found;
  return std::nullopt;
}

// Some answers of sys/ are data alone: they read as what others wrap in an envelope.
Json enveloped(const Json& answer) {
  for (const char* key : {"request_id", "lease_id", "data", "auth", "wrap_info"})
    if (answer.find(key) != nullptr) return answer;
  Json envelope = Json::object();
  envelope.set("request_id", "").set("lease_id", "").set("lease_duration", 0);
  envelope.set("renewable", false).set("data", answer).set("warnings", Json());
  return envelope;
}

}  // namespace

void print_table(const Session& session, const std::vector<Row>& rows) {
  if (rows.empty()) return;
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] =
          std::clamp(row[i].empty() ? 3 : width_of(printable(row[i])), widths[i], kPaddedMax);
  Row ruler;
  for (const std::string& title : rows[0]) ruler.emplace_back(width_of(title), '-');
  print_row(session, rows[0], widths);
  print_row(session, ruler, widths);
  for (std::size_t i = 1; i < rows.size(); ++i) print_row(session, rows[i], widths);
}

std::string plain(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::null:
      return "<nil>";
    case Json::Kind::boolean:
      return value.boolean() ? "true" : "false";
    case Json::Kind::number:
    case Json::Kind::string:
      return value.text();
    case Json::Kind::array: {
      std::string out = "[";
      for (const Json& item : value.items()) out += (out.size() > 1 ? " " : "") + plain(item);
      return out + "]";
    }
    case Json::Kind::object: {
      std::string out = "map[";
      for (const auto& member : value.members())
        out += (out.size() > 4 ? " " : "") + member.first + ":" + plain(member.second);
      return out + "]";
    }
  }
  return {};
}

std::string human_duration(std::int64_t seconds) { return print_duration(Seconds{seconds}); }

std::string plain_field(std::string_view key, const Json& value) {
  const auto seconds = value.is_number() ? value.integer() : std::nullopt;
  return seconds && is_duration(key) ? human_duration(*seconds) : plain(value);
}

std::vector<Row> rows_of(const Json& envelope) {
  std::vector<Row> rows;
  add_lease(envelope, rows);
  if (const Json* auth = object_at(envelope, "auth")) add_auth(*auth, rows);
  if (const Json* wrap = object_at(envelope, "wrap_info")) add_wrapping(*wrap, rows);
  if (const Json* data = object_at(envelope, "data"))
    for (const auto& member : data->members())
      rows.push_back({member.first, plain_field(member.first, member.second)});
  return rows;
}

std::vector<Row> with_header(std::vector<Row> rows) {
  if (!rows.empty()) rows.insert(rows.begin(), {"Key", "Value"});
  return rows;
}

void show_warnings(const Session& session, const Json& envelope) {
  const auto warnings = envelope.strings_at("warnings");
  if (warnings.empty()) return;
  std::string text = "WARNING! The following warnings were returned from the server:\n";
  for (const std::string& warning : warnings) text += "\n  * " + warning + "\n";
  session.note(text);
}

void print_bare(const Session& session, std::string_view text) {
  session.print(text);
  if (session.is_terminal()) session.print("\n");
}

int show_field(const Session& session, const Json& envelope, std::string_view field) {
  const auto value = find_field(envelope, field);
  if (!value) return session.misused(fmt::format("Field \"{}\" not present in secret", field));
  if (session.format() == Format::json) {
    print_bare(session, printable_json(value->pretty()));
  } else if (session.format() == Format::yaml) {
    session.print(yaml(*value));
  } else {
    print_bare(session, plain(*value));
  }
  return kSuccess;
}

int show_value(const Session& session, const Json& value, const std::vector<Row>& rows) {
  if (session.format() == Format::json) {
    session.line(printable_json(value.pretty()));
  } else if (session.format() == Format::yaml) {
    session.print(yaml(value));
  } else {
    print_table(session, rows);
  }
  return kSuccess;
}

int show_json(const Session& session, const Json& envelope) {
  const std::string field = session.args().text("field");
  if (!field.empty()) return show_field(session, envelope, field);
  if (session.format() == Format::table || session.format() == Format::raw)
    show_warnings(session, envelope);
  return show_value(session, envelope, with_header(rows_of(envelope)));
}

int show(const Session& session, const Answer& answer) {
  const bool is_raw = session.format() == Format::raw && !session.args().has("field");
  if (is_raw || answer.json.is_null()) {
    print_bare(session, answer.body);  // PEM, DER, plain text
    return kSuccess;
  }
  return show_json(session, enveloped(answer.json));
}

int show_keys(const Session& session, const Json& keys) {
  std::vector<Row> rows = {{"Keys"}};
  for (const Json& key : keys.items()) rows.push_back({plain(key)});
  return show_value(session, keys, rows);
}

}  // namespace leasehold::cli
