"""What a service manager hears of a server that it started: the datagrams of Type=notify and its watchdog."""

import os
import signal
import socket
import unittest

from vaultproc import PATIENCE, Folder, Vault


class Service(unittest.TestCase):
    def setUp(self):
        folder = Folder()
        self.addCleanup(folder.remove)
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.ear.close)
        place = folder.path / "notify"
        self.ear.bind(str(place))
        self.ear.settimeout(PATIENCE)
        self.environment = {"NOTIFY_SOCKET": str(place), "WATCHDOG_USEC": "500000"}

    def hear(self):
        """The next word that is not the watchdog's, and how often the watchdog was told before it."""
        alive = 0
        while (said := self.ear.recv(200).decode()) == "WATCHDOG=1":
            alive += 1
        return said, alive

    def test_a_start_a_reload_and_the_end_are_told_and_the_watchdog_is_kept_quiet(self):
        with Vault(environment=self.environment) as vault:
            self.assertEqual(self.hear(), ("READY=1", 0))
            self.assertEqual(vault.call("GET", "sys/seal-status").status, 200)
            for _ in range(3):
                self.assertEqual(self.ear.recv(200), b"WATCHDOG=1")
            os.kill(vault.process.pid, signal.SIGHUP)
            self.assertEqual(self.hear()[0], "RELOADING=1")
            self.assertEqual(self.hear(), ("READY=1", 0))
            self.assertEqual(self.ear.recv(200), b"WATCHDOG=1")
            os.kill(vault.process.pid, signal.SIGTERM)
            self.assertEqual(self.hear()[0], "STOPPING=1")

    def test_what_only_looks_at_a_configuration_says_nothing(self):
        vault = Vault(environment=self.environment)
        self.addCleanup(vault.owned.remove)
        vault.start(wait=False, arguments=["-test-server-config"])
        self.assertEqual(vault.process.wait(PATIENCE), 0)
        self.ear.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.ear.recv(200)


if __name__ == "__main__":
    unittest.main()
