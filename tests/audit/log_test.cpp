#include <doctest/doctest.h>

#include "tests/audit/support.h"
#include "vault/audit/sequencer.h"
#include "vault/audit/tail_check.h"

using namespace leasehold;
using namespace leasehold::audit;

TEST_CASE("audit log: lines follow each other from the epoch to the last checkpoint") {
  Folder folder;
  Running running(folder / "audit.log");
  REQUIRE(running.start().ok());
  CHECK(running.add("a").ok());
  CHECK(running.add("b").ok());
  running.log->close();
  const auto lines = lines_of(read_file(folder / "audit.log"));
  REQUIRE(lines.size() == 6);  // epoch, checkpoint, a, b, closed, checkpoint
  crypto::Digest previous{};
  std::uint64_t seq = 0;
  for (const auto& line : lines) {
    const auto parsed = parse_line(line);
    REQUIRE(parsed.ok());
    CHECK(parsed->seq == ++seq);
    CHECK(parsed->previous == previous);
    previous = line_hash(previous, seq, parsed->body);
  }
  CHECK(running.log->position().hash == previous);
  CHECK(running.log->position().seq == 6);
}

TEST_CASE("audit log: append is refused before start and after close") {
  Folder folder;
  Running running(folder / "audit.log");
  CHECK(running.add("early").is(Code::unavailable));
  REQUIRE(running.start().ok());
  running.log->close();
  running.log->close();
  CHECK(running.add("late").is(Code::unavailable));
}

TEST_CASE("audit log: a whole run verifies as whole, signed to its end") {
  Folder folder;
  Running running(folder / "audit.log");
  REQUIRE(running.start().ok());
  for (int i = 0; i < 50; ++i) CHECK(running.add(std::to_string(i)).ok());
  running.log->close();
  const Verdict verdict = verified({folder / "audit.log"});
  CHECK(verdict.whole);
  CHECK(verdict.broken == "");
  CHECK(verdict.records == 54);
  CHECK(verdict.epochs == 1);
  CHECK(verdict.checkpoints == 2);
  CHECK(verdict.signed_seq == 53);
  CHECK(verdict.after_signed == 0);
}

TEST_CASE("audit log: a body that could be taken for the log's own, or for two lines, is refused") {
  Folder folder;
  Running running(folder / "audit.log");
  REQUIRE(running.start().ok());
  for (const char* bad : {"", "{", "{}", "{\"type\":\"checkpoint\"}", "{\"time\":\"t\"",
                          "{\"time\":\"t\",\n\"a\":1}"}) {
    const std::vector<std::string_view> bodies = {bad};
    CHECK_FALSE(running.log->append(bodies).ok());
  }
  running.log->close();
  CHECK(verified({folder / "audit.log"}).whole);
}

TEST_CASE("audit log: lines are on disk soon and are then said to be synced") {
  Folder folder;
  FaultyDevice::Faults faults;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(folder / "audit.log", faults));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  const std::vector<std::string_view> bodies = {"{\"time\":\"t\",\"type\":\"request\"}"};
  REQUIRE(eventually([&] { return faults.syncs > 0; }));
  const int before = faults.syncs;
  const auto begun = std::chrono::steady_clock::now();
  const auto line = running.log->write(bodies);
  REQUIRE(line.ok());
  CHECK(eventually([&] { return running.log->synced().last.seq >= *line; }));
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(faults.syncs > before);
  // The promise is 100 ms; the rest is for a busy machine.
  CHECK(took < std::chrono::seconds(10));
  CHECK(running.log->synced().since <= *line);
}

TEST_CASE("audit log: a line is not synced while fdatasync fails, and is in doubt by a later one") {
  Folder folder;
  FaultyDevice::Faults faults;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(folder / "audit.log", faults));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  const std::vector<std::string_view> bodies = {"{\"time\":\"t\",\"type\":\"request\"}"};
  const auto synced = [&] { return running.log->synced(); };
  const auto first = running.log->write(bodies);
  REQUIRE(eventually([&] { return synced().last.seq >= *first; }));
  CHECK(synced().since <= *first);
  faults.sync = true;
  const auto second = running.log->write(bodies);
  REQUIRE(eventually(
      [&] { return running.sink.text().find("cannot flush to disk") != std::string::npos; }));
  CHECK(synced().last.seq < *second);
  faults.sync = false;
  auto third = running.log->write(bodies);
  REQUIRE(eventually([&] {  // a device that failed is tried again once a second
    running.clock.advance(std::chrono::seconds(1));
    if (!third.ok()) third = running.log->write(bodies);
    return third.ok();
  }));
  REQUIRE(eventually([&] { return synced().last.seq >= *third; }));
  CHECK(synced().since > *second);
  CHECK(synced().since <= *third);
  running.log->close();
  CHECK(verified({folder / "audit.log"}).whole);
}

TEST_CASE("audit log: sync always has flushed before append returns, and says when it could not") {
  Folder folder;
  FaultyDevice::Faults faults;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(folder / "audit.log", faults));
  Running running(std::move(devices), true);
  REQUIRE(running.start().ok());
  for (int i = 0; i < 5; ++i) {
    const int before = faults.syncs;
    CHECK(running.add("x").ok());
    CHECK(faults.syncs > before);
  }
  faults.sync = true;
  CHECK_FALSE(running.add("y").ok());
  faults.sync = false;
  running.clock.advance(kRetryFailedDevice);
  CHECK(running.add("z").ok());
  running.log->close();
  CHECK(verified({folder / "audit.log"}).whole);
}

TEST_CASE("audit log: a checkpoint is signed each second while lines come in") {
  Folder folder;
  Running running(folder / "audit.log");
  REQUIRE(running.start().ok());
  const auto checkpoints = [&] { return verified({folder / "audit.log"}).checkpoints; };
  CHECK(checkpoints() == 1);
  CHECK(running.add("a").ok());
  running.clock.advance(std::chrono::seconds(2));
  CHECK(eventually([&] { return checkpoints() == 2; }));
  const Verdict verdict = verified({folder / "audit.log"});
  CHECK(verdict.whole);
  CHECK(verdict.after_signed == 0);
  CHECK(verdict.signed_seq == 3);
}

TEST_CASE("audit log: a full disk refuses the request, names device and reason, and heals") {
  Folder folder;
  FaultyDevice::Faults faults;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(folder / "audit.log", faults));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  CHECK(running.add("before").ok());
  faults.write = true;
  for (int i = 0; i < 3; ++i) CHECK(running.add("lost").is(Code::internal));
  CHECK(running.add("lost").error().message.find("/") == std::string::npos);
  CHECK(running.sink.text().find(folder / "audit.log") != std::string::npos);
  CHECK(running.sink.text().find("disk full") != std::string::npos);
  CHECK_FALSE(running.log->can_record());
  const int tries = faults.writes;
  for (int i = 0; i < 100; ++i) CHECK_FALSE(running.add("lost").ok());
  CHECK(faults.writes == tries);  // not each time
  faults.write = false;
  running.clock.advance(kRetryFailedDevice);
  CHECK(eventually([&] { return running.log->can_record(); }));  // nobody had to ask
  CHECK(running.add("after").ok());
  CHECK(running.sink.text().find("works again") != std::string::npos);
  running.log->close();
  const Verdict verdict = verified({folder / "audit.log"});
  CHECK(verdict.whole);
  CHECK(read_file(folder / "audit.log").find("lost") == std::string::npos);
  CHECK(read_file(folder / "audit.log").find("\"gap\"") == std::string::npos);
}

TEST_CASE("audit log: one device is enough; the other gets a gap record when it is back") {
  Folder folder;
  FaultyDevice::Faults faults, none;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(folder / "a.log", faults));
  devices.push_back(std::make_unique<FaultyDevice>(folder / "b.log", none));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  CHECK(running.add("1").ok());
  faults.write = true;
  CHECK(running.add("2").ok());
  const int tries = faults.writes;
  CHECK(running.add("3").ok());
  CHECK(faults.writes == tries);  // not each time: another device works
  faults.write = false;
  running.clock.advance(std::chrono::seconds(2));
  CHECK(running.add("4").ok());
  running.log->close();
  const Verdict a = verified({folder / "a.log"}), b = verified({folder / "b.log"});
  CHECK(a.broken == "");
  CHECK(a.whole);
  CHECK(b.whole);
  CHECK(a.last_hash == b.last_hash);
  CHECK(b.records - a.records == 2);
  CHECK(read_file(folder / "a.log").find("\"gap\"") != std::string::npos);
  auto lines = lines_of(read_file(folder / "a.log"));
  lines.erase(lines.begin() + 2);  // the line before the gap
  write_file(folder / "t.log", joined(lines));
  CHECK_FALSE(verified({folder / "t.log"}).whole);
}

TEST_CASE("audit log: devices that failed in turns verify each for itself after a restart") {
  Folder folder;
  FaultyDevice::Faults faults[2];
  for (int run = 0; run < 3; ++run) {
    std::vector<std::unique_ptr<Device>> devices;
    devices.push_back(std::make_unique<FaultyDevice>(folder / "a.log", faults[0]));
    devices.push_back(std::make_unique<FaultyDevice>(folder / "b.log", faults[1]));
    Running running(std::move(devices));
    REQUIRE(running.start().ok());
    for (int i = 0; i < 60; ++i) {
      faults[0].write = i % 7 == 3 || i % 11 == 5;
      faults[1].write = i % 5 == 2 || (run == 1 && i > 50);
      running.clock.advance(std::chrono::milliseconds(600));
      running.add(std::to_string(i)).ignore();
    }
    running.log->close();
    faults[0].write = faults[1].write = false;
  }
  CHECK(verified({folder / "a.log"}).broken == "");
  CHECK(verified({folder / "b.log"}).broken == "");
}

TEST_CASE("audit log: it starts when one of two devices opens, and not when none does") {
  Folder folder;
  FaultyDevice::Faults broken, good;
  broken.open = true;
  {
    std::vector<std::unique_ptr<Device>> devices;
    devices.push_back(std::make_unique<FaultyDevice>(folder / "a.log", broken));
    Running running(std::move(devices));
    CHECK_FALSE(running.start().ok());
    CHECK(running.sink.text().find("unplugged") != std::string::npos);
  }
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(folder / "a.log", broken));
  devices.push_back(std::make_unique<FaultyDevice>(folder / "b.log", good));
  Running running(std::move(devices));
  CHECK(running.start().ok());
  broken.open = false;
  running.clock.advance(std::chrono::seconds(2));
  CHECK(running.add("x").ok());
  running.log->close();
  CHECK(verified({folder / "a.log"}).whole);
}

TEST_CASE("audit log: without devices every append succeeds at once") {
  Running running(std::vector<std::unique_ptr<Device>>{}, true);
  REQUIRE(running.start().ok());
  CHECK(running.add("x").ok());
  const std::vector<std::string_view> bodies = {"{\"time\":\"t\"}"};
  const auto line = running.log->write(bodies);
  REQUIRE(line.ok());
  CHECK(*line <= running.log->synced().last.seq);
  CHECK(running.log->position().seq == 0);
}

TEST_CASE("audit log: threads append together and the chain is whole") {
  Folder folder;
  constexpr int kThreads = 8, kEach = 400;
  for (const bool always : {false, true}) {
    const std::string file = folder / (always ? "always.log" : "soon.log");
    Running running(file, always);
    REQUIRE(running.start().ok());
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < (always ? kEach / 10 : kEach); ++i) {
          Texts pair;
          for (const std::string type : {"request", "response"})
            pair.push_back("{\"time\":\"t\",\"type\":\"" + type + "\",\"n\":" + std::to_string(t) +
                           "}");
          if (!running.log->append(pair.views()).ok()) ++failed;
          if (t == 0 && i % 50 == 0) running.clock.advance(std::chrono::seconds(1));
        }
      });
    }
    for (auto& thread : threads) thread.join();
    running.log->close();
    CHECK(failed == 0);
    const Verdict verdict = verified({file});
    CHECK(verdict.broken == "");
    CHECK(verdict.records >= 2u * kThreads * (always ? kEach / 10 : kEach));
    CHECK(verdict.after_signed == 0);
    const auto lines = lines_of(read_file(file));
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) {  // a pair stays together
      if (lines[i].find("\"request\"") != std::string::npos)
        CHECK(lines[i + 1].find("\"response\"") != std::string::npos);
    }
  }
}

TEST_CASE("audit log: rotation under load loses no line") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Running running(file);
  REQUIRE(running.start().ok());
  std::atomic<bool> stop{false};
  std::atomic<int> added{0};
  std::thread writer([&] {
    while (!stop)
      if (running.add("x").ok()) ++added;
  });
  std::vector<std::string> files;
  for (int i = 0; i < 10; ++i) {
    const int before = added;
    REQUIRE(eventually([&] { return added > before + 20; }));
    files.push_back(file + "." + std::to_string(i));
    std::filesystem::rename(file, files.back());
    CHECK(running.log->reopen().ok());
  }
  stop = true;
  writer.join();
  running.log->close();
  files.push_back(file);
  const Verdict verdict = verified(files);
  CHECK(verdict.broken == "");
  CHECK(verdict.records >= static_cast<std::uint64_t>(added));
  int found = 0;
  for (const auto& one : files)
    for (const auto& line : lines_of(read_file(one)))
      if (line.find("\"n\":\"x\"") != std::string::npos) ++found;
  CHECK(found == added);
  const auto first = lines_of(read_file(file)).front();
  CHECK(first.find("\"continued\"") != std::string::npos);
}

TEST_CASE("audit log: a removed file is noticed and a new one begun") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Running running(file);
  REQUIRE(running.start().ok());
  CHECK(running.add("a").ok());
  std::filesystem::remove(file);
  CHECK(running.add("b").ok());
  running.clock.advance(std::chrono::seconds(2));
  CHECK(eventually([&] { return std::filesystem::exists(file); }));
  CHECK(
      eventually([&] { return running.sink.text().find("without SIGHUP") != std::string::npos; }));
  CHECK(eventually(
      [&] { return running.sink.text().find("its lines are lost") != std::string::npos; }));
  CHECK(running.add("c").ok());
  running.log->close();
  const Verdict verdict = verified({file});
  CHECK(verdict.whole);
  CHECK(verdict.first_seq > 1);
}

TEST_CASE("audit log: without its folder nothing is recorded, and nothing is lost in silence") {
  Folder folder;
  const std::string inner = folder / "log", file = inner + "/audit.log";
  std::filesystem::create_directory(inner);
  Running running(file);
  REQUIRE(running.start().ok());
  CHECK(running.add("a").ok());
  CHECK(eventually([&] { return running.log->synced().last.seq != 0; }));
  std::filesystem::remove_all(inner);
  // Nobody writes: the log looks by itself.
  running.clock.advance(std::chrono::seconds(2));
  CHECK(eventually([&] { return !running.log->can_record(); }));
  CHECK_FALSE(running.add("b").ok());
  CHECK(running.sink.text().find("its lines are lost") != std::string::npos);
  CHECK(running.sink.text().find("its directory does not exist") != std::string::npos);
  CHECK(running.sink.text().find("no device can record") != std::string::npos);
  std::filesystem::create_directory(inner);
  running.clock.advance(std::chrono::seconds(2));
  CHECK(eventually([&] { return running.log->can_record(); }));
  CHECK(running.add("c").ok());
  running.log->close();
  CHECK(verified({file}).whole);
  // Like any other file it says first which one it follows, and is signed at once.
  const auto lines = lines_of(read_file(file));
  CHECK(lines[0].find("\"continued\"") != std::string::npos);
  CHECK(lines[1].find("\"checkpoint\"") != std::string::npos);
}

namespace {

// A running log whose folder was moved away, which it has noticed.
struct MovedAway {
  Folder folder;
  const std::string inner = folder / "log", away = folder / "away", file = inner + "/audit.log";
  const bool made = std::filesystem::create_directory(inner);
  Running running{file};
  MovedAway() {
    REQUIRE(running.start().ok());
    CHECK(running.add("a").ok());
    std::filesystem::rename(inner, away);
    running.clock.advance(std::chrono::seconds(2));
    CHECK(eventually([&] { return !running.log->can_record(); }));
  }
  void goes_on() {
    running.clock.advance(std::chrono::seconds(2));
    CHECK(eventually([&] { return running.log->can_record(); }));
    CHECK(running.add("b").ok());
    running.log->close();
  }
};

}  // namespace

TEST_CASE_FIXTURE(MovedAway, "audit log: lines do not follow a folder that was moved away") {
  CHECK_FALSE(running.add("refused").ok());
  std::filesystem::create_directory(inner);
  goes_on();
  CHECK(read_file(away + "/audit.log").find("refused") == std::string::npos);
  CHECK(verified({away + "/audit.log", file}).broken == "");
  CHECK(verified({file}).whole);
}

TEST_CASE_FIXTURE(MovedAway, "audit log: a folder that comes back is written to again") {
  std::filesystem::rename(away, inner);
  goes_on();
  CHECK(verified({file}).broken == "");
  CHECK(read_file(file).find("continued") == std::string::npos);
}

TEST_CASE("audit log: a renamed file takes lines for a minute while no new one can be begun") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Running running(file);
  REQUIRE(running.start().ok());
  CHECK(running.add("a").ok());
  std::filesystem::rename(file, file + ".1");
  write_file(file, "somebody else's\n");
  CHECK_FALSE(running.log->reopen().ok());
  CHECK(running.add("b").ok());
  running.clock.advance(std::chrono::seconds(61));
  CHECK(eventually([&] { return !running.log->can_record(); }));
  CHECK_FALSE(running.add("refused").ok());
  std::filesystem::remove(file);
  running.clock.advance(std::chrono::seconds(2));
  CHECK(eventually([&] { return running.log->can_record(); }));
  CHECK(running.add("c").ok());
  running.log->close();
  CHECK(verified({file + ".1", file}).broken == "");
}

TEST_CASE("audit log: of two devices the one whose folder was deleted begins its file anew") {
  Folder folder;
  const std::string a = folder / "a.log", inner = folder / "b", b = inner + "/b.log";
  std::filesystem::create_directory(inner);
  std::vector<std::unique_ptr<Device>> devices;
  for (const std::string& file : {a, b}) devices.push_back(std::make_unique<LogFile>(file, 0600));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  CHECK(running.add("1").ok());
  std::filesystem::remove_all(inner);
  running.clock.advance(std::chrono::seconds(2));
  CHECK(eventually([&] {
    return running.sink.text().find("its directory does not exist") != std::string::npos;
  }));
  CHECK(running.add("2").ok());
  std::filesystem::create_directory(inner);
  running.clock.advance(std::chrono::seconds(2));
  CHECK(running.add("3").ok());
  running.log->close();
  CHECK(read_file(b).find("\"continued\"") < read_file(b).find("\"n\":\"3\""));
  CHECK(verified({a}).broken == "");
  CHECK(verified({b}).broken == "");
}

TEST_CASE("audit log: many lines do not wait a second for their signature, nor for a slow disk") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Running running(file);
  REQUIRE(running.start().ok());
  const auto signatures = [&] {
    const std::string text = read_file(file);
    std::size_t count = 0, at = 0;
    for (; (at = text.find("\"checkpoint\"", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  for (std::uint64_t i = 0; i < 3 * kSignAfterLines; ++i) REQUIRE(running.add("x").ok());
  CHECK(signatures() == 3);  // the clock stands still: the first is the epoch's
  running.clock.advance(kSignAfter);
  CHECK(running.add("y").ok());
  const std::string text = read_file(file);
  CHECK(text.find("\"checkpoint\"", text.rfind("\"n\":\"x\"")) < text.find("\"n\":\"y\""));
  running.log->close();
  CHECK(verified({file}).broken == "");
}

TEST_CASE("audit log: a log shorter than the store remembers goes on from what is remembered") {
  Folder folder;
  Running running(folder / "audit.log");
  Identity identity = test_identity();
  identity.remembered.seq = 41;
  identity.remembered.hash.fill(5);
  REQUIRE(running.log->start(identity).ok());
  CHECK(running.sink.text().find("remembers line 41") != std::string::npos);
  running.log->close();
  const auto first = parse_line(lines_of(read_file(folder / "audit.log")).front());
  CHECK(first->seq == 42);
  CHECK(first->previous == identity.remembered.hash);
  CHECK(verified({folder / "audit.log"}).whole);
}

namespace {

// A log of one run that ended hard: without close record and last checkpoint, as a kill leaves it.
std::vector<std::string> killed(const std::string& file, int count) {
  Running running(file);
  REQUIRE(running.start().ok());
  for (int i = 0; i < count; ++i) REQUIRE(running.add(std::to_string(i)).ok());
  return lines_of(read_file(file));
}

Position place_of(const std::string& line) {
  const auto parsed = parse_line(line);
  REQUIRE(parsed.ok());
  return {parsed->seq, line_hash(parsed->previous, parsed->seq, parsed->body)};
}

// `count` lines that chain to the last of `lines`, as anybody can make them.
std::vector<std::string> forged(std::vector<std::string> lines, int count) {
  for (int i = 0; i < count; ++i) {
    const Position last = place_of(lines.back());
    std::string line;
    append_line(line, last.seq + 1, last.hash,
                R"({"time":"2027-01-15T08:00:00Z","type":"request","n":"forged"})");
    line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

struct Restarted {
  Running running;
  Status status;
  Restarted(const std::string& file, const Position& remembered) : running(file) {
    Identity identity = test_identity();
    identity.remembered = remembered;
    status = running.log->start(identity);
  }
  bool refused() const {
    return !status.ok() &&
           running.sink.text().find("changed while the server was down") != std::string::npos;
  }
};

}  // namespace

TEST_CASE("audit log: a tail that was forged while the server was down is not continued") {
  Folder folder;
  const std::string file = folder / "audit.log";
  const auto lines = killed(file, 10);
  const Position remembered = place_of(lines[7]);
  const std::vector<std::string> kept(lines.begin(), lines.begin() + 4);
  for (const int more : {4, 5, 50}) {  // as many as the store remembers, one more, many more
    CAPTURE(more);
    const std::string text = joined(forged(kept, more));
    write_file(file, text);
    Restarted restarted(file, remembered);
    CHECK(restarted.refused());
    CHECK(restarted.running.sink.text().find("move the file away") != std::string::npos);
    CHECK(read_file(file) == text);  // evidence
  }
  std::filesystem::rename(file, file + ".forged");
  CHECK(Restarted(file, remembered).status.ok());
  CHECK(place_of(lines_of(read_file(file)).front()).seq == remembered.seq + 1);
}

TEST_CASE("audit log: a forged gap record does not step over the line that is remembered") {
  Folder folder;
  const std::string file = folder / "audit.log";
  const auto lines = killed(file, 10);
  const Position remembered = place_of(lines[7]);
  std::vector<std::string> kept(lines.begin(), lines.begin() + 4);
  const Gap gap{"file " + file, place_of(kept.back()), 0};
  std::string line;
  append_line(line, remembered.seq + 1, remembered.hash,
              gap_body(Identity{}, WallTime{}, {&gap, 1}));
  line.pop_back();
  kept.push_back(line);
  write_file(file, joined(forged(kept, 3)));
  CHECK(Restarted(file, remembered).refused());
}

TEST_CASE("audit log: after a hard stop it goes on, whatever of the unsynced lines is left") {
  Folder folder;
  const std::string file = folder / "audit.log";
  const auto lines = killed(file, 10);
  for (std::size_t left = 8; left <= lines.size(); ++left) {
    for (const char* half : {"", "{\"seq\":"}) {
      CAPTURE(left);
      write_file(file, joined({lines.begin(), lines.begin() + static_cast<long>(left)}) + half);
      CHECK(Restarted(file, place_of(lines[7])).status.ok());
      CHECK(verified({file}).whole);
    }
  }
}

TEST_CASE("audit log: a store from a backup, a rotation and an older log are no forgery") {
  Folder folder;
  const std::string file = folder / "audit.log";
  const auto lines = killed(file, 10);
  const std::string text = joined(lines);
  CHECK(Restarted(file, place_of(lines[2])).status.ok());  // an older store
  CHECK(Restarted(file, {}).status.ok());                  // one that remembers nothing
  // What the store remembers stands in the file before this one.
  std::filesystem::rename(file, file + ".1");
  write_file(file, joined({lines.begin() + 9, lines.end()}));
  CHECK(Restarted(file, place_of(lines[8])).status.ok());
  CHECK(Restarted(file, place_of(lines[5])).status.ok());  // by the checkpoint of the one before
}

TEST_CASE("audit log: lines that hide what the store's own say of its commits are no way past it") {
  Folder folder;
  const std::string file = folder / "audit.log";
  {
    Running running(file);
    REQUIRE(running.start().ok());
    REQUIRE(running.add("x").ok());
    running.log->note_commit(7);
    running.log->close();
  }
  const auto lines = lines_of(read_file(file));
  const auto told = [&](const std::string& text) {
    write_file(file, text);
    LogFile device(file, 0600);
    REQUIRE(device.open().ok());
    TailBounds bounds;
    bounds.unsigned_lines = 5;
    return examine_tail(device, test_identity(), {}, bounds);
  };
  const std::string last = forged(lines, 1).back() + "\n";
  std::string junk;
  for (int i = 0; i < 10; ++i) junk += "no line\n";
  const auto behind_junk = told(joined(lines) + junk + last);
  REQUIRE(behind_junk.ok());
  CHECK(behind_junk->newest == 7);
  CHECK_FALSE(behind_junk->changed);
  const auto too_many = told(joined(forged(lines, 10)));
  REQUIRE(too_many.ok());
  CHECK(too_many->changed);
}

TEST_CASE("audit log: a number of a commit that the store's key does not vouch for is none") {
  Folder folder;
  const std::string file = folder / "audit.log";
  {
    Running running(file);
    REQUIRE(running.start().ok());
    const std::string body = R"({"time":"2026-01-01T00:00:00Z","type":"event","event":"x"})";
    const std::string_view bodies[] = {body};
    REQUIRE(running.log->write(bodies, 7).ok());
    running.log->close();
  }
  const auto lines = lines_of(read_file(file));
  const auto told = [&](std::vector<std::string> some) {
    write_file(file, joined(some));
    LogFile device(file, 0600);
    REQUIRE(device.open().ok());
    const auto found = examine_tail(device, test_identity(), {});
    REQUIRE(found.ok());
    return found->newest;
  };
  const auto with = [](std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.rfind(from);
    REQUIRE(at != text.npos);
    return text.replace(at, from.size(), to);
  };
  CHECK(told(lines) == 7);
  const std::string kMine = "\"commit\":7,", kForged = "\"commit\":99999,";
  // In the last checkpoint, which signs what is before it and not itself.
  auto changed = lines;
  changed.back() = with(lines.back(), kMine, kForged);
  CHECK(told(changed) == 7);
  // In lines behind it, with another's MAC and with none, as earlier versions wrote them.
  const Position end = place_of(lines.back());
  for (const char* said : {R"(,"commit":99999,"commit_mac":"00000000000000000000000000000000"})",
                           R"(,"commit":99999})"}) {
    std::string line;
    append_line(line, end.seq + 1, end.hash,
                std::string(R"({"time":"2026-01-01T00:00:00Z","type":"event")") + said);
    line.pop_back();
    auto more = lines;
    more.push_back(line);
    CHECK(told(more) == 7);
  }
  const CommitKey key(test_identity().sign_seed, test_identity().store_id);
  const std::string body = R"({"time":"2026-01-01T00:00:00Z"})";
  CHECK(commit_of(with_commit(body, 12, key), key) == 12);
  CHECK(commit_of(with_commit(body, 12, key)) == 12);
  Identity other = test_identity();
  other.store_id.back() ^= 1;
  CHECK(commit_of(with_commit(body, 12, CommitKey(other.sign_seed, other.store_id)), key) == 0);
}

TEST_CASE("audit log: a file that was begun later is ours by its first checkpoint") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Position remembered;
  {
    Running running(file);
    REQUIRE(running.start().ok());
    remembered = running.log->position();
    for (int i = 0; i < 5; ++i) REQUIRE(running.add("a").ok());
    std::filesystem::rename(file, file + ".1");
    REQUIRE(running.log->reopen().ok());
    REQUIRE(running.add("b").ok());
    std::filesystem::copy_file(file, folder / "killed.log");
  }
  CHECK(Restarted(folder / "killed.log", remembered).status.ok());
  const auto lines = lines_of(read_file(file));
  write_file(file, joined(forged({lines.front()}, 4)));
  CHECK(Restarted(file, remembered).refused());
}

TEST_CASE("audit log: a file that lost its end is continued, and never again said to be whole") {
  Folder folder;
  const std::string file = folder / "audit.log";
  std::vector<std::string> lines;
  {
    Running running(file);
    REQUIRE(running.start().ok());
    for (int i = 0; i < 20; ++i) REQUIRE(running.add("x").ok());
    running.log->close();
    lines = lines_of(read_file(file));
  }
  VerifyOptions options;
  options.public_key = crypto::ed25519_public(kSeed);
  const std::vector<std::string> first(lines.begin(), lines.begin() + 1);
  for (const auto& left : {std::vector(lines.begin(), lines.begin() + 8), forged(first, 12)}) {
    write_file(file, joined(left));
    Restarted restarted(file, place_of(lines.back()));
    CHECK(restarted.status.ok());
    CHECK(restarted.running.sink.text().find("somebody cut it") != std::string::npos);
    restarted.running.log->close();
    CHECK(read_file(file).find("\"gap\"") == std::string::npos);
    const Verdict verdict = verified({file}, options);
    CHECK_FALSE(verdict.whole);
    CHECK(verdict.breaks.back().find("held lines up to " + std::to_string(lines.size())) !=
          std::string::npos);
    CHECK(verdict.signed_seq < left.size());
  }
}

namespace {

// Two files in runs that remember as the store does, by what the run before saw on the disks.
struct TwoFiles {
  Folder folder;
  Synced seen;
  FaultyDevice::Faults faults[2];

  std::string file(int i) const { return folder / (i == 0 ? "a.log" : "b.log"); }
  std::vector<std::unique_ptr<Device>> devices() {
    std::vector<std::unique_ptr<Device>> devices;
    for (int i = 0; i < 2; ++i)
      devices.push_back(std::make_unique<FaultyDevice>(file(i), faults[i]));
    return devices;
  }
  Identity as_seen() const {
    Identity identity = test_identity();
    identity.remembered = seen.last;
    identity.held = seen.held;
    identity.closed = seen.closed;
    return identity;
  }
  // What the server log said.
  std::string run(int count) {
    Running running(devices());
    REQUIRE(running.log->start(as_seen()).ok());
    for (int i = 0; i < count; ++i) REQUIRE(running.add("x").ok());
    running.log->close();
    seen = running.log->synced();
    CHECK(seen.closed);
    return running.sink.text();
  }
  void cut(int i, std::size_t left) {
    auto lines = lines_of(read_file(file(i)));
    lines.resize(left);
    write_file(file(i), joined(lines));
  }
};

}  // namespace

TEST_CASE_FIXTURE(TwoFiles, "audit log: of two files each is known to have been cut") {
  run(20);
  cut(0, 6);
  CHECK(run(3).find("somebody cut it") != std::string::npos);
  CHECK_FALSE(verified({file(0)}).whole);
  CHECK(verified({file(1)}).whole);
  cut(1, 6);
  CHECK(run(3).find("somebody cut it") != std::string::npos);
  CHECK_FALSE(verified({file(0)}).whole);
  CHECK_FALSE(verified({file(1)}).whole);
}

TEST_CASE_FIXTURE(TwoFiles, "audit log: a device that failed until the end has a gap, not a cut") {
  run(5);
  faults[1].write = true;
  run(5);
  run(5);
  faults[1].write = false;
  CHECK(run(5).find("somebody cut it") == std::string::npos);
  CHECK(read_file(file(1)).find("\"gap\"") != std::string::npos);
  CHECK(verified({file(0)}).whole);
  CHECK(verified({file(1)}).whole);
}

TEST_CASE_FIXTURE(TwoFiles, "audit log: a device that missed a start goes on behind its end") {
  run(3);
  Running running(devices());
  Identity identity = test_identity();
  identity.remembered = seen.last;
  identity.held = seen.held;
  identity.closed = seen.closed;
  faults[1].open = true;
  REQUIRE(running.log->start(identity).ok());
  CHECK(running.add("missed").ok());
  faults[1].open = false;
  running.clock.advance(std::chrono::seconds(2));
  CHECK(running.add("not missed").ok());
  running.log->close();
  CHECK(read_file(file(1)).find("\"not missed\"") != std::string::npos);
  CHECK(verified({file(0)}).broken == "");
  CHECK(verified({file(1)}).broken == "");
}

TEST_CASE_FIXTURE(TwoFiles,
                  "audit log: a file that is begun after its device failed tells what it lacks") {
  const std::string before = file(1) + ".1";
  VerifyOptions options;
  options.device = file(1);
  run(5);
  faults[1].write = true;
  run(5);
  faults[1].write = false;
  std::filesystem::rename(file(1), before);
  SUBCASE("when the server starts") { run(5); }
  SUBCASE("when it can be opened, later") {
    faults[1].open = true;
    Running running(devices());
    REQUIRE(running.log->start(as_seen()).ok());
    CHECK(running.add("missed").ok());
    faults[1].open = false;
    running.clock.advance(std::chrono::seconds(2));
    CHECK(running.add("not missed").ok());
  }
  CHECK(read_file(file(1)).find("\"gap\"") < read_file(file(1)).find('\n'));
  CHECK(verified({file(0)}).broken == "");
  CHECK(verified({before, file(1)}, options).broken == "");
}

TEST_CASE_FIXTURE(TwoFiles, "audit log: of two files one is rotated behind a hard stop") {
  const std::string before = file(1) + ".1";
  VerifyOptions options;
  options.device = file(1);
  Identity identity = test_identity();
  identity.commit = 10;
  using Lines = std::vector<std::string>;
  Lines left[2];
  {
    Running running(devices());
    REQUIRE(running.log->start(identity).ok());
    REQUIRE(running.add("known").ok());
    REQUIRE(eventually([&] { return running.log->synced().last == running.log->position(); }));
    seen = running.log->synced();
    for (int i = 0; i < 5; ++i) REQUIRE(running.add("behind").ok());
    for (int i = 0; i < 2; ++i) left[i] = lines_of(read_file(file(i)));
  }
  const auto go_on = [&](int lost_by_first, const Lines& rotated) {
    write_file(file(0), joined({left[0].begin(), left[0].end() - lost_by_first}));
    write_file(before, joined(rotated));
    std::filesystem::remove(file(1));
    Running running(devices());
    Identity again = identity;
    again.remembered = seen.last;
    again.held = seen.held;
    REQUIRE(running.log->start(again).ok());
    REQUIRE(running.add("after").ok());
    running.log->close();
    CHECK(verified({file(0)}).broken == "");
    return verified({before, file(1)}, options).broken;
  };
  CHECK(go_on(0, left[1]) == "");
  CHECK(go_on(2, left[1]) == "");
  CHECK(go_on(0, {left[1].begin(), left[1].end() - 2}) == "");
  // Less than the store knows it to have held.
  CHECK(go_on(0, {left[1].begin(), left[1].begin() + 2}) != "");
  // The store had gone further: an older copy of it went on.
  Identity newer = identity;
  newer.commit = 11;
  Lines later = left[1];
  const Position last = place_of(later.back());
  std::string line;
  append_line(line, last.seq + 1, last.hash, checkpoint_body(newer, WallTime{}, last));
  line.pop_back();
  later.push_back(line);
  CHECK(go_on(0, later) != "");
}

TEST_CASE("audit log: nothing is continued behind an orderly end") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Synced seen;
  {
    Running running(file);
    REQUIRE(running.start().ok());
    REQUIRE(running.add("x").ok());
    running.log->close();
    seen = running.log->synced();
    REQUIRE(seen.closed);
  }
  const auto lines = lines_of(read_file(file));
  const auto start = [&](const std::vector<std::string>& text) {
    write_file(file, joined(text));
    Running running(file);
    Identity identity = test_identity();
    identity.remembered = seen.last;
    identity.held = seen.held;
    identity.closed = true;
    return running.log->start(identity);
  };
  CHECK(start(forged(lines, 1)).is(Code::internal));
  CHECK(start(forged(lines, 3)).is(Code::internal));
  // A start that was killed before anything else.
  CHECK(start(lines).ok());
  const auto later = lines_of(read_file(file));
  for (std::size_t left = lines.size(); left <= later.size(); ++left)
    CHECK(start({later.begin(), later.begin() + static_cast<long>(left)}).ok());
  std::vector<std::string> begun(later.begin(),
                                 later.begin() + static_cast<long>(lines.size()) + 1);
  CHECK(start(forged(begun, 1)).is(Code::internal));  // a made-up start has no checkpoint
}

TEST_CASE("audit log: a file that is cut under the running server is named, and on record") {
  Folder folder;
  const std::string file = folder / "audit.log";
  Running running(file);
  REQUIRE(running.start().ok());
  for (int i = 0; i < 9; ++i) REQUIRE(running.add("x").ok());
  std::filesystem::resize_file(file, 0);
  REQUIRE(running.add("after").ok());
  running.clock.advance(std::chrono::seconds(2));
  CHECK(eventually([&] { return read_file(file).find("\"cut\"") != std::string::npos; }));
  CHECK(running.sink.text().find("somebody cut the file") != std::string::npos);
  REQUIRE(running.add("later").ok());
  running.log->close();
  const Verdict verdict = verified({file});
  CHECK_FALSE(verdict.whole);
  CHECK(verdict.broken.find("its beginning was cut off") != std::string::npos);
  CHECK(verdict.breaks.back().find("lost lines") != std::string::npos);
}

TEST_CASE("audit log: what only standard output has is not on record for good") {
  Folder folder;
  FaultyDevice::Faults faults;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(make_discard_device());
  devices.push_back(std::make_unique<FaultyDevice>(folder / "a.log", faults));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  CHECK(eventually([&] { return running.log->synced().last == running.log->position(); }));
  faults.write = true;
  const Position before = running.log->position();
  REQUIRE(running.add("a").ok());
  const int syncs = faults.syncs;
  running.clock.advance(kRetryFailedDevice);
  faults.write = false;
  REQUIRE(running.add("b").ok());
  CHECK(eventually([&] { return faults.syncs > syncs; }));
  CHECK(eventually([&] { return running.log->synced().last == running.log->position(); }));
  CHECK(running.log->synced().since > before.seq + 1);  // a is to be written again
}

TEST_CASE("audit log: a device whose log was forged is left out while another works") {
  Folder folder;
  const auto lines = killed(folder / "a.log", 10);
  std::filesystem::copy_file(folder / "a.log", folder / "b.log");
  write_file(folder / "b.log", joined(forged({lines.begin(), lines.begin() + 4}, 20)));
  const std::string text = read_file(folder / "b.log");
  std::vector<std::unique_ptr<Device>> devices;
  for (const char* name : {"a.log", "b.log"})
    devices.push_back(std::make_unique<LogFile>(folder / name, 0600));
  Running running(std::move(devices));
  Identity identity = test_identity();
  identity.remembered = place_of(lines[7]);
  REQUIRE(running.log->start(identity).ok());
  for (int i = 0; i < 3; ++i) {
    running.clock.advance(std::chrono::seconds(2));  // it is tried again, and refused again
    CHECK(running.add("x").ok());
  }
  CHECK(read_file(folder / "b.log") == text);
  std::filesystem::rename(folder / "b.log", folder / "b.log.forged");
  running.clock.advance(std::chrono::seconds(2));
  CHECK(running.add("y").ok());
  running.log->close();
  CHECK(verified({folder / "a.log"}).whole);
  CHECK(verified({folder / "b.log"}).whole);
}

TEST_CASE("audit log: lines that somebody appends while a device fails are not continued") {
  Folder folder;
  const std::string file = folder / "audit.log";
  FaultyDevice::Faults faults;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(file, faults));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  CHECK(running.add("a").ok());
  faults.write = true;
  CHECK_FALSE(running.add("b").ok());
  faults.write = false;
  const std::string good = read_file(file);
  write_file(file, joined(forged(lines_of(good), 2)));
  running.clock.advance(kRetryFailedDevice);
  CHECK_FALSE(running.add("c").ok());
  CHECK(running.sink.text().find("changed while the server ran") != std::string::npos);
  write_file(file, good);
  running.clock.advance(kRetryFailedDevice);
  CHECK(running.add("d").ok());
  running.log->close();
  CHECK(verified({file}).whole);
}

TEST_CASE("audit log: what no device takes at the start begins once one does") {
  Folder folder;
  FaultyDevice::Faults faults;
  const auto log_of = [&] {
    std::vector<std::unique_ptr<Device>> devices;
    devices.push_back(std::make_unique<FaultyDevice>(folder / "audit.log", faults));
    return devices;
  };
  {
    Running before(log_of());
    REQUIRE(before.start().ok());
    CHECK(before.add("before").ok());
    before.log->close();
  }
  const std::size_t lines = lines_of(read_file(folder / "audit.log")).size();
  SUBCASE("it cannot be opened") { faults.open = true; }
  SUBCASE("it is full") { faults.write = true; }
  Running running(log_of());
  CHECK_FALSE(running.start().ok());
  CHECK_FALSE(running.log->can_record());
  CHECK_FALSE(running.add("lost").ok());
  CHECK(lines_of(read_file(folder / "audit.log")).size() == lines);
  faults.open = faults.write = false;
  running.clock.advance(kRetryFailedDevice);
  CHECK(eventually([&] { return running.log->can_record(); }));
  CHECK(running.add("after").ok());
  running.log->close();
  CHECK(verified({folder / "audit.log"}).whole);
  const auto all = lines_of(read_file(folder / "audit.log"));
  CHECK(all[lines].find("\"epoch\"") != std::string::npos);
  CHECK(joined(all).find("lost") == std::string::npos);
}

TEST_CASE("audit log: after a failed fdatasync nothing is promised until a device works again") {
  Folder folder;
  FaultyDevice::Faults faults;
  std::vector<std::unique_ptr<Device>> devices;
  devices.push_back(std::make_unique<FaultyDevice>(folder / "audit.log", faults));
  Running running(std::move(devices));
  REQUIRE(running.start().ok());
  faults.sync = true;
  CHECK(running.add("a").ok());
  CHECK(eventually([&] { return !running.log->can_record(); }));
  faults.sync = false;
  running.clock.advance(kRetryFailedDevice);
  CHECK(eventually([&] { return running.log->can_record(); }));
}
