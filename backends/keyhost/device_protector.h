#pragma once
// A slot's protector whose work happens in a key host.

#include "backends/keyhost/client.h"
#include "vault/seal/protector.h"

namespace leasehold::keyhost {

class DeviceProtector final : public seal::Protector {
 public:
  struct Names {
    std::string kind;         // "tpm"
    std::string description;  // "the TPM at /dev/tpmrm0"
    bool reenrolls = false;
    std::string pin_variable =
        {};  // that the PIN was taken from; emptied once it opened the device
  };
  DeviceProtector(Names names, std::unique_ptr<KeyHost> host)
      : names_(std::move(names)), host_(std::move(host)) {}

  std::string_view kind() const override { return names_.kind; }
  std::string describe() const override { return names_.description; }
  bool is_hardware() const override { return true; }
  bool reenrolls() const override { return names_.reenrolls; }
  seal::Enrolled enroll(const SlotContext& context, Millis timeout) override;
  seal::Recovered recover(const seal::SlotRecord& slot, Millis timeout) override;
  DeviceAnswer health(const seal::SlotRecord& slot, Millis timeout) override;
  DeviceAnswer presence(Millis timeout) override;
  void stop() override { host_->stop(); }
  // Bytes of the device's generator, to be mixed into others, never used alone.
  seal::Recovered random(std::uint16_t count, Millis timeout);
  KeyHost& host() { return *host_; }

 private:
  void works(const DeviceAnswer& answer) const;

  const Names names_;
  const std::unique_ptr<KeyHost> host_;
};

}  // namespace leasehold::keyhost
