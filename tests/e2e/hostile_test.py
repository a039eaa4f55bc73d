"""What strangers send: it costs them, not the vault."""

import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import resource
import socket
import ssl
import threading
import time
import unittest

from vaultproc import PATIENCE, Vault, certificate, in_threads, memory_is_its_own, wait_until

LIMITS = """max_request_size = 65536
  http_read_header_timeout = "1s"
  http_read_timeout = "2s"
"""


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        cls.vault = Vault(listener=LIMITS).start().init_and_unseal()
        cls.addClassCleanup(lambda: cls.vault.__exit__(None, None, None))
        cls.vault.write("sys/mounts/secret", {"type": "kv"})
        cls.vault.write("secret/a", {"k": "v"})

    def tearDown(self):
        """Whatever a test did, the vault answers an honest client at once."""
        started = time.monotonic()
        self.assertEqual(self.vault.read("secret/a"), {"k": "v"})
        self.assertLess(time.monotonic() - started, 5)

    def dial(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.vault.port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def send(self, raw: bytes) -> bytes:
        """What comes back until the server closes; b"" when it just closes."""
        connection = self.dial()
        answer = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(raw)
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.settimeout(10)
            while block := connection.recv(65536):
                answer += block
        return answer

    def status(self, raw: bytes) -> int:
        answer = self.send(raw)
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0

    def post(self, body: bytes, headers=b"") -> bytes:
        return (
            b"POST /v1/secret/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Vault-Token: "
            + self.vault.token.encode()
            + b"\r\n"
            + headers
            + b"Content-Length: %d\r\n\r\n" % len(body)
            + body
        )

    def test_ambiguous_framing_is_refused(self):
        head = b"POST /v1/secret/x HTTP/1.1\r\nHost: a\r\n"
        for name, raw in {
            "length and chunks": head
            + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "two lengths": head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
            "a list of lengths": head + b"Content-Length: 2, 2\r\n\r\n{}",
            "a signed length": head + b"Content-Length: +2\r\n\r\n{}",
            "a negative length": head + b"Content-Length: -1\r\n\r\n",
            "a huge length": head + b"Content-Length: 99999999999999999999\r\n\r\n",
            "an unknown coding": head + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "a folded header": head + b"X-A: b\r\n c\r\n\r\n",
            "a bare line feed": b"GET /v1/sys/health HTTP/1.1\nHost: a\n\n",
            "a space before the colon": head + b"Content-Length : 2\r\n\r\n{}",
            "a header without a name": head + b": x\r\n\r\n",
            "a NUL": head + b"X-A: \0\r\n\r\n",
            "a bad chunk size": head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
            "no version": b"GET /v1/sys/health\r\n\r\n",
            "another version": b"GET /v1/sys/health HTTP/9.9\r\nHost: a\r\n\r\n",
            "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        }.items():
            with self.subTest(name):
                status = self.status(raw)
                self.assertTrue(status == 0 or 400 <= status < 600, status)

    def test_heads_have_a_limit(self):
        self.assertIn(
            self.status(b"GET /v1/" + b"a" * 40000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
            (0, 400, 414, 431),
        )
        self.assertIn(
            self.status(
                b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40000 + b"\r\n\r\n"
            ),
            (0, 400, 431),
        )
        many = b"".join(b"X-%d: a\r\n" % i for i in range(500))
        self.assertIn(
            self.status(b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n" + many + b"\r\n"),
            (0, 400, 431),
        )

    def test_bodies_have_a_limit_also_in_chunks(self):
        self.assertEqual(self.status(self.post(json.dumps({"k": "v" * 70000}).encode())), 413)
        chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        raw = (
            b"POST /v1/secret/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Vault-Token: "
            + self.vault.token.encode()
            + b"\r\n\r\n"
            + chunk * 40
        )
        self.assertIn(self.status(raw), (0, 413))

    def test_json_has_a_depth(self):
        self.assertEqual(self.status(self.post(b'{"a":' * 60 + b"1" + b"}" * 60)), 204)
        for bomb in (b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":' + b"[" * 30000, b"[" * 60000):
            self.assertEqual(self.status(self.post(bomb)), 400)

    def test_a_slow_head_and_a_slow_body_are_cut(self):
        for sent in (
            b"GET /v1/sys/health HTTP/1.1\r\nHos",
            b"",
            b"POST /v1/secret/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{",
        ):
            with self.subTest(sent):
                connection = self.dial()
                connection.settimeout(20)
                connection.sendall(sent)
                if not sent:
                    continue  # an idle connection may stay
                started = time.monotonic()
                with contextlib.suppress(ConnectionError):
                    while connection.recv(4096):
                        pass
                self.assertLess(time.monotonic() - started, 15)

    def test_a_body_on_get_is_no_second_request(self):
        inner = b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n"
        raw = (
            b"GET /v1/sys/seal-status HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            % len(inner)
        ) + inner
        self.assertEqual(self.send(raw).count(b"HTTP/1.1 "), 1)

    def test_pipelined_requests_are_answered_in_order(self):
        get = b"GET /v1/sys/%s HTTP/1.1\r\nHost: a\r\n%s\r\n"
        answer = self.send(
            get % (b"health", b"")
            + get % (b"seal-status", b"")
            + get % (b"health", b"Connection: close\r\n")
        )
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 3)
        self.assertLess(answer.index(b"server_time_utc"), answer.index(b'"progress"'))

    def test_six_hundred_idle_connections_cost_nobody_anything(self):
        idle = [self.dial() for _ in range(600)]
        for connection in idle[::2]:
            connection.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n")
        started = time.monotonic()
        for _ in range(50):
            self.assertEqual(self.vault.read("secret/a"), {"k": "v"})
        self.assertLess(time.monotonic() - started, 10)
        for connection in idle:
            connection.close()

    def test_four_thousand_silent_connections_keep_nobody_out(self):
        honest = self.vault.connection()
        honest.request("GET", "/v1/sys/health")
        honest.getresponse().read()
        silent = [self.dial() for _ in range(4200)]
        for _ in range(20):
            self.assertEqual(self.vault.call("GET", "sys/health").status, 200)
        honest.request("GET", "/v1/sys/health")
        self.assertEqual(honest.getresponse().status, 200)
        honest.close()
        for connection in silent:
            connection.close()

    def test_clients_that_hang_up_leave_nothing_behind(self):
        for _ in range(200):
            connection = self.dial()
            connection.sendall(self.post(b'{"k":"v"}'))
            connection.close()
        wait_until("the vault is quiet", lambda: self.vault.call("GET", "sys/health").status == 200)

    def test_paths_nobody_should_send(self):
        for path in (
            b"/",
            b"/v1",
            b"/v1/",
            b"/v1//",
            b"/v1/secret//a",
            b"/v1/%00",
            b"/v1/secret/%ff",
            b"/v1/secret/%",
            b"/v1/secret/%zz",
            b"/v1/secret/..%2f..%2fsys",
            b"*",
            b"http://evil/v1/sys/health",
            b"/v2/secret/a",
            b"/v1/\x80",
        ):
            with self.subTest(path):
                status = self.status(
                    b"GET "
                    + path
                    + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Vault-Token: "
                    + self.vault.token.encode()
                    + b"\r\n\r\n"
                )
                self.assertTrue(status == 0 or 200 <= status < 500, status)


class Files(unittest.TestCase):
    def test_what_the_server_makes_is_its_own(self):
        self.addCleanup(os.umask, os.umask(0o022))
        vault = Vault()
        log, pid, victim = (vault.folder / name for name in ("the.log", "pid", "victim"))
        victim.write_text("kept")
        pid.symlink_to(victim)
        with vault.config.open("a") as config:
            config.write(f'log_file = "{log}"\npid_file = "{pid}"\n')
        with vault:
            self.assertEqual(log.stat().st_mode & 0o777, 0o600)
            wait_until("the pid file is there", lambda: not pid.is_symlink() and pid.read_text())
            self.assertEqual(int(pid.read_text()), vault.process.pid)
            self.assertEqual(pid.stat().st_mode & 0o777, 0o644)
            self.assertEqual(vault.stop(), 0)
            self.assertFalse(pid.exists())
            self.assertEqual(victim.read_text(), "kept")


class Bodies(unittest.TestCase):
    """Any token, with the default policy."""

    @memory_is_its_own
    def test_a_list_with_commas_costs_no_memory(self):
        with Vault() as vault:
            vault.init_and_unseal()
            made = vault.call("POST", "auth/token/create", {"policies": ["default"]})
            token = made.json["auth"]["client_token"]
            for path, name in (
                ("sys/capabilities-self", "paths"),
                ("auth/token/create", "policies"),
            ):
                raw = b'{"%s":"%s"}' % (name.encode(), b"a," * 1_000_000)
                self.assertIn(vault.call("POST", path, raw=raw, token=token).status, (400, 403))
            raw = b'{"paths":"%s"}' % (b"a," * 5000)
            answer = vault.call("POST", "sys/capabilities-self", raw=raw, token=token)
            self.assertEqual(answer.status, 400)
            self.assertIn("at most 4096 items", answer.errors[0])
            status = pathlib.Path(f"/proc/{vault.process.pid}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            self.assertLess(int(peak.split()[1]), 300 * 1024)

    def test_a_stranger_sends_no_large_body(self):
        with Vault() as vault:
            for method in ("POST", "GET", "DELETE"):
                with socket.create_connection(("127.0.0.1", vault.port), PATIENCE) as stranger:
                    stranger.sendall(
                        f"{method} /v1/kv/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                        "Content-Length: 3000000\r\n\r\n".encode()
                    )
                    self.assertIn(b"HTTP/1.1 413 ", stranger.recv(4096))


class Crowd(unittest.TestCase):
    CLIENTS, REQUESTS = 1000, 5

    def test_a_thousand_clients_at_once_are_all_served(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        with Vault() as vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            start = time.monotonic()
            statuses = asyncio.run(self.crowd(vault))
            self.assertEqual(set(statuses), {200, 204})
            self.assertEqual(len(statuses), self.CLIENTS * self.REQUESTS * 2)
            print(
                f"{len(statuses) / (time.monotonic() - start):.0f} requests/s from {self.CLIENTS} clients"
            )

    async def crowd(self, vault):
        async def client(index):
            reader, writer = await asyncio.open_connection("127.0.0.1", vault.port)
            statuses = []
            for number in range(self.REQUESTS):
                body = b'{"k":"v"}'
                path = b"/v1/secret/%d/%d" % (index, number)
                token = b"X-Vault-Token: " + vault.token.encode() + b"\r\n"
                for request in (
                    b"POST "
                    + path
                    + b" HTTP/1.1\r\nHost: a\r\n"
                    + token
                    + b"Content-Length: 9\r\n\r\n"
                    + body,
                    b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n" + token + b"\r\n",
                ):
                    writer.write(request)
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    statuses.append(int(head.split(b" ", 2)[1]))
                    length = [
                        int(line[15:])
                        for line in head.split(b"\r\n")
                        if line.startswith(b"content-length:")
                    ]
                    await reader.readexactly(length[0] if length else 0)
            writer.close()
            return statuses

        return [s for some in await asyncio.gather(*map(client, range(self.CLIENTS))) for s in some]


class TalkingDatabase:
    """Lets everybody in, and answers the first query with notices for ever."""

    NOTICE = b"SNOTICE\0C00000\0Mwait\0\0"

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.asked = threading.Event()
        threading.Thread(target=self.talk, daemon=True).start()

    def talk(self):
        connection, _ = self.listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I")
            connection.recv(4096)
            self.asked.set()
            size = (4 + len(self.NOTICE)).to_bytes(4, "big")
            while True:
                connection.sendall((b"N" + size + self.NOTICE) * 1000)


class Database(unittest.TestCase):
    def ask(self, vault):
        with contextlib.suppress(OSError, http.client.HTTPException):
            vault.call("GET", "database/creds/any")

    def test_a_vault_stops_well_while_a_database_will_not_end_its_answer(self):
        database = TalkingDatabase()
        self.addCleanup(database.listening.close)
        with Vault() as vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/database", {"type": "database"})
            url = f"postgresql://vault@127.0.0.1:{database.port}/app?sslmode=disable"
            vault.write(
                "database/config/talking",
                {
                    "plugin_name": "postgresql-database-plugin",
                    "connection_url": url,
                    "allowed_roles": "*",
                    "verify_connection": False,
                },
            )
            statements = ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"]
            role = {"db_name": "talking", "creation_statements": statements, "force": True}
            vault.write("database/roles/any", role)
            asking = threading.Thread(target=lambda: self.ask(vault))
            asking.start()
            self.assertTrue(database.asked.wait(PATIENCE))
            self.assertEqual(vault.stop(), 0)
            asking.join(PATIENCE)


class OverTls(unittest.TestCase):
    def test_neither_plain_text_nor_a_broken_handshake_hurts(self):
        vault = Vault()
        vault = Vault(folder=vault.folder, tls=certificate(vault.folder))
        with vault:
            vault.init_and_unseal()
            for raw in (
                b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n",
                b"\x16\x03\x01\xff\xff" + b"\0" * 300,
                b"\x80" * 1000,
            ):
                with socket.create_connection(
                    ("127.0.0.1", vault.port), timeout=PATIENCE
                ) as connection, contextlib.suppress(ConnectionError):
                    connection.sendall(raw)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
            half = [
                socket.create_connection(("127.0.0.1", vault.port), timeout=PATIENCE)
                for _ in range(100)
            ]
            in_threads(8, lambda _: [vault.must("GET", "sys/health") for _ in range(10)])
            for connection in half:
                connection.close()
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
            with socket.create_connection(("127.0.0.1", vault.port)) as plain, old.wrap_socket(
                plain
            ) as connection:
                self.assertEqual(connection.version(), "TLSv1.2")


if __name__ == "__main__":
    unittest.main(verbosity=1)
