#include "vault/core/leases/token_events.h"

#include "vault/audit/record.h"
#include "vault/base/encoding.h"

namespace leasehold::core {

std::string token_event(std::string_view event, const Token& token, WallTime now,
                        const crypto::HmacKey& audit_key) {
  Json fields = Json::object();
  fields.set("accessor", audit::hmac_text(token.accessor, audit_key));
  fields.set("display_name", token.display_name).set("path", token.path);
  fields.set("created", rfc3339(token.created));
  if (token.expires) fields.set("expire_time", rfc3339(*token.expires));
  return audit::event_body(event, now, fields.dump());
}

}  // namespace leasehold::core
