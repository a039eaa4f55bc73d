"""The accounts of a real PostgreSQL beside the leases: `lease reconcile`, the sweep of the vault itself, and a
store that was put back."""

import json
import shutil
import subprocess
import unittest

from vaultproc import Postgres, Vault, wait_until

ID = "0123456789abcdefghij"


class Reconcile(unittest.TestCase):
    def setUp(self):
        self.postgres = Postgres()
        self.enterContext(self.postgres)

    def open(self, extra=""):
        self.vault = Vault(extra=extra)
        self.enterContext(self.vault)
        self.vault.init_and_unseal()
        self.postgres.configure(self.vault)
        self.kept = self.issue()

    def issue(self):
        return self.vault.must("GET", "database/creds/app").data["username"]

    def orphan(self, role="app", cluster=None):
        """A role as this vault would have made it, on no lease."""
        name = f"v-{cluster or self.kept.split('-')[1]}-{role}-{ID}"
        made = f"create role \"{name}\" login password 'x'"
        self.postgres.psql(made, "app", Postgres.MANAGER, Postgres.PASSWORD)
        return name

    def events(self):
        lines = [json.loads(line) for line in self.vault.audit.read_text().splitlines()]
        return [line.get("event") for line in lines]

    def test_what_only_one_side_has(self):
        self.open()
        missing, orphan = self.issue(), self.orphan()
        strangers = {self.orphan(cluster="zzzzzz"), "v-by-hand"}
        self.postgres.sql('create role "v-by-hand"')
        self.postgres.sql(f'drop role "{missing}"')
        seen = self.vault.cli("lease", "reconcile", "-format=json", "database")
        self.assertEqual(seen.returncode, 0, seen)
        (target,) = json.loads(seen.stdout)["data"]["targets"]
        self.assertEqual(target["in_both"], 1)
        self.assertEqual(target["only_at_target"], [orphan])
        self.assertEqual([one["account"] for one in target["only_in_leases"]], [missing])
        self.assertIn(orphan, self.postgres.accounts())  # it only looked
        self.assertNotIn("revoked", seen.stdout)
        self.assertNotIn("account-without-lease", self.events())
        fixed = self.vault.cli("lease", "reconcile", "-fix", "database")
        self.assertEqual(fixed.returncode, 0, fixed)
        self.assertIn(f"only at the target  {orphan}: revoked\n", fixed.stdout)
        self.assertEqual(self.postgres.accounts(), {self.kept} | strangers)
        again = self.vault.cli("lease", "reconcile", "database/")
        self.assertIn("1 in both, 0 only at the target, 0 only in leases", again.stdout)
        for event in ("account-without-lease", "lease-account-missing"):
            self.assertIn(event, self.events())

    def test_the_vault_sweeps_by_itself(self):
        self.open('lease_sweep_period = "1s"')
        orphan = self.orphan()
        wait_until("it is swept", lambda: orphan not in self.postgres.accounts())
        self.assertIn(self.kept, self.postgres.accounts())
        self.assertIn("account-without-lease", self.events())

    def test_a_target_that_is_down_is_not_taken_for_empty(self):
        self.open()
        self.postgres.kill()
        seen = self.vault.cli("lease", "reconcile", "-fix", "database")
        self.assertEqual(seen.returncode, 2, seen)
        self.assertIn("not compared", seen.stdout)
        self.postgres.start()
        self.assertIn(self.kept, self.postgres.accounts())

    def sweeps(self):
        """Returns when the vault has swept once more."""
        orphan = self.orphan()
        wait_until("it is swept", lambda: orphan not in self.postgres.accounts())

    def test_a_database_that_was_put_back_revives_nobody(self):
        self.open()  # it sweeps by itself once an hour
        data, backup = self.postgres.folder / "pg" / "data", self.postgres.folder / "pg" / "backup"
        revoked = self.vault.must("GET", "database/creds/app")
        user, password = revoked.data["username"], revoked.data["password"]
        self.postgres.kill()
        subprocess.run(["cp", "-a", data, backup], check=True)
        self.postgres.start()
        self.vault.must("PUT", "sys/leases/revoke", {"lease_id": revoked.json["lease_id"]})
        self.assertFalse(self.postgres.logs_in(user, password))
        self.postgres.kill()
        shutil.rmtree(data)
        backup.rename(data)
        self.postgres.start()
        self.assertTrue(self.postgres.logs_in(user, password))
        wait_until("it is met", lambda: self.vault.call("GET", "database/creds/app").status == 200)
        wait_until("it is gone again", lambda: not self.postgres.logs_in(user, password))
        self.assertIn(self.kept, self.postgres.accounts())
        self.assertIn("is compared with the leases", self.vault.log.read_text())

    def test_a_drill_beside_the_original_ends_nothing(self):
        self.open('lease_sweep_period = "1s"')
        file = self.vault.folder / "backup"
        self.assertEqual(self.vault.cli("operator", "backup", str(file)).returncode, 0)
        later = self.issue()  # the backup knows nothing of it
        drill = Vault(extra='lease_sweep_period = "1s"')
        self.addCleanup(lambda: drill.__exit__(None, None, None))
        restored = drill.cli(
            "operator", "backup", "restore", str(file), f"-config={drill.config}"
        )
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.assertIn("leaseholdd -restored=drill", restored.stdout)
        drill.start(arguments=("-restored=drill",))
        drill.keys, drill.token = self.vault.keys, self.vault.token
        drill.unseal()
        self.assertEqual(drill.read("sys/mounts/database/tune")["max_lease_ttl"], 2764800)
        for method, path, body in (
            ("GET", "database/creds/app", None),
            ("PUT", "sys/leases/revoke-prefix/database", {}),
            ("PUT", "sys/leases/reconcile/database", {"fix": True}),
            ("POST", "database/rotate-root/pg", {}),
            ("DELETE", "sys/mounts/database", None),
        ):
            answer = drill.call(method, path, body)
            self.assertEqual(answer.status, 503, (path, answer))
            self.assertIn("-restored=drill", answer.errors[0])
        self.assertIn("drill", str(drill.call("GET", "sys/seal-status").json["warnings"]))
        self.assertTrue(drill.call("GET", "sys/health").json["leasehold_restore_drill"])
        self.assertIn("-restored=drill", drill.cli("status").stderr)
        for _ in range(2):  # a sweep of the copy would have come by then
            self.sweeps()
        drill.stop()
        self.assertEqual(self.postgres.accounts(), {self.kept, later})
        self.assertIn("restore-drill", drill.audit.read_text())
        self.assertEqual(drill.cli("audit", "verify", str(drill.audit)).returncode, 0)

    def test_a_store_that_was_put_back_issues_when_it_is_reconciled(self):
        self.open('lease_sweep_period = "1s"')
        self.vault.stop()
        shutil.copytree(self.vault.data, self.vault.folder / "copy")
        self.vault.start()
        self.vault.unseal()
        forgotten = self.issue()
        self.vault.stop()
        shutil.rmtree(self.vault.data)
        shutil.copytree(self.vault.folder / "copy", self.vault.data)
        self.vault.data.chmod(0o700)
        self.vault.start(arguments=("-restored=keep-tokens",))
        self.vault.unseal()
        # By itself the vault only tells of it.
        wait_until("it is told", lambda: "is on no lease" in self.vault.log.read_text())
        refused = self.vault.call("GET", "database/creds/app")
        self.assertIn("lease reconcile -fix", refused.errors[0])
        self.assertIn(forgotten, self.postgres.accounts())
        fixed = self.vault.cli("lease", "reconcile", "-fix", "database")
        self.assertEqual(fixed.returncode, 0, fixed)
        self.assertEqual(self.postgres.accounts(), {self.kept})
        self.issue()
        self.assertIn("restored-target-reconciled", self.events())


if __name__ == "__main__":
    unittest.main()
