#include "tests/adding/added.h"
#include "vault/crypto/hash.h"

namespace leasehold::keyhost {
namespace {

// Words on a sheet of paper, mixed with the slot.
class Paper final : public seal::Protector {
 public:
  explicit Paper(SecretBytes words) : words_(std::move(words)) {}

  std::string_view kind() const override { return "paper"; }
  std::string describe() const override { return "a sheet of paper"; }
  bool is_hardware() const override { return false; }
  seal::Enrolled enroll(const SlotContext& context, Millis) override {
    return {{DeviceState::ok, {}, {}}, key_of(context), "paper", {}};
  }
  seal::Recovered recover(const seal::SlotRecord& slot, Millis) override {
    return {{DeviceState::ok, {}, {}}, key_of(seal::context_of(slot))};
  }
  DeviceAnswer health(const seal::SlotRecord&, Millis) override {
    return {DeviceState::ok, {}, {}};
  }

 private:
  SecretBytes key_of(const SlotContext& context) const {
    return crypto::hkdf(words_.reveal(), context.slot, "leasehold paper slot", 32);
  }
  const SecretBytes words_;
};

}  // namespace

Result<std::unique_ptr<seal::Protector>> make_paper_seal(Stanza& stanza, const SealEnvironment&,
                                                         std::vector<std::string>&) {
  VAULT_TRY_ASSIGN(std::string words, stanza.text("words"));
  VAULT_TRY(stanza.finish());
  if (words.empty()) return failure(Code::invalid, stanza.where() + ": seal \"paper\" needs words");
  auto paper = std::make_unique<Paper>(SecretBytes(std::string_view(words)));
  wipe(words);
  return std::unique_ptr<seal::Protector>(std::move(paper));
}

}  // namespace leasehold::keyhost
