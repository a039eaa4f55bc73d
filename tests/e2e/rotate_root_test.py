"""rotate-root on a real PostgreSQL: the password that only the vault knows, also when it is killed on the way."""

import socket
import threading
import time
import unittest

from vaultproc import Postgres, Vault, free_port, wait_until

SLOW = "ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'; COMMIT; SELECT pg_sleep(4)"


class Way:
    """Passes connections on to a local port while it is open."""

    def __init__(self, to):
        self.to, self.port = to, free_port()
        self.open()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.passed = []
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            self.passed += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=ends, daemon=True).start()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        for one in (self.listener, *self.passed):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


class RotateRoot(unittest.TestCase):
    def setUp(self):
        self.postgres = Postgres()
        self.enterContext(self.postgres)
        self.vault = Vault()
        self.enterContext(self.vault)
        self.vault.init_and_unseal()
        self.postgres.configure(self.vault)

    def old_works(self):
        return self.postgres.logs_in(self.postgres.MANAGER, self.postgres.PASSWORD)

    def rotate(self):
        return self.vault.call("POST", "database/rotate-root/pg")

    def issue(self):
        return self.vault.must("GET", "database/creds/app").data["username"]

    def killed_while(self, rotating):
        """Kill -9 once `rotating()` while a rotation is under way, then start again."""
        request = threading.Thread(target=lambda: self.ignore_the_end(self.rotate))
        request.start()
        wait_until("it is under way", rotating)
        self.vault.kill()
        request.join()
        self.vault.start()
        self.vault.unseal()

    @staticmethod
    def ignore_the_end(what):
        try:
            what()
        except OSError:
            pass

    def test_the_old_password_works_no_more_and_leases_go_on(self):
        before = self.issue()
        lease = self.vault.must("GET", "database/creds/app").json["lease_id"]
        self.assertEqual(self.rotate().status, 204)
        self.assertFalse(self.old_works())
        self.vault.must("PUT", "sys/leases/revoke", {"lease_id": lease})
        self.assertIn(self.issue(), self.postgres.accounts())
        self.assertIn(before, self.postgres.accounts())
        self.vault.restart()
        self.vault.unseal()
        self.issue()
        again = self.vault.cli("write", "-f", "database/rotate-root/pg")
        self.assertEqual(again.returncode, 0, again)
        self.issue()
        self.assertIn("root-rotated", self.vault.audit.read_text())

    def test_killed_after_the_database_had_it(self):
        self.vault.write("database/config/pg", {"root_rotation_statements": [SLOW]})
        self.killed_while(lambda: not self.old_works())
        # Nobody asks for anything: the start itself looks what became of it.
        wait_until("it is settled", lambda: "root-rotation-settled" in self.vault.audit.read_text())
        self.issue()
        self.vault.write("database/config/pg", {"root_rotation_statements": []})
        self.assertEqual(self.rotate().status, 204)
        self.issue()

    def test_killed_before_the_database_had_it(self):
        self.vault.write("database/config/pg", {"root_rotation_statements": ["SELECT pg_sleep(4)"]})
        sleeping = "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(4)%'"
        self.killed_while(lambda: self.postgres.sql(sleeping) >= ["2"])  # the question is one of them
        self.issue()
        self.assertTrue(self.old_works())
        self.vault.write("database/config/pg", {"root_rotation_statements": []})
        self.assertEqual(self.rotate().status, 204)
        self.assertFalse(self.old_works())
        self.issue()

    def test_statements_that_do_not_change_it_are_found_out(self):
        self.vault.write("database/config/pg", {"root_rotation_statements": ["SELECT 1"]})
        refused = self.rotate()
        self.assertEqual(refused.status, 400)
        self.assertIn("does not log in", refused.errors[0])
        self.assertTrue(self.old_works())
        self.issue()

    def test_a_rotation_that_came_to_nothing_ends_at_the_next_start(self):
        self.vault.write("database/config/pg", {"root_rotation_statements": ["SELECT 1"]})
        self.assertEqual(self.rotate().status, 400)
        self.vault.restart()
        self.vault.unseal()
        # Nobody asks for anything: the start finds that the old password is the only one.
        undone = lambda: self.vault.audit.read_text().count("root-rotation-undone")  # noqa: E731
        wait_until("it is over", undone)
        self.issue()
        self.vault.restart()
        self.vault.unseal()
        self.vault.must("GET", "database/config/pg")
        self.assertEqual(undone(), 1)
        self.vault.write("database/config/pg", {"root_rotation_statements": []})
        self.assertEqual(self.rotate().status, 204)
        self.assertFalse(self.old_works())
        self.issue()

    def test_two_configurations_with_one_manager(self):
        self.other()
        self.assertEqual(self.rotate().status, 204)
        self.vault.write("database/config/other", {"allowed_roles": "app"})  # logs in
        answers = []
        both = [
            threading.Thread(target=lambda at=at: answers.append(self.vault.call("POST", f"database/rotate-root/{at}")))
            for at in ("pg", "other")
        ]
        for one in both:
            one.start()
        for one in both:
            one.join()
        self.assertEqual([answer.status for answer in answers], [204, 204])
        self.vault.restart()
        self.vault.unseal()
        self.issue()
        self.vault.write("database/config/other", {"allowed_roles": "*"})

    def test_a_rotation_that_hangs_holds_up_no_other_mount(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.vault.write("sys/mounts/tenant", {"type": "database"})
        settings = {
            "plugin_name": "postgresql-database-plugin",
            "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:%d/app" % silent.getsockname()[1],
            "username": self.postgres.MANAGER,
            "password": "x",
            "verify_connection": False,
        }
        self.vault.write("tenant/config/pg", settings)
        hanging = threading.Thread(target=lambda: self.vault.call("POST", "tenant/rotate-root/pg", timeout=60))
        hanging.start()
        asked, _ = silent.accept()
        self.addCleanup(asked.close)
        started = time.monotonic()
        self.assertEqual(self.rotate().status, 204)
        self.assertTrue(hanging.is_alive())
        self.assertLess(time.monotonic() - started, 10)
        hanging.join()

    def other(self, **more):
        """A second connection as the same manager, to another database of the server."""
        kept = self.vault.must("GET", "database/config/pg").data["connection_details"]
        settings = {
            "plugin_name": "postgresql-database-plugin",
            "allowed_roles": "*",
            "connection_url": kept["connection_url"].replace("/app", "/postgres"),
            "username": self.postgres.MANAGER,
            "password": self.postgres.PASSWORD,
        }
        self.vault.write("database/config/other", {**settings, **more})

    def way(self):
        """A way to the server that can be closed, as the URL of the second connection."""
        way = Way(self.postgres.port)
        self.addCleanup(way.close)
        kept = self.vault.must("GET", "database/config/pg").data["connection_details"]
        url = kept["connection_url"].replace("/app", "/postgres")
        return way, url.replace(f":{self.postgres.port}", f":{way.port}")

    def killed_and_settled_without(self, way):
        self.vault.write("database/config/pg", {"root_rotation_statements": [SLOW]})
        way.close()
        self.killed_while(lambda: not self.old_works())
        wait_until("it is settled", lambda: "root-rotation-settled" in self.vault.audit.read_text())
        self.vault.write("database/config/pg", {"root_rotation_statements": []})

    def test_a_connection_that_is_away_while_a_cut_off_rotation_ends_gets_its_password(self):
        way, url = self.way()
        self.other(connection_url=url)
        self.killed_and_settled_without(way)
        self.assertEqual(self.rotate().status, 204)
        way.open()
        self.vault.write("database/config/other", {"allowed_roles": "app"})  # logs in
        self.issue()

    def test_a_connection_of_an_unknown_server_is_waited_for(self):
        way, url = self.way()
        self.other(connection_url=url, verify_connection=False)
        self.killed_and_settled_without(way)
        refused = self.rotate()
        self.assertEqual(refused.status, 400)
        self.assertIn("since a rotation was cut off", refused.errors[0])
        way.open()
        role = self.vault.must("GET", "database/roles/app").data["creation_statements"]
        second = {"db_name": "other", "creation_statements": role}
        self.vault.write("database/roles/second", second)
        issued = lambda: self.vault.call("GET", "database/creds/second").status == 200  # noqa: E731
        wait_until("it is connected again", issued)
        self.assertEqual(self.rotate().status, 204)
        self.vault.write("database/config/other", {"allowed_roles": "app"})
        self.issue()

    def test_another_manager_keeps_its_password(self):
        self.postgres.sql(
            f"CREATE ROLE second LOGIN CREATEROLE PASSWORD '{self.postgres.PASSWORD}'"
        )
        self.other()
        self.vault.write("database/config/pg", {"root_rotation_statements": ["SELECT 1/0"]})
        self.assertEqual(self.rotate().status, 400)
        self.vault.write("database/config/other", {"username": "second"})
        self.vault.write("database/config/pg", {"root_rotation_statements": []})
        self.assertEqual(self.rotate().status, 204)
        self.vault.write("database/config/other", {"allowed_roles": "app"})  # logs in
        self.issue()

    def test_statements_that_say_the_password(self):
        said = "DO $$ BEGIN RAISE EXCEPTION 'x %', reverse('{{password}}'); END $$"
        self.vault.write("database/config/pg", {"root_rotation_statements": [said]})
        refused = self.rotate()
        self.assertEqual(refused.status, 400)
        self.assertIn("(SQLSTATE P0001)", refused.errors[0])
        self.assertNotIn("x ", refused.errors[0].split("refused")[1])
        self.issue()

    def test_who_may_write_the_configuration_cannot_have_the_password_sent_elsewhere(self):
        self.assertEqual(self.rotate().status, 204)
        root, elsewhere = self.vault.token, socket.create_server(("127.0.0.1", 0))
        with elsewhere:
            led = {"connection_url": self.postgres.url_at(elsewhere.getsockname()[1])}
            self.vault.token = self.token_with(root, '"update"')
            for body in (led, {**led, "verify_connection": False}):
                refused = self.vault.call("POST", "database/config/pg", body)
                self.assertEqual(refused.status, 400)
                self.assertIn("give password again, or use a token with sudo", refused.errors[0])
            elsewhere.setblocking(False)
            with self.assertRaises(BlockingIOError):
                elsewhere.accept()
        self.vault.write("database/config/pg", {"allowed_roles": "app,other"})
        led = {"connection_url": self.postgres.url + "&target_session_attrs=any"}
        self.assertEqual(self.vault.call("POST", "database/config/pg", led).status, 400)
        self.vault.token = self.token_with(root, '"update", "sudo"')
        self.vault.write("database/config/pg", led)
        self.vault.token = root
        self.issue()

    def token_with(self, root, rights):
        self.vault.token = root
        rule = f'path "database/config/pg" {{ capabilities = [{rights}] }}'
        self.vault.write("sys/policies/acl/config", {"policy": rule})
        made = self.vault.must("POST", "auth/token/create", {"policies": ["config"]})
        return made.json["auth"]["client_token"]

    def test_a_connection_that_nobody_used_yet(self):
        self.other(verify_connection=False)
        self.assertEqual(self.vault.call("POST", "database/rotate-root/other").status, 204)
        self.vault.must("POST", "database/reset/pg")
        self.issue()
        self.vault.write("database/config/other", {"allowed_roles": "app"})  # logs in

    def test_a_connection_without_a_password_of_its_own(self):
        self.vault.write(
            "database/config/bare",
            {
                "plugin_name": "postgresql-database-plugin",
                "verify_connection": False,
                "connection_url": f"postgresql://vault@127.0.0.1:{self.postgres.port}/app",
            },
        )
        refused = self.vault.call("POST", "database/rotate-root/bare")
        self.assertEqual(refused.status, 400)
        self.assertIn("{{password}}", refused.errors[0])
        self.assertEqual(self.vault.call("POST", "database/rotate-root/none").status, 400)


if __name__ == "__main__":
    unittest.main()
