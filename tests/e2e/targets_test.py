"""What a database does behind the vault's back: sessions end, servers change places, roles change names."""

import time
import unittest

from vaultproc import Postgres, Vault, in_threads, wait_until


class Targets(unittest.TestCase):
    def setUp(self):
        self.first, self.second = Postgres(), Postgres()
        self.enterContext(self.first)
        self.vault = Vault()
        self.enterContext(self.vault)
        self.vault.init_and_unseal()
        self.first.configure(self.vault)

    def issue(self):
        answer = self.vault.must("GET", "database/creds/app")
        return answer.json["lease_id"], answer.data["username"], answer.data["password"]

    def revoke(self, lease):
        return self.vault.write("sys/leases/revoke", {"lease_id": lease})

    def configure(self, port, **more):
        body = {
            "connection_url": Postgres.url_at(port),
            **more,
        }
        return self.vault.call("POST", "database/config/pg", body)

    def irrevocable(self):
        return self.vault.call("GET", "sys/leases?type=irrevocable").data["leases"]

    def test_sessions_that_the_server_ends(self):
        lease, _, _ = self.issue()
        end = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'vault_manager'"
        self.first.sql(end)
        self.issue()
        self.first.sql(end)
        self.assertEqual(
            self.vault.call("POST", "sys/leases/renew", {"lease_id": lease}).status, 200
        )
        self.first.sql(end)
        self.assertEqual(
            self.vault.call("POST", "sys/leases/revoke", {"lease_id": lease}).status, 204
        )

    def test_a_config_that_leads_elsewhere(self):
        lease, user, password = self.issue()
        self.enterContext(self.second)
        self.assertEqual(self.configure(self.second.port).status, 204)
        _, new_user, new_password = self.issue()
        self.assertTrue(self.second.logs_in(new_user, new_password))
        self.assertTrue(self.first.logs_in(user, password))
        self.revoke(lease)
        self.assertFalse(self.first.logs_in(user, password))
        self.assertEqual(self.first.accounts(), set())

    def test_a_physical_copy_beside_its_original_is_another_server(self):
        lease, user, password = self.issue()
        with self.first.copy() as copy:
            moved = self.configure(copy.port)
            self.assertEqual(moved.status, 204)
            self.assertIn("taken for a copy of it", moved.warnings[0])
            new_lease, new_user, new_password = self.issue()
            self.assertTrue(copy.logs_in(new_user, new_password))
            self.assertFalse(self.first.logs_in(new_user, new_password))
            self.revoke(lease)
            self.assertFalse(self.first.logs_in(user, password))
            self.assertEqual(self.first.accounts(), set())
            self.revoke(new_lease)
            self.assertFalse(copy.logs_in(new_user, new_password))

    def test_a_copy_that_took_over_is_the_server(self):
        lease, user, password = self.issue()
        with self.first.copy() as copy:
            self.first.kill()
            self.assertEqual(self.configure(copy.port).status, 204)
            self.assertTrue(copy.logs_in(user, password))
            self.revoke(lease)
            self.assertFalse(copy.logs_in(user, password))

    def test_one_server_with_two_addresses_is_said_to_be_one(self):
        lease, user, password = self.issue()
        url = Postgres.url_at(self.first.port).replace("127.0.0.1", "localhost")
        body = {"connection_url": url, "same_server": True}
        self.assertEqual(self.vault.call("POST", "database/config/pg", body).status, 204)
        self.revoke(lease)
        self.assertFalse(self.first.logs_in(user, password))

    def test_a_role_on_a_server_with_standbys_says_what_is_not_ended(self):
        with self.first.copy("-R"):
            wait_until(
                "the standby streams",
                lambda: self.first.sql("select 1 from pg_stat_replication") != [],
            )
            lease, _, _ = self.issue()
            self.assertEqual(self.revoke(lease).status, 204)
            revoked = [line for line in self.vault.audit.read_text().splitlines() if lease in line]
            self.assertIn('"standbys":1', revoked[-1])
            config = self.vault.call("POST", "database/config/pg", {"allowed_roles": "*"})
            self.assertIn("standbys", str(config.warnings))
            role = self.vault.must("GET", "database/roles/app").data
            body = {"db_name": "pg", "creation_statements": role["creation_statements"]}
            self.vault.call("DELETE", "database/roles/app")
            written = self.vault.call("POST", "database/roles/app", body)
            self.assertIn("standbys", str(written.warnings))

    def test_a_server_that_is_down_is_told_at_once_and_stops_no_role(self):
        lease, _, _ = self.issue()
        role = self.vault.must("GET", "database/roles/app").data
        body = {"db_name": "pg", "creation_statements": role["creation_statements"]}
        self.first.kill()
        self.assertEqual(self.vault.call("GET", "database/creds/app").status, 500)
        began = time.monotonic()
        revoked = self.vault.call("POST", "sys/leases/revoke", {"lease_id": lease})
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(revoked.status, 500)
        self.assertIn("cannot be reached", revoked.errors[0])
        longer = self.vault.call("POST", "database/roles/app", {**body, "default_ttl": "2h"})
        self.assertEqual(longer.status, 204)  # was tried
        new = self.vault.call("POST", "database/roles/new", body)
        self.assertEqual(new.status, 204)
        self.assertIn("without a trial", new.warnings[0])

    def test_a_database_that_lets_its_manager_in_no_more(self):
        lease, user, password = self.issue()
        own = self.issue()[0]
        self.first.sql("alter database app connection limit 0")
        self.vault.restart()
        self.vault.unseal()
        revoked = self.vault.call("POST", "sys/leases/revoke", {"lease_id": lease})
        self.assertEqual(revoked.status, 500)
        opens = 'ALTER DATABASE "app" CONNECTION LIMIT -1'
        self.assertIn(opens, revoked.errors[0])
        self.assertNotIn(user, self.first.accounts())
        self.assertIn("CONNECTION LIMIT", self.irrevocable()[0]["error"])
        self.assertIn(opens, self.vault.call("GET", "database/creds/app").errors[0])
        config = self.vault.call("POST", "database/config/pg", {"allowed_roles": "*", "password": Postgres.PASSWORD})
        self.assertIn(opens, str(config.errors))
        self.first.sql("alter database app connection limit -1")
        wait_until("it is seen gone", lambda: not self.irrevocable())
        self.assertEqual(self.revoke(own).status, 204)
        self.assertEqual(self.first.accounts(), set())

    def test_another_server_behind_the_same_url(self):
        lease, user, password = self.issue()
        self.first.kill()
        self.second.port = self.first.port
        self.enterContext(self.second)
        _, new_user, new_password = self.issue()
        self.assertTrue(self.second.logs_in(new_user, new_password))
        answer = self.vault.call("POST", "sys/leases/revoke", {"lease_id": lease})
        self.assertEqual(answer.status, 500, answer)
        wait_until("the reason is shown", lambda: "another server" in str(self.irrevocable()))
        self.assertEqual([one["lease_id"] for one in self.irrevocable()], [lease])
        self.assertIn('"target-moved"', self.vault.audit.read_text())
        self.assertEqual(self.configure(self.first.port, same_server=True).status, 204)
        wait_until("it is looked for there", lambda: not self.irrevocable())

    def test_the_server_before_comes_back(self):
        lease, user, password = self.issue()
        port = self.first.port
        self.first.kill()
        self.second.port = port
        self.enterContext(self.second)
        other, _, _ = self.issue()
        self.second.kill()
        self.first.start()
        _, new_user, new_password = self.issue()
        self.assertTrue(self.first.logs_in(new_user, new_password))
        self.assertEqual(self.revoke(lease).status, 204)
        self.assertFalse(self.first.logs_in(user, password))
        answer = self.vault.call("POST", "sys/leases/revoke", {"lease_id": other})
        self.assertEqual(answer.status, 500, answer)
        self.assertIn(other, [one["lease_id"] for one in self.irrevocable()])

    def test_renewals_side_by_side(self):
        for _ in range(10):
            lease, user, _ = self.issue()
            in_threads(
                6,
                lambda i: self.vault.call(
                    "POST", "sys/leases/renew", {"lease_id": lease, "increment": (65, 3000)[i % 2]}
                ),
            )
            shown = self.vault.call("POST", "sys/leases/lookup", {"lease_id": lease})
            until = self.first.sql(
                f"select extract(epoch from rolvaliduntil - now())::int from pg_roles where rolname = '{user}'"
            )
            self.assertGreaterEqual(int(until[0]), shown.data["ttl"])


if __name__ == "__main__":
    unittest.main()
