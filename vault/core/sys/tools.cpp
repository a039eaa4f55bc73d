// sys/tools/random and sys/tools/hash.

#include <algorithm>
#include <charconv>

#include "vault/base/encoding.h"
#include "vault/core/sys/system.h"
#include "vault/crypto/digest.h"

namespace leasehold::core {

namespace {

constexpr std::int64_t kRandomBytesMax = 128 * 1024;
constexpr std::string_view kSources[] = {"", "platform", "seal", "all"};

bool is_source(std::string_view text) {
  return std::find(std::begin(kSources), std::end(kSources), text) != std::end(kSources);
}

std::string quoted(std::string_view text) {
  std::string out;
  write_json_string(out, text);
  return out;
}

Result<std::int64_t> count_in(const std::string& text) {
  std::int64_t count = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), count);
  if (end.ec == std::errc() && end.ptr == text.data() + text.size()) return count;
  return failure(Code::invalid, "error parsing url-set byte count: strconv.Atoi: parsing " +
                                    quoted(text) + ": invalid syntax");
}

struct Wanted {
  std::string source = "platform";
  std::int64_t bytes = 0;
};
// A single segment behind random/ is a source, or how many bytes there are to be.
Result<Wanted> wanted(const Fields& fields) {
  Wanted wanted;
  const std::string source = fields.text("source"), in_path = fields.text("urlbytes");
  if (!in_path.empty()) {
    wanted.source = source;
    VAULT_TRY_ASSIGN(wanted.bytes, count_in(in_path));
  } else if (is_source(source)) {
    wanted.source = source.empty() ? wanted.source : source;
    wanted.bytes = fields.integer("bytes");
  } else {
    VAULT_TRY_ASSIGN(wanted.bytes, count_in(source));
  }
  return wanted;
}

Result<Response> random(Call& call, ReadTxn&) {
  VAULT_TRY_ASSIGN(const Wanted wanted, wanted(call.fields));
  if (wanted.bytes < 1) return failure(Code::invalid, "\"bytes\" cannot be less than 1");
  if (wanted.bytes > kRandomBytesMax)
    return failure(Code::invalid, "\"bytes\" should be less than 131072");
  const std::string format = call.fields.text("format");
  if (format != "hex" && format != "base64")
    return failure(Code::invalid, "unsupported encoding format " + quoted(format) +
                                      R"(; must be "hex" or "base64")");
  if (!is_source(wanted.source))
    return failure(Code::invalid, "unsupported entropy source " + quoted(wanted.source) +
                                      R"(; must be "platform" or "seal", or "all")");
  SecretBytes bytes(static_cast<std::size_t>(wanted.bytes));
  call.random.fill(bytes.writable());
  const SecretBytes text =
      format == "hex" ? hex_secret(bytes.reveal()) : base64_secret(bytes.reveal());
  Response response = Response::of(Json::object().set("random_bytes", as_text(text.reveal())));
  if (wanted.source == "seal")
    response.warnings.emplace_back(
        "no seal/entropy augmentation available, using platform entropy source");
  return response;
}

Result<Response> hash(Call& call, ReadTxn&) {
  const std::string in_path = call.fields.text("urlalgorithm");
  const std::string algorithm = in_path.empty() ? call.fields.text("algorithm") : in_path;
  const SecretBytes input = call.fields.secret("input");
  const auto bytes = from_base64(as_text(input.reveal()));
  if (!bytes)
    return failure(Code::invalid, "unable to decode input as base64: illegal base64 data");
  const SecretBytes plain{ByteView(*bytes)};
  const std::string format = call.fields.text("format");
  if (format != "hex" && format != "base64")
    return failure(Code::invalid,
                   "unsupported encoding format " + format + R"(; must be "hex" or "base64")");
  const auto sum = crypto::digest(algorithm, plain.reveal());
  if (!sum) return failure(Code::invalid, "unsupported algorithm " + algorithm);
  return Response::of(Json::object().set("sum", format == "hex" ? hex(*sum) : base64(*sum)));
}

std::vector<Field> of_random() {
  return {{"source", FieldType::text, Json("platform"), "platform, seal or all; here all are one."},
          {"bytes", FieldType::integer, Json(32), "How many bytes, at most 131072."},
          {"format", FieldType::text, Json("base64"), "hex or base64."}};
}

std::vector<Field> of_hash() {
  return {sensitive({"input", FieldType::text, {}, "What is hashed, in base64."}),
          {"algorithm", FieldType::text, Json("sha2-256"),
           "sha2- or sha3-, with 224, 256, 384 or 512."},
          {"format", FieldType::text, Json("hex"), "hex or base64."}};
}

}  // namespace

void add_tool_routes(std::vector<Route>& routes) {
  for (const char* pattern :
       {"tools/random", "tools/random/:source", "tools/random/:source/:urlbytes"})
    routes.push_back(route(pattern, of_random(), {asks(random)}, "Makes random bytes"));
  for (const char* pattern : {"tools/hash", "tools/hash/:urlalgorithm"})
    routes.push_back(route(pattern, of_hash(), {asks(hash)}, "Hashes what it is given"));
}

}  // namespace leasehold::core
