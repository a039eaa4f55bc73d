"""docs/runbook.md and "Use it" of README.md: their commands, as they stand there, on a real vault."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

from vaultproc import BIN, Postgres, Vault, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]


def blocks(page, heading) -> list:
    """The shell lines below a heading of a page, block by block."""
    section = re.split(rf"^## {heading}\n", (ROOT / page).read_text(), flags=re.M)[1]
    return re.findall(r"^```sh\n(.*?)^```", section.split("\n## ", 1)[0], re.DOTALL | re.M)


class Pages(unittest.TestCase):
    def setUp(self):
        self.vault = Vault()
        self.enterContext(self.vault)
        self.vault.init_and_unseal()

    def run_block(self, script, replaced=(), **environment) -> str:
        for old, new in replaced:
            self.assertIn(old, script)
            script = script.replace(old, new)
        variables = self.vault.cli_environment(None, environment)
        answer = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=self.vault.audit.parent,
            env={**variables, "PATH": f"{BIN}:{os.environ['PATH']}"},
        )
        self.assertEqual(answer.returncode, 0, f"{script}\n{answer.stdout}{answer.stderr}")
        return answer.stdout

    def lives(self, token) -> bool:
        return self.vault.call("GET", "auth/token/lookup-self", token=token).status == 200

    def issue(self, token):
        answer = self.vault.call("GET", "database/creds/app", token=token)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def leases(self) -> set:
        return {f"database/creds/app/{one}" for one in self.vault.list("sys/leases/lookup/database/creds/app")}


class Readme(Pages):
    def test_the_first_steps(self):
        secrets, database, *_ = blocks("README.md", "Use it")
        vault = self.vault
        said = self.run_block(secrets, [("api_key=...", "api_key=k1")])
        self.assertIn("k1", said)
        token = re.search(r"^token +(\S+)$", said, re.M).group(1)
        self.assertEqual(vault.call("GET", "secret/data/app", token=token).status, 200)
        self.assertEqual(vault.call("GET", "secret/data/other", token=token).status, 403)
        with Postgres() as postgres:
            postgres.sql("create role vault login createrole password 'x';"
                         " grant app_ro to vault with admin option; grant pg_signal_backend to vault")
            where = ("db.example:5432/app", f"127.0.0.1:{postgres.port}/app?sslmode=disable")
            self.run_block(database, [where, ("password=...", "password=x")])
            self.assertEqual(vault.call("GET", "database/creds/app", token=token).status, 200)

    def test_the_policies_of_machines_and_people_are_there(self):
        secrets, *_, logins = blocks("README.md", "Use it")
        self.run_block(secrets, [("api_key=...", "api_key=k1")])
        ids = 'role_id="$(cat role_id)" secret_id="$(cat secret_id)"'
        self.run_block(
            logins,
            [
                ("role_id auth/approle/role/app/role-id", "role_id auth/approle/role/app/role-id | tee role_id"),
                ("role/app/secret-id\n", "role/app/secret-id | tee secret_id\n"),
                ("role_id=... secret_id=...", ids),
                ("password=...", "password=correct-horse"),
                ("username=ann", "username=ann password=correct-horse"),
            ],
        )
        for name in re.findall(r"token_policies=(\w+)", logins):
            self.assertEqual(self.vault.cli("policy", "read", name).returncode, 0, name)


class Runbook(Pages):
    def setUp(self):
        super().setUp()
        self.postgres = self.enterContext(Postgres())
        self.postgres.configure(self.vault)
        app = 'path "database/creds/app" { capabilities = ["read"] }\n'
        makes = 'path "auth/token/create*" { capabilities = ["update", "sudo"] }\n'
        self.vault.write("sys/policies/acl/app", {"policy": app + makes})
        for method in ("approle", "userpass"):
            self.vault.write(f"sys/auth/{method}", {"type": method})

    def log_in_by_role(self, role) -> str:
        vault = self.vault
        vault.write(f"auth/approle/role/{role}", {"token_policies": "app"})
        ids = {
            "role_id": vault.read(f"auth/approle/role/{role}/role-id")["role_id"],
            "secret_id": vault.write(f"auth/approle/role/{role}/secret-id").data["secret_id"],
        }
        return vault.write("auth/approle/login", ids).json["auth"]["client_token"]

    def log_in_by_name(self, name) -> str:
        self.vault.write(f"auth/userpass/users/{name}", {"password": "correct", "token_policies": "app"})
        answer = self.vault.write(f"auth/userpass/login/{name}", {"password": "correct"})
        return answer.json["auth"]["client_token"]

    def made_by(self, token, **options) -> str:
        made = self.vault.write("auth/token/create", options, token=token)
        return made.json["auth"]["client_token"]

    def run_part(self, heading, which, replaced=(), **environment):
        return self.run_block(blocks("docs/runbook.md", heading)[which], replaced, **environment)

    def test_a_leaked_root_token(self):
        leaked = self.made_by(None, policies=["root"], no_parent=True)
        child, orphan = self.made_by(leaked), self.made_by(leaked, no_parent=True)
        lease = self.issue(leaked)["lease_id"]
        self.run_part("A leaked root token", 0, LEAKED=leaked)
        self.assertEqual([self.lives(one) for one in (leaked, child, orphan)], [False, False, True])
        wait_until("the account is gone", lambda: lease not in self.leases())
        said = self.run_part("A leaked root token", 1, LEAKED=leaked)
        rows = [line.split("\t") for line in said.splitlines()]
        self.assertEqual(
            [row[3] for row in rows],
            ["auth/token/create"] * 2
            + ["database/creds/app", "auth/token/revoke-self", "auth/token/lookup-self"],
        )
        self.assertIn("permission denied", rows[-1][4])
        self.assertEqual({row[1] for row in rows}, {"127.0.0.1"})

    def test_a_stolen_runner(self):
        stolen, other = self.log_in_by_role("app"), self.log_in_by_role("other")
        for which, gone in ((1, [stolen]), (0, [stolen, other])):
            leases = {one: self.issue(one)["lease_id"] for one in (stolen, other) if self.lives(one)}
            self.run_part("A stolen runner", which)
            self.assertEqual([one for one in (stolen, other) if not self.lives(one)], gone)
            ended = {lease for one, lease in leases.items() if one in gone}
            wait_until("the accounts are gone", lambda all=ended: not all & self.leases())
        self.assertEqual(self.vault.list("auth/approle/role/app/secret-id"), [])
        self.assertEqual(len(self.vault.list("auth/approle/role/other/secret-id")), 1)

    def test_a_departed_user(self):
        ann, anna = self.log_in_by_name("ann"), self.log_in_by_name("anna")
        child, orphan = self.made_by(ann), self.made_by(ann, no_parent=True)
        lease = self.issue(child)
        self.run_part("A departed user", 0)
        self.assertEqual(
            [self.lives(one) for one in (ann, child, orphan, anna)], [False, False, True, True]
        )
        self.assertFalse(self.postgres.logs_in(lease["data"]["username"], lease["data"]["password"]))
        rows = [line.split("\t") for line in self.run_part("The tokens that live", 0).splitlines()]
        (found,) = (row for row in rows if row[3] == "auth/token/create")
        self.assertEqual(found[5], "True")
        self.assertIn("anna", {row[4] for row in rows})
        hashed = self.vault.must("POST", "sys/audit-hash/main", {"input": found[0]}).data["hash"]
        self.assertIn(f'"accessor":"{hashed}"', self.vault.audit.read_text())
        self.vault.write("auth/token/revoke-accessor", {"accessor": found[0]})
        self.assertFalse(self.lives(orphan))

    def test_what_deleting_leaves_alive(self):
        vault = self.vault
        by_role, by_secret = self.log_in_by_role("app"), self.log_in_by_role("more")
        by_name = self.log_in_by_name("ann")
        orphan = self.made_by(by_name, no_parent=True)
        lease = self.issue(by_role)
        for path in ("auth/approle/role/app", "auth/userpass/users/ann", "database/roles/app", "database/config/pg"):
            vault.must("DELETE", path)
        secret = vault.list("auth/approle/role/more/secret-id")[0]
        vault.write("auth/approle/role/more/secret-id-accessor/destroy", {"secret_id_accessor": secret})
        renewed = [
            (vault.call("POST", "auth/token/renew-self", token=one).json or {}).get("auth")
            for one in (by_role, by_secret, by_name)
        ]
        self.assertEqual([bool(one) for one in renewed], [False, True, False])
        self.assertTrue(all(self.lives(one) for one in (by_role, by_secret, by_name)))
        vault.write("sys/leases/renew", {"lease_id": lease["lease_id"]})
        vault.must("DELETE", "sys/auth/userpass")
        self.assertEqual([self.lives(one) for one in (by_name, orphan)], [False, True])
        vault.must("DELETE", "sys/mounts/database")
        account = lease["data"]["username"], lease["data"]["password"]
        self.assertFalse(self.postgres.logs_in(*account))

    def test_a_restored_database(self):
        vault, postgres = self.vault, self.postgres
        ended, lost = self.issue(vault.token), None
        with self.database_put_back():
            vault.write("database/rotate-root/pg")
            vault.write("sys/leases/revoke", {"lease_id": ended["lease_id"], "sync": True})
            lost = self.issue(vault.token)
        account = ended["data"]["username"], ended["data"]["password"]
        self.assertTrue(postgres.logs_in(*account))
        postgres.sql(f"alter role {postgres.MANAGER} password 'set-anew'")
        orders = ("config/orders password=...", "config/pg password=set-anew")
        self.run_part("A restored database", 0, [orders, ("rotate-root/orders", "rotate-root/pg")])
        self.run_part("A restored database", 1)
        self.assertFalse(postgres.logs_in(*account))
        self.assertNotIn(lost["lease_id"], self.leases())
        self.issue(vault.token)

    @contextlib.contextmanager
    def database_put_back(self):
        """What is done to the database inside is undone, as by a restore."""
        postgres = self.postgres
        data = postgres.folder / "pg" / "data"
        kept = data.with_name("kept")
        self.stop_database()
        shutil.copytree(data, kept, symlinks=True)
        for folder, folders, files in os.walk(kept):
            for name in (".", *folders, *files):
                os.chown(os.path.join(folder, name), data.stat().st_uid, data.stat().st_gid)
        postgres.start()
        yield
        self.stop_database()
        shutil.rmtree(data)
        kept.rename(data)
        postgres.start()

    def stop_database(self):
        self.postgres.process.send_signal(signal.SIGINT)
        self.postgres.process.wait()

    def test_a_full_disk(self):
        self.vault.write("sys/mounts/secret", {"type": "kv"})
        folders = f"{self.vault.data} {self.vault.audit.parent}"
        said = self.run_part(
            "A full disk",
            0,
            [("/var/lib/leasehold /var/log/leasehold", folders), ("/var 2>", f"{self.vault.folder} 2>")],
        )
        self.assertIn(str(self.vault.data), said)
        self.run_part("A full disk", 1)


if __name__ == "__main__":
    unittest.main()
