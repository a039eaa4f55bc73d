// New passwords. One that the server took may still not let the vault in: a pooler may have a list
// of its own. Of the manager nobody else knows the new one, so it is tried, and the one from before
// is set again where it is refused.

#include "backends/target/postgresql_accounts.h"

namespace leasehold::postgresql {

Status Accounts::set_password(const std::string& account, const SecretBytes& password,
                              const std::vector<std::string>& statements, Instant deadline) {
  VAULT_TRY(be_connected(deadline));
  VAULT_TRY(change_password(account, password, statements, deadline));
  if (account != manager_.user) return {};
  const Status login = try_login(account, password, deadline);
  return login.is(Code::denied) ? put_back_password(login.error(), statements, deadline) : Status();
}

Status Accounts::change_password(const std::string& account, const SecretBytes& password,
                                 const std::vector<std::string>& statements, Instant deadline) {
  static const std::vector<std::string> kOwn{"ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'"};
  const auto rows =
      run_with_password(statements.empty() ? kOwn : statements, account, password, {}, deadline);
  if (rows.ok()) return {};
  // What others wrote may say the password in the server's answer, changed so that it is not seen
  // there; a rotation that failed is taken up again with the same one.
  if (statements.empty() || !rows.is(Code::denied)) return rows.error();
  return failure(Code::denied, "the server refused root_rotation_statements (SQLSTATE " +
                                   manager_.session->last_state() + ")");
}

// With the same statements, which may have told others, too; with our own where these do not do it.
Error Accounts::put_back_password(const Error& why, const std::vector<std::string>& statements,
                                  Instant deadline) {
  const Settings& settings = server_->settings();
  const SecretBytes& before = manager_.with_next ? settings.next_password : settings.password;
  Status back = change_password(manager_.user, before, statements, deadline);
  if (!statements.empty() && !(back.ok() && try_login(manager_.user, before, deadline).ok()))
    back = change_password(manager_.user, before, {}, deadline);
  const std::string said =
      "the statements ran, but the new password does not log in: " + why.message;
  if (!back.ok())
    return failure(Code::deadline,
                   said + "; nor could the one from before be set again: " + back.error().message);
  Error error = failure(Code::denied, said + "; the one from before is set again", why.detail);
  if (!manager_.pooled) return error;
  return with_advice(std::move(error),
                     "the pooler before the server has passwords of its own (pgbouncer: "
                     "auth_file): let it ask the server (auth_query), or name the server itself in "
                     "connection_url");
}

}  // namespace leasehold::postgresql
