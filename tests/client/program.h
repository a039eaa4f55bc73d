#pragma once
// Runs the built `leasehold` as a shell would: arguments, environment and standard input in; exit
// code, standard output and error out. The environment holds nothing but what the test sets; HOME
// is a folder of its own.

#include <map>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace leasehold::testing {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

class Program {
 public:
  // Points VAULT_ADDR to `address` when it is not empty.
  explicit Program(const std::string& address = {});
  Outcome run(const std::vector<std::string>& words, const std::string& input = {}) const;

  std::map<std::string, std::string> environment;
  const TemporaryFolder& home() const { return home_; }

 private:
  TemporaryFolder home_;
};

}  // namespace leasehold::testing
