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

from .backup_server import BackupServer, frame
from .hsm import Hsm
from .pooler import Pooler
from .postgres import Postgres
from .process import BIN, CLIENTS, PATIENCE, Folder, memory_is_its_own
from .process import find, free_port, in_threads, mortal, random_text, wait_until
from .tpm import Tpm
from .vault import Answer, Vault, certificate

__all__ = [
    "Answer",
    "BIN",
    "memory_is_its_own",
    "BackupServer",
    "CLIENTS",
    "Folder",
    "Hsm",
    "PATIENCE",
    "Pooler",
    "Postgres",
    "Tpm",
    "Vault",
    "certificate",
    "find",
    "frame",
    "free_port",
    "in_threads",
    "mortal",
    "random_text",
    "wait_until",
]
