"""The audit log: whole after any kill, tampering is named, and no secret is in it or anywhere else on disk."""

import hashlib
import http.client
import json
import random
import threading
import time
import unittest

from vaultproc import Vault, random_text, wait_until


class Audit(unittest.TestCase):
    def verify(self, vault, *files):
        return vault.cli("audit", "verify", *map(str, files or [vault.audit]))

    def lines(self, vault) -> list:
        return [json.loads(line) for line in vault.audit.read_text().splitlines()]

    def test_each_request_leaves_two_lines_that_name_it(self):
        with Vault() as vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            answer = vault.must("POST", "secret/a", {"k": "v"})
            self.assertEqual(answer.status, 204)
            refused = vault.call("GET", "secret/b", token="hvs.wrong")
            self.assertEqual(refused.status, 403)
            read = vault.must("GET", "secret/a").json["request_id"]
            lines = self.lines(vault)
            self.assertEqual(
                [x["type"] for x in lines if x.get("request", {}).get("id") == read],
                ["request", "response"],
            )
            self.assertTrue(
                [
                    x
                    for x in lines
                    if x["type"] == "response" and x.get("request", {}).get("path") == "secret/b"
                ]
            )
            self.assertEqual(
                [x["seq"] for x in lines],
                list(range(lines[0]["seq"], lines[0]["seq"] + len(lines))),
            )
            result = self.verify(vault)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_it_is_whole_after_every_kill(self):
        choose = random.Random()
        with Vault() as vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            acknowledged = []
            for _ in range(5):
                stop = threading.Event()

                def work():
                    while not stop.is_set():
                        name = random_text()
                        try:
                            if (
                                vault.call("POST", f"secret/{name}", {"k": "v"}, timeout=10).status
                                == 204
                            ):
                                acknowledged.append(name)
                        except (OSError, http.client.HTTPException):
                            pass

                threads = [threading.Thread(target=work) for _ in range(4)]
                for thread in threads:
                    thread.start()
                time.sleep(choose.uniform(0.1, 0.5))
                vault.kill()
                stop.set()
                for thread in threads:
                    thread.join()
                vault.start().unseal()
            self.assertGreater(len(acknowledged), 50)
            stored = set(vault.list("secret"))
            self.assertEqual(set(acknowledged) - stored, set(), "acknowledged and lost")
            vault.stop()
            result = self.verify(vault)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            recorded = vault.audit.read_text()
            missing = [name for name in stored if f"secret/{name}" not in recorded]
            self.assertEqual(missing, [], "stored without a record")
            vault.start().unseal()

    def test_tampering_is_found_and_named(self):
        with Vault() as vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            for number in range(20):
                vault.write(f"secret/{number}", {"k": "v"})
            vault.stop()
            lines = vault.audit.read_text().splitlines(keepends=True)
            middle = len(lines) // 2
            self.assertEqual(self.verify(vault).returncode, 0)
            changed = lines[middle].replace('"type"', '"typE"', 1)
            for what, forged in {
                "a changed line": lines[:middle] + [changed] + lines[middle + 1 :],
                "a removed line": lines[:middle] + lines[middle + 1 :],
                "two swapped lines": lines[:middle]
                + [lines[middle + 1], lines[middle]]
                + lines[middle + 2 :],
                "a doubled line": lines[:middle] + [lines[middle]] + lines[middle:],
            }.items():
                with self.subTest(what):
                    copy = vault.folder / "forged.log"
                    copy.write_text("".join(forged))
                    result = self.verify(vault, copy)
                    self.assertNotEqual(result.returncode, 0, result.stdout)
                    self.assertRegex(
                        result.stdout + result.stderr, rf"forged\.log:({middle + 1}|{middle + 2})\b"
                    )
            vault.start().unseal()

    def test_a_log_that_was_forged_while_the_server_was_down_is_not_continued(self):
        with Vault() as vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            for number in range(20):
                vault.write(f"secret/{number}", {"k": "v"})
            # The store remembers what is on disk with the next commit.

            def signed():
                return vault.audit.read_bytes().count(b'"type":"checkpoint"')

            before = signed()
            wait_until("they are signed, and so on disk", lambda: signed() > before, 10)
            vault.write("secret/last", {"k": "v"})
            vault.kill()
            lines = vault.audit.read_bytes().splitlines()
            forged = lines[: len(lines) // 2]
            while len(forged) < len(lines) + 20:
                last = json.loads(forged[-1])
                body = b"{" + forged[-1].split(b",", 2)[2]
                previous = hashlib.sha256(
                    bytes.fromhex(last["prev"])
                    + last["seq"].to_bytes(8, "big")
                    + hashlib.sha256(b"\0" + body).digest()
                ).hexdigest()
                forged.append(
                    b'{"seq":%d,"prev":"%s","time":"t","type":"request"}'
                    % (last["seq"] + 1, previous.encode())
                )
            vault.audit.write_bytes(b"".join(line + b"\n" for line in forged))
            vault.start()
            self.assertGreaterEqual(
                vault.call("POST", "sys/unseal", {"key": vault.keys[0]}).status, 400
            )
            self.assertIn("changed while the server was down", vault.log.read_text())
            self.assertIn("move the file away", vault.log.read_text())
            before = vault.audit.rename(vault.folder / "forged.log")
            vault.unseal()
            vault.write("secret/after", {"k": "v"})
            vault.stop()
            self.assertEqual(self.verify(vault).returncode, 0)
            self.assertNotEqual(self.verify(vault, before, vault.audit).returncode, 0)
            vault.start().unseal()

    def test_a_log_that_was_cut_while_the_server_was_down_never_verifies_again(self):
        with Vault() as vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            for number in range(20):
                vault.write(f"secret/{number}", {"k": "v"})
            vault.stop()
            lines = vault.audit.read_text().splitlines(keepends=True)
            vault.audit.write_text("".join(lines[:20]))
            vault.start().unseal()
            vault.write("secret/after", {"k": "v"})
            vault.stop()
            self.assertIn("somebody cut it", vault.log.read_text())
            result = self.verify(vault)
            self.assertEqual(result.returncode, 2, result.stdout)
            self.assertIn(f"held lines up to {len(lines)} and was cut behind 20", result.stderr)

    def test_a_folder_that_is_moved_away_takes_no_more_lines(self):
        with Vault() as vault:
            key = vault.init()["audit_public_key"]
            vault.unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            away = vault.audit.parent.rename(vault.folder / "away") / vault.audit.name

            def works():
                health = vault.must("GET", "sys/health", token="").json
                return health.get("leasehold_audit_works", True)

            wait_until("health says that nothing is recorded", lambda: not works())
            self.assertEqual(vault.call("POST", "secret/refused", {"k": "v"}).status, 500)
            vault.audit.parent.mkdir(mode=0o700)
            wait_until("a new file is begun", works)
            vault.write("secret/after", {"k": "v"})
            vault.stop()
            begins = json.loads(vault.audit.read_text().splitlines()[0])
            self.assertEqual(begins["type"], "continued")
            self.assertNotIn("secret/after", away.read_text())
            result = self.verify(vault, f"-public-key={key}", away, vault.audit)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertEqual(self.verify(vault, f"-public-key={key}", vault.audit).returncode, 0)
            vault.start().unseal()

    def test_nothing_is_continued_behind_an_orderly_end(self):
        with Vault() as vault:
            vault.init_and_unseal()
            vault.write("sys/mounts/secret", {"type": "kv"})
            vault.stop()
            good = vault.audit.read_bytes()
            end = good.splitlines()[-1]
            last = json.loads(end)
            previous = hashlib.sha256(
                bytes.fromhex(last["prev"])
                + last["seq"].to_bytes(8, "big")
                + hashlib.sha256(b"\0{" + end.split(b",", 2)[2]).digest()
            ).hexdigest()
            line = '{"seq":%d,"prev":"%s","time":"t","type":"request"}\n' % (
                last["seq"] + 1,
                previous,
            )
            vault.audit.write_bytes(good + line.encode())
            self.assertEqual(self.verify(vault).returncode, 2)
            vault.start()
            refused = vault.call("POST", "sys/unseal", {"key": vault.keys[0]})
            self.assertGreaterEqual(refused.status, 400)
            self.assertIn("changed while the server was down", vault.log.read_text())
            vault.audit.write_bytes(good)
            vault.unseal()
            vault.stop()
            self.assertEqual(self.verify(vault).returncode, 0)

    def test_no_secret_reaches_the_log_and_no_name_the_store(self):
        secret, name, folder = ("canary" + random_text(20) for _ in range(3))
        with Vault(extra='log_level = "trace"') as vault:
            init = vault.init()
            vault.unseal()
            vault.write(f"sys/mounts/{folder}", {"type": "kv"})
            vault.write(f"{folder}/{name}", {"password": secret, "deep": {"list": [secret]}})
            vault.read(f"{folder}/{name}")
            child = vault.new_token(ttl="1h")
            vault.call("GET", f"{folder}/{name}", token="hvs." + secret)
            vault.call("POST", f"{folder}/{name}", raw=b'{"broken": "' + secret.encode())
            vault.call("POST", f"{folder}/{name}/", {"password": secret})
            vault.stop()
            log, store = (
                vault.audit.read_bytes() + vault.log.read_bytes(),
                b"".join(
                    p.read_bytes()
                    for p in vault.data.rglob("*")
                    if p.is_file() and "ballast" not in p.name
                ),
            )
            # assertNotIn would print the whole log.
            for what in (secret, vault.token, child, *init["keys"], *init["keys_base64"]):
                self.assertFalse(what.encode() in log, f"{what} is in a log")
                self.assertFalse(what.encode() in store, f"{what} is in the store")
            for what in (name, folder):
                self.assertFalse(what.encode() in store, f"the name {what} is in the store")
            self.assertTrue(b"hmac-sha256:" in log)
            vault.start().unseal()

    def test_without_a_log_a_lasting_store_does_not_start(self):
        vault = Vault(audit=False)
        vault.config.write_text(vault.config.read_text().replace("audit_required = false", ""))
        with self.assertRaisesRegex(AssertionError, 'audit "file"'):
            vault.start()
        self.assertIsNotNone(vault.process.poll())
        vault.process = None
        vault.owned.remove()


if __name__ == "__main__":
    unittest.main(verbosity=1)
