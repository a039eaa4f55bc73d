#include <doctest/doctest.h>

#include "tests/audit/support.h"
#include "tests/support/seeded_random.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

// Writes a log of `count` requests, closed properly, and returns its lines.
std::vector<std::string> sample(const std::string& file, int count = 20) {
  Running running(file);
  REQUIRE(running.start().ok());
  for (int i = 0; i < count; ++i) REQUIRE(running.add(std::to_string(i)).ok());
  running.log->close();
  return lines_of(read_file(file));
}

Verdict of_lines(const Folder& folder, const std::vector<std::string>& lines,
                 const VerifyOptions& options = {}) {
  write_file(folder / "t.log", joined(lines));
  return verified({folder / "t.log"}, options);
}

bool names(const Verdict& verdict, const std::string& text) {
  return verdict.broken.find(text) != std::string::npos;
}

bool notes(const Verdict& verdict, const std::string& text) {
  for (const auto& note : verdict.notes)
    if (note.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("audit verify: any changed bit of any line is found") {
  Folder folder;
  const auto lines = sample(folder / "a.log", 4);
  const std::string text = joined(lines);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    write_file(folder / "t.log", changed);
    const Verdict verdict = verified({folder / "t.log"});
    // The final newline only turns the last line into half a line; everything before it is whole.
    const bool found = !verdict.whole || verdict.records < lines.size();
    // The clock text of the final checkpoint is not signed by anything after it.
    const bool last_time = i > text.size() - lines.back().size() && verdict.after_signed == 0 &&
                           text.find("\"time\"", text.size() - lines.back().size()) < i &&
                           i < text.find("\"store_id\"", text.size() - lines.back().size());
    if (!found && !last_time) {
      CAPTURE(i);
      CAPTURE(changed.substr(i > 30 ? i - 30 : 0, 60));
      FAIL_CHECK("a changed bit was not found");
    }
  }
}

TEST_CASE("audit verify: an edited record is named by file and line") {
  Folder folder;
  auto lines = sample(folder / "a.log");
  lines[7].replace(lines[7].find("request"), 7, "reQuest");
  const Verdict verdict = of_lines(folder, lines);
  CHECK_FALSE(verdict.whole);
  CHECK(names(verdict, "t.log:9: does not follow"));
  CHECK(verdict.breaks.size() == 1);
}

TEST_CASE("audit verify: a deleted, doubled, moved or invented line is found at any place") {
  Folder folder;
  const auto lines = sample(folder / "a.log");
  const auto head = parse_line(lines.back());
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    CAPTURE(i);
    auto removed = lines;
    removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(names(of_lines(folder, removed), "t.log:" + std::to_string(i + 1) + ": line"));
    auto doubled = lines;
    doubled.insert(doubled.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
    CHECK_FALSE(of_lines(folder, doubled).whole);
    auto swapped = lines;
    std::swap(swapped[i], swapped[i - 1]);
    CHECK_FALSE(of_lines(folder, swapped).whole);
    auto invented = lines;
    std::string forged;
    const auto before = parse_line(lines[i - 1]);
    append_line(forged, before->seq + 1, line_hash(before->previous, before->seq, before->body),
                "{\"time\":\"2027-01-15T08:00:00Z\",\"type\":\"request\"}");
    forged.pop_back();
    invented.insert(invented.begin() + static_cast<std::ptrdiff_t>(i), forged);
    CHECK_FALSE(of_lines(folder, invented).whole);
    auto junk = lines;
    junk.insert(junk.begin() + static_cast<std::ptrdiff_t>(i), "no line");
    CHECK(names(of_lines(folder, junk), "not a line of this log"));
  }
}

TEST_CASE("audit verify: random tampering never passes as the whole log") {
  Folder folder;
  const auto lines = sample(folder / "a.log", 30);
  testing::SeededRandom random(3);
  for (int round = 0; round < 300; ++round) {
    auto changed = lines;
    const auto dice = random.take<3>();
    const std::size_t a = dice[0] % (lines.size() - 1), b = dice[1] % (lines.size() - 1);
    switch (dice[2] % 4) {
      case 0:
        changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(std::min(a, b)),
                      changed.begin() + static_cast<std::ptrdiff_t>(std::max(a, b)));
        break;
      case 1:
        std::swap(changed[a], changed[b]);
        break;
      case 2:
        changed[a] = changed[b];
        break;
      default:
        changed[a][changed[a].size() / 2] ^= 2;
    }
    if (changed == lines) continue;
    const Verdict verdict = of_lines(folder, changed);
    // Cutting off the beginning is no break, but is said.
    CHECK(
        (!verdict.whole || (verdict.first_seq > 1 && notes(verdict, "the log begins with line"))));
  }
}

TEST_CASE("audit verify: a cut tail is found with a head noted elsewhere") {
  Folder folder;
  auto lines = sample(folder / "a.log");
  VerifyOptions options;
  options.head = verified({folder / "a.log"}).last_hash;
  CHECK(of_lines(folder, lines, options).head_found);
  lines.resize(10);
  const Verdict verdict = of_lines(folder, lines, options);
  CHECK_FALSE(verdict.whole);
  CHECK(names(verdict, "occurs nowhere"));
  const Verdict without = of_lines(folder, lines);
  CHECK(without.whole);
  CHECK(without.signed_seq == 1);
  CHECK(without.after_signed == 8);
  CHECK(notes(without, "8 records after the last signature"));
  CHECK(notes(without, "does not end with a closed record"));
}

TEST_CASE("audit verify: a tail cut between two starts is found") {
  Folder folder;
  sample(folder / "a.log", 5);
  const auto first = lines_of(read_file(folder / "a.log"));
  sample(folder / "a.log", 5);
  auto lines = lines_of(read_file(folder / "a.log"));
  CHECK(verified({folder / "a.log"}).whole);
  CHECK(verified({folder / "a.log"}).epochs == 2);
  lines.erase(lines.begin() + 6, lines.begin() + static_cast<std::ptrdiff_t>(first.size()));
  CHECK_FALSE(of_lines(folder, lines).whole);
}

TEST_CASE("audit verify: a wrong key, a foreign key and a rewritten log are found") {
  Folder folder;
  const auto lines = sample(folder / "a.log");
  VerifyOptions options;
  options.public_key = crypto::ed25519_public(kSeed);
  const Verdict good = of_lines(folder, lines, options);
  CHECK(good.whole);
  CHECK(good.key_was_given);
  CHECK(good.public_key_hex == hex(*options.public_key));
  const std::array<std::uint8_t, 32> other = {9};
  options.public_key = crypto::ed25519_public(other);
  const Verdict wrong = of_lines(folder, lines, options);
  CHECK_FALSE(wrong.whole);
  CHECK(wrong.signed_seq == 0);
  CHECK(wrong.after_signed == wrong.records);
}

TEST_CASE("audit verify: a wrong key is said in one sentence, and nothing untrue beside it") {
  Folder folder;
  sample(folder / "a.log", 3);
  sample(folder / "a.log", 3);
  VerifyOptions options;
  options.public_key = crypto::ed25519_public(std::array<std::uint8_t, 32>{9});
  const Verdict verdict = verified({folder / "a.log"}, options);
  const std::string theirs = hex(crypto::ed25519_public(kSeed));
  REQUIRE(verdict.breaks.size() == 1);
  CHECK(names(verdict,
              "signed by the key " + theirs + "; the key given is " + verdict.public_key_hex));
  CHECK(verdict.signed_by_hex == theirs);
  CHECK_FALSE(notes(verdict, "hard stop"));
  // A log that was signed by the key first, and by another later, is not of another vault.
  auto lines = lines_of(read_file(folder / "a.log"));
  options.public_key = crypto::ed25519_public(kSeed);
  std::string foreign;
  const auto last = parse_line(lines.back());
  Identity stranger = test_identity();
  const std::array<std::uint8_t, 32> seed = {9};
  stranger.sign_seed = seed;
  append_line(foreign, last->seq + 1, line_hash(last->previous, last->seq, last->body),
              epoch_body(stranger, WallTime{}, {}));
  foreign.pop_back();
  lines.push_back(foreign);
  CHECK(names(of_lines(folder, lines, options), "the rest was signed by somebody else"));
}

TEST_CASE("audit verify: a forged signature is found") {
  Folder folder;
  auto lines = sample(folder / "a.log");
  auto& last = lines.back();
  const auto at = last.find("\"signature\":\"") + 13;
  last[at] = last[at] == '0' ? '1' : '0';
  const Verdict verdict = of_lines(folder, lines);
  CHECK(names(verdict, "signature of the checkpoint"));
}

namespace {

// As anybody can make them: `count` records that chain to the last of `lines`, `apart` seconds.
std::vector<std::string> forged(std::vector<std::string> lines, int count, Seconds apart) {
  Position at;
  if (!lines.empty()) {
    const auto last = parse_line(lines.back());
    at = {last->seq, line_hash(last->previous, last->seq, last->body)};
  }
  WallTime time = testing::FakeClock().now();
  for (int i = 0; i < count; ++i) {
    time = add(time, apart);
    const std::string body = R"({"time":")" + rfc3339(time) + R"(","type":"request"})";
    std::string line;
    append_line(line, at.seq + 1, at.hash, body);
    at = {at.seq + 1, line_hash(at.hash, at.seq + 1, body)};
    line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

VerifyOptions by_key() {
  VerifyOptions options;
  options.public_key = crypto::ed25519_public(kSeed);
  return options;
}

}  // namespace

TEST_CASE("audit verify: lines that nobody signed are no log, with a key or without") {
  Folder folder;
  const auto made_up = forged({}, 6, Seconds{60});
  const Verdict without = of_lines(folder, made_up);
  CHECK(names(without, "t.log:1: the file does not begin as the vault begins one"));
  const Verdict with = of_lines(folder, made_up, by_key());
  CHECK(names(with, "nothing in these files is signed by the key"));
  CHECK(with.signed_by_hex.empty());
  CHECK(with.breaks.size() == 2);

  // Behind a file that the vault wrote; also with a head that the vault would have signed.
  const auto genuine = sample(folder / "a.log", 3);
  const std::vector<std::string> rotated(genuine.begin(), genuine.end() - 2);
  write_file(folder / "audit.log.1", joined(rotated));
  const auto next = [&](const std::vector<std::string>& lines) {
    write_file(folder / "audit.log",
               joined({lines.begin() + static_cast<std::ptrdiff_t>(rotated.size()), lines.end()}));
    return verified({folder / "audit.log.1", folder / "audit.log"}, by_key());
  };
  CHECK(names(next(forged(rotated, 10, Seconds{0})), "does not begin as the vault begins one"));
  auto headed = rotated;
  const auto last = parse_line(rotated.back());
  const Position at{last->seq, line_hash(last->previous, last->seq, last->body)};
  std::string head;
  append_line(head, at.seq + 1, at.hash,
              continued_body(test_identity(), testing::FakeClock().now(), at, {}));
  head.pop_back();
  headed.push_back(head);
  CHECK(next(headed).whole);
  CHECK(names(next(forged(headed, 10, Seconds{0})), "that nobody signed"));
}

TEST_CASE("audit verify: the end of a log may stand unsigned as long as the vault leaves it so") {
  Folder folder;
  auto live = sample(folder / "a.log", 3);
  live.resize(live.size() - 2);
  const auto with = [&](int count, Seconds apart) {
    return of_lines(folder, forged(live, count, apart), by_key());
  };
  const Verdict some = with(100, Seconds{1});
  CHECK(some.whole);
  CHECK(some.after_signed == 103);
  CHECK(some.after_signed_span == Seconds{99});
  CHECK(notes(some, "103 records after the last signature are chained but not signed"));
  CHECK(names(with(kUnsignedLinesMax, Seconds{0}), "it leaves at most 4096 unsigned"));
  CHECK(names(with(3, Seconds{540}), "records after the last signature are not the vault's"));
  CHECK(with(3, Seconds{-86400}).whole);  // they may have waited while no device worked

  // The same when the server went on behind them, and signed them so.
  write_file(folder / "b.log", joined(forged(live, 3, Seconds{540})));
  sample(folder / "b.log", 1);
  CHECK(names(verified({folder / "b.log"}, by_key()), "b.log:9: 6 records after the last"));
}

TEST_CASE("audit verify: files in the wrong order, or one missing between, are found") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Running running(file);
  REQUIRE(running.start().ok());
  for (int part = 1; part <= 2; ++part) {
    CHECK(running.add("x").ok());
    std::filesystem::rename(file, file + "." + std::to_string(part));
    REQUIRE(running.log->reopen().ok());
  }
  CHECK(running.add("y").ok());
  running.log->close();
  const Verdict whole = verified({file + ".1", file + ".2", file});
  CHECK(whole.broken == "");
  CHECK(whole.whole);
  CHECK_FALSE(verified({file + ".2", file + ".1", file}).whole);
  CHECK(names(verified({file + ".1", file}), "audit.log:1: line"));
  CHECK(names(verified({file, file + ".1", file + ".2"}), "were the files given oldest first"));
  write_file(folder / "audit.log.gz", std::string("\x1f\x8b\x08\x00", 4) + "xx\nxx");
  const auto packed = verify_files({folder / "audit.log.gz"}, {});
  REQUIRE_FALSE(packed.ok());
  CHECK(packed.error().message.find("is compressed: unpack it first") != std::string::npos);
  const Verdict last = verified({file});
  CHECK(last.whole);
  CHECK(notes(last, "the log begins with line"));
  CHECK(last.public_key_hex == hex(crypto::ed25519_public(kSeed)));
}

TEST_CASE("audit verify: half a line at the end is a note, before another file a break") {
  Folder folder;
  const auto lines = sample(folder / "a.log");
  write_file(folder / "t.log", joined(lines) + lines[3].substr(0, 40));
  CHECK(verified({folder / "t.log"}).whole);
  CHECK(notes(verified({folder / "t.log"}), "half a line"));
  CHECK_FALSE(verified({folder / "t.log", folder / "a.log"}).whole);
}

TEST_CASE("audit verify: a missing file and an empty one are errors") {
  Folder folder;
  CHECK(verify_files({folder / "none.log"}, {}).is(Code::not_found));
  CHECK(verify_files({folder.path()}, {}).is(Code::not_found));
  write_file(folder / "empty.log", "");
  CHECK(names(verified({folder / "empty.log"}), "no record at all"));
}

TEST_CASE("audit verify: at most a hundred breaks are listed and progress is told") {
  Folder folder;
  auto lines = sample(folder / "a.log", 400);
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) std::swap(lines[i], lines[i + 1]);
  std::uint64_t told = 0, total = 0;
  VerifyOptions options;
  options.progress = [&](std::uint64_t bytes, std::uint64_t of) {
    told = bytes;
    total = of;
  };
  const Verdict verdict = of_lines(folder, lines, options);
  CHECK(verdict.breaks.size() == kBreaksMax);
  CHECK(told == total);
  CHECK(total == std::filesystem::file_size(folder / "t.log"));
}

TEST_CASE("audit verify: a remnant is believed only with its exact size and a gap record") {
  Folder folder;
  auto lines = sample(folder / "a.log", 2);
  const auto last = parse_line(lines.back());
  const Position at{last->seq, line_hash(last->previous, last->seq, last->body)};
  const std::string junk = lines[2].substr(0, 50);
  const auto with_gap = [&](std::uint64_t remnant) {
    Gap gap{"file " + (folder / "t.log"), at, remnant};
    auto all = lines;
    all.push_back(junk);
    std::string text;
    const std::string body = gap_body(Identity{}, WallTime{}, {&gap, 1});
    append_line(text, at.seq + 1, at.hash, body);
    const Position told{at.seq + 1, line_hash(at.hash, at.seq + 1, body)};
    append_line(text, told.seq + 1, told.hash, checkpoint_body(test_identity(), WallTime{}, told));
    text.pop_back();
    all.push_back(text);
    return of_lines(folder, all);
  };
  CHECK(with_gap(51).whole);
  CHECK_FALSE(with_gap(50).whole);
  CHECK_FALSE(with_gap(0).whole);
}

TEST_CASE("audit verify: a gap record is believed only of the device whose files these are") {
  Folder folder;
  const std::string a = folder / "a.log", b = folder / "b.log";
  FaultyDevice::Faults none, faults;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(a, none));
  devices.push_back(std::make_unique<FaultyDevice>(b, faults));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  faults.write = true;
  for (int i = 0; i < 5; ++i) CHECK(running.add("missed by b").ok());
  faults.write = false;
  running.clock.advance(std::chrono::seconds(2));
  CHECK(running.add("after").ok());
  running.log->close();
  CHECK(verified({a}).whole);
  CHECK(verified({b}).whole);
  CHECK(notes(verified({b}), "file " + b + " did not get them"));

  // The lines that b missed, taken out of a.
  auto lines = lines_of(read_file(a));
  std::erase_if(
      lines, [](const std::string& line) { return line.find("missed by b") != std::string::npos; });
  write_file(a, joined(lines));
  CHECK(names(verified({a}), "the log says that of file " + b));
  VerifyOptions options;
  options.device = a;
  CHECK_FALSE(verified({a}, options).whole);

  // A copy of b must be named.
  std::filesystem::rename(b, folder / "copy.log");
  CHECK_FALSE(verified({folder / "copy.log"}).whole);
  for (const std::string& name : {b, "file " + b}) {
    options.device = name;
    CHECK(verified({folder / "copy.log"}, options).whole);
  }
}

TEST_CASE("audit verify: what stands behind an orderly end is a break") {
  Folder folder;
  const auto lines = sample(folder / "a.log", 3);
  const auto appended = [&](std::vector<std::string> all, const std::string& body) {
    const auto last = parse_line(all.back());
    std::string line;
    append_line(line, last->seq + 1, line_hash(last->previous, last->seq, last->body), body);
    line.pop_back();
    all.push_back(line);
    return all;
  };
  const std::string request = R"({"time":"2027-01-15T08:00:00Z","type":"request"})";
  CHECK(names(of_lines(folder, appended(lines, request)), "behind the end of the log"));
  // Also when the server goes on behind it, and signs it.
  auto more = appended(lines, request);
  write_file(folder / "more.log", joined(more));
  sample(folder / "more.log", 1);
  CHECK_FALSE(verified({folder / "more.log"}).whole);

  // An end that nobody signed is none: lines made up behind a kill, and one that says `closed`.
  const std::vector<std::string> killed(lines.begin(), lines.begin() + 4);
  more = appended(appended(killed, request), closed_body(WallTime{}));
  write_file(folder / "made_up.log", joined(more));
  sample(folder / "made_up.log", 1);
  const Verdict verdict = verified({folder / "made_up.log"});
  CHECK(verdict.whole);
  CHECK(notes(verdict, "a hard stop; the 4 records before it were not signed then"));
  CHECK(notes(of_lines(folder, more), "does not end with a closed record"));
}

TEST_CASE("audit verify: lines that were not signed when a start found them are counted") {
  Folder folder;
  {
    Running running(folder / "a.log");
    REQUIRE(running.start().ok());
    for (int i = 0; i < 3; ++i) CHECK(running.add("x").ok());
    std::filesystem::copy_file(folder / "a.log", folder / "killed.log");
  }
  sample(folder / "killed.log", 1);
  const Verdict verdict = verified({folder / "killed.log"});
  CHECK(verdict.whole);
  CHECK(notes(verdict, "a hard stop; the 3 records before it were not signed then"));
}
