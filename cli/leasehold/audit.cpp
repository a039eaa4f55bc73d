// audit list, enable, disable, verify.

#include <fmt/core.h>

#include <algorithm>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/input.h"
#include "cli/leasehold/output.h"
#include "vault/audit/verify.h"
#include "vault/base/encoding.h"

namespace leasehold::cli {
namespace {

int run_list(Session& session) {
  const auto answer = session.send({"GET", "sys/audit"});
  if (!is_good(answer)) return session.refused("Error listing audits", answer);
  if (answer->data() == nullptr || answer->data()->size() == 0) {
    session.note("No audit devices are enabled.");
    return kRemoteError;
  }
  const bool detailed = session.is_detailed();
  std::vector<Row> rows = {{"Path", "Type", "Description"}};
  if (detailed) rows[0].push_back("Options");
  for (const auto& member : answer->data()->members()) {
    Row row = {member.first, member.second.string_at("type"),
               member.second.string_at("description")};
    const Json* options = member.second.find("options");
    if (detailed) row.push_back(options == nullptr ? "" : plain(*options));
    rows.push_back(std::move(row));
  }
  return show_value(session, *answer->data(), rows);
}

constexpr Flag kEnableFlags[] = {
    {"path", "", Takes::value, "PATH", "Name of the device (default: its type)"},
    {"description", "", Takes::value, "TEXT", "What it is for"},
    {"local", "", Takes::nothing, "", "Not replicated"},
};

int run_enable(Session& session) {
  const std::string type = plain_path(session.args().positional(0));
  const std::string path = plain_path(session.args().text("path", type));
  auto options = parse_data(session.args().positionals(), 1);
  if (!options.ok()) return session.misused(options.error().message);
  Json body = Json::object();
  body.set("type", type).set("description", session.args().text("description"));
  body.set("options", std::move(options).value()).set("local", session.args().is_on("local"));
  const auto answer = session.send({"PUT", "sys/audit/" + path, std::move(body)});
  if (!is_good(answer)) return session.refused("Error enabling audit device", answer);
  return session.succeed(fmt::format("Enabled the {} audit device at: {}/", type, path));
}

int run_disable(Session& session) {
  const std::string path = plain_path(session.args().positional(0));
  const auto answer = session.send({"DELETE", "sys/audit/" + path});
  if (!is_good(answer)) return session.refused("Error disabling audit device", answer);
  return session.did(*answer,
                     fmt::format("Disabled audit device (if it was enabled) at: {}/", path));
}

constexpr Flag kVerifyFlags[] = {
    {"device", "", Takes::value, "PATH",
     "Whose files these are, when they lie elsewhere: the file_path of the audit device"},
    {"head", "", Takes::value, "HASH", "A hash noted earlier, elsewhere; it must occur in the log"},
    {"public-key", "", Takes::value, "HEX", "The key that init printed (default: the log's own)"},
};

// 32 bytes in hex: a hash or a key.
Result<std::optional<crypto::Digest>> digest_flag(const Arguments& args, const char* flag) {
  if (!args.has(flag)) return std::optional<crypto::Digest>();
  auto digest = array_from_hex<crypto::Digest>(args.text(flag));
  if (digest) return digest;
  return failure(Code::invalid, fmt::format("-{} needs 64 hexadecimal digits", flag));
}

Json as_json(const audit::Verdict& verdict) {
  Json out = Json::object();
  out.set("whole", verdict.whole);
  out.set("records", verdict.records);
  out.set("epochs", verdict.epochs);
  out.set("checkpoints", verdict.checkpoints);
  out.set("first_seq", verdict.first_seq);
  out.set("last_seq", verdict.last_seq);
  out.set("signed_seq", verdict.signed_seq);
  out.set("after_signed", verdict.after_signed);
  out.set("after_signed_seconds", static_cast<std::int64_t>(verdict.after_signed_span.count()));
  out.set("last_hash", hex(verdict.last_hash));
  out.set("public_key", verdict.public_key_hex);
  out.set("key_was_given", verdict.key_was_given);
  out.set("signed_by", verdict.signed_by_hex);
  out.set("head_found", verdict.head_found);
  out.set("breaks", verdict.breaks);
  out.set("notes", verdict.notes);
  return out;
}

std::vector<Row> verdict_rows(const audit::Verdict& verdict) {
  return {{"Key", "Value"},
          {"Whole", verdict.whole ? "true" : "false"},
          {"Records", std::to_string(verdict.records)},
          {"Sequence", fmt::format("{} to {}", verdict.first_seq, verdict.last_seq)},
          {"Epochs", std::to_string(verdict.epochs)},
          {"Checkpoints", std::to_string(verdict.checkpoints)},
          {"Signed up to", std::to_string(verdict.signed_seq)},
          {"Records after that", std::to_string(verdict.after_signed)},
          {"Signed by", verdict.signed_by_hex},
          {"Last hash", hex(verdict.last_hash)},
          {"Public key", verdict.public_key_hex}};
}

int run_verify(Session& session) {
  audit::VerifyOptions options;
  auto head = digest_flag(session.args(), "head");
  if (!head.ok()) return session.misused(head.error().message);
  options.head = *head;
  auto key = digest_flag(session.args(), "public-key");
  if (!key.ok()) return session.misused(key.error().message);
  options.public_key = *key;
  options.device = session.args().text("device");
  const auto verdict = audit::verify_files(session.args().positionals(), options);
  if (!verdict.ok()) return session.misused("Error verifying: " + verdict.error().message);
  show_value(session, as_json(*verdict), verdict_rows(*verdict));
  if (session.format() == Format::table) {
    for (const std::string& note : verdict->notes) session.line("\nnote: " + note);
    for (const std::string& one : verdict->breaks) session.note("BROKEN " + one);
  }
  const bool head_missing = options.head.has_value() && !verdict->head_found;
  if (head_missing) session.note("BROKEN the hash given with -head does not occur in this log");
  return verdict->whole && !head_missing ? kSuccess : kRemoteError;
}

constexpr Command kCommands[] = {
    {"audit list",
     "List the audit devices",
     "[flags]",
     "Lists where the audit log goes.\n\n  $ leasehold audit list -detailed",
     {},
     0,
     0,
     run_list},
    {"audit enable", "Enable an audit device (Leasehold has them in its configuration)",
     "[flags] TYPE [K=V...]",
     "Enables an audit device of another server. Leasehold reads its devices from its "
     "configuration,\n"
     "so that no request can choose a file to write, and refuses this.\n\n"
     "  $ leasehold audit enable file file_path=/var/log/vault_audit.log",
     kEnableFlags, 1, kAnyNumber, run_enable},
    {"audit disable",
     "Disable an audit device (Leasehold has them in its configuration)",
     "[flags] PATH",
     "Disables an audit device of another server; Leasehold refuses this, see `audit enable`.\n\n"
     "  $ leasehold audit disable file/",
     {},
     1,
     1,
     run_disable},
    {"audit verify", "Prove that an audit log is whole", "[flags] FILE...",
     "Checks the chain of hashes and the signatures of audit files, oldest first, without a "
     "server.\n"
     "Exit code 0: whole, 2: broken, 1: could not be read. With -public-key whole means signed by\n"
     "that key, up to the few records of the last moment, which are counted.\n\n"
     "A device that failed for a while lacks lines, and a record of the log says so.\n"
     "It is believed in that device's files only: the last FILE lies at its path, or\n"
     "-device names it.\n\n"
     "  $ leasehold audit verify /var/log/leasehold/audit.log\n"
     "  $ leasehold audit verify -public-key=HEX -head=HASH audit.log.1 audit.log",
     kVerifyFlags, 1, kAnyNumber, run_verify},
};

}  // namespace

std::span<const Command> audit_commands() { return kCommands; }

}  // namespace leasehold::cli
