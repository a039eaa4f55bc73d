"""The command line: every command once, as Vault's users type them, and their usual mistakes."""

import contextlib
import urllib.request
import ssl
import pwd
import socket
import json
import os
import pathlib
import re
import resource
import shlex
import subprocess
import tempfile
import threading
import unittest

from vaultproc import BIN, Postgres, Vault, free_port, memory_is_its_own, mortal, wait_until


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = Vault().start().init_and_unseal()
        cls.addClassCleanup(lambda: cls.vault.__exit__(None, None, None))
        cls.ok("secrets", "enable", "-path=secret", "kv")

    @classmethod
    def ok(cls, *arguments, **options) -> str:
        run = cls.vault.cli(*arguments, **options)
        assert (
            run.returncode == 0
        ), f"leasehold {' '.join(arguments)}: {run.returncode}\n{run.stdout}\n{run.stderr}"
        return run.stdout

    @classmethod
    def ok_json(cls, *arguments, **options):
        head = (
            2
            if arguments[0]
            in ("token", "kv", "secrets", "auth", "lease", "policy", "operator", "audit")
            else 1
        )
        return json.loads(cls.ok(*arguments[:head], "-format=json", *arguments[head:], **options))

    def fails(self, code, text, *arguments, **options):
        run = self.vault.cli(*arguments, **options)
        self.assertEqual(run.returncode, code, f"{arguments}: {run.stdout}{run.stderr}")
        self.assertIn(text, run.stderr + run.stdout, arguments)
        self.assertNotIn("Traceback", run.stderr)
        return run


class HostileServer:
    """Answers each request with `start`, and then with `more` for ever, as fast as it is read."""

    def __init__(self, start: bytes, more: bytes):
        self.start, self.more = start, more
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(self.start)
                    while True:
                        connection.sendall(self.more)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class Hostile(unittest.TestCase):
    """What a server may do to a client: keep it from an answer, for a bounded time and memory."""

    ANSWERS = {
        "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 8000),
        "a header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"x" * 65536),
        "a status line": (b"HTTP/1.1 200 ", b"x" * 65536),
        "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
        "a body": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        "chunks": (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n" * 8000,
        ),
        "the size of a chunk": (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            b"x" * 65536,
        ),
    }

    @memory_is_its_own
    def test_an_answer_without_end_is_given_up(self):
        for what, (start, more) in self.ANSWERS.items():
            with self.subTest(what), HostileServer(start, more) as server:
                run = subprocess.run(
                    ["prlimit", f"--as={1 << 30}", BIN / "leasehold", "status"],
                    capture_output=True,
                    text=True,
                    timeout=120,
                    env={
                        **os.environ,
                        "VAULT_ADDR": server.address,
                        "VAULT_MAX_RETRIES": "0",
                        "VAULT_CLIENT_TIMEOUT": "60",
                    },
                )
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertRegex(run.stderr, "the answer is larger than (1 K|64 )")

    @memory_is_its_own
    def test_a_value_of_many_lines_is_shown_line_by_line(self):
        """Each is indented to its column, and is one byte of the value."""
        body = b'{"data":{"' + b"k" * 64 + b'":"' + b"\\n" * 6_000_000 + b'"}}'
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        with HostileServer(head.encode() + body, b"x") as server:
            run = subprocess.run(
                ["prlimit", f"--as={384 << 20}", BIN / "leasehold", "read", "s"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "VAULT_ADDR": server.address, "VAULT_TOKEN": "t"},
            )
        self.assertEqual((run.returncode, run.stderr), (0, ""))


class Data(Cli):
    def test_write_read_list_delete(self):
        self.assertIn(
            "Success! Data written to: secret/a", self.ok("write", "secret/a", "user=bob", "pass=x")
        )
        table = self.ok("read", "secret/a")
        self.assertRegex(
            table, r"Key\s+Value\n---\s+-----\nrefresh_interval\s+768h\npass\s+x\nuser\s+bob\n"
        )
        self.assertEqual(self.ok_json("read", "secret/a")["data"], {"user": "bob", "pass": "x"})
        self.assertEqual(self.ok("read", "-field=user", "secret/a").strip(), "bob")
        self.assertIn("a", self.ok("list", "secret").split())
        self.assertIn("a", self.ok_json("list", "secret/"))
        self.assertIn(
            "Success! Data deleted (if it existed) at: secret/a", self.ok("delete", "secret/a")
        )
        self.fails(2, "No value found at secret/a", "read", "secret/a")
        self.fails(2, "No value found at secret/none", "list", "secret/none")

    def test_values_from_files_and_standard_input(self):
        home = self.vault.folder / "home"
        home.mkdir(exist_ok=True)
        (home / "value.txt").write_text("from a file\n")
        (home / "all.json").write_text('{"n": 1, "l": [true]}')
        self.ok("write", "secret/f", "v=@value.txt")
        self.assertEqual(self.ok_json("read", "secret/f")["data"], {"v": "from a file\n"})
        self.ok("write", "secret/f", "v=-", input="from a pipe")
        self.assertEqual(self.ok_json("read", "secret/f")["data"], {"v": "from a pipe"})
        self.ok("write", "secret/f", "@all.json")
        self.assertEqual(self.ok_json("read", "secret/f")["data"], {"n": 1, "l": [True]})
        self.ok("write", "secret/f", "-", input='{"k": "v"}')
        self.assertEqual(self.ok_json("read", "secret/f")["data"], {"k": "v"})

    def test_kv_commands(self):
        self.ok("kv", "put", "secret/kv", "a=1", "b=2")
        self.assertEqual(self.ok_json("kv", "get", "secret/kv")["data"], {"a": "1", "b": "2"})
        self.assertEqual(self.ok("kv", "get", "-field=a", "secret/kv").strip(), "1")
        self.assertEqual(self.ok("kv", "get", "-mount=secret", "-field=a", "kv").strip(), "1")
        self.assertIn("kv", self.ok("kv", "list", "secret"))
        self.ok("kv", "delete", "secret/kv")
        self.fails(2, "No value found at secret/kv", "kv", "get", "secret/kv")

    def test_kv_commands_on_an_engine_with_versions(self):
        self.ok("secrets", "enable", "-path=two", "-version=2", "kv")
        made = self.ok("kv", "put", "-cas=0", "two/app", "user=bob", "pass=x")
        self.assertIn("== Secret Path ==\ntwo/data/app\n\n======= Metadata =======\n", made)
        self.fails(2, "did not match the current version", "kv", "put", "-cas=0", "two/app", "a=b")
        table = self.ok("kv", "get", "two/app")
        self.assertIn(
            "\n==== Data ====\nKey     Value\n---     -----\npass    x\nuser    bob\n", table
        )
        self.ok("kv", "patch", "-remove-data=pass", "two/app", "user=eve", "new=1")
        self.assertEqual(
            self.ok_json("kv", "get", "two/app")["data"]["data"], {"user": "eve", "new": "1"}
        )
        self.assertEqual(self.ok("kv", "get", "-version=1", "-field=user", "two/app"), "bob")
        self.assertEqual(self.ok("kv", "get", "-mount=two", "-field=user", "app"), "eve")

        self.ok("kv", "delete", "two/app")
        deleted = self.ok("kv", "get", "two/app")
        self.assertRegex(deleted, r"deletion_time +\d{4}-")
        self.assertNotIn("= Data =", deleted)
        self.ok("kv", "rollback", "-version=1", "two/app")
        self.assertEqual(self.ok("kv", "get", "-field=pass", "two/app"), "x")
        self.ok("kv", "undelete", "-versions=2", "two/app")
        self.assertEqual(self.ok("kv", "get", "-version=2", "-field=new", "two/app"), "1")
        self.ok("kv", "destroy", "-versions=2", "two/app")
        self.assertRegex(
            self.ok("kv", "get", "-version=2", "two/app"), r"destroyed +true"
        )

        self.ok("kv", "metadata", "put", "-max-versions=5", "-custom-metadata=owner=web", "two/app")
        self.ok("kv", "metadata", "patch", "-custom-metadata=team=a", "two/app")
        about = json.loads(self.ok("kv", "metadata", "get", "-format=json", "two/app"))["data"]
        self.assertEqual(
            (about["max_versions"], about["custom_metadata"], about["current_version"]),
            (5, {"owner": "web", "team": "a"}, 3),
        )
        self.assertIn("====== Version 2 ======", self.ok("kv", "metadata", "get", "two/app"))
        self.assertEqual(self.ok_json("kv", "list", "two"), ["app"])
        self.assertIn("'leasehold kv get'", self.vault.cli("read", "two/app").stderr)
        self.ok("kv", "metadata", "delete", "two/app")
        self.fails(2, "No value found at two/data/app", "kv", "get", "two/app")

    def test_a_mount_that_is_not_there_is_made_as_the_hint_says(self):
        hint = self.fails(2, "nothing is mounted at absent/", "kv", "put", "absent/a", "b=c").stderr
        self.ok(*hint.split("with: leasehold ")[1].split())
        self.ok("kv", "put", "absent/a", "b=c")
        self.fails(1, "Not enough arguments", "kv", "list")
        self.fails(1, "-version needs a whole number", "kv", "get", "-version=x", "absent/a")

    def test_mistakes(self):
        self.fails(1, "reed", "reed", "secret/a")
        self.fails(1, "read", "read")
        self.fails(1, "", "read", "-no-such-flag", "secret/a")
        self.fails(1, "", "write", "secret/a")
        self.fails(
            1, 'Field "none" not present in secret', "read", "-field=none", "auth/token/lookup-self"
        )
        self.fails(2, "no handler for route", "read", "nowhere/a")
        self.fails(2, "permission denied", "read", "secret/a", token="hvs.wrong")
        self.fails(2, "", "read", "secret/a", token="")
        for address in (f"http://127.0.0.1:{free_port()}", f"https://127.0.0.1:{self.vault.port}"):
            run = self.fails(
                2,
                "hint:",
                "read",
                "secret/a",
                environment={"VAULT_ADDR": address, "VAULT_MAX_RETRIES": "0"},
            )
            self.assertNotIn(self.vault.token, run.stderr + run.stdout)
        self.fails(2, "not an addr", "read", "secret/a", environment={"VAULT_ADDR": "not an addr"})
        self.fails(1, "", "write", "secret/a", "v=@/no/such/file")

    def test_output_of_a_curl_line_has_no_token(self):
        line = self.vault.cli("read", "-output-curl-string", "secret/a")
        self.assertEqual(line.returncode, 0)
        self.assertIn(f"{self.vault.address}/v1/secret/a", line.stdout)
        self.assertNotIn(self.vault.token, line.stdout)

    def test_what_is_wrapped_is_opened_once(self):
        self.ok("write", "secret/wrapped", "user=bob")
        table = self.ok("read", "-wrap-ttl=5m", "secret/wrapped")
        self.assertRegex(table, r"wrapping_token:\s+hvs\.")
        self.assertRegex(table, r"wrapping_token_ttl:\s+5m")
        self.assertRegex(table, r"wrapping_token_creation_path:\s+secret/wrapped")
        self.assertNotIn("bob", table)
        token = self.ok("kv", "get", "-wrap-ttl=1m", "-field=wrapping_token", "secret/wrapped")
        self.assertEqual(self.ok("unwrap", "-field=user", token.strip()), "bob")
        self.fails(2, "wrapping token is not valid or does not exist", "unwrap", token.strip())

        made = self.ok_json("token", "create", "-wrap-ttl=60")["wrap_info"]
        opened = self.ok_json("unwrap", made["token"])  # with a token of one's own, or as the token
        self.assertEqual(opened["auth"]["accessor"], made["wrapped_accessor"])
        token = self.ok("token", "create", "-wrap-ttl=60", "-field=wrapping_token").strip()
        self.assertIn("token_accessor", self.ok("unwrap", token=token))
        # What is there to be wrapped is, for five minutes.
        wrapped = self.ok_json("write", "sys/wrapping/wrap", "a=b")["wrap_info"]
        self.assertEqual(wrapped["ttl"], 300)
        again = self.ok_json("write", "sys/wrapping/rewrap", "token=" + wrapped["token"])
        self.assertEqual(again["wrap_info"]["creation_path"], "sys/wrapping/wrap")

    def test_a_printed_policy_is_enough_and_no_more(self):
        policy = self.ok("write", "-output-policy", "secret/printed", "k=v")
        self.fails(2, "No value found", "read", "secret/printed")
        token = self.vault.new_token(policy)
        self.ok("write", "secret/printed", "k=v", token=token)
        self.fails(2, "permission denied", "read", "secret/printed", token=token)
        token = self.vault.new_token(self.ok("audit", "list", "-output-policy"))
        self.ok("audit", "list", token=token)

    def test_a_token_helper_keeps_the_token(self):
        home = self.vault.folder / "home"
        home.mkdir(exist_ok=True)
        helper = home / "helper"
        helper.write_text(
            '#!/bin/sh\ncase "$1" in get) cat "$HOME/kept" ;; store) cat >"$HOME/kept" ;; esac\n'
        )
        helper.chmod(0o700)
        configuration = home / ".vault"
        configuration.write_text(f'token_helper = "{helper}"\n')
        self.addCleanup(configuration.unlink)
        self.ok("login", self.vault.token, token="")
        self.assertEqual((home / "kept").read_text(), self.vault.token)
        self.assertFalse((home / ".vault-token").exists())
        self.ok("write", "secret/helped", "k=v", token="")


class Terminal(Cli):
    def test_what_others_wrote_moves_no_cursor(self):
        hostile = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\rX"
        self.vault.write("secret/esc", {"x": hostile, hostile: "x"})
        policy = f'# {hostile}\npath "a" {{ capabilities = ["read"] }}\n'
        self.vault.write("sys/policies/acl/esc", {"policy": policy})
        # The server warns of this rule by its path.
        templated = f'policy=path "{{{{identity.{hostile}}}}}" {{ capabilities = ["read"] }}'
        for words in (
            ("read", "secret/esc"),
            ("read", "-field=x", "secret/esc"),
            ("read", "-format=yaml", "secret/esc"),
            ("read", "-format=json", "secret/esc"),
            ("read", "-format=raw", "secret/esc"),
            ("policy", "read", "esc"),
            ("write", "sys/policies/acl/esc2", templated),
            ("read", "secret/" + hostile),
            ("lease", "lookup", hostile),
        ):
            with self.subTest(words=words[:2]):
                shown = self.vault.cli_on_terminal(*words).replace("\r\n", "\n")
                self.assertTrue(shown)
                self.assertEqual(set(shown) & set("\x1b\x07\x9b\r\u202e"), set(), repr(shown))

    def test_a_program_gets_what_was_written(self):
        text = "a\x1b[31m\x9b\u202e\x07b"
        self.vault.write("secret/exact", {"x": text})
        self.assertEqual(self.ok("read", "-field=x", "secret/exact"), text)
        self.assertEqual(self.ok_json("read", "secret/exact")["data"], {"x": text})
        policy = 'path "a" { capabilities = ["read"] } # \u202e'
        self.vault.write("sys/policies/acl/exact", {"policy": policy})
        self.assertEqual(self.ok("policy", "read", "exact"), policy + "\n")


class Tokens(Cli):
    def test_create_look_up_renew_revoke(self):
        made = self.ok_json(
            "token", "create", "-policy=default", "-ttl=1h", "-display-name=ci", "-metadata=team=a"
        )["auth"]
        self.assertEqual(
            self.ok_json("token", "lookup", made["client_token"])["data"]["display_name"],
            "token-ci",
        )
        self.assertEqual(
            self.ok_json("token", "lookup", "-accessor", made["accessor"])["data"]["meta"],
            {"team": "a"},
        )
        self.assertEqual(
            self.ok_json("token", "renew", "-increment=2h", made["client_token"])["auth"][
                "lease_duration"
            ],
            7200,
        )
        self.assertIn("token_policies", self.ok("token", "create", "-ttl=1m"))
        self.assertEqual(self.ok("token", "capabilities", "secret/a").strip(), "root")
        self.ok("token", "revoke", made["client_token"])
        self.fails(2, "bad token", "token", "lookup", made["client_token"])
        self.ok("token", "revoke", "-accessor", self.ok_json("token", "create")["auth"]["accessor"])

    def test_login_keeps_the_token_for_the_next_command(self):
        token = self.vault.new_token('path "secret/login" { capabilities = ["create", "read"] }')
        self.assertIn("Success! You are now authenticated", self.ok("login", token, token=""))
        stored = self.vault.folder / "home" / ".vault-token"
        self.assertEqual(
            (stored.read_text().strip(), stored.stat().st_mode & 0o777), (token, 0o600)
        )
        self.ok("write", "secret/login", "k=v", token="")
        self.assertEqual(self.ok("print", "token", token="").strip(), token)
        stored.unlink()
        self.fails(2, "permission denied", "login", "hvs.wrong", token="")
        self.assertFalse(stored.exists(), "a refused token is not kept")

    def test_what_a_policy_denies_says_where_to_look(self):
        token = self.vault.new_token('path "secret/b" { capabilities = ["read"] }')
        run = self.fails(2, "permission denied", "write", "secret/b", "k=v", token=token)
        self.assertIn("leasehold token capabilities secret/b", run.stderr)
        self.assertIn("read", self.ok("token", "capabilities", "secret/b", token=token))

    def test_a_token_that_does_not_count_is_named_as_the_reason(self):
        token = self.ok_json("token", "create")["auth"]["client_token"]
        self.ok("token", "revoke", token)
        unknown = "unknown, expired or revoked"
        for command in (("read", "secret/a"), ("token", "lookup"), ("secrets", "list")):
            self.fails(2, unknown, *command, token=token)
        self.fails(2, unknown, "kv", "get", "secret/a", token=token)
        self.fails(2, "the token that was asked about is " + unknown, "token", "lookup", token)
        self.fails(2, "this token was not accepted", "login", token, token="")
        self.fails(2, "leasehold auth list", "login", "-method=foo", "role=a", token="")


class Administration(Cli):
    def test_a_node_without_others_says_that_it_stays(self):
        run = self.vault.cli("operator", "step-down")
        self.assertEqual(run.stdout, f"Success! Asked to step down: {self.vault.address}\n")
        self.assertEqual(
            run.stderr, "WARNING! there is no other node, so this one stays active\n"
        )

    def test_policies(self):
        file = pathlib.Path(self.vault.folder / "app.hcl")
        file.write_text('path "secret/app/*" {\n  capabilities = ["read"]\n}\n')
        self.assertIn("Success! Uploaded policy: app", self.ok("policy", "write", "app", str(file)))
        self.assertEqual(self.ok("policy", "read", "app").strip(), file.read_text().strip())
        self.assertIn("app", self.ok("policy", "list").split())
        self.ok("policy", "write", "piped", "-", input=file.read_text())
        self.ok("policy", "delete", "app")
        self.fails(2, "", "policy", "read", "app")
        file.write_text('path "secret/app/*" {\n  capabilities = ["reed"]\n}\n')
        self.fails(2, "reed", "policy", "write", "app", str(file))
        self.fails(1, "", "policy", "write", "app", "/no/such/file")

    def test_mounts(self):
        self.assertIn(
            "Success! Enabled the kv secrets engine at: extra/",
            self.ok("secrets", "enable", "-path=extra", "-description=mine", "kv"),
        )
        self.assertRegex(self.ok("secrets", "list"), r"extra/\s+kv\s+kv_[0-9a-f]{8}\s+mine")
        self.ok("secrets", "tune", "-default-lease-ttl=10m", "extra")
        self.assertEqual(
            self.ok_json("read", "sys/mounts/extra/tune")["data"]["default_lease_ttl"], 600
        )
        self.assertIn(
            "Success! Disabled the secrets engine (if it existed) at: extra/",
            self.ok("secrets", "disable", "extra"),
        )
        self.assertIn("token/", self.ok("auth", "list"))
        self.fails(2, "no-such", "secrets", "enable", "no-such")

    def test_database_leases_from_the_command_line(self):
        with Postgres() as postgres:
            postgres.configure(self.vault)
            made = self.ok_json("read", "database/creds/app")
            self.assertTrue(postgres.logs_in(made["data"]["username"], made["data"]["password"]))
            self.assertEqual(
                self.ok_json("lease", "lookup", made["lease_id"])["data"]["id"], made["lease_id"]
            )
            self.assertIn(
                "7200", str(self.ok_json("lease", "renew", "-increment=7200", made["lease_id"]))
            )
            self.ok("lease", "revoke", "-sync", made["lease_id"])
            self.assertFalse(postgres.logs_in(made["data"]["username"], made["data"]["password"]))
            self.ok("read", "database/creds/app")
            self.ok("lease", "revoke", "-sync", "-prefix", "database/creds/app")
            self.assertEqual(postgres.accounts(), set())
            self.ok("secrets", "disable", "database")

    def test_no_success_is_told_of_what_is_not_there(self):
        self.ok("auth", "enable", "approle")
        self.ok("write", "auth/approle/role/r", "token_policies=p")
        self.ok("secrets", "enable", "-path=kv2", "kv-v2")
        token = self.ok_json("token", "create")["auth"]
        self.ok("token", "revoke", token["client_token"])
        for words in (
            "lease revoke -sync database/creds/app",
            "lease revoke database/creds/app",
            "lease revoke -sync -prefix databse/creds/app",
            "lease revoke -force -prefix databse",
            f"token revoke {token['client_token']}",
            f"token revoke -accessor {token['accessor']}",
            "token revoke -mode=path auth/userpass/login/alice",
            "secrets disable databse",
            "auth disable databse",
            "policy delete databse",
            "audit disable databse",
            "write auth/approle/role/r/secret-id/destroy secret_id=none",
            "kv destroy -versions=1 kv2/none",
        ):
            with self.subTest(words):
                run = self.vault.cli(*words.split())
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(run.stdout, "")
                self.assertIn("WARNING!", run.stderr)
        self.fails(0, "did you mean -prefix?", "lease", "revoke", "database/creds/app")
        self.ok("secrets", "disable", "kv2")
        self.ok("auth", "disable", "approle")

    def test_audit(self):
        self.assertIn("file", self.ok("audit", "list"))
        self.assertIn("whole", self.ok("audit", "verify", str(self.vault.audit)).lower())
        self.assertNotEqual(self.vault.cli("audit", "verify", "/no/such/file").returncode, 0)

    def test_the_examples_of_a_help_text_work(self):
        home = self.vault.folder / "home"
        home.mkdir(exist_ok=True)
        (home / "app.hcl").write_text('path "secret/app" { capabilities = ["read"] }')
        (home / "app.sql").write_text("""CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}';""")
        self.ok("secrets", "disable", "secret")
        self.ok("secrets", "enable", "-path=secret", "kv-v2")  # as -dev has it
        self.ok("secrets", "enable", "database")
        self.ok("kv", "put", "secret/app", "k=v")
        for command in ("write", "patch", "list", "delete"):
            for line in self.ok(command, "-h").splitlines():
                if not line.startswith("  $ "):
                    continue
                piped, _, words = line[4:].rpartition(" | ")
                given = shlex.split(piped)[1] if piped else None
                self.ok(*shlex.split(words)[1:], input=given)
        self.ok("secrets", "disable", "database")
        self.ok("secrets", "disable", "secret")
        self.ok("secrets", "enable", "-path=secret", "kv")

    def test_help_and_versions(self):
        self.assertRegex(self.ok("version"), r"^\S+ v\d+\.\d+\.\d+")
        for command in ("read", "operator init", "policy write", "audit verify"):
            self.assertIn("Usage: leasehold " + command, self.ok(*command.split(), "-h"))
        self.assertNotIn("{{", self.ok("path-help", "sys/mounts"))


class Operator(unittest.TestCase):
    def test_from_an_empty_folder_to_a_working_vault(self):
        with Vault() as vault:
            self.assertEqual(vault.cli("operator", "init", "-status").returncode, 2)
            self.assertEqual(vault.cli("status").returncode, 2)
            text = vault.cli("operator", "init", "-key-shares=3", "-key-threshold=2").stdout
            keys = [
                line.split(": ")[1] for line in text.splitlines() if line.startswith("Unseal Key ")
            ]
            token = next(
                line.split(": ")[1]
                for line in text.splitlines()
                if line.startswith("Initial Root Token: ")
            )
            self.assertEqual(len(keys), 3)
            self.assertEqual(vault.cli("operator", "init").returncode, 2)
            sealed = vault.cli(
                "read", "secret/a", token=token, environment={"VAULT_MAX_RETRIES": "0"}
            )
            self.assertEqual(sealed.returncode, 2)
            self.assertIn("Vault is sealed", sealed.stderr)
            self.assertNotEqual(vault.cli("operator", "unseal", "not-a-key").returncode, 0)
            for key in keys[:2]:
                run = vault.cli("operator", "unseal", key)
                self.assertEqual(run.returncode, 0, run.stderr)
            status = vault.cli("status")
            self.assertEqual(status.returncode, 0, status.stderr)
            self.assertRegex(status.stdout, r"Sealed\s+false")
            vault.token = token
            self.assertEqual(vault.cli("operator", "seal").returncode, 0)
            self.assertEqual(vault.cli("status", "-format=json").returncode, 2)
            vault.unseal(keys[:2])

    def test_stored_data_is_proven_whole_when_the_vault_is_down(self):
        with Vault() as vault:
            vault.init_and_unseal()
            vault.stop()
            run = vault.cli(
                "operator", "verify", f"-config={vault.config}", input=vault.keys[0] + "\n"
            )
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            help_text = vault.cli("operator", "verify", "-h").stdout
            self.assertIn("from standard input it reads one a line", help_text)
            without = vault.cli("operator", "verify", f"-config={vault.config}", input="")
            self.assertNotEqual(without.returncode, 0)
            self.assertIn("give them on standard input, one a line", without.stderr)
            vault.start()

    def test_init_and_status_of_a_seal_device_say_what_opens_the_vault(self):
        for mode, opens, said in (
            ("unseal", "static OR 2 of 3 shares", "2 of them open the vault"),
            ("authorize", "approve operations and cannot open it", "cannot open the vault"),
            ("none", "What opens it: static.", "There are no recovery keys"),
        ):
            owner = Vault()
            key = owner.folder / "unseal.key"
            key.write_bytes(os.urandom(32))
            key.chmod(0o600)
            stanza = (
                f'seal "static" {{\n  current_key_id = "1"\n  current_key = "file://{key}"\n'
                f'  recovery_mode = "{mode}"\n}}'
            )
            with self.subTest(mode), Vault(folder=owner.folder, seal=stanza) as vault:
                shares = ("-recovery-shares=3", "-recovery-threshold=2")
                run = vault.cli("operator", "init", *shares)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn(opens, run.stdout)
                self.assertIn(said, run.stdout)
                self.assertEqual(run.stdout.count("Recovery Key"), 0 if mode == "none" else 3)
                self.assertNotIn("Slot static", vault.cli("status").stdout)
                vault.stop()
                key.write_bytes(os.urandom(32))
                vault.start()
                wait_until(
                    "the slot says what it lacks",
                    lambda: "Slot static" in vault.cli("status").stdout,
                )
                status = vault.cli("status").stdout
                self.assertRegex(status, r"Degraded +true\nSlot static +[a-z]+: \S+")
            owner.owned.remove()

    def test_dev_mode_is_one_command(self):
        vault = Vault()
        vault.token = "root"
        home = vault.folder / "home"
        home.mkdir()
        with open(vault.log, "ab") as log:
            vault.process = mortal(
                [
                    BIN / "leasehold",
                    "server",
                    "-dev",
                    "-dev-root-token-id=root",
                    f"-dev-listen-address=127.0.0.1:{vault.port}",
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(home)},
            )
        try:
            wait_until("dev mode answers", lambda: vault.cli("status").returncode == 0)
            run = vault.cli("kv", "put", "secret/a", "k=v")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(vault.read("secret/data/a")["data"], {"k": "v"})
            self.assertEqual(vault.stop(), 0)
        finally:
            vault.stop()
            vault.owned.remove()

    def test_a_flag_that_is_not_known_is_told_so(self):
        for flags, said in (
            (["-bogus"], "unknown flag -bogus"),
            (["-dev-tsl"], "unknown flag -dev-tsl; did you mean -dev-tls?"),
            (["-log-level=loud"], "-log-level is one of trace"),
            (["-confg=x.hcl"], "unknown flag -confg; did you mean -config?"),
            (["-config"], "-config needs a value"),
        ):
            with self.subTest(flags):
                run = subprocess.run(
                    [BIN / "leasehold", "server", *flags], capture_output=True, text=True
                )
                self.assertEqual(run.returncode, 1)
                self.assertIn(said, run.stderr)

    def test_dev_mode_prints_the_address_of_a_unix_socket_as_the_cli_takes_it(self):
        with tempfile.TemporaryDirectory() as folder:
            socket, log = f"{folder}/u.sock", pathlib.Path(folder, "log")
            config = pathlib.Path(folder, "u.hcl")
            config.write_text(
                f'storage "inmem" {{}}\nlistener "unix" {{ address = "{socket}" }}\n'
                "disable_mlock = true\n"
            )
            with log.open("wb") as out:
                server = mortal(
                    [BIN / "leasehold", "server", "-dev", f"-config={config}"],
                    stdout=out,
                    stderr=out,
                    env={**os.environ, "HOME": folder},
                )
            try:
                wait_until("the server says it started", lambda: "started!" in log.read_text())
                address = re.search(r"export VAULT_ADDR='(.*)'", log.read_text()).group(1)
                self.assertEqual(address, f"unix://{socket}")
                run = subprocess.run(
                    [BIN / "leasehold", "status", f"-address={address}"], capture_output=True
                )
                self.assertEqual(run.returncode, 0, run.stderr)
            finally:
                server.terminate()
                server.wait()

    def test_a_misspelt_key_of_the_storage_is_named_with_its_line(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "c.hcl")
            config.write_text(f'storage "lmdb" {{\n  pth = "{folder}/data"\n}}\n')
            run = subprocess.run(
                [BIN / "leaseholdd", f"-config={config}"], capture_output=True, text=True
            )
            self.assertEqual(run.returncode, 1)
            self.assertIn(
                f'{config}:2:3: unknown key "pth" in storage "lmdb"; did you mean "path"?',
                run.stderr,
            )

    def check_configuration(self, text, **options):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            config = pathlib.Path(folder, "c.hcl")
            config.write_text(text.replace("FOLDER", folder))
            config.chmod(0o644)
            run = subprocess.run(
                [BIN / "leaseholdd", "-test-server-config", f"-config={config}"],
                capture_output=True,
                text=True,
                **options,
            )
            return run, sorted(each.name for each in pathlib.Path(folder).iterdir())

    GOOD = (
        'storage "lmdb" {\n  path = "FOLDER/data"\n}\n'
        'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\n'
        'audit "file" "main" {\n  options { file_path = "FOLDER/audit.log" }\n}\n'
        "disable_mlock = true\n"
    )

    def test_a_configuration_is_tried_and_nothing_is_left_behind(self):
        run, left = self.check_configuration(self.GOOD)
        self.assertEqual((run.returncode, left), (0, ["c.hcl"]), run.stderr)
        self.assertIn("the configuration is good", run.stdout)

    def test_a_configuration_that_is_tried_tells_what_has_no_effect(self):
        text = self.GOOD + "unsafe_allow_api_audit_creation = true\n"
        run, _ = self.check_configuration(text)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("unsafe_allow_api_audit_creation", run.stderr + run.stdout)

    def test_all_errors_of_a_file_are_told_at_once(self):
        run, left = self.check_configuration(
            'storage "lmdb" {\n  pth = "FOLDER/data"\n}\n'
            'listener "tcp" {\n  adress = "127.0.0.1:0"\n  tls_disable = "maybe"\n}\n'
            'seal "pkcs11" {\n  lab = "x"\n}\n'
            'max_lease_ttl = "10 parsecs"\nuii = true\n'
        )
        self.assertEqual((run.returncode, left), (1, ["c.hcl"]), run.stderr)
        for what in ("pth", "adress", "tls_disable", "lab", "max_lease_ttl", "uii"):
            self.assertIn(f'"{what}"', run.stderr)

    def test_a_configuration_is_tried_beside_the_running_server(self):
        vault = Vault()
        vault.start()
        try:
            run = subprocess.run(
                [BIN / "leaseholdd", "-test-server-config", f"-config={vault.folder}/config.hcl"],
                capture_output=True,
                text=True,
            )
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(vault.call("GET", "sys/seal-status", token="").status, 200)
        finally:
            vault.stop()
            vault.owned.remove()

    def test_what_the_start_and_init_would_trip_over_is_found(self):
        bad = (
            self.GOOD.replace("FOLDER/audit.log", "/nowhere/audit.log").replace(
                "tls_disable = true",
                'tls_cert_file = "/nowhere/c.pem"\n  tls_key_file = "/nowhere/k.pem"',
            )
            + 'seal "static" {\n  current_key_id = "1"\n  current_key = "file:///nowhere/key"\n}\n'
        )
        run, left = self.check_configuration(bad)
        self.assertEqual((run.returncode, left), (1, ["c.hcl"]))
        for said in ("audit file /nowhere/audit.log does not exist: make it", "/nowhere/c.pem", "static"):
            self.assertIn(said, run.stderr)

    def test_an_audit_path_that_is_no_file_is_found_and_holds_up_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/audit.log"
            listener = socket.socket(socket.AF_UNIX)
            self.addCleanup(listener.close)
            makers = {
                "FIFO": lambda: os.mkfifo(path),
                "socket": lambda: listener.bind(path),
                "folder": lambda: os.mkdir(path),
                "link": lambda: os.symlink("/dev/null", path),
            }
            for kind, make in makers.items():
                with self.subTest(kind):
                    make()
                    run, _ = self.check_configuration(
                        self.GOOD.replace("FOLDER/audit.log", path), timeout=60
                    )
                    self.assertEqual(run.returncode, 1, run.stdout)
                    self.assertRegex(run.stderr, "not a regular file|symbolic link")
                    (os.rmdir if kind == "folder" else os.unlink)(path)

    def test_an_audit_log_of_another_vault_is_named_before_init(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "audit.log")
            log.write_text("a line\n")
            run, _ = self.check_configuration(self.GOOD.replace("FOLDER/audit.log", str(log)))
            self.assertIn("until the log is moved aside", run.stderr + run.stdout)
            self.assertEqual(log.read_text(), "a line\n")

    def test_all_mistakes_of_a_configuration_are_told_at_once(self):
        bad = self.GOOD.replace("  path =", "  pth =").replace("tls_disable", "tls_disabel")
        run, _ = self.check_configuration(bad + 'log_level = "WARNING"\n')
        self.assertEqual(run.returncode, 1)
        for said in ('c.hcl:2:3: unknown key "pth"', 'c.hcl:6:3: unknown key "tls_disabel"'):
            self.assertIn(said, run.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a folder away")
    def test_root_is_told_whom_to_run_it_as(self):
        nobody = pwd.getpwnam("nobody")
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "data").mkdir(0o700)
            os.chown(pathlib.Path(folder, "data"), nobody.pw_uid, nobody.pw_gid)
            config = pathlib.Path(folder, "c.hcl")
            config.write_text(self.GOOD.replace("FOLDER", folder))
            for command in ([], ["restore-backup", "no-file"]):
                run = subprocess.run(
                    [BIN / "leaseholdd", *command, f"-config={config}"],
                    capture_output=True,
                    text=True,
                )
                self.assertEqual(run.returncode, 1)
                self.assertIn("run it as that user: `sudo -u 'nobody' leaseholdd", run.stderr)
                self.assertNotIn("chown", run.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can stand in for another user")
    def test_root_asks_as_the_user_of_the_service(self):
        nobody = pwd.getpwnam("nobody")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            data = pathlib.Path(folder, "data")
            data.mkdir(0o700)
            os.chown(data, nobody.pw_uid, nobody.pw_gid)
            run, _ = self.check_configuration(
                self.GOOD.replace("FOLDER/data", str(data)).replace(
                    "FOLDER/audit.log", f"{folder}/audit.log"
                )
            )
            self.assertEqual(run.returncode, 1, run.stdout)
            self.assertIn("checked as the user nobody", run.stdout)
            self.assertIn("audit.log cannot be written", run.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can stand in for another user")
    def test_files_that_root_left_behind_are_found_as_the_start_would(self):
        nobody = pwd.getpwnam("nobody")
        for name in ("owner.lock", "data.mdb", "keyhost/mark"):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                os.chmod(folder, 0o755)
                data = pathlib.Path(folder, "data")
                file = data / name
                file.parent.mkdir(0o700, parents=True)
                for one in {data, file.parent}:
                    os.chown(one, nobody.pw_uid, nobody.pw_gid)
                    one.chmod(0o700)
                file.touch(0o600)
                (data / "lost+found").mkdir(0o700)  # of the file system, and no matter
                text = self.GOOD.replace("FOLDER/data", str(data)).replace(
                    "FOLDER/audit.log", "/tmp/audit-of-nobody.log"
                )
                run, _ = self.check_configuration(text)
                self.assertEqual(run.returncode, 1, run.stdout)
                said = f"cannot use {file}: Permission denied, it belongs to user 0; run `chown -R"
                self.assertIn(said, run.stderr)
                config = pathlib.Path(folder, "c.hcl")
                config.write_text(text)
                start = subprocess.run(
                    [BIN / "leaseholdd", f"-config={config}"],
                    capture_output=True,
                    text=True,
                    user=nobody.pw_uid,
                    group=nobody.pw_gid,
                    timeout=30,
                )
                self.assertIn(said, start.stderr)

    def test_the_log_of_another_vault_is_named_beside_a_store_that_was_never_initialized(self):
        vault = Vault()
        self.addCleanup(lambda: vault.__exit__(None, None, None))
        vault.start()
        vault.stop()
        self.assertTrue((vault.data / "data.mdb").exists())
        vault.audit.write_text("a line\n")
        run = subprocess.run(
            [BIN / "leaseholdd", "-test-server-config", f"-config={vault.config}"],
            capture_output=True,
            text=True,
        )
        self.assertIn("until the log is moved aside", run.stderr + run.stdout)

    def start_dev(self, *flags):
        vault = Vault()
        vault.token = "root"
        home = vault.folder / "home"
        home.mkdir()
        with open(vault.log, "ab") as log:
            vault.process = mortal(
                [
                    BIN / "leasehold",
                    "server",
                    "-dev-root-token-id=root",
                    f"-dev-listen-address=127.0.0.1:{vault.port}",
                    *flags,
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(home)},
            )
        return vault

    def test_dev_mode_may_begin_with_version_1(self):
        vault = self.start_dev("-dev", "-dev-kv-v1")
        try:
            wait_until("dev mode answers", lambda: vault.cli("status").returncode == 0)
            vault.must("POST", "secret/a", {"k": "v"})
            self.assertEqual(vault.read("secret/a"), {"k": "v"})
        finally:
            vault.stop()
            vault.owned.remove()

    def test_dev_mode_makes_a_certificate(self):
        vault = self.start_dev("-dev-tls")
        try:

            def said():
                return vault.log.read_text(errors="replace")

            wait_until("dev mode says its authority", lambda: "VAULT_CACERT='" in said())
            authority = re.search(r"VAULT_CACERT='(.*)'", said()).group(1)
            context = ssl.create_default_context(cafile=authority)

            def health():
                try:
                    with urllib.request.urlopen(
                        f"https://localhost:{vault.port}/v1/sys/health", context=context
                    ) as answer:
                        return answer.headers["Strict-Transport-Security"]
                except OSError:
                    return None

            wait_until("dev mode answers over TLS", health)
            self.assertIn("max-age=", health())
        finally:
            vault.stop()
            vault.owned.remove()
        self.assertFalse(os.path.exists(authority))

    @memory_is_its_own
    def test_without_memory_there_is_a_message(self):
        small = (60 << 20, 60 << 20)
        run = subprocess.run(
            [BIN / "leasehold", "policy", "fmt", "-"],
            input=b"a" * 25_000_000,
            capture_output=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, small),
        )
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr, b"Error: there is not enough memory\n")

    def test_configuration_mistakes_name_file_and_line(self):
        for wrong, said in (
            ('listner "tcp" {}', "listner"),
            ('max_lease_ttl = "soon"', "max_lease_ttl"),
            ("storage {", ""),
        ):
            vault = Vault(extra=wrong)
            with self.subTest(wrong), self.assertRaisesRegex(
                AssertionError, rf"config\.hcl:\d+.*{said}"
            ):
                vault.start()
            vault.process = None
            vault.owned.remove()


if __name__ == "__main__":
    unittest.main(verbosity=1)
