"""hvac, the Python client, as published: what an application and an operator's script do with it."""

import inspect
import json
import unittest

import hvac

from vaultproc import Postgres, Vault, certificate, wait_until


class Hvac(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = Vault().start()
        cls.addClassCleanup(lambda: cls.vault.__exit__(None, None, None))
        operator = hvac.Client(url=cls.vault.address)
        assert not operator.sys.is_initialized()
        result = operator.sys.initialize(secret_shares=3, secret_threshold=2)
        assert operator.sys.is_sealed()
        operator.sys.submit_unseal_keys(result["keys"][:2])
        assert not operator.sys.is_sealed()
        cls.vault.token, cls.vault.keys = result["root_token"], result["keys_base64"]
        cls.client = hvac.Client(url=cls.vault.address, token=result["root_token"])
        cls.client.sys.enable_secrets_engine("kv", path="secret")

    def test_status(self):
        self.assertTrue(self.client.is_authenticated())
        self.assertEqual(self.client.sys.read_health_status(method="GET")["sealed"], False)
        self.assertEqual(self.client.sys.read_health_status().status_code, 200)
        self.assertEqual(self.client.sys.read_seal_status()["t"], 2)
        self.assertIn("ha_enabled", self.client.sys.read_leader_status())

    def test_kv_version_1(self):
        kv = self.client.secrets.kv.v1
        kv.create_or_update_secret("app/db", {"user": "a", "pass": "b"}, mount_point="secret")
        self.assertEqual(
            kv.read_secret("app/db", mount_point="secret")["data"], {"user": "a", "pass": "b"}
        )
        self.assertEqual(kv.list_secrets("app", mount_point="secret")["data"]["keys"], ["db"])
        kv.delete_secret("app/db", mount_point="secret")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            kv.read_secret("app/db", mount_point="secret")

    def test_what_has_no_effect_changes_no_answer(self):
        """Where there is a body hvac hands out a dictionary, in place of the response."""
        system, database = self.client.sys, self.client.secrets.database
        statement = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"
        system.enable_secrets_engine("database", path="early")
        answers = [
            system.enable_secrets_engine("kv", path="sealed", seal_wrap=True, local=True),
            system.tune_mount_configuration("sealed", passthrough_request_headers=["X-Trace"]),
            system.enable_auth_method("userpass", path="people", local=True),
            system.create_or_update_policy("doubtful", 'path "a*b" { capabilities = ["read"] }'),
            database.create_role("app", "none", [statement], mount_point="early"),
        ]
        for answer in answers:
            self.assertEqual(answer.status_code, 204)
            self.assertIn("299 - ", answer.headers["Warning"])

    def test_wrapping(self):
        # Debian's older hvac has no sys.wrap().
        wrap = {"json": {"a": "b"}, "headers": {"X-Vault-Wrap-TTL": "60"}}
        wrapped = self.client.adapter.post("/v1/sys/wrapping/wrap", **wrap)
        wrapped = wrapped["wrap_info"]["token"]
        self.assertEqual(self.client.sys.unwrap(wrapped)["data"], {"a": "b"})
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.client.sys.unwrap(wrapped)
        made = self.client.auth.token.create(policies=["default"], wrap_ttl="1m")["wrap_info"]
        self.assertEqual(
            hvac.Client(url=self.vault.address, token=made["token"]).sys.unwrap()["auth"]["accessor"],
            made["wrapped_accessor"],
        )

    def test_kv_version_2(self):
        self.client.sys.enable_secrets_engine("kv", path="two", options={"version": "2"})
        kv, at = self.client.secrets.kv.v2, {"mount_point": "two"}
        kv.configure(max_versions=7, **at)
        self.assertEqual(kv.read_configuration(**at)["data"]["max_versions"], 7)
        made = kv.create_or_update_secret("app/db", {"user": "a", "pass": "b"}, cas=0, **at)
        self.assertEqual(made["data"]["version"], 1)
        with self.assertRaisesRegex(hvac.exceptions.InvalidRequest, "did not match the current"):
            kv.create_or_update_secret("app/db", {"user": "c"}, cas=0, **at)
        kv.patch("app/db", {"user": "c"}, **at)

        # Debian's older hvac always raises, and knows no parameter for it.
        raises = {"raise_on_deleted_version": True}
        known = inspect.signature(kv.read_secret_version).parameters
        how = at if "raise_on_deleted_version" not in known else {**at, **raises}

        def read(version=None):
            return kv.read_secret_version("app/db", version=version, **how)["data"]["data"]

        self.assertEqual(read(), {"user": "c", "pass": "b"})
        self.assertEqual(read(1), {"user": "a", "pass": "b"})
        self.assertEqual(kv.list_secrets("app", **at)["data"]["keys"], ["db"])

        self.assertEqual(kv.delete_latest_version_of_secret("app/db", **at).status_code, 204)
        with self.assertRaises(hvac.exceptions.InvalidPath) as deleted:
            read()
        if how is not at:  # the older one drops the body of an error
            told = json.loads(deleted.exception.text)["data"]
            self.assertIsNone(told["data"])
            self.assertNotEqual(told["metadata"]["deletion_time"], "")
        kv.undelete_secret_versions("app/db", [2], **at)
        self.assertEqual(read(), {"user": "c", "pass": "b"})
        kv.delete_secret_versions("app/db", [1], **at)
        kv.destroy_secret_versions("app/db", [2], **at)
        with self.assertRaises(hvac.exceptions.InvalidPath):
            read()

        owner = {"custom_metadata": {"owner": "web"}}
        if "custom_metadata" not in inspect.signature(kv.update_metadata).parameters:
            self.client.write("two/metadata/app/db", **owner)
            owner = {}
        kv.update_metadata("app/db", max_versions=3, **owner, **at)
        about = kv.read_secret_metadata("app/db", **at)["data"]
        self.assertEqual((about["max_versions"], about["custom_metadata"]), (3, {"owner": "web"}))
        self.assertTrue(about["versions"]["2"]["destroyed"])
        kv.delete_metadata_and_all_versions("app/db", **at)
        with self.assertRaises(hvac.exceptions.InvalidPath):
            kv.read_secret_metadata("app/db", **at)
        self.client.sys.disable_secrets_engine("two")

    def test_plain_read_write_list_delete(self):
        self.client.write("secret/http://test.com", key="value")
        self.assertEqual(self.client.read("secret/http://test.com")["data"], {"key": "value"})
        self.assertIsNone(self.client.read("secret/none"))
        self.assertEqual(self.client.list("secret")["data"]["keys"].count("http:/"), 1)
        self.client.delete("secret/http://test.com")

    def test_policies(self):
        policy = {"path": {"secret/app/*": {"capabilities": ["read"]}}}
        self.client.sys.create_or_update_policy("app", policy)
        self.assertIn("app", self.client.sys.list_policies()["data"]["policies"])
        self.assertIn("secret/app/*", self.client.sys.read_policy("app")["data"]["rules"])
        self.client.secrets.kv.v1.create_or_update_secret("app/x", {"k": "v"}, mount_point="secret")
        token = self.client.auth.token.create(policies=["app"])["auth"]["client_token"]
        app = hvac.Client(url=self.vault.address, token=token)
        self.assertEqual(app.read("secret/app/x")["data"], {"k": "v"})
        with self.assertRaises(hvac.exceptions.Forbidden):
            app.write("secret/app/x", k="w")
        self.client.sys.delete_policy("app")
        with self.assertRaises(hvac.exceptions.Forbidden):
            app.read("secret/app/x")

    def test_tokens(self):
        token = self.client.auth.token
        made = token.create(policies=["default"], ttl="1h", meta={"a": "b"})["auth"]
        child = hvac.Client(url=self.vault.address, token=made["client_token"])
        self.assertEqual(child.lookup_token()["data"]["meta"], {"a": "b"})
        self.assertEqual(
            child.auth.token.renew_self(increment="2h")["auth"]["client_token"],
            made["client_token"],
        )
        self.assertEqual(
            token.lookup_accessor(made["accessor"])["data"]["accessor"], made["accessor"]
        )
        self.assertIn(made["accessor"], token.list_accessors()["data"]["keys"])
        token.revoke_accessor(made["accessor"])
        self.assertFalse(child.is_authenticated())
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            token.lookup_accessor("nothing")
        create_orphan = getattr(token, "create_orphan", lambda **o: token.create(no_parent=True, **o))
        orphan = create_orphan(ttl="1h")["auth"]
        self.assertTrue(orphan["orphan"])
        token.revoke(orphan["client_token"])
        hvac.Client(
            url=self.vault.address, token=token.create(ttl="1h")["auth"]["client_token"]
        ).logout(revoke_token=True)

    def test_mounts(self):
        self.client.sys.enable_secrets_engine("kv", path="other", description="d")
        self.assertEqual(
            self.client.sys.list_mounted_secrets_engines()["other/"]["description"], "d"
        )
        self.client.sys.tune_mount_configuration(
            "other", default_lease_ttl="3600s", max_lease_ttl="8600s"
        )
        tuned = self.client.sys.read_mount_configuration("other")["data"]
        self.assertEqual((tuned["default_lease_ttl"], tuned["max_lease_ttl"]), (3600, 8600))
        self.client.sys.disable_secrets_engine("other")
        self.assertNotIn("other/", self.client.sys.list_mounted_secrets_engines()["data"])
        self.assertIn("token/", self.client.sys.list_auth_methods()["data"])

    def test_capabilities(self):
        self.assertEqual(
            self.client.sys.get_capabilities(["secret/x"])["data"]["capabilities"], ["root"]
        )

    def test_database_credentials_and_their_leases(self):
        with Postgres() as postgres:
            database = self.client.secrets.database
            self.client.sys.enable_secrets_engine("database")
            database.configure(
                name="pg",
                plugin_name="postgresql-database-plugin",
                allowed_roles=["app"],
                username=postgres.MANAGER,
                password=postgres.PASSWORD,
                connection_url=postgres.url,
            )
            database.create_role(
                "app",
                db_name="pg",
                default_ttl="1h",
                max_ttl="24h",
                creation_statements=[
                    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';",
                    'GRANT app_ro TO "{{name}}";',
                ],
            )
            self.assertEqual(database.list_roles()["data"]["keys"], ["app"])
            self.assertEqual(database.read_connection("pg")["data"]["allowed_roles"], ["app"])
            credential = database.generate_credentials("app")
            user, password = credential["data"]["username"], credential["data"]["password"]
            self.assertTrue(postgres.logs_in(user, password))
            lease = credential["lease_id"]
            self.assertEqual(self.client.sys.read_lease(lease)["data"]["id"], lease)
            self.assertEqual(
                self.client.sys.renew_lease(lease, increment=600)["lease_duration"], 600
            )
            self.client.sys.revoke_lease(lease)
            self.assertFalse(postgres.logs_in(user, password))
            other = database.generate_credentials("app")["data"]["username"]
            self.client.sys.revoke_prefix("database/creds/app")
            wait_until("the account is gone", lambda: other not in postgres.accounts(), 10)
            database.delete_role("app")
            database.delete_connection("pg")
            self.client.sys.disable_secrets_engine("database")

    def test_seal_and_unseal(self):
        self.client.sys.seal()
        self.assertTrue(self.client.sys.is_sealed())
        with self.assertRaises(hvac.exceptions.VaultDown):
            self.client.read("secret/x")
        self.client.sys.submit_unseal_keys(self.vault.keys[:2])
        self.assertFalse(self.client.sys.is_sealed())
        self.assertTrue(self.client.is_authenticated())


class HvacOverTls(unittest.TestCase):
    def test_tls_with_a_private_authority(self):
        vault = Vault()
        vault = Vault(folder=vault.folder, tls=certificate(vault.folder))
        with vault:
            vault.init_and_unseal()
            client = hvac.Client(url=vault.address, token=vault.token, verify=str(vault.tls[0]))
            self.assertTrue(client.is_authenticated())
            client.sys.enable_secrets_engine("kv", path="secret")
            client.write("secret/a", k="v")
            self.assertEqual(client.read("secret/a")["data"], {"k": "v"})


if __name__ == "__main__":
    unittest.main(verbosity=1)
