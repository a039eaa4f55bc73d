"""A TPM in software (swtpm)."""

import pathlib
import subprocess

from .process import Folder, find, mortal, wait_until


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
                *(find("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={self.folder}"),
                *("--server", f"type=unixio,path={self.socket}"),
                *("--ctrl", f"type=unixio,path={self.socket}.ctrl"),
                *("--flags", "not-need-init,startup-clear"),
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
