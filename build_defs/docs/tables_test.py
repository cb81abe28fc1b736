"""docs/ says of limits and of calls what the source says; and a planted lie of each kind is found."""

import glob
import os
import unittest

import tables

DOCS = ["docs/local-backend.md", "docs/router.md", "docs/runtime.md"]
SERVICES = ["claims", "pools", "reconciler", "router"]


def read(path):
    if not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8") as f:
        return f.read()


def sources(service):
    """Of the program, not of its tests."""
    paths = glob.glob(f"services/{service}/**/*.c", recursive=True)
    return [read(p) for p in paths if not p.endswith(("_test.c", "_fixture.c", "_fuzz.c")) and "/testing/" not in p]


class Real(unittest.TestCase):
    def test_limits(self):
        for doc in DOCS:
            with self.subTest(doc):
                complaints, compared = tables.check_limits(doc, read(doc), read)
                self.assertEqual(complaints, [])
                self.assertGreater(compared, 3, "the table cannot be read")

    def test_flags(self):
        sources = [read("lib/redis/redis_config.h"), read("lib/service/service.h")]
        complaints, compared = tables.check_flags("docs/operations.md", read("docs/operations.md"), sources)
        self.assertEqual(complaints, [])
        self.assertGreater(compared, 5, "the tables cannot be read")
        complaints, compared = tables.check_flags(
            "docs/router.md", read("docs/router.md"), [read("services/router/config.c")]
        )
        self.assertEqual(complaints, [])
        self.assertGreater(compared, 1, "the tables cannot be read")

    def test_calls(self):
        headers = [h for h in glob.glob("lib/state/state_*.h") if not h.endswith(("_call.h", "_calls.h", "_fixture.h"))]
        names = tables.state_calls("\n".join(map(read, headers)))
        self.assertLess({"claim", "ready", "pool_get", "quota_set"}, names, "lib/state cannot be read")
        made = {s: tables.made_calls(sources(s), names) for s in SERVICES}
        for service in SERVICES:
            self.assertTrue(os.path.isfile(f"services/{service}/main.c"), f"{service} is not there")
        self.assertEqual(tables.check_calls("docs/state.md", read("docs/state.md"), made), [])
        # whatever is offered is asked for by somebody
        self.assertEqual(names - set().union(*made.values()), set())


HEADER = """
enum { HEAD_MAX = 64 << 10, FIELDS = 128 };
#define WAIT_MS 10000 /* a while */
#define LARGE ((size_t)4 << 20)
static Plan plan = {.extra_bytes = (int64_t)192 << 20};
    {"max-connections", "SP_MAX", CONFIG_INT, AT(max), "10000", 1, 9, false, "at a time"},
    {"idle", "SP_IDLE", CONFIG_DURATION, AT(idle), "1h", 1, 9, false, "silence"},
"""
TRUE = """
| What | Limit | In the source |
|---|---|---|
| a head | 64 KiB, 128 fields | `a/b.h` `HEAD_MAX` `FIELDS` |
| a wait; large | 10 s; 4 MiB | `a/b.h` `WAIT_MS` `LARGE` |
| more | 192 MiB for `--x 7` | `a/b.h` `.extra_bytes` |
| flags | `--max-connections` 10,000; 1 h | `a/b.h` `--max-connections` `--idle` |
| nothing | none | - |
"""
LIES = [
    ("64 KiB", "65 KiB", "HEAD_MAX is 65536 number, not 66560 number"),
    ("128 fields", "fields", "1 quantities, and 2 places"),
    ("10 s", "10 min", "WAIT_MS is 10000 ms, not 600000 ms"),
    ("10 s", "10 KiB", "WAIT_MS is 10000 ms"),
    ("4 MiB", "16 MiB", "LARGE is"),
    ("192 MiB", "193 MiB", ".extra_bytes is"),
    ("10,000", "1,000", "--max-connections is"),
    ("1 h", "2 h", "--idle is"),
    ("none", "3", "1 quantities, and 0 places"),
    ("`LARGE`", "`GONE`", "a/b.h has no one value of GONE"),
    ("`a/b.h` `HEAD", "`a/c.h` `HEAD", "a/c.h is no source"),
    ("| Limit |", "| Bound |", "needs a column"),
]
CALLS = "| Service | Calls |\n|---|---|\n| claims | claim, get (of its own) |\n"


class Planted(unittest.TestCase):
    def check(self, text):
        return tables.check_limits("d.md", text, {"a/b.h": HEADER}.get)

    def test_true(self):
        self.assertEqual(self.check(TRUE), ([], 7))

    def test_lies(self):
        for old, new, wanted in LIES:
            with self.subTest(new):
                self.assertIn(old, TRUE)
                complaints = self.check(TRUE.replace(old, new, 1))[0]
                self.assertTrue(any(wanted in c for c in complaints), complaints)

    def test_flags(self):
        source = """    ITEM(type, "wait-ms", "WAIT", CONFIG_INT, wait_ms, "1000", 1, \\\n  9)\n"""
        row = "| Flag | Default | |\n|---|---|---|\n| `--wait-ms` | `1000` | x |\n"
        self.assertEqual(tables.check_flags("d.md", row, [source]), ([], 1))
        self.assertEqual(len(tables.check_flags("d.md", row.replace("1000", "100"), [source])[0]), 1)
        self.assertEqual(len(tables.check_flags("d.md", row.replace("wait-ms", "wait"), [source])[0]), 1)

    def test_calls(self):
        header = "void state_claim(State *s, int n);\nvoid state_get(State *s);\nvoid state_on_grant(State *s);\n"
        names = tables.state_calls(header)
        self.assertEqual(names, {"claim", "get"})
        made = {"claims": tables.made_calls(["state_claim(s); /* state_on_grant */ x = {state_get};"], names)}
        self.assertEqual(tables.check_calls("d.md", CALLS, made), [])
        self.assertEqual(len(tables.check_calls("d.md", CALLS.replace("get", "put"), made)), 2)
        self.assertEqual(len(tables.check_calls("d.md", CALLS, made | {"pools": {"claim"}})), 1)
        self.assertEqual(len(tables.check_calls("d.md", "no table", made)), 1)
        self.assertEqual(tables.made_calls(['#include "state_get.h"\n/* state_claim */'], names), set())


if __name__ == "__main__":
    unittest.main()
