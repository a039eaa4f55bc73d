#include "vault/core/road/audit_lines.h"

#include "vault/audit/record.h"
#include "vault/core/authority/identities.h"
#include "vault/core/contract/envelope.h"

namespace leasehold::core {

namespace {

Json object_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json out = Json::object();
  for (const auto& pair : pairs) out.set(pair.first, pair.second);
  return out;
}

// Texts that the record only points to.
struct Backing {
  Backing() = default;
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;
  ~Backing() { wipe(body); }
  std::string meta, body;
  std::vector<audit::Record::Header> headers;
  std::vector<std::string> clear_request_keys, clear_response_keys, sensitive_keys;
};

void fill_auth(const Authorised& flight, Backing& backing, audit::Record& record) {
  if (!flight.token) return;
  const Token& token = *flight.token;
  record.has_auth = true;
  record.auth.client_token = flight.request.token;
  record.auth.accessor = token.accessor;
  record.auth.display_name = token.display_name;
  const Authority& authority = flight.authority;
  record.auth.policies = record.auth.token_policies = token.policies;
  if (authority.identity != nullptr) {
    record.auth.identity_policies = authority.identity->policies;
    if (authority.policies != nullptr) record.auth.policies = authority.policies->names;
  }
  record.auth.allowed = flight.decision.allowed;
  record.auth.granting_policies = flight.granting;
  if (token.has_meta) {
    backing.meta = object_of(token.meta).dump();
    record.auth.metadata_json = backing.meta;
  }
  record.auth.entity_id = flight.caller.entity_id;
  record.auth.token_type = token.batch ? "batch" : "service";
  record.auth.token_ttl = token.creation_ttl.count();
  record.auth.token_issue_time = token.created;
  record.auth.num_uses = token.num_uses;
  record.auth.remaining_uses = flight.caller.shown_uses_left();
}

// By the table of headers that the request was judged by; the listener may have used an older one.
void fill_headers(const Admitted& flight, Backing& backing, audit::Record& record) {
  if (flight.request.headers.empty() || flight.compiled == nullptr) return;
  for (const AuditedHeader& asked : flight.compiled->audited_headers.all()) {
    audit::Record::Header header{asked.name, asked.hmac, {}};
    for (const auto& given : flight.request.headers)
      if (given.first == asked.name) header.values.push_back(given.second);
    if (!header.values.empty()) backing.headers.push_back(std::move(header));
  }
  record.request.headers = backing.headers;
}

// Without a valid token, and not on an open route, a request's body is not logged: strangers could
// fill the disk.
bool may_be_heard(const Admitted& flight) { return flight.token || open_to_strangers(flight); }

void fill_request(const Admitted& flight, Backing& backing, audit::Record& record) {
  const Request& request = flight.request;
  record.request.id = flight.id;
  record.request.operation = operation_name(request.operation);
  record.request.path = request.path;
  if (flight.mount != nullptr) {
    const MountInfo& mount = flight.mount->info;
    record.request.mount_point = mount.path;
    record.request.mount_type = mount.type;
    record.request.mount_accessor = mount.accessor;
    record.request.mount_class = is_auth_path(mount.path) ? "auth" : "secret";
  }
  record.request.client_token = request.token;
  if (flight.token) record.request.client_token_accessor = flight.token->accessor;
  if (request.body.is_object() && request.body.size() > 0) {
    record.request.data_omitted = !may_be_heard(flight);
    if (!record.request.data_omitted) backing.body = request.body.dump();
    record.request.data_json = backing.body;
  }
  record.request.remote_address = request.remote_address;
  record.request.remote_port = request.remote_port;
  record.request.certificate_serial = request.certificate_serial;
  fill_headers(flight, backing, record);
  record.request.wrap_ttl = request.wrap_ttl ? request.wrap_ttl->count() : 0;
  record.request.purpose = request.purpose;
}

std::vector<std::string> clear_keys(const Admitted& flight, std::string_view name) {
  const Json* config = flight.mount ? flight.mount->record.find("config") : nullptr;
  return config != nullptr ? config->strings_at(name) : std::vector<std::string>();
}

// What the two lines of a request have in common.
void fill_shared(const Authorised& flight, Backing& backing, audit::Record& record) {
  fill_auth(flight, backing, record);
  fill_request(flight, backing, record);
  backing.clear_request_keys = clear_keys(flight, "audit_non_hmac_request_keys");
  record.clear_request_keys = backing.clear_request_keys;
  if (flight.route != nullptr && !backing.body.empty())
    for (const Field& field : flight.route->fields)
      if (field.sensitive) backing.sensitive_keys.push_back(field.name);
  record.sensitive_request_keys = backing.sensitive_keys;
}

void fill_response(const Authorised& flight, const Response& answer, Backing& backing,
                   audit::Record& record) {
  record.type = audit::Type::response;
  record.time = flight.live->environment.clock.now();
  backing.clear_response_keys = clear_keys(flight, "audit_non_hmac_response_keys");
  record.clear_response_keys = backing.clear_response_keys;
  if (answer.is_error && !answer.errors.empty()) record.error = answer.errors.front();
  if (answer.is_error) record.reason = answer.reason;
  record.response.status = status_of(answer);
  // What was leased is told even where the client gets to see it later.
  record.response.lease_id =
      answer.wrap && answer.inside ? answer.inside->lease_id : answer.lease_id;
  record.response.warnings = answer.warnings;
  record.response.data_json = as_text(answer.data.reveal());
  if (answer.auth) {
    record.response.auth_client_token = as_text(answer.auth->client_token.reveal());
    record.response.auth_accessor = answer.auth->accessor;
    record.response.auth_policies = answer.auth->policies;
    record.response.auth_ttl = answer.auth->lease_duration.count();
  }
  if (answer.wrap) {
    const WrapInfo& wrap = *answer.wrap;
    record.response.wrap.emplace(audit::Record::Response::Wrap{
        as_text(wrap.token.reveal()), wrap.accessor, wrap.wrapped_accessor, wrap.creation_path,
        wrap.creation_time, wrap.ttl.count()});
  }
}

}  // namespace

void append_request_body(const Authorised& flight, Texts& to, bool answer_awaited) {
  Backing backing;
  audit::Record record;
  record.type = audit::Type::request;
  record.time = flight.started;
  fill_shared(flight, backing, record);
  record.request.answer_awaited = answer_awaited;
  audit::append_body(to, record, flight.live->audit_key);
}

void append_bodies(const InFlight& flight, const Response& answer, Texts& to) {
  Backing backing;
  audit::Record record;
  fill_shared(flight, backing, record);
  fill_response(flight, answer, backing, record);
  if (flight.recording == Recording::request)
    audit::append_body(to, record, flight.live->audit_key);
  else
    audit::append_both(to, record, flight.started, flight.live->audit_key);
  for (const std::string& event : flight.events) to.push_back(event);
}

}  // namespace leasehold::core
