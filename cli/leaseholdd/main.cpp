// leaseholdd: the vault's process, the key host's process, and offline verification of a store.

#include <cstdio>

#include "api/server/dev_certificate.h"
#include "backends/catalog.h"
#include "backends/keyhost/client.h"
#include "backends/keyhost/host.h"
#include "cli/leaseholdd/check.h"
#include "cli/leaseholdd/harden.h"
#include "cli/leaseholdd/log.h"
#include "cli/leaseholdd/offline.h"
#include "cli/leaseholdd/process.h"
#include "vault/base/json.h"

namespace leasehold::server_process {
namespace {

int fail(const Error& error) {
  std::fprintf(stderr, "leaseholdd: %s\n", error.message.c_str());
  return 1;
}

// What -dev means when no file says otherwise.
std::string dev_configuration(const Options& options, const server::DevCertificate* certificate) {
  std::string text = "storage \"inmem\" {}\nlistener \"tcp\" {\n  address = ";
  write_json_string(text, options.dev_listen_address);
  const auto add = [&text](const char* key, const std::string& file) {
    text.append("\n  ").append(key).append(" = ");
    write_json_string(text, file);
  };
  if (certificate != nullptr) {
    add("tls_cert_file", certificate->certificate_file());
    add("tls_key_file", certificate->key_file());
  } else {
    text += "\n  tls_disable = true";
  }
  text +=
      "\n  disable_unauthed_rekey_endpoints = false\n  disable_unauthed_generate_root_endpoints = "
      "false";
  return text + "\n}\ndisable_mlock = true\n";
}

Status read_configuration(const Options& options, const server::DevCertificate* certificate,
                          config::Configuration& into) {
  if (options.configs.empty() && options.dev)
    return config::parse("-dev", dev_configuration(options, certificate), into);
  if (options.configs.empty())
    return failure(Code::invalid, "-config or -dev is needed\n" + usage());
  return config::load(options.configs, into);
}

// Whoever mends a file wants all that is wrong with it, in its stanzas too.
Error with_stanzas(Error error, const config::Configuration& configuration,
                   const std::string& own_executable) {
  SystemClock clock;
  SystemRandom random;
  const auto log = make_log({});
  if (!log.ok()) return error;
  const Status stanzas = check_each_stanza(configuration, {own_executable, clock, random, **log});
  if (!stanzas.ok()) error.message += "\n" + stanzas.error().message;
  return error;
}

// Where a server that may start logs to. All else is asked for by whoever stands before the screen,
// often as root, who would leave a file behind that the service cannot open.
std::string log_file_of(const Options& options, const config::Configuration& configuration) {
  const bool serves = options.command == Options::Command::server && !options.test_config;
  return serves && owns_data(configuration) ? configuration.log_file : "";
}

int run(const Options& options, const std::string& own_executable,
        const server::DevCertificate* certificate) {
  config::Configuration configuration;
  const Status read = read_configuration(options, certificate, configuration);
  if (!read.ok()) return fail(with_stanzas(read.error(), configuration, own_executable));
  LogSettings settings;
  settings.level = options.log_level.value_or(configuration.log_level);
  settings.format = options.log_format.value_or(configuration.log_format);
  if (!options.log_file.empty()) configuration.log_file = options.log_file;
  settings.file = log_file_of(options, configuration);
  auto log = make_log(settings);
  if (!log.ok()) return fail(log.error());
  for (const std::string& warning : configuration.warnings) (*log)->warn("{}", warning);
  const Status hardened = harden();
  if (!hardened.ok() && !configuration.allow_core_dumps) return fail(hardened.error());
  raise_descriptor_limit();
  if (options.command == Options::Command::verify)
    return run_verify(options, std::move(configuration), **log, own_executable);
  if (options.command == Options::Command::restore_backup)
    return run_restore(options, std::move(configuration), **log, own_executable);
  return run_server(options, std::move(configuration), **log, own_executable);
}

// The files of -dev-tls last as long as the server.
int run_with_certificate(Options options, const std::string& own_executable) {
  const bool made_up = options.dev_tls && options.configs.empty();
  if (!made_up) return run(options, own_executable, nullptr);
  const auto certificate =
      server::make_dev_certificate(options.dev_tls_cert_dir, options.dev_tls_names);
  if (!certificate.ok()) return fail(certificate.error());
  options.dev_authority_file = certificate->authority_file();
  const int status = run(options, own_executable, &*certificate);
  certificate->remove();
  return status;
}

}  // namespace
}  // namespace leasehold::server_process

int main(int argc, char** argv) {
  using namespace leasehold;
  using server_process::Options;
  const auto options = server_process::parse_options(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "leaseholdd: %s\n", options.error().message.c_str());
    return 1;
  }
  switch (options->command) {
    case Options::Command::keyhost:
      return keyhost::keyhost_main(keyhost::kHostDescriptor, catalog::kSeals);
    case Options::Command::version:
      std::printf("Leasehold v%s (%s)\n", server_process::kVersion, server_process::kRevision);
      return 0;
    case Options::Command::help:
      std::printf("%s", server_process::usage().c_str());
      return 0;
    case Options::Command::verify_backup: {
      const Status verified = server_process::verify_backup(*options);
      return verified.ok() ? 0 : server_process::fail(verified.error());
    }
    case Options::Command::server:
    case Options::Command::verify:
    case Options::Command::restore_backup:
      break;
  }
  return server_process::run_with_certificate(*options, keyhost::own_executable());
}
