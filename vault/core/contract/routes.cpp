#include "vault/core/contract/routes.h"

#include "vault/base/encoding.h"

namespace leasehold::core {

Result<std::unique_ptr<target::Target>> Engine::target(const TargetId&, ReadTxn&) {
  return failure(Code::unsupported, "this engine has no targets");
}

Result<std::string> Engine::login_role(const Fields&, ReadTxn&) { return std::string(); }

Result<Login> Engine::renew_login(std::string_view, ReadTxn&) {
  return failure(Code::unsupported, "this engine has no logins");
}

Result<DueSlice> Engine::due(WriteTxn&, const std::string&, WallTime) { return DueSlice(); }

Status Engine::upgrade(int from, WriteTxn&, WallTime) {
  return failure(Code::invalid,
                 "a mount of version " + std::to_string(from) + " cannot be upgraded");
}

Result<bool> Engine::moved(const TargetId&, const std::string&, WriteTxn&) { return false; }

Result<std::optional<Event>> Engine::recover(const TargetId&, const Recovery&, WriteTxn&) {
  return std::optional<Event>();
}
std::string Engine::target_name(const TargetId& id, ReadTxn&) { return hex(id); }

Route route(std::string pattern, std::vector<Field> fields, std::vector<Action> actions,
            std::string synopsis) {
  Route made;
  made.pattern = std::move(pattern);
  made.fields = std::move(fields);
  made.actions = std::move(actions);
  made.synopsis = std::move(synopsis);
  return made;
}
Field sensitive(Field field) {
  field.sensitive = true;
  return field;
}
Field required(Field field, std::string answer) {
  field.required = std::move(answer);
  return field;
}
Action reads(ReadHandler handler, Place place) {
  return {Operation::read, std::move(handler), place};
}
Action lists(ReadHandler handler) { return {Operation::list, std::move(handler), Place::lists}; }
Action scans(ReadHandler handler) { return {Operation::scan, std::move(handler), Place::lists}; }
Action asks(ReadHandler handler, Place place) {
  return {Operation::update, std::move(handler), place};
}
Action writes(WriteHandler handler, Place place) {
  return {Operation::update, std::move(handler), place};
}
Action removes(WriteHandler handler, Place place) {
  return {Operation::remove, std::move(handler), place};
}

Action ends(WriteHandler handler) {
  return {Operation::update, std::move(handler), Place::inline_, true};
}

}  // namespace leasehold::core
