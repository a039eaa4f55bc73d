#pragma once
// The stations of the road: what Core::handle may wait for. Each refuses at once or completes
// exactly once, also at shutdown; after submitting it touches nothing. Only Core::handle uses them,
// under the form that scripts/check verifies (g++ 12 miscompiles others): one co_await alone in a
// statement.

#include <coroutine>

#include "vault/core/road/audit_append.h"
#include "vault/core/road/audit_lines.h"
#include "vault/core/road/detached.h"
#include "vault/core/road/effects.h"
#include "vault/core/road/gate.h"
#include "vault/core/road/in_flight.h"
#include "vault/core/road/latches.h"
#include "vault/core/road/patience.h"
#include "vault/core/road/workers.h"

namespace leasehold::core {

// Named as the road reads them: `co_await committed(flight)`.
// NOLINTBEGIN(readability-identifier-naming)

// Something to wait for; resumes the coroutine on the loop that suspended it.
template <class Op>
class Suspended : protected Op {
 public:
  Suspended() = default;
  Suspended(const Suspended&) = delete;
  Suspended& operator=(const Suspended&) = delete;

 protected:
  void suspend(std::coroutine_handle<> frame) {
    frame_ = frame;
    this->home = Loop::current();
    this->resume = [](Waiter* waiter) {
      static_cast<Suspended*>(static_cast<Op*>(waiter))->frame_.resume();
    };
  }
  std::coroutine_handle<> frame_;
};

// What is left to say about a request, in the audit log.
class [[nodiscard]] recorded : Suspended<AuditWait> {
 public:
  recorded(InFlight& flight, Workers& workers) {
    if (flight.live == nullptr) return;
    if (flight.recording == Recording::both) return;
    AuditAppend& append = AuditAppend::current();
    if (flight.lines.empty())
      append_bodies(flight, flight.answer, append.lines());
    else
      for (std::size_t i = 0; i < flight.lines.size(); ++i)
        append.lines().push_back(flight.lines[i]);
    append.add(this, *flight.live->audit, workers);
    waits_ = true;
  }
  bool await_ready() const noexcept { return !waits_; }
  void await_suspend(std::coroutine_handle<> frame) { suspend(frame); }
  Status await_resume() { return std::move(written); }

 private:
  bool waits_ = false;
};

// The batch of a request, made durable. Ready at once when there is nothing to write.
class [[nodiscard]] committed : Suspended<commit::Submission> {
 public:
  explicit committed(InFlight& flight)
      : flight_(flight), taken_(std::exchange(flight.batch, std::nullopt)) {
    if (taken_ && !taken_->empty()) batch = &*taken_;
  }
  bool await_ready() const noexcept { return batch == nullptr; }
  bool await_suspend(std::coroutine_handle<> frame) {
    suspend(frame);
    return flight_.live->committer.submit(this);
  }
  Status await_resume() {
    if (batch == nullptr) return {};
    const Status outcome = status();
    if (!outcome.ok()) return is_in_doubt() ? flight_.was_left_in_doubt(*taken_, outcome) : outcome;
    flight_.was_committed(*taken_);
    flight_.orders.warning_in_doubt.clear();  // it is of this batch, and of no later one
    if (flight_.orders.on_commit) std::exchange(flight_.orders.on_commit, nullptr)();
    if (flight_.use_begun && !flight_.uses_left) flight_.uses_left = counted;
    return {};
  }

 private:
  bool is_in_doubt() const { return refused.ok() && result.outcome == storage::Outcome::unknown; }

  InFlight& flight_;
  std::optional<RequestBatch> taken_;
};

// Runs `f` here, or on a worker of the class that the route asks for. A large body is let into its
// class before anything is done for it that a refusal would lose, and what runs anew there was let
// in before. What has not begun when the vault is being sealed does not begin, unless it must.
template <class F>
class [[nodiscard]] placed : Suspended<WorkerTask> {
 public:
  using Entry = WorkerTask::Entry;
  placed(Workers& workers, const Admitted& flight, Place place, F f, Entry as = Entry::asks)
      : workers_(workers),
        place_(place),
        f_(std::move(f)),
        live_(as == Entry::asks ? flight.live : nullptr) {
    this->asker = flight.request.remote_address;
    const bool let_in = flight.large_body_was_read() || flight.reads_much;
    const bool goes_on = as == Entry::asks && place == Place::bodies && let_in;
    this->entry = goes_on ? Entry::goes_on : as;
  }
  bool await_ready() {
    const bool here = place_ == Place::inline_;
    if (here) result_ = f_();
    return here;
  }
  bool await_suspend(std::coroutine_handle<> frame) {
    this->suspend(frame);
    this->work = [](WorkerTask* task) {
      auto* self = static_cast<placed*>(task);
      const bool begins = self->live_ == nullptr || !self->live_->is_sealing();
      self->result_ = begins ? self->f_() : Status(vault_is_sealed());
    };
    return workers_.submit(class_of(place_), this);
  }
  Status await_resume() { return this->refused.ok() ? std::move(result_) : this->refused; }

 private:
  Workers& workers_;
  const Place place_;
  F f_;
  const Unsealed* const live_;  // null: it begins in any case
  Status result_;
};

// Records the intent and works on the target, on the target's own thread.
class [[nodiscard]] applied final : Patience {
 public:
  explicit applied(InFlight& flight)
      : Patience(flight), flight_(flight), effect_(*flight.planned->effect) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> frame);
  Status await_resume();

 private:
  bool gives_up(bool time_is_over) override;
  Status settle_untried(const Error& why);

  InFlight& flight_;
  const Effect& effect_;
  std::shared_ptr<EffectJob> job_;
  std::coroutine_handle<> frame_;
  Status refused_;
  bool records_ = false;  // the request's line stands in the batch of the job
  bool abandoned_ = false, begun_ = false;
};

// Until the leases a request revoked are gone, for 15 s at most (revoked.cpp).
class [[nodiscard]] revoked final : Suspended<RevocationWait>, Patience {
 public:
  explicit revoked(InFlight& flight) : Patience(flight), flight_(flight) {}
  bool await_ready() const noexcept { return flight_.orders.awaited.empty(); }
  bool await_suspend(std::coroutine_handle<> frame);
  Status await_resume();

 private:
  bool gives_up(bool time_is_over) override;

  InFlight& flight_;
  bool late_ = false;
};

// Until nobody before it runs alone on the same, for 10 s at most; not while the vault is being
// sealed, nor for a client that has gone.
class [[nodiscard]] latched final : Suspended<LatchWait>, Patience {
 public:
  latched(Latches& latches, const InFlight& flight, Latch& latch)
      : Patience(flight), latches_(latches), asker_(flight.asker), latch_(latch) {
    key = flight.latch_key();
    at_target = flight.runs_alone();
  }
  bool await_ready() const noexcept { return latch_.held(); }
  bool await_suspend(std::coroutine_handle<> frame);
  Status await_resume();

 private:
  bool gives_up(bool time_is_over) override;

  Latches& latches_;
  const Exchange& asker_;
  Latch& latch_;
};

// NOLINTEND(readability-identifier-naming)

}  // namespace leasehold::core
