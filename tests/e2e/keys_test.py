"""New shares and new data keys beside kill -9: afterwards the old or the new shares open the vault, and every
record can be read."""

import base64
import json
import unittest

from vaultproc import Vault, wait_until

RECORDS = 700  # more than the background looks at in one go


class Killed(unittest.TestCase):
    def setUp(self):
        self.vault = Vault()
        self.addCleanup(lambda: self.vault.__exit__(None, None, None))
        self.vault.start()
        self.vault.init(secret_shares=3, secret_threshold=2)
        self.vault.unseal()

    def send_and_kill(self, when, path, body):
        """Sends a change, and kills the server when it was `sent`, is `recorded` or was `answered`."""
        before = self.vault.audit.stat().st_size
        connection = self.vault.connection()
        headers = {"X-Vault-Token": self.vault.token}
        connection.request("POST", "/v1/" + path, json.dumps(body), headers)
        if when == "recorded":
            wait_until("it is recorded", lambda: self.vault.audit.stat().st_size > before, pause=0)
        if when == "answered":
            self.assertLess(connection.getresponse().status, 300)
        self.vault.kill()
        connection.close()
        self.vault.start()

    def opens(self, keys) -> bool:
        for key in keys[:2]:
            answer = self.vault.call("POST", "sys/unseal", {"key": key}, token="")
            if answer.status != 200:
                return False
        return not self.vault.sealed()

    def verifies(self, keys):
        self.vault.stop()
        done = self.vault.cli(
            "operator", "verify", f"-config={self.vault.config}", input="\n".join(keys[:2]) + "\n"
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.vault.start()

    def begin_rekey(self, **options) -> str:
        plan = {"secret_shares": 3, "secret_threshold": 2, **options}
        return self.vault.must("POST", "sys/rekey/init", plan).json["nonce"]

    def give(self, path, key, nonce):
        return self.vault.must("POST", path, {"key": key, "nonce": nonce}).json

    def verified_rekey(self):
        """Up to the last share that verifies: the new keys, and the nonce."""
        nonce = self.begin_rekey(require_verification=True)
        self.give("sys/rekey/update", self.vault.keys[0], nonce)
        made = self.give("sys/rekey/update", self.vault.keys[1], nonce)
        self.give("sys/rekey/verify", made["keys_base64"][0], made["verification_nonce"])
        return made["keys_base64"], made["verification_nonce"]

    def test_a_rekey_that_was_not_finished_leaves_the_old_shares(self):
        nonce = self.begin_rekey()
        self.send_and_kill("answered", "sys/rekey/update", {"key": self.vault.keys[0], "nonce": nonce})
        self.assertTrue(self.opens(self.vault.keys))
        self.assertFalse(self.vault.must("GET", "sys/rekey/init").json["started"])
        self.verified_rekey()
        self.vault.kill()
        self.vault.start()
        self.assertTrue(self.opens(self.vault.keys))

    def test_a_verified_rekey_ends_with_the_old_or_the_new_shares(self):
        for when in ("sent", "recorded", "answered", "sent", "recorded"):
            with self.subTest(when=when):
                fresh, nonce = self.verified_rekey()
                self.send_and_kill(when, "sys/rekey/verify", {"key": fresh[1], "nonce": nonce})
                if self.opens(fresh):
                    self.vault.keys = fresh
                else:
                    self.assertNotEqual(when, "answered")
                    self.assertTrue(self.opens(self.vault.keys))
        self.verifies(self.vault.keys)

    def test_a_rotation_leaves_no_record_that_cannot_be_read(self):
        self.vault.write("sys/mounts/secret", {"type": "kv"})
        for i in range(RECORDS):
            self.vault.write(f"secret/{i}", {"n": i})
        for when in ("sent", "recorded", "answered", "answered"):
            with self.subTest(when=when):
                self.send_and_kill(when, "sys/rotate", {})
                self.assertTrue(self.opens(self.vault.keys))
                for i in range(0, RECORDS, 7):
                    self.assertEqual(self.vault.read(f"secret/{i}"), {"n": i})
        self.assertGreaterEqual(self.vault.read("sys/key-status")["term"], 3)
        wait_until(
            "all is sealed under the newest key",
            lambda: self.vault.read("sys/key-status")["rewrapped"],
        )
        self.verifies(self.vault.keys)

    def test_a_root_token_is_made_from_the_command_line(self):
        begun = json.loads(self.run_cli("operator", "generate-root", "-init", "-format=json"))
        for key in self.vault.keys[:2]:
            given = json.loads(
                self.run_cli(
                    "operator", "generate-root", f"-nonce={begun['nonce']}", "-format=json", key
                )
            )
        token = self.run_cli(
            "operator", "generate-root", f"-decode={given['encoded_token']}", f"-otp={begun['otp']}"
        ).strip()
        self.assertEqual(
            self.vault.read("auth/token/lookup-self", token=token)["policies"], ["root"]
        )
        raw = base64.b64decode(given["encoded_token"] + "=" * (-len(given["encoded_token"]) % 4))
        self.assertNotEqual(raw, token.encode())
        self.assertNotIn(token, self.vault.audit.read_text())

    def run_cli(self, *arguments) -> str:
        done = self.vault.cli(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_stranger_is_refused_and_a_listener_may_let_him_in(self):
        paths = ("sys/rekey/init", "sys/generate-root/attempt")
        for path in paths:
            self.assertEqual(self.vault.call("GET", path, token="").status, 403)
        with Vault(
            listener="disable_unauthed_rekey_endpoints = false\n"
            "  disable_unauthed_generate_root_endpoints = false"
        ) as open_to_all:
            open_to_all.init_and_unseal()
            for path in paths:
                self.assertEqual(open_to_all.call("GET", path, token="").status, 200)
            self.assertEqual(open_to_all.call("POST", "sys/rotate", {}, token="").status, 403)


if __name__ == "__main__":
    unittest.main()
