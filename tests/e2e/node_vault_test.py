"""Starts a vault for node_vault_test.mjs."""
import os
import pathlib
import subprocess
import sys

from vaultproc import CLIENTS, Vault, find

assert (CLIENTS / "node_modules" / "node-vault").exists(), "node-vault is missing; `scripts/clients` installs it"
with Vault() as vault:
    sys.exit(subprocess.run([find("node"), str(pathlib.Path(__file__).with_suffix(".mjs"))], timeout=120,
                            env={**os.environ, "LEASEHOLD_CLIENTS": str(CLIENTS), "VAULT_ADDR": vault.address}).returncode)
