#include "vault/core/authority/policy.h"

namespace leasehold::core {
namespace {

bool has_parameters(Operation operation) {
  return operation == Operation::read || operation == Operation::create ||
         operation == Operation::update || operation == Operation::patch;
}

Asked as_asked(Operation operation, std::string_view path, bool needs_sudo,
               const std::optional<Seconds>& wrap_ttl) {
  return {
      path,    needed_for(operation), lists_names(operation), has_parameters(operation), needs_sudo,
      wrap_ttl};
}

}  // namespace

std::uint16_t needed_for(Operation operation) {
  switch (operation) {
    case Operation::read:
    case Operation::head:
      return kRead;
    case Operation::list:
      return kList;
    case Operation::scan:
      return kScan;
    case Operation::create:
      return kCreate;
    case Operation::update:
      return kUpdate;
    case Operation::patch:
      return kPatch;
    case Operation::remove:
      return kDelete;
    case Operation::help:
      return 0;
  }
  return kDeny;
}

Decision Acl::decide(Operation operation, std::string_view path, const Json& body, bool needs_sudo,
                     const std::optional<Seconds>& wrap_ttl) const {
  return PolicySet::decide(as_asked(operation, path, needs_sudo, wrap_ttl), body);
}

Decision Acl::decide(Operation operation, std::string_view path, const Json& body, bool needs_sudo,
                     const std::optional<Seconds>& wrap_ttl, Slash slash) const {
  return PolicySet::decide(as_asked(operation, path, needs_sudo, wrap_ttl), body,
                           slash == Slash::is_dropped);
}

std::vector<std::string> Acl::capabilities(std::string_view path, Slash slash) const {
  return PolicySet::capabilities(path, slash == Slash::is_dropped);
}

}  // namespace leasehold::core
