// sys/storage/backup: a backup of the running vault, handed out piece by piece. One at a time; the
// snapshot it reads is given up when nobody asked for a piece for a minute, and after six hours
// whoever asks, since it keeps what is erased meanwhile from being reused.

#include <algorithm>
#include <thread>

#include "vault/backup/writer.h"
#include "vault/base/encoding.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr Nanos kIdleMax{Seconds{60}}, kLookEvery{Seconds{1}};
constexpr Nanos kLifeMax{Seconds{6 * 3600}};

class Backups {
 public:
  explicit Backups(Unsealed& live) : live_(live) {}
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;
  ~Backups() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (watcher_.joinable()) watcher_.join();
  }

  Result<Response> begin(WallTime now) {
    MutexLock lock(mutex_);
    if (writer_ && !writer_->done())
      return failure(Code::invalid,
                     "another backup is being made: wait until it ends, or give it up with DELETE "
                     "sys/storage/backup/" +
                         id_);
    VAULT_TRY_ASSIGN(auto snapshot, live_.environment.storage.snapshot());
    VAULT_TRY_ASSIGN(writer_, backup::Writer::begin(std::move(snapshot), live_.barrier, now));
    if (!watcher_.joinable()) watcher_ = std::thread([this] { watch(); });
    id_ = uuid(live_.environment.random);
    given_ = 0;
    piece_.clear();
    begun_ = used_ = live_.environment.clock.instant();
    changed_.notify_all();
    Json data = Json::object();
    data.set("id", id_).set("commit", writer_->header().group);
    data.set("store_id", hex(writer_->header().store));
    data.set("created", rfc3339(writer_->header().created));
    return Response::of(data);
  }

  // Piece `number`, from 1 on: the one behind the last, or the last once more.
  Result<Response> piece(const std::string& id, std::int64_t number) {
    MutexLock lock(mutex_);
    if (!writer_ || id != id_)
      return failure(Code::not_found,
                     "no such backup: it ended, or nobody asked for a piece for a minute, or it "
                     "took more than six hours");
    used_ = live_.environment.clock.instant();
    const bool again = number == given_ && given_ > 0;
    if (!again && (number != given_ + 1 || writer_->done()))
      return failure(Code::invalid,
                     "the next piece of this backup is " + std::to_string(given_ + 1));
    if (!again) {
      const Status made = writer_->next(piece_);
      if (!made.ok()) {
        drop();
        return made.error();
      }
      ++given_;
    }
    Response response;
    response.form = Response::Form::raw;
    response.content_type = writer_->done() ? "application/vnd.leasehold.backup-end"
                                            : "application/vnd.leasehold.backup";
    response.data = SecretBytes(ByteView(piece_));
    return response;
  }

  void give_up(const std::string& id) {
    MutexLock lock(mutex_);
    if (id == id_) drop();
  }

 private:
  void drop() REQUIRES(mutex_) {
    writer_.reset();
    id_.clear();
    piece_ = {};
  }

  void watch() {
    MutexLock lock(mutex_);
    while (!stopping_) {
      if (!writer_) {
        changed_.wait(mutex_);
      } else if (live_.environment.clock.instant() < end_of_use()) {
        changed_.wait_for(mutex_, kLookEvery);
      } else {
        if (!writer_->done())
          live_.environment.log.warn("a backup was given up: {}",
                                     end_of_use() < add(used_, kIdleMax)
                                         ? "it took more than six hours"
                                         : "nobody asked for its next piece");
        drop();
      }
    }
  }

  Instant end_of_use() const REQUIRES(mutex_) {
    return std::min(add(used_, kIdleMax), add(begun_, kLifeMax));
  }

  Unsealed& live_;
  Mutex mutex_;
  Condition changed_;
  std::unique_ptr<backup::Writer> writer_ GUARDED_BY(mutex_);
  std::string id_ GUARDED_BY(mutex_);
  std::int64_t given_ GUARDED_BY(mutex_) = 0;  // pieces so far
  Bytes piece_ GUARDED_BY(mutex_);             // the last of them
  Instant begun_ GUARDED_BY(mutex_);
  Instant used_ GUARDED_BY(mutex_);  // when a piece was last asked for
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread watcher_;
};

Action on_worker(Action action) {
  action.place = Place::lists;
  return action;
}

}  // namespace

void add_backup_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto backups = std::make_shared<Backups>(live);
  const std::string begin_path = "storage/backup";
  Route begin =
      route(begin_path, {},
            {on_worker(asks([backups](Call& call, ReadTxn&) { return backups->begin(call.now); }))},
            "Begins a backup of the vault's storage");
  begin.description =
      "Answers the id of the backup, whose pieces are then read from storage/backup/:id. It is "
      "made "
      "from one state of the storage while the vault goes on. `leasehold operator backup` does it "
      "all.";
  begin.sudo = true;
  routes.push_back(std::move(begin));

  Route pieces =
      route("storage/backup/:id", {{"piece", FieldType::integer, Json(1), "Its number, from 1 on"}},
            {reads(
                 [backups](Call& call, ReadTxn&) {
                   return backups->piece(call.fields.text("id"), call.fields.integer("piece"));
                 },
                 Place::lists),
             removes([backups](Call& call, WriteTxn&) -> Result<Response> {
               backups->give_up(call.fields.text("id"));
               return Response::none();
             })},
            "Reads the next piece of a backup, or gives the backup up");
  pieces.description =
      "Pieces are asked for in order; the last one may be asked for again. Its content type says "
      "when "
      "a piece is the last.";
  pieces.sudo = true;
  pieces.granted_with = begin_path;
  routes.push_back(std::move(pieces));
}

}  // namespace leasehold::core
