"""Every call and what came of it, in the order of its end. One dict a call, JSON lines on disk."""

import json
import time

# of the wall clock: what Redis judges by; all else here is monotonic
WALL = time.time() - time.monotonic()


class History:
    def __init__(self):
        self.entries = []

    def add(self, op, t0, **what):
        entry = {"op": op, "t0": t0, "t1": time.monotonic(), **what}
        self.entries.append(entry)
        return entry

    def save(self, path, header):
        with open(path, "w") as f:
            for e in [header, *sorted(self.entries, key=lambda e: e["t1"])]:
                f.write(json.dumps(e) + "\n")


def load(path):
    with open(path) as f:
        header, *entries = [json.loads(line) for line in f]
    return header, entries


def show(e, start):
    rest = " ".join(f"{k}={v}" for k, v in e.items() if k not in ("op", "t0", "t1") and v not in (None, "", []))
    return f"{e['t0'] - start:9.4f} .. {e['t1'] - start:9.4f}  {e['op']:8s} {rest[:300]}"
