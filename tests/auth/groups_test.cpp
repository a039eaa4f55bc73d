// Groups: what they grant to whom, nested, external, with many members.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/auth/identity_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::IdentityVault;
using Names = std::vector<std::string>;

namespace {

Names keys_of(const Answer& answer) { return answer.data().strings_at("keys"); }

std::string list_of(const Names& ids) { return Json(ids).dump(); }

}  // namespace

TEST_CASE_FIXTURE(IdentityVault, "groups: a group is written, renamed and deleted") {
  const Answer made = write("identity/group", R"({"name":"Ops","policies":"B,a"})");
  CHECK(made.status() == 200);
  const std::string id = made.data().string_at("id");
  CHECK(made.data().dump() == R"({"id":")" + id + R"(","name":"Ops"})");
  const Json group = read("identity/group/id/" + id).data();
  CHECK(group.string_at("type") == "internal");
  CHECK(group.find("policies")->dump() == R"(["a","b"])");
  for (const char* name : {"member_entity_ids", "member_group_ids", "parent_group_ids", "metadata"})
    CHECK(group.find(name)->is_null());
  CHECK(group.find("alias")->dump() == "{}");
  CHECK(group.integer_at("modify_index") == 1);
  CHECK(group.string_at("namespace_id") == "root");
  CHECK(write("identity/group/name/ops", R"({"metadata":{"k":"v"}})").status() == 204);
  CHECK(read("identity/group/name/OPS").data().integer_at("modify_index") == 2);
  CHECK(write("identity/group/id/" + id, R"({"name":"dev"})").status() == 204);
  CHECK(read("identity/group/name/ops").status() == 404);
  const std::string other = this->made("group", R"({"name":"other"})");
  CHECK(write("identity/group/id/" + other, R"({"name":"DEV"})").error() ==
        "group name is already in use");
  CHECK(write("identity/group/id/" + id, R"({"type":"external"})").error() ==
        "group type cannot be changed");
  CHECK(write("identity/group", R"({"type":"odd"})").error() == R"(invalid group type "odd")");
  CHECK(write("identity/group", R"({"id":"none"})").error() == "invalid group ID");
  CHECK(write("identity/group", R"({"member_entity_ids":"none"})").error() ==
        R"(invalid entity ID "none")");
  CHECK(write("identity/group", R"({"member_group_ids":"none"})").error() ==
        R"(invalid member group ID "none")");
  CHECK(keys_of(list("identity/group/name/")) == Names{"dev", "other"});
  CHECK(list("identity/group/id/").data().find("key_info")->find(id)->dump() ==
        R"({"name":"dev","num_member_entities":0,"num_parent_groups":0})");
  CHECK(remove("identity/group/name/dev").status() == 204);
  CHECK(remove("identity/group/name/dev").status() == 204);
  CHECK(read("identity/group/id/" + id).status() == 404);
  CHECK(keys_of(list("identity/group/id/")) == Names{other});
}

TEST_CASE_FIXTURE(IdentityVault, "groups: a member has what its group has, and the groups above") {
  const std::string token = log_in("bob").token(), bob = entity_of(token);
  const std::string team = made("group", R"({"name":"team","member_entity_ids":")" + bob + "\"}");
  const std::string unit = made("group", R"({"name":"unit","member_group_ids":")" + team + "\"}");
  const std::string firm = made("group", R"({"name":"firm","member_group_ids":")" + unit + "\"}");
  CHECK(reads(token) == 403);
  CHECK(write("identity/group/id/" + firm, R"({"policies":"reads"})").status() == 204);
  CHECK(reads(token) == 200);
  const Json entity = read("identity/entity/id/" + bob).data();
  CHECK(entity.find("direct_group_ids")->dump() == list_of({team}));
  CHECK(entity.find("inherited_group_ids")->dump() == list_of({unit, firm}));
  CHECK(entity.find("group_ids")->dump() == list_of({team, unit, firm}));
  CHECK(read("identity/group/id/" + unit).data().find("parent_group_ids")->dump() ==
        list_of({firm}));
  CHECK(read("identity/group/id/" + unit).data().find("member_group_ids")->dump() ==
        list_of({team}));
  CHECK(log_in("bob").response().auth->identity_policies == Names{"reads"});
  SUBCASE("taken out of the middle") {
    CHECK(write("identity/group/id/" + unit, R"({"member_group_ids":[]})").status() == 204);
  }
  SUBCASE("taken out of the first") {
    CHECK(write("identity/group/id/" + team, R"({"member_entity_ids":""})").status() == 204);
  }
  SUBCASE("the one in the middle is deleted") {
    CHECK(remove("identity/group/id/" + unit).status() == 204);
    CHECK(read("identity/group/id/" + firm).data().find("member_group_ids")->is_null());
  }
  SUBCASE("the policy is taken away") {
    CHECK(write("identity/group/id/" + firm, R"({"policies":""})").status() == 204);
  }
  CHECK(reads(token) == 403);
}

// Advisory class 6: who left a group has nothing of it with the next request, nor has who is gone.
TEST_CASE_FIXTURE(IdentityVault,
                  "groups: advisory class 6, a membership ends with the next request") {
  const std::string token = log_in("bob").token(), bob = entity_of(token);
  const std::string ann = entity_of(log_in("ann").token());
  const std::string group =
      made("group", R"({"name":"g","policies":"reads","member_entity_ids":[")" + bob + "\",\"" +
                        ann + "\"]}");
  REQUIRE(reads(token) == 200);
  CHECK(write("identity/group/id/" + group, R"({"member_entity_ids":")" + ann + "\"}").status() ==
        204);
  CHECK(reads(token) == 403);
  CHECK(remove("identity/entity/id/" + ann).status() == 204);
  CHECK(read("identity/group/id/" + group).data().find("member_entity_ids")->is_null());
  const std::string next = log_in("ann").token();  // a new entity by the old name
  CHECK(reads(next) == 403);
}

TEST_CASE_FIXTURE(IdentityVault, "groups: none is above itself, and nesting has an end") {
  const std::string a = made("group", R"({"name":"a"})");
  CHECK(write("identity/group/id/" + a, R"({"member_group_ids":")" + a + "\"}").error() ==
        "member group ID \"" + a + "\" is same as the ID of the group");
  const std::string b = made("group", R"({"name":"b","member_group_ids":")" + a + "\"}");
  const std::string c = made("group", R"({"name":"c","member_group_ids":")" + b + "\"}");
  CHECK(write("identity/group/id/" + a, R"({"member_group_ids":")" + c + "\"}").error() ==
        "cyclic relationship detected for member group ID \"" + c + "\"");
  std::string below = c;
  int depth = 2;
  for (;; ++depth) {
    const std::string next = made("group", R"({"name":"d)" + std::to_string(depth) +
                                               R"(","member_group_ids":")" + below + "\"}");
    if (next.empty()) break;
    below = next;
  }
  CHECK(depth == 32);
  CHECK(write("identity/group", R"({"member_group_ids":")" + below + "\"}").error() ==
        "groups can be nested at most 32 deep");
}

TEST_CASE_FIXTURE(IdentityVault, "groups: one request makes hundreds of members") {
  Names ids;
  for (int i = 0; i < 130; ++i) ids.push_back(made("entity", "{}"));
  const std::string token = log_in("bob").token(), bob = entity_of(token);
  ids.push_back(bob);
  const std::string group = made(
      "group", R"({"name":"all","policies":"reads","member_entity_ids":)" + list_of(ids) + "}");
  REQUIRE_FALSE(group.empty());
  CHECK(reads(token) == 200);
  CHECK(read("identity/group/id/" + group).data().find("member_entity_ids")->size() == 131);
  CHECK(list("identity/group/id/")
            .data()
            .find("key_info")
            ->find(group)
            ->integer_at("num_member_entities") == 131);
  CHECK(
      write("identity/group/id/" + group, R"({"member_entity_ids":")" + ids[0] + "\"}").status() ==
      204);
  CHECK(reads(token) == 403);
  CHECK(write("identity/group/id/" + group, R"({"member_entity_ids":)" + list_of(ids) + "}")
            .status() == 204);
  CHECK(reads(token) == 200);
  CHECK(vault().verifies());
}

TEST_CASE_FIXTURE(IdentityVault, "groups: an external group has who its auth method says") {
  const std::string ops = made("group", R"({"name":"ops","type":"external","policies":"reads"})");
  const std::string place = R"("mount_accessor":")" + accessor("badge/") + "\"";
  const Answer alias = write("identity/group-alias",
                             R"({"name":"Ops","canonical_id":")" + ops + "\"," + place + "}");
  CHECK(alias.status() == 200);
  CHECK(alias.data().string_at("canonical_id") == ops);
  const std::string id = alias.data().string_at("id");
  CHECK(reads(badge("eve").token()) == 403);
  const Answer login = badge("eve", "none,OPS");
  CHECK(login.response().auth->identity_policies == Names{"reads"});
  CHECK(reads(login.token()) == 200);
  CHECK(read("identity/group/id/" + ops).data().find("member_entity_ids")->dump() ==
        list_of({entity_of(login.token())}));
  CHECK(read("identity/group/id/" + ops).data().find("alias")->string_at("name") == "Ops");
  CHECK(read("identity/group-alias/id/" + id).data().string_at("mount_type") == "badge");
  CHECK(keys_of(list("identity/group-alias/id/")) == Names{id});
  CHECK(write("identity/lookup/group",
              R"({"alias_name":"ops","alias_mount_accessor":")" + accessor("badge/") + "\"}")
            .data()
            .string_at("id") == ops);
  // What one method says is nothing to a group of another's.
  CHECK(log_in("bob").status() == 200);
  CHECK(reads(login.token()) == 200);
  CHECK(badge("eve").response().auth->identity_policies.empty());  // it says so no more
  CHECK(reads(login.token()) == 403);
  CHECK(write("identity/group/id/" + ops, R"({"member_entity_ids":"x"})").error() ==
        "member entities can't be set manually for external groups");
  const auto error = [this](const std::string& body) {
    return write("identity/group-alias", body).error();
  };
  CHECK(error("{}") == "missing alias name");
  CHECK(error(R"({"name":"x"})") == "missing mount_accessor");
  CHECK(error(R"({"name":"x","mount_accessor":"none"})") == R"(invalid mount accessor "none")");
  CHECK(error(R"({"name":"x","canonical_id":"none",)" + place + "}") ==
        "invalid group ID given in 'canonical_id'");
  const std::string internal = made("group", R"({"name":"internal"})");
  CHECK(error(R"({"name":"x","canonical_id":")" + internal + "\"," + place + "}") ==
        "alias can't be set on an internal group");
  CHECK(error(R"({"name":"ops",)" + place + "}") ==
        "combination of mount and group alias name is already in use");
  CHECK(error(R"({"id":"none","name":"x",)" + place + "}") == "invalid group alias ID");
  CHECK(write("identity/group-alias/id/" + id, R"({"name":"oops",)" + place + "}").status() == 200);
  CHECK(badge("eve", "ops").response().auth->identity_policies.empty());
  CHECK(badge("eve", "oops").response().auth->identity_policies == Names{"reads"});
  CHECK(remove("identity/group-alias/id/" + id).status() == 204);
  CHECK(read("identity/group/id/" + ops).data().find("alias")->dump() == "{}");
  // An alias alone makes its group.
  const Answer alone = write("identity/group-alias", R"({"name":"new",)" + place + "}");
  CHECK(read("identity/group/id/" + alone.data().string_at("canonical_id"))
            .data()
            .string_at("type") == "external");
}

TEST_CASE_FIXTURE(IdentityVault,
                  "groups: a denial of a group holds, and one that cannot be filled in") {
  vault().policy("no", R"(path "test/notes/a" { capabilities = ["deny"] })");
  vault().policy("not-mine", R"(
    path "test/notes/{{identity.groups.names.g.metadata.note}}" { capabilities = ["deny"] })");
  const std::string token = log_in("bob").token(), bob = entity_of(token);
  write("identity/entity/id/" + bob, R"({"policies":"reads"})");
  REQUIRE(reads(token) == 200);
  const std::string group = made("group", R"({"name":"g","member_entity_ids":")" + bob + "\"}");
  const std::string path = "identity/group/id/" + group;
  CHECK(write(path, R"({"policies":"no"})").status() == 204);
  CHECK(reads(token) == 403);
  CHECK(write(path, R"({"policies":"not-mine"})").status() == 204);
  CHECK(reads(token) == 200);
  CHECK(write(path, R"({"metadata":{"note":"a"}})").status() == 204);
  CHECK(reads(token) == 403);
  CHECK(write(path, R"({"metadata":{"note":"b"}})").status() == 204);
  CHECK(reads(token) == 200);
  CHECK(write(path, R"({"metadata":{"note":"*"}})").status() == 204);
  CHECK(reads(token) == 403);
}
