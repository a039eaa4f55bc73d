"""-test-server-config: what it says of a configuration, and that it leaves nothing in the service's way."""

import os
import pwd
import subprocess
import unittest

from vaultproc import BIN, Folder, free_port, mortal, wait_until

NOBODY = pwd.getpwnam("nobody")


class ServerConfig(unittest.TestCase):
    def setUp(self):
        folder = Folder()
        self.addCleanup(folder.remove)
        self.folder = folder.path
        self.folder.chmod(0o755)
        self.data, self.logs = self.folder / "data", self.folder / "logs"
        for path in (self.data, self.logs):
            path.mkdir(mode=0o700)
        self.log = self.logs / "server.log"
        self.config = self.folder / "c.hcl"

    def write(self, storage="", address=None, more=""):
        self.config.write_text(
            f'storage "lmdb" {{\n  path = "{self.data}"\n  {storage}\n}}\n'
            f'listener "tcp" {{\n  address = "{address or f"127.0.0.1:{free_port()}"}"\n'
            "  tls_disable = true\n}\n"
            f'audit "file" "main" {{\n  options {{ file_path = "{self.logs}/audit.log" }}\n}}\n'
            f'disable_mlock = true\nallow_core_dumps = true\n{more}\n'
        )
        self.config.chmod(0o644)

    def run_server(self, *arguments, **options):
        return subprocess.run(
            [BIN / "leaseholdd", *arguments, f"-config={self.config}"],
            capture_output=True,
            text=True,
            timeout=60,
            **options,
        )

    def give_to_nobody(self):
        for path in (self.data, self.logs):
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)

    def as_nobody(self):
        return {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}

    def test_what_has_no_effect_is_told_on_the_screen_also_with_a_log_file(self):
        self.write(more=f'log_file = "{self.log}"\nui = true')
        run = self.run_server("-test-server-config")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("ui", run.stderr)
        self.assertFalse(self.log.exists())

    @unittest.skipUnless(os.geteuid() == 0, "only root can stand in for another user")
    def test_what_root_asks_for_leaves_no_log_that_the_service_cannot_open(self):
        self.give_to_nobody()
        asked = (
            ("-test-server-config",),
            (),
            ("verify",),
            ("restore-backup", "no-file"),
            ("-test-server-config", f"-log-file={self.log}"),
            (f"-log-file={self.log}",),
        )
        for storage in ("", 'pth = "x"'):
            for arguments in asked:
                flag = any("log-file" in one for one in arguments)
                with self.subTest(storage=storage, arguments=arguments):
                    self.write(storage, more="" if flag else f'log_file = "{self.log}"')
                    run = self.run_server(*arguments)
                    is_good = "-test-server-config" in arguments and not storage
                    self.assertEqual(run.returncode, 0 if is_good else 1, run.stderr)
                    self.assertFalse(self.log.exists())
        self.write(more=f'log_file = "{self.log}"')
        server = mortal(
            [BIN / "leaseholdd", f"-config={self.config}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **self.as_nobody(),
        )
        self.addCleanup(server.stderr.close)
        try:
            wait_until("the service logs", lambda: self.log.exists() or server.poll() is not None)
            self.assertIsNone(server.poll())
            self.assertEqual(self.log.stat().st_uid, NOBODY.pw_uid)
        finally:
            server.terminate()
            server.wait()

    @unittest.skipUnless(os.geteuid() == 0, "only root can stand in for another user")
    def test_a_log_file_that_the_service_cannot_open_is_told_with_the_reason_and_the_user(self):
        self.give_to_nobody()
        self.log.touch(0o600)
        self.write(more=f'log_file = "{self.log}"')
        run = self.run_server("-test-server-config")
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn(f"the log_file {self.log} cannot be written: Permission denied", run.stderr)
        run = self.run_server(**self.as_nobody())
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn(
            f"log_file {self.log} cannot be opened by the user nobody: Permission denied", run.stderr
        )
        self.write(more='log_file = "/nowhere/server.log"')
        run = self.run_server(**self.as_nobody())
        self.assertIn("cannot be opened by the user nobody: No such file or directory", run.stderr)

    def test_plain_http_beyond_this_machine_is_warned_of_before_the_start(self):
        plain = "speaks plain HTTP beyond this machine"
        for address, warned in (("0.0.0.0:8200", True), (":8200", True), ("127.0.0.1:8200", False)):
            with self.subTest(address):
                self.write(address=address)
                run = self.run_server("-test-server-config")
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(f"listener {address} {plain}" in run.stderr, warned, run.stderr)
        self.write(address="127.0.0.1")
        run = self.run_server("-test-server-config")
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn('c.hcl:5:1: listener address "127.0.0.1" has no port', run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
