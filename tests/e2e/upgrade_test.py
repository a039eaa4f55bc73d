"""Stores that earlier versions wrote, kept as their bytes: opened in place, whole, and used as before."""

import gzip
import json
import pathlib
import unittest

from vaultproc import Vault

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


class Upgrade(unittest.TestCase):
    def open_golden(self, name):
        store = GOLDEN / name
        keys = json.loads((store / "keys.json").read_text())
        vault = Vault()
        self.addCleanup(lambda: vault.__exit__(None, None, None))
        (vault.data / "data.mdb").write_bytes(gzip.decompress((store / "data.mdb.gz").read_bytes()))
        (vault.data / "data.mdb").chmod(0o600)
        vault.audit.write_bytes((store / "audit.log").read_bytes())
        vault.keys, vault.token = keys["shares"], keys["root"]
        self.verify(vault)
        vault.start()
        vault.unseal()
        return vault, keys

    def verify(self, vault):
        checked = vault.cli(
            "operator", "verify", f"-config={vault.config}", f"-log={vault.audit}",
            input=vault.keys[0] + "\n",
        )
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        return checked.stdout

    def test_store_1(self):
        vault, keys = self.open_golden("store_1")
        self.assertEqual(vault.read("secret/a/b"), {"k": "v1"})
        self.assertEqual(vault.read("versioned/data/a")["data"], {"k": "v2"})
        self.assertEqual(vault.read("secret/a/b", token=keys["token"]), {"k": "v1"})
        self.assertEqual(vault.call("GET", "versioned/data/a", token=keys["token"]).status, 403)
        self.assertIn('"seal-slots-listed"', vault.audit.read_text())
        vault.write("secret/a/b", {"k": "new"})
        vault.stop()
        self.assertNotIn("older version", self.verify(vault))  # its slots are listed by now
        vault.start()
        vault.unseal()
        self.assertEqual(vault.read("secret/a/b"), {"k": "new"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
