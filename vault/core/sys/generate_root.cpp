// sys/generate-root/*: a new root token, approved by the holders of the shares and handed out under
// a one-time password, so that whoever gives the last share does not see it.
// sys/generate-root-token/* is the same ceremony under its newer name, which OpenBao's clients use:
// with a token always, and in the envelope.

#include "vault/base/encoding.h"
#include "vault/core/sys/shares.h"
#include "vault/seal/rekey.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kTokenLength = 28;  // of a root token; of a one-time password, too
constexpr std::size_t kOtpEntropy = 20;   // bytes; 27 letters carry them
constexpr const char* kLastRecord = "generate-root/last";

class RootGeneration {
 public:
  explicit RootGeneration(Unsealed& live) : live_(live) {}

  Result<Response> status() const {
    MutexLock lock(mutex_);
    return Response::bare(200, body({}));
  }

  Result<Response> begin(const Call& call) {
    VAULT_TRY(refuse_pgp(call));
    SecretBytes otp = call.fields.secret("otp");
    const bool made = otp.empty();
    if (made) otp = random_otp();
    if (otp.size() != kTokenLength)
      return failure(Code::invalid, "OTP string is wrong length: it must have " +
                                        std::to_string(kTokenLength) +
                                        " characters (leasehold operator generate-root "
                                        "-generate-otp makes one)");
    MutexLock lock(mutex_);
    if (approval_)
      return failure(Code::invalid, "root generation already in progress for this namespace");
    approval_ = live_.environment.seal->new_quorum();
    if (!approval_)
      return failure(Code::invalid,
                     "this vault has no shares whose holders could approve a root token, or their "
                     "stored slot was changed");
    otp_ = std::move(otp);
    return Response::bare(200, body(made ? as_text(otp_.reveal()) : std::string_view()));
  }

  Result<Response> cancel() {
    forget();
    return Response::none();
  }

  Result<Response> update(const Call& call, WriteTxn& txn) {
    VAULT_TRY_ASSIGN(SecretBytes share, share_of(call));
    MutexLock lock(mutex_);
    if (!approval_) return failure(Code::invalid, "no root generation in progress");
    if (call.fields.text("nonce") != approval_->nonce())
      return seal::wrong_nonce("root generation", approval_->nonce());
    VAULT_TRY(approval_->add(std::move(share)));
    if (!approval_->complete()) return Response::bare(200, body({}));
    return finish(call, txn);
  }

 private:
  // One approval gives one token, also when two last shares arrive together: its nonce is kept.
  // Shares that a rekey replaced since the attempt began approve nothing any more.
  Result<Response> finish(const Call& call, WriteTxn& txn) REQUIRES(mutex_) {
    VAULT_TRY(guard_slot(txn, approval_->slot().id, approval_->slot().generation,
                         "the shares were replaced since: cancel this attempt and begin again"));
    VAULT_TRY(live_.environment.seal->prove(*approval_, live_.registry_key));
    WriteTxn core = txn.in(barrier::kCoreSpace);
    VAULT_TRY_ASSIGN(const auto last, core.get(kLastRecord));
    if (last && as_text(last->value.reveal()) == approval_->nonce())
      return failure(Code::invalid, "no root generation in progress");
    VAULT_TRY(core.put(kLastRecord, as_bytes(approval_->nonce())));
    Token root;
    root.created = call.now;
    root.path = "auth/token/root";
    root.display_name = "root";
    root.policies = {"root"};
    VAULT_TRY_ASSIGN(SecretBytes token, live_.tokens.create(core, root, {}, true));
    VAULT_ASSERT(token.size() == otp_.size());
    const std::span<std::uint8_t> bytes = token.writable();
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] ^= otp_.reveal()[i];
    std::string encoded = base64(token.reveal());
    while (encoded.ends_with('=')) encoded.pop_back();
    Json answer = body({});
    answer.set("complete", true).set("encoded_token", encoded).set("encoded_root_token", encoded);
    Response response = Response::bare(200, answer);
    response.orders.on_commit = [this] { forget(); };
    return response;
  }

  Json body(std::string_view otp) const REQUIRES(mutex_) {
    Json body = Json::object();
    std::int64_t required = 0;
    if (approval_) {
      required = approval_->required();
    } else if (const auto idle = live_.environment.seal->new_quorum()) {
      required = idle->required();
    }
    body.set("nonce", approval_ ? approval_->nonce() : std::string());
    body.set("started", approval_.has_value()).set("required", required);
    body.set("progress", static_cast<std::int64_t>(approval_ ? approval_->progress() : 0));
    body.set("complete", false).set("encoded_token", "").set("encoded_root_token", "");
    body.set("pgp_fingerprint", "").set("otp", otp);
    body.set("otp_length", static_cast<std::int64_t>(kTokenLength));
    return body;
  }

  SecretBytes random_otp() const {
    SecretBytes raw(kOtpEntropy);
    live_.environment.random.fill(raw.writable());
    std::string letters = base62(raw.reveal(), kTokenLength);
    SecretBytes otp{std::string_view(letters)};
    wipe(letters);
    return otp;
  }

  void forget() {
    MutexLock lock(mutex_);
    approval_.reset();
    otp_ = SecretBytes();
  }

  Unsealed& live_;
  mutable Mutex mutex_;
  std::optional<seal::Quorum> approval_ GUARDED_BY(mutex_);
  SecretBytes otp_ GUARDED_BY(mutex_);
};

// Shared by the handlers of the routes, which are what it lives for.
using Shared = std::shared_ptr<RootGeneration>;

struct Names {
  std::vector<std::string> attempt;
  std::string update;
  bool newer = false;
};

void add_routes(std::vector<Route>& routes, const Shared& all, const Names& names) {
  bool ListenerTraits::*const open =
      names.newer ? nullptr : &ListenerTraits::unauthenticated_generate_root;
  const auto named = [newer = names.newer](auto act) {
    return [=](Call& call, auto& txn) -> Result<Response> {
      return newer ? enveloped(act(call, txn)) : act(call, txn);
    };
  };
  for (const std::string& path : names.attempt)
    routes.push_back(ceremony_route(
        path, {sensitive({"otp"}), {"pgp_key"}},
        {reads(named([all](Call&, ReadTxn&) { return all->status(); })),
         asks(named([all](Call& call, ReadTxn&) { return all->begin(call); })),
         removes(named([all](Call&, WriteTxn&) { return all->cancel(); }))},
        open, "Begins the making of a root token, tells how far it is, or gives it up"));
  routes.push_back(ceremony_route(
      names.update, {sensitive({"key"}), {"nonce"}},
      {writes(named([all](Call& call, WriteTxn& txn) { return all->update(call, txn); }))}, open,
      "Gives one of the shares"));
}

}  // namespace

void add_generate_root_routes(std::vector<Route>& routes, Unsealed& live) {
  const Shared all = std::make_shared<RootGeneration>(live);
  add_routes(routes, all,
             {{"generate-root", "generate-root/attempt"}, "generate-root/update", false});
  add_routes(routes, all, {{"generate-root-token/attempt"}, "generate-root-token/update", true});
}

}  // namespace leasehold::core
