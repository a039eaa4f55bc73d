"""A PostgreSQL that is reached through pgbouncer: what works there, and what is refused with a way out."""

import contextlib
import threading
import unittest

from vaultproc import Pooler, Postgres, Vault, wait_until


class BehindPooler(unittest.TestCase):
    def setUp(self):
        self.postgres = Postgres()
        self.enterContext(self.postgres)
        self.vault = Vault()
        self.enterContext(self.vault)
        self.vault.init_and_unseal()

    def open(self, **options):
        self.pooler = self.enterContext(Pooler(self.postgres, **options))
        self.direct, self.postgres.url = self.postgres.url, Postgres.url_at(self.pooler.port)

    def issue(self):
        return self.vault.must("GET", "database/creds/app")

    def revoke(self, issued):
        return self.vault.call("POST", "sys/leases/revoke", {"lease_id": issued.json["lease_id"]})

    def renew(self, issued):
        return self.vault.call("POST", "sys/leases/renew", {"lease_id": issued.json["lease_id"]})

    def rotate(self):
        return self.vault.call("POST", "database/rotate-root/pg")

    def test_sessions_of_its_own_and_the_servers_passwords(self):
        self.open()
        self.postgres.configure(self.vault)
        issued = self.issue()
        self.assertTrue(self.postgres.logs_in(issued.data["username"], issued.data["password"]))
        self.assertEqual(self.renew(issued).status, 200)
        known = self.vault.call("POST", "sys/leases/reconcile/database", {})
        self.assertEqual(known.data["targets"][0]["in_both"], 1)
        self.assertEqual(self.rotate().status, 204)
        self.assertFalse(self.postgres.logs_in(Postgres.MANAGER, Postgres.PASSWORD))
        self.assertEqual(self.revoke(issued).status, 204)
        self.assertEqual(self.postgres.accounts(), set())

    def test_what_ends_sessions_answers_no_request_with_an_error(self):
        self.open()
        self.postgres.configure(self.vault)
        issued = self.issue()

        def again():
            self.pooler.kill()
            self.pooler.start()

        def end_all():
            self.postgres.sql(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'vault_manager'"
            )

        for broken in (again, end_all, lambda: self.pooler.order("reconnect app")):
            broken()
            self.assertEqual(self.renew(issued).status, 200)
            broken()
            self.assertEqual(self.revoke(issued).status, 204)
            broken()
            issued = self.issue()

    def test_a_rotation_that_was_cut_off_goes_on(self):
        self.open()
        self.postgres.configure(self.vault)
        slow = "ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'; COMMIT; SELECT pg_sleep(4)"
        self.vault.write("database/config/pg", {"root_rotation_statements": [slow]})

        def rotate():
            with contextlib.suppress(OSError):
                self.rotate()

        request = threading.Thread(target=rotate)
        request.start()
        manager = (Postgres.MANAGER, Postgres.PASSWORD)
        wait_until("the server has the new one", lambda: not self.postgres.logs_in(*manager))
        self.vault.kill()
        request.join()
        self.vault.start()
        self.vault.unseal()
        wait_until("it is settled", lambda: "root-rotation-settled" in self.vault.audit.read_text())
        self.assertEqual(self.revoke(self.issue()).status, 204)

    def test_shared_sessions_are_refused(self):
        self.open(mode="transaction")
        with self.assertRaises(AssertionError) as refused:
            self.postgres.configure(self.vault)
        self.assertIn("pool_mode=session", str(refused.exception))
        self.assertIn(": 400 ", str(refused.exception))

    def test_passwords_that_the_pooler_keeps_itself(self):
        self.open(asks=False)
        with self.assertRaises(AssertionError) as refused:
            self.postgres.configure(self.vault)
        self.assertIn("verify_roles=false", str(refused.exception))
        self.vault.write("database/config/pg", {"verify_roles": False})
        self.vault.write(
            "database/roles/app",
            {
                "db_name": "pg",
                "creation_statements": "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'",
            },
        )
        issued = self.issue()
        rotated = self.rotate()
        self.assertEqual(rotated.status, 400, rotated)
        self.assertIn("auth_query", rotated.errors[0])
        self.assertTrue(self.postgres.logs_in(Postgres.MANAGER, Postgres.PASSWORD))
        self.pooler.kill()
        self.pooler.start()
        self.assertEqual(self.revoke(issued).status, 204)

    def test_another_database_that_the_pooler_does_not_pass_on(self):
        self.open()
        self.postgres.configure(self.vault)
        self.postgres.sql("create database other")
        issued = self.issue()
        user = issued.data["username"]
        self.postgres.sql(
            f'create table things(); grant select on things to "{user}"', database="other"
        )
        self.vault.write(
            "sys/leases/revoke", {"lease_id": issued.json["lease_id"], "sync": False}
        )

        def told():
            leases = self.vault.call("GET", "sys/leases?type=irrevocable").data["leases"]
            return "[databases]" in str(leases)

        wait_until("it is said what the pooler needs", told)
        self.assertNotIn(user, self.postgres.sql("select usename from pg_stat_activity"))


if __name__ == "__main__":
    unittest.main()
