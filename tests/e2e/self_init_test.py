"""A vault that configures itself at its first start: whole or not at all, whenever it is killed."""

import json
import os
import subprocess
import unittest

from vaultproc import BIN, Vault, wait_until

SEAL = f'seal "static" {{\n  current_key_id = "a"\n  current_key = "{os.urandom(32).hex()}"\n}}'

REQUESTS = """
initialize "base" {
  request "kv" {
    operation = "update"
    path      = "sys/mounts/secret"
    data      = { type = "kv-v2" }
  }
  request "seed" {
    operation = "create"
    path      = "secret/data/app"
    data      = {
      data = {
        password = { eval_source = "env"  env_var = "SEED" }
        n        = { eval_type = "int"  eval_source = "file"  path = "NUMBER" }
      }
    }
  }
  request "again" {
    operation     = "update"
    path          = "sys/mounts/secret"
    data          = { type = "kv" }
    allow_failure = true
  }
  request "read" { operation = "read"  path = "secret/data/app" }
}
initialize "people" {
  request "auth"   { operation = "update"  path = "sys/auth/userpass"  data = { type = "userpass" } }
  request "policy" {
    operation = "update"
    path      = "sys/policies/acl/app"
    data      = { policy = "path \\"secret/*\\" { capabilities = [\\"read\\"] }" }
  }
  request "user" {
    operation = "update"
    path      = "auth/userpass/users/ann"
    data      = {
      password = {
        eval_source = "response"  initialize_name = "base"  response_name = "read"
        field_selector = "data.data.password"
      }
      token_policies = ["app"]
    }
  }
}
"""


class SelfInit(unittest.TestCase):
    def vault(self, requests=REQUESTS, seal=SEAL, environment=None):
        vault = Vault(seal=seal, environment=environment)
        self.addCleanup(vault.owned.remove)
        number = vault.folder / "number"
        number.write_text("42\n")
        vault.config.write_text(
            vault.config.read_text() + requests.replace("NUMBER", str(number))
        )
        return vault

    def fails(self, vault):
        """Its last line, from a start that ends by itself."""
        run = subprocess.run(
            [BIN / "leaseholdd", f"-config={vault.config}"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **vault.environment},
        )
        self.assertEqual(run.returncode, 1, run.stderr)
        return run.stderr.strip().splitlines()[-1]

    def is_done(self, vault):
        """It said so, or was killed before it could and opened as a vault that is initialized."""
        text = vault.log.read_text()
        return "its root token is revoked" in text or "unsealed by its device" in text

    def has_written(self, vault, lines, other):
        """So many lines into an audit log of its own, which is not the file `other`."""
        try:
            return vault.audit.stat().st_ino != other and vault.audit.read_text().count("\n") >= lines
        except FileNotFoundError:
            return False

    def is_whole(self, vault):
        login = vault.call("POST", "auth/userpass/login/ann", {"password": "a long secret"})
        self.assertEqual(login.status, 200, login)
        token = login.json["auth"]["client_token"]
        got = vault.call("GET", "secret/data/app", token=token).data["data"]
        self.assertEqual(got, {"password": "a long secret", "n": 42})

    def ended(self, vault):
        """The audit log of a vault that was stopped: whole, and of one run only."""
        vault.stop()
        run = subprocess.run(
            [BIN / "leasehold", "audit", "verify", vault.audit], capture_output=True, text=True
        )
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        text = vault.audit.read_text()
        self.assertNotIn("a long secret", text)
        return [json.loads(line) for line in text.splitlines()]

    def test_an_appliance_boots_into_a_configured_vault(self):
        vault = self.vault(environment={"SEED": "a long secret"})
        vault.start()
        self.is_whole(vault)
        vault.stop()
        vault.start()  # an initialized vault passes over the stanzas
        wait_until("the device opens it", lambda: not vault.sealed())
        self.is_whole(vault)
        lines = self.ended(vault)
        paths = [line["request"]["path"] for line in lines if line["type"] == "request"]
        self.assertIn("auth/token/revoke-self", paths)
        self.assertEqual(paths.index("sys/mounts/secret"), 0)
        events = [line["event"] for line in lines if line["type"] == "event"]
        self.assertEqual(events.count("self-init-done"), 1)

    def test_one_request_that_fails_keeps_nothing_and_the_next_start_begins_anew(self):
        vault = self.vault()
        said = self.fails(vault)
        self.assertIn('request "seed" of initialize "base" failed', said)
        self.assertIn("the environment variable SEED is not set", said)
        self.assertIn("nothing was kept", said)
        self.assertIn("SEED is not set", self.fails(vault))
        vault.environment["SEED"] = "a long secret"
        vault.start()
        self.is_whole(vault)
        self.ended(vault)

    def test_what_the_vault_answers_is_told(self):
        wrong = '\ninitialize "x" {\n  request "y" { operation = "read"  path = "nowhere/x" }\n}\n'
        vault = self.vault(requests=wrong)
        self.assertRegex(self.fails(vault), r'config.hcl:\d+:3: request "y" .* failed: 404 no handler')

    def test_killed_at_any_moment_it_is_whole_in_the_end(self):
        vault = self.vault(environment={"SEED": "a long secret"})
        for lines in range(1, 40):
            before = vault.audit.stat().st_ino if vault.audit.exists() else None
            vault.start(wait=False)
            wait_until(
                "it has come so far",
                lambda: self.is_done(vault) or self.has_written(vault, lines, before),
                pause=0.0005,
            )
            vault.process.kill()
            vault.process.wait()
            if self.is_done(vault):
                break
        self.assertGreater(vault.log.read_text().count("was not finished"), 3)
        vault.process = None
        vault.start()
        wait_until("it is open", lambda: not vault.sealed())
        self.is_whole(vault)
        self.ended(vault)

    def test_mistakes_name_their_place(self):
        for requests, said in (
            ('initialize "a b" { request "x" { operation = "read"  path = "x" } }', "is no name"),
            ('initialize "a" {}', "needs a request block"),
            ('initialize "a" { request "x" { operation = "steal"  path = "x" } }', "operation is"),
            ('initialize "a" { request "x" { operation = "read" } }', "path is one of"),
            ('initialize "a" { request "x" { operation = "read"  path = "x"  dat = {} } }', '"dat"'),
            (
                'initialize "a" {\n'
                ' request "x" { operation = "read"  path = "x" }\n'
                ' request "x" { operation = "read"  path = "x" }\n}',
                'another "x"',
            ),
        ):
            with self.subTest(said):
                self.assertIn(said, self.fails(self.vault(requests="\n" + requests + "\n")))
        self.assertIn("needs a seal that opens by itself", self.fails(self.vault(seal="")))


if __name__ == "__main__":
    unittest.main()
