"""A PostgreSQL of our own."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from .process import PATIENCE, Folder, find, free_port, wait_until


class Postgres:
    """A server with a database `app`, a group role `app_ro`, and a manager that is no superuser."""

    MANAGER, PASSWORD = "vault_manager", "manager-password"

    def __init__(self):
        self.owned = Folder()
        self.folder = self.owned.path
        self.port = free_port()
        self.url = self.url_at(self.port)
        installed = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=None)
        self.bin = pathlib.Path(os.environ.get("LEASEHOLD_POSTGRES_BIN", installed or ""))
        assert (self.bin / "initdb").exists(), "PostgreSQL is not installed; `scripts/setup test` installs it"
        self.process = None

    @staticmethod
    def url_at(port) -> str:
        """The `connection_url` of a database/config."""
        return f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/app?sslmode=disable"

    def unprivileged(self):
        if os.getuid() != 0:
            return []
        return [find("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def run(self, program, *arguments):
        subprocess.run(
            [*self.unprivileged(), str(self.bin / program), *arguments],
            check=True,
            capture_output=True,
            cwd=self.folder,
        )

    def make_home(self):
        home = self.folder / "pg"
        home.mkdir(mode=0o700)
        if os.getuid() == 0:
            shutil.chown(home, "postgres", "postgres")
        return home

    def __enter__(self):
        home = self.make_home()
        self.run(
            *("initdb", "-D", str(home / "data"), "-U", "admin", "--no-sync"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C"),
        )
        self.start()
        self.sql(f"""create role {self.MANAGER} login createrole password '{self.PASSWORD}';
            grant pg_signal_backend to {self.MANAGER}; create role app_ro nologin;
            grant app_ro to {self.MANAGER} with admin option""")
        self.sql("create database app")
        self.sql(
            "create table notes (text text); insert into notes values ('hello');"
            " grant select on notes to app_ro",
            database="app",
        )
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(PATIENCE)
        self.owned.remove()

    def start(self):
        home = self.folder / "pg"
        with open(self.folder / "log", "ab") as log:
            # setpriv twice: changing the user clears the death signal, so it is set behind it.
            self.process = subprocess.Popen(
                [
                    *self.unprivileged(),
                    *(find("setpriv"), "--pdeathsig", "QUIT"),
                    *(str(self.bin / "postgres"), "-D", str(home / "data")),
                    *("-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}"),
                    *("-c", f"unix_socket_directories={home}"),
                    *("-c", "fsync=off", "-c", "max_connections=100"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        wait_until("PostgreSQL answers", lambda: self.psql("select 1", check=False).returncode == 0)

    @contextlib.contextmanager
    def copy(self, *options):
        """A physical copy of this server, which runs beside it; with "-R" as its standby."""
        other = Postgres()
        try:
            home = other.make_home()
            other.run(
                *("pg_basebackup", *options, "-D", str(home / "data")),
                *("-h", str(self.folder / "pg"), "-p", str(self.port), "-U", "admin"),
                *("-c", "fast", "-X", "stream", "--no-sync"),
            )
            other.start()
            yield other
        finally:
            other.__exit__()

    def kill(self):
        """As a power cut does: the postmaster and, because it is gone, its children."""
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], text=True, capture_output=True
        ).stdout.split()
        self.process.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        self.process.wait()
        # Its successor refuses to start while a child still holds the shared memory.
        wait_until(
            "the children are gone",
            lambda: not any(pathlib.Path(f"/proc/{c}").exists() for c in children),
        )

    def psql(self, sql, database="postgres", user=None, password=None, check=True):
        host = str(self.folder / "pg") if user is None else "127.0.0.1"
        return subprocess.run(
            [
                *(find("psql", str(self.bin)), "-XAtq", "-v", "ON_ERROR_STOP=1"),
                *("-h", host, "-p", str(self.port), "-U", user or "admin", "-d", database),
                *("-c", sql),
            ],
            text=True,
            capture_output=True,
            check=check,
            timeout=60,
            env={**os.environ, "PGPASSWORD": password or "", "PGCONNECT_TIMEOUT": "10"},
        )

    def sql(self, sql, database="postgres") -> list:
        run = self.psql(sql, database, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout.split()

    def logs_in(self, user, password) -> bool:
        return self.psql("select 1", "app", user, password, check=False).returncode == 0

    def accounts(self) -> set:
        """Every role that a vault made here."""
        return set(self.sql("select rolname from pg_roles where rolname like 'v-%'"))

    def configure(self, vault, mount="database", role="app", ttl="1h", **extra):
        vault.write(f"sys/mounts/{mount}", {"type": "database"})
        vault.write(
            f"{mount}/config/pg",
            {
                "plugin_name": "postgresql-database-plugin",
                "allowed_roles": "*",
                "connection_url": self.url,
                "username": self.MANAGER,
                "password": self.PASSWORD,
            },
        )
        vault.write(
            f"{mount}/roles/{role}",
            {
                "db_name": "pg",
                "default_ttl": ttl,
                "max_ttl": "24h",
                "creation_statements": [
                    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"
                    ' GRANT app_ro TO "{{name}}"'
                ],
                **extra,
            },
        )
