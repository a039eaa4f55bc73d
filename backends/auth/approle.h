#pragma once
// What the files of approle share. A role is kept under roles/<name>; role-ids/<hash> leads from
// its role id to it. Its secret ids lie in a directory of the role's own,
// secrets/<directory>/<hash>, with accessors/<directory>/<accessor> leading to each: only a hash of
// a secret id is kept. What is left of its uses is a counter, uses/<directory>/<hash>.

#include "backends/auth/token_fields.h"
#include "vault/core/contract/records.h"
#include "vault/core/contract/routes.h"

namespace leasehold::auth::approle {

using core::Call;
using core::Field;
using core::Fields;
using core::FieldType;
using core::ReadTxn;
using core::Response;
using core::Route;
using core::WriteTxn;

inline constexpr std::string_view kOlder[] = {"policies", "period"};

struct Role {
  std::string name;
  Json record;
  std::string directory() const { return record.string_at("directory"); }
};
std::string role_record(std::string_view name);
// Of the field role_name; Code::not_found `role "x" does not exist`.
Result<Role> role_of(const Fields& fields, ReadTxn& txn);
Result<std::optional<Role>> find_role(const std::string& name, ReadTxn& txn);
Result<std::optional<Role>> find_role_by_id(std::string_view role_id, ReadTxn& txn);

// Code::invalid names the first that is no network.
Status check_cidrs(const std::vector<std::string>& ranges);

struct Secret {
  std::string directory, hash;
  Json record;
  std::string accessor() const { return record.string_at("accessor"); }
};
// Valid or not; nothing when it is unknown.
Result<std::optional<Secret>> find_secret(const Role& role, std::string_view secret_id,
                                          ReadTxn& txn);
// Why it serves no more, such as "the secret id has expired"; empty: it does.
Result<std::string_view> why_over(const Secret& secret, ReadTxn& txn, WallTime now);
// One use less; the last one erases it. Not for one that is no longer valid.
Status spend(const Secret& secret, WriteTxn& txn);
Status erase_secret(const Secret& secret, WriteTxn& txn);
// Erases expired and spent secret ids, and those of removed roles: a slice of due work.
Result<core::DueSlice> erase_some_over(WriteTxn& txn, const std::string& from, WallTime now);
// The secret ids of a role that is being removed: nothing leads to them, and due work erases them.
Status forget_secrets(const Role& role, WriteTxn& txn);

void add_role_routes(std::vector<Route>& routes);
void add_secret_routes(std::vector<Route>& routes);

}  // namespace leasehold::auth::approle
