"""A numbered list of steps that is run and printed: what it does, what came out, how long it took. The first that fails ends it."""

import signal
import sys
import time
import traceback


def end_on_signals():
    """A signal leaves the program as an error does, so that what it started is ended on the way."""

    def leave(number, _):
        for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(s, signal.SIG_IGN)
        sys.exit(128 + number)

    for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(s, leave)


class Steps:
    def __init__(self, title, explain=None):
        """explain: prints what may tell why a step failed."""
        self.title, self.began, self.n, self.explain = title, time.monotonic(), 0, explain
        print(f"=== {title}", flush=True)

    def run(self, what, fn, *args, **kw):
        """Runs one; what it returns is printed when it is text, and handed on."""
        self.n += 1
        print(f"[{self.n}] {what}", flush=True)
        began = time.monotonic()
        try:
            out = fn(*args, **kw)
        except Exception as e:
            traceback.print_exc(limit=-4)
            if self.explain:
                self.explain()
            # the last lines are what is looked at first
            print(f"[{self.n}] FAILED after {time.monotonic() - began:.1f} s: {what}\n{_reason(e)}", flush=True)
            sys.exit(1)
        except SystemExit:
            print(f"[{self.n}] interrupted: {what}", flush=True)
            raise
        if isinstance(out, str) and out.strip():
            print("    " + out.strip().replace("\n", "\n    "))
        print(f"    ok, {time.monotonic() - began:.1f} s", flush=True)
        return out

    def end(self):
        print(f"=== {self.title}: {self.n} steps passed in {time.monotonic() - self.began:.0f} s", flush=True)


def _reason(error):
    """What the error says, without what it may have copied of a program's output."""
    lines = (str(error).strip() or type(error).__name__).split("\n")
    return "\n".join("    " + line[:500] for line in lines[:8])
