"""A full disk: writes are refused with 507, what must end still ends, and room makes it well again.

The disk is a small tmpfs in a mount namespace of its own (`unshare`): as root, in a user namespace, or by sudo.
"""

import os
import pathlib
import subprocess
import sys
import unittest

from vaultproc import BIN, BackupServer, Folder, Vault, find, frame, random_text, wait_until

INSIDE = "LEASEHOLD_SMALL_DISK"
DISK = 160 << 20  # the vault keeps 64 MiB of it in reserve


class DiskFull(unittest.TestCase):
    def setUp(self):
        self.disk = pathlib.Path(os.environ[INSIDE])
        self.filler = self.disk / "filler"

    def fill(self, leave=0):
        """Takes what is free, but for some bytes."""
        with open(self.filler, "ab") as file:
            free = os.statvfs(self.disk).f_bavail * os.statvfs(self.disk).f_frsize - leave
            os.posix_fallocate(file.fileno(), file.seek(0, 2), max(free, 1))

    def test_user_writes_stop_and_revocation_goes_on(self):
        vault = Vault()
        vault.data.rmdir()
        vault.data = self.disk / "data"
        vault.data.mkdir(mode=0o700)
        vault.config.write_text(
            vault.config.read_text().replace(f'"{vault.folder / "data"}"', f'"{vault.data}"')
        )
        with vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            vault.write("secret/kept", {"k": "v"})
            tokens = [vault.new_token(ttl="1h") for _ in range(20)]
            self.fill()

            def refused():
                return (
                    vault.call("POST", f"secret/{random_text()}", {"k": "v" * 20000}).status == 507
                )

            wait_until("writes are refused with 507", refused)
            self.assertIs(vault.call("GET", "sys/health").json["leasehold_storage_works"], False)
            self.assertIn("WARNING! storage is full", vault.cli("status").stderr)
            self.fill(leave=8 << 20)  # what the reserve gave up
            vault.restart().unseal()
            self.assertIn("no room for the 64 MiB reserve", vault.log.read_text())
            self.assertIs(vault.call("GET", "sys/health").json["leasehold_storage_works"], False)
            self.assertEqual(vault.read("secret/kept"), {"k": "v"})
            for token in tokens:
                answer = vault.call("POST", "auth/token/revoke", {"token": token})
                self.assertEqual(answer.status, 204, answer)
                self.assertEqual(
                    vault.call("GET", "auth/token/lookup-self", token=token).status, 403
                )
            self.assertEqual(
                vault.call("POST", "secret/again", {"k": "v"}).status,
                507,
                "until there is room again",
            )
            self.filler.unlink()
            wait_until(  # whether anybody writes or not
                "it is well again",
                lambda: "leasehold_storage_works" not in vault.call("GET", "sys/health").json,
            )
            self.assertEqual(vault.call("POST", "secret/again", {"k": "v"}).status, 204)
            self.assertNotIn("WARNING", vault.cli("status").stderr)
            vault.restart().unseal()
            self.assertEqual(vault.read("secret/kept"), {"k": "v"})
            for token in tokens:
                self.assertEqual(
                    vault.call("GET", "auth/token/lookup-self", token=token).status, 403
                )
            self.assertEqual(vault.cli("audit", "verify", str(vault.audit)).returncode, 0)

    def test_no_room_for_the_reserve_or_the_audit_log_is_found_before_the_start(self):
        self.addCleanup(self.filler.unlink, missing_ok=True)
        vault = Vault()
        self.addCleanup(lambda: vault.__exit__(None, None, None))
        good = vault.config.read_text()

        def check(text):
            vault.config.write_text(text)
            return subprocess.run(
                [BIN / "leaseholdd", "-test-server-config", f"-config={vault.config}"],
                capture_output=True,
                text=True,
            )

        data = good.replace(f'"{vault.data}"', f'"{self.disk}/new"')
        log = good.replace(f'"{vault.audit}"', f'"{self.disk}/new.log"')
        for leave, is_enough in ((80 << 20, True), (40 << 20, False)):
            self.fill(leave)
            run = check(data)
            self.assertEqual(run.returncode == 0, is_enough, run.stderr)
        self.assertIn("no room for the 64 MiB reserve", run.stderr)
        self.assertEqual(check(log).returncode, 0)
        self.fill(leave=500_000)
        run = check(log)
        self.assertEqual(run.returncode, 1)
        self.assertIn("has no room yet: its disk must have 1 MiB free", run.stderr)

    def test_a_full_audit_disk_stops_changes_and_nothing_else(self):
        vault = Vault()
        own, vault.audit = vault.audit, self.disk / "audit.log"
        self.addCleanup(self.filler.unlink, missing_ok=True)
        vault.config.write_text(vault.config.read_text().replace(f'"{own}"', f'"{vault.audit}"'))
        with vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            ended = vault.new_token(ttl="1h")
            vault.new_token(ttl="2s")
            self.fill()
            # 1 MiB was kept behind the log's end.
            statuses = (vault.call("GET", "secret/a").status for _ in range(5000))
            self.assertTrue(any(status == 500 for status in statuses), "reads are refused")
            stored = (vault.data / "data.mdb").stat().st_size
            for _ in range(300):
                answer = vault.call("POST", f"secret/{random_text()}", {"k": "v" * 2000})
                self.assertEqual((answer.status, answer.headers["Retry-After"]), (500, "1"), answer)
            self.assertEqual((vault.data / "data.mdb").stat().st_size, stored)
            answer = vault.call("POST", "auth/token/revoke", {"token": ended})
            self.assertEqual(answer.status, 204, answer)

            vault.restart().unseal()
            warnings = vault.call("GET", "sys/seal-status").json["warnings"]
            self.assertIn("no audit device can record", str(warnings))
            self.assertEqual(vault.call("POST", "secret/a", {"k": "v"}).status, 500)
            self.filler.unlink()
            wait_until(
                "writes work again",
                lambda: vault.call("POST", "secret/a", {"k": "v"}).status == 204,
            )
            wait_until("what waited is there", lambda: "token-expired" in vault.audit.read_text())
            self.assertEqual(vault.list("secret"), ["a"])
            vault.stop()
            self.assertIn("auth/token/revoke", vault.audit.read_text())
            self.assertEqual(vault.cli("audit", "verify", str(vault.audit)).returncode, 0)
            vault.start().unseal()

    def test_a_backup_leaves_room_for_others(self):
        free = []

        def piece(number):
            disk = os.statvfs(self.disk)
            free.append(disk.f_bavail * disk.f_frsize)
            return (b"leasehold backup" if number == 1 else b"") + frame(4 << 20)

        with BackupServer(piece) as server:
            run = subprocess.run(
                [BIN / "leasehold", "operator", "backup", str(self.disk / "backup")],
                env={**os.environ, "VAULT_ADDR": server.address, "VAULT_TOKEN": "t"},
                capture_output=True,
                text=True,
            )
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("leaves 8 MiB of its disk free", run.stderr)
        self.assertGreaterEqual(min(free), DISK // 20)
        self.assertEqual([file for file in os.listdir(self.disk) if "backup" in file], [])


def enter_a_small_disk():
    """Runs this file again where a small tmpfs is mounted."""
    folder = Folder()
    before, as_user = [], []
    if os.getuid() != 0:
        as_user = ["--user", "--map-root-user"]
        alone = subprocess.run([find("unshare"), *as_user, "true"], capture_output=True)
        if alone.returncode != 0:  # no user namespaces here: a chroot, or a hardened kernel
            kept = [f"{k}={v}" for k, v in os.environ.items() if k.startswith("LEASEHOLD_")]
            before, as_user = [find("sudo"), "-n", "env", *kept, f"{INSIDE}={folder.path}"], []
    # Below a chroot "/" is no mount and cannot be made private: so it is unmounted in any case.
    mount = (
        "mount --make-rprivate / 2>/dev/null; "
        f"mount -t tmpfs -o size={DISK} tmpfs {folder.path} || exit 1; "
        f'"$@"; rc=$?; umount -l {folder.path}; exit $rc'
    )
    try:
        return subprocess.run(
            [
                *before,
                find("unshare"),
                "--mount",
                "--propagation=unchanged",
                *as_user,
                "sh",
                "-c",
                mount,
                "sh",
                sys.executable,
                __file__,
                *sys.argv[1:],
            ],
            env={**os.environ, INSIDE: str(folder.path)},
        ).returncode
    finally:
        folder.remove()


if __name__ == "__main__":
    if INSIDE not in os.environ:
        sys.exit(enter_a_small_disk())
    unittest.main(verbosity=1)
