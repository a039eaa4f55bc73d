"""docs/audit-questions.md: its recipes, as they stand there, asked of the log of a real vault."""

import pathlib
import re
import signal
import subprocess
import unittest

from vaultproc import Postgres, Vault, wait_until

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "audit-questions.md"
ORPHAN = "0123456789abcdefghij"


def recipe(heading) -> str:
    """The shell lines below a heading of the page."""
    section = PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.search(r"```sh\n(.*?)```", section, re.DOTALL).group(1)


class AuditQuestions(unittest.TestCase):
    def setUp(self):
        self.vault = Vault()
        self.enterContext(self.vault)
        self.key = self.vault.init()["audit_public_key"]
        self.vault.unseal()

    def ask(self, heading, **replaced) -> list:
        """The rows that the recipe prints, in the folder of the log."""
        script = recipe(heading)
        for old, new in replaced.items():
            self.assertIn(old, script)
            script = script.replace(old, new)
        answer = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            text=True,
            capture_output=True,
            cwd=self.vault.audit.parent,
        )
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return [line.split("\t") for line in answer.stdout.splitlines()]

    def rotate(self):
        self.vault.audit.rename(self.vault.audit.with_name("audit.log.1"))
        self.vault.process.send_signal(signal.SIGHUP)
        wait_until("the new file is begun", self.vault.audit.exists)

    def hash_of(self, value):
        return self.vault.must("POST", "sys/audit-hash/main", {"input": value}).data["hash"]

    def test_the_log_is_proved_whole(self):
        self.rotate()
        self.vault.stop()
        first = re.search(r"leasehold (audit verify .*)", PAGE.read_text()).group(1)
        words = first.replace("KEY", self.key).replace("audit.log.2 ", "").split()
        files = [str(self.vault.audit.with_name(word)) for word in words if ".log" in word]
        verdict = self.vault.cli(*(word for word in words if ".log" not in word), *files)
        self.assertEqual(verdict.returncode, 0, verdict.stderr)
        self.assertRegex(verdict.stdout, r"Whole +true")
        self.vault.start().unseal()

    def test_who_read_or_changed_one_secret(self):
        vault = self.vault
        vault.write("sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        vault.write("secret/data/other", {"data": {"a": "b"}})
        acts = (
            ("POST", "data", {"data": {"a": "b"}}),
            ("GET", "data", None),
            ("PUT", "data", {"data": {"a": "c"}}),
            ("DELETE", "data", None),
            ("POST", "undelete", {"versions": [1]}),
            ("POST", "delete", {"versions": [1]}),
            ("POST", "destroy", {"versions": [1]}),
            ("GET", "subkeys", None),
            ("POST", "metadata", {"max_versions": 1}),
            ("GET", "metadata", None),
            ("DELETE", "metadata", None),
        )
        self.rotate()
        for method, part, body in acts:
            vault.call(method, f"secret/{part}/payroll", body)
        self.assertEqual(vault.call("GET", "secret/data/payroll", token="hvs.no").status, 403)
        rows = self.ask("Who read or changed one secret")
        self.assertEqual(
            [row[3] for row in rows],
            [f"secret/{part}/payroll" for _, part, _ in acts] + ["secret/data/payroll"],
        )
        self.assertEqual({row[1] for row in rows[:-1]}, {"root"})
        self.assertIn("permission denied", rows[-1][4])

    def test_who_had_access_to_the_database(self):
        vault = self.vault
        with Postgres() as postgres:
            postgres.configure(vault)
            ended = self.issue()
            vault.write("sys/leases/renew", {"lease_id": ended["lease_id"]})
            vault.write("sys/leases/revoke", {"lease_id": ended["lease_id"]})
            by_role = self.issue(self.log_in("deploy"))
            orphan = f"v-{ended['username'].split('-')[1]}-app-{ORPHAN}"
            postgres.sql(f"create role \"{orphan}\" login password 'x'")
            vault.write("sys/leases/reconcile/database", {"fix": True})
            self.rotate()
            forgotten, kept = self.issue(), self.issue()
            postgres.kill()
            vault.call("POST", f"sys/leases/revoke-force/{forgotten['lease_id']}")
            wait_until("it is given up", lambda: "lease-forgotten" in vault.audit.read_text())
            postgres.start()
            rows = {row[4]: row for row in self.march()}
            self.assertEqual(len(rows), len(self.march()), "a renewal is no row of its own")
            self.assertEqual(len(rows), 5)
            self.fate(rows, ended, "gone 20")
            self.fate(rows, forgotten, "given up 20")
            self.assertEqual(rows[kept["lease_id"]][5:], ["?", "no end in these files"])
            self.assertEqual(rows[by_role["lease_id"]][1:3], ["approle", self.hash_of("deploy")])
            (adopted,) = (row for row in rows.values() if row[5] == orphan)
            self.assertEqual(adopted[1], "(on no lease)")
            self.assertIn("gone 20", adopted[6])
            # What no line names yet: the answer has the hash of the name.
            self.assertIn(self.hash_of(kept["username"]), vault.audit.read_text())

    def march(self):
        return self.ask("Who had access to the database in March", **{"2026-03": "20"})

    def fate(self, rows, credentials, end):
        account, fate = rows[credentials["lease_id"]][5:]
        self.assertEqual(account, credentials["username"])
        self.assertTrue(fate.startswith(end), fate)

    def issue(self, token=None):
        answer = self.vault.call("GET", "database/creds/app", token=token or self.vault.token)
        self.assertEqual(answer.status, 200, answer)
        return {"lease_id": answer.json["lease_id"], "username": answer.data["username"]}

    def log_in(self, role) -> str:
        vault = self.vault
        vault.write(
            "sys/policies/acl/app", {"policy": 'path "database/creds/app" { capabilities = ["read"] }'}
        )
        vault.write("sys/auth/approle", {"type": "approle"})
        vault.write(f"auth/approle/role/{role}", {"token_policies": "app"})
        answers = (
            vault.read(f"auth/approle/role/{role}/role-id"),
            vault.must("POST", f"auth/approle/role/{role}/secret-id").data,
        )
        ids = {name: one[name] for one, name in zip(answers, ("role_id", "secret_id"), strict=True)}
        return vault.must("POST", "auth/approle/login", ids).json["auth"]["client_token"]


if __name__ == "__main__":
    unittest.main()
