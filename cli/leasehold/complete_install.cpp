// Where shells look for completion: bash and fish in a folder of files, zsh in what ~/.zshrc reads.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/leasehold/complete.h"

namespace leasehold::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kZshLine = "source <(leasehold completion zsh)  # leasehold completion";

struct Place {
  const char* shell;
  const char* has;   // below the home: who has it uses the shell
  const char* file;  // that is ours alone
};
constexpr Place kPlaces[] = {
    {"bash", ".bashrc", ".local/share/bash-completion/completions/leasehold"},
    {"fish", ".config/fish", ".config/fish/completions/leasehold.fish"},
};

Error cannot_write(const fs::path& file) {
  return failure(Code::invalid, "cannot write " + file.string() + ": " + std::strerror(errno));
}

Status write_file(const fs::path& file, std::string_view text) {
  std::error_code ignored;
  fs::create_directories(file.parent_path(), ignored);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) return cannot_write(file);
  return {};
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

Result<std::vector<std::string>> install_completion(const std::string& home) {
  std::vector<std::string> done;
  for (const Place& place : kPlaces) {
    if (!fs::exists(fs::path(home) / place.has)) continue;
    const fs::path file = fs::path(home) / place.file;
    VAULT_TRY(write_file(file, completion_script(place.shell)));
    done.push_back(std::string(place.shell) + ": " + file.string());
  }
  const fs::path zshrc = fs::path(home) / ".zshrc";
  if (!fs::exists(zshrc)) return done;
  if (read_file(zshrc).find(kZshLine) == std::string::npos) {
    std::ofstream out(zshrc, std::ios::binary | std::ios::app);
    out << "\n" << kZshLine << "\n";
    out.close();
    if (!out) return cannot_write(zshrc);
  }
  done.push_back("zsh: " + zshrc.string());
  return done;
}

Result<std::vector<std::string>> uninstall_completion(const std::string& home) {
  std::vector<std::string> done;
  for (const Place& place : kPlaces) {
    const fs::path file = fs::path(home) / place.file;
    std::error_code failed;
    if (fs::remove(file, failed)) done.push_back(std::string(place.shell) + ": " + file.string());
  }
  const fs::path zshrc = fs::path(home) / ".zshrc";
  std::string text = read_file(zshrc);
  const std::string line = "\n" + std::string(kZshLine) + "\n";
  const auto at = text.find(line);
  if (at == std::string::npos) return done;
  text.erase(at, line.size());
  VAULT_TRY(write_file(zshrc, text));
  done.push_back("zsh: " + zshrc.string());
  return done;
}

}  // namespace leasehold::cli
