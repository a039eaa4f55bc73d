"""A full disk: writes are refused with 507, what must end still ends, and room makes it well again.

The disk is a small tmpfs in a mount namespace of its own (`unshare`): as root, in a user namespace, or by sudo.
"""

import os
import pathlib
import subprocess
import sys
import unittest

from vaultproc import Folder, Vault, find, random_text, wait_until

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
            wait_until(
                "writes work again",
                lambda: vault.call("POST", "secret/again", {"k": "v"}).status == 204,
            )
            vault.restart().unseal()
            self.assertEqual(vault.read("secret/kept"), {"k": "v"})
            for token in tokens:
                self.assertEqual(
                    vault.call("GET", "auth/token/lookup-self", token=token).status, 403
                )
            self.assertEqual(vault.cli("audit", "verify", str(vault.audit)).returncode, 0)


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
