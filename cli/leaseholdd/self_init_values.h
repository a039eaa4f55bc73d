#pragma once
// Values of a self-initialization that come from elsewhere: in `data` an object with "eval_source"
// stands for what its source has.
//
//   password = { eval_source = "env"  env_var = "ADMIN_PASSWORD" }
//   policy   = { eval_source = "file"  path = "/etc/leasehold/app.hcl" }
//   role_id  = { eval_source = "response"  initialize_name = "apps"  response_name = "role-id"
//                field_selector = "data.role_id" }
//   again    = { eval_source = "request"  initialize_name = "apps"  request_name = "role"
//                field_selector = "data.policies" }
//
// "eval_type" converts: string (the default where the source is text), int, float, bool. Functions
// and values; not thread-shared. What a source holds may be a secret: no error quotes it.

#include <map>
#include <string>

#include "vault/base/json.h"
#include "vault/base/result.h"

namespace leasehold::server_process {

// What each request sent and got so far: {"data": …}, and of an answer also "auth" and the rest.
struct Exchanged {
  Json request, response;
};
using ExchangedByName = std::map<std::pair<std::string, std::string>, Exchanged>;

// `given` with every such object replaced, also those inside. Code::invalid names source and
// reason.
Result<Json> evaluated(const Json& given, const ExchangedByName& before);

}  // namespace leasehold::server_process
