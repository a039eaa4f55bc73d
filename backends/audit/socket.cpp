#include "backends/audit/socket.h"

#include <syslog.h>

#include <algorithm>

#include "backends/audit/queued_device.h"

namespace leasehold::audit {
namespace {

constexpr std::string_view kSocketOptions[] = {"address", "socket_type", "write_timeout"};
constexpr std::string_view kSyslogOptions[] = {"facility", "tag", "address", "write_timeout"};
constexpr const char* kSystemLog = "/dev/log";
constexpr std::size_t kTagMax = 32;  // RFC 3164, section 4.1.3

struct Facility {
  std::string_view name;
  int value;
};
constexpr Facility kFacilities[] = {
    {"KERN", LOG_KERN},     {"USER", LOG_USER},         {"MAIL", LOG_MAIL},
    {"DAEMON", LOG_DAEMON}, {"AUTH", LOG_AUTH},         {"SYSLOG", LOG_SYSLOG},
    {"LPR", LOG_LPR},       {"NEWS", LOG_NEWS},         {"UUCP", LOG_UUCP},
    {"CRON", LOG_CRON},     {"AUTHPRIV", LOG_AUTHPRIV}, {"FTP", LOG_FTP},
    {"LOCAL0", LOG_LOCAL0}, {"LOCAL1", LOG_LOCAL1},     {"LOCAL2", LOG_LOCAL2},
    {"LOCAL3", LOG_LOCAL3}, {"LOCAL4", LOG_LOCAL4},     {"LOCAL5", LOG_LOCAL5},
    {"LOCAL6", LOG_LOCAL6}, {"LOCAL7", LOG_LOCAL7},
};

Result<Transport> take_transport(Stanza& options) {
  VAULT_TRY_ASSIGN(const std::string type, options.text("socket_type", "tcp"));
  if (type == "tcp") return Transport::tcp;
  if (type == "udp") return Transport::udp;
  if (type == "unix") return Transport::unix_stream;
  return refused(options, "socket_type", "\"socket_type\" is \"tcp\", \"udp\" or \"unix\"");
}

Result<std::string> take_address(Stanza& options, Transport transport) {
  VAULT_TRY_ASSIGN(std::string address, options.text("address"));
  if (address.empty())
    return refused(options, "address",
                   "an audit socket needs \"address\" in its options: host:port, or the path of a "
                   "unix socket");
  const std::size_t colon = address.rfind(':');
  if (transport == Transport::unix_stream) {
    if (address.front() == '/') return address;
    return refused(options, "address", "\"address\" of a unix socket must be an absolute path");
  }
  const bool has_both = colon != std::string::npos && colon > 0 && colon + 1 < address.size();
  if (has_both) return address;
  return refused(options, "address", "\"address\" must be host:port");
}

Result<int> take_priority(Stanza& options) {
  VAULT_TRY_ASSIGN(std::string name, options.text("facility", "AUTH"));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  for (const Facility& one : kFacilities)
    if (one.name == name) return one.value | LOG_INFO;
  return refused(options, "facility",
                 "\"facility\" is AUTH, AUTHPRIV, DAEMON, USER, LOCAL0 to LOCAL7, or another of "
                 "syslog's");
}

Result<std::string> take_tag(Stanza& options) {
  VAULT_TRY_ASSIGN(std::string tag, options.text("tag", "leasehold"));
  const bool fits = !tag.empty() && tag.size() <= kTagMax &&
                    std::all_of(tag.begin(), tag.end(), [](unsigned char c) {
                      return c > ' ' && c < 0x7f && c != ':' && c != '[' && c != ']';
                    });
  if (fits) return tag;
  return refused(options, "tag", "\"tag\" is 1 to 32 characters without spaces, colons, brackets");
}

}  // namespace

Result<std::unique_ptr<Device>> make_socket_device(Stanza& stanza, const Setting& setting) {
  Stanza options;
  VAULT_TRY_ASSIGN(auto taken, take_device_options(stanza, options, kSocketOptions));
  VAULT_TRY_ASSIGN(const Transport transport, take_transport(options));
  VAULT_TRY_ASSIGN(const Nanos patience, take_write_timeout(options));
  const auto address = take_address(options, transport);
  VAULT_TRY(options.finish());
  VAULT_TRY(address);
  auto device =
      std::make_unique<QueuedDevice>(make_socket_outlet(transport, *address, setting.clock),
                                     std::move(taken.view), patience, setting.clock);
  describe(*device, "socket", std::move(taken), options, kSocketOptions);
  return std::unique_ptr<Device>(std::move(device));
}

Result<std::unique_ptr<Device>> make_syslog_device(Stanza& stanza, const Setting& setting) {
  Stanza options;
  VAULT_TRY_ASSIGN(auto taken, take_device_options(stanza, options, kSyslogOptions));
  VAULT_TRY_ASSIGN(const int priority, take_priority(options));
  VAULT_TRY_ASSIGN(const std::string tag, take_tag(options));
  VAULT_TRY_ASSIGN(const Nanos patience, take_write_timeout(options));
  VAULT_TRY_ASSIGN(const std::string path, options.text("address", kSystemLog));
  VAULT_TRY(options.finish());
  auto device =
      std::make_unique<QueuedDevice>(make_syslog_outlet(path, priority, tag, setting.clock),
                                     std::move(taken.view), patience, setting.clock);
  describe(*device, "syslog", std::move(taken), options, kSyslogOptions);
  return std::unique_ptr<Device>(std::move(device));
}

}  // namespace leasehold::audit
