"""until gives up with what it waited for, and hides no mistake of the test's."""

import unittest

import until as waits
from until import until


class Until(unittest.TestCase):
    def gives_up(self, *args, **kw):
        with self.assertRaises(AssertionError) as e:
            until(*args, timeout=0, interval=0, **kw)
        return str(e.exception)

    def test_what_is_true_is_returned(self):
        answers = iter([None, 0, "", "here"])
        self.assertEqual(until(lambda: next(answers), interval=0), "here")

    def test_it_says_what_it_waited_for(self):
        text = self.gives_up(lambda: None, what="the end")
        self.assertEqual(text, "the end: not within 0 s, last: None")

    def test_without_a_name_it_says_the_line(self):
        with self.assertRaises(AssertionError) as e:
            until(lambda: 0, timeout=0)  # this line
        self.assertRegex(
            str(e.exception), r"^until_test\.py:\d+: until\(lambda: 0, timeout=0\)  # this line: not within"
        )

    def test_it_says_the_last_error(self):
        self.assertIn("ValueError('no')", self.gives_up(self.fails_with, what="x"))

    def test_other_errors_pass(self):
        with self.assertRaisesRegex(ValueError, "no"):
            until(self.fails_with, may_fail=OSError)

    def test_what_is_waited_for_can_be_asked(self):
        seen = []
        until(lambda: seen.append(list(waits.waiting)) or True, what="outer")
        self.assertEqual((seen, waits.waiting), ([["outer"]], []))
        self.gives_up(lambda: None, what="given up")
        self.assertEqual(waits.waiting, [])

    @staticmethod
    def fails_with():
        raise ValueError("no")


if __name__ == "__main__":
    unittest.main()
