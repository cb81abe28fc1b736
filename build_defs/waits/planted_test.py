"""Plants a sleep of each kind, and wants each refused."""

import unittest

import check
import waits

PLANTED = [
    ("lib/x/x_test.c", "  usleep(50000);"),
    ("lib/x/x_fixture.c", "  if (n) nanosleep(&t, NULL);"),
    ("services/x/testing/app.py", "    time.sleep(1)"),
    ("runtime/x_test.py", "import time\ntime.sleep(0.1)\n"),
    ("e2e/test_x.py", "await asyncio.sleep(1)"),
    ("e2e/k8s/test_x.py", "from time import monotonic, sleep"),
    ("e2e/harness/x.py", "let_pass(3, 'why')"),
    ("cli/x_test.sh", "start &\n  sleep 1\n"),
]


class Planted(unittest.TestCase):
    def setUp(self):
        self.kept = dict(waits.ALLOWED)
        waits.ALLOWED.clear()
        self.addCleanup(waits.ALLOWED.update, self.kept)
        self.addCleanup(waits.ALLOWED.clear)

    def test_refused(self):
        for path, text in PLANTED:
            with self.subTest(path):
                self.assertTrue(check.is_test(path))
                self.assertEqual(len(check.judge({path: text})), 1)

    def test_no_sleep(self):
        self.assertEqual(
            check.judge({"lib/x/x_test.c": "/* usleep */ on_sleep_done(w);", "e2e/x.py": '("sleep", "9")'}), []
        )

    def test_allowed_exactly(self):
        waits.ALLOWED["e2e/test_x.py"] = (1, "for this test")
        self.assertEqual(check.judge({"e2e/test_x.py": "time.sleep(1)"}), [])
        self.assertEqual(len(check.judge({"e2e/test_x.py": "time.sleep(1)\ntime.sleep(1)"})), 1)
        self.assertEqual(len(check.judge({"e2e/test_x.py": ""})), 1)
        self.assertEqual(len(check.judge({})), 1)

    def test_product_code_is_not_judged(self):
        for path in ("services/claims/main.c", "e2e/bench/claims.py", "tools/stack", "README.md"):
            self.assertFalse(check.is_test(path))


if __name__ == "__main__":
    unittest.main()
