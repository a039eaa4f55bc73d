"""The real programs, started for one test and stopped with it.

    with Vault() as vault:                    # LMDB, an audit file, Shamir 1 of 1, plain loopback HTTP
        vault.init_and_unseal()
        vault.write("secret/a", {"x": "1"})   # refuses anything but success
        answer = vault.call("GET", "secret/a")
        assert answer.status == 200 and answer.data == {"x": "1"}

Also PostgreSQL, a TPM (swtpm) and an HSM (SoftHSM), each in a folder of its own, on a loopback port or a
socket in that folder, as an unprivileged user where root is refused. Whatever is missing raises: a test
without its real counterpart fails. Everything dies with the process that started it.
"""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build"
BIN = pathlib.Path(os.environ.get("LEASEHOLD_BIN", BUILD / "release")).absolute()
CLIENTS = pathlib.Path(os.environ.get("LEASEHOLD_CLIENTS", BUILD / "clients")).absolute()
PATIENCE = 30.0  # seconds before a wait becomes a failure; sanitizers on a busy machine need them


def wait_until(what: str, true, seconds: float = PATIENCE, pause: float = 0.02):
    """Returns the first truthy answer of `true`, or fails naming `what`."""
    end = time.monotonic() + seconds
    while True:
        if answer := true():
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def free_port() -> int:
    """Below the range that the kernel hands out by itself, so that nobody else gets it meanwhile."""
    for _ in range(200):
        port = random.SystemRandom().randrange(20000, 32000)
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def find(program: str, *folders: str) -> str:
    found = shutil.which(
        program, path=os.pathsep.join([*folders, os.environ["PATH"], "/usr/sbin", "/sbin"])
    )
    assert found, f"{program} is not installed; `scripts/setup test` installs it"
    return found


def mortal(command, **options) -> subprocess.Popen:
    """A child that the kernel kills when this process ends, however it ends."""
    return subprocess.Popen(
        [find("setpriv"), "--pdeathsig", "KILL", *map(str, command)],
        stdin=subprocess.DEVNULL,
        **options,
    )


class Folder:
    """A short path (unix sockets allow 107 bytes), removed at the end."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="lh", dir="/tmp"))
        self.path.chmod(0o711)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Answer:
    def __init__(self, status: int, headers, body: bytes):
        self.status, self.headers, self.body = status, headers, body
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None

    @property
    def data(self):
        return self.json["data"]

    @property
    def errors(self):
        return (self.json or {}).get("errors")

    def __repr__(self):
        return f"{self.status} {self.body[:600].decode(errors='replace')}"


class Vault:
    def __init__(
        self,
        *,
        storage="lmdb",
        seal="",
        listener="",
        extra="",
        tls=None,
        environment=None,
        audit=True,
        folder=None,
    ):
        self.owned = None if folder else Folder()
        self.folder = pathlib.Path(folder) if folder else self.owned.path
        self.port = free_port()
        self.tls = tls  # (certificate file, key file)
        self.address = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.log = self.folder / "server.log"
        self.audit = self.folder / "log" / "audit.log"
        self.data = self.folder / "data"
        self.config = self.folder / "config.hcl"
        self.environment = environment or {}
        self.process = None
        self.token = ""
        self.keys: list[str] = []
        for path in (self.data, self.audit.parent):
            path.mkdir(mode=0o700, exist_ok=True)
        tls_lines = (
            f'tls_cert_file = "{tls[0]}"\n  tls_key_file = "{tls[1]}"'
            if tls
            else "tls_disable = true"
        )
        store = (
            f'storage "lmdb" {{\n  path = "{self.data}"\n}}'
            if storage == "lmdb"
            else 'storage "inmem" {}'
        )
        device = (
            f'audit "file" "main" {{\n  options {{\n    file_path = "{self.audit}"\n  }}\n}}'
            if audit
            else "audit_required = false"
        )
        self.config.write_text(f"""{store}
listener "tcp" {{
  address = "127.0.0.1:{self.port}"
  {tls_lines}
  {listener}
}}
{device}
{seal}
api_addr = "{self.address}"
disable_mlock = true
allow_core_dumps = true
{extra}
""")
        self.config.chmod(0o600)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        status = self.stop()
        if kind is not None or status not in (0, None):
            print(
                f"--- {self.log}, last lines",
                self.log.read_text(errors="replace")[-6000:],
                "---",
                sep="\n",
            )
        if self.owned:
            self.owned.remove()
        if kind is None:
            assert status in (0, None), f"leaseholdd ended with {status}"

    # --- the process

    def start(self, wait=True, arguments=()):
        with open(self.log, "ab") as log:
            self.process = mortal(
                [BIN / "leaseholdd", f"-config={self.config}", *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, "TSS2_LOG": "all+none", **self.environment},
            )
        return self.wait_for_answer() if wait else self

    def wait_for_answer(self):
        def answers():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"leaseholdd ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}"
                )
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.call("GET", "sys/health").status

        wait_until("the server answers", answers)
        return self

    def stop(self):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process = None
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        status = self.stop()
        assert status in (0, None), f"leaseholdd ended with {status}"
        return self.start()

    # --- HTTP

    def connection(self, timeout=60) -> http.client.HTTPConnection:
        if self.tls:
            context = ssl.create_default_context(cafile=self.tls[0])
            context.check_hostname = False
            return http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=timeout, context=context
            )
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def call(
        self, method, path, body=None, token=None, headers=None, raw=None, timeout=60
    ) -> Answer:
        """One request on a connection of its own. `token`: None means this vault's, "" none at all."""
        sent = dict(headers or {})
        token = self.token if token is None else token
        if token:
            sent["X-Vault-Token"] = token
        payload = (
            raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        )
        connection = self.connection(timeout)
        try:
            connection.request(method, "/v1/" + path, payload, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def must(self, method, path, body=None, **options) -> Answer:
        answer = self.call(method, path, body, **options)
        assert 200 <= answer.status < 300, f"{method} {path}: {answer}"
        return answer

    def read(self, path, **options):
        return self.must("GET", path, **options).data

    def write(self, path, body=None, **options) -> Answer:
        return self.must("POST", path, body, **options)

    def list(self, path) -> list:
        answer = self.call("LIST", path)
        assert answer.status in (200, 404), answer
        return answer.data["keys"] if answer.status == 200 else []

    def new_token(self, policy=None, **options) -> str:
        """A token; `policy` is the text of one, made on the way."""
        if policy is not None:
            name = f"p{random.getrandbits(48):x}"
            self.write(f"sys/policies/acl/{name}", {"policy": policy})
            options["policies"] = [name]
        return self.write("auth/token/create", options).json["auth"]["client_token"]

    # --- seal

    def init(self, **shares) -> dict:
        answer = self.must(
            "POST", "sys/init", shares or {"secret_shares": 1, "secret_threshold": 1}
        ).json
        self.token = answer["root_token"]
        self.keys = answer.get("keys_base64") or answer.get("recovery_keys_base64") or []
        return answer

    def unseal(self, keys=None):
        for key in keys or self.keys:
            if not self.must("POST", "sys/unseal", {"key": key}, token="").json["sealed"]:
                return self
        raise AssertionError("still sealed")

    def sealed(self) -> bool:
        return self.must("GET", "sys/seal-status", token="").json["sealed"]

    def init_and_unseal(self):
        self.init()
        return self.unseal() if self.sealed() else self

    # --- the CLI

    def cli(self, *arguments, input=None, token=None, environment=None):
        """Runs `leasehold`; returns the finished process with text output."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "VAULT_ADDR": self.address,
            "VAULT_TOKEN": self.token if token is None else token,
            **(environment or {}),
        }
        if self.tls:
            variables["VAULT_CACERT"] = str(self.tls[0])
        if not variables["VAULT_TOKEN"]:
            del variables["VAULT_TOKEN"]
        variables.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        return subprocess.run(
            [str(BIN / "leasehold"), *arguments],
            input=input,
            text=True,
            capture_output=True,
            env=variables,
            timeout=120,
            cwd=home,
        )


def certificate(folder: pathlib.Path):
    """A self-signed certificate for the loopback, valid for one day."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            find("openssl"),
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-keyout",
            str(key),
            "-out",
            str(cert),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


class Postgres:
    """A server with a database `app`, a group role `app_ro`, and a manager that is no superuser."""

    MANAGER, PASSWORD = "vault_manager", "manager-password"

    def __init__(self):
        self.owned = Folder()
        self.folder = self.owned.path
        self.port = free_port()
        self.bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=None)
        assert self.bin, "PostgreSQL is not installed; `scripts/setup test` installs it"
        self.process = None

    def unprivileged(self):
        if os.getuid() != 0:
            return []
        return [find("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def __enter__(self):
        home = self.folder / "pg"
        home.mkdir(mode=0o700)
        if os.getuid() == 0:
            shutil.chown(home, "postgres", "postgres")
        subprocess.run(
            [
                *self.unprivileged(),
                str(self.bin / "initdb"),
                "-D",
                str(home / "data"),
                "-U",
                "admin",
                "--no-sync",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C",
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
        )
        self.start()
        self.sql(f"""create role {self.MANAGER} login createrole password '{self.PASSWORD}';
            grant pg_signal_backend to {self.MANAGER}; create role app_ro nologin;
            grant app_ro to {self.MANAGER} with admin option""")
        self.sql("create database app")
        self.sql(
            "create table notes (text text); insert into notes values ('hello'); grant select on notes to app_ro",
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
                    find("setpriv"),
                    "--pdeathsig",
                    "QUIT",
                    str(self.bin / "postgres"),
                    "-D",
                    str(home / "data"),
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    f"port={self.port}",
                    "-c",
                    f"unix_socket_directories={home}",
                    "-c",
                    "fsync=off",
                    "-c",
                    "max_connections=100",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        wait_until("PostgreSQL answers", lambda: self.psql("select 1", check=False).returncode == 0)

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
                find("psql", str(self.bin)),
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                host,
                "-p",
                str(self.port),
                "-U",
                user or "admin",
                "-d",
                database,
                "-c",
                sql,
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
                "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{self.port}/app?sslmode=disable",
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
                    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; GRANT app_ro TO \"{{name}}\""
                ],
                **extra,
            },
        )


class Tpm:
    """swtpm on a unix socket; what it stores survives stop() and start(), as in a machine."""

    def __init__(self):
        self.owned = Folder()
        self.folder = self.owned.path
        self.socket = self.folder / "s"
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        self.owned.remove()

    def start(self):
        for stale in (self.socket, pathlib.Path(f"{self.socket}.ctrl")):
            stale.unlink(missing_ok=True)
        self.process = mortal(
            [
                find("swtpm"),
                "socket",
                "--tpm2",
                "--tpmstate",
                f"dir={self.folder}",
                "--server",
                f"type=unixio,path={self.socket}",
                "--ctrl",
                f"type=unixio,path={self.socket}.ctrl",
                "--flags",
                "not-need-init,startup-clear",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(
            "swtpm listens",
            lambda: self.socket.exists() and pathlib.Path(f"{self.socket}.ctrl").exists(),
        )
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stanza(self) -> str:
        return f'seal "tpm" {{\n  device = "swtpm:path={self.socket}"\n}}'


class Hsm:
    """SoftHSM with one token and one AES key in it, made as the README tells."""

    PIN = "123456"

    def __init__(self):
        self.owned = Folder()
        self.folder = self.owned.path
        self.conf = self.folder / "softhsm2.conf"
        self.tokens = self.folder / "tokens"
        self.module = next(
            (
                p
                for p in map(
                    pathlib.Path,
                    (
                        "/usr/lib/softhsm/libsofthsm2.so",
                        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                    ),
                )
                if p.exists()
            ),
            None,
        )
        assert self.module, "SoftHSM is not installed; `scripts/setup test` installs it"

    def __enter__(self):
        self.tokens.mkdir()
        self.conf.write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.run(
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "leasehold",
            "--so-pin",
            "so-123456",
            "--pin",
            self.PIN,
        )
        self.run(
            "pkcs11-tool",
            "--module",
            str(self.module),
            "--token-label",
            "leasehold",
            "--login",
            "--pin",
            self.PIN,
            "--keygen",
            "--key-type",
            "AES:32",
            "--label",
            "root",
            "--id",
            "01",
            "--sensitive",
        )
        return self

    def __exit__(self, *_):
        self.owned.remove()

    def run(self, program, *arguments):
        subprocess.run(
            [find(program), *arguments],
            check=True,
            capture_output=True,
            env={**os.environ, **self.environment()},
        )

    def environment(self) -> dict:
        return {"SOFTHSM2_CONF": str(self.conf)}

    def hide(self):
        self.tokens.rename(self.folder / "hidden")

    def show(self):
        (self.folder / "hidden").rename(self.tokens)

    def stanza(self, pin=None) -> str:
        return (
            f'seal "pkcs11" {{\n  lib = "{self.module}"\n  token_label = "leasehold"\n  pin = "{pin or self.PIN}"\n'
            f'  key_label = "root"\n}}'
        )


def in_threads(count: int, work) -> list:
    """Runs work(0) ... work(count - 1) at once; returns the results, raises the first failure."""
    results, failures = [None] * count, []

    def one(index):
        try:
            results[index] = work(index)
        except BaseException as failure:  # noqa: B902 (it is raised again below)
            failures.append(failure)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def random_text(size=12) -> str:
    return base64.b32encode(random.SystemRandom().randbytes(size)).decode().strip("=").lower()
