"""Looks at the shared state all the time, between any two scripts: what it says twice must be the same both times.

The history shows what callers were told, and a drift of a charge or a set that nobody asked about yet is gone with the next wipe.
"""

import pathlib
import threading
import time

from chaos.clients import POOLS
from chaos.world import RedisError

SCRIPT = (pathlib.Path(__file__).parents[2] / "lib/state/testing/audit.lua").read_text()
EVERY_S = 0.25


class Auditor(threading.Thread):
    def __init__(self, world, history, stop):
        super().__init__(daemon=True)
        self.redis, self.history, self.stop, self.error = world.client(), history, stop, None

    def run(self):
        try:
            while not self.stop.wait(EVERY_S):
                self.look()
        except Exception as e:
            self.error = e

    def look(self):
        t0 = time.monotonic()
        try:
            complaint = self.redis("EVAL", SCRIPT, 0, "default", *POOLS)
        except RedisError as e:
            if str(e).startswith("ERR"):
                raise  # the script's own mistake; anything else: it is down, or loading
            return
        self.history.add("audit", t0, complaint=complaint)
