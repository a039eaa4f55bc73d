#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "api/server/wire.h"
#include "vault/base/duration.h"
#include "vault/base/trimmed.h"

namespace leasehold::server {
namespace {

using core::Operation;

constexpr std::string_view kPrefix = "/v1/";
constexpr std::string_view kMergePatch = "application/merge-patch+json";
// Anybody may write these, and all that stands in them is a share or a few numbers. Nor has a login
// more to say: a large body is read of callers with a valid token only.
constexpr std::string_view kUnauthenticatedWrites[] = {"sys/init", "sys/unseal"};
constexpr std::string_view kForm = "application/x-www-form-urlencoded";

bool refuse(WireError& refusal, int status, std::string message = {}) {
  refusal.status = status;
  refusal.message = std::move(message);
  return false;
}

// OPTIONS and whatever else: 405.
std::optional<Operation> operation_of(std::string_view method) {
  if (method == "GET") return Operation::read;
  if (method == "LIST") return Operation::list;
  if (method == "SCAN") return Operation::scan;
  if (method == "POST" || method == "PUT") return Operation::update;
  if (method == "PATCH") return Operation::patch;
  if (method == "DELETE") return Operation::remove;
  if (method == "HEAD") return Operation::head;
  if (method == "HELP") return Operation::help;
  return std::nullopt;
}

// As Go's strconv.ParseBool.
std::optional<bool> flag_of(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == yes) return true;
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == no) return false;
  return std::nullopt;
}

std::string_view media_type(std::string_view content_type) {
  return trimmed(content_type.substr(0, content_type.find(';')), kBlanksAndLines);
}

// Path and query of an origin-form or absolute-form target (RFC 9112, section 3.2).
struct Target {
  std::string_view path, query;
};
Target split(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (target.size() > scheme.size() &&
        equal_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      const std::size_t end = target.find_first_of("/?", scheme.size());
      if (end != std::string_view::npos && target[end] == '?') return {"/", target.substr(end + 1)};
      target = end == std::string_view::npos ? "/" : target.substr(end);
      break;
    }
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

// "", "/", "root" and "root/" are the root.
std::string canonical_name_space(std::string_view name_space) {
  while (name_space.starts_with('/')) name_space.remove_prefix(1);
  while (name_space.ends_with('/')) name_space.remove_suffix(1);
  return std::string(name_space == "root" ? std::string_view() : name_space);
}

bool read_target(const HttpMessage& message, core::Request& request, Json& query,
                 WireError& refusal) {
  const Target target = split(message.target);
  std::string why;
  const bool here = target.path.starts_with(kPrefix) && target.path.size() > kPrefix.size();
  if (!here || !canonical_path(target.path.substr(kPrefix.size()), request.path, why)) {
    refusal.location = clean_location(target.path, target.query);
    if (!refusal.location.empty())
      return refuse(refusal, 307, "the path has an empty or relative segment");
    return here ? refuse(refusal, 400, std::move(why)) : refuse(refusal, 404);
  }
  if (!read_query(target.query, query)) return refuse(refusal, 400, "malformed query string");
  return true;
}

bool read_list_flag(core::Request& request, Json& query, WireError& refusal) {
  const auto flag = [&query](std::string_view name) {
    const std::string text = query.string_at(name);
    return text.empty() ? std::optional<bool>(false) : flag_of(text);
  };
  const std::optional<bool> scan = flag("scan"), list = flag("list");
  if (!scan || !list || (*scan && *list)) return refuse(refusal, 400);
  if (*scan) request.operation = Operation::scan;
  if (*list) request.operation = Operation::list;
  return true;
}

bool read_operation(std::string_view method, core::Request& request, Json& query,
                    WireError& refusal) {
  const std::optional<Operation> operation = operation_of(method);
  if (!operation) return refuse(refusal, 405);
  request.operation = *operation;
  if (query.is_object() && !query.string_at("help").empty()) request.operation = Operation::help;
  if (request.operation == Operation::read && query.is_object() &&
      !read_list_flag(request, query, refusal))
    return false;
  for (const char* reserved : {"help", "list", "scan"}) query.erase(reserved);
  if (core::lists_names(request.operation) && !request.path.ends_with('/')) request.path += '/';
  const bool writes =
      request.operation == Operation::update || request.operation == Operation::patch;
  if (writes && request.path.ends_with('/'))
    return refuse(refusal, 400, "cannot write to a path ending in '/'");
  return true;
}

void read_token(const HttpMessage& message, core::Request& request) {
  std::string_view token = message.token;
  if (token.empty() && !message.authorization.empty())
    token = trimmed(message.authorization.substr(std::string_view("Bearer ").size()));
  request.token = token;
}

bool read_wrap_ttl(std::string_view text, core::Request& request, WireError& refusal) {
  if (text.empty()) return true;
  const std::string start = "error parsing X-Vault-Wrap-TTL header: ";
  const Result<Seconds> ttl = parse_duration(text);
  if (!ttl.ok()) return refuse(refusal, 400, start + ttl.error().message);
  if (ttl.value() < Seconds{0} || text.front() == '-')
    return refuse(refusal, 400, start + "requested wrap ttl cannot be negative");
  if (ttl.value() > Seconds{0}) request.wrap_ttl = ttl.value();
  return true;
}

std::string_view go_kind(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::array:
      return "array";
    case Json::Kind::string:
      return "string";
    case Json::Kind::number:
      return "number";
    default:
      return "bool";
  }
}

Status read_json(std::string_view text, Json& body) {
  VAULT_TRY_ASSIGN(Json parsed, parse_json(text));
  if (parsed.is_null()) return {};
  if (!parsed.is_object())
    return failure(Code::invalid, "failed to decode JSON input: json: cannot unmarshal " +
                                      std::string(go_kind(parsed)) +
                                      " into Go value of type map[string]interface {}");
  body = std::move(parsed);
  return {};
}

Status read_text(std::string_view text, bool is_form, Json& body) {
  if (!is_form) return read_json(text, body);
  return read_query(text, body) ? Status() : failure(Code::invalid, "malformed form");
}

constexpr std::array<std::uint8_t, 256> marks() {
  std::array<std::uint8_t, 256> is_mark{};
  for (const char mark : {',', ':', '[', '{', '&', '='})
    is_mark[static_cast<unsigned char>(mark)] = 1;
  return is_mark;
}
constexpr std::array<std::uint8_t, 256> kIsMark = marks();

// At least as many as there are values: each stands behind a mark.
std::size_t values_at_most(std::string_view text) {
  std::size_t values = 1;
  for (const char c : text) values += kIsMark[static_cast<unsigned char>(c)];
  return values;
}

// Quick enough to read for an io thread. Its time goes into values more than into bytes.
bool is_small(std::string_view body) {
  if (body.size() > core::kSmallBodyMax) return false;
  return body.size() <= core::kSmallBodyValues || values_at_most(body) <= core::kSmallBodyValues;
}

class LargeText final : public core::LateBody {
 public:
  LargeText(std::string_view text, bool is_form) : text_(text), is_form_(is_form) {}
  LargeText(const LargeText&) = delete;
  LargeText& operator=(const LargeText&) = delete;
  ~LargeText() override { wipe(text_); }
  Status read(Json& body) override { return read_text(text_, is_form_, body); }
  // One pass, on the io thread.
  std::size_t weight() const override {
    return text_.size() +
           std::min(values_at_most(text_), JsonLimits().values) * sizeof(Json::Member);
  }

 private:
  std::string text_;
  const bool is_form_;
};

void read_headers(std::string_view head, std::span<const std::string> asked,
                  core::Request& request) {
  find_headers(head, asked, [&](std::size_t name, std::string_view value) {
    request.headers.emplace_back(asked[name], value);
  });
}

// Prometheus asks for its own form by a header alone.
void read_metrics_form(std::string_view head, Json& query) {
  const std::string accept[] = {"accept"};
  if (query.is_object() && query.find("format") != nullptr) return;
  find_headers(head, accept, [&](std::size_t, std::string_view value) {
    const bool wanted = value.find("text/plain") != value.npos ||
                        value.find("application/openmetrics-text") != value.npos;
    if (!wanted) return;
    if (!query.is_object()) query = Json::object();
    query.set("format", "prometheus");
  });
}

bool anybody_may_send(const core::Request& request) {
  const auto* const end = std::end(kUnauthenticatedWrites);
  return request.token.empty() ||
         std::find(std::begin(kUnauthenticatedWrites), end, request.path) != end;
}

bool read_body(const HttpMessage& message, core::Request& request, WireError& refusal) {
  const std::string_view type = media_type(message.content_type);
  if (request.operation == Operation::patch && !equal_ignoring_case(type, kMergePatch))
    return refuse(refusal, 415,
                  "PATCH requires Content-Type of " + std::string(kMergePatch) + ", provided " +
                      std::string(message.content_type));
  const std::string_view text = trimmed(message.body, kBlanksAndLines);
  request.body_size = text.size();
  if (text.empty()) return true;
  const bool is_form = equal_ignoring_case(type, kForm) && text[0] != '{' && text[0] != '[';
  // JSON as it came: an error in it says at which offset.
  const std::string_view body = is_form ? text : std::string_view(message.body);
  if (!is_small(body)) {
    if (anybody_may_send(request)) return refuse(refusal, 413, std::string(core::kBodyTooLarge));
    request.late_body = std::make_unique<LargeText>(body, is_form);
    return true;
  }
  const Status read = read_text(body, is_form, request.body);
  return read.ok() || refuse(refusal, 400, read.error().message);
}

}  // namespace

bool read_request(const HttpMessage& message, const Peer& peer, core::Request& request,
                  WireError& refusal, std::span<const std::string> asked) {
  Json query;
  if (!read_target(message, request, query, refusal)) return false;
  if (!read_operation(message.method, request, query, refusal)) return false;
  request.name_space = canonical_name_space(message.name_space);
  read_token(message, request);
  if (!read_wrap_ttl(message.wrap_ttl, request, refusal)) return false;
  request.purpose = message.purpose;
  request.remote_address = peer.address;
  request.remote_port = peer.port;
  request.certificate_serial = peer.certificate_serial;
  request.listener = peer.listener;
  if (!asked.empty()) read_headers(message.head, asked, request);
  const bool writes =
      request.operation == Operation::update || request.operation == Operation::patch;
  if (writes) return read_body(message, request, refusal);
  if (request.path == "sys/metrics") read_metrics_form(message.head, query);
  if (query.is_object() && query.size() > 0) request.body = std::move(query);
  return true;
}

}  // namespace leasehold::server
