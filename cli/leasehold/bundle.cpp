#include "cli/leasehold/bundle.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "vault/base/encoding.h"

namespace leasehold::cli {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::string_view kRemoved = "[removed]";
constexpr std::string_view kSecretNames[] = {"token", "password",   "secret", "private",
                                             "pin",   "nonce",      "unseal", "hmac",
                                             "salt",  "credential", "cookie", "shared_key"};
// "key" is also what a list calls its names.
constexpr std::string_view kOpenNames[] = {"keys",           "key_info",      "token_type",
                                           "token_policies", "secret_shares", "secret_threshold",
                                           "key_shares",     "tokens",        "service_tokens"};
constexpr std::string_view kTokens[] = {"hvs.", "hvb.", "hvr.", "s.", "b."};

struct Header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
  char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
static_assert(sizeof(Header) == kBlock);

template <std::size_t Size>
void put_octal(char (&field)[Size], unsigned long long value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%0*llo", static_cast<int>(Size - 1), value);
  std::memcpy(field, digits, Size - 1);
}

Header header_of(const std::string& name, std::size_t size, WallTime time) {
  Header header;
  std::memset(&header, 0, sizeof header);
  std::memcpy(header.name, name.data(), std::min(name.size(), sizeof header.name - 1));
  put_octal(header.mode, 0600);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, size);
  put_octal(header.mtime,
            static_cast<unsigned long long>(std::max<std::int64_t>(0, time.seconds())));
  header.type = '0';
  std::memcpy(header.magic, "ustar", 6);
  std::memcpy(header.version, "00", 2);
  // Its own field counts as blanks.
  std::memset(header.checksum, ' ', sizeof header.checksum);
  unsigned sum = 0;
  for (std::size_t i = 0; i < sizeof header; ++i)
    sum += reinterpret_cast<const unsigned char*>(&header)[i];
  std::snprintf(header.checksum, sizeof header.checksum, "%06o", sum);
  header.checksum[7] = ' ';
  return header;
}

bool names_a_secret(std::string_view key) {
  const std::string name = lower_case(key);
  if (std::find(std::begin(kOpenNames), std::end(kOpenNames), name) != std::end(kOpenNames))
    return false;
  if (name == "key" || name.ends_with("_key") || name == "id" || name.ends_with("accessor"))
    return true;
  return std::any_of(std::begin(kSecretNames), std::end(kSecretNames),
                     [&name](std::string_view part) { return name.find(part) != name.npos; });
}

bool looks_like_a_token(std::string_view text) {
  return text.size() >= 20 &&
         std::any_of(std::begin(kTokens), std::end(kTokens),
                     [text](std::string_view begin) { return text.starts_with(begin); });
}

}  // namespace

std::string tar_of(const std::vector<std::pair<std::string, std::string>>& files, WallTime time) {
  std::string tar;
  for (const auto& file : files) {
    const Header header = header_of(file.first, file.second.size(), time);
    tar.append(reinterpret_cast<const char*>(&header), sizeof header);
    tar += file.second;
    tar.resize((tar.size() + kBlock - 1) / kBlock * kBlock, '\0');
  }
  return tar + std::string(2 * kBlock, '\0');
}

Json without_secrets(const Json& value) {
  if (value.is_object()) {
    std::vector<Json::Member> members;
    for (const Json::Member& member : value.members()) {
      // Numbers and switches tell nothing that opens anything.
      const bool hides =
          names_a_secret(member.first) && (member.second.is_string() || member.second.is_array());
      members.emplace_back(member.first,
                           hides ? Json(std::string(kRemoved)) : without_secrets(member.second));
    }
    return Json::object_of(std::move(members));
  }
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& item : value.items()) list.push(without_secrets(item));
    return list;
  }
  if (value.is_string() && looks_like_a_token(value.text())) return Json(std::string(kRemoved));
  return value;
}

}  // namespace leasehold::cli
