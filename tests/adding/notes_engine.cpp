#include "tests/adding/added.h"
#include "vault/core/contract/records.h"
#include "vault/core/contract/routes.h"

namespace leasehold::engine {
namespace {

Result<core::Response> read(core::Call& call, core::ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto note, core::load_json(txn, "notes/" + call.fields.text("name")));
  return note ? core::Response::of(*note) : core::Response::refused(404, "");
}

Result<core::Response> write(core::Call& call, core::WriteTxn& txn) {
  Json note = Json::object();
  note.set("text", call.fields.text("text"));
  VAULT_TRY(core::save_json(txn, "notes/" + call.fields.text("name"), note));
  return core::Response::none();
}

class Notes final : public core::Engine {
 public:
  Notes() {
    routes_.push_back(core::route("notes/:name", {{"name"}, {"text"}},
                                  {core::reads(read), core::writes(write)}, "Keeps a note."));
  }
  std::span<const core::Route> routes() const override { return routes_; }

 private:
  std::vector<core::Route> routes_;
};

}  // namespace

std::unique_ptr<core::Engine> make_notes(const core::EngineContext&) {
  return std::make_unique<Notes>();
}

}  // namespace leasehold::engine
