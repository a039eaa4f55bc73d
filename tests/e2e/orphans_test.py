"""No credential outlives its lease and none is ever orphaned, whoever is killed when.

Each round issues and revokes from several threads, kills the vault or PostgreSQL at a random moment, starts
it again, and waits until what exists in PostgreSQL is what the vault holds leases for. LEASEHOLD_KILL_ROUNDS
sets how many (30); LEASEHOLD_SEED repeats a run's choices.
"""

import http.client
import os
import random
import subprocess
import threading
import time
import unittest

from vaultproc import BIN, Postgres, Vault, find, in_threads, wait_until

ROUNDS = int(os.environ.get("LEASEHOLD_KILL_ROUNDS", "30"))
SEED = int(os.environ.get("LEASEHOLD_SEED", str(random.SystemRandom().getrandbits(32))))
GONE = (OSError, http.client.HTTPException)


class Orphans(unittest.TestCase):
    def setUp(self):
        self.postgres = Postgres()
        self.enterContext(self.postgres)
        self.vault = Vault()
        self.enterContext(self.vault)
        self.vault.init_and_unseal()
        self.issued = {}  # lease id -> account, of every answer that reached us
        self.postgres.configure(self.vault, ttl="1h")
        self.vault.write(
            "database/roles/short",
            {
                "db_name": "pg",
                "default_ttl": "2s",
                "max_ttl": "1h",
                "creation_statements": [
                    'CREATE ROLE "{{name}}" LOGIN PASSWORD \'{{password}}\'; GRANT app_ro TO "{{name}}"'
                ],
            },
        )

    def leases(self, role) -> list:
        return [
            f"database/creds/{role}/{key}"
            for key in self.vault.list(f"sys/leases/lookup/database/creds/{role}")
        ]

    def settled(self) -> bool:
        """Every account is on a lease and every lease has its account: by the vault's own comparison
        for all of them, and by our own book for those whose answers reached us."""
        leases, accounts = {*self.leases("app"), *self.leases("short")}, self.postgres.accounts()
        compared = self.vault.call("POST", "sys/leases/reconcile/database")
        if compared.status != 200:
            return False
        targets = compared.data["targets"]
        alike = [t for t in targets if t.get("only_at_target") == [] == t.get("only_in_leases")]
        return (
            alike == targets
            and sum(t["in_both"] for t in targets) == len(accounts) == len(leases)
            and {account for lease, account in self.issued.items() if lease in leases}
            == accounts & set(self.issued.values())
        )

    def test_no_account_is_orphaned_by_kills(self):
        print(f"seed {SEED}, {ROUNDS} rounds", flush=True)
        choose = random.Random(SEED)
        for number in range(ROUNDS):
            with self.subTest(round=number):
                self.one_round(choose)
        # One answer waits 15 s at most; what is asked again waits for what is under way.
        wait_until(
            "all is revoked",
            lambda: self.vault.call("POST", "sys/leases/revoke-prefix/database/creds").status == 204,
            90,
            0.2,
        )
        self.assertEqual(self.postgres.accounts(), set())

    def one_round(self, choose):
        stop = threading.Event()
        promised, revoked = [], []

        def work(index):
            chance = random.Random(SEED + index)
            while not stop.is_set():
                try:
                    answer = self.vault.call(
                        "GET", f"database/creds/{chance.choice(['app', 'short'])}", timeout=20
                    )
                    if answer.status != 200:
                        continue
                    lease = answer.json["lease_id"]
                    self.issued[lease] = answer.data["username"]
                    if chance.random() < 0.6:
                        if (
                            self.vault.call(
                                "POST", "sys/leases/revoke", {"lease_id": lease}, timeout=20
                            ).status
                            == 204
                        ):
                            revoked.append(answer.data["username"])
                    elif "/app/" in lease:
                        promised.append((lease, answer.data))
                except GONE:
                    pass

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(choose.uniform(0.05, 0.6))  # the moment of the kill is the point of the test
        victim = choose.choice(["vault", "vault", "postgres", "both"])
        if victim != "vault":
            self.postgres.kill()
        if victim != "postgres":
            self.vault.kill()
        stop.set()
        for thread in threads:
            thread.join()
        if victim != "vault":
            self.postgres.start()
        if victim != "postgres":
            self.vault.start().unseal()
        wait_until(f"accounts and leases agree after killing {victim}", self.settled, 60, 0.2)
        accounts = self.postgres.accounts()
        self.assertFalse(set(revoked) & accounts, "revoked and still there")
        for lease, data in promised[:3]:
            self.assertIn(data["username"], accounts, "promised and lost")
            self.assertEqual(
                self.vault.must("POST", "sys/leases/lookup", {"lease_id": lease}).data["id"], lease
            )

    def test_at_expiry_the_session_dies_the_password_fails_and_the_role_is_gone(self):
        credential = self.vault.must("GET", "database/creds/short").data
        user, password = credential["username"], credential["password"]
        session = subprocess.Popen(
            [
                find("psql", str(self.postgres.bin)),
                "-XAtq",
                "-h",
                "127.0.0.1",
                "-p",
                str(self.postgres.port),
                "-U",
                user,
                "-d",
                "app",
                "-c",
                "select text from notes",
                "-c",
                "select pg_sleep(60)",
            ],
            env={**os.environ, "PGPASSWORD": password},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started = time.monotonic()
        self.assertEqual(session.stdout.readline(), "hello\n")
        self.assertNotEqual(session.wait(20), 0)
        self.assertLess(time.monotonic() - started, 2 + 5, "the session lived on behind its lease")
        session.stdout.close()
        session.stderr.close()
        self.assertFalse(self.postgres.logs_in(user, password))
        wait_until("the role is gone", lambda: user not in self.postgres.accounts(), 5)

    def test_leases_that_fell_due_while_it_was_down_end_at_the_next_start(self):
        users = {self.vault.read("database/creds/short")["username"] for _ in range(5)}
        self.vault.kill()
        time.sleep(2.1)  # they fall due with nobody there
        self.assertEqual(users - self.postgres.accounts(), set())
        self.vault.start().unseal()
        wait_until("all are gone", lambda: not users & self.postgres.accounts(), 10)

    def test_while_the_database_is_away_nothing_is_forgotten(self):
        users = {self.vault.read("database/creds/short")["username"] for _ in range(5)}
        self.postgres.kill()
        started = time.monotonic()
        self.assertGreaterEqual(self.vault.call("GET", "database/creds/short").status, 500)
        self.assertLess(time.monotonic() - started, 15, "a dead target is refused in bounded time")
        time.sleep(2.5)
        self.vault.must("GET", "sys/health")
        self.postgres.start()
        wait_until("all are gone", lambda: not users & self.postgres.accounts(), 90)

    def test_many_at_once_are_all_ended_in_time(self):
        users = in_threads(
            8, lambda _: [self.vault.read("database/creds/short")["username"] for _ in range(6)]
        )
        users = {user for some in users for user in some}
        self.assertEqual(len(users), 48)
        wait_until("all are gone", lambda: not users & self.postgres.accounts(), 15)


if __name__ == "__main__":
    assert (BIN / "leaseholdd").exists(), f"{BIN}/leaseholdd is not built"
    unittest.main(verbosity=1)
