"""Faults of storage that are no full disk: told apart exactly, and nothing acknowledged is lost."""

import resource
import unittest

from vaultproc import Vault, random_text, wait_until


class StorageFaults(unittest.TestCase):
    def setUp(self):
        self.vault = Vault()
        self.addCleanup(self.vault.__exit__, None, None, None)
        self.vault.__enter__()
        self.vault.init_and_unseal()
        self.vault.write("sys/mounts/secret", {"type": "kv"})

    def put(self, size=10) -> int:
        return self.vault.call("POST", f"secret/{random_text()}", {"k": "v" * size}).status

    def is_open(self) -> bool:
        return self.vault.call("GET", "sys/health").status == 200

    def test_a_write_cut_short_is_refused_and_seals_nothing(self):
        data = self.vault.data / "data.mdb"
        self.assertEqual(self.put(), 204)
        pid, limit = self.vault.process.pid, resource.RLIMIT_FSIZE
        for odd in (0, 1000):  # at the end of a page: EFBIG; within one: a short write
            with self.subTest(odd=odd):
                most = data.stat().st_size + odd
                resource.prlimit(pid, limit, (most, resource.RLIM_INFINITY))
                wait_until("a write is refused", lambda: self.put(50_000) == 507)
                self.assertTrue(self.is_open())
                resource.prlimit(pid, limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                wait_until("writes go on", lambda: self.put() == 204)

    def test_a_file_that_was_renamed_takes_no_write_until_it_is_back(self):
        data, away = self.vault.data / "data.mdb", self.vault.data / "away.mdb"
        self.vault.write("secret/kept", {"k": "v"})
        data.rename(away)
        self.assertEqual(self.put(), 507)
        self.assertTrue(self.is_open())
        warnings = self.vault.call("GET", "sys/seal-status").json["warnings"]
        self.assertTrue([text for text in warnings if "data.mdb" in text], warnings)
        self.assertNotIn(str(self.vault.data), str(warnings), "a stranger reads this")
        self.assertEqual(self.vault.read("secret/kept"), {"k": "v"})
        away.rename(data)
        self.assertEqual(self.put(), 204)
        self.vault.write("secret/after", {"k": "v"})
        self.vault.restart().unseal()
        self.assertEqual(self.vault.read("secret/after"), {"k": "v"})

    def test_a_file_that_was_deleted_takes_no_write(self):
        (self.vault.data / "data.mdb").unlink()
        self.assertEqual(self.put(), 507)
        self.assertIn("was deleted while the vault runs", self.vault.log.read_text())

    def test_a_file_that_was_cut_ends_the_start_with_an_error(self):
        for _ in range(20):
            self.assertEqual(self.put(5000), 204)
        self.vault.stop()
        data = self.vault.data / "data.mdb"
        whole = data.read_bytes()
        for size in (len(whole) // 2, 8192, 4096, 100):
            with self.subTest(size=size):
                data.write_bytes(whole[:size])
                self.vault.log.write_text("")
                self.vault.start(wait=False)
                self.assertGreater(self.vault.process.wait(timeout=60), 0, "by a signal")
                self.assertIn("data.mdb", self.vault.log.read_text())
                self.assertIn("restore a backup", self.vault.log.read_text())
                self.vault.process = None
        data.write_bytes(whole)
        self.vault.start().unseal()


if __name__ == "__main__":
    unittest.main(verbosity=1)
