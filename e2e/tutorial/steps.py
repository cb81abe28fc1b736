"""A numbered list of steps that is run and printed: what it does, what came out, how long it took. The first that fails ends it."""

import sys
import time
import traceback


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
        except Exception:
            traceback.print_exc(limit=4)
            if self.explain:
                self.explain()
            print(f"[{self.n}] FAILED: {what}", flush=True)
            sys.exit(1)
        if isinstance(out, str) and out.strip():
            print("    " + out.strip().replace("\n", "\n    "))
        print(f"    ok, {time.monotonic() - began:.1f} s", flush=True)
        return out

    def end(self):
        print(f"=== {self.title}: {self.n} steps passed in {time.monotonic() - self.began:.0f} s", flush=True)
