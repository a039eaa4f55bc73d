"""A pgbouncer of our own."""

import os
import shutil
import subprocess

from .process import PATIENCE, Folder, find, free_port, wait_until

# What pgbouncer asks the server of a user.
LOOK = """create role pooler login password 'pooler';
    create function public.pooler_look(text) returns table(username text, password text)
    language sql security definer as $$ select rolname::text, rolpassword from pg_authid where rolname = $1 $$;
    revoke all on function public.pooler_look from public;
    grant execute on function public.pooler_look to pooler"""


class Pooler:
    """Before a Postgres. `asks`: the server for passwords; else it knows its own list alone, with the manager's."""

    def __init__(self, postgres, mode="session", asks=True, database="app", **options):
        self.owned = Folder()
        self.folder, self.port = self.owned.path, free_port()
        known = {"pooler": "pooler"} if asks else {postgres.MANAGER: postgres.PASSWORD}
        if asks:
            postgres.sql(LOOK, database="app")
            options = {
                "auth_user": "pooler",
                "auth_query": "select * from public.pooler_look($1)",
                **options,
            }
        users = {**known, "operator": "operator"}
        (self.folder / "users").write_text("".join(f'"{u}" "{p}"\n' for u, p in users.items()))
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": self.folder / "users",
            "admin_users": "operator",
            "pool_mode": mode,
            "server_login_retry": 1,
            **options,
        }
        (self.folder / "ini").write_text(
            f"[databases]\n{database} = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\n"
            + "".join(f"{key} = {value}\n" for key, value in lines.items())
        )
        self.unprivileged = postgres.unprivileged()
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, "postgres", "postgres")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
        self.owned.remove()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            # The death signal behind setpriv, which clears it.
            self.process = subprocess.Popen(
                [
                    *self.unprivileged,
                    *(find("setpriv"), "--pdeathsig", "KILL"),
                    *(find("pgbouncer"), str(self.folder / "ini")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until("pgbouncer answers", lambda: self.order("show version").returncode == 0)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def order(self, what):
        """Of its operator: kill, reconnect ..."""
        return subprocess.run(
            [
                *(find("psql"), "-XAtq", "-h", "127.0.0.1", "-p", str(self.port)),
                *("-U", "operator", "-d", "pgbouncer", "-c", what),
            ],
            capture_output=True,
            env={**os.environ, "PGPASSWORD": "operator", "PGCONNECT_TIMEOUT": "10"},
        )
