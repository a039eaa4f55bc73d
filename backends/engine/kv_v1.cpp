// Key/value secrets, version 1: the body of a write is the secret, whole. It is stored as its JSON
// text behind eight bytes with the seconds its `ttl` asks for, so that a read splices bytes and
// parses none.

#include <limits>

#include "vault/base/duration_down.h"
#include "vault/core/contract/routes.h"
#include "vault/core/contract/scan.h"

namespace leasehold::engine {
namespace {

using core::Call;
using core::Operation;
using core::ReadTxn;
using core::Response;
using core::WriteTxn;

// DO NOT CHANGE: it is on users' disks.  seconds:be64  JSON text
// The number of seconds; all ones: the mount's default; a negative number -n: ones' complement of
// n.
constexpr std::size_t kHeaderSize = 8;
constexpr std::uint64_t kMountDefault = std::numeric_limits<std::uint64_t>::max();

std::uint64_t packed(std::int64_t seconds) {
  return seconds >= 0 ? static_cast<std::uint64_t>(seconds)
                      : ~(0 - static_cast<std::uint64_t>(seconds));
}
std::int64_t unpacked(std::uint64_t stored) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  return static_cast<std::int64_t>((stored & kSign) == 0 ? stored : 0 - ~stored);
}

// A hint to the reader, as Vault gives it: `ttl`, or `lease`, in whole seconds, rounded toward
// zero; empty is 0, and what is no duration is no hint.
std::uint64_t hinted_seconds(const Json& body) {
  const Json* hint = body.find("ttl");
  if (hint == nullptr) hint = body.find("lease");
  if (hint == nullptr) return kMountDefault;
  if (hint->is_null()) return 0;
  if (!hint->is_string() && !hint->is_number()) return kMountDefault;
  const auto duration = parse_duration_down(hint->text());
  return duration.ok() ? packed(duration->count()) : kMountDefault;
}

bool names_a_secret(std::string_view path) { return !path.empty() && path.back() != '/'; }

Result<Response> read(Call& call, ReadTxn& txn) {
  if (!names_a_secret(call.path)) return Response::refused(404, "");
  VAULT_TRY_ASSIGN(auto stored, txn.get(call.path));
  if (!stored) return Response::refused(404, "");
  SecretBytes& secret = stored->value;
  if (secret.size() < kHeaderSize)
    return failure(Code::internal, "internal error", "a secret is shorter than its header");
  const std::uint64_t seconds = get_be(secret.reveal().data(), kHeaderSize);
  secret.drop_front(kHeaderSize);
  Response response = Response::of_text(std::move(secret));
  response.lease_duration =
      seconds == kMountDefault ? call.mount.default_ttl : Seconds(unpacked(seconds));
  return response;
}

Result<Response> write(Call& call, WriteTxn& txn) {
  if (call.path.empty()) return failure(Code::invalid, "missing path");
  if (!names_a_secret(call.path))
    return failure(Code::invalid, "cannot write to a path ending in '/'");
  const Json& body = call.request.body;
  if (!body.is_object() || body.size() == 0) return failure(Code::invalid, "missing data fields");
  std::string text = body.dump();
  SecretBytes stored(kHeaderSize);
  put_be(stored.writable().data(), hinted_seconds(body), kHeaderSize);
  stored.append(as_bytes(text));
  wipe(text);
  VAULT_TRY(txn.put(call.path, stored.reveal()));
  return Response::none();
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  if (names_a_secret(call.path)) VAULT_TRY(txn.erase(call.path));
  return Response::none();
}

Result<Response> list(Call& call, ReadTxn& txn) {
  std::string directory(call.path);
  if (!directory.empty() && directory.back() != '/') directory += '/';
  VAULT_TRY_ASSIGN(const core::Page page, core::page_of(call.request.body));
  VAULT_TRY_ASSIGN(const auto names, txn.list(directory, page.after, page.limit));
  return Response::keys(names);
}

Result<Response> scan(Call& call, ReadTxn& txn) {
  std::string directory(call.path);
  if (!directory.empty() && directory.back() != '/') directory += '/';
  VAULT_TRY_ASSIGN(const core::Page page, core::page_of(call.request.body));
  VAULT_TRY_ASSIGN(const auto names, core::scan_names(txn, directory, page));
  return Response::keys(names);
}

Result<bool> exists(Call& call, ReadTxn& txn) {
  if (!names_a_secret(call.path)) return false;
  VAULT_TRY_ASSIGN(const std::uint64_t mod, txn.version(call.path));
  return mod != 0;
}

class KvV1 final : public core::Engine {
 public:
  KvV1() {
    core::Route secret;
    secret.pattern = ":path*";
    secret.whole_body = true;
    secret.slash = core::Slash::names_a_folder;
    secret.exists = exists;
    secret.synopsis = "Read, write, list and delete secrets.";
    secret.description =
        "A write stores the whole body under the path, replacing what was there. A key \"ttl\" "
        "sets "
        "the lease_duration that readers see, as a hint to come back; the secret does not expire.";
    secret.actions = {{Operation::read, core::ReadHandler(read)},
                      core::lists(list),
                      core::scans(scan),
                      {Operation::update, core::WriteHandler(write)},
                      {Operation::remove, core::WriteHandler(remove)}};
    routes_.push_back(std::move(secret));
  }
  std::span<const core::Route> routes() const override { return routes_; }

 private:
  std::vector<core::Route> routes_;
};

}  // namespace

std::unique_ptr<core::Engine> make_kv_v1(const core::EngineContext&) {
  return std::make_unique<KvV1>();
}

}  // namespace leasehold::engine
