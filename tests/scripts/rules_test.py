"""The checks of scripts/: each must still see what it is there to see."""

import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def script(name):
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Awaits(unittest.TestCase):
    awaits = script("awaits")

    def wrong(self, statement):
        text = f"Fire f() {{\n  int a = 0;\n  {statement};\n}}\n"
        at = text.index("co_await")
        return self.awaits.wrong(self.awaits.statement_around(text, at))

    def test_what_gcc_12_compiles_rightly_is_allowed(self):
        for statement in (
            "co_await f()",
            "x = co_await f(a, b)",
            "const Result<int> x = co_await f(a)",
            "auto x = co_await g.f(h(a))",
            "if (a) x = co_await f(a)",
            "if (a.ok() && b) co_await f(a)",
            "x = co_await f(a, [&] { return g(a); })",
        ):
            self.assertEqual(self.wrong(statement), "", statement)

    def test_what_it_miscompiles_is_not(self):
        for statement in (
            "if (co_await f()) g()",
            "x = a ? co_await f() : b",
            "co_await f(Record{1})",
            "auto [x, y] = co_await f()",
            "x = co_await f(a, [=] { return a; })",
            "x = co_await f(a, [a] { return a; })",
            "co_await VAULT_TRY(f())",
            "while (co_await f()) {}",
            "x = co_await f() && co_await g()",
            "return co_await f(a ? b : c)",
            "g(co_await f())",
            "co_await f({1, 2})",
        ):
            self.assertNotEqual(self.wrong(statement), "", statement)


class Layers(unittest.TestCase):
    layers = script("layers")
    rules = layers.Rules(layers.TABLE.read_text())

    def complaints(self, file, text):
        return list(self.rules.complaints(pathlib.PurePath(file), text))

    def test_down_is_allowed_and_up_is_not(self):
        self.assertEqual(
            self.complaints(
                "vault/core/road/a.cpp", '#include "vault/base/bytes.h"\n#include "vault/core/leases/b.h"\n'
            ),
            [],
        )
        self.assertEqual(
            self.complaints("vault/core/road/a.cpp", '\n#include "backends/engine/kv.h"\n'),
            [(2, "vault/core/road may not include backends/engine")],
        )
        for file, header in (
            ("vault/base/a.cpp", "vault/crypto/hash.h"),
            ("backends/storage/a.cpp", "vault/core/road/core.h"),
            ("backends/engine/a.cpp", "backends/target/postgresql.h"),
            ("backends/keyhost/a.cpp", "backends/keyhost/tpm/wire.h"),
            ("vault/core/road/a.cpp", "tests/support/fake_clock.h"),
        ):
            self.assertTrue(self.complaints(file, f'#include "{header}"'), (file, header))

    def test_a_library_stands_in_its_folder(self):
        self.assertEqual(self.complaints("backends/storage/a.cpp", "#include <lmdb.h>"), [])
        self.assertTrue(self.complaints("vault/core/road/a.cpp", "#include <lmdb.h>"))
        self.assertTrue(self.complaints("vault/core/road/a.cpp", "#include <nlohmann/json.hpp>"))
        self.assertTrue(self.complaints("backends/keyhost/a.cpp", "#include <tss2/tss2_esys.h>"))

    def test_a_new_folder_must_be_placed(self):
        self.assertTrue(self.complaints("vault/util/a.cpp", ""))

    def test_tests_share_only_their_support(self):
        for header in ("vault/core/road/core.h", "tests/support/fake_clock.h", "tests/seal/own.h"):
            self.assertEqual(self.complaints("tests/seal/a.cpp", f'#include "{header}"'), [], header)
        self.assertTrue(self.complaints("tests/seal/a.cpp", '#include "tests/core/own.h"'))

    def test_a_row_that_points_up_is_refused(self):
        rows = "| `low/` | | `high/` | |\n| `high/` | | | |\n"
        self.assertEqual(self.layers.Rules(rows).may["low"], {"high"})
        with self.assertRaises(ValueError):
            self.layers.Rules("| `high/` | | | |\n| `low/` | | `high/` | |\n")


class References(unittest.TestCase):
    references = script("references")

    def complaints(self, file, text):
        return list(self.references.complaints(file, text, {"docs/seal.md"}, {"017"}))

    def test_one_that_leads_nowhere_is_told(self):
        for text in (
            "// see vault/core/gone.cpp",
            "decision 999",
            "docs/decisions/999",
            "(wire-api 2.8)",
            "(DESIGN 5)",
            "(reference 3.2)",
            "as STYLE.md has it",
        ):
            found = self.complaints("a.cpp", f"\n{text}\n")
            self.assertEqual([line for line, _ in found], [2], text)
        self.assertEqual(self.complaints("docs/a.md", "[x](gone.md)"), [(1, "the link gone.md")])

    def test_one_that_leads_somewhere_is_not(self):
        for text in (
            "// docs/seal.md says more",
            "decision 017",
            '#include "vault/core/gone.h"',
            "`backends/engine/<name>.cpp`",
        ):
            self.assertEqual(self.complaints("a.cpp", text), [], text)
        self.assertEqual(self.complaints("docs/a.md", "[x](https://example.org/)"), [])

    def test_code_that_is_not_in_its_file_is_told(self):
        page = "text\n```cpp\n// a.cpp\nint f();\n```\n"
        for file, found in (("int f();\n", []), ("int g();\n", ["d.md:3: this code is not in a.cpp"])):
            self.assertEqual(list(self.references.strays("d.md", page, lambda _: file)), found)

    def test_a_decision_that_the_index_leaves_out_is_told(self):
        index = "* [017](decisions/017-a.md): a"
        self.assertEqual(self.references.unlisted(index, ["017-a.md", "018-b.md"]), ["018-b.md"])


class Lint(unittest.TestCase):
    lint = script("lint")

    def run_on(self, name, text):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, name)
            file.write_text(text)
            command = [str(ROOT / "scripts" / "lint"), str(file)]
            return subprocess.run(command, capture_output=True, text=True)

    def test_a_file_is_known_by_its_ending_or_its_first_line(self):
        for name, first, language in (
            ("a.py", "", "python"),
            ("tool", "#!/usr/bin/env python3\n", "python"),
            ("tool", "#!/bin/sh\n", "shell"),
            ("tool", "#!/usr/bin/env bash\n", "shell"),
            ("CMakeLists.txt", "#!/bin/sh\n", ""),
            ("tool", "words\n", ""),
            ("tool", "", ""),
        ):
            self.assertEqual(self.lint.language(name, first), language, (name, first))

    def test_each_language_is_read_by_its_checker(self):
        self.assertIn("F401", self.run_on("a.py", "import os\n").stdout)
        self.assertIn("SC2086", self.run_on("tool", "#!/bin/sh\nrm $1\n").stdout)
        for name, text in (("a.py", "import os\n"), ("tool", "#!/bin/sh\nrm $1\n")):
            self.assertEqual(self.run_on(name, text).returncode, 1, name)
        self.assertEqual(self.run_on("a.py", "import os\n\nprint(os.sep)\n").returncode, 0)


class UnrecordedChanges(unittest.TestCase):
    unrecorded = script("unrecorded")

    def uses(self, text):
        return list(self.unrecorded.uses("a.cpp", text))

    def test_each_use_is_listed_with_its_reason(self):
        self.assertEqual(
            self.uses('\nBatch({}, commit::Unrecorded{"one " "two"});'), [("a.cpp", 2, "one two")]
        )
        self.assertEqual(
            self.uses('constexpr commit::Unrecorded kWhy{\n    "line by line"};'),
            [("a.cpp", 1, "line by line")],
        )

    def test_a_reason_that_is_no_literal_shows(self):
        self.assertEqual(self.uses("Unrecorded{why}"), [("a.cpp", 1, "")])
        self.assertEqual(self.uses("struct Unrecorded {\n"), [])


class Events(unittest.TestCase):
    MADE = re.compile(
        r'(?:\b(?:event_body|token_event|event|Event)\s*[({]\s*|return \{)"([a-z]+(?:-[a-z]+)+|unsealed)"'
    )

    def test_each_event_is_in_the_table_of_the_format(self):
        table = "\n".join(
            line.split("|")[1]
            for line in (ROOT / "vault/audit/FORMAT.md").read_text().splitlines()
            if line.startswith("| `")
        )
        told = set(re.findall(r"`([a-z-]+)`", table))
        made = set()
        for folder in ("vault", "backends"):
            for file in (ROOT / folder).rglob("*.cpp"):
                made |= set(self.MADE.findall(file.read_text()))
        self.assertGreater(len(made), 25)
        self.assertEqual(made - told, set())


if __name__ == "__main__":
    unittest.main()
