// What the program says about itself, and to those who mistype.

#include <doctest/doctest.h>

#include <sstream>

#include "tests/client/program.h"

using leasehold::testing::Program;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The first words of the rows below "Commands:".
std::vector<std::string> names_in(const std::string& help) {
  std::vector<std::string> names;
  std::istringstream lines(help.substr(help.find("\nCommands:\n") + 11));
  for (std::string line; std::getline(lines, line) && line.compare(0, 2, "  ") == 0;)
    names.push_back(line.substr(2, line.find("  ", 2) - 2));
  return names;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

TEST_CASE("cli: mistakes are local errors that say what was meant") {
  const Program program("http://127.0.0.1:1");
  const auto unknown = program.run({"raed", "x"});
  CHECK(unknown.code == 1);
  CHECK(contains(unknown.err, "Did you mean \"leasehold read\"?"));
  const auto sub = program.run({"token", "crate"});
  CHECK(contains(sub.err, "Did you mean \"leasehold token create\"?"));
  const auto flag = program.run({"read", "-feild=x", "s"});
  CHECK(flag.code == 1);
  CHECK(contains(flag.err, "flag provided but not defined: -feild"));
  CHECK(contains(flag.err, "Did you mean -field?"));
  for (const char* dash : {"\u2013", "\u2014", "\u2212", "\u2013-"}) {
    const std::string typed = std::string(dash) + "policy=app";
    const auto dashed = program.run({"token", "create", typed});
    CHECK(dashed.code == 1);
    CHECK(contains(dashed.err,
                   "\"" + typed + "\" begins with a typographic dash: write -policy=app"));
  }
  CHECK(contains(program.run({"\u2013format=json", "read", "x"}).err, "write -format=json"));
  CHECK(contains(program.run({"read"}).err, "Not enough arguments (expected 1, got 0)"));
  CHECK(contains(program.run({"status", "x"}).err, "Too many arguments (expected 0, got 1)"));
  CHECK(contains(program.run({"read", "-format=xml", "s"}).err, "Invalid format \"xml\""));
  CHECK(contains(program.run({"read", "-tls-skip-verify=perhaps", "s"}).err, "is a switch"));
  CHECK(program.run({"write", "s"}).err == "Must supply data or use -force\n");
}

TEST_CASE("cli: every command explains itself with its flags and an example") {
  const Program program;
  const auto all = program.run({"-h"});
  CHECK(all.code == 0);
  std::vector<std::string> names = names_in(all.out);
  int commands = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = names[i];
    CAPTURE(name);
    auto words = words_of(name);
    words.push_back("-h");
    const auto help = program.run(words);
    CHECK(help.code == 0);
    CHECK(contains(help.out, "Usage: leasehold " + name));
    if (contains(help.out, "\nCommands:\n")) {
      for (const std::string& inner : names_in(help.out)) names.push_back(name + " " + inner);
      words.pop_back();
      CHECK(program.run(words).code == 1);
      continue;
    }
    ++commands;
    CHECK(contains(help.out, "  $ leasehold " + name));
    CHECK(contains(help.out, "\nFlags"));
  }
  CHECK(commands > 50);
}

TEST_CASE("cli: a command that does not exist is told apart from one that only Vault has") {
  const Program program;
  CHECK(contains(program.run({"kv", "metadata"}).err, "Usage: leasehold kv metadata COMMAND"));
  CHECK(program.run({"kv", "metadata", "-h"}).code == 0);
  CHECK(contains(program.run({"kv", "metdata", "get", "x"}).err,
                 "Did you mean \"leasehold kv metadata\"?"));
  CHECK(contains(program.run({"kv", "metadata", "gte", "x"}).err,
                 "Did you mean \"leasehold kv metadata get\"?"));
  const auto migrate = program.run({"operator", "migrate", "-start"});
  CHECK(migrate.code == 1);
  CHECK(contains(migrate.err, "There is no command \"operator migrate\". Vault has one"));
  CHECK_FALSE(contains(migrate.err, "Did you mean"));
  // Only what is close, and only in the group that was named.
  for (const char* far : {"operator riad", "kv unseal", "token loginn", "initt"}) {
    CAPTURE(far);
    CHECK_FALSE(contains(program.run(words_of(far)).err, "Did you mean"));
  }
  CHECK(contains(program.run({"operator", "unsael"}).err, "leasehold operator unseal"));
  CHECK(contains(program.run({"operatr", "unseal"}).err, "\"leasehold operator\""));
  CHECK(contains(program.run({"-format=json"}).err, "Usage: leasehold COMMAND"));
  CHECK(contains(program.run({"-formt=json", "read", "x"}).err,
                 "flag provided but not defined: -formt"));
}

TEST_CASE("cli: the second word of the version is the number") {
  const auto outcome = Program().run({"version"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.compare(0, 18, "Leasehold v0.1.0 (") == 0);
  CHECK(outcome.out.find("), built ") != std::string::npos);
  CHECK(Program().run({"-version"}).out == outcome.out);
}

TEST_CASE("cli: server becomes leaseholdd, which is looked for beside the program") {
  const auto help = Program().run({"server", "-h"});
  CHECK(help.code == 0);
  CHECK(contains(help.out, "-dev-root-token-id"));
}
