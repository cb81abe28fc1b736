"""Faults, drawn from the seed before the run: two lanes, each one fault after the other, so that two may overlap."""

import random
import signal
import subprocess
import threading
import time

from chaos.world import SERVICES, RedisError, wait

# how often, relative to each other
WEIGHTS = {
    "kill": 4,
    "torn": 4,
    "again": 1,
    "slow": 2,
    "pause": 4,
    "cut": 3,
    "script_flush": 2,
    "partition": 4,
    "skew": 4,
}
# how a server ends that is torn out of its work, and how often
ENDS = {"write": 6, "before flush": 1, "after flush": 1}
SLOW_US = [1000, 5000, 20000]
LANES = 2
# the last part of a run is without new faults, so that what they broke can show
QUIET_S = 2.0
WIPE_EVERY_S = 25.0
# beside those that are drawn, in a lane of its own: what one leaves behind shows in about half of the cases
TORN_EVERY_S = (2.0, 4.0)
# of clocks, in seconds. Redis's also judges how long its lease is that a service that died still has
SKEWS = {"redis": [-10, -2, -0.3, 0.3, 2, 10], "": [-3600, -30, -2, 2, 30, 3600]}


def schedule(seed, seconds, sentinel=False):
    """[(at, lane, kind, target, duration)], a pure function of its arguments."""
    rng, out = random.Random(f"{seed}/faults"), []
    targets = {"kill": SERVICES, "pause": SERVICES, "skew": SERVICES, "partition": SERVICES[1:]}
    weights = WEIGHTS
    if sentinel:
        # services find their way to the master themselves, and every other kill is of a server
        weights = {**WEIGHTS, "kill": 8, "partition": 0}
        targets.update({"kill": ["redis", *SERVICES], "pause": SERVICES[1:]})
    for lane in range(LANES):
        at = 1.0 + rng.random()
        while at < seconds - QUIET_S:
            kind = rng.choices(list(weights), list(weights.values()))[0]
            target = rng.choice(targets.get(kind, ["redis"]))
            # now and then longer than services wait for Redis (3 s)
            duration = rng.choice([0.05, 0.2, 0.5, 1.0, 1.5]) if rng.random() < 0.93 else 3.5
            out.append((round(at, 3), lane, kind, target, duration))
            at += duration + rng.uniform(0.1, 2.0)
    at = WIPE_EVERY_S * rng.uniform(0.4, 0.6)
    while at < seconds - QUIET_S - 5:
        out.append((round(at, 3), LANES, "wipe", "redis", 0))
        at += WIPE_EVERY_S
    at = rng.uniform(*TORN_EVERY_S)
    while at < seconds - QUIET_S:
        out.append((round(at, 3), LANES + 1, "torn", "redis", 0.05))
        at += rng.uniform(*TORN_EVERY_S)
    return sorted(out)


class Faults:
    """Lanes take turns at a service: one that is down is not paused as well."""

    def __init__(self, world, history, plan, seed, make_pools):
        self.world, self.history, self.plan, self.seed, self.make_pools = world, history, plan, seed, make_pools
        self.busy, self.clocks, self.ways = ({name: threading.Lock() for name in SERVICES} for _ in range(3))
        self.slowness, self.errors = threading.Lock(), []

    def run(self, start):
        threads = [threading.Thread(target=self._lane, args=(lane, start)) for lane in range(LANES + 2)]
        for t in threads:
            t.start()
        return threads

    def _lane(self, lane, start):
        rng = random.Random(f"{self.seed}/lane/{lane}")
        for at, of, kind, target, duration in self.plan:
            if of != lane:
                continue
            time.sleep(max(0.0, start + at - time.monotonic()))
            try:
                getattr(self, "_" + kind)(target, duration, rng)
            except Exception as e:
                self.errors.append(f"fault {kind} of {target}: {e}")

    def _kill(self, target, duration, rng):
        if target == "redis":
            return self._end_server("kill", duration, rng, self.world.kill)
        with self.busy[target]:
            t0 = time.monotonic()
            self.world.kill(target)
            time.sleep(duration)
            self.world.start(target)
            self.history.add("fault", t0, kind="kill", target=target)

    def _torn(self, target, duration, rng):
        """Redis dies in the midst of a write to its file, with a part of it there, or right before or after it is flushed; then it works
        for a moment, and is killed: what it made of the part shows at the start after the next."""
        end = rng.choices(list(ENDS), list(ENDS.values()))[0]

        def tear(process):
            self.world.disk_dies(process, end, rng.randrange(1000))
            try:
                self.world.processes[process].wait(2)
            except subprocess.TimeoutExpired:  # nothing was written
                self.world.kill(process)
            self.world.disk_dies(process)
            self.world.start_server(process)
            time.sleep(rng.uniform(0.5, 1.0))
            self.world.kill(process)

        self._end_server("torn", duration, rng, tear, at=end)

    def _again(self, target, duration, rng):
        """Redis is killed, and once more while it loads its file or writes it anew."""

        def twice(process):
            self.world.kill(process)
            self.world.start(process)
            time.sleep(rng.uniform(0, 0.2))
            self.world.kill(process)

        self._end_server("again", duration, rng, twice)

    def _end_server(self, kind, duration, rng, end, **more):
        with self.busy["redis"]:
            t0, process = time.monotonic(), "redis"
            several = len(self.world.servers) > 1
            if several:
                # the other one must have all there is before the last one that has it may go
                wait(lambda: self.world.ready("redis"), "a replica in step", 60)
                master = self.world.redis.port
                # the master more often than not, and then long enough for the Sentinels to agree
                process = self.world.servers[(master != self.world.redis_port) ^ (rng.random() < 0.3)]
                duration += 4.0 * (rng.random() < 0.7)
            end(process)
            time.sleep(duration)
            self.world.start_server(process)
            self.history.add("fault", t0, kind=kind, target=process, **more)
            if several:
                wait(lambda: self.world.ready("redis"), "a master and its replica", 60)
                if self.world.redis.port != master:
                    self.history.add("fault", t0, kind="failover", target="redis")

    def _slow(self, target, duration, rng):
        """Each flush of Redis's disk takes longer, whatever else happens to it meanwhile."""
        with self.slowness:
            t0, flush_us = time.monotonic(), rng.choice(SLOW_US)
            self.world.disk_slow(flush_us)
            time.sleep(duration)
            self.world.disk_slow(0)
            self.history.add("fault", t0, kind="slow", target="redis", flush_us=flush_us)

    def _pause(self, target, duration, rng):
        with self.busy[target]:
            t0 = time.monotonic()
            self.world.signal(target, signal.SIGSTOP)
            time.sleep(duration)
            self.world.signal(target, signal.SIGCONT)
            self.history.add("fault", t0, kind="pause", target=target)

    def _skew(self, target, duration, rng):
        """The wall clock of a service jumps, and some time later back."""
        with self.clocks[target]:
            began = time.monotonic()
            for offset in (rng.choice(SKEWS.get(target, SKEWS[""])), 0):
                t0 = time.monotonic()
                self.world.clock(target, offset)
                time.sleep(0.01)  # whoever read it just before has used what it read
                self.history.add("skew", t0, target=target, offset=offset)
                if offset:
                    time.sleep(duration)
            self.history.add("fault", began, kind="skew", target=target)

    def _partition(self, target, duration, rng):
        """Nothing gets from a service to Redis, or back, or both; then all that was held arrives, or the connections are gone."""
        with self.ways[target]:
            t0 = time.monotonic()
            way, end = rng.choice(["up", "down", "both"]), rng.choice(["heal", "break"])
            self.world.way(target, way, "hold")
            time.sleep(duration)
            self.world.way(target, end)
            self.history.add("fault", t0, kind=f"partition_{way}", target=target, end=end)

    def _redis(self, *args):
        """Whatever becomes of it: Redis may be down in the other lane."""
        try:
            return self.world.redis(*args)
        except RedisError:
            return None

    def _cut(self, target, duration, rng):
        """Connections to Redis break, some or all: what was under way is applied or not, and nobody is told."""
        t0 = time.monotonic()
        clients = [
            line.split()[0][3:]
            for line in (self._redis("CLIENT", "LIST") or "").splitlines()
            if "cmd=client" not in line
        ]
        share = rng.choice([0.3, 1.0])
        cut = [c for c in clients if rng.random() < share and self._redis("CLIENT", "KILL", "ID", c)]
        if cut:
            self.history.add("fault", t0, kind="cut", target="redis", connections=len(cut))

    def _script_flush(self, target, duration, rng):
        t0 = time.monotonic()
        if self._redis("SCRIPT", "FLUSH"):
            self.history.add("fault", t0, kind="script_flush", target="redis")

    def _wipe(self, target, duration, rng):
        """All data gone. What was there before the new epoch may be lost, nothing after it; the pools are made anew."""
        t0 = time.monotonic()
        # where servers fail over there is none for a while, again and again
        patience = 90 if len(self.world.servers) == 1 else 120
        try:
            with self.make_pools.lock:
                wait(lambda: self._redis("FLUSHALL") == "OK", "FLUSHALL", patience)
                wait(lambda: self._redis("GET", "sp:epoch"), "a new epoch after FLUSHALL", patience)
                wait(self.make_pools, "pools again after FLUSHALL", patience)
        finally:
            self.history.add("wipe", t0)
        self.history.add("fault", t0, kind="wipe", target="redis")
