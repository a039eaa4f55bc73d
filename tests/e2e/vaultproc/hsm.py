"""An HSM in software (SoftHSM)."""

import os
import pathlib
import subprocess

from .process import Folder, find


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
            *("softhsm2-util", "--init-token", "--free", "--label", "leasehold"),
            *("--so-pin", "so-123456", "--pin", self.PIN),
        )
        self.run(
            *("pkcs11-tool", "--module", str(self.module), "--token-label", "leasehold"),
            *("--login", "--pin", self.PIN, "--keygen", "--key-type", "AES:32"),
            *("--label", "root", "--id", "01", "--sensitive"),
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
