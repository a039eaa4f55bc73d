"""A data directory that was put back, and backups: refused, or opened as restored, on record."""

import fcntl
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import threading
import unittest

from vaultproc import BIN, PATIENCE, BackupServer, Vault, frame


class PutBack(unittest.TestCase):
    def setUp(self):
        self.vault = Vault()
        self.addCleanup(lambda: self.vault.__exit__(None, None, None))
        self.vault.start()
        self.vault.init_and_unseal()
        self.vault.write("sys/mounts/secret", {"type": "kv"})
        self.vault.write("secret/a", {"k": "old"})
        self.victim = self.vault.new_token(policies=["default"])

    def copy(self):
        """A copy of the stopped vault's directory."""
        self.vault.stop()
        shutil.copytree(self.vault.data, self.vault.folder / "copy")
        self.vault.start()
        self.vault.unseal()

    def put_back(self):
        shutil.rmtree(self.vault.data)
        shutil.copytree(self.vault.folder / "copy", self.vault.data)
        self.vault.data.chmod(0o700)

    def revoke_victim(self):
        self.vault.write("auth/token/revoke", {"token": self.victim})

    def looks_up(self, token) -> int:
        return self.vault.call("GET", "auth/token/lookup-self", token=token).status

    def events(self) -> set:
        lines = [json.loads(line) for line in self.vault.audit.read_text().splitlines()]
        return {line.get("event") for line in lines}

    def head(self, *arguments):
        shares = "\n".join(self.vault.keys) + "\n"
        return self.vault.cli(
            "operator", "verify", f"-config={self.vault.config}", *arguments, input=shares
        )

    def test_an_older_copy_is_refused_until_the_operator_says_so(self):
        self.copy()
        self.revoke_victim()
        self.vault.kill()  # at once: no checkpoint tells of it yet
        self.put_back()
        self.vault.start()
        for _ in range(2):
            answer = self.vault.call("POST", "sys/unseal", {"key": self.vault.keys[0]}, token="")
            self.assertEqual(answer.status, 400, answer)
            self.assertIn("older copy", answer.errors[0])
            self.assertIn("-restored", answer.errors[0])
        status = self.vault.must("GET", "sys/seal-status", token="").json
        self.assertTrue(status["sealed"])
        self.assertIn("older copy", "".join(status["warnings"]))
        self.vault.stop()

        self.vault.start(arguments=["-restored"])
        self.vault.unseal()
        self.assertEqual(self.looks_up(self.victim), 403)
        self.assertEqual(self.looks_up(self.vault.token), 403)
        self.assertIn("store-restored", self.events())
        self.vault.restart()  # the word is needed once
        self.vault.unseal()
        self.assertEqual(self.looks_up(self.vault.token), 403)
        self.vault.stop()
        self.assertEqual(self.head().returncode, 0)

    def test_tokens_may_be_kept(self):
        self.copy()
        self.revoke_victim()
        self.vault.stop()
        self.put_back()
        self.vault.start(arguments=["-restored=keep-tokens"])
        self.vault.unseal()
        self.assertEqual(self.looks_up(self.vault.token), 200)
        self.assertEqual(self.looks_up(self.victim), 200)
        self.assertEqual(self.vault.read("secret/a"), {"k": "old"})
        self.assertEqual(self.vault.read("sys/storage/restored"), {"to_reconcile": []})
        self.assertEqual(
            self.vault.call("POST", "sys/storage/restored", {"reconciled": False}).status, 400
        )
        self.vault.write("sys/storage/restored", {"reconciled": True})

    def test_verify_finds_it_by_a_noted_head_and_by_the_log(self):
        self.vault.stop()
        first = self.head()
        self.assertEqual(first.returncode, 0, first.stderr)
        noted = [line for line in first.stdout.splitlines() if line.startswith("head: ")][0][6:]
        shutil.copytree(self.vault.data, self.vault.folder / "copy")
        self.vault.start()
        self.vault.unseal()
        self.revoke_victim()
        self.vault.stop()
        log = f"-log={self.vault.audit}"
        good = self.head(f"-head={noted}", log)
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        later = [line for line in good.stdout.splitlines() if line.startswith("head: ")][0][6:]

        self.put_back()
        self.assertEqual(self.head(f"-head={noted}").returncode, 0)
        by_head = self.head(f"-head={later}")
        self.assertEqual(by_head.returncode, 2, by_head.stdout)
        self.assertIn("older copy", by_head.stdout)
        by_log = self.head(log)
        self.assertEqual(by_log.returncode, 2, by_log.stdout)
        self.assertIn("older copy", by_log.stdout)
        self.assertEqual(self.head("-head=nonsense").returncode, 1)


class Backup(unittest.TestCase):
    def setUp(self):
        self.vault = Vault()
        self.addCleanup(lambda: self.vault.__exit__(None, None, None))
        self.vault.start()
        self.vault.init_and_unseal()
        self.vault.write("sys/mounts/secret", {"type": "kv"})
        for i in range(20):
            self.vault.write(f"secret/{i}", {"k": "v" * 200_000})
        self.file = self.vault.folder / "vault.backup"

    def test_a_backup_is_verified_restored_and_opened_as_restored(self):
        made = self.vault.cli("operator", "backup", str(self.file))
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertGreater(self.file.stat().st_size, 4_000_000)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        again = self.vault.cli("operator", "backup", str(self.file))
        self.assertEqual(again.returncode, 1)  # never written over
        self.assertIn("exists", again.stderr)
        verified = self.vault.cli("operator", "backup", "verify", str(self.file))
        self.assertEqual(verified.returncode, 0, verified.stderr)

        other = Vault()
        self.addCleanup(lambda: other.__exit__(None, None, None))
        restore = ["operator", "backup", "restore", str(self.file), f"-config={other.config}"]
        done = other.cli(*restore)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("operator generate-root -init", done.stdout)  # no token is left
        refused = other.cli(*restore)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("not empty", refused.stderr)
        other.start()
        other.keys = self.vault.keys
        other.unseal()
        self.assertEqual(
            other.call("GET", "secret/1", token=self.vault.token).status, 403
        )  # tokens are revoked
        self.assertIn("store-restored", other.audit.read_text())
        other.stop()
        whole = other.cli(
            "operator", "verify", f"-config={other.config}", input=self.vault.keys[0] + "\n"
        )
        self.assertEqual(whole.returncode, 0, whole.stdout + whole.stderr)

    @unittest.skipIf(
        any(k.endswith("SAN_OPTIONS") for k in os.environ), "a sanitizer goes before what is preloaded"
    )
    def test_what_is_written_is_on_the_disk_under_its_name(self):
        flushed = self.vault.folder / "flushed"
        seen = {
            "LD_PRELOAD": str(BIN / "tests" / "libshim_fsync.so"),
            "SEEN_FSYNCS": str(flushed),
        }

        def check(file):
            """The folder was flushed when the file had its name."""
            lines = [line.split() for line in flushed.read_text().splitlines()]
            self.assertTrue(
                any(line[0] == str(file.parent) and file.name in line[1:] for line in lines), lines
            )
            flushed.unlink()

        done = self.vault.cli("operator", "backup", str(self.file), environment=seen)
        self.assertEqual(done.returncode, 0, done.stderr)
        check(self.file)
        other = Vault()
        self.addCleanup(lambda: other.__exit__(None, None, None))
        other.data.rmdir()
        restore = ["operator", "backup", "restore", str(self.file), f"-config={other.config}"]
        self.assertEqual(other.cli(*restore, environment=seen).returncode, 0)
        copy = flushed.read_text()
        check(other.data)  # in the folder that it was made in
        flushed.write_text(copy)
        check(other.data / "data.mdb")
        other.environment = seen
        other.keys = self.vault.keys
        other.start().unseal()
        check(other.audit)
        policy = self.vault.folder / "policy.hcl"
        policy.write_text('path "a" {capabilities=["read"]}')
        formatted = self.vault.cli("policy", "fmt", str(policy), environment=seen)
        self.assertEqual(formatted.returncode, 0, formatted.stderr)
        self.assertIn(f"{policy}.", flushed.read_text())
        self.assertIn(f"{policy.parent} ", flushed.read_text())
        flushed.unlink()
        login = self.vault.cli("login", self.vault.token, environment=seen, token="")
        self.assertEqual(login.returncode, 0, login.stderr)
        check(self.vault.folder / "home" / ".vault-token")

    def test_what_a_killed_backup_left_is_replaced_and_what_is_not_its_own_stays(self):
        part = pathlib.Path(f"{self.file}.part")
        for left in (b"leasehold backup and half a frame", b""):
            part.write_bytes(left)
            made = self.vault.cli("operator", "backup", str(self.file))
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertFalse(part.exists())
            self.file.unlink()
        part.write_bytes(b"leasehold notes")
        refused = self.vault.cli("operator", "backup", str(self.file))
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(f"rm {part}", refused.stderr)
        self.assertEqual(part.read_bytes(), b"leasehold notes")
        part.write_bytes(b"leasehold backup")
        with open(part, "rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            refused = self.vault.cli("operator", "backup", str(self.file))
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("another backup", refused.stderr)
            self.assertTrue(part.exists())
        self.assertFalse(self.file.exists())

    def test_a_signal_takes_an_unfinished_backup_along(self):
        part = pathlib.Path(f"{self.file}.part")
        hang, gone = threading.Event(), threading.Event()
        self.addCleanup(gone.set)

        def piece(number):
            if number > 1:
                hang.set()
                gone.wait(PATIENCE)
            return b"leasehold backup" + frame(90)

        with BackupServer(piece) as server:
            for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                hang.clear()
                run = subprocess.Popen(
                    [BIN / "leasehold", "operator", "backup", str(self.file)],
                    env={**os.environ, "VAULT_ADDR": server.address, "VAULT_TOKEN": "t"},
                )
                self.assertTrue(hang.wait(PATIENCE))
                self.assertTrue(part.exists())
                run.send_signal(which)
                self.assertEqual(run.wait(PATIENCE), -which)
                self.assertFalse(part.exists())
            gone.set()

    def test_a_restore_that_may_not_write_so_much_says_so(self):
        self.assertEqual(self.vault.cli("operator", "backup", str(self.file)).returncode, 0)
        other = Vault()
        self.addCleanup(lambda: other.__exit__(None, None, None))
        run = subprocess.run(
            [BIN / "leaseholdd", "restore-backup", str(self.file), f"-config={other.config}"],
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20)),
        )
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertRegex(run.stderr, "may grow no more|failed or is full")

    def test_a_damaged_backup_is_neither_verified_nor_restored(self):
        self.assertEqual(self.vault.cli("operator", "backup", str(self.file)).returncode, 0)
        good = self.file.read_bytes()
        other = Vault()
        self.addCleanup(lambda: other.__exit__(None, None, None))
        for bad in (good[:-1], good[:2_000_000], good[:3_000_000] + b"x" + good[3_000_001:]):
            self.file.write_bytes(bad)
            verified = self.vault.cli("operator", "backup", "verify", str(self.file))
            self.assertEqual(verified.returncode, 1)
            self.assertIn("damaged", verified.stderr)
            restored = other.cli(
                "operator", "backup", "restore", str(self.file), f"-config={other.config}"
            )
            self.assertEqual(restored.returncode, 1)
        self.file.write_bytes(good)
        restored = other.cli(
            "operator", "backup", "restore", str(self.file), f"-config={other.config}"
        )
        self.assertEqual(restored.returncode, 0, restored.stderr)  # nothing had been written

    def test_the_policy_that_its_help_names_is_enough(self):
        vault = self.vault
        said = vault.cli("operator", "backup", "-h").stdout
        policy, create = re.search(r"echo '(.*)' \|.*\n *\$ leasehold (token create .*?)  ", said).groups()
        written = vault.cli("policy", "write", "backup", "-", input=policy)
        self.assertEqual(written.returncode, 0, written.stderr)
        token = vault.cli(*create.split(), "-field=token").stdout.strip()
        made = vault.cli("operator", "backup", str(self.file), token=token)
        self.assertEqual(made.returncode, 0, made.stderr)
        begun = vault.write("sys/storage/backup", token=token).data
        vault.must("DELETE", f"sys/storage/backup/{begun['id']}", token=token)

    def test_it_needs_sudo_and_is_made_while_the_vault_writes(self):
        weak = self.vault.new_token(policy='path "sys/storage/*" { capabilities = ["read", "update"] }')
        self.assertEqual(self.vault.call("POST", "sys/storage/backup", token=weak).status, 403)
        begun = self.vault.write("sys/storage/backup").data
        second = self.vault.call("POST", "sys/storage/backup")
        self.assertEqual(second.status, 400)
        path = f"sys/storage/backup/{begun['id']}?piece="
        first = self.vault.must("GET", path + "1")
        self.vault.write("secret/new", {"k": "later"})
        self.assertEqual(self.vault.must("GET", path + "1").body, first.body)
        self.assertEqual(self.vault.call("GET", path + "3").status, 400)
        self.vault.must("GET", path + "2")
        self.vault.must("DELETE", f"sys/storage/backup/{begun['id']}")
        self.assertEqual(self.vault.call("GET", path + "3").status, 404)


if __name__ == "__main__":
    unittest.main(verbosity=2)
