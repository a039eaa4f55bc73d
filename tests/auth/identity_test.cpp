// Entities and their aliases: found and made by logins, written by operators, merged, ended.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/auth/identity_vault.h"
#include "vault/base/encoding.h"
#include "vault/core/contract/records.h"

using namespace leasehold;
using testing::Answer;
using testing::IdentityVault;
using Names = std::vector<std::string>;

namespace {

Names keys_of(const Answer& answer) { return answer.data().strings_at("keys"); }

std::string quoted(const std::string& text) { return Json(text).dump(); }

}  // namespace

TEST_CASE_FIXTURE(IdentityVault,
                  "identity: a login makes an entity with an alias, and finds it again") {
  const Answer login = log_in("bob");
  REQUIRE(login.status() == 200);
  const std::string id = login.response().auth->entity_id;
  CHECK(log_in("BOB").response().auth->entity_id == id);
  CHECK(log_in("ann").response().auth->entity_id != id);
  const Json entity = read("identity/entity/id/" + id).data();
  CHECK(entity.string_at("id") == id);
  const std::string name = entity.string_at("name");
  CHECK(name.starts_with("entity_"));
  CHECK(name.size() == 15);
  CHECK(entity.find("metadata")->is_null());
  CHECK(entity.find("merged_entity_ids")->is_null());
  CHECK(entity.find("policies")->dump() == "[]");
  CHECK_FALSE(entity.bool_at("disabled"));
  CHECK(entity.string_at("namespace_id") == "root");
  for (const char* groups : {"direct_group_ids", "inherited_group_ids", "group_ids"})
    CHECK(entity.find(groups)->dump() == "[]");
  REQUIRE(entity.find("aliases")->size() == 1);
  const Json& alias = entity.find("aliases")->items()[0];
  CHECK(alias.string_at("name") == "bob");
  CHECK(alias.string_at("canonical_id") == id);
  CHECK(alias.string_at("mount_accessor") == accessor("userpass/"));
  CHECK(alias.string_at("mount_path") == "auth/userpass/");
  CHECK(alias.string_at("mount_type") == "userpass");
  CHECK(alias.find("merged_from_canonical_ids")->is_null());
  CHECK_FALSE(alias.bool_at("local"));
  CHECK(read("identity/entity/name/" + name).data().string_at("id") == id);
  const Json by_id = read("identity/entity-alias/id/" + alias.string_at("id")).data();
  CHECK(by_id.string_at("name") == "bob");
  CHECK(by_id.string_at("namespace_id") == "root");
  CHECK(known("userpass/", "Bob") == id);
  CHECK(known("userpass/", "eve").empty());
  CHECK(badge("eve").status() == 200);
  const Json eve = read("identity/entity/id/" + known("badge/", "eve")).data();
  CHECK(eve.find("aliases")->items()[0].find("metadata")->string_at("badge") == "b-eve");
}

TEST_CASE_FIXTURE(IdentityVault, "identity: an entity is written, renamed and deleted") {
  const Answer made = write("identity/entity", R"({"name":"Team A","metadata":{"k":"v"}})");
  CHECK(made.status() == 200);
  const std::string id = made.data().string_at("id");
  CHECK(made.data().dump() == R"({"aliases":null,"id":")" + id + R"(","name":"Team A"})");
  CHECK(write("identity/entity/name/TEAM a", R"({"policies":"B, a,b"})").status() == 204);
  CHECK(read("identity/entity/id/" + id).data().find("policies")->dump() == R"(["a","b"])");
  CHECK(read("identity/entity/id/" + id).data().string_at("name") == "TEAM a");
  CHECK(write("identity/entity/id/" + id, R"({"name":"other"})").status() == 204);
  CHECK(read("identity/entity/name/team a").status() == 404);
  CHECK(read("identity/entity/name/Other").data().string_at("id") == id);
  const std::string second = this->made("entity", "{}");
  CHECK(write("identity/entity/id/" + second, R"({"name":"OTHER"})").error() ==
        "entity name is already in use");
  CHECK(write("identity/entity", R"({"id":"none"})").error() == "entity not found from id");
  Names both = {id, second};
  std::sort(both.begin(), both.end());
  CHECK(keys_of(list("identity/entity/id/")) == both);
  CHECK(list("identity/entity/id/").data().find("key_info")->find(id)->string_at("name") ==
        "other");
  const Names names = keys_of(list("identity/entity/name/"));
  CHECK(std::find(names.begin(), names.end(), "other") != names.end());
  CHECK(names.size() == 2);
  CHECK(remove("identity/entity/id/" + id).status() == 204);
  CHECK(read("identity/entity/name/other").status() == 404);
  CHECK(remove("identity/entity/id/" + id).status() == 204);
  CHECK(
      write("identity/entity/batch-delete", R"({"entity_ids":")" + second + ",none\"}").status() ==
      204);
  CHECK(write("identity/entity/batch-delete").error() == "missing entity ids to delete");
  CHECK(list("identity/entity/id/").status() == 404);
  CHECK(write("identity/lookup/entity", R"({"name":"other"})").status() == 204);
}

TEST_CASE_FIXTURE(IdentityVault, "identity: a lookup names one thing, or an alias by its two") {
  log_in("bob");
  const auto asks = [this](const std::string& body) {
    return write("identity/lookup/entity", body).error();
  };
  CHECK(asks("{}") == "query parameter not supplied");
  CHECK(asks(R"({"id":"a","name":"b"})") ==
        "query parameter conflict; please supply distinct set of query parameters");
  CHECK(asks(R"({"alias_name":"bob"})") ==
        "both 'alias_name' and 'alias_mount_accessor' needs to be set");
  const std::string alias = keys_of(list("identity/entity-alias/id/")).at(0);
  CHECK(write("identity/lookup/entity", R"({"alias_id":")" + alias + "\"}").status() == 200);
  CHECK(write("identity/lookup/group", R"({"name":"none"})").status() == 204);
}

TEST_CASE_FIXTURE(IdentityVault, "identity: metadata and names are within bounds") {
  std::string many;
  for (int i = 0; i < 65; ++i) many += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":\"v\"";
  CHECK(write("identity/entity", R"({"metadata":{)" + many + "}}").error() ==
        "invalid entity metadata: metadata cannot contain more than 64 key/value pairs");
  CHECK(
      write("identity/entity", R"({"metadata":{"a b":"v"}})").error() ==
      R"(invalid entity metadata: failed to load metadata pair ("a b", "v"): key contains invalid characters)");
  CHECK(
      write("identity/entity", R"({"metadata":{"k":")" + std::string(513, 'v') + "\"}}").status() ==
      400);
  CHECK(write("identity/entity", R"({"name":")" + std::string(513, 'n') + "\"}").status() == 400);
  CHECK(write("identity/entity", R"({"name":"a\u0000b"})").status() == 400);
  CHECK(list("identity/entity/id/").status() == 404);
}

TEST_CASE_FIXTURE(IdentityVault, "identity: an alias is given, moved and taken away") {
  const std::string ann = made("entity", R"({"name":"ann"})");
  const std::string place = R"("mount_accessor":")" + accessor("userpass/") + "\"";
  const std::string at_badge = R"("mount_accessor":")" + accessor("badge/") + "\"";
  const Answer given = write("identity/entity-alias",
                             R"({"name":"Ann","canonical_id":")" + ann + "\"," + place + "}");
  CHECK(given.status() == 200);
  CHECK(given.data().string_at("canonical_id") == ann);
  const std::string alias = given.data().string_at("id");
  CHECK(read("identity/entity-alias/id/" + alias).data().find("custom_metadata")->dump() == "{}");
  CHECK(log_in("ann").response().auth->entity_id == ann);  // the entity that was there for her
  const auto refused = [this](const std::string& body) {
    return write("identity/entity-alias", body).error();
  };
  CHECK(refused("{}") == "'id' or 'mount_accessor' and 'name' must be provided");
  CHECK(refused(R"({"name":"x","mount_accessor":"none"})") == R"(invalid mount accessor "none")");
  CHECK(refused(R"({"name":"x","canonical_id":"none",)" + place + "}") == "invalid canonical ID");
  CHECK(refused(R"({"name":"x","canonical_id":")" + ann + "\"," + place + "}") ==
        "Alias already exists for requested entity and mount accessor");
  CHECK(refused(R"({"id":"none"})") == "invalid alias ID provided");
  // Nothing changes, so nothing is answered.
  CHECK(write("identity/entity-alias", R"({"name":"Ann",)" + place + "}").status() == 204);
  CHECK(
      write("identity/entity-alias/id/" + alias, R"({"custom_metadata":{"desk":"7"}})").status() ==
      200);
  CHECK(write("identity/entity-alias/id/" + alias, R"({"name":"anna"})").status() == 200);
  CHECK(known("userpass/", "ann").empty());
  CHECK(known("userpass/", "anna") == ann);
  const Json shown = read("identity/entity-alias/id/" + alias).data();
  CHECK(shown.find("custom_metadata")->string_at("desk") == "7");
  const std::string other = made("entity", R"({"name":"other"})");
  CHECK(
      write("identity/entity-alias/id/" + alias, R"({"canonical_id":")" + other + "\"}").status() ==
      200);
  CHECK(known("userpass/", "anna") == other);
  CHECK(read("identity/entity/id/" + ann).data().find("aliases")->dump() == "[]");
  // One name, one entity; one mount, one name of an entity.
  const std::string second = made("entity-alias", R"({"name":"zoe",)" + place + "}");
  CHECK(write("identity/entity-alias/id/" + second, R"({"name":"ANNA"})").error() ==
        "alias with combination of mount accessor and name already exists");
  CHECK(
      write("identity/entity-alias/id/" + second, R"({"canonical_id":")" + other + "\"}").error() ==
      "Alias cannot be updated as the given entity already has an alias for this mount ");
  CHECK(write("identity/entity-alias",
              R"({"name":"anna","canonical_id":")" + other + "\"," + at_badge + "}")
            .status() == 200);
  const Json listed = list("identity/entity-alias/id/").data();
  CHECK(listed.find("keys")->size() == 3);
  CHECK(listed.find("key_info")->find(second)->dump().find(R"("mount_path":"auth/userpass/")") !=
        std::string::npos);
  CHECK(remove("identity/entity-alias/id/" + alias).status() == 204);
  CHECK(read("identity/entity-alias/id/" + alias).status() == 404);
  CHECK(known("userpass/", "anna").empty());
  CHECK(known("badge/", "anna") == other);
}

TEST_CASE_FIXTURE(IdentityVault,
                  "identity: a disabled entity stops at once, a deleted one for good") {
  const std::string token = log_in("bob").token();
  const std::string id = entity_of(token);
  const std::string child = vault().token(R"({"policies":["default"]})", vault().root());
  const std::string entity = "identity/entity/id/" + id;
  CHECK(write(entity, R"({"disabled":true})").status() == 204);
  const Answer refused = vault().get("auth/token/lookup-self", token);
  CHECK(refused.status() == 403);
  CHECK(refused.error() == "permission denied");
  CHECK(log_in("bob").status() == 403);
  CHECK((**this).is_alive(child));  // another's
  CHECK(write("sys/capabilities", R"({"paths":"a","token":")" + token + "\"}")
            .data()
            .find("capabilities")
            ->dump() == R"(["deny"])");
  CHECK(write(entity, R"({"disabled":false})").status() == 204);
  CHECK((**this).is_alive(token));
  CHECK(remove(entity).status() == 204);
  CHECK_FALSE((**this).is_alive(token));
  const Answer again = log_in("bob");
  CHECK(again.status() == 200);
  CHECK(again.response().auth->entity_id != id);
  CHECK_FALSE((**this).is_alive(token));
}

TEST_CASE_FIXTURE(IdentityVault, "identity: what an entity grants is live, and told") {
  const Answer login = log_in("bob");
  const std::string token = login.token(), id = login.response().auth->entity_id;
  CHECK(login.response().auth->identity_policies.empty());
  CHECK(reads(token) == 403);
  CHECK(write("identity/entity/id/" + id, R"({"policies":["reads"]})").status() == 204);
  CHECK(reads(token) == 200);
  const Json shown = vault().get("auth/token/lookup-self", token).data();
  CHECK(shown.find("policies")->dump() == R"(["default"])");
  CHECK(shown.find("identity_policies")->dump() == R"(["reads"])");
  CHECK(shown.find("external_namespace_policies")->dump() == "{}");
  const Answer next = log_in("bob");
  const auto& auth = *next.response().auth;
  CHECK(auth.identity_policies == Names{"reads"});
  CHECK(auth.token_policies == Names{"default"});
  CHECK(auth.policies == Names{"default", "reads"});
  const Answer renewed = vault().post("auth/token/renew-self", token);
  CHECK(renewed.response().auth->identity_policies == Names{"reads"});
  CHECK(vault()
            .post("sys/capabilities-self", token, R"({"paths":"test/notes/a"})")
            .data()
            .find("capabilities")
            ->dump() == R"(["read"])");
  const std::string lines = vault().world().audit_text();
  CHECK(lines.find(R"("identity_policies":["reads"])") != std::string::npos);
  CHECK(lines.find(R"("policies":["default","reads"])") != std::string::npos);
  CHECK(write("identity/entity/id/" + id, R"({"policies":[]})").status() == 204);
  CHECK(reads(token) == 403);
}

TEST_CASE_FIXTURE(IdentityVault,
                  "identity: what an entity loses while a handler runs sends its write back") {
  vault().policy("counts", R"(path "test/counters/*" { capabilities = ["update", "create"] })");
  const Answer login = log_in("bob");
  const std::string id = login.response().auth->entity_id;
  write("identity/entity/id/" + id, R"({"policies":["counts"]})");
  REQUIRE(vault().post("test/counters/n", login.token()).status() == 200);
  const int before = vault().world().servers.counted();
  bool disables = false;
  SUBCASE("its policy") {}
  SUBCASE("its right to anything") { disables = true; }
  vault().world().servers.meanwhile([&] {
    vault().read([&](core::Unsealed& live, commit::ReadTxn& look) {
      commit::Batch batch({}, commit::Unrecorded{"a test"});
      commit::WriteTxn txn(look.snapshot(), live.barrier, barrier::kCoreSpace, batch);
      const auto entity = core::find_entity(txn, id);
      core::Entity without = **entity;
      without.policies.clear();
      without.disabled = disables;
      REQUIRE(core::save_entity(txn, &**entity, without).ok());
      REQUIRE(live.committer.commit(batch).status().ok());
      return true;
    });
  });
  CHECK(vault().post("test/counters/n", login.token()).status() == 403);
  CHECK(vault().world().servers.counted() == before + 1);
}

TEST_CASE_FIXTURE(IdentityVault,
                  "identity: entities are merged, with their names, groups and tokens") {
  const std::string token = log_in("bob").token();
  const std::string bob = entity_of(token);
  const std::string to = made("entity", R"({"name":"robert","policies":"reads"})");
  const std::string group = made("group", R"({"name":"g","member_entity_ids":")" + bob + "\"}");
  const std::string body = R"({"to_entity_id":")" + to + R"(","from_entity_ids":")" + bob + "\"}";
  CHECK(reads(token) == 403);
  CHECK(write("identity/entity/merge", body).status() == 204);
  CHECK(read("identity/entity/id/" + bob).status() == 404);
  const Json merged = read("identity/entity/id/" + to).data();
  CHECK(merged.find("merged_entity_ids")->dump() == "[" + quoted(bob) + "]");
  CHECK(merged.find("group_ids")->dump() == "[" + quoted(group) + "]");
  CHECK(merged.find("aliases")->items().at(0).find("merged_from_canonical_ids")->dump() ==
        "[" + quoted(bob) + "]");
  CHECK(reads(token) == 200);  // the token acts for the entity that there is now
  CHECK(log_in("bob").response().auth->entity_id == to);
  // And through another merge.
  const std::string last = made("entity", R"({"name":"last"})");
  CHECK(write("identity/entity/merge",
              R"({"to_entity_id":")" + last + R"(","from_entity_ids":")" + to + "\"}")
            .status() == 204);
  CHECK((**this).is_alive(token));
  CHECK(reads(token) == 403);  // policies are not merged
  CHECK(read("identity/entity/id/" + last).data().find("merged_entity_ids")->size() == 2);
  CHECK(remove("identity/entity/id/" + last).status() == 204);
  CHECK_FALSE((**this).is_alive(token));
}

TEST_CASE_FIXTURE(IdentityVault, "identity: a merge that two names stand against says which") {
  const std::string bob = entity_of(log_in("bob").token());
  const std::string ann = entity_of(log_in("ann").token());
  const std::string ends = R"("to_entity_id":")" + bob + R"(","from_entity_ids":")" + ann + "\"";
  const Answer refused = write("identity/entity/merge", "{" + ends + "}");
  CHECK(refused.status() == 400);
  CHECK(refused.error().find("toEntity and at least one fromEntity have aliases with the same "
                             "mount accessor") != std::string::npos);
  const Json clashes = refused.data();
  REQUIRE(clashes.size() == 2);
  CHECK(clashes.items()[0].string_at("entity_id") == bob);
  CHECK(clashes.items()[1].string_at("alias") == "ann");
  CHECK(clashes.items()[1].string_at("mount_path") == "auth/userpass/");
  const auto error = [this](const std::string& body) {
    return write("identity/entity/merge", body).error();
  };
  CHECK(error("{}") == "missing entity id to merge to");
  CHECK(error(R"({"to_entity_id":")" + bob + "\"}") == "missing entity ids to merge from");
  CHECK(error(R"({"to_entity_id":"none","from_entity_ids":"x"})") ==
        "entity id to merge to is invalid");
  CHECK(error(R"({"to_entity_id":")" + bob + R"(","from_entity_ids":"none"})") ==
        "entity id to merge from is invalid");
  CHECK(error(R"({"to_entity_id":")" + bob + R"(","from_entity_ids":")" + bob + "\"}") ==
        "to_entity_id should not be present in from_entity_ids");
  CHECK(read("identity/entity/id/" + ann).status() == 200);
  const std::string kept =
      read("identity/entity/id/" + ann).data().find("aliases")->items()[0].string_at("id");
  CHECK(write("identity/entity/merge",
              "{" + ends + R"(,"conflicting_alias_ids_to_keep":")" + kept + "\"}")
            .status() == 204);
  CHECK(known("userpass/", "ann") == bob);
  CHECK(known("userpass/", "bob").empty());  // whoever logs in so is somebody new
  CHECK(read("identity/entity-alias/id/" + kept).data().string_at("canonical_id") == bob);
}

TEST_CASE_FIXTURE(IdentityVault, "identity: the aliases of an auth method go with it, bit by bit") {
  Names entities;
  for (int i = 0; i < 20; ++i)
    entities.push_back(badge("p" + std::to_string(i)).response().auth->entity_id);
  write("identity/group", R"({"name":"ops","type":"external"})");
  const std::string group = read("identity/group/name/ops").data().string_at("id");
  const std::string gone = accessor("badge/");
  REQUIRE(write("identity/group-alias", R"({"name":"ops","canonical_id":")" + group +
                                            R"(","mount_accessor":")" + gone + "\"}")
              .status() == 200);
  const std::string bob = entity_of(log_in("bob").token());
  CHECK(remove("sys/auth/badge").status() == 204);
  CHECK(vault().eventually([&] {
    return keys_of(list("identity/entity-alias/id/")).size() == 1 &&
           list("identity/group-alias/id/").status() == 404;
  }));
  CHECK(read("identity/entity/id/" + entities[7]).data().find("aliases")->dump() == "[]");
  CHECK(read("identity/entity/id/" + bob).data().find("aliases")->size() == 1);
  write("sys/auth/badge", R"({"type":"badge"})");
  CHECK(badge("p7").response().auth->entity_id != entities[7]);
}

namespace {

// As an earlier version left it: no list of aliases, no index but the alias.
void put_old(core::Unsealed& live, commit::WriteTxn& txn, const std::string& accessor,
             const std::string& name, const std::string& entity) {
  static_cast<void>(live);
  Json alias = Json::object();
  alias.set("id", "alias-of-" + entity).set("entity_id", entity).set("name", name);
  alias.set("mount_accessor", accessor).set("creation_time", "2026-01-01T00:00:00Z");
  REQUIRE(
      core::save_json(txn, "identity/alias/" + accessor + "/" + hex(as_bytes(name)), alias).ok());
  Json record = Json::object();
  record.set("id", entity).set("name", "entity_" + entity);
  record.set("creation_time", "2026-01-01T00:00:00Z");
  REQUIRE(core::save_json(txn, "identity/entity/" + entity, record).ok());
}

}  // namespace

TEST_CASE_FIXTURE(IdentityVault, "identity: entities of an earlier version are found and listed") {
  const std::string at = accessor("badge/");
  vault().read([&](core::Unsealed& live, commit::ReadTxn& look) {
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    commit::WriteTxn txn(look.snapshot(), live.barrier, barrier::kCoreSpace, batch);
    for (int i = 0; i < 10; ++i)
      put_old(live, txn, at, "Old" + std::to_string(i), "e" + std::to_string(i));
    REQUIRE(txn.erase("identity/form").ok());
    REQUIRE(live.committer.commit(batch).status().ok());
    return true;
  });
  // A login completes its own.
  CHECK(badge("Old3").response().auth->entity_id == "e3");
  CHECK(read("identity/entity/id/e3").data().find("aliases")->size() == 1);
  CHECK(read("identity/entity/name/entity_e3").status() == 200);
  // The due work all others.
  CHECK(vault().as_time_passes(
      [&] { return keys_of(list("identity/entity-alias/id/")).size() == 10; },
      std::chrono::seconds(30)));
  CHECK(known("badge/", "old9") == "e9");
  CHECK(badge("old9").response().auth->entity_id == "e9");
  CHECK(vault().read(
      [](core::Unsealed&, commit::ReadTxn& txn) { return *txn.version("identity/form") != 0; }));
  CHECK(vault().verifies());
}

// Advisory class 4: "root" in any spelling, on an entity and a group.
TEST_CASE_FIXTURE(IdentityVault,
                  "identity: advisory class 4, nobody is root by an entity or a group") {
  for (const char* name : {"root", " Root", "rOOt", "root\\n", "\\u00a0ROOT", "a,root"}) {
    CAPTURE(name);
    const std::string policies = R"({"policies":")" + std::string(name) + "\"}";
    CHECK(write("identity/entity", policies).error() == "policies cannot contain root");
    CHECK(write("identity/group", policies).error() == "policies cannot contain root");
  }
  CHECK(write("identity/entity", R"({"policies":"Response-Wrapping"})").status() == 400);
  // A record that holds it all the same grants nothing by it.
  const std::string token = log_in("bob").token();
  vault().read([&](core::Unsealed& live, commit::ReadTxn& look) {
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    commit::WriteTxn txn(look.snapshot(), live.barrier, barrier::kCoreSpace, batch);
    const auto entity = core::entity_at(
        txn, (*live.mounts.at(txn))->mounts.at("auth/userpass/")->info.accessor, "bob");
    core::Entity rooted = **entity;
    rooted.policies = {"root"};
    REQUIRE(core::save_entity(txn, &**entity, rooted).ok());
    REQUIRE(live.committer.commit(batch).status().ok());
    return true;
  });
  CHECK(vault().get("sys/mounts", token).status() == 403);
  CHECK((**this).is_alive(token));
}

// Advisory class 6: who may write one alias, or may merge, takes over nobody by it.
TEST_CASE_FIXTURE(
    IdentityVault,
    "identity: advisory class 6, an alias and a merge need a right to both entities") {
  const std::string bob = entity_of(log_in("bob").token());
  const std::string ann = entity_of(log_in("ann").token());
  write("identity/entity/id/" + ann, R"({"policies":"reads"})");
  const std::string alias =
      read("identity/entity/id/" + bob).data().find("aliases")->items()[0].string_at("id");
  const std::string updates = " { capabilities = [\"update\"] }\n";
  const std::string own = "path \"identity/entity/id/" + bob + "\"" + updates;
  vault().policy("aliases", "path \"identity/entity-alias/id/*\"" + updates + own +
                                "path \"identity/entity/merge\"" + updates);
  const std::string by = vault().token(R"({"policies":["aliases"]})");
  const std::string path = "identity/entity-alias/id/" + alias;
  CHECK(vault().post(path, by, R"({"name":"ann"})").status() == 400);
  CHECK(vault().post(path, by, R"({"name":"b2","canonical_id":")" + ann + "\"}").status() == 400);
  remove("identity/entity-alias/id/" +
         read("identity/entity/id/" + ann).data().find("aliases")->items()[0].string_at("id"));
  CHECK(vault().post(path, by, R"({"canonical_id":")" + ann + "\"}").status() == 403);
  const std::string merge = R"({"to_entity_id":")" + ann + R"(","from_entity_ids":")" + bob + "\"}";
  CHECK(vault().post("identity/entity/merge", by, merge).status() == 403);
  CHECK(known("userpass/", "bob") == bob);
  CHECK(reads(log_in("bob").token()) == 403);
  vault().policy("aliases", R"(path "identity/*" { capabilities = ["update"] })");
  CHECK(vault().post("identity/entity/merge", by, merge).status() == 204);
}

TEST_CASE_FIXTURE(
    IdentityVault,
    "identity: advisory class 6, who may write aliases alone gives nobody's rights to anybody") {
  const std::string bob = entity_of(log_in("bob").token());
  const std::string alias =
      read("identity/entity/id/" + bob).data().find("aliases")->items()[0].string_at("id");
  const std::string accessor = read("sys/auth").data().find("badge/")->string_at("accessor");
  vault().policy("aliases", R"(path "identity/entity-alias*" { capabilities = ["update"] })");
  const std::string by = vault().token(R"({"policies":["aliases"]})");
  const auto alias_of = [&](const std::string& fields) {
    return vault().post("identity/entity-alias", by, "{" + fields + "}").status();
  };
  CHECK(alias_of(R"("name":"eve","mount_accessor":")" + accessor + R"(","canonical_id":")" + bob +
                 "\"") == 403);
  CHECK(alias_of(R"("name":"eve","id":")" + alias + "\"") == 403);
  CHECK(alias_of(R"("custom_metadata":{"team":"x"},"id":")" + alias + "\"") == 403);
  CHECK(alias_of(R"("name":"eve","mount_accessor":")" + accessor + "\"") == 200);  // of nobody yet
  CHECK(entity_of(badge("eve").token()) != bob);
  CHECK(entity_of(log_in("bob").token()) == bob);
}

TEST_CASE_FIXTURE(IdentityVault, "identity: a right to one name is none to another entity") {
  const std::string bob = entity_of(log_in("bob").token());
  vault().policy("mine", R"(path "identity/entity/name/svc-*" { capabilities = ["update"] })");
  const std::string by = vault().token(R"({"policies":["mine"]})");
  const std::string body = R"({"disabled":true,"id":")" + bob + "\"}";
  CHECK(vault().post("identity/entity/name/svc-1", by, body).status() ==
        200);  // another, a new one
  CHECK(log_in("bob").status() == 200);
  CHECK(read("identity/entity/id/" + bob).data().string_at("name") != "svc-1");
}

// Advisory class 5: one name in ten spellings is one alias.
TEST_CASE_FIXTURE(IdentityVault,
                  "identity: advisory class 5, a name in other letters is the same alias") {
  const std::string id = badge("Eve").response().auth->entity_id;
  for (const char* name : {"eve", "EVE", "eVe", "evE"}) {
    CAPTURE(name);
    CHECK(badge(name).response().auth->entity_id == id);
  }
  CHECK(keys_of(list("identity/entity/id/")).size() == 1);
  CHECK(write("identity/entity/id/" + id, R"({"disabled":true})").status() == 204);
  for (const char* name : {"eve", "EVE", "Eve"}) CHECK(badge(name).status() == 403);
}

TEST_CASE_FIXTURE(IdentityVault,
                  "identity: templates follow the entity, and its own record is its to read") {
  vault().policy("own", R"(
    path "test/notes/{{identity.entity.metadata.note}}" { capabilities = ["read"] })");
  write("auth/userpass/users/bob/policies", R"({"token_policies":"own"})");
  const std::string token = log_in("bob").token(), id = entity_of(token);
  CHECK(reads(token) == 403);
  CHECK(write("identity/entity/id/" + id, R"({"metadata":{"note":"a"}})").status() == 204);
  CHECK(reads(token) == 200);
  CHECK(write("identity/entity/id/" + id, R"({"metadata":{"note":"*"}})").status() == 204);
  CHECK(reads(token) == 403);
  const Json text(R"(path "test/notes/{{identity.entity.metadata.note}}" { policy = "read" })");
  const std::string lets = R"({"allow_wildcards_in_identity_templates":true,"policy":)";
  CHECK(write("sys/policies/acl/own", lets + text.dump() + "}").status() == 204);
  CHECK(read("sys/policies/acl/own").data().bool_at("allow_wildcards_in_identity_templates"));
  CHECK(reads(token) == 200);
  CHECK(write("identity/entity/id/" + id, R"({"metadata":{"note":"b"}})").status() == 204);
  CHECK(reads(token) == 403);
  CHECK(vault().get("identity/entity/id/" + id, token).status() == 200);
  const std::string ann = entity_of(log_in("ann").token());
  CHECK(vault().get("identity/entity/id/" + ann, token).status() == 403);
}
