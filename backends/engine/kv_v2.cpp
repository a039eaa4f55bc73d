// Key/value secrets, version 2: each write is a version, kept until there are too many, deleted and
// brought back by number. The routes; and config/, the settings of a mount.

#include "backends/engine/kv_v2.h"

#include <fmt/core.h>

#include "vault/base/duration.h"
#include "vault/core/contract/routes.h"

namespace leasehold::engine::kv_v2 {
namespace {

using core::Call;
using core::FieldType;
using core::Operation;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

constexpr Seconds kErasingEvery{24 * 3600};

Result<Response> read_config(Call&, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Settings settings, load_settings(txn));
  Json data = Json::object();
  data.set("max_versions", settings.versions_max).set("cas_required", settings.cas_required);
  data.set("metadata_cas_required", settings.metadata_cas_required);
  data.set("delete_version_after", go_duration(settings.delete_after));
  return Response::of(data);
}

// Unlike any other duration it may be negative, so the text of the field is read here.
Result<Seconds> mount_delete_after(const Call& call) {
  const std::string text = call.fields.text("delete_version_after");
  if (text.empty()) return Seconds(0);
  const auto duration = parse_duration(text);
  if (!duration.ok())
    return failure(Code::invalid,
                   "delete_version_after must be a duration such as 30, 5m or 24h, or negative to "
                   "never delete");
  return *duration < Seconds(0) ? Seconds(-1) : clamped(*duration);
}

Result<Response> write_config(Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const Settings before, load_settings(txn));
  Settings settings = before;
  if (is_mentioned(call, "max_versions")) {
    VAULT_TRY_ASSIGN(settings.versions_max, versions_max_of(call));
  }
  if (is_mentioned(call, "cas_required"))
    settings.cas_required = call.fields.boolean("cas_required");
  if (is_mentioned(call, "metadata_cas_required"))
    settings.metadata_cas_required = call.fields.boolean("metadata_cas_required");
  if (is_mentioned(call, "delete_version_after")) {
    VAULT_TRY_ASSIGN(settings.delete_after, mount_delete_after(call));
  }
  if (settings != before) VAULT_TRY(save_settings(txn, settings));
  return Response::none();
}

core::Route config_route() {
  core::Route route;
  route.pattern = "config";
  route.fields = {
      {"max_versions", FieldType::integer, {}, "How many versions of a secret to keep; 0: 10."},
      {"cas_required", FieldType::boolean, {}, "Every write must say `cas`."},
      {"metadata_cas_required", FieldType::boolean, {}, "As must every write of metadata."},
      {"delete_version_after", FieldType::text, {}, "When a version ends; negative: never."}};
  route.actions = {{Operation::read, core::ReadHandler(read_config)},
                   {Operation::update, core::WriteHandler(write_config)}};
  route.synopsis = "Read and set what holds for all secrets of this mount.";
  route.description = "What is not given stays as it is.";
  return route;
}

// For who writes secret/app as if the mount were of version 1.
Response misplaced(std::string_view command) {
  Response response;
  response.status = 404;
  response.warnings.push_back(
      fmt::format("Invalid path for a versioned K/V secrets engine. See the API docs for the "
                  "appropriate API endpoints to use. If using the Leasehold CLI, use 'leasehold kv "
                  "{}' for this operation.",
                  command));
  return response;
}

core::ReadHandler misplaced_handler(const char* command) {
  return [command](Call&, ReadTxn&) -> Result<Response> { return misplaced(command); };
}

core::Route misplaced_route() {
  core::Route route;
  route.pattern = ":path*";
  route.slash = core::Slash::names_a_folder;
  route.whole_body = true;
  route.actions = {{Operation::read, misplaced_handler("get")},
                   core::lists(misplaced_handler("list")),
                   {Operation::update, misplaced_handler("put")},
                   {Operation::remove, misplaced_handler("delete")}};
  route.synopsis = "Nothing is here.";
  route.description = "Secrets are at data/, what is known of them at metadata/.";
  return route;
}

class KvV2 final : public core::Engine {
 public:
  std::span<const core::Route> routes() const override { return routes_; }
  // What a request did not erase is asked for with its answer; this is for one that a crash cut
  // off.
  std::optional<Seconds> due_every() const override { return kErasingEvery; }
  Result<core::DueSlice> due(WriteTxn& txn, const std::string&, WallTime) override {
    return erase_waiting(txn);
  }
  Status upgrade(int from, WriteTxn& txn, WallTime now) override {
    if (from == 1) return save_upgrade(txn, now);
    return Engine::upgrade(from, txn, now);
  }

 private:
  const std::vector<core::Route> routes_ = {data_route(),
                                            subkeys_route(),
                                            delete_route(),
                                            undelete_route(),
                                            destroy_route(),
                                            metadata_route(),
                                            detailed_metadata_route(),
                                            config_route(),
                                            misplaced_route()};
};

}  // namespace
}  // namespace leasehold::engine::kv_v2

namespace leasehold::engine {

std::unique_ptr<core::Engine> make_kv_v2(const core::EngineContext&) {
  return std::make_unique<kv_v2::KvV2>();
}

}  // namespace leasehold::engine
