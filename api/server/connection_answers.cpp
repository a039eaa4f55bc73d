// A connection's answers: from the core, or its own, to bytes that have arrived; and its end.

#include <utility>

#include "api/server/connection.h"

namespace leasehold::server {
namespace {

constexpr Seconds kRetryAfter{1};

}  // namespace

// Nothing that follows on this connection can be trusted to begin where it seems to.
void Connection::refuse(int status, std::string_view message) {
  close_after_ = true;
  head_request_ = http_1_0_ = false;
  kept_.release();
  answer_here({status, std::string(message)});
}

void Connection::answer_here(const WireError& refusal) {
  core::Response answer = reply_of(refusal);
  if (refusal.status == 503) answer.retry_after = kRetryAfter;
  send_reply(std::move(answer), false, refusal.location);
}

void Connection::deliver(core::Response&& answer) {
  VAULT_ASSERT(busy_);
  VAULT_ASSERT(Loop::current() == &thread_.loop());
  busy_ = false;
  in_flight_ = 0;
  --thread_.loop().live;
  if (hung_up_) {
    await_arrival(answer);
    return close();
  }
  if (thread_.closing()) close_after_ = true;
  send_reply(std::move(answer), true);
  if (thread_.closing() && !unarrived_.empty()) return close();  // nobody will see it arrive
  if (!advancing_) advance();
}

void Connection::send_reply(core::Response&& answer, bool from_core, std::string_view location) {
  ReplyBuffer& out = thread_.reply();
  encode_reply(answer,
               {head_request_, close_after_, http_1_0_ && !close_after_, socket_.secure(),
                thread_.date(), location, &gate_.endpoint().settings().headers},
               out);
  std::string_view left = out.view();
  answered_ += left.size();
  const bool failed = write_some(left) == Io::failed;
  if (!failed) unsent_.append(left);
  out.wipe_used();
  if (from_core && (failed || !unsent_.empty() || peer_closed_)) await_arrival(answer);
  if (failed) return close();
  if (unsent_.empty()) after_reply();
}

// Shortens `bytes` by what was sent.
Io Connection::write_some(std::string_view& bytes) {
  while (!bytes.empty()) {
    const IoResult sent = socket_.write(bytes);
    if (sent.status != Io::done)
      return sent.status == Io::would_block ? Io::would_block : Io::failed;
    bytes.remove_prefix(sent.bytes);
  }
  return Io::done;
}

void Connection::flush() {
  std::string_view left = unsent_.text().substr(unsent_from_);
  const std::size_t before = left.size();
  if (write_some(left) == Io::failed) return close();
  unsent_from_ = unsent_.size() - left.size();
  if (left.size() < before) gate_.writing.enter(*this);
  if (!left.empty()) return;
  unsent_.release();
  unsent_from_ = 0;
  if (!peer_closed_) unarrived_.clear();
  after_reply();
}

// Closing while the peer still sends would destroy the answer on its way: it is given time to read.
void Connection::after_reply() {
  if (!close_after_) return;
  kept_.release();
  socket_.shut_writing();
  phase_ = Phase::lingering;
}

bool Connection::discard_some() {
  const IoResult got = socket_.discard(thread_.scratch());
  if (got.status == Io::ended || got.status == Io::failed) end_of_input();
  return got.status == Io::done;
}

void Connection::await_arrival(const core::Response& answer) {
  core::Issued issued = core::issued_by(answer);
  if (!issued.nothing()) unarrived_.push_back(std::move(issued));
}

// A peer that sent its FIN may have closed its side, or all: only that it acknowledges what was
// sent shows that it still reads. Our own FIN makes the end of that an event.
void Connection::end_of_input() {
  if (unarrived_.empty() || socket_.is_lost()) return close();
  if (phase_ != Phase::lingering) socket_.shut_writing();
  phase_ = Phase::confirming;
  confirm();
}

void Connection::confirm() {
  if (socket_.all_arrived()) close();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  if (phase_ == Phase::confirming && !hung_up_ && socket_.all_arrived()) unarrived_.clear();
  phase_ = Phase::closed;
  leave_deadline();
  thread_.loop().disarm(next_turn_);
  if (waits_to_parse_) thread_.stop_waiting(*this);
  thread_.loop().remove(socket_.fd());
  kept_.release();
  unsent_.release();
  account();
  for (core::Issued& lost : unarrived_) thread_.shared().handler.undelivered(std::move(lost));
  unarrived_.clear();
  thread_.bury(*this);
}

}  // namespace leasehold::server
