"""Metrics as Prometheus asks for them, and what else a server tells of itself."""

import json
import re
import unittest

from vaultproc import Vault

TEXT = "text/plain; version=0.0.4; charset=utf-8"
SAMPLE = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="([^"\\]|\\["\\n])*",?)*\})? \S+$')
OPEN = """telemetry { unauthenticated_metrics_access = true }
  inflight_requests_logging { unauthenticated_in_flight_requests_access = true }"""


def samples(answer) -> dict[str, float]:
    found = {}
    for line in answer.body.decode().splitlines():
        if not line.startswith("#"):
            assert SAMPLE.match(line), line
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


class Metrics(unittest.TestCase):
    def test_a_scrape_without_a_token_works_in_every_state_where_the_listener_says_so(self):
        with Vault(listener=OPEN) as vault:
            sealed = vault.must("GET", "sys/metrics", token="", headers={"Accept": "text/plain"})
            self.assertEqual(sealed.headers["Content-Type"], TEXT)
            self.assertEqual(samples(sealed)["vault_core_unsealed"], 0)
            vault.init_and_unseal()
            vault.write("sys/mounts/kv", {"type": "kv"})
            for name in ("a", "b", "c/d", "c/e/f"):
                vault.write(f"kv/{name}", {"x": "1"})
            for token in ("", "hvs.wrong", vault.token):
                answer = vault.must("GET", "sys/metrics?format=prometheus", token=token)
                found = samples(answer)
                unsealed = [found[n] for n in found if n.startswith("vault_core_unsealed")]
                self.assertEqual(unsealed, [1])
            secrets = [found[n] for n in found if n.startswith("vault_secret_kv_count")]
            self.assertEqual(secrets, [4])
            self.assertGreaterEqual(found["vault_route_update_kv__count"], 4)
            self.assertGreater(found["process_resident_memory_bytes"], 1e6)
            page = vault.must("GET", "sys/metrics", token="").json
            names = {gauge["Name"] for gauge in page["Gauges"]}
            self.assertIn("vault.core.unsealed", names)
            requests = vault.must("GET", "sys/in-flight-req", token="")
            self.assertIsInstance(requests.json, dict)
            self.assertEqual(vault.call("GET", "sys/host-info", token="").status, 403)

    def test_a_scrape_takes_a_token_and_an_open_vault(self):
        with Vault() as vault:
            self.assertEqual(vault.call("GET", "sys/metrics", token="").status, 503)
            vault.init_and_unseal()
            for path in ("sys/metrics", "sys/in-flight-req"):
                self.assertEqual(vault.call("GET", path, token="").status, 403)
            vault.write("sys/mounts/kv", {"type": "kv"})
            for name in ("a", "b", "c/d", "c/e/f"):
                vault.write(f"kv/{name}", {"x": "1"})
            answer = vault.must("GET", "sys/metrics", headers={"Accept": "text/plain"})
            self.assertEqual(answer.headers["Content-Type"], TEXT)
            found = samples(answer)
            self.assertEqual([found[n] for n in found if n.startswith("vault_core_unsealed")], [1])
            secrets = [found[n] for n in found if n.startswith("vault_secret_kv_count")]
            self.assertEqual(secrets, [4])
            self.assertGreaterEqual(found["vault_route_update_kv__count"], 4)
            self.assertGreater(found["process_resident_memory_bytes"], 1e6)
            page = vault.must("GET", "sys/metrics").json
            self.assertIn("vault.core.unsealed", {gauge["Name"] for gauge in page["Gauges"]})
            own = vault.must("GET", "sys/in-flight-req").json
            self.assertEqual([r["request_path"] for r in own.values()], ["/v1/sys/in-flight-req"])

    def test_the_configuration_is_shown_without_secrets(self):
        with Vault(extra='cluster_name = "here"\nlog_level = "warn"') as vault:
            vault.init_and_unseal()
            shown = vault.read("sys/config/state/sanitized")
            self.assertEqual(shown["cluster_name"], "here")
            self.assertEqual(shown["log_level"], "warn")
            self.assertEqual(shown["storage"]["type"], "lmdb")
            self.assertEqual(shown["seals"], [{"type": "shamir", "disabled": False}])
            self.assertEqual(shown["listeners"][0]["config"]["tls_disable"], True)
            self.assertNotIn(str(vault.data), json.dumps(shown))

    def test_the_log_level_changes_while_the_server_runs(self):
        with Vault(extra='log_level = "error"') as vault:
            vault.init_and_unseal()
            self.assertEqual(vault.read("sys/loggers/core"), {"core": "error"})
            vault.write("sys/loggers", {"level": "info"})
            vault.write("sys/step-down")
            self.assertIn("asked to step down", vault.log.read_text())
            vault.must("DELETE", "sys/loggers")
            self.assertEqual(vault.read("sys/loggers/core"), {"core": "error"})


if __name__ == "__main__":
    unittest.main()
