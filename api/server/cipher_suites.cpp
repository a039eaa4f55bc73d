#include "api/server/cipher_suites.h"

#include <algorithm>
#include <string_view>

#include "vault/base/nearest.h"

namespace leasehold::server {
namespace {

enum class Use : std::uint8_t { below_1_3, of_1_3, never };
struct Suite {
  std::string_view name, openssl;
  Use use;
};

constexpr Suite kSuites[] = {
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", Use::of_1_3},
    {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", Use::of_1_3},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", Use::of_1_3},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", Use::below_1_3},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", Use::below_1_3},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", Use::below_1_3},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", Use::below_1_3},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
     Use::below_1_3},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305", Use::below_1_3},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", Use::below_1_3},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", Use::below_1_3},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "", Use::never},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "", Use::never},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "", Use::never},
    {"TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", "", Use::never},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "", Use::never},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "", Use::never},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "", Use::never},
    {"TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "", Use::never},
    {"TLS_ECDHE_RSA_WITH_RC4_128_SHA", "", Use::never},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", "", Use::never},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", "", Use::never},
    {"TLS_RSA_WITH_AES_128_CBC_SHA256", "", Use::never},
    {"TLS_RSA_WITH_AES_128_CBC_SHA", "", Use::never},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", "", Use::never},
    {"TLS_RSA_WITH_3DES_EDE_CBC_SHA", "", Use::never},
    {"TLS_RSA_WITH_RC4_128_SHA", "", Use::never},
};

Error unknown(const std::string& name) {
  Nearest nearest(name);
  for (const Suite& suite : kSuites) nearest.consider(suite.name);
  const std::string advice =
      nearest.name().empty() ? "" : "; did you mean \"" + nearest.name() + "\"?";
  return failure(Code::invalid, "unsupported cipher \"" + name + "\"" + advice);
}

}  // namespace

Result<CipherSuites> parse_cipher_suites(const std::vector<std::string>& names) {
  CipherSuites suites;
  for (const std::string& name : names) {
    const auto found = std::find_if(std::begin(kSuites), std::end(kSuites),
                                    [&name](const Suite& suite) { return suite.name == name; });
    if (found == std::end(kSuites)) return unknown(name);
    if (found->use == Use::never) {
      suites.left_out.push_back(name);
      continue;
    }
    std::string& list = found->use == Use::of_1_3 ? suites.of_1_3 : suites.below_1_3;
    if (!list.empty()) list += ':';
    list += found->openssl;
  }
  if (!names.empty() && suites.of_1_3.empty() && suites.below_1_3.empty())
    return failure(Code::invalid,
                   "none of these suites is offered: name one of TLS_ECDHE_... with GCM or "
                   "CHACHA20, or leave the key out");
  return suites;
}

}  // namespace leasehold::server
