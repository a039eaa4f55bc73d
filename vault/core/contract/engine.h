#pragma once
// The contract of an engine: one table of routes. Routing, parameter checks, path-help, the sudo
// and unauthenticated lists and OpenAPI all come from that table. An engine is a file in
// backends/engine/, an auth method one in backends/auth/; each ends in `make_x` and has a row in
// backends/catalog.h. A login handler answers Response::of_login().
//
// A handler's signature says what it may do:
//
//   Read    looks at a snapshot; inline on the io thread, or on a worker when the action says so
//   Write   reads are versioned, writes are buffered; the pipeline commits it and, on a conflict,
//           runs it again
//   Effect  work on another machine: plan (a Read), what it asks of the target, on the lane's
//           thread, settle (a Write)
//
// Nothing else reaches storage or a target. Handlers run on any thread; engines hold no mutable
// state.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "vault/base/log.h"
#include "vault/base/random.h"
#include "vault/commit/txn.h"
#include "vault/core/contract/intent.h"
#include "vault/core/contract/request.h"
#include "vault/core/contract/response.h"
#include "vault/target/target_row.h"

namespace leasehold::core {

using commit::ReadTxn;
using commit::WriteTxn;

enum class FieldType : std::uint8_t {
  text,
  integer,
  boolean,
  duration,    // whole seconds; negative refused
  comma_list,  // array, or one comma-separated string
  text_list,   // array, or a single string; no comma split
  text_map,    // object of strings, or array of k=v
  map,
  any,
};
struct Field {
  std::string name;
  FieldType type = FieldType::text;
  Json fallback;  // null: absent
  std::string help;
  // Never in clear in the audit log, whatever its type and whatever the mount lists as harmless.
  bool sensitive = false;
  // What a write without it is answered (400); empty: it may be absent.
  std::string required = {};
};

// The typed values of a request: path captures over body over defaults. Made by the pipeline.
class Fields {
 public:
  bool given(std::string_view name) const;  // present in the request itself
  std::string text(std::string_view name) const;
  SecretBytes secret(std::string_view name) const;  // the text of what must be wiped
  std::int64_t integer(std::string_view name) const;
  bool boolean(std::string_view name) const;
  Seconds duration(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  const Json& json(std::string_view name) const;  // converted; null when absent
  void set(std::string name, Json value, bool given);

 private:
  struct Value {
    std::string name;
    Json value;
    bool given;
  };
  std::vector<Value> values_;
};

// Every list can be read in parts: the names behind `after`, at most `limit` of them (0, absent,
// "max" or "none": all).
struct Page {
  std::string after;
  std::size_t limit = 0;
};
std::vector<Field> page_fields();
Result<Page> page_of(const Json& query);  // of a list; null: all
std::vector<std::string> part_of(std::vector<std::string> sorted_names, const Page& page);

// Who calls, as policy and handlers see it. Filled by Core::identify.
struct Caller {
  bool present = false;
  std::string accessor;
  barrier::OrderedId token_id{};  // of the token's record; of a batch token, which has none: unique
  bool batch = false;
  std::string display_name;
  std::vector<std::string> policies;
  std::string entity_id;
  bool is_root = false;
  bool has_sudo = false;                  // `sudo` on this very path
  std::optional<std::int64_t> uses_left;  // after this use; nothing: unlimited
  std::optional<WallTime> expires;
  bool was_last_use() const { return uses_left && *uses_left <= 0; }
  // As Vault shows it: 0 for unlimited, -1 after the last use.
  std::int64_t shown_uses_left() const { return was_last_use() ? -1 : uses_left.value_or(0); }
};

struct MountInfo {
  std::string path;  // "database/", "auth/token/"
  std::string type, accessor, uuid, description;
  barrier::Space space{};
  Seconds default_ttl{0}, max_ttl{0};  // resolved: never 0
  Json options;                        // object or null
  std::string token_type;              // of an auth method's tokens: "default-service"
};

// Goes on record with the request's own lines, in clear: no secret.
struct Event {
  std::string name;
  Json fields;
};

struct Call {
  const Request& request;
  const MountInfo& mount;
  const Caller& caller;
  Fields fields;
  std::string_view path;  // behind the mount
  WallTime now;
  Random& random;
  // They make a body: for answers that have one, and where Vault warns, too.
  std::vector<std::string> warnings;
  // The same, where Vault answers without a body and clients count on that.
  std::vector<std::string> quiet_warnings;
  std::vector<Event> events;  // written with the batch; an effect's settle adds them
};

// Names in the space of an engine with targets, each followed by the target's id in hex; stored,
// and never changed. What is unsettled was a rotation when there was nothing else.
inline constexpr std::string_view kTargets = "targets/",  // how each is reached
    kRetired = "retired/",  // those that no configuration has any more
    kServers = "servers/", kUnsettled = "rotations/";

using ReadHandler = std::function<Result<Response>(Call&, ReadTxn&)>;
using WriteHandler = std::function<Result<Response>(Call&, WriteTxn&)>;
struct Effect {
  std::function<Result<Intent>(Call&, ReadTxn&)> plan;
  // Of a Check: a target that is not configured yet (a config write being tried). It returns null
  // when nothing is to be tried.
  std::function<Result<std::unique_ptr<target::Target>>(Call&, ReadTxn&)> candidate;
  // After the target did it. The lease is made ACTIVE in the same batch.
  std::function<Result<Response>(Call&, WriteTxn&, const Intent&)> settle;
  // How an error of the target reads to the client; null: as it is. The vault's own are not asked
  // about, whatever their text.
  std::function<Error(const Error&)> explain;
  // Of an intent that must outlive its process, as a Rotate: what is durable before the target is
  // asked, under kUnsettled and the target's id. settle erases it; after a crash, Engine::recover.
  std::function<Status(Call&, WriteTxn&, const Intent&)> record = {};
  // Of a Probe whose target could not be reached, so that nothing began: the warning with which it
  // is settled all the same, as an intent::Nothing. Null: it is refused.
  std::function<std::string(const Error&)> untried = {};
};

// Where a handler runs; each but the first has threads and a queue of its own (road/workers.h).
enum class Place : std::uint8_t {
  inline_,  // on the io thread: bounded, and short
  lists,    // grows with what is stored: lists, walks
  hashes,   // hashes passwords
  outside,  // waits for a device, a target or its own commits
  bodies,   // has a large body; no route asks for it
  gate,     // init and unseal, which are no engine's
};
struct Action {
  Operation operation;
  std::variant<ReadHandler, WriteHandler, Effect> handler;
  Place place = Place::inline_;
  // Ends credentials: may use the space that is kept for it on a full disk, and is done while no
  // audit device works.
  bool frees = false;
};

struct Route {
  std::string pattern;  // "creds/:name", "config/:name", ":path*" (the rest, slashes included; may
                        // be empty)
  std::vector<Field> fields;
  std::vector<Action> actions;  // update also answers create unless create stands alone
  bool sudo = false;
  bool unauthenticated = false;
  // A path of the same mount: who may update that one needs no right to this one. A policy that
  // denies this one holds all the same.
  std::string granted_with;
  // Opens a wrapped answer: without `token` in the body, the caller's own token is the one to open.
  bool takes_wrapping_token = false;
  // Its names mean the same in any case: who asks needs the right for the lower case, too.
  bool folds_case = false;
  // Of a pattern that ends in `*`. Dropped: who asks for "x/" needs the right for "x", too.
  Slash slash = Slash::is_dropped;
  // Unauthenticated where the listener lets strangers; null: never.
  bool ListenerTraits::*open_by = nullptr;
  // Of a login: the alias it claims to be, from the request alone and before anything is verified,
  // so that who failed too often is refused at once.
  std::function<std::string(const Fields&)> login_alias;
  bool whole_body = false;   // the body is the data (kv v1): no field checks, no warning
  std::size_t body_max = 0;  // bytes of the body as it came; 0: what the listener takes
  std::function<Result<bool>(Call&, ReadTxn&)> exists;  // null: writes are always updates
  std::string synopsis, description;
};

// What one slice of an engine's due work did.
struct DueSlice {
  std::string next;       // where the next one begins; empty: that was the last
  std::int64_t done = 0;  // what it ended, for the record; 0: nothing
};

struct Recovery {
  target::Connection& connection;
  // Of this process: what it began itself may still be under way (intent::Rotate::run).
  const std::string& run;
  Instant deadline;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::span<const Route> routes() const = 0;
  // The target behind an id, from its stored settings; kept as long as a lease names it.
  virtual Result<std::unique_ptr<target::Target>> target(const TargetId& id, ReadTxn& txn);
  // What an operator calls it, for the log.
  virtual std::string target_name(const TargetId& id, ReadTxn& txn);
  // Whether it has any: their settings are "targets/<id in hex>" in its space. Beside a name
  // "retired/<id in hex>" they may go when no lease needs them any more; the core sees to that.
  // An id stands for one server: "servers/<id in hex>" is {"server": Connection::identity()}. The
  // core writes it with the first connection and refuses any other server from then on.
  virtual bool has_targets() const { return false; }
  // `server` answered where `id` led to: whether new accounts of its configuration are made on
  // another target from here on, which `txn` then says. False: no configuration leads to `id`.
  virtual Result<bool> moved(const TargetId& id, const std::string& server, WriteTxn& txn);
  // An intent that Effect::record made durable and its process did not settle. At a start the core
  // connects to each target that has one, as soon as it can be reached, and asks with a connection
  // that shows what became of it: one that needed the new password (took_next_password, since
  // target() knows both as long as the record is there), or the first one of a process, once the
  // sessions of earlier ones have ended. What happened, or did not, is settled in `txn`, the record
  // erased, and the event says so; nothing: the record is another's, or it is not over.
  virtual Result<std::optional<Event>> recover(const TargetId& id, const Recovery& recovery,
                                               WriteTxn& txn);
  // Of an auth method: what the login behind `renew_data` would be granted today. When its user or
  // role is gone nothing is renewed: Code::invalid with a text, or Code::not_found, answered 204.
  virtual Result<Login> renew_login(std::string_view renew_data, ReadTxn& txn);
  // Of an auth method: the role, or user, that these fields of a login route log in as, for limits
  // by role; empty: none, or one that is not there. Nothing is verified. Which method has any:
  virtual bool has_login_roles() const { return false; }
  virtual Result<std::string> login_role(const Fields& login, ReadTxn& txn);
  // A mount of version `from` of the same type becomes one of this version, with its records as
  // they are: what this version must know to read them is written to `txn`, at once, however many
  // they are. Code::invalid: it cannot.
  virtual Status upgrade(int from, WriteTxn& txn, WallTime now);
  // What an engine does by itself, in each of its mounts, now and then: expiry, tidying. None:
  // never.
  virtual std::optional<Seconds> due_every() const { return std::nullopt; }
  // A bounded part of it, in one batch, from `from` on ("": the beginning). It looks at much and
  // writes little: what is only looked at is read by a ReadTxn of the same snapshot, whose reads
  // are not guarded. Runs again on conflict (road/due_work.h).
  virtual Result<DueSlice> due(WriteTxn& txn, const std::string& from, WallTime now);
};

// What a factory gets. References outlive the engine.
struct EngineContext {
  Clock& clock;
  Random& random;
  LogSink& log;
  std::span<const target::TargetRow> targets;  // the kinds of target in this build
};

using MakeEngine = std::unique_ptr<Engine>(const EngineContext&);

// An engine or an auth method of backends/catalog.h. Of an engine in several versions, the row that
// stands first is the one that a mount gets without options.version.
struct EngineRow {
  std::string_view wire_type;  // "kv"
  int version;                 // of options.version; 0: there is only one
  MakeEngine* make;
  std::string_view help;
  // What else a client may call this version when it mounts one: "kv-v2".
  std::array<std::string_view, 2> other_names = {};
};

}  // namespace leasehold::core
