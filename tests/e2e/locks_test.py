"""What one account has locked delays that account alone.

Accounts that each own a table, one reader that holds a lock on all of them: every other lease of the same
database ends in time, and when the reader is done the stuck ones end soon.
"""

import os
import subprocess
import time
import unittest

from vaultproc import Postgres, Vault, find, in_threads, wait_until

STUCK = int(os.environ.get("LEASEHOLD_STUCK_ACCOUNTS", "40"))


class Locks(unittest.TestCase):
    def setUp(self):
        self.postgres = Postgres()
        self.enterContext(self.postgres)
        self.vault = Vault()
        self.enterContext(self.vault)
        self.vault.init_and_unseal()
        self.postgres.configure(self.vault, ttl="1h")
        self.postgres.sql("grant create on schema public to app_ro", database="app")

    def reader(self, tables):
        """A session that keeps a lock on every table until it is told to end."""
        locks = "".join(f"lock table {table} in access share mode;" for table in tables)
        session = subprocess.Popen(
            [
                find("psql", str(self.postgres.bin)),
                "-XAtq",
                "-h",
                str(self.postgres.folder / "pg"),
                "-p",
                str(self.postgres.port),
                "-U",
                "admin",
                "-d",
                "app",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(session.stdout.close)
        self.addCleanup(session.kill)
        session.stdin.write(f"begin; {locks} select 'locked';\n")
        session.stdin.flush()
        self.assertEqual(session.stdout.readline().strip(), "locked")
        return session

    def issue(self, role):
        return self.vault.must("GET", f"database/creds/{role}")

    def test_other_leases_of_the_database_are_not_delayed(self):
        stuck = in_threads(STUCK, lambda index: self.issue("app"))
        tables = [f"stuck_{index}" for index in range(STUCK)]
        for answer, table in zip(stuck, tables):
            run = self.postgres.psql(
                f"create table {table} (text text)",
                "app",
                answer.data["username"],
                answer.data["password"],
            )
            self.assertEqual(run.returncode, 0)
        others = in_threads(10, lambda index: self.issue("app"))
        reader = self.reader(tables)
        for answer in stuck:
            self.vault.must("POST", "sys/leases/revoke", {"lease_id": answer.json["lease_id"], "sync": False})
        names = {answer.data["username"] for answer in stuck}
        for answer in others:
            began = time.monotonic()
            self.vault.must("POST", "sys/leases/revoke", {"lease_id": answer.json["lease_id"]})
            self.assertNotIn(answer.data["username"], self.postgres.accounts())
            self.assertLess(time.monotonic() - began, 2)
        self.assertLessEqual(names, self.postgres.accounts())
        reader.stdin.write("rollback;\n\\q\n")
        reader.stdin.flush()
        reader.wait(10)
        wait_until("the stuck accounts are gone", lambda: not names & self.postgres.accounts(), 5 + STUCK / 20, 0.1)


if __name__ == "__main__":
    unittest.main()
