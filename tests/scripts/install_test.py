"""`cmake --install`: the programs, a unit that runs them where they are, a configuration to begin from."""

import os
import pathlib
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ.get("LEASEHOLD_BIN", "build/release"))


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.prefix = pathlib.Path(folder.name)
        subprocess.run(
            ["cmake", "--install", BIN, "--prefix", cls.prefix], check=True, capture_output=True)
        cls.unit = cls.prefix / "lib/systemd/system/leasehold.service"

    def test_the_programs_run_from_where_they_are_installed(self):
        for program in ("leasehold", "leaseholdd"):
            run = subprocess.run(
                [self.prefix / "bin" / program, "version"], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)

    def test_the_unit_runs_the_program_that_was_installed(self):
        start = f"\nExecStart={self.prefix}/bin/leaseholdd -config=/etc/leasehold/leasehold.hcl\n"
        self.assertIn(start, self.unit.read_text())

    def test_the_unit_pleases_systemd(self):
        run = subprocess.run(
            ["systemd-analyze", "verify", self.unit], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))

    def test_the_sample_configuration_comes_along(self):
        self.assertIn('storage "lmdb"', (self.prefix / "share/leasehold/sample.hcl").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=1)
