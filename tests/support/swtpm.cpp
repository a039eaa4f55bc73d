#include "tests/support/swtpm.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "backends/keyhost/tpm/storage_key.h"

namespace leasehold::testing {
namespace {

using namespace keyhost;
using namespace keyhost::tpm;

constexpr const char* kProgram = "/usr/bin/swtpm";

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "swtpm for the tests: %s (apt install swtpm)\n", what.c_str());
  std::abort();
}

int listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) give_up("the socket's path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 16) != 0)
    give_up("cannot listen at " + path);
  return fd;
}

[[noreturn]] void become_swtpm(int socket, const std::string& folder, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  if (socket == 3) ::_exit(2);
  ::dup2(socket, 3);
  const std::string state = "dir=" + folder;
  const std::string control = "type=unixio,path=" + folder + "/ctrl";
  const std::string log = "file=" + folder + "/log,level=1";
  ::execl(kProgram, kProgram, "socket", "--tpm2", "--tpmstate", state.c_str(), "--server",
          "type=unixio,fd=3", "--ctrl", control.c_str(), "--flags", "not-need-init,startup-clear",
          "--log", log.c_str(), static_cast<char*>(nullptr));
  ::_exit(127);
}

// A few commands of our own, on a connection that ends with them.
template <class Commands>
void with_tpm(const std::string& device, Commands commands) {
  SystemClock clock;
  const Deadline deadline(clock, Millis(20'000));
  Esys tpm(device, deadline, {});
  commands(tpm);
  if (!tpm.ok()) give_up(tpm.trouble().message + " " + tpm.trouble().detail);
}

}  // namespace

SwTpm::SwTpm() {
  if (::access(kProgram, X_OK) != 0) give_up(std::string(kProgram) + " is missing");
  make_folder();
  start();
}

SwTpm::~SwTpm() {
  end();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void SwTpm::make_folder() {
  char name[] = "/tmp/lh-tpm-XXXXXX";
  if (::mkdtemp(name) == nullptr) give_up("cannot make a temporary folder");
  folder_ = name;
  socket_ = folder_ + "/sock";
}

void SwTpm::start() {
  int socket = listen_at(socket_);
  if (socket == 3) {  // dup2 onto itself would keep close-on-exec
    const int other = ::dup(socket);
    ::close(socket);
    socket = other;
  }
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become_swtpm(socket, folder_, parent);
  ::close(socket);
  if (pid_ < 0) give_up("cannot fork");
}

void SwTpm::end() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::kill(pid_, SIGCONT);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void SwTpm::reboot() {
  end();
  start();
}

void SwTpm::kill() {
  end();
  ::unlink(socket_.c_str());
}

void SwTpm::stop() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  ::waitpid(pid_, &status, WUNTRACED);
}

void SwTpm::cont() { ::kill(pid_, SIGCONT); }

void SwTpm::replace() {
  end();
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    std::filesystem::remove(entry.path());
  start();
}

void SwTpm::extend(unsigned pcr) {
  with_tpm(device(), [pcr](Esys& tpm) {
    TPML_DIGEST_VALUES values{};
    values.count = 1;
    values.digests[0].hashAlg = TPM2_ALG_SHA256;
    values.digests[0].digest.sha256[0] = 1;
    tpm.check(Esys_PCR_Extend(tpm.context(), ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                              ESYS_TR_NONE, &values),
              "extend");
  });
}

void SwTpm::persist_storage_key() {
  with_tpm(device(), [](Esys& tpm) {
    Handle key(tpm);
    KeySource source{};
    Bytes name;
    if (!any_storage_key(tpm, key, source, name)) return;
    Handle persistent(tpm);
    persistent.set_persistent();
    tpm.check(Esys_EvictControl(tpm.context(), ESYS_TR_RH_OWNER, key.get(), ESYS_TR_PASSWORD,
                                ESYS_TR_NONE, ESYS_TR_NONE, kPersistentKey, persistent.out()),
              "persist");
  });
}

void SwTpm::persist_other_storage_key() {
  with_tpm(device(), [](Esys& tpm) {
    const TPM2B_SENSITIVE_CREATE nothing{};
    const TPM2B_DATA outside{};
    const TPML_PCR_SELECTION no_pcrs{};
    TPM2B_PUBLIC wanted{};
    wanted.publicArea.type = TPM2_ALG_ECC;
    wanted.publicArea.nameAlg = TPM2_ALG_SHA256;
    wanted.publicArea.objectAttributes =
        TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
        TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
    TPMS_ECC_PARMS& ecc = wanted.publicArea.parameters.eccDetail;
    ecc.symmetric.algorithm = TPM2_ALG_AES;
    ecc.symmetric.keyBits.aes = 128;
    ecc.symmetric.mode.aes = TPM2_ALG_CFB;
    ecc.scheme.scheme = TPM2_ALG_NULL;
    ecc.curveID = TPM2_ECC_NIST_P256;
    ecc.kdf.scheme = TPM2_ALG_NULL;
    Handle key(tpm), persistent(tpm);
    persistent.set_persistent();
    tpm.check(Esys_CreatePrimary(tpm.context(), ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &nothing, &wanted, &outside, &no_pcrs, key.out(),
                                 nullptr, nullptr, nullptr, nullptr),
              "make another key");
    tpm.check(Esys_EvictControl(tpm.context(), ESYS_TR_RH_OWNER, key.get(), ESYS_TR_PASSWORD,
                                ESYS_TR_NONE, ESYS_TR_NONE, kPersistentKey, persistent.out()),
              "persist");
  });
}

unsigned SwTpm::loaded() const {
  unsigned count = 0;
  SystemClock clock;
  const Deadline deadline(clock, Millis(20'000));
  // A connection that sweeps nothing: the raw wire under a context of its own.
  Wire wire(device(), deadline);
  ESYS_CONTEXT* context = nullptr;
  if (Esys_Initialize(&context, wire.tcti(), nullptr) != TSS2_RC_SUCCESS) give_up("no answer");
  for (const TPM2_HANDLE first :
       {TPM2_HANDLE(TPM2_TRANSIENT_FIRST), TPM2_HANDLE(TPM2_LOADED_SESSION_FIRST)}) {
    TPMS_CAPABILITY_DATA* found = nullptr;
    TPMI_YES_NO more = 0;
    if (Esys_GetCapability(context, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                           first, 16, &more, &found) != TSS2_RC_SUCCESS)
      give_up("cannot list handles");
    count += found->data.handles.count;
    Esys_Free(found);
  }
  Esys_Finalize(&context);
  return count;
}

}  // namespace leasehold::testing
