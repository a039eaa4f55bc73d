#include "vault/audit/record.h"

#include <algorithm>

#include "vault/audit/json_text.h"

namespace leasehold::audit {
namespace {

// What a line needs around its data; more only means to grow once more.
constexpr std::size_t kLineRoom = 1280;
// Of a granting policy, around its name.
constexpr std::size_t kGrantedSize = std::string_view(R"({"name":"","type":"acl"},)").size();

std::string& room_for(Texts& to, std::size_t size) {
  std::string& out = to.next();
  out.reserve(out.size() + size);
  return out;
}

std::size_t usual_size(const Record& record) {
  return kLineRoom + std::min(record.request.data_json.size(), kRequestBytesMax) +
         std::min(record.response.data_json.size(), kResponseBytesMax);
}

// Writes one record's parts; holds what each of them needs.
class Line {
 public:
  Line(std::string& out, const Record& record, const crypto::HmacKey& key)
      : out_(out), record_(record), key_(key) {}

  void write(Type type, WallTime time) {
    Members line = begin(type, time);
    shared_at_ = out_.size();
    left_ = kRequestBytesMax;
    if (record_.has_auth) auth(line);
    request(line);
    shared_size_ = out_.size() - shared_at_;
    end(line, type);
  }
  // As `other` wrote what the two have in common.
  void write(Type type, WallTime time, const Line& other) {
    Members line = begin(type, time);
    out_.append(other.out_, other.shared_at_, other.shared_size_);
    end(line, type);
  }

 private:
  Members begin(Type type, WallTime time) {
    Members line(out_);
    append_time(line.member("time"), time);
    line.text("type", type == Type::request ? "request" : "response");
    return line;
  }
  void end(Members& line, Type type) {
    if (type == Type::response) {
      left_ = kResponseBytesMax;
      response(line);
      text(line, "error", record_.error, kErrorBytesMax);
      text(line, "reason", record_.reason, kTextBytesMax);
    }
    line.close();
  }

  // A token stands in a line twice, and is hashed once.
  struct Known {
    std::string_view value;
    std::size_t at = 0, size = 0;
  };
  void hidden(Members& to, std::string_view name, std::string_view value, Known* known = nullptr) {
    if (value.empty()) return;
    to.member(name);
    if (known != nullptr && known->value.data() == value.data() &&
        known->value.size() == value.size()) {
      out_.append(out_, known->at, known->size);
      return;
    }
    const std::size_t at = out_.size();
    append_hmac(out_, as_bytes(value), key_);
    if (known != nullptr) *known = {value, at, out_.size() - at};
  }
  void hidden_json(Members& to, std::string_view name, std::string_view json,
                   std::span<const std::string> clear_keys, std::size_t most,
                   std::span<const std::string> sensitive_keys = {}) {
    if (json.empty()) return;
    const std::size_t at = to.member(name).size();
    hmac_json(out_, json, key_, clear_keys, std::min(most, left_), sensitive_keys);
    spend(out_.size() - at);
  }
  // Cut where it would take up more than `most`; then its HMAC follows.
  void text(Members& to, std::string_view name, std::string_view value, std::size_t most) {
    if (value.empty()) return;
    most = std::min(most, left_);
    const std::size_t at = to.member(name).size();
    write_json_string(out_, value);
    std::size_t kept = value.size();
    while (out_.size() - at > most && kept > 0) {
      kept = std::min(kept - 1, kept * most / (out_.size() - at));
      while (kept > 0 && (static_cast<std::uint8_t>(value[kept]) & 0xc0) == 0x80) --kept;
      out_.resize(at);
      write_json_string(out_, value.substr(0, kept));
    }
    spend(out_.size() - at);
    if (kept < value.size()) hidden(to, std::string(name) + "_hmac", value);
  }
  // As many as fit; then how many do not.
  void names(Members& to, std::string_view name, std::span<const std::string> values) {
    std::size_t count = 0, size = 0;
    const std::size_t most = std::min(kNamesBytesMax, left_);
    for (; count < values.size(); ++count) {
      size += values[count].size() + 3;
      if (size > most) break;
    }
    spend(std::min(size, most));
    to.texts(name, values.first(count));
    const std::size_t omitted = values.size() - count;
    if (omitted > 0) to.number(std::string(name) + "_omitted", static_cast<std::int64_t>(omitted));
  }
  void spend(std::size_t size) { left_ -= std::min(left_, size); }

  void auth(Members& line) {
    const Record::Auth& auth = record_.auth;
    line.member("auth");
    Members to(out_);
    hidden(to, "client_token", auth.client_token, &token_);
    hidden(to, "accessor", auth.accessor, &accessor_);
    text(to, "display_name", auth.display_name, kTextBytesMax);
    names(to, "policies", auth.policies);
    names(to, "token_policies", auth.token_policies);
    names(to, "identity_policies", auth.identity_policies);
    policy_results(to);
    hidden_json(to, "metadata", auth.metadata_json, {}, kMetadataBytesMax);
    to.text("entity_id", auth.entity_id);
    to.text("token_type", auth.token_type);
    to.number("token_ttl", auth.token_ttl);
    if (auth.token_issue_time.ns != 0)
      append_time(to.member("token_issue_time"), auth.token_issue_time);
    to.number("num_uses", auth.num_uses);
    to.number("remaining_uses", auth.remaining_uses);
    to.close();
  }

  void policy_results(Members& auth) {
    auth.member("policy_results");
    Members to(out_);
    to.boolean("allowed", record_.auth.allowed);
    granting(to);
    to.close();
  }

  void granting(Members& results) {
    const auto& names = record_.auth.granting_policies;
    if (names.empty() || names.front().size() > left_) return;
    std::size_t size = 0;
    char separator = '[';
    results.member("granting_policies");
    for (const std::string& name : names) {
      size += name.size() + kGrantedSize;
      if (size > std::min(kNamesBytesMax, left_)) break;
      out_ += separator;
      separator = ',';
      Members policy(out_);
      policy.text("name", name);
      policy.text("type", "acl");
      policy.close();
    }
    spend(size);
    out_ += separator == '[' ? "[]" : "]";
  }

  void request(Members& line) {
    const Record::Request& request = record_.request;
    line.member("request");
    Members to(out_);
    to.text("id", request.id);
    to.text("operation", request.operation);
    text(to, "mount_point", request.mount_point, kTextBytesMax);
    to.text("mount_type", request.mount_type);
    to.text("mount_accessor", request.mount_accessor);
    to.text("mount_class", request.mount_class);
    hidden(to, "client_token", request.client_token, &token_);
    hidden(to, "client_token_accessor", request.client_token_accessor, &accessor_);
    text(to, "path", request.path, kPathBytesMax);
    headers(to);
    hidden_json(to, "data", request.data_json, record_.clear_request_keys,
                left_ - std::min(left_, kTextBytesMax), record_.sensitive_request_keys);
    if (request.data_omitted) to.boolean("data_omitted", true);
    if (request.answer_awaited) to.boolean("answer_awaited", true);
    text(to, "purpose", request.purpose, kTextBytesMax);
    to.text("remote_address", request.remote_address);
    to.number("remote_port", request.remote_port);
    text(to, "client_certificate_serial_number", request.certificate_serial, kTextBytesMax);
    to.number("wrap_ttl", request.wrap_ttl);
    to.close();
  }

  // As many as fit; then how many do not.
  void headers(Members& request) {
    const auto& all = record_.request.headers;
    if (all.empty()) return;
    const std::size_t at = request.member("headers").size();
    const std::size_t most = at + std::min(kHeadersBytesMax, left_);
    char separator = '{';
    std::int64_t omitted = 0;
    for (const Record::Header& one : all) {
      const std::size_t before = out_.size();
      out_ += separator;
      header(one);
      if (out_.size() < most) {
        separator = ',';
      } else {
        out_.resize(before);
        ++omitted;
      }
    }
    out_ += separator == '{' ? "{}" : "}";
    spend(out_.size() - at);
    request.number("headers_omitted", omitted);
  }

  void header(const Record::Header& one) {
    write_json_string(out_, one.name);
    out_ += ":[";
    for (const std::string_view& value : one.values) {
      if (&value != one.values.data()) out_ += ',';
      if (one.hmac)
        append_hmac(out_, as_bytes(value), key_);
      else
        write_json_string(out_, value);
    }
    out_ += ']';
  }

  void response(Members& line) {
    const Record::Response& response = record_.response;
    line.member("response");
    Members to(out_);
    response_auth(to);
    text(to, "mount_point", record_.request.mount_point, kTextBytesMax);
    to.text("mount_type", record_.request.mount_type);
    to.text("mount_accessor", record_.request.mount_accessor);
    to.text("mount_class", record_.request.mount_class);
    if (!response.lease_id.empty()) {
      to.member("secret");
      Members secret(out_);
      text(secret, "lease_id", response.lease_id, kPathBytesMax);
      secret.close();
    }
    hidden_json(to, "data", response.data_json, record_.clear_response_keys,
                left_ - std::min(left_, kErrorBytesMax + kWarningsBytesMax));
    warnings(to);
    if (response.wrap) wrap_info(to, *response.wrap);
    to.number("status", response.status);
    to.close();
  }

  void warnings(Members& response) {
    std::size_t size = 0;
    for (const std::string& warning : record_.response.warnings) size += warning.size();
    if (size <= kWarningsBytesMax) {
      spend(size);
      return response.texts("warnings", record_.response.warnings);
    }
    response.member("warnings_omitted") += std::to_string(record_.response.warnings.size());
  }

  void wrap_info(Members& response, const Record::Response::Wrap& wrap) {
    response.member("wrap_info");
    Members to(out_);
    to.number("ttl", wrap.ttl);
    hidden(to, "token", wrap.token);
    hidden(to, "accessor", wrap.accessor);
    append_time(to.member("creation_time"), wrap.creation_time);
    text(to, "creation_path", wrap.creation_path, kPathBytesMax);
    hidden(to, "wrapped_accessor", wrap.wrapped_accessor);
    to.close();
  }

  void response_auth(Members& response) {
    const Record::Response& given = record_.response;
    if (given.auth_client_token.empty() && given.auth_accessor.empty()) return;
    response.member("auth");
    Members to(out_);
    hidden(to, "client_token", given.auth_client_token);
    hidden(to, "accessor", given.auth_accessor);
    names(to, "policies", given.auth_policies);
    to.number("token_ttl", given.auth_ttl);
    to.close();
  }

  std::string& out_;
  const Record& record_;
  const crypto::HmacKey& key_;
  std::size_t left_ = 0;  // of the budget
  Known token_, accessor_;
  std::size_t shared_at_ = 0, shared_size_ = 0;  // of out_: what both lines of a request hold
};

}  // namespace

void append_body(Texts& to, const Record& record, const crypto::HmacKey& key) {
  Line(room_for(to, usual_size(record)), record, key).write(record.type, record.time);
  to.end();
}

void append_both(Texts& to, const Record& record, WallTime requested, const crypto::HmacKey& key) {
  Line request(room_for(to, 2 * usual_size(record)), record, key);
  request.write(Type::request, requested);
  to.end();
  Line(to.next(), record, key).write(Type::response, record.time, request);
  to.end();
}

std::string event_body(std::string_view event, WallTime time, std::string_view fields_json) {
  std::string out;
  Members line(out);
  append_time(line.member("time"), time);
  line.text("type", "event");
  line.text("event", event);
  if (!fields_json.empty()) line.member("data") += fields_json;
  line.close();
  return out;
}

}  // namespace leasehold::audit
