#include "backends/engine/database_twin.h"

#include <utility>
#include <vector>

namespace leasehold::engine::database {
namespace {

using target::Connection;

constexpr Nanos kAskedFor = std::chrono::seconds(2);  // the address from before
constexpr std::string_view kMark = "\n(twin)";        // in no server's name

// Of a URL what stands between the manager and the database; of a keyword string the keywords.
std::string address_of(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme != std::string::npos && scheme < url.find('=')) {
    const std::string rest = url.substr(scheme + 3, url.find('?', scheme) - scheme - 3);
    const std::string authority = rest.substr(0, rest.rfind('/'));
    const auto at = authority.rfind('@');
    return at == std::string::npos ? authority : authority.substr(at + 1);
  }
  std::string address;
  for (const char* const keyword : {"host", "hostaddr", "port"}) {
    const auto from = (" " + url).find(std::string(" ") + keyword + "=");
    if (from == std::string::npos) continue;
    address += url.substr(from, url.find(' ', from) - from) + " ";
  }
  return address;
}

// For asking who is there alone.
class Twin final : public Connection {
 public:
  explicit Twin(std::unique_ptr<Connection> real) : real_(std::move(real)) {}
  std::string identity() const override { return real_->identity() + std::string(kMark); }
  Status ends_only() const override { return real_->ends_only(); }
  bool took_next_password() const override { return real_->took_next_password(); }
  bool got_in_with(const SecretBytes& next) const override { return real_->got_in_with(next); }
  Result<std::string> create(const target::CreateOrder& order, Instant deadline) override {
    return real_->create(order, deadline);
  }
  Status renew(const target::RenewOrder& order, Instant deadline) override {
    return real_->renew(order, deadline);
  }
  Result<target::Revoked> revoke(const target::RevokeOrder& order, Instant deadline) override {
    return real_->revoke(order, deadline);
  }
  Status end_other_incarnations(Instant deadline) override {
    return real_->end_other_incarnations(deadline);
  }
  Result<std::vector<std::string>> list(const std::string& prefix, Instant deadline) override {
    return real_->list(prefix, deadline);
  }
  Status set_password(const std::string& account, const SecretBytes& password,
                      const std::vector<std::string>& statements, Instant deadline) override {
    return real_->set_password(account, password, statements, deadline);
  }
  std::vector<std::string> advice(Instant deadline) override { return real_->advice(deadline); }
  Status ping(Instant deadline) override { return real_->ping(deadline); }

 private:
  const std::unique_ptr<Connection> real_;
};

class Beside final : public target::Target {
 public:
  Beside(std::unique_ptr<target::Target> next, std::unique_ptr<target::Target> before,
         std::string name, Clock& clock)
      : next_(std::move(next)), before_(std::move(before)), name_(std::move(name)), clock_(clock) {}
  Result<std::unique_ptr<Connection>> connect(const target::Tag& tag, Instant deadline) override {
    auto made = next_->connect(tag, deadline);
    if (!made.ok() || (*made)->identity() != name_) return made;
    // A standby is refused by the target itself, as is what is down.
    const Instant soon = add(clock_.instant(), kAskedFor);
    const auto old = before_->connect(tag, soon < deadline ? soon : deadline);
    if (!old.ok() || (*old)->identity() != name_) return made;
    return std::unique_ptr<Connection>(std::make_unique<Twin>(std::move(*made)));
  }
  std::string account_name(const target::Tag& tag, std::string_view role,
                           std::string_view id) const override {
    return next_->account_name(tag, role, id);
  }
  std::string_view kind() const override { return next_->kind(); }
  unsigned connections_max() const override { return next_->connections_max(); }

 private:
  const std::unique_ptr<target::Target> next_, before_;
  const std::string name_;
  Clock& clock_;
};

}  // namespace

bool same_address(const Json& settings, const Json& other) {
  return address_of(settings.string_at("connection_url")) ==
         address_of(other.string_at("connection_url"));
}

std::unique_ptr<target::Target> beside(std::unique_ptr<target::Target> next,
                                       std::unique_ptr<target::Target> before, std::string name,
                                       Clock& clock) {
  return std::make_unique<Beside>(std::move(next), std::move(before), std::move(name), clock);
}

bool take_twin_mark(std::string& name) {
  if (!name.ends_with(kMark)) return false;
  name.resize(name.size() - kMark.size());
  return true;
}

}  // namespace leasehold::engine::database
