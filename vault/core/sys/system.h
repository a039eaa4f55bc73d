#pragma once
// The engines the core itself is: sys/, auth/token/, cubbyhole/ and identity/. They use the same
// table of routes as every other engine, and reach the vault's own parts through `Unsealed`.

#include "vault/core/contract/routes.h"
#include "vault/core/road/unsealed.h"

namespace leasehold::core {

// The catalog's rows and the system engines. References into `live` are used at request time only.
std::vector<std::unique_ptr<EngineKind>> all_engine_kinds(Unsealed& live);

std::unique_ptr<Engine> make_token_engine(Unsealed& live);
std::unique_ptr<Engine> make_system_engine(Unsealed& live);
std::unique_ptr<Engine> make_identity_engine(Unsealed& live);

std::vector<Route> cubbyhole_routes(Unsealed& live);

// The parts of sys/, one file each.
void add_mount_routes(std::vector<Route>& routes, Unsealed& live);
void add_quota_routes(std::vector<Route>& routes, Unsealed& live);
void add_ui_mount_routes(std::vector<Route>& routes, Unsealed& live);
void add_remount_routes(std::vector<Route>& routes, Unsealed& live);
// A bounded part of the records of moves that are long over.
Result<DueSlice> erase_old_remounts(WriteTxn& txn, WallTime now);
void add_policy_routes(std::vector<Route>& routes, Unsealed& live);
void add_capability_routes(std::vector<Route>& routes, Unsealed& live);
void add_explain_routes(std::vector<Route>& routes, Unsealed& live);
void add_password_policy_routes(std::vector<Route>& routes);
void add_tool_routes(std::vector<Route>& routes);
void add_lease_routes(std::vector<Route>& routes, Unsealed& live);
void add_job_routes(std::vector<Route>& routes, Unsealed& live);
void add_reconcile_route(std::vector<Route>& routes, Unsealed& live);
void add_locked_user_routes(std::vector<Route>& routes, Unsealed& live);
void add_audit_routes(std::vector<Route>& routes, Unsealed& live);
void add_request_header_routes(std::vector<Route>& routes, Unsealed& live);
void add_wrapping_routes(std::vector<Route>& routes, Unsealed& live);
void add_backup_routes(std::vector<Route>& routes, Unsealed& live);
void add_restored_routes(std::vector<Route>& routes, Unsealed& live);
void add_openapi_route(std::vector<Route>& routes, Unsealed& live);
void add_ha_routes(std::vector<Route>& routes, Unsealed& live);
void add_seal_routes(std::vector<Route>& routes, Unsealed& live);
void add_rekey_routes(std::vector<Route>& routes, Unsealed& live);
void add_generate_root_routes(std::vector<Route>& routes, Unsealed& live);
void add_rotate_routes(std::vector<Route>& routes, Unsealed& live);

// Clients ask for it; nothing here is left behind that would need it. `what`, for the log:
// "leases".
Route tidy_route(std::string pattern, std::string what, LogSink& log);

// So many leases an answer waits for. Where more begin to end it says so, as one that came too
// early does, and never that they are gone.
inline constexpr std::size_t kAwaitedMax = 10'000;
Response too_many_to_await();

// The compiled set and the Acl of one token, as a handler needs them: with what its entity adds.
Result<Acl> acl_of(Unsealed& live, ReadTxn& txn, const Caller& caller, WallTime now);
Result<Acl> acl_of(Unsealed& live, ReadTxn& txn, const Token& token, WallTime now);

}  // namespace leasehold::core
