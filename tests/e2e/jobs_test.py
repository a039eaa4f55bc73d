"""Background jobs: a mount with many records is removed through kill -9, shown, and holds up no other writer."""

import json
import unittest

from vaultproc import Vault, wait_until

SECRETS = 1500


class Jobs(unittest.TestCase):
    def setUp(self):
        self.vault = Vault()
        self.addCleanup(lambda: self.vault.__exit__(None, None, None))
        self.vault.start()
        self.vault.init_and_unseal()
        for mount in ("many", "other"):
            self.vault.write(f"sys/mounts/{mount}", {"type": "kv"})

    def jobs(self) -> list:
        answer = self.vault.call("LIST", "sys/jobs")
        return answer.data["keys"] if answer.status == 200 else []

    def fill(self):
        for i in range(SECRETS):
            self.vault.write(f"many/folder{i % 7}/s{i}", {"x": "1"})

    def crash(self):
        self.vault.kill()
        self.vault.start()
        self.vault.unseal()

    def test_a_removal_goes_on_through_crashes_and_shows_how_far_it_is(self):
        self.fill()
        self.vault.must("DELETE", "sys/mounts/many")
        seen = []
        for _ in range(3):
            self.crash()
            for job in self.jobs():
                answer = self.vault.call("GET", f"sys/jobs/{job}")
                if answer.status == 200:
                    seen.append(answer.data["done"])
                    self.assertEqual(answer.data["kind"], "remove-mount")
                    self.assertGreaterEqual(answer.data["total"], 2 * SECRETS)
        self.assertEqual(seen, sorted(seen))
        self.vault.write("sys/mounts/many", {"type": "kv"})
        self.assertEqual(self.vault.call("GET", "many/folder1/s1").status, 404)
        self.vault.write("many/new", {"x": "2"})
        self.vault.write("other/a", {"x": "3"})
        wait_until("the removed mount is erased", lambda: not self.jobs())
        self.assertEqual(self.vault.read("many/new"), {"x": "2"})
        self.assertEqual(self.vault.read("other/a"), {"x": "3"})
        lines = [json.loads(line) for line in self.vault.audit.read_text().splitlines()]
        self.assertEqual(sum(line.get("event") == "mount-erased" for line in lines), 1)
        self.vault.stop()
        shares = "\n".join(self.vault.keys) + "\n"
        whole = self.vault.cli(
            "operator", "verify", f"-config={self.vault.config}", input=shares
        )
        self.assertEqual(whole.returncode, 0, whole.stdout + whole.stderr)

    def test_the_command_line_shows_and_waits(self):
        none = self.vault.cli("operator", "jobs")
        self.assertEqual((none.returncode, none.stdout), (0, ""))
        self.assertIn("Nothing goes on", none.stderr)
        self.assertEqual(json.loads(self.vault.cli("operator", "jobs", "-format=json").stdout), [])
        self.assertEqual(self.vault.cli("operator", "jobs", "-wait").returncode, 1)
        self.assertEqual(self.vault.cli("operator", "jobs", "-wait", "none").returncode, 2)
        self.fill()
        self.vault.must("DELETE", "sys/mounts/many")
        for job in self.jobs():  # unless it is done already
            self.assertIn(self.vault.cli("operator", "jobs", "-wait", job).returncode, (0, 2))
        wait_until("the removed mount is erased", lambda: not self.jobs())


if __name__ == "__main__":
    unittest.main(verbosity=2)
