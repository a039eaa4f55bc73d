"""The wire contract, as any client of Vault relies on it: envelopes, statuses, exact error texts."""

import re
import unittest

from vaultproc import Postgres, Vault, in_threads, random_text, wait_until

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
DENIED = "1 error occurred:\n\t* permission denied\n\n"
ENVELOPE = [
    "request_id",
    "lease_id",
    "renewable",
    "lease_duration",
    "data",
    "wrap_info",
    "warnings",
    "auth",
]


class Wire(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = Vault().start().init_and_unseal()
        cls.addClassCleanup(lambda: cls.vault.__exit__(None, None, None))
        cls.vault.write("sys/mounts/secret", {"type": "kv"})

    def refuses(self, status, text, answer):
        self.assertEqual(answer.status, status, answer)
        if text is None:
            self.assertEqual(answer.errors, [], answer)
        else:
            self.assertIn(text, answer.errors[0] if answer.errors else "", answer)


class Verbs(Wire):
    def test_each_route_has_the_verbs_of_its_table_and_answers_405_to_the_others(self):
        for kind in ("approle", "userpass"):
            self.vault.write(f"sys/auth/{kind}", {"type": kind})
        for path, kind in (("kv2", "kv-v2"), ("database", "database")):
            self.vault.write(f"sys/mounts/{path}", {"type": kind})
        document = self.vault.must("GET", "sys/internal/specs/openapi").json
        swept = 0
        for template, item in document["paths"].items():
            path = re.sub(r"\{[^}]*\}", "x", template).lstrip("/")
            verbs = {verb.upper() for verb in item} | {"HELP"}
            if "POST" in verbs:
                verbs.add("PUT")
            queries = [p["name"] for p in item.get("get", {}).get("parameters", [])]
            verbs |= {verb for verb in ("LIST", "SCAN") if verb.lower() in queries}
            for verb in {"GET", "POST", "PUT", "DELETE", "LIST", "HEAD", "SCAN", "TRACE"} - verbs:
                if verb == "LIST" and path in ("kv2/config", "sys/leases/lookup"):
                    continue  # a list of this name is another route's
                answer = self.vault.call(verb, path)
                # As Vault: a list is asked for with a slash behind the path, which few patterns have.
                refused = (404, 405) if verb in ("LIST", "SCAN") else (405,)
                self.assertIn(answer.status, refused, (verb, path, answer))
                swept += 1
        self.assertGreater(swept, 400)


class Envelope(Wire):
    def test_a_success_has_all_eight_keys_in_their_order(self):
        self.vault.write("secret/envelope", {"k": "v"})
        answer = self.vault.must("GET", "secret/envelope")
        self.assertEqual([k for k in answer.json if k in ENVELOPE], ENVELOPE)
        self.assertRegex(answer.json["request_id"], f"^{UUID}$")
        self.assertEqual(answer.json["lease_id"], "")
        self.assertEqual(answer.json["lease_duration"], 2764800)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertTrue(answer.body.endswith(b"\n"))

    def test_a_write_without_an_answer_is_204_with_no_body(self):
        answer = self.vault.call("PUT", "secret/nothing", {"k": "v"})
        self.assertEqual((answer.status, answer.body), (204, b""))

    def test_stored_values_keep_their_types(self):
        value = {
            "n": 12345678901234567890,
            "f": 1.5,
            "b": True,
            "z": None,
            "l": [1, "a", {}],
            "u": "żółw <&>",
            "o": {"a": {}},
        }
        self.vault.write("secret/types", value)
        self.assertEqual(self.vault.read("secret/types"), value)


class Errors(Wire):
    def test_without_a_token_everything_is_403(self):
        for path in ("secret/a", "sys/mounts", "no/such/mount"):
            answer = self.vault.call("GET", path, token="")
            self.assertEqual((answer.status, answer.errors), (403, ["permission denied"]), path)

    def test_a_token_that_never_was_is_403_even_where_nothing_is_mounted(self):
        for token in ("hvs.doesnotexist", "x", "hvs." + "A" * 95):
            answer = self.vault.call("GET", "no/such/mount", token=token)
            self.assertEqual((answer.status, answer.errors), (403, ["permission denied"]), token)

    def test_authorization_bearer_is_the_same_as_the_header(self):
        self.vault.write("secret/bearer", {"k": "v"})
        answer = self.vault.call(
            "GET",
            "secret/bearer",
            token="",
            headers={"Authorization": f"Bearer {self.vault.token}"},
        )
        self.assertEqual(answer.status, 200, answer)

    def test_no_mount_is_404_with_the_text_clients_match(self):
        answer = self.vault.call("GET", "nowhere/x")
        self.refuses(404, 'no handler for route "nowhere/x". route entry not found.', answer)

    def test_a_missing_secret_is_404_with_no_errors(self):
        self.refuses(404, None, self.vault.call("GET", "secret/" + random_text()))
        self.refuses(404, None, self.vault.call("LIST", "secret/" + random_text()))

    def test_json_that_is_none_is_400(self):
        for raw in (b"{", b"[1]", b"12", b'"x"', b'{"a":}', b"\xff\xfe", b'{"a":1}{"b":2}'):
            self.refuses(
                400, "failed to decode JSON input", self.vault.call("POST", "secret/bad", raw=raw)
            )

    def test_an_empty_write_to_kv_is_400(self):
        self.refuses(400, "missing data fields", self.vault.call("POST", "secret/empty", {}))

    def test_a_write_to_a_folder_is_400(self):
        self.refuses(
            400,
            "cannot write to a path ending in '/'",
            self.vault.call("POST", "secret/folder/", {"a": "b"}),
        )

    def test_an_unknown_path_of_an_engine_is_404_and_a_wrong_verb_405(self):
        self.refuses(404, "unsupported path", self.vault.call("GET", "sys/no-such-thing"))
        self.refuses(405, "unsupported operation", self.vault.call("DELETE", "sys/mounts"))

    def test_paths_that_climb_are_redirected_and_never_served(self):
        for path, clean in (
            ("secret/../sys/mounts", "/v1/sys/mounts"),
            ("secret/./a//b?list=true", "/v1/secret/a/b?list=true"),
            ("secret/%2e%2e/x", "/v1/x"),
            ("../../evil.example", "/evil.example"),
        ):
            answer = self.vault.call("GET", path)
            self.assertEqual((answer.status, answer.headers["Location"]), (307, clean), path)
            self.assertNotIn("data", answer.json, path)

    def test_a_field_of_the_wrong_type_is_400(self):
        self.refuses(400, "", self.vault.call("POST", "auth/token/create", {"num_uses": "many"}))
        self.refuses(400, "", self.vault.call("POST", "auth/token/create", {"ttl": "soon"}))


class KeyValue(Wire):
    def test_list_is_sorted_and_folders_end_in_a_slash(self):
        folder = "secret/" + random_text()
        for name in ("b", "a/deep", "a", "Z", "c/x", "c/y"):
            self.vault.write(f"{folder}/{name}", {"k": "v"})
        self.assertEqual(self.vault.list(folder), ["Z", "a", "a/", "b", "c/"])
        by_query = self.vault.must("GET", f"{folder}?list=true").data["keys"]
        self.assertEqual(by_query, self.vault.list(folder + "/"))
        self.vault.must("DELETE", f"{folder}/c/x")
        self.vault.must("DELETE", f"{folder}/c/y")
        self.assertEqual(self.vault.list(folder), ["Z", "a", "a/", "b"])

    def test_a_scan_has_all_names_below_for_who_may_scan(self):
        folder = "secret/" + random_text()
        for name in ("b", "a/deep", "a", "c/x/y"):
            self.vault.write(f"{folder}/{name}", {"k": "v"})
        names = ["a", "a/deep", "b", "c/x/y"]
        self.assertEqual(self.vault.must("SCAN", folder).data["keys"], names)
        self.assertEqual(self.vault.must("GET", f"{folder}/?scan=true").data["keys"], names)
        for capability, status in (("list", 403), ("scan", 200)):
            rules = f'path "{folder}/*" {{ capabilities = ["{capability}"] }}'
            self.vault.write("sys/policies/acl/scans", {"policy": rules})
            made = self.vault.must("POST", "auth/token/create", {"policies": ["scans"]})
            token = made.json["auth"]["client_token"]
            self.assertEqual(self.vault.call("SCAN", folder, token=token).status, status)
        self.assertIn(self.vault.call("SCAN", "sys/mounts").status, (404, 405))

    def test_a_page_starts_behind_the_key_given(self):
        folder = "secret/" + random_text()
        for name in ("a", "b", "c", "d"):
            self.vault.write(f"{folder}/{name}", {"k": "v"})
        self.assertEqual(
            self.vault.must("GET", f"{folder}?list=true&after=a&limit=2").data["keys"], ["b", "c"]
        )

    def test_a_write_replaces_the_whole_secret(self):
        self.vault.write("secret/replace", {"a": "1", "b": "2"})
        self.vault.write("secret/replace", {"c": "3"})
        self.assertEqual(self.vault.read("secret/replace"), {"c": "3"})

    def test_ttl_of_the_secret_becomes_its_lease_duration(self):
        self.vault.write("secret/ttl", {"k": "v", "ttl": "90s"})
        self.assertEqual(self.vault.must("GET", "secret/ttl").json["lease_duration"], 90)

    def test_names_may_hold_what_urls_can(self):
        for name in ("with%20space", "%C5%BC%C3%B3%C5%82w", "a:b@c+d"):
            self.vault.write(f"secret/{name}", {"k": name})
            self.assertEqual(self.vault.read(f"secret/{name}"), {"k": name})

    def test_delete_is_204_also_when_nothing_is_there(self):
        self.assertEqual(self.vault.call("DELETE", "secret/" + random_text()).status, 204)


class KeyValueVersions(Wire):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vault.write("sys/mounts/two", {"type": "kv-v2"})

    def put(self, name, data, **options):
        body = {"data": data, "options": options}
        return self.vault.call("POST", f"two/data/{name}", body)

    def test_a_deleted_version_is_404_with_its_envelope(self):
        name = random_text()
        self.put(name, {"k": "v"})
        self.assertEqual(self.vault.call("DELETE", f"two/data/{name}").status, 204)
        answer = self.vault.call("GET", f"two/data/{name}")
        self.assertEqual(answer.status, 404)
        self.assertEqual(list(answer.json), ENVELOPE)
        self.assertIsNone(answer.data["data"])
        self.assertNotEqual(answer.data["metadata"]["deletion_time"], "")

    def test_of_many_writers_with_one_cas_one_wins(self):
        name = random_text()
        statuses = in_threads(8, lambda i: self.put(name, {"by": i}, cas=0).status)
        self.assertEqual(sorted(statuses), [200] + [400] * 7)
        versions = in_threads(8, lambda i: self.put(name, {"by": i}).data["version"])
        self.assertEqual(sorted(versions), list(range(2, 10)))

    def test_a_patch_is_a_merge_patch(self):
        name = random_text()
        self.put(name, {"a": 1, "b": 2})
        merge = {"Content-Type": "application/merge-patch+json"}
        patch = {"data": {"a": None, "c": 3}}
        self.assertEqual(self.vault.call("PATCH", f"two/data/{name}", patch).status, 415)
        self.vault.must("PATCH", f"two/data/{name}", patch, headers=merge)
        self.assertEqual(self.vault.read(f"two/data/{name}")["data"], {"b": 2, "c": 3})
        absent = self.vault.call("PATCH", f"two/data/{random_text()}", patch, headers=merge)
        self.assertEqual((absent.status, absent.body), (404, b""))

    def test_a_policy_tells_creating_updating_and_patching_apart(self):
        merge = {"Content-Type": "application/merge-patch+json"}
        for capability, allowed in (
            ("create", [200, 403, 403, 403]),
            ("update", [403, 200, 403, 403]),
            ("patch", [403, 403, 200, 403]),
            ("delete", [403, 403, 403, 204]),
        ):
            folder = random_text()
            self.put(f"{folder}/old", {"k": "v"})
            token = self.vault.new_token(
                f'path "two/data/{folder}/*" {{ capabilities = ["{capability}"] }}'
            )
            old, new = f"two/data/{folder}/old", f"two/data/{folder}/new"
            body = {"data": {"k": "w"}}
            with self.subTest(capability):
                self.assertEqual(
                    [
                        self.vault.call("POST", new, body, token=token).status,
                        self.vault.call("PUT", old, body, token=token).status,
                        self.vault.call("PATCH", old, body, token=token, headers=merge).status,
                        self.vault.call("DELETE", old, token=token).status,
                    ],
                    allowed,
                )

    def test_a_kv_mount_is_upgraded_in_place(self):
        path = random_text()
        self.vault.write(f"sys/mounts/{path}", {"type": "kv"})
        self.vault.write(f"{path}/a", {"n": 1})
        tune = f"sys/mounts/{path}/tune"
        self.refuses(400, "invalid version", self.vault.call("POST", tune, {"options": {"version": "3"}}))
        answer = self.vault.call("POST", tune, {"options": {"version": "2"}})
        self.assertEqual(answer.status, 200)
        self.assertIn("version 2", answer.json["warnings"][0])
        self.assertEqual(self.vault.read(f"{path}/data/a")["data"], {"n": 1})
        self.assertEqual(self.vault.read(tune)["options"], {"version": "2"})
        self.assertEqual(self.vault.call("POST", tune, {"options": {"version": "2"}}).status, 204)
        self.refuses(
            400,
            "cannot downgrade mount from version 2",
            self.vault.call("POST", tune, {"options": {"version": "1"}}),
        )
        self.assertEqual(
            self.vault.read("sys/internal/ui/mounts/two/any")["options"], {"version": "2"}
        )
        self.assertEqual(
            self.vault.call(
                "POST", "sys/mounts/three", {"type": "kv", "options": {"version": "3"}}
            ).status,
            400,
        )

    def test_a_path_of_version_1_says_where_secrets_are(self):
        answer = self.vault.call("GET", "two/app")
        self.assertEqual(answer.status, 404)
        self.assertIn("'leasehold kv get'", answer.json["warnings"][0])

    def test_versions_survive_a_restart_and_a_mount_takes_them_along(self):
        name = random_text()
        for number in range(3):
            self.put(name, {"n": number})
        self.vault.restart()
        self.vault.unseal()
        self.assertEqual(self.vault.read(f"two/data/{name}?version=2")["data"], {"n": 1})
        path = random_text()
        self.vault.write(f"sys/mounts/{path}", {"type": "kv-v2"})
        self.vault.write(f"{path}/data/a", {"data": {"k": "v"}})
        self.vault.must("DELETE", f"sys/mounts/{path}")
        self.vault.write(f"sys/mounts/{path}", {"type": "kv-v2"})
        self.refuses(404, None, self.vault.call("GET", f"{path}/data/a"))


class Tokens(Wire):
    def create(self, **options):
        return self.vault.write("auth/token/create", options).json["auth"]

    def test_a_new_token_is_described_as_clients_expect(self):
        auth = self.create(
            ttl="1h",
            policies=["default"],
            display_name="web app",
            meta={"team": "a"},
            renewable=True,
        )
        self.assertTrue(auth["client_token"].startswith("hvs."))
        self.assertEqual(auth["policies"], ["default"])
        self.assertEqual(auth["token_policies"], ["default"])
        self.assertEqual(
            (auth["lease_duration"], auth["renewable"], auth["token_type"]), (3600, True, "service")
        )
        self.assertEqual(
            (auth["orphan"], auth["num_uses"], auth["entity_id"], auth["mfa_requirement"]),
            (False, 0, "", None),
        )
        data = self.vault.must("GET", "auth/token/lookup-self", token=auth["client_token"]).data
        self.assertEqual(data["id"], auth["client_token"])
        self.assertEqual(data["display_name"], "token-web-app")
        self.assertEqual(data["meta"], {"team": "a"})
        self.assertEqual(data["path"], "auth/token/create")
        self.assertRegex(data["expire_time"], f"^{RFC3339}$")
        self.assertTrue(3590 <= data["ttl"] <= 3600)

    def test_the_root_token_never_expires(self):
        data = self.vault.must("GET", "auth/token/lookup-self").data
        self.assertEqual((data["policies"], data["ttl"], data["expire_time"]), (["root"], 0, None))
        self.assertEqual(
            (data["path"], data["display_name"], data["orphan"]), ("auth/token/root", "root", True)
        )
        self.refuses(
            400, "lease is not renewable", self.vault.call("POST", "auth/token/renew-self", {})
        )

    def test_the_accessor_finds_the_token_and_hides_it(self):
        auth = self.create(ttl="1h")
        data = self.vault.write("auth/token/lookup-accessor", {"accessor": auth["accessor"]}).data
        self.assertEqual((data["id"], data["accessor"]), ("", auth["accessor"]))
        self.assertIn(auth["accessor"], self.vault.list("auth/token/accessors"))
        self.vault.write("auth/token/revoke-accessor", {"accessor": auth["accessor"]})
        self.refuses(
            403,
            "permission denied",
            self.vault.call("GET", "auth/token/lookup-self", token=auth["client_token"]),
        )
        self.refuses(
            400,
            "invalid accessor",
            self.vault.call("POST", "auth/token/lookup-accessor", {"accessor": "nope"}),
        )

    def test_uses_are_counted_and_the_last_one_still_works(self):
        token = self.create(num_uses=3, policies=["default"])["client_token"]
        self.assertEqual(
            self.vault.must("GET", "auth/token/lookup-self", token=token).data["num_uses"], 2
        )
        self.vault.must("GET", "auth/token/lookup-self", token=token)
        self.vault.must("GET", "auth/token/lookup-self", token=token)
        self.refuses(
            403, "permission denied", self.vault.call("GET", "auth/token/lookup-self", token=token)
        )

    def test_a_refused_request_counts_as_a_use(self):
        token = self.create(num_uses=1, policies=["default"])["client_token"]
        self.refuses(403, DENIED, self.vault.call("GET", "secret/not-mine", token=token))
        self.refuses(
            403, "permission denied", self.vault.call("GET", "auth/token/lookup-self", token=token)
        )

    def test_a_token_with_uses_makes_no_children(self):
        token = self.create(num_uses=5, policies=["root"])["client_token"]
        self.refuses(
            400,
            "restricted use token cannot generate child tokens",
            self.vault.call("POST", "auth/token/create", {}, token=token),
        )

    def test_revoking_a_parent_ends_its_children_and_not_orphans(self):
        parent = self.create(policies=["root"], ttl="1h")["client_token"]
        child = self.vault.write("auth/token/create", {"ttl": "1h"}, token=parent).json["auth"][
            "client_token"
        ]
        orphan = self.vault.write(
            "auth/token/create", {"no_parent": True, "ttl": "1h"}, token=parent
        ).json["auth"]["client_token"]
        self.vault.write("auth/token/revoke", {"token": parent})
        self.refuses(
            403, "permission denied", self.vault.call("GET", "auth/token/lookup-self", token=child)
        )
        self.vault.must("GET", "auth/token/lookup-self", token=orphan)

    def test_revoke_orphan_leaves_the_children(self):
        parent = self.create(policies=["root"], ttl="1h")["client_token"]
        child = self.vault.write("auth/token/create", {"ttl": "1h"}, token=parent).json["auth"][
            "client_token"
        ]
        self.vault.write("auth/token/revoke-orphan", {"token": parent})
        self.refuses(
            403, "permission denied", self.vault.call("GET", "auth/token/lookup-self", token=parent)
        )
        self.assertTrue(
            self.vault.must("GET", "auth/token/lookup-self", token=child).data["orphan"]
        )

    def test_renewing_extends_from_now_and_never_beyond_the_maximum(self):
        token = self.create(ttl="60s", explicit_max_ttl="120s")["client_token"]
        renewed = self.vault.write(
            "auth/token/renew-self", {"increment": "100s"}, token=token
        ).json["auth"]
        self.assertEqual(renewed["client_token"], token)
        self.assertTrue(99 <= renewed["lease_duration"] <= 100, renewed)
        answer = self.vault.write("auth/token/renew-self", {"increment": "10h"}, token=token).json
        self.assertLessEqual(answer["auth"]["lease_duration"], 120)
        self.assertTrue(answer["warnings"], "a shortened ttl comes with a warning")

    def test_expired_means_403(self):
        token = self.create(ttl="1s")["client_token"]
        wait_until(
            "the token expires",
            lambda: self.vault.call("GET", "auth/token/lookup-self", token=token).status == 403,
            10,
        )

    def test_a_child_has_no_more_policies_than_its_parent(self):
        token = self.vault.new_token('path "auth/token/create" { capabilities = ["update"] }')
        self.refuses(
            400,
            "child policies must be subset of parent",
            self.vault.call("POST", "auth/token/create", {"policies": ["other"]}, token=token),
        )
        self.refuses(
            400,
            "root or sudo privileges required",
            self.vault.call("POST", "auth/token/create", {"no_parent": True}, token=token),
        )

    def test_an_unknown_policy_is_a_warning(self):
        answer = self.vault.write("auth/token/create", {"policies": ["no-such-policy"]})
        self.assertIn('Policy "no-such-policy" does not exist', answer.json["warnings"])

    def test_a_batch_token_is_one_and_never_becomes_another_kind(self):
        answer = self.vault.call("POST", "auth/token/create", {"type": "batch"})
        self.refuses(400, "batch tokens cannot be root tokens", answer)
        self.refuses(400, "", self.vault.call("POST", "auth/token/create", {"type": "other"}))
        auth = self.create(type="batch", policies=["default"], ttl="1h")
        self.assertTrue(auth["client_token"].startswith("hvb."))
        self.assertEqual((auth["token_type"], auth["accessor"]), ("batch", ""))
        looked_up = self.vault.must("GET", "auth/token/lookup-self", token=auth["client_token"])
        self.assertEqual(looked_up.data["type"], "batch")
        renewal = self.vault.call("POST", "auth/token/renew-self", token=auth["client_token"])
        self.assertEqual(renewal.status, 400, renewal)

    def test_a_dead_token_looked_up_by_another_is_403_bad_token(self):
        self.refuses(
            403, "bad token", self.vault.call("POST", "auth/token/lookup", {"token": "hvs.gone"})
        )


class Policies(Wire):
    def test_text_comes_back_byte_for_byte_and_names_are_lowered(self):
        text = '# why\npath "secret/x"   {\n  capabilities = ["read"] // here\n}\n'
        self.vault.write("sys/policies/acl/Mixed", {"policy": text})
        self.assertEqual(self.vault.read("sys/policies/acl/mixed")["policy"], text)
        self.assertEqual(self.vault.read("sys/policy/mixed")["rules"], text)
        keys = self.vault.must("LIST", "sys/policies/acl").data["keys"]
        self.assertTrue({"default", "mixed", "root"} <= set(keys))
        self.assertIn("mixed", self.vault.must("GET", "sys/policy").json["keys"])

    def test_what_cannot_be_understood_is_400_with_a_line(self):
        for text in (
            'path "a" { capabilities = ["fly"] }',
            'path "a" {',
            "nonsense = 1",
            'path "a/+*" { capabilities = ["read"] }',
        ):
            self.refuses(
                400,
                "failed to parse policy",
                self.vault.call("POST", "sys/policies/acl/bad", {"policy": text}),
            )
        self.refuses(
            400,
            "'policy' parameter not supplied or empty",
            self.vault.call("POST", "sys/policies/acl/bad", {}),
        )

    def test_root_and_default_stay(self):
        self.refuses(
            400, 'cannot delete "root" policy', self.vault.call("DELETE", "sys/policies/acl/root")
        )
        self.refuses(
            400,
            "cannot delete default policy",
            self.vault.call("DELETE", "sys/policies/acl/default"),
        )
        self.assertGreaterEqual(
            self.vault.call("POST", "sys/policies/acl/ROOT", {"policy": 'path "*" {}'}).status, 400
        )

    def test_the_table_of_permissions(self):
        token = self.vault.new_token("""
            path "secret/team/*"        { capabilities = ["create", "read", "update", "delete", "list"] }
            path "secret/team/private"  { capabilities = ["deny"] }
            path "secret/+/shared"      { capabilities = ["read"] }
            path "secret/readonly/*"    { policy = "read" }
            path "secret/new/*"         { capabilities = ["create"] }
            path "secret/params"        { capabilities = ["create", "update"]
                                          allowed_parameters = { "colour" = ["red", "blue"], "size" = [] }
                                          required_parameters = ["size"] }
        """)
        for path in ("team/a", "team/private", "any/shared", "readonly/x", "outside"):
            self.vault.write("secret/" + path, {"k": "v"})

        def status(method, path, body=None):
            return self.vault.call(method, "secret/" + path, body, token=token).status

        for method, path, body, expected in (
            ("GET", "team/a", None, 200),
            ("POST", "team/a", {"k": "w"}, 204),
            ("LIST", "team", None, 200),
            ("DELETE", "team/a", None, 204),
            ("GET", "team/private", None, 403),
            ("GET", "any/shared", None, 200),
            ("POST", "any/shared", {"k": "w"}, 403),
            ("GET", "readonly/x", None, 200),
            ("LIST", "readonly", None, 200),
            ("POST", "readonly/x", {"k": "w"}, 403),
            ("DELETE", "readonly/x", None, 403),
            ("GET", "outside", None, 403),
            ("POST", "new/one", {"k": "v"}, 204),
            ("POST", "new/one", {"k": "w"}, 403),
            ("POST", "params", {"size": "1"}, 204),
            ("POST", "params", {"size": "1", "colour": "red"}, 204),
            ("POST", "params", {"size": "1", "colour": "green"}, 403),
            ("POST", "params", {"colour": "red"}, 403),
            ("POST", "params", {"size": "1", "other": "x"}, 403),
        ):
            self.assertEqual(status(method, path, body), expected, f"{method} {path} {body}")

    def test_capabilities_are_told(self):
        token = self.vault.new_token('path "secret/a" { capabilities = ["read", "list"] }')
        one = self.vault.must(
            "POST", "sys/capabilities-self", {"paths": ["secret/a"]}, token=token
        ).json
        self.assertEqual(
            (one["capabilities"], one["secret/a"], one["data"]["secret/a"]), (["list", "read"],) * 3
        )
        two = self.vault.write(
            "sys/capabilities", {"token": token, "paths": ["secret/a", "secret/b"]}
        ).json
        self.assertEqual((two["secret/a"], two["secret/b"]), (["list", "read"], ["deny"]))
        self.assertNotIn("capabilities", two["data"])
        self.assertEqual(
            self.vault.must("POST", "sys/capabilities-self", {"path": "x"}).json["capabilities"],
            ["root"],
        )

    def test_a_sudo_path_wants_sudo(self):
        without = self.vault.new_token('path "auth/token/accessors" { capabilities = ["list"] }')
        with_sudo = self.vault.new_token(
            'path "auth/token/accessors*" { capabilities = ["list", "sudo"] }'
        )
        self.refuses(403, DENIED, self.vault.call("LIST", "auth/token/accessors", token=without))
        self.assertEqual(
            self.vault.call("LIST", "auth/token/accessors", token=with_sudo).status, 200
        )

    def test_a_change_of_policy_works_on_the_next_request(self):
        name = "p" + random_text()
        self.vault.write(
            f"sys/policies/acl/{name}",
            {"policy": 'path "secret/live" { capabilities = ["create", "update"] }'},
        )
        token = self.vault.new_token(policies=[name])
        self.assertEqual(
            self.vault.call("POST", "secret/live", {"a": "b"}, token=token).status, 204
        )
        self.vault.must("DELETE", f"sys/policies/acl/{name}")
        self.assertEqual(
            self.vault.call("POST", "secret/live", {"a": "b"}, token=token).status, 403
        )


class Mounts(Wire):
    def test_a_mount_appears_at_both_levels_and_goes(self):
        path = random_text()
        self.assertEqual(
            self.vault.write(f"sys/mounts/{path}", {"type": "kv", "description": "mine"}).status,
            204,
        )
        mounts = self.vault.must("GET", "sys/mounts").json
        self.assertEqual(mounts[path + "/"], mounts["data"][path + "/"])
        info = mounts[path + "/"]
        self.assertEqual((info["type"], info["description"]), ("kv", "mine"))
        self.assertRegex(info["accessor"], "^kv_[0-9a-f]{8}$")
        self.assertRegex(info["uuid"], f"^{UUID}$")
        self.assertEqual(
            (info["config"]["default_lease_ttl"], info["config"]["max_lease_ttl"]), (0, 0)
        )
        self.vault.write(f"{path}/a", {"k": "v"})
        self.assertEqual(self.vault.call("DELETE", f"sys/mounts/{path}").status, 204)
        self.assertEqual(self.vault.call("GET", f"{path}/a").status, 404)
        self.vault.write(f"sys/mounts/{path}", {"type": "kv"})
        self.refuses(404, None, self.vault.call("GET", f"{path}/a"))

    def test_conflicts_and_protected_names_are_refused(self):
        path = random_text()
        self.vault.write(f"sys/mounts/{path}", {"type": "kv"})
        self.refuses(
            400,
            f"path is already in use at {path}/",
            self.vault.call("POST", f"sys/mounts/{path}", {"type": "kv"}),
        )
        self.assertEqual(
            self.vault.call("POST", f"sys/mounts/{path}/below", {"type": "kv"}).status, 400
        )
        self.assertIn(self.vault.call("POST", "sys/mounts/sys", {"type": "kv"}).status, (400, 403))
        self.assertEqual(
            self.vault.call("POST", "sys/mounts/x", {"type": "no-such-engine"}).status, 400
        )

    def test_tuning_sets_what_new_secrets_get(self):
        path = random_text()
        self.vault.write(f"sys/mounts/{path}", {"type": "kv"})
        self.assertEqual(self.vault.read(f"sys/mounts/{path}/tune")["default_lease_ttl"], 2764800)
        self.vault.write(
            f"sys/mounts/{path}/tune", {"default_lease_ttl": "10m", "max_lease_ttl": "1h"}
        )
        self.vault.write(f"{path}/a", {"k": "v"})
        self.assertEqual(self.vault.must("GET", f"{path}/a").json["lease_duration"], 600)
        self.assertEqual(
            self.vault.call("POST", f"sys/mounts/{path}/tune", {"default_lease_ttl": "2h"}).status,
            400,
        )

    def test_the_cli_finds_the_mount_of_a_path(self):
        data = self.vault.read("sys/internal/ui/mounts/secret/some/deep/path")
        self.assertEqual((data["path"], data["type"]), ("secret/", "kv"))


class Status(Wire):
    def test_health_says_what_load_balancers_ask(self):
        answer = self.vault.call("GET", "sys/health", token="")
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            (answer.json["initialized"], answer.json["sealed"], answer.json["standby"]),
            (True, False, False),
        )
        # Bare: some clients parse it strictly.
        self.assertEqual(answer.json["version"], "1.17.0")
        self.assertRegex(answer.json["leasehold_version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(self.vault.call("HEAD", "sys/health", token="").body, b"")
        self.assertEqual(self.vault.call("GET", "sys/health?activecode=299", token="").status, 299)
        # What probes of container orchestrators ask.
        probe = "sys/health?standbyok=true&sealedcode=204&uninitcode=204"
        self.assertEqual(self.vault.call("GET", probe, token="").status, 200)
        silent = self.vault.call("GET", "sys/health?activecode=204", token="")
        self.assertEqual((silent.status, silent.body), (204, b""))

    def test_seal_status_and_leader_have_no_envelope(self):
        status = self.vault.must("GET", "sys/seal-status", token="").json
        self.assertEqual(
            (status["type"], status["sealed"], status["t"], status["n"]), ("shamir", False, 1, 1)
        )
        self.assertNotIn("request_id", status)
        self.assertIs(self.vault.must("GET", "sys/leader", token="").json["ha_enabled"], False)
        self.assertEqual(self.vault.must("GET", "sys/init", token="").json, {"initialized": True})


class Database(Wire):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres = Postgres()
        cls.enterClassContext(cls.postgres)
        cls.postgres.configure(cls.vault)

    def test_a_credential_works_until_its_lease_is_revoked(self):
        answer = self.vault.must("GET", "database/creds/app")
        user, password = answer.data["username"], answer.data["password"]
        self.assertRegex(answer.json["lease_id"], "^database/creds/app/[A-Za-z0-9]{20,}$")
        self.assertEqual((answer.json["renewable"], answer.json["lease_duration"]), (True, 3600))
        self.assertTrue(self.postgres.logs_in(user, password))
        self.assertEqual(
            self.postgres.psql("select text from notes", "app", user, password).stdout.strip(),
            "hello",
        )
        self.assertEqual(
            self.vault.write("sys/leases/revoke", {"lease_id": answer.json["lease_id"]}).status, 204
        )
        self.assertFalse(self.postgres.logs_in(user, password))
        self.assertNotIn(user, self.postgres.accounts())

    def test_a_lease_is_looked_up_renewed_and_listed(self):
        lease = self.vault.must("GET", "database/creds/app").json["lease_id"]
        data = self.vault.write("sys/leases/lookup", {"lease_id": lease}).data
        self.assertEqual((data["id"], data["last_renewal"], data["renewable"]), (lease, None, True))
        self.assertRegex(data["issue_time"], f"^{RFC3339}$")
        self.assertIn(
            lease.rsplit("/", 1)[1], self.vault.list("sys/leases/lookup/database/creds/app")
        )
        renewed = self.vault.write("sys/leases/renew", {"lease_id": lease, "increment": 7200}).json
        self.assertEqual((renewed["lease_id"], renewed["lease_duration"]), (lease, 7200))
        self.assertIsNotNone(
            self.vault.write("sys/leases/lookup", {"lease_id": lease}).data["last_renewal"]
        )
        self.refuses(
            400,
            "invalid lease",
            self.vault.call("POST", "sys/leases/lookup", {"lease_id": "database/creds/app/none"}),
        )
        self.refuses(
            400,
            "lease not found",
            self.vault.call("POST", "sys/leases/renew", {"lease_id": "database/creds/app/none"}),
        )

    def test_revoke_prefix_ends_all_below_it(self):
        self.vault.write("database/roles/prefix", {**self.role(), "default_ttl": "1h"})
        users = [self.vault.read("database/creds/prefix")["username"] for _ in range(4)]
        self.vault.write("sys/leases/revoke-prefix/database/creds/prefix")
        self.assertFalse(set(users) & self.postgres.accounts())

    def test_a_revoked_token_takes_its_leases_along(self):
        token = self.vault.new_token(
            'path "database/creds/app" { capabilities = ["read"] }', ttl="1h"
        )
        user = self.vault.must("GET", "database/creds/app", token=token).data["username"]
        self.vault.write("auth/token/revoke", {"token": token})
        wait_until("the account is gone", lambda: user not in self.postgres.accounts(), 10)

    def test_a_lease_never_outlives_the_token_s_own_time(self):
        token = self.vault.new_token(
            'path "database/creds/app" { capabilities = ["read"] }', ttl="2s"
        )
        user = self.vault.must("GET", "database/creds/app", token=token).data["username"]
        wait_until("the account is gone", lambda: user not in self.postgres.accounts(), 10)

    def test_the_connection_never_shows_its_password(self):
        data = self.vault.read("database/config/pg")
        self.assertEqual(data["plugin_name"], "postgresql-database-plugin")
        self.assertNotIn("password", data["connection_details"])
        self.assertNotIn(Postgres.PASSWORD, str(data))
        self.assertIn("pg", self.vault.list("database/config"))

    def test_roles_read_back_as_written(self):
        self.vault.write(
            "database/roles/back", {**self.role(), "default_ttl": "30m", "max_ttl": "2h"}
        )
        data = self.vault.read("database/roles/back")
        self.assertEqual(
            (data["db_name"], data["default_ttl"], data["max_ttl"]), ("pg", 1800, 7200)
        )
        self.assertEqual(data["creation_statements"], self.role()["creation_statements"])
        self.assertIn("back", self.vault.list("database/roles"))
        self.assertEqual(self.vault.call("DELETE", "database/roles/back").status, 204)
        self.refuses(404, None, self.vault.call("GET", "database/roles/back"))

    def test_mistakes_are_told(self):
        self.refuses(400, "unknown role: none", self.vault.call("GET", "database/creds/none"))
        self.refuses(
            400,
            "",
            self.vault.call(
                "POST", "database/roles/x", {**self.role(), "default_ttl": "2h", "max_ttl": "1h"}
            ),
        )
        answer = self.vault.call(
            "POST",
            "database/config/wrong",
            {
                "plugin_name": "postgresql-database-plugin",
                "allowed_roles": "*",
                "username": "nobody",
                "password": "wrong",
                "connection_url": self.postgres.url,
            },
        )
        self.refuses(400, "error creating database object", answer)
        self.assertNotIn('wrong"', answer.body.decode())
        self.refuses(404, None, self.vault.call("GET", "database/config/wrong"))

    def test_a_target_that_cannot_be_used_says_why_and_the_log_names_it(self):
        self.vault.write(
            "database/config/orders",
            {
                "plugin_name": "postgresql-database-plugin",
                "allowed_roles": "*",
                "username": Postgres.MANAGER,
                "password": "old",
                "verify_connection": False,
                "connection_url": self.postgres.url,
            },
        )
        self.vault.write("database/roles/late", {**self.role(), "db_name": "orders"})
        answer = self.vault.call("GET", "database/creds/late")
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertIn("password authentication failed", answer.errors[0])
        self.assertIn("target database/orders (", self.vault.log.read_text())

    def test_a_role_that_is_not_allowed_gets_nothing(self):
        config = {
            "plugin_name": "postgresql-database-plugin",
            "allowed_roles": "app-*",
            "username": Postgres.MANAGER,
            "password": Postgres.PASSWORD,
            "connection_url": self.postgres.url,
        }
        self.vault.write("database/config/narrow", config)
        before = self.postgres.accounts()
        self.vault.call("POST", "database/roles/other", {**self.role(), "db_name": "narrow"})
        answer = self.vault.call("GET", "database/creds/other")
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertLessEqual(self.postgres.accounts() - before, set())

    @staticmethod
    def role():
        return {
            "db_name": "pg",
            "creation_statements": [
                "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"
                ' GRANT app_ro TO "{{name}}"'
            ],
        }


class Sealed(unittest.TestCase):
    def test_before_init_and_while_sealed_the_answers_are_those_operators_wait_for(self):
        with Vault() as vault:
            self.assertEqual(vault.call("GET", "sys/health").status, 501)
            self.assertEqual(vault.must("GET", "sys/init").json, {"initialized": False})
            self.assertEqual(
                vault.call("POST", "sys/init", {"secret_shares": 0, "secret_threshold": 0}).status,
                400,
            )
            self.assertEqual(
                vault.call("POST", "sys/init", {"secret_shares": 3, "secret_threshold": 1}).status,
                400,
            )
            init = vault.init(secret_shares=3, secret_threshold=2)
            self.assertEqual((len(init["keys"]), len(init["keys_base64"])), (3, 3))
            self.assertTrue(init["root_token"].startswith("hvs."))
            self.assertEqual(
                vault.call("POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1}).status,
                400,
            )
            self.assertEqual(vault.call("GET", "sys/health").status, 503)
            sealed = vault.call("GET", "secret/a")
            self.assertEqual((sealed.status, sealed.errors), (503, ["Vault is sealed"]))
            first = vault.must("POST", "sys/unseal", {"key": init["keys"][0]}).json
            self.assertEqual(
                (first["sealed"], first["progress"], first["t"], first["n"]), (True, 1, 2, 3)
            )
            self.assertEqual(
                vault.must("POST", "sys/unseal", {"key": init["keys"][0]}).json["progress"], 1
            )
            self.assertEqual(vault.call("POST", "sys/unseal", {"key": "00" * 33}).status, 400)
            self.assertEqual(vault.must("POST", "sys/unseal", {"reset": True}).json["progress"], 0)
            vault.unseal(init["keys_base64"][1:])
            self.assertEqual(vault.call("GET", "sys/health").status, 200)
            vault.write("sys/mounts/kept", {"type": "kv"})
            vault.write("kept/a", {"k": "v"})
            self.assertEqual(vault.call("POST", "sys/seal").status, 204)
            self.assertTrue(vault.sealed())
            vault.unseal(init["keys"][:2])
            self.assertEqual(vault.read("kept/a"), {"k": "v"})
            vault.restart()
            self.assertTrue(vault.sealed())
            vault.unseal(init["keys"][:2])
            self.assertEqual(vault.read("kept/a"), {"k": "v"})
            self.assertTrue(re.match(UUID, vault.must("GET", "sys/seal-status").json["cluster_id"]))


if __name__ == "__main__":
    unittest.main(verbosity=1)
