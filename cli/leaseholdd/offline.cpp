#include "cli/leaseholdd/offline.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "cli/leaseholdd/dev_mode.h"
#include "vault/audit/verify.h"
#include "vault/base/encoding.h"
#include "vault/commit/head.h"
#include "vault/commit/restored.h"

namespace leasehold::server_process {

namespace {

void say(const std::string& line) { std::printf("%s\n", line.c_str()); }

// The findings of one verification, each said as it comes.
class Findings {
 public:
  void contradiction(const std::string& text) {
    whole_ = false;
    say("NOT WHOLE: " + text);
  }
  bool whole() const { return whole_; }

 private:
  bool whole_ = true;
};

Result<commit::Verified> count_records(storage::Snapshot& snapshot,
                                       const barrier::Barrier& barrier) {
  const bool watched = isatty(STDERR_FILENO) != 0;
  auto verified = commit::verify_store(snapshot, barrier, [&](std::uint64_t records) {
    if (watched) std::fprintf(stderr, "\r%llu records", static_cast<unsigned long long>(records));
    return true;
  });
  if (watched) std::fprintf(stderr, "\r\033[K");
  return verified;
}

void judge_slots(const seal::Opened& opened, storage::Snapshot& snapshot, Findings& findings) {
  if (!opened.slots) return say("the seal's slots are not listed yet: a vault of an older version");
  const auto records = seal::read_records(snapshot);
  if (!records.ok() || !*records)
    return findings.contradiction("the records of the seal cannot be read");
  for (const seal::SlotRecord& slot : (*records)->slots) {
    if (const auto why = seal::disagreement(*opened.slots, slot))
      findings.contradiction("seal slot " + hex(slot.id) + ": " + *why);
    else if (slot.unreadable)
      findings.contradiction("seal slot " + hex(slot.id) + " cannot be read");
  }
  for (const seal::SlotEntry& gone : seal::missing_from(*opened.slots, (*records)->slots))
    findings.contradiction("seal slot " + hex(gone.id) + " is gone: its record was taken away");
}

Status judge_log(const std::vector<std::string>& files, const barrier::Barrier& barrier,
                 const commit::Head& head, Findings& findings) {
  audit::VerifyOptions options;
  options.public_key = crypto::ed25519_public(barrier.keys().audit_sign.reveal());
  const audit::CommitKey commits(barrier.keys().audit_sign.reveal(), barrier.store());
  options.commits = &commits;
  if (head.audit_position.seq != 0) {
    options.head = head.audit_position.hash;
    options.head_seq = head.audit_position.seq;
  }
  VAULT_TRY_ASSIGN(const auto verdict, audit::verify_files(files, options));
  for (const std::string& one : verdict.breaks) findings.contradiction(one);
  if (verdict.store_id_hex != hex(barrier.store()))
    findings.contradiction("the log is another vault's (store " + verdict.store_id_hex + ")");
  else if (verdict.last_commit > head.group)
    findings.contradiction(
        fmt::format("the log tells of commit {}, and this store ends at commit {}: an older copy "
                    "of it was put back",
                    verdict.last_commit, head.group));
  else
    say(fmt::format("log: {} records, the newest of commit {}; the store ends at commit {}",
                    verdict.records, verdict.last_commit, head.group));
  return {};
}

}  // namespace

Status verify_offline(const Options& options, storage::Storage& storage, seal::Seal& seal,
                      Random& random, bool& whole) {
  std::optional<commit::NotedHead> noted;
  if (!options.head.empty()) {
    VAULT_TRY_ASSIGN(noted, commit::NotedHead::parse(options.head));
  }
  if (!seal.initialized()) return failure(Code::invalid, "this store was never initialized");
  VAULT_TRY_ASSIGN(seal::Opened opened, open_for_verify(seal));
  const barrier::Barrier barrier(opened.store.id, std::move(opened.keys), random);
  VAULT_TRY_ASSIGN(auto snapshot, storage.snapshot());
  VAULT_TRY_ASSIGN(const auto mark, commit::read_restored(*snapshot));
  if (mark)
    say("this store was restored from a backup and has not been opened since, but for drills");

  Findings findings;
  VAULT_TRY_ASSIGN(const auto verified, count_records(*snapshot, barrier));
  if (!verified.matches)
    findings.contradiction(
        fmt::format("{} records: one was deleted, replayed or changed behind the vault's back",
                    verified.records));
  judge_slots(opened, *snapshot, findings);
  VAULT_TRY_ASSIGN(const auto runs, commit::read_runs(*snapshot, barrier));
  if (noted)
    if (const auto why = commit::contradiction(*noted, verified.head, runs))
      findings.contradiction(*why);
  if (!options.logs.empty()) VAULT_TRY(judge_log(options.logs, barrier, verified.head, findings));

  whole = findings.whole();
  if (whole)
    say(fmt::format("{} records: whole; the head record's hash covers every one of them",
                    verified.records));
  say("head: " + commit::NotedHead::of(verified.head).to_text());
  if (!noted && options.logs.empty())
    say("note this head elsewhere: a store that was put back as a whole is found with -head, or "
        "with "
        "-log");
  return {};
}

}  // namespace leasehold::server_process
