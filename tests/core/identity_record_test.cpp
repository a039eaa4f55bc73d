// Entities and groups as they are stored: one golden text of each form, for ever.

#include <doctest/doctest.h>

#include "vault/core/authority/identity_records.h"

using namespace leasehold;
using namespace leasehold::core;

namespace {

Alias alias() {
  Alias alias;
  alias.id = "a1";
  alias.canonical_id = "e1";
  alias.name = "Bob";
  alias.mount_accessor = "auth_userpass_1";
  alias.metadata = {{"site", "north"}};
  alias.custom_metadata = Metadata{{"desk", "7"}};
  alias.merged_from = {"e0"};
  alias.created = "2026-01-01T00:00:00Z";
  alias.updated = "2026-01-02T00:00:00Z";
  alias.local = true;
  return alias;
}

constexpr char kAlias[] =
    R"({"canonical_id":"e1","creation_time":"2026-01-01T00:00:00Z","custom_metadata":{"desk":"7"},)"
    R"("id":"a1","last_update_time":"2026-01-02T00:00:00Z","local":true,"merged_from":["e0"],)"
    R"("metadata":{"site":"north"},"mount_accessor":"auth_userpass_1","name":"Bob"})";

}  // namespace

TEST_CASE("identity record: an entity, as version 1 stores it") {
  const std::string golden =
      R"({"aliases":[)" + std::string(kAlias) +
      R"(],"creation_time":"2026-01-01T00:00:00Z","disabled":true,"id":"e1",)"
      R"("last_update_time":"2026-01-03T00:00:00Z","merged":["e0"],"metadata":{"team":"blue"},)"
      R"("name":"bob","policies":["a","b"]})";
  Entity entity;
  entity.id = "e1";
  entity.name = "bob";
  entity.metadata = {{"team", "blue"}};
  entity.policies = {"a", "b"};
  entity.aliases = {alias()};
  entity.merged = {"e0"};
  entity.created = "2026-01-01T00:00:00Z";
  entity.updated = "2026-01-03T00:00:00Z";
  entity.disabled = true;
  CHECK(to_json(entity).dump() == golden);
  const Entity read = entity_from(*parse_json(golden));
  CHECK(to_json(read).dump() == golden);
  CHECK(read.indexed);
}

TEST_CASE("identity record: an entity of before there were lists of aliases") {
  const Entity entity = entity_from(
      *parse_json(R"({"id":"e1","name":"entity_e1","creation_time":"2026-01-01T00:00:00Z"})"));
  CHECK_FALSE(entity.indexed);
  CHECK(entity.name == "entity_e1");
  CHECK(entity.updated == "2026-01-01T00:00:00Z");
}

TEST_CASE("identity record: a group, as version 1 stores it") {
  const std::string golden =
      R"({"alias":)" + std::string(kAlias) +
      R"(,"creation_time":"2026-01-01T00:00:00Z","entities":["e1","e2"],"external":true,)"
      R"("groups":["g2"],"id":"g1","last_update_time":"2026-01-03T00:00:00Z","metadata":{"k":"v"},)"
      R"("modify_index":3,"name":"ops","policies":["a"]})";
  const Group group = group_from(*parse_json(golden));
  CHECK(to_json(group).dump() == golden);
  CHECK(group.has("e2"));
  CHECK(group.has("g2"));
  CHECK_FALSE(group.has("e3"));
}

TEST_CASE("identity record: names are found in any case of ASCII letters") {
  CHECK(identity_names::alias("m", "BoB") == "identity/alias/m/626f62");
  CHECK(identity_names::entity_name("A b") == identity_names::entity_name("a B"));
  CHECK(identity_names::group_name("\xc3\x84") != identity_names::group_name("\xc3\xa4"));
}
