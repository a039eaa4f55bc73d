#include "api/server/dev_certificate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "vault/base/random.h"

namespace leasehold::server {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;

constexpr long kMonth = 30L * 24 * 3600;

void set_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  VAULT_ASSERT(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

Certificate begin_certificate(const char* name, EVP_PKEY* key) {
  Certificate certificate(X509_new());
  VAULT_ASSERT(certificate != nullptr);
  SystemRandom random;
  const auto serial = random.take<sizeof(std::uint64_t)>();
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()),
                          get_be(serial.data(), serial.size()) >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kMonth);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  VAULT_ASSERT(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

Certificate authority_of(EVP_PKEY* key) {
  Certificate made = begin_certificate("Leasehold dev authority", key);
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  set_extension(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  set_extension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  set_extension(made.get(), made.get(), NID_subject_key_identifier, "hash");
  VAULT_ASSERT(X509_sign(made.get(), key, EVP_sha256()) > 0);
  return made;
}

bool is_address(const std::string& name) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// A list in OpenSSL's form, so what separates its items cannot stand in one.
Result<std::string> alternative_names(const std::vector<std::string>& names) {
  std::string list = "DNS:localhost,IP:127.0.0.1,IP:::1";
  for (const std::string& name : names) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:*";
    if (name.empty() || name.find_first_not_of(kPlain) != std::string::npos)
      return failure(Code::invalid, "-dev-tls-san takes a name or an address of this machine");
    list += (is_address(name) ? ",IP:" : ",DNS:") + name;
  }
  return list;
}

Status write_file(const std::string& path, mode_t mode, BIO* from) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(from, &bytes);
  // An older file may be open to others.
  const bool written = fd >= 0 && ::fchmod(fd, mode) == 0 &&
                       ::write(fd, bytes, static_cast<std::size_t>(size)) == size;
  const std::string reason = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  return written ? Status() : failure(Code::invalid, "cannot write " + path + ": " + reason);
}

Status write_certificate(const std::string& path, X509* certificate) {
  const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
  VAULT_ASSERT(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return write_file(path, 0644, bio.get());
}

Status write_key(const std::string& path, EVP_PKEY* key) {
  const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_secmem()));
  VAULT_ASSERT(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) ==
               1);
  return write_file(path, 0600, bio.get());
}

Result<DevCertificate> folder_for(std::string folder) {
  if (!folder.empty()) return DevCertificate{std::move(folder), false};
  const char* temporary = std::getenv("TMPDIR");
  std::string name = std::string(temporary != nullptr ? temporary : "/tmp") + "/vault-tlsXXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    return failure(Code::invalid,
                   "cannot make a folder for -dev-tls: " + std::string(std::strerror(errno)));
  return DevCertificate{std::move(name), true};
}

std::string machine_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

void DevCertificate::remove() const {
  for (const std::string& file : {authority_file(), certificate_file(), key_file()})
    ::unlink(file.c_str());
  if (temporary) ::rmdir(folder.c_str());
}

Result<DevCertificate> make_dev_certificate(std::string folder, std::vector<std::string> names) {
  if (const std::string own = machine_name(); !own.empty()) names.push_back(own);
  VAULT_TRY_ASSIGN(const std::string alternatives, alternative_names(names));
  const Key authority_key(EVP_EC_gen("P-256")), key(EVP_EC_gen("P-256"));
  VAULT_ASSERT(authority_key && key);
  const Certificate authority = authority_of(authority_key.get());
  Certificate made = begin_certificate("Leasehold dev server", key.get());
  X509_set_issuer_name(made.get(), X509_get_subject_name(authority.get()));
  set_extension(made.get(), authority.get(), NID_basic_constraints, "critical,CA:FALSE");
  set_extension(made.get(), authority.get(), NID_ext_key_usage, "serverAuth");
  set_extension(made.get(), authority.get(), NID_subject_alt_name, alternatives);
  VAULT_ASSERT(X509_sign(made.get(), authority_key.get(), EVP_sha256()) > 0);
  VAULT_TRY_ASSIGN(DevCertificate files, folder_for(std::move(folder)));
  Status written = write_certificate(files.authority_file(), authority.get());
  if (written.ok()) written = write_certificate(files.certificate_file(), made.get());
  if (written.ok()) written = write_key(files.key_file(), key.get());
  if (written.ok()) return files;
  files.remove();
  return std::move(written).error();
}

}  // namespace leasehold::server
