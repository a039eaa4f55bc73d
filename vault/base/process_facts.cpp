#include "vault/base/process_facts.h"

namespace leasehold {

namespace {

Json& kept() {
  static Json& configuration = *new Json(Json::object());  // threads may ask while main() ends
  return configuration;
}

}  // namespace

void set_sanitized_configuration(Json configuration) { kept() = std::move(configuration); }
const Json& sanitized_configuration() { return kept(); }

}  // namespace leasehold
