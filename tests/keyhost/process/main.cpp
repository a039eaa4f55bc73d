// The key host's process for tests: the real one, and a device kind whose only talent is to fail.

#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "backends/keyhost/host.h"
#include "backends/keyhost/pkcs11/pkcs11_device.h"
#include "backends/keyhost/tpm/tpm_device.h"

namespace {

using namespace leasehold;
using namespace leasehold::keyhost;

// Setting `mode`: "ok", "crash", "hang", or "crash-once", which leaves the file named by `mark`.
// What it enrolls is named after the environment of its process.
class FaultyDevice final : public Device {
 public:
  FaultyDevice(std::string mode, std::string mark)
      : mode_(std::move(mode)), mark_(std::move(mark)) {}

  seal::Enrolled enroll(const SlotContext&, const Deadline& deadline) override {
    auto found = random(32, deadline);
    std::string variables;
    for (char** each = environ; *each != nullptr; ++each) variables += std::string(*each) + "\n";
    return {std::move(found.answer), std::move(found.kek), std::move(variables), {}};
  }
  seal::Recovered recover(const StoredSlot&, const Deadline& deadline) override {
    return random(32, deadline);
  }
  seal::Recovered random(std::size_t count, const Deadline&) override {
    if (mode_ == "hang") ::raise(SIGSTOP);
    const bool first = !std::ifstream(mark_).good();
    if (mode_ == "crash-once" && first) std::ofstream(mark_) << "crashed";
    if (mode_ == "crash" || (mode_ == "crash-once" && first)) ::raise(SIGABRT);
    return {{DeviceState::ok, {}, {}}, SecretBytes(count)};
  }

 private:
  const std::string mode_;
  const std::string mark_;
};

Result<std::unique_ptr<Device>> make_faulty(const Settings& settings, Clock&, Random&) {
  if (setting(settings, "mode").empty()) return failure(Code::invalid, "no mode");
  return std::unique_ptr<Device>(
      std::make_unique<FaultyDevice>(setting(settings, "mode"), setting(settings, "mark")));
}

constexpr SealRow kRows[] = {{"tpm", make_tpm_seal, make_tpm_device},
                             {"pkcs11", make_pkcs11_seal, make_pkcs11_device},
                             {"faulty", nullptr, make_faulty}};

}  // namespace

int main() { return keyhost_main(kHostDescriptor, kRows); }
