// A log that somebody wrote to while the vault was down: an older copy of the store is put beside
// it, and whatever is appended, cut or exchanged, the store is not taken for the newest.
#include <doctest/doctest.h>

#include "tests/audit/support.h"
#include "vault/audit/tail_check.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

using Lines = std::vector<std::string>;

Position place_of(const std::string& line) {
  const auto parsed = parse_line(line);
  REQUIRE(parsed.ok());
  return {parsed->seq, line_hash(parsed->previous, parsed->seq, parsed->body)};
}

std::string line_behind(const Position& last, const std::string& body) {
  std::string line;
  append_line(line, last.seq + 1, last.hash, body);
  line.pop_back();
  return line;
}

Lines operator+(Lines lines, const Lines& more) {
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

const std::string kRequest = R"({"time":"t","type":"request"})";

// Two runs, each closed in order. What the store remembered after each stands beside them.
struct TwoRuns {
  Folder folder;
  const std::string file = folder / "audit.log";
  Lines older, newer;  // the lines of the first run, and of the second
  Identity first = test_identity(), second = test_identity();

  TwoRuns() {
    run(first, 10);
    older = lines_of(read_file(file));
    second = first;
    run(second, 20);
    newer = lines_of(read_file(file));
    newer.erase(newer.begin(), newer.begin() + static_cast<long>(older.size()));
  }
  // As the vault does: a commit of its own, others with lines, and the head that remembers the end.
  void run(Identity& identity, std::uint64_t commit) const {
    Running running(file);
    REQUIRE(running.log->start(identity).ok());
    running.log->note_commit(commit);
    for (int i = 0; i < 4; ++i) {
      const std::string_view bodies[] = {kRequest};
      REQUIRE(running.log->write(bodies, ++commit).ok());
    }
    running.log->close();
    const Synced seen = running.log->synced();
    identity.commit = commit;
    identity.remembered = seen.last;
    identity.held = seen.held;
    identity.closed = seen.closed;
  }
  Lines all() const { return older + newer; }
  std::size_t at(const std::string& type, const Lines& lines) const {
    for (std::size_t i = 0; i < lines.size(); ++i)
      if (lines[i].find("\"type\":\"" + type + "\"") != std::string::npos) return i;
    FAIL("no such line");
    return 0;
  }

  struct Start {
    Status status;
    std::string log;
    bool older() const {
      return !status.ok() && status.error().message.find("older copy") != std::string::npos;
    }
    bool changed() const {
      return !status.ok() && log.find("changed while the server was down") != std::string::npos;
    }
    bool cut() const { return status.ok() && log.find("somebody cut it") != std::string::npos; }
    bool silent() const { return status.ok() && log.empty(); }
  };
  Start start(const Lines& lines, const Identity& identity) const {
    write_file(file, joined(lines));
    Running running(file);
    Start started;
    started.status = running.log->start(identity);
    started.log = running.sink.text();
    return started;
  }
};

}  // namespace

TEST_CASE_FIXTURE(TwoRuns, "audit tail: both stores open beside the log that ends with them") {
  CHECK(start(older, first).silent());
  CHECK(start(all(), second).silent());
}

TEST_CASE_FIXTURE(TwoRuns, "audit tail: nothing that is appended hides that a store is older") {
  const Position end = place_of(newer.back()), known = first.remembered;
  const Gap here{"file " + file, end, 0}, away{"file " + file, known, 0};
  const Cut cut{"file " + file, known, end};
  const Lines run = {newer.begin(), newer.begin() + 2};
  const std::string made_up = R"({"seq":1,"prev":")" + std::string(64, '0') + R"(","x":1})";
  const std::string far_away =
      R"({"seq":4000000000,"prev":")" + std::string(64, '0') + R"(","x":1})";
  const Lines appended[] = {
      {},
      {made_up},
      {far_away},
      {made_up, far_away},
      {"no line of ours", made_up},
      {older[at("checkpoint", older)]},
      {newer[at("checkpoint", newer)]},  // the newer run's first: it tells of no newer commit
      run,                               // with its epoch
      {older.back()},                    // the known line itself
      {older.end() - 2, older.end()},
      {older.begin() + 2, older.end()},
      older,  // all that the older store's log was
      older + run,
      {line_behind(end, kRequest)},
      {line_behind(known, kRequest)},
      {line_behind(known, epoch_body(first, WallTime{}, known, 0))},
      {line_behind(end, closed_body(WallTime{}))},
      {line_behind(end, gap_body(Identity{}, WallTime{}, {&here, 1}))},
      {line_behind(known, gap_body(Identity{}, WallTime{}, {&here, 1}))},
      {line_behind(known, gap_body(Identity{}, WallTime{}, {&away, 1}))},
      {line_behind(known, cut_body(WallTime{}, {&cut, 1}))},
      Lines(100, made_up),
  };
  for (const Lines& more : appended) {
    CAPTURE(joined(more));
    const Start found = start(all() + more, first);
    CHECK(found.older());
    // Beside the newer store the same is no end of its log, except what chains to it.
    const auto next = parse_line(more.empty() ? "" : more.front());
    const bool chains = next.ok() && next->previous == end.hash;
    const Start current = start(all() + more, second);
    CHECK(current.status.ok() == (more.empty() || (chains && current.silent())));
  }
}

TEST_CASE_FIXTURE(TwoRuns, "audit tail: nor does what is taken out or put elsewhere") {
  for (std::size_t i = 0; i + 1 < newer.size(); ++i) {  // one line, anywhere
    CAPTURE(i);
    Lines some = newer;
    some.erase(some.begin() + static_cast<long>(i));
    CHECK(start(older + some, first).older());
    some = newer;
    std::swap(some[i], some[i + 1]);
    const Start exchanged = start(older + some, first);
    CHECK_FALSE(exchanged.status.ok());
    some = newer;
    some.insert(some.begin() + static_cast<long>(i), kRequest);
    CHECK(start(older + some, first).older());
    // What is left of a file that was begun later.
    CHECK(start({newer.begin() + static_cast<long>(i), newer.end()}, first).older());
  }
  // Without the line that tells of its first commit nothing is left that could tell.
  const Lines no_end(newer.begin(), newer.begin() + 2);
  CHECK(start(older + no_end, first).status.ok());
}

TEST_CASE_FIXTURE(TwoRuns, "audit tail: however much is signed behind the known line is ours") {
  Lines lines = older;
  lines.resize(lines.size() - 2);  // a run that goes on
  Identity identity = first;
  identity.closed = false;
  identity.remembered = place_of(lines.back());
  identity.held = {{id_of("file " + file), identity.remembered}};
  for (int i = 0; i < 60; ++i) {
    const Position last = place_of(lines.back());
    lines.push_back(
        line_behind(last, i % 5 == 4 ? checkpoint_body(first, WallTime{}, last) : kRequest));
  }
  write_file(file, joined(lines));
  LogFile device(file, 0600);
  REQUIRE(device.open().ok());
  TailBounds bounds;
  bounds.unsigned_lines = 8;
  const auto found = examine_tail(device, identity, identity.remembered, bounds);
  REQUIRE(found.ok());
  CHECK_FALSE(found->changed);
}

TEST_CASE_FIXTURE(TwoRuns, "audit tail: a log that was cut opens with an error, at any line") {
  for (std::size_t left = 1; left < older.size(); ++left) {
    CAPTURE(left);
    const Lines some(older.begin(), older.begin() + static_cast<long>(left));
    CHECK(start(some, first).cut());
    // A replay behind the cut is no way to have lines forgotten.
    CHECK_FALSE(start(older + some, first).status.ok());
  }
  // Cut with the copy, at its very end: what only a head noted elsewhere finds (decision 040).
  CHECK(start(older, first).silent());
}

TEST_CASE_FIXTURE(TwoRuns, "audit tail: a gap record that no run signed accounts for nothing") {
  const Position end = second.remembered;
  std::filesystem::rename(file, file + ".1");
  const Lines kept(newer.begin(), newer.begin() + 3);
  const Gap gap{"file " + file, place_of(kept.back()), 0};
  const Lines forged = {line_behind(end, gap_body(Identity{}, WallTime{}, {&gap, 1}))};
  write_file(file + ".1", joined(older + kept));
  CHECK(start(forged, second).changed());
  write_file(file, joined(forged));
  Verdict verdict = verified({file + ".1", file});
  CHECK_FALSE(verdict.whole);
  CHECK(verdict.broken.find("no run of the vault signed") != std::string::npos);

  // Also when a start went on behind it and signed: its epoch does not say that it is its own.
  const auto signed_over = [&](Lines lines, std::optional<std::uint64_t> told) {
    const Position last = place_of(lines.back());
    lines.push_back(line_behind(last, epoch_body(second, WallTime{}, last, told)));
    const Position epoch = place_of(lines.back());
    lines.push_back(line_behind(epoch, checkpoint_body(second, WallTime{}, epoch)));
    write_file(file, joined(lines));
    return verified({file + ".1", file});
  };
  verdict = signed_over(forged, 0);
  CHECK_FALSE(verdict.whole);
  CHECK(verdict.broken.find(file + ":1: no run of the vault signed") != std::string::npos);
  CHECK(signed_over(forged, 1).whole);   // the vault's own
  CHECK(signed_over(forged, {}).whole);  // and that of an earlier version
  // An epoch record that somebody made up vouches for nothing.
  Lines more = forged;
  const Position at_gap = place_of(forged.back());
  more.push_back(line_behind(at_gap, epoch_body(second, WallTime{}, at_gap)));
  CHECK_FALSE(signed_over(more, 0).whole);
}

TEST_CASE("audit tail: a rotation between a hard stop and the start leaves lines, and no break") {
  Folder folder;
  const std::string file = folder / "audit.log", before = file + ".1";
  Identity identity = test_identity();
  identity.commit = 10;
  const Position known = [&] {
    Running running(file);
    REQUIRE(running.log->start(identity).ok());
    REQUIRE(running.add("known").ok());
    const Position position = running.log->position();
    for (int i = 0; i < 5; ++i) REQUIRE(running.add("behind").ok());
    std::filesystem::copy_file(file, before);  // as a kill leaves it
    return position;
  }();
  const auto go_on = [&] {
    std::filesystem::remove(file);
    Running running(file);
    Identity again = identity;
    again.remembered = known;
    REQUIRE(running.log->start(again).ok());
    REQUIRE(running.add("after").ok());
    running.log->close();
    return verified({before, file});
  };
  const Lines left = lines_of(read_file(before));
  Verdict verdict = go_on();
  CHECK(verdict.broken == "");
  const auto noted = [&](const std::string& text) {
    return std::any_of(verdict.notes.begin(), verdict.notes.end(), [&](const std::string& note) {
      return note.find(text) != std::string::npos;
    });
  };
  CHECK(noted("the log goes on from line " + std::to_string(known.seq) + " in " + before));
  CHECK(noted("the 5 lines behind it are not followed up"));

  write_file(before, joined(left) + "{\"seq\":");  // and half a line
  CHECK(go_on().whole);
  // What a checkpoint signed is not dropped: it is there, and is told.
  const auto signed_behind = [&](Lines lines, const Identity& by) {
    const Position last = place_of(lines.back());
    lines.push_back(line_behind(last, checkpoint_body(by, WallTime{}, last)));
    return lines;
  };
  write_file(before, joined(signed_behind(left, identity)));
  verdict = go_on();
  CHECK(verdict.broken == "");
  CHECK(noted("the 6 lines behind it (5 of them signed) are not followed up"));
  // Lines that are gone are gone, also signed ones.
  write_file(before, joined({left.begin(), left.begin() + 2}));
  CHECK_FALSE(go_on().whole);
  // The store had gone further than where this one goes on: an older copy of it.
  Identity newer = identity;
  newer.commit = 11;
  write_file(before, joined(signed_behind(left, newer)));
  CHECK_FALSE(go_on().whole);
  const Position last = place_of(left.back());
  for (const std::string& body :
       {closed_body(WallTime{}), epoch_body(identity, WallTime{}, last, 0)}) {
    write_file(before, joined(signed_behind(left + Lines{line_behind(last, body)}, identity)));
    CHECK_FALSE(go_on().whole);
  }
}
