#include "api/server/http_date.h"

#include <algorithm>
#include <ctime>

#include "vault/base/result.h"

namespace leasehold::server {

void HttpDate::print(std::int64_t second) {
  constexpr std::int64_t kEndOfYear9999 = 253'402'300'799;
  const std::time_t time = std::min(std::max<std::int64_t>(second, 0), kEndOfYear9999);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  // The names of days and months are those of the C locale: the process never sets another.
  VAULT_ASSERT(std::strftime(text_.data(), text_.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts) ==
               kSize);
  second_ = second;
}

}  // namespace leasehold::server
