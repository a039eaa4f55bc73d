"""The header with the version and date of a build: the same source gives the same bytes."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]


def write(header, source=ROOT, **environment):
    clean = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    subprocess.run(
        ["cmake", "-D", "VERSION=1.2.3", "-D", f"SOURCE={source}", "-D", f"HEADER={header}",
         "-P", str(ROOT / "cmake/build_info.cmake")],
        check=True, capture_output=True, env=clean | environment)
    return header.read_text()


class BuildInfo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.header = self.folder / "build_info.h"

    def test_the_date_is_the_one_that_is_given(self):
        text = write(self.header, SOURCE_DATE_EPOCH="86400")
        self.assertIn('LEASEHOLD_VERSION "1.2.3"', text)
        self.assertIn('LEASEHOLD_BUILD_DATE "1970-01-02T00:00:00Z"', text)

    def test_a_header_that_is_right_is_not_written_again(self):
        write(self.header, SOURCE_DATE_EPOCH="86400")
        os.utime(self.header, (1, 1))
        write(self.header, SOURCE_DATE_EPOCH="86400")
        self.assertEqual(self.header.stat().st_mtime, 1)

    def test_a_source_without_its_history_says_so(self):
        text = write(self.header, source=self.folder)
        self.assertIn('LEASEHOLD_REVISION "unreleased"', text)
        self.assertIn('LEASEHOLD_BUILD_DATE ""', text)

    def test_the_commit_gives_revision_and_date(self):
        git = ["git", "-C", str(self.folder), "-c", "user.name=t", "-c", "user.email=t@t"]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True,
                       env=os.environ | {"GIT_COMMITTER_DATE": "@172800 +0000"})
        text = write(self.header, source=self.folder)
        self.assertIn('LEASEHOLD_BUILD_DATE "1970-01-03T00:00:00Z"', text)
        self.assertRegex(text, 'LEASEHOLD_REVISION "[0-9a-f]{12}"')


if __name__ == "__main__":
    unittest.main()
