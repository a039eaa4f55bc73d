"""Unsealing by a device: no operator at a restart, shares when the device is gone, and no way in else."""

import base64
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

from vaultproc import BIN, Folder, Hsm, Tpm, Vault, memory_is_its_own, random_text, wait_until


class Device:
    """What every device must give; the subclasses name one."""

    def make(self):
        raise NotImplementedError

    def vanish(self):
        raise NotImplementedError

    def come_back(self):
        raise NotImplementedError

    def setUp(self):
        self.vault = self.make()
        self.addCleanup(lambda: self.vault.__exit__(None, None, None))
        self.vault.start()
        self.shares = self.vault.init(recovery_shares=3, recovery_threshold=2)

    def is_open(self):
        return not self.vault.sealed()

    def test_init_opens_it_and_a_restart_needs_nobody(self):
        self.assertEqual(self.shares["keys"], [])
        self.assertEqual(len(self.shares["recovery_keys"]), 3)
        self.assertTrue(self.is_open())
        self.vault.write("sys/mounts/secret", {"type": "kv"})
        self.vault.write("secret/a", {"k": "v"})
        self.vault.restart()
        wait_until("the device opens it", self.is_open)
        self.assertEqual(self.vault.read("secret/a"), {"k": "v"})
        self.vault.kill()
        self.vault.start()
        wait_until("the device opens it after a crash", self.is_open)
        self.assertEqual(self.vault.read("secret/a"), {"k": "v"})

    def test_an_open_vault_does_not_miss_its_device(self):
        self.vault.write("sys/mounts/secret", {"type": "kv"})
        self.vanish()
        self.vault.write("secret/a", {"k": "v"})
        self.assertEqual(self.vault.read("secret/a"), {"k": "v"})
        self.come_back()

    def test_without_the_device_the_shares_open_it_and_nothing_less(self):
        self.vault.write("sys/mounts/secret", {"type": "kv"})
        self.vault.write("secret/a", {"k": "v"})
        self.vault.stop()
        self.vanish()
        self.vault.start()
        self.assertTrue(self.vault.sealed())
        self.assertEqual(self.vault.call("GET", "secret/a").status, 503)
        shares = self.shares["recovery_keys_base64"]
        answer = self.vault.must("POST", "sys/unseal", {"key": shares[0]}).json
        self.assertEqual((answer["sealed"], answer["progress"]), (True, 1))
        self.vault.unseal(shares[1:])
        self.assertEqual(self.vault.read("secret/a"), {"k": "v"})
        self.come_back()

    def test_seal_by_hand_stays_sealed_until_told(self):
        self.assertEqual(self.vault.call("POST", "sys/seal").status, 204)
        self.assertTrue(self.vault.sealed())

    def test_the_status_names_the_device(self):
        status = self.vault.must("GET", "sys/seal-status").json
        self.assertEqual(
            (status["type"], status["recovery_seal"], status["sealed"]), (self.kind, True, False)
        )

    def ceremony(self, path, keys, nonce):
        """Gives a threshold of keys; the last answer."""
        for key in keys[:2]:
            answer = self.vault.must("POST", path, {"key": key, "nonce": nonce}).json
        return answer

    def opens_without_device(self, keys) -> bool:
        self.vault.stop()
        self.vanish()
        self.vault.start()
        for key in keys[:2]:
            self.vault.call("POST", "sys/unseal", {"key": key}, token="")
        opened = self.is_open()
        self.vault.stop()
        self.come_back()
        self.vault.start()
        wait_until("the device opens it", self.is_open)
        return opened

    def test_the_recovery_keys_are_replaced_and_the_device_goes_on_opening_it(self):
        old = self.shares["recovery_keys_base64"]
        plan = {"secret_shares": 3, "secret_threshold": 2, "require_verification": True}
        self.assertEqual(self.vault.call("POST", "sys/rekey/init", plan).status, 400)
        begun = self.vault.must("POST", "sys/rekey-recovery-key/init", plan).json
        made = self.ceremony("sys/rekey-recovery-key/update", old, begun["nonce"])
        fresh = made["keys_base64"]
        self.assertEqual(len(fresh), 3)
        self.assertTrue(self.opens_without_device(old))  # until the new ones were shown
        begun = self.vault.must("POST", "sys/rekey-recovery-key/init", plan).json
        made = self.ceremony("sys/rekey-recovery-key/update", old, begun["nonce"])
        fresh = made["keys_base64"]
        done = self.ceremony(
            "sys/rekey-recovery-key/verify", fresh, made["verification_nonce"]
        )
        self.assertTrue(done["complete"])
        self.vault.restart()
        wait_until("the device opens it", self.is_open)
        self.assertFalse(self.opens_without_device(old))
        self.assertTrue(self.opens_without_device(fresh))

    def test_a_rekey_of_unseal_keys_names_the_one_of_recovery_keys(self):
        refused = self.vault.call("POST", "sys/rekey/init", {"secret_shares": 2, "secret_threshold": 2})
        self.assertIn("sys/rekey-recovery-key", str(refused.errors))

    def test_the_recovery_keys_make_a_root_token(self):
        keys = self.shares["recovery_keys_base64"]
        begun = self.vault.must("POST", "sys/generate-root/attempt", {}).json
        refused = self.vault.call(
            "POST", "sys/generate-root/update", {"key": keys[0], "nonce": "another"}
        )
        self.assertEqual(refused.status, 400)
        made = self.ceremony("sys/generate-root/update", keys, begun["nonce"])
        self.assertTrue(made["complete"])
        encoded = made["encoded_token"]
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        token = bytes(a ^ b for a, b in zip(raw, begun["otp"].encode())).decode()
        self.assertEqual(
            self.vault.read("auth/token/lookup-self", token=token)["policies"], ["root"]
        )
        self.assertNotIn(token, self.vault.audit.read_text())
        self.assertNotIn(token, self.vault.log.read_text())


class ByTpm(Device, unittest.TestCase):
    kind = "tpm"

    def make(self):
        self.tpm = Tpm()
        self.tpm.__enter__()
        self.addCleanup(self.tpm.__exit__, None, None, None)
        return Vault(seal=self.tpm.stanza())

    def vanish(self):
        self.tpm.stop()

    def come_back(self):
        self.tpm.start()

    def test_another_tpm_does_not_open_it(self):
        self.vault.stop()
        self.tpm.stop()
        for state in self.tpm.folder.glob("tpm2*"):
            state.unlink()
        self.tpm.start()
        self.vault.start()
        self.assertTrue(self.vault.sealed())
        self.vault.unseal(self.shares["recovery_keys_base64"][:2])


class ByHsm(Device, unittest.TestCase):
    kind = "pkcs11"

    def make(self):
        self.hsm = Hsm()
        self.hsm.__enter__()
        self.addCleanup(self.hsm.__exit__, None, None, None)
        return Vault(seal=self.hsm.stanza(), environment=self.hsm.environment())

    def vanish(self):
        self.hsm.hide()

    def come_back(self):
        self.hsm.show()


class InMemory(unittest.TestCase):
    def times_in_memory(self, pid, secret):
        count = 0
        try:
            memory = open(f"/proc/{pid}/mem", "rb", 0)
        except PermissionError:
            self.skipTest("only root sees the memory of a process that guards it")
        with memory:
            for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
                fields = line.split()
                start, end = (int(part, 16) for part in fields[0].split("-"))
                name = fields[5] if len(fields) > 5 else ""
                if fields[1][0] != "r" or name.startswith("[v") or end - start > 1 << 30:
                    continue
                try:
                    memory.seek(start)
                    count += memory.read(end - start).count(secret)
                except OSError:  # a guard page
                    continue
        return count


@memory_is_its_own
class StaticKeyInMemory(InMemory):
    """The key of the stanza, or of a variable, is in the vault's memory once: where it is locked."""

    def check(self, source, key, environment):
        stanza = f'seal "static" {{\n  current_key_id = "a"\n  current_key = "{source}"\n}}'
        with Vault(seal=stanza, environment=environment) as vault:
            vault.init(recovery_shares=1, recovery_threshold=1)
            self.assertFalse(vault.sealed())
            self.assertEqual(self.times_in_memory(vault.process.pid, bytes.fromhex(key)), 1)
            self.assertEqual(self.times_in_memory(vault.process.pid, key.encode()), 0)

    def test_of_the_stanza_itself(self):
        key = os.urandom(32).hex()
        self.check(key, key, {})

    def test_of_a_variable(self):
        key = os.urandom(32).hex()
        self.check("env://SOME_KEY", key, {"SOME_KEY": key})


@memory_is_its_own
class PinInTheEnvironment(InMemory):
    """The PIN is in use and no longer in the vault's environment, nor in that of its key host. In its
    memory it is once, for the next key host."""

    def setUp(self):
        self.hsm = Hsm()
        self.hsm.PIN = random_text()
        self.hsm.__enter__()
        self.addCleanup(self.hsm.__exit__, None, None, None)

    def processes(self, vault):
        children = pathlib.Path(f"/proc/{vault.process.pid}/task").glob("*/children")
        return [vault.process.pid] + [int(p) for each in children for p in each.read_text().split()]

    def check(self, variable, line):
        stanza = self.hsm.stanza().replace(f'pin = "{self.hsm.PIN}"', line)
        environment = {**self.hsm.environment(), variable: self.hsm.PIN}
        with Vault(seal=stanza, environment=environment) as vault:
            vault.init(recovery_shares=1, recovery_threshold=1)
            self.assertFalse(vault.sealed())
            processes = self.processes(vault)
            self.assertGreater(len(processes), 1)
            for process in processes:
                seen = pathlib.Path(f"/proc/{process}/environ").read_bytes()
                self.assertNotIn(self.hsm.PIN.encode(), seen)
            in_memory = self.times_in_memory(vault.process.pid, self.hsm.PIN.encode())
            self.assertEqual(in_memory, 1)
            for host in processes[1:]:
                os.kill(host, signal.SIGKILL)
            self.assertEqual(vault.call("POST", "sys/seal").status, 204)
            wait_until("it is sealed", vault.sealed)
            vault.restart()
            wait_until("the device opens it", lambda: not vault.sealed())

    def test_of_vaults_own_variable(self):
        self.check("VAULT_HSM_PIN", "")

    def test_of_a_variable_that_the_stanza_names(self):
        self.check("SOME_PIN", 'pin_source = "env:SOME_PIN"')
        self.check("SOME_PIN", 'pin = "env://SOME_PIN"')


class TriedConfiguration(unittest.TestCase):
    """-test-server-config with a token behind a module that counts the logins."""

    def setUp(self):
        self.hsm = Hsm()
        self.hsm.__enter__()
        self.addCleanup(self.hsm.__exit__, None, None, None)
        shutil.copy(BIN / "tests" / "libshim_pkcs11.so", self.hsm.folder / "shim.so")
        self.pin = self.hsm.folder / "pin"
        self.write_pin("000000")
        self.data = self.hsm.folder / "data"

    def write_pin(self, pin):
        self.pin.unlink(missing_ok=True)
        self.pin.write_text(pin)
        self.pin.chmod(0o600)

    def try_it(self, **changed):
        keys = {"lib": self.hsm.folder / "shim.so", "token_label": "leasehold", "key_label": "root"}
        keys.update({"pin_source": f"file:{self.pin}", **changed})
        stanza = "\n".join(f'  {key} = "{value}"' for key, value in keys.items())
        config = self.hsm.folder / "c.hcl"
        config.write_text(
            f'storage "lmdb" {{\n  path = "{self.data}"\n}}\n'
            'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\n'
            f'audit "file" "main" {{\n  options {{ file_path = "{self.hsm.folder}/audit.log" }}\n}}\n'
            f'disable_mlock = true\nseal "pkcs11" {{\n{stanza}\n}}\n'
        )
        config.chmod(0o600)
        return subprocess.run(
            [BIN / "leaseholdd", "-test-server-config", f"-config={config}"],
            capture_output=True,
            text=True,
            env={**os.environ, **self.hsm.environment()},
        )

    def logins(self):
        counted = self.hsm.folder / "logins"
        return len(counted.read_text().splitlines()) if counted.exists() else 0

    def test_a_wrong_pin_is_tried_once_over_all_runs(self):
        self.data.mkdir(0o700)
        for _ in range(4):
            run = self.try_it()
            self.assertEqual(run.returncode, 1, run.stdout)
            self.assertIn("PIN", run.stderr)
        self.assertEqual(self.logins(), 1)
        self.write_pin(self.hsm.PIN)
        run = self.try_it()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.logins(), 2)
        with Vault(seal=self.stanza_of_the_vault(), environment=self.hsm.environment()) as vault:
            shutil.copytree(self.data / "keyhost", vault.folder / "data" / "keyhost", dirs_exist_ok=True)
            vault.init(recovery_shares=1, recovery_threshold=1)
            self.assertFalse(vault.sealed())

    def stanza_of_the_vault(self):
        return self.hsm.stanza().replace(f'pin = "{self.hsm.PIN}"', f'pin_source = "file:{self.pin}"')

    def test_without_a_data_folder_no_pin_is_tried_and_nothing_is_left(self):
        for _ in range(3):
            run = self.try_it()
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("neither its PIN nor its key was tried", run.stderr + run.stdout)
        self.assertEqual(self.logins(), 0)
        self.assertFalse(self.data.exists())

    def test_what_needs_no_login_is_found_without_one(self):
        for changed in (
            {"lib": "/nowhere/module.so"},
            {"token_label": "another"},
            {"slot": "7"},
            {"mechanism": "CKM_RSA"},
            {"pin_source": "file:/nowhere/pin"},
        ):
            with self.subTest(changed):
                run = self.try_it(**changed)
                self.assertEqual(run.returncode, 1, run.stdout)
        self.assertEqual(self.logins(), 0)


class ByFile(unittest.TestCase):
    def test_a_key_file_opens_it_and_says_that_no_hardware_does(self):
        vault = Vault()
        key = vault.folder / "unseal.key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        vault = Vault(
            folder=vault.folder,
            seal=f'seal "static" {{\n  current_key_id = "1"\n  current_key = "file://{key}"\n}}',
        )
        with vault:
            vault.init(recovery_shares=1, recovery_threshold=1)
            self.assertFalse(vault.sealed())
            vault.restart()
            wait_until("the file opens it", lambda: not vault.sealed())
            self.assertIn(
                "no hardware protection", str(vault.must("GET", "sys/seal-status").json).lower()
            )

    def test_a_static_key_is_rotated_with_one_restart_and_the_old_one_can_go(self):
        folder = Folder()
        self.addCleanup(folder.remove)
        for name in ("old", "new"):
            key = folder.path / f"{name}.key"
            key.write_bytes(os.urandom(32))
            key.chmod(0o600)

        def stanza(current, previous=None):
            lines = [f'current_key_id = "{current}"', self.line("current_key", folder, current)]
            if previous:
                lines += [f'previous_key_id = "{previous}"']
                lines += [self.line("previous_key", folder, previous)]
            return 'seal "static" {\n  ' + "\n  ".join(lines) + "\n}\n"

        with Vault(seal=stanza("old")) as vault:
            vault.init(recovery_shares=1, recovery_threshold=1)
            vault.write("sys/mounts/secret", {"type": "kv"})
            vault.write("secret/a", {"k": "v"})

            def configure(before, after):
                vault.config.write_text(vault.config.read_text().replace(before, after))

            def slot():
                return vault.must("GET", "sys/seal-status").json["slots"][0]

            configure(stanza("old"), stanza("new", "old"))
            vault.restart()
            wait_until("the slot has the new key", lambda: slot()["generation"] == 2)
            self.assertEqual(slot()["state"], "ok")
            configure(stanza("new", "old"), stanza("new"))
            (folder.path / "old.key").unlink()
            vault.restart()
            wait_until("the new file opens it", lambda: not vault.sealed())
            self.assertEqual(vault.read("secret/a"), {"k": "v"})

    def test_a_static_key_that_was_lost_is_replaced_with_the_shares(self):
        folder = Folder()
        self.addCleanup(folder.remove)
        key = folder.path / "seal.key"

        def new_key():
            key.write_bytes(os.urandom(32))
            key.chmod(0o600)

        new_key()
        seal = f'seal "static" {{\n  current_key_id = "one"\n  {self.line("current_key", folder, "seal")}\n}}\n'
        with Vault(seal=seal) as vault:
            vault.init(recovery_shares=1, recovery_threshold=1)
            new_key()
            vault.restart()

            def slot():
                return vault.must("GET", "sys/seal-status").json["slots"][0]

            wait_until("it is said what is wrong", lambda: slot()["state"] == "replaced")
            wait_until("and in the log", lambda: "is not the one" in vault.log.read_text())
            self.assertIn("replaced: a device or key is there", vault.cli("status").stdout)
            self.assertTrue(vault.sealed())
            vault.unseal()
            wait_until("the slot has the new key", lambda: slot()["generation"] == 2)
            self.assertEqual(slot()["state"], "ok")
            vault.restart()
            wait_until("the new key opens it", lambda: not vault.sealed())
            with_stanza = vault.config.read_text()
            vault.config.write_text(with_stanza.replace(seal, ""))
            vault.restart()
            wait_until(
                "a stanza that was lost is said",
                lambda: slot()["message"] == "no seal stanza of the configuration is for it",
            )
            wait_until(
                "and in the log", lambda: 'no seal "static" stanza' in vault.log.read_text()
            )

    @staticmethod
    def line(name, folder, key):
        return f'{name} = "file://{folder.path}/{key}.key"'


class Init(unittest.TestCase):
    def test_without_the_directory_of_the_log_it_says_what_to_do_and_can_be_repeated(self):
        with Vault() as vault:
            vault.audit.parent.rmdir()
            refused = vault.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self.assertEqual(refused.status, 500)
            self.assertIn("init again", str(refused.errors))
            self.assertFalse(vault.must("GET", "sys/init").json["initialized"])
            vault.audit.parent.mkdir(mode=0o700)
            vault.init_and_unseal()
            self.assertFalse(vault.sealed())

    def test_map_size_is_read_and_a_wrong_one_is_named_with_its_line(self):
        with Vault() as vault:
            vault.stop()
            text = vault.config.read_text()
            size = text.replace('storage "lmdb" {', 'storage "lmdb" {\n  map_size = "128GiB"')
            vault.config.write_text(size)
            vault.start()
            vault.stop()
            vault.config.write_text(size.replace("128GiB", "lots"))
            with self.assertRaisesRegex(AssertionError, "config.hcl:2:3: map_size must be"):
                vault.start()
            vault.process = None


if __name__ == "__main__":
    unittest.main(verbosity=1)
