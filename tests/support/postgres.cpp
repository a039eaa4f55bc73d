#include "tests/support/postgres.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <random>
#include <vector>

#include <doctest/doctest.h>

namespace leasehold::testing {
namespace {

// Another version's programs: LEASEHOLD_POSTGRES_BIN, a folder.
std::string program(const std::string& name) {
  const char* const folder = std::getenv("LEASEHOLD_POSTGRES_BIN");
  return std::string(folder != nullptr ? folder : "/usr/lib/postgresql/15/bin") + "/" + name;
}

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "PostgreSQL for the tests: %s (apt install postgresql-15)\n", what.c_str());
  std::abort();
}

// initdb and postgres refuse to run as root.
const passwd* server_user() {
  if (getuid() != 0) return nullptr;
  static const passwd* const user = getpwnam("postgres");
  if (user == nullptr) give_up("there is no user `postgres`");
  return user;
}

void give_to_server_user(const std::string& path) {
  const passwd* user = server_user();
  if (user != nullptr && chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
    give_up("chown " + path);
}

// In the child only.
[[noreturn]] void become_server(const std::vector<std::string>& arguments,
                                const std::string& folder, pid_t parent) {
  if (const passwd* user = server_user()) {
    if (setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
      _exit(126);
  }
  // After setuid, which would clear it. SIGQUIT: the server ends at once.
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent) _exit(126);
  const int log = open((folder + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  dup2(log, 1);
  dup2(log, 2);
  if (chdir(folder.c_str()) != 0) _exit(126);
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

pid_t spawn(const std::vector<std::string>& arguments, const std::string& folder) {
  server_user();
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) give_up("fork");
  if (child == 0) become_server(arguments, folder, parent);
  return child;
}

bool run(const std::vector<std::string>& arguments, const std::string& folder) {
  const pid_t child = spawn(arguments, folder);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string make_folder() {
  std::string path = "/tmp/leasehold-pg-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) give_up("mkdtemp");
  give_to_server_user(path);
  return path;
}

// A data folder as initdb leaves it, shared by all servers of this program.
class Template {
 public:
  Template() : folder_(make_folder()) {
    if (!run({program("initdb"), "-D", data(), "-U", "postgres", "--auth=trust", "-E", "UTF8",
              "--locale=C", "--no-sync"},
             folder_))
      give_up("initdb failed");
  }
  ~Template() { std::filesystem::remove_all(folder_); }
  std::string data() const { return folder_ + "/data"; }

 private:
  std::string folder_;
};

// Below the range the kernel hands out by itself, so that nobody takes it while the server is down.
int free_port() {
  static std::mt19937 random{std::random_device{}()};
  for (int attempt = 0; attempt < 200; ++attempt) {
    const int port = std::uniform_int_distribution<int>(20000, 32000)(random);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const bool free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (free) return port;
  }
  give_up("no free port");
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  give_to_server_user(path);
}

constexpr const char* kSetUp[] = {
    "CREATE DATABASE app",
    "CREATE DATABASE other",
    "CREATE ROLE app_ro NOLOGIN",
    "GRANT pg_signal_backend TO vaultmgr",
    "GRANT app_ro TO vaultmgr WITH ADMIN OPTION",
};

}  // namespace

long steady_milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

Postgres::Postgres(Options options)
    : options_(options), folder_(make_folder()), port_(options.port) {
  prepare_data();
  start();
  set_up();
}

Postgres::~Postgres() {
  if (pid_ > 0) {
    kill(pid_, SIGCONT);
    kill(pid_, SIGQUIT);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Postgres& Postgres::shared() {
  static Postgres server;
  return server;
}

void Postgres::prepare_data() {
  static const Template initial;
  std::optional<Template> own;
  if (options_.own_identity) own.emplace();
  const std::string from = own ? own->data() : initial.data();
  if (!run({"/bin/cp", "-a", from, folder_ + "/data"}, folder_)) give_up("cp failed");
  write_file(folder_ + "/data/pg_hba.conf",
             "local all postgres trust\n"
             "local all all scram-sha-256\n"
             "host all all 127.0.0.1/32 scram-sha-256\n");
  if (options_.tls) write_certificate();
}

void Postgres::write_certificate() {
  const std::string data = folder_ + "/data";
  if (!run({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-keyout", data + "/server.key", "-out",
            data + "/server.crt"},
           folder_))
    give_up("openssl failed");
}

std::string Postgres::url(const std::string& database) const {
  return "postgresql://{{username}}:{{password}}@127.0.0.1:" + std::to_string(port_) + "/" +
         database;
}

std::string Postgres::socket_url(const std::string& database) const {
  return "host=" + folder_ + " port=" + std::to_string(port_) +
         " user={{username}} password={{password}} dbname=" + database;
}

bool Postgres::try_start() {
  port_ = port_ == 0 ? free_port() : port_;
  std::vector<std::string> arguments{
      program("postgres"), "-D", folder_ + "/data", "-k", folder_, "-p", std::to_string(port_)};
  for (const char* setting : {"listen_addresses=127.0.0.1", "fsync=off", "shared_buffers=16MB",
                              "max_connections=60", "autovacuum=off", "max_wal_senders=0"}) {
    arguments.emplace_back("-c");
    arguments.emplace_back(setting);
  }
  arguments.insert(arguments.end(),
                   {"-c", options_.replica ? "wal_level=replica" : "wal_level=minimal"});
  if (options_.tls) arguments.insert(arguments.end(), {"-c", "ssl=on"});
  pid_ = spawn(arguments, folder_);
  const std::string where = "host=" + folder_ + " port=" + std::to_string(port_);
  while (true) {
    if (PQping((where + " user=postgres dbname=postgres").c_str()) == PQPING_OK) return true;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    pause_between_looks();
  }
}

void Postgres::start() {
  // A backend of a killed postmaster may hold the folder for a moment; somebody may take the port.
  const bool fixed_port = port_ != 0;
  for (int attempt = 0; attempt < 50; ++attempt) {
    if (try_start()) return;
    if (!fixed_port) port_ = 0;
    for (int i = 0; i < 20; ++i) pause_between_looks();
  }
  give_up("it does not start; see " + folder_ + "/log");
}

void Postgres::set_up() {
  query("CREATE ROLE vaultmgr LOGIN CREATEROLE PASSWORD '" + std::string(kManagerPassword) + "'");
  for (const char* statement : kSetUp) query(statement);
  query(
      "CREATE TABLE items (id int); INSERT INTO items VALUES (7); GRANT SELECT ON items TO app_ro",
      "app");
  query("CREATE TABLE things (id int)", "other");
}

std::string Postgres::query(const std::string& sql, const std::string& database) {
  PGconn* connection =
      PQconnectdb(("host=" + folder_ + " port=" + std::to_string(port_) +
                   " user=postgres options=-cclient_min_messages=error dbname=" + database)
                      .c_str());
  PGresult* result = PQexec(connection, sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  std::string answer;
  if (status == PGRES_TUPLES_OK && PQntuples(result) > 0) answer = PQgetvalue(result, 0, 0);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    FAIL_CHECK("the superuser's statement failed: ", PQerrorMessage(connection));
  PQclear(result);
  PQfinish(connection);
  return answer;
}

int Postgres::version() { return std::stoi(query("SHOW server_version_num")) / 10000; }

void Postgres::let_manage(const std::string& quoted_role) {
  if (version() >= 16) query("GRANT " + quoted_role + " TO vaultmgr WITH ADMIN OPTION");
}

bool Postgres::has_role(const std::string& name) {
  return query("SELECT count(*) FROM pg_roles WHERE rolname = '" + name + "'") == "1";
}

int Postgres::sessions_of(const std::string& role) {
  return std::stoi(query("SELECT count(*) FROM pg_stat_activity WHERE usename = '" + role + "'"));
}

void Postgres::stop() {
  kill(pid_, SIGINT);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Postgres::become_standby() {
  stop();
  write_file(folder_ + "/data/standby.signal", "");
  start();
}

void Postgres::kill9() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Postgres::pause() { kill(pid_, SIGSTOP); }
void Postgres::resume() { kill(pid_, SIGCONT); }

}  // namespace leasehold::testing
