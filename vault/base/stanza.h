#pragma once
// One block of the configuration file, e.g. `seal "tpm" { device = "/dev/tpmrm0" }`: kind, labels
// and keys with their lines. The code that owns the stanza takes the keys it knows; `finish()` then
// reports, with file, line and column, every value that could not be read and every key that was
// not taken. Lives in base so that a backend can read its own stanza without knowing where
// configuration comes from.
//
//   VAULT_TRY_ASSIGN(const bool force, stanza.flag("force", false));
//   VAULT_TRY_ASSIGN(std::string path, stanza.text("path"));
//   VAULT_TRY(stanza.finish());
//   VAULT_TRY_ASSIGN(path, stanza.require_text("path"));

#include <set>
#include <span>
#include <string>
#include <vector>

#include "vault/base/duration.h"
#include "vault/base/hcl.h"
#include "vault/base/problems.h"
#include "vault/base/result.h"

namespace leasehold {

// A key that Vault knows and this server has no use for, and what its absence means for whoever
// relied on it.
struct Ignored {
  std::string_view key, meaning;
};

class Stanza {
 public:
  Stanza() = default;
  Stanza(std::string file, HclBlock block) : file_(std::move(file)), block_(std::move(block)) {}

  const std::string& kind() const { return block_.type; }  // "seal"
  std::string label(std::size_t i) const {                 // "tpm"; empty when there is none
    return i < block_.labels.size() ? block_.labels[i] : std::string();
  }
  std::string where(std::string_view key = {}) const;  // "vault.hcl:12:3"
  bool has(std::string_view key) const { return block_.body.find(key) != nullptr; }

  // Strings, numbers and booleans are interchangeable, as in Vault's files. Each marks the key
  // taken. A value that cannot be read is the fallback, and finish() says so.
  Result<std::string> text(std::string_view key, std::string_view fallback = {});
  Result<std::string> require_text(std::string_view key);
  Result<bool> flag(std::string_view key, bool fallback);
  Result<std::int64_t> number(std::string_view key, std::int64_t fallback);
  Result<Seconds> duration(std::string_view key, Seconds fallback);
  Result<std::vector<std::string>> texts(
      std::string_view key);  // a list, or one comma-separated string
  // A list or a map as it stands; null when absent.
  const Json* value(std::string_view key);
  // A nested block (`options { … }`) as a stanza of its own; empty when absent.
  Stanza nested(std::string_view type);
  std::vector<Stanza> nested_all(std::string_view type);

  // Taken, and warned of: `file:line:column: "key" is accepted and has no effect: meaning`.
  void ignore(std::span<const Ignored> keys);
  std::vector<std::string> ignore(std::initializer_list<std::string_view> keys);
  const std::vector<std::string>& warnings() const { return warnings_; }
  void warn(std::string_view key, std::string_view message);  // the same, in the caller's words
  void warn_of(const Stanza& nested);                         // takes over its warnings
  // Something about a value that only its owner can judge; finish() says it.
  void refuse(std::string_view key, std::string_view message);
  // Code::invalid naming all that is wrong, one a line; of a key that nobody took the known one
  // that is nearest. Before what is missing is told, because a misspelt key is missing, too.
  Status finish() const;

  // The keys and values as they stand, secrets included: for `options`-like blocks whose keys are
  // free.
  const HclBody& body() const { return block_.body; }

 private:
  std::string title() const;  // `seal "tpm"`
  std::string unknown(const std::string& key) const;
  std::string at(int line, int column) const;
  bool takes_warned_key(std::string_view key, std::span<const Ignored> keys);

  std::string file_;
  HclBlock block_;
  std::set<std::string, std::less<>> taken_, suggested_;
  std::vector<std::string> warnings_;
  Problems problems_;
};

}  // namespace leasehold
