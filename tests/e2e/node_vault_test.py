"""Starts a vault for node_vault_test.mjs."""

import os
import pathlib
import subprocess
import sys

from vaultproc import CLIENTS, Vault, find

if not (CLIENTS / "node_modules" / "node-vault").exists():
    print(
        "node-vault is missing; `scripts/clients` installs it where the npm registry can be reached"
    )
    sys.exit(77)  # CTest's word for skipped, see CMakeLists.txt
with Vault() as vault:
    result = subprocess.run(
        [find("node"), str(pathlib.Path(__file__).with_suffix(".mjs"))],
        timeout=120,
        env={**os.environ, "LEASEHOLD_CLIENTS": str(CLIENTS), "VAULT_ADDR": vault.address},
    )
sys.exit(result.returncode)
