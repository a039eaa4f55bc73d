// sys/remount: a mount gets another path. Its records lie under its space, so one record changes
// and the move is done when the answer leaves; the leases and logins of the old path end, as in
// Vault, by a job: until it is done the status is in-progress.

#include "vault/base/encoding.h"
#include "vault/core/authority/indexes.h"
#include "vault/core/sys/mount_config.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr const char* kBothPaths = "both 'from' and 'to' path must be specified as a string";
constexpr Seconds kRemountsKept{30 * 24 * 3600};
constexpr std::string_view kRecords = "remounts/";
constexpr std::size_t kErasedAtOnce = 50;

std::string record_of(const std::string& migration) { return std::string(kRecords) + migration; }

// As a request could name it: without empty segments, "." and "..". `path` ends in '/'.
std::string cleaned(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size() + 1);
    if (segment == "..")
      out.resize(out.empty() ? 0 : out.find_last_of('/', out.size() - 2) + 1);
    else if (!segment.empty() && segment != ".")
      out.append(segment).append("/");
  }
  return out;
}

Status check_paths(const std::string& from, const std::string& to) {
  const bool auth = is_auth_path(from);
  if (const std::string clean = cleaned(to); to != "/" && to != clean)
    return failure(Code::invalid, "invalid destination mount: path '" + to +
                                      "' does not match cleaned path '" + clean + "'");
  if (auth && !is_auth_path(to))
    return failure(Code::invalid, "cannot remount auth mount to non-auth mount \"" + to + "\"");
  if (is_core_path(to) || (!auth && is_auth_path(to)))
    return failure(Code::invalid,
                   "cannot remount to destination " + (auth ? "\"" + to + "\"" : to));
  return check_size_of_path(to);
}

bool has_spaces_around(const std::string& path) {
  return path.starts_with(' ') || path.ends_with(' ');
}

Result<Response> remount(Unsealed& live, Call& call, WriteTxn& txn) {
  if (live.drill()) return refused_in_drill();
  for (const char* path : {"from", "to"})
    if (has_spaces_around(call.fields.text(path)))
      return failure(Code::invalid,
                     "'" + std::string(path) + "' path cannot contain trailing whitespace");
  const std::string from = mount_path(call.fields.text("from"));
  const std::string to = mount_path(call.fields.text("to"));
  VAULT_TRY(check_paths(from, to));
  VAULT_TRY(txn.version(Mounts::mounts_key()));  // guards what is free and what is taken
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  const Mount* mount = compiled->mounts.at(from);
  if (is_core_mount(from, mount)) return failure(Code::invalid, "cannot remount \"" + from + "\"");
  if (mount == nullptr) return failure(Code::invalid, "no matching mount at \"" + from + "\"");
  for (const auto& other : compiled->mounts.all())
    if (other.first.starts_with(to) || to.starts_with(other.first))
      return failure(Code::invalid, "path already in use at \"" + other.first + "\"");
  Json record = mount->record;
  record.set("path", to);
  VAULT_TRY(Mounts::put_mount(txn, record));
  const std::string migration = uuid(call.random);
  Json status = Json::object();
  status.set("began", call.now.seconds()).set("source_mount", from).set("target_mount", to);
  VAULT_TRY_ASSIGN(
      const auto ends,
      live.leases.queue(txn, {from, false, {}, call.caller.display_name, "remount " + migration},
                        call.now, call.random));
  status.set("ends", hex(ends.view()));
  if (is_auth_path(from))
    VAULT_TRY(txn.mark(job_key(call.now, live.tokens.owner_of_batch_leases(&mount->info))));
  const std::string text = status.dump();
  VAULT_TRY(txn.put(record_of(migration), as_bytes(text)));
  Json data = Json::object();
  data.set("migration_id", migration);
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  response.warnings.emplace_back(
      "Mount move has been queued. Progress will be reported in Leasehold's server log, tagged "
      "with "
      "the returned migration_id");
  response.orders.awaited.push_back(ends);
  response.orders.on_commit = [&log = live.environment.log, migration, from, to] {
    log.info("remount {}: {} is now {}; what was handed out below the old path is being ended",
             migration, from, to);
  };
  return response;
}

// While the leases and logins of the old path are still being ended, by a job.
Result<bool> is_ending(ReadTxn& txn, const Json& info) {
  const auto job = from_hex(info.string_at("ends"));
  if (!job || !barrier::is_well_formed(*job)) return false;  // of a version that did not say
  VAULT_TRY_ASSIGN(const auto mod, txn.version(barrier::PhysicalKey::from(*job)));
  return mod != 0;
}

Result<Response> status(Call& call, ReadTxn& txn) {
  const std::string migration = call.fields.text("migration_id");
  VAULT_TRY_ASSIGN(const auto stored, txn.get(record_of(migration)));
  if (!stored) return Response::refused(404, "");
  VAULT_TRY_ASSIGN(Json info, parse_json(as_text(stored->value.reveal())));
  VAULT_TRY_ASSIGN(const bool ending, is_ending(txn, info));
  info.set("status", ending ? "in-progress" : "success");
  for (const char* ours : {"ends", "began"}) info.erase(ours);
  Json data = Json::object();
  data.set("migration_id", migration).set("migration_info", std::move(info));
  return Response::of(data);
}

// Of a version that did not write when it began: over, too.
bool is_long_over(const Json& info, WallTime now) {
  const WallTime began{info.integer_at("began") * 1'000'000'000};
  return !(now < add(began, Nanos(kRemountsKept)));
}

}  // namespace

Result<DueSlice> erase_old_remounts(WriteTxn& txn, WallTime now) {
  DueSlice slice;
  ReadTxn look(txn.snapshot(), txn.barrier(), txn.space());
  VAULT_TRY_ASSIGN(const auto names, look.list(kRecords));
  for (const std::string& name : names) {
    VAULT_TRY_ASSIGN(const auto stored, look.get(record_of(name)));
    if (!stored) continue;
    VAULT_TRY_ASSIGN(const Json info, parse_json(as_text(stored->value.reveal())));
    VAULT_TRY_ASSIGN(const bool ending, is_ending(look, info));
    if (ending || !is_long_over(info, now)) continue;
    VAULT_TRY(txn.erase(record_of(name)));
    if (++slice.done < static_cast<std::int64_t>(kErasedAtOnce)) continue;
    slice.next = kRecords;  // there may be more
    break;
  }
  return slice;
}

void add_remount_routes(std::vector<Route>& routes, Unsealed& live) {
  Route move =
      route("remount", {required({"from"}, kBothPaths), required({"to"}, kBothPaths)},
            {writes([&live](Call& call, WriteTxn& txn) { return remount(live, call, txn); })},
            "Moves a mount to another path");
  move.description = "Leases of the old path are revoked, as are tokens of an auth method.";
  move.sudo = true;
  routes.push_back(std::move(move));
  routes.push_back(route("remount/status/:migration_id", {{"migration_id"}}, {reads(status)},
                         "Shows how a move went"));
}

}  // namespace leasehold::core
