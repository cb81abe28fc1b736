"""Polling with a deadline, the only way these tests wait."""

import time


def until(check, timeout=30.0, what="condition", interval=0.05):
    """Calls check until it returns something true and returns that; fails with the last answer or error."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = check()
            if last:
                return last
        except Exception as e:
            last = e
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout:g} s, last: {last!r}")
        time.sleep(interval)
