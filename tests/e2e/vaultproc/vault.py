"""A leaseholdd of the build under test, its HTTP API and its CLI."""

import contextlib
import http.client
import json
import os
import pathlib
import pty
import random
import signal
import ssl
import subprocess

from . import process
from .process import PATIENCE, Folder, find, free_port, mortal, wait_until


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

    @property
    def warnings(self):
        """Of an answer with a body, or without one."""
        if self.json:
            return self.json["warnings"] or []
        return self.headers.get_all("Warning") or []

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
                [process.BIN / "leaseholdd", f"-config={self.config}", *arguments],
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
        variables = self.cli_environment(token, environment)
        return subprocess.run(
            [str(process.BIN / "leasehold"), *arguments],
            input=input,
            text=True,
            capture_output=True,
            env=variables,
            timeout=120,
            cwd=variables["HOME"],
        )

    def cli_on_terminal(self, *arguments) -> str:
        """What `leasehold` writes to a terminal, to both streams."""
        variables = self.cli_environment(None, None)
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [str(process.BIN / "leasehold"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env=variables,
            cwd=variables["HOME"],
        ):
            os.close(theirs)
            written = b""
            with contextlib.suppress(OSError):  # the other side is closed
                while some := os.read(ours, 65536):
                    written += some
        os.close(ours)
        return written.decode()

    def cli_environment(self, token, environment) -> dict:
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
        return variables


def certificate(folder: pathlib.Path):
    """A self-signed certificate for the loopback, valid for one day."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *(find("openssl"), "req", "-x509", "-nodes", "-days", "1"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key
