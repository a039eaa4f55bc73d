#include "vault/core/contract/envelope.h"

#include <algorithm>
#include <charconv>

namespace leasehold::core {
namespace {

void write_key(std::string& out, std::string_view name) {
  out += ",\"";
  out += name;
  out += "\":";
}
void write_text(std::string& out, std::string_view name, std::string_view value) {
  write_key(out, name);
  write_json_string(out, value);
}
void write_number(std::string& out, std::string_view name, std::int64_t value) {
  write_key(out, name);
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}
void write_flag(std::string& out, std::string_view name, bool value) {
  write_key(out, name);
  out += value ? "true" : "false";
}

void write_list(std::string& out, const std::vector<std::string>& values) {
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    write_json_string(out, values[i]);
  }
  out += ']';
}
void write_texts(std::string& out, std::string_view name, const std::vector<std::string>& values) {
  write_key(out, name);
  write_list(out, values);
}

void write_metadata(std::string& out, const AuthInfo& auth) {
  write_key(out, "metadata");
  if (auth.metadata.empty()) {
    out += "null";
    return;
  }
  auto sorted = auth.metadata;
  std::sort(sorted.begin(), sorted.end());
  out += '{';
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0) out += ',';
    write_json_string(out, sorted[i].first);
    out += ':';
    write_json_string(out, sorted[i].second);
  }
  out += '}';
}

void write_auth(std::string& out, const AuthInfo& auth) {
  out += "{\"client_token\":";
  write_json_string(out, as_text(auth.client_token.reveal()));
  write_text(out, "accessor", auth.accessor);
  write_texts(out, "policies", auth.policies);
  if (!auth.token_policies.empty()) write_texts(out, "token_policies", auth.token_policies);
  if (!auth.identity_policies.empty())
    write_texts(out, "identity_policies", auth.identity_policies);
  write_metadata(out, auth);
  write_number(out, "lease_duration", auth.lease_duration.count());
  write_flag(out, "renewable", auth.renewable);
  write_text(out, "entity_id", auth.entity_id);
  write_text(out, "token_type", auth.token_type);
  write_flag(out, "orphan", auth.orphan);
  out += ",\"mfa_requirement\":null";
  write_number(out, "num_uses", auth.num_uses);
  out += '}';
}

void write_wrap_info(std::string& out, const WrapInfo& wrap) {
  out += "{\"token\":";
  write_json_string(out, as_text(wrap.token.reveal()));
  write_text(out, "accessor", wrap.accessor);
  write_number(out, "ttl", wrap.ttl.count());
  write_text(out, "creation_time", rfc3339(wrap.creation_time));
  write_text(out, "creation_path", wrap.creation_path);
  if (!wrap.wrapped_accessor.empty()) write_text(out, "wrapped_accessor", wrap.wrapped_accessor);
  out += '}';
}

// The keys of `data` in front of the envelope's own, without its braces.
void write_injected(std::string& out, std::string_view data) {
  if (data.size() <= 2 || data.front() != '{' || data.back() != '}') return;
  out += data.substr(1, data.size() - 2);
  out += ',';
}

void write_envelope(std::string& out, const Response& answer) {
  const bool wrapped = answer.wrap.has_value();
  const std::string_view data = wrapped ? std::string_view() : as_text(answer.data.reveal());
  out += '{';
  if (answer.form == Response::Form::injected) write_injected(out, data);
  out += "\"request_id\":";
  write_json_string(out, wrapped ? std::string_view() : answer.request_id);
  write_text(out, "lease_id", answer.lease_id);
  write_flag(out, "renewable", answer.renewable);
  write_number(out, "lease_duration", answer.lease_duration.count());
  write_key(out, "data");
  out += data.empty() ? std::string_view("null") : data;
  write_key(out, "wrap_info");
  if (wrapped)
    write_wrap_info(out, *answer.wrap);
  else
    out += "null";
  write_key(out, "warnings");
  if (answer.warnings.empty())
    out += "null";
  else
    write_list(out, answer.warnings);
  write_key(out, "auth");
  if (answer.auth && !wrapped)
    write_auth(out, *answer.auth);
  else
    out += "null";
  out += "}\n";
}

void write_errors(std::string& out, const Response& answer) {
  out += "{\"errors\":";
  write_list(out, answer.errors);
  if (!answer.data.empty()) {
    write_key(out, "data");
    out += as_text(answer.data.reveal());
  }
  out += "}\n";
}

}  // namespace

void write_body(std::string& out, const Response& answer) {
  if (answer.status == 202 && !answer.has_body()) return;  // what was asked for is under way
  if (answer.is_error) return write_errors(out, answer);
  if (answer.form == Response::Form::envelope || answer.form == Response::Form::injected)
    return write_envelope(out, answer);
  out += as_text(answer.data.reveal());
  if (answer.form == Response::Form::bare) out += '\n';
}

// Each byte may become six ("\u0000").
std::size_t body_bytes_max(const Response& answer) {
  std::size_t text = answer.lease_id.size() + answer.request_id.size();
  const auto add = [&text](const std::vector<std::string>& values) {
    for (const std::string& value : values) text += value.size() + 3;
  };
  add(answer.warnings);
  add(answer.errors);
  if (answer.auth) {
    const AuthInfo& auth = *answer.auth;
    text += auth.client_token.size() + auth.accessor.size() + auth.entity_id.size() +
            auth.token_type.size();
    add(auth.policies);
    add(auth.token_policies);
    add(auth.identity_policies);
    for (const auto& pair : auth.metadata) text += pair.first.size() + pair.second.size() + 6;
  }
  if (answer.wrap)
    text += answer.wrap->token.size() + answer.wrap->accessor.size() +
            answer.wrap->creation_path.size() + answer.wrap->wrapped_accessor.size();
  return 1024 + 6 * text + 2 * answer.data.size();
}

int status_of(const Response& answer) {
  if (answer.status != 0) return answer.status;
  return answer.has_body() ? 200 : 204;
}

}  // namespace leasehold::core
