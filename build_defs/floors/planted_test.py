"""Plants one violation of each kind in a small clean tree and wants exactly that complaint."""

import contextlib
import io
import os
import shutil
import tempfile
import unittest

import check
import floors

CLEAN = {
    "lib/base/BUILD.bazel": "# Errors.\n# For: all.\n# Uses: libc.\n",
    "lib/base/error.h": "#include <stdint.h>\n",
    "lib/base/error.c": '#include "lib/base/error.h"\n\n#include <stdio.h>\n',
    "lib/loop/loop.h": '#include "lib/base/error.h"\n',
    "lib/loop/loop.c": '#include "lib/loop/loop.h"\n#include <event2/event.h>\n',
    "lib/yaml/yaml_json.h": "#include <jansson.h>\n",
    "lib/kube/kube_object.h": "#include <jansson.h>\n",
    "lib/kube/kube_client.h": '#include "lib/kube/kube_object.h"\n',
    "lib/redis/redis.h": '#include "lib/loop/loop.h"\n',
    "lib/redis/redis_conn.h": "#include <hiredis/hiredis.h>\n",
    "lib/redis/redis.c": '#include "lib/redis/redis_conn.h"\n',
    "lib/rpc/rpc_pb.h": "#include <protobuf-c/protobuf-c.h>\n",
    "lib/rpc/rpc_pb_check.h": "#include <protobuf-c/protobuf-c.h>\n",
    "lib/rpc/rpc_server.h": '#include "lib/loop/loop.h"\n',
    "lib/state/state.h": '#include "lib/redis/redis.h"\n',
    "lib/state/state_record.h": "",
    "lib/state/state.c": '#include "lib/state/state_scripts.h"\n',
    "services/claims/claim.h": '#include "lib/state/state_record.h"\n',
    "services/claims/claim.c": '#include "services/claims/claim.h"\n',
    "lib/base/test.h": "#include <cmocka.h>\n",
    "services/claims/claim_test.c": '#include "lib/base/test.h"\n#include "services/claims/claim.h"\n',
    "services/claims/claims.h": '#include "lib/rpc/rpc_server.h"\n',
    "services/claims/claim_store.h": '#include "services/claims/claim.h"\n',
    "services/claims/claim_store.c": '#include "services/claims/claim_store.h"\n#include "services/claims/claims.h"\n',
    "services/claims/claim_rpc.h": '#include "lib/rpc/rpc_server.h"\n',
    "services/claims/claim_rpc.c": '#include "services/claims/claim_store.h"\n#include "api/sandplane/v1/sandbox.pb-c.h"\n',
    "services/claims/claim_loop.h": "",
    "services/claims/main.c": '#include "services/claims/claim_rpc.h"\n',
    "services/pools/pool.h": "",
    "services/reconciler/kubernetes/claim/claim_rules.c": '#include "lib/kube/kube_object.h"\n',
    "services/reconciler/kubernetes/claim/claim_controller.c": '#include "services/reconciler/kubernetes/cluster/cluster.h"\n',
    "services/reconciler/kubernetes/cluster/cluster.h": '#include "lib/kube/kube_client.h"\n',
    "runtime/main.c": '#include "lib/rpc/rpc_pb_check.h"\n#include "runtime/call/call.h"\n',
    "runtime/call/call.h": "",
    "cli/main.c": '#include "lib/rpc/rpc_pb.h"\n#include "cli/args.h"\n',
    "cli/args.h": "",
}

# (file, what is planted in it, what the complaint says)
PLANTED = [
    # lib/base stands on libc alone
    ("lib/base/error.c", "#include <event2/event.h>", "libevent is not a library of lib/base"),
    ("lib/base/error.c", '#include "lib/loop/loop.h"', "lib/base includes lib/loop"),
    # a library stands on lib/base, its own foreign library and those of its row
    ("lib/loop/loop.c", '#include "lib/redis/redis.h"', "lib/loop includes lib/redis"),
    ("lib/loop/loop.c", "#include <openssl/evp.h>", "openssl is not a library of lib/loop"),
    ("lib/loop/loop.c", '#include "services/claims/claim.h"', "a library includes services/claims/claim.h"),
    ("lib/loop/loop.c", '#include "runtime/call/call.h"', "a library includes runtime/call/call.h"),
    ("lib/new/new.c", '#include "lib/base/error.h"', "lib/new has no row"),
    # foreign types stay out of the headers that others include, also when another header brings them
    ("lib/loop/loop.h", "#include <event2/event.h>", "lib/loop/loop.h brings libevent"),
    ("lib/redis/redis.h", '#include "lib/redis/redis_conn.h"', "lib/redis/redis.h brings hiredis"),
    ("lib/state/state.c", '#include "lib/redis/redis_conn.h"', "lib/redis/redis_conn.h brings hiredis"),
    # services know nothing of one another, or of other programs
    ("services/claims/main.c", '#include "services/pools/pool.h"', "services/claims includes services/pools"),
    ("services/claims/claim_test.c", '#include "services/pools/pool.h"', "services/claims includes services/pools"),
    ("services/claims/main.c", '#include "cli/args.h"', "a service includes cli/args.h"),
    # the domain sees no store, no loop, no rpc, no context; and not their libraries
    ("services/claims/claim.c", '#include "services/claims/claim_store.h"', "which is a store file"),
    ("services/claims/claim.c", '#include "services/claims/claim_rpc.h"', "which is a rpc file"),
    ("services/claims/claim.h", '#include "services/claims/claim_loop.h"', "which is a loop file"),
    ("services/claims/claim.c", '#include "services/claims/claims.h"', "which is a context file"),
    ("services/claims/claim.c", '#include "lib/redis/redis.h"', "a domain file includes lib/redis/redis.h"),
    ("services/claims/claim.h", '#include "lib/state/state.h"', "a domain file includes lib/state/state.h"),
    ("services/claims/claim.c", '#include "lib/rpc/rpc_server.h"', "a domain file includes lib/rpc/rpc_server.h"),
    ("services/claims/claim.c", '#include "lib/loop/loop.h"', "a domain file includes lib/loop/loop.h"),
    # decisions about Kubernetes objects see neither the cluster nor a connection to it
    (
        "services/reconciler/kubernetes/claim/claim_rules.c",
        '#include "services/reconciler/kubernetes/cluster/cluster.h"',
        "which is a cluster file",
    ),
    (
        "services/reconciler/kubernetes/claim/claim_rules.c",
        '#include "lib/kube/kube_client.h"',
        "a objects file includes lib/kube/kube_client.h",
    ),
    # the store sees no rpc
    ("services/claims/claim_store.c", '#include "services/claims/claim_rpc.h"', "which is a rpc file"),
    ("services/claims/claim_store.c", '#include "lib/rpc/rpc_server.h"', "a store file includes lib/rpc/rpc_server.h"),
    # protobuf messages stay at the edge
    ("services/claims/claim.c", '#include "api/sandplane/v1/sandbox.pb-c.h"', "protobuf messages stay in _rpc.c"),
    ("services/claims/claim_store.c", "#include <google/protobuf/empty.pb-c.h>", "protobuf messages stay in _rpc.c"),
    ("services/claims/claim_loop.h", '#include "api/sandplane/v1/sandbox.pb-c.h"', "protobuf messages stay in _rpc.c"),
    ("lib/state/state.c", '#include "api/sandplane/v1/sandbox.pb-c.h"', "protobuf messages stay in _rpc.c"),
    ("services/claims/main.c", '#include "lib/state/state_scripts.h"', "is not for this folder"),
    # foreign libraries of programs
    ("services/claims/main.c", "#include <jansson.h>", "jansson is not a library of services/claims"),
    ("services/claims/sub/x.c", "#include <jansson.h>", "jansson is not a library of services/claims/sub"),
    ("services/claims/claim_test.c", "#include <cmocka.h>", "<cmocka.h>: tests include lib/base/test.h"),
    ("services/claims/main.c", '#include "lib/base/test.h"', "lib/base/test.h outside a test"),
    ("services/claims/main.c", "#include <curl/curl.h>", "curl is not a library of services/claims"),
    # the runtime carries no gRPC, the CLI no state
    ("runtime/main.c", '#include "lib/rpc/rpc_server.h"', "lib/rpc/rpc_server.h is not for runtime/"),
    ("runtime/main.c", '#include "services/pools/pool.h"', "services/pools/pool.h is not for runtime/"),
    ("cli/main.c", '#include "lib/state/state.h"', "lib/state/state.h is not for cli/"),
    ("cli/main.c", '#include "runtime/call/call.h"', "runtime/call/call.h is not for cli/"),
    ("other/x.c", '#include "lib/base/error.h"', "other/ has no row"),
    # ways around the check
    ("services/claims/claim.c", '#include "claim_store.h"', "is no header of this tree"),
    ("services/claims/claim.c", '#include "../claims/claim_store.h"', "is no header of this tree"),
    ("services/claims/claim.c", "#include STORE", "must be a plain name"),
    ("services/claims/claim.c", '  #  include"services/claims/claim_rpc.h"', "which is a rpc file"),
    ("services/claims/claim.c", "#include <services/claims/claim_rpc.h>", "is neither libc's nor of a known library"),
    ("services/claims/claim.c", '#include_next "services/claims/claim_rpc.h"', "which is a rpc file"),
]


class Builds(unittest.TestCase):
    GOOD = "# Lists.\n# For: all.\n# Uses: libc; one\n# more.\n\nload()\n"

    def test_heads(self):
        bad = [
            "",
            "load()\n",
            "# Lists.\n\nload()\n",
            self.GOOD.replace("# For", "# To"),
            self.GOOD.replace("# Uses", "#"),
        ]
        for text in bad:
            with self.subTest(text):
                self.assertEqual(len(check.unsaid({"lib/x/BUILD.bazel": text})), 1)
        for text in (self.GOOD, self.GOOD.split("\n\n")[0] + "\n"):
            self.assertEqual(check.unsaid({"lib/x/BUILD.bazel": text}), [])


class Planted(unittest.TestCase):
    def setUp(self):
        # the real tree's exceptions name files that the small one does not have
        self.kept = {name: dict(getattr(floors, name)) for name in ("KIND_OF_FILE", "PB_FILES")}
        floors.KIND_OF_FILE.clear()
        floors.PB_FILES.clear()
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in CLEAN.items():
            self.write(path, text)

    def tearDown(self):
        for name, table in self.kept.items():
            getattr(floors, name).clear()
            getattr(floors, name).update(table)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def complaints(self):
        return check.Judge(check.read_tree(self.root)).run()

    def test_clean_tree(self):
        self.assertEqual(self.complaints(), [])

    def test_planted(self):
        for path, line, wanted in PLANTED:
            with self.subTest(path=path, line=line):
                before = CLEAN.get(path)
                self.write(path, (before or "") + line + "\n")
                got = self.complaints()
                at = "%s:%d: " % (path, (before or "").count("\n") + 1)
                self.assertTrue(any(wanted in c for c in got), got)
                # a leak is told where it arrives, all else where it is planted
                self.assertTrue(any(c.startswith(at) for c in got) or "brings" in wanted, got)
                if before is None:
                    os.remove(os.path.join(self.root, path))
                else:
                    self.write(path, before)
        self.assertEqual(self.complaints(), [])

    def test_exception_that_names_nothing(self):
        floors.KIND_OF_FILE["services/claims/gone"] = ("loop", "was renamed")
        floors.PB_FILES["services/claims/gone.c"] = "was renamed"
        self.assertEqual(len(self.complaints()), 2)

    def test_exception_that_counts(self):
        self.write("services/claims/claim.c", '#include "services/claims/claim_store.h"\n')
        self.assertEqual(len(self.complaints()), 1)
        floors.KIND_OF_FILE["services/claims/claim"] = ("store", "for this test")
        # claim_store.h includes it, and may: both are on one floor now
        self.assertEqual(self.complaints(), [])

    def test_the_program_itself_fails(self):
        """By its exit code, over a tree that has every file the real exceptions name."""
        self.tearDown()
        for name in floors.KIND_OF_FILE:
            self.write(name + ".c", "")
        for name in floors.PB_FILES:
            self.write(name, "")
        marker = os.path.join(self.root, "WORKSPACE")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(check.main(marker), 0)
            self.write("services/claims/claim.c", '#include "services/claims/claim_store.h"\n')
            self.assertEqual(check.main(marker), 1)
            self.write("services/claims/claim.c", "")
            os.remove(os.path.join(self.root, "runtime/main.c"))
            with self.assertRaises(AssertionError):
                check.main(marker)
        self.assertIn("services/claims/claim.c:1: ", out.getvalue())


if __name__ == "__main__":
    unittest.main()
