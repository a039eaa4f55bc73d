// sys/config/ui/headers: headers for the answers of a web interface. There is none; what is set is
// kept and shown, for those whose configuration sets it.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/contract/records.h"
#include "vault/core/contract/routes.h"
#include "vault/core/sys/areas.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kRecord = "config/ui/headers";
constexpr std::size_t kHeadersMax = 64, kValuesMax = 16;
constexpr std::size_t kBytesMax = 4096;  // of all values of one

Result<Json> stored(ReadTxn& txn) {
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(auto headers, load_json(core, kRecord));
  return headers ? *std::move(headers) : Json::object();
}

// In the form that HTTP libraries write it: "Content-Security-Policy".
std::string canonical(std::string_view name) {
  std::string text(name);
  bool first = true;
  for (char& c : text) {
    c = lower_case(c);
    if (first && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    first = c == '-';
  }
  return text;
}

bool is_header_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (lower_case(c) >= 'a' && lower_case(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

Result<Response> list(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(const Json headers, stored(txn));
  std::vector<std::string> names;
  for (const Json::Member& one : headers.members()) names.push_back(one.first);
  return Response::keys(part_of(std::move(names), page));
}

Result<Response> read(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Json headers, stored(txn));
  const std::string name = canonical(call.fields.text("header"));
  const std::vector<std::string> values = headers.strings_at(name);
  if (values.empty()) return Response::refused(404, "");
  if (call.fields.boolean("multivalue"))
    return Response::of(Json::object().set("values", Json(values)));
  return Response::of(Json::object().set("value", values.front()));
}

Status check(const std::string& name, const std::vector<std::string>& values, const Json& headers) {
  if (name.starts_with("X-Vault-")) return failure(Code::invalid, "X-Vault headers cannot be set");
  if (!is_header_name(name))
    return failure(Code::invalid, "a header has a name of letters, digits and dashes");
  std::size_t bytes = 0;
  for (const std::string& value : values) {
    bytes += value.size();
    if (!is_header_value(value))
      return failure(Code::invalid, "a header's value has no control characters");
  }
  if (values.size() > kValuesMax || bytes > kBytesMax)
    return failure(Code::invalid, "a header has at most 16 values, of 4096 bytes together");
  if (headers.size() >= kHeadersMax && headers.find(name) == nullptr)
    return failure(Code::invalid, "at most 64 headers can be set: delete one first");
  return {};
}

Result<Response> write(Call& call, WriteTxn& txn) {
  const std::vector<std::string> values = call.fields.list("values");
  const std::string name = canonical(call.fields.text("header"));
  if (name.empty() || values.empty())
    return failure(Code::invalid, "header and values must be specified");
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(auto kept, load_json(core, kRecord));
  Json headers = kept ? *std::move(kept) : Json::object();
  VAULT_TRY(check(name, values, headers));
  headers.set(name, Json(values));
  VAULT_TRY(save_json(core, kRecord, headers));
  if (name == "Content-Security-Policy")
    call.warnings.emplace_back(
        "overriding default Content-Security-Policy which is secure by default, proceed with "
        "caution");
  call.quiet_warnings.emplace_back("there is no web interface: the header is kept, and not sent");
  Response response;
  response.status = 200;  // as Vault, which has no data to show
  return response;
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  WriteTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(auto headers, load_json(core, kRecord));
  if (!headers) return Response::none();
  headers->erase(canonical(call.fields.text("header")));
  VAULT_TRY(headers->size() > 0 ? save_json(core, kRecord, *headers) : core.erase(kRecord));
  return Response::none();
}

}  // namespace

void add_ui_header_routes(std::vector<Route>& routes) {
  Route all = route("config/ui/headers", page_fields(), {lists(list)},
                    "Lists the headers of the web interface");
  all.sudo = true;
  routes.push_back(std::move(all));
  Route one = route("config/ui/headers/:header",
                    {{"values", FieldType::text_list, {}, "What the header says, once or more."},
                     {"multivalue", FieldType::boolean, {}, "Show all of its values."}},
                    {reads(read), writes(write), removes(remove)},
                    "Reads, sets and deletes a header of the web interface");
  one.sudo = true;
  one.folds_case = true;
  routes.push_back(std::move(one));
}

}  // namespace leasehold::core
