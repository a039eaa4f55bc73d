#pragma once
// One audit record, flat: what happened, by whom, allowed by what. It knows no Request; the core
// maps. body() writes it as one line of JSON with Vault's field names; the sequencer puts `seq` and
// `prev` in front of it and never changes a byte behind them. Every string in `request.data` and
// `response.data` is replaced by its HMAC in one streaming pass, unless its top-level key is
// one to leave clear; tokens always are. What a request makes the log repeat has a byte budget, so
// that nobody fills the log with small requests: data and metadata beyond it are replaced by one
// HMAC of the whole, other texts are cut and followed by theirs. Views: valid during the call only.
// Thread-safe functions.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/format.h"
#include "vault/base/clock.h"
#include "vault/base/texts.h"
#include "vault/crypto/hash.h"

namespace leasehold::audit {

// Bytes as written, escapes and HMACs included, of all that is not of a fixed size: what a line
// says of token and request, which stands in both lines of a request; and what it says of the
// answer. With the rest of two lines a refused request takes up less than 16 KiB.
inline constexpr std::size_t kRequestBytesMax = 5u << 10;
inline constexpr std::size_t kResponseBytesMax = 16u << 10;
// Within them, of one text or list.
inline constexpr std::size_t kPathBytesMax = 2u << 10;
inline constexpr std::size_t kMetadataBytesMax = 2u << 10;
inline constexpr std::size_t kErrorBytesMax = 1u << 10;
inline constexpr std::size_t kWarningsBytesMax = 1u << 10;  // all of an answer
inline constexpr std::size_t kNamesBytesMax = 768;          // of policies
inline constexpr std::size_t kTextBytesMax = 640;
inline constexpr std::size_t kHeadersBytesMax = 1u << 10;  // of a request, all of them

enum class Type { request, response };

struct Record {
  Type type = Type::request;
  WallTime time;
  std::string_view error;   // already fit for the client; empty: none
  std::string_view reason;  // of a refusal, what the client was not told; empty: nothing

  struct Auth {
    std::string_view client_token;  // HMACed
    std::string_view accessor;      // HMACed
    std::string_view display_name;
    std::span<const std::string> policies, token_policies, identity_policies;
    bool allowed = false;
    std::span<const std::string> granting_policies;
    std::string_view metadata_json;  // an object, HMACed leaf by leaf; empty: none
    std::string_view entity_id, token_type;
    std::int64_t token_ttl = 0;  // seconds
    WallTime token_issue_time;
    std::int64_t num_uses = 0, remaining_uses = 0;
  } auth;
  bool has_auth = false;

  // A header of the request that the operator wants on record.
  struct Header {
    std::string_view name;
    bool hmac = false;
    std::vector<std::string_view> values;  // in their order
  };

  struct Request {
    std::string_view id, operation, path;
    std::string_view mount_point, mount_type, mount_accessor, mount_class;
    std::string_view client_token, client_token_accessor;  // HMACed
    std::string_view data_json;                            // HMACed leaf by leaf
    bool data_omitted = false;  // there was a body, and no valid token with it
    // What it asks for is durable with this line, and its answer waits until that is seen done.
    bool answer_awaited = false;
    std::string_view remote_address, certificate_serial;
    int remote_port = 0;
    std::span<const Header> headers;
    std::int64_t wrap_ttl = 0;
    std::string_view purpose;  // why, when the caller said so
  } request;

  struct Response {
    std::string_view data_json;  // HMACed leaf by leaf
    std::string_view lease_id;
    std::span<const std::string> warnings;
    // A token or login this response hands out.
    std::string_view auth_client_token, auth_accessor;  // HMACed
    std::span<const std::string> auth_policies;
    std::int64_t auth_ttl = 0;
    struct Wrap {  // in place of the answer, which is wrapped
      std::string_view token, accessor, wrapped_accessor;  // HMACed
      std::string_view creation_path;
      WallTime creation_time;
      std::int64_t ttl = 0;  // seconds
    };
    std::optional<Wrap> wrap;
    int status = 0;
  } response;

  // Of this mount: audit_non_hmac_request_keys and audit_non_hmac_response_keys.
  std::span<const std::string> clear_request_keys, clear_response_keys;
  // Of this route: HMACed whatever they hold, also where they are among the clear ones.
  std::span<const std::string> sensitive_request_keys;
};

void append_body(Texts& to, const Record& record, const crypto::HmacKey& key);
// Both lines of a request at once, from the record of its response: what they have in common is
// written and hashed once. The first has the time `requested`.
void append_both(Texts& to, const Record& record, WallTime requested, const crypto::HmacKey& key);
// What the vault does by itself: `event` says what ("lease-revoked"), `fields_json` is an object
// that holds no secret.
std::string event_body(std::string_view event, WallTime time, std::string_view fields_json);

// "hmac-sha256:<hex>" of one value, as `sys/audit-hash` answers.
std::string hmac_text(std::string_view value, const crypto::HmacKey& key);
// Copies JSON text to `out` with every string value replaced by its HMAC; keys, numbers, booleans
// stay, but under a top-level key that is sensitive: there every value is hidden. `json` was
// written by us; anything unreadable, or too long so, is HMACed whole.
void hmac_json(std::string& out, std::string_view json, const crypto::HmacKey& key,
               std::span<const std::string> clear_keys, std::size_t bytes_max = kResponseBytesMax,
               std::span<const std::string> sensitive_keys = {});

}  // namespace leasehold::audit
