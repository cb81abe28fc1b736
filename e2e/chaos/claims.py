"""Claims under faults, and whether every promise was kept (docs/chaos.md).

Prints calls and faults by kind, violations with the calls involved, and last one line of JSON; exit 1 on any violation.
"""

import argparse
import collections
import json
import pathlib
import random
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from chaos import faults, history
from chaos.auditor import Auditor
from chaos.checker import Checker
from chaos.clients import POOLS, TENANTS, Caller, Owner
from chaos.world import SERVICES, RedisError, World, wait

CALLERS = 8


class Run:
    def __init__(self, binaries, redis, skew, seed, seconds, callers=CALLERS, sentinel=False):
        self.world, self.history = World(binaries, redis, skew, sentinel), history.History()
        self.seed, self.seconds, self.plan = seed, seconds, faults.schedule(seed, seconds, sentinel)
        self.stop = threading.Event()
        self.callers = [Caller(i, self.world, self.history, seed, self.stop) for i in range(callers)]
        self.owner = Owner(self.world, self.history, seed, self.stop)
        self.auditor = Auditor(self.world, self.history, self.stop)
        self.errors, self.start = [], time.monotonic()

    def go(self):
        self.world.start_all()
        wait(self.owner, "pools at the start")
        self.start = time.monotonic()
        trouble = faults.Faults(self.world, self.history, self.plan, self.seed, self.owner)
        lanes = trouble.run(self.start)
        for t in (*self.callers, self.owner, self.auditor):
            t.start()
        time.sleep(max(0.0, self.start + self.seconds - time.monotonic()))
        # a fault that waits for a replica to be in step, before and after it, takes up to two minutes to its end
        for t in lanes:
            t.join(180)
        self.stop.set()
        for t in (*self.callers, self.owner, self.auditor):
            t.join(60)
        self.errors = trouble.errors + [repr(t.error) for t in (*self.callers, self.owner, self.auditor) if t.error]
        self.history.add("disk", time.monotonic(), writes=self.world.disk_writes())
        for what in self.world.died():
            self.history.add("died", time.monotonic(), what=what)
        if not self.world.died():
            self.settle()

    # ---- the end: all is let go, and nothing may stay ----

    def settle(self):
        for name in SERVICES:
            wait(lambda name=name: self.world.ready(name), f"{name} is ready at the end")
        wait(self.owner, "pools at the end")
        last = self.callers[0]
        last.list()
        for c in self.callers:
            for sandbox in list(c.held):
                c.get(sandbox)
                wait(lambda c=c, sandbox=sandbox: c.delete(sandbox) or sandbox not in c.held, f"{sandbox} is let go")
        # what was on its way is settled, and what has a time to live of up to 4 s is over
        time.sleep(6)
        # what was granted when its caller had been answered already is confirmed by nobody, and ends after ten seconds
        wait(
            lambda: not any("pending" in r for pool in POOLS for r in self.records(pool).values()),
            "grants that nobody confirms end",
        )
        for pool in POOLS:
            for sandbox, r in self.records(pool).items():
                if r.get("state") in ("3", "5"):
                    expire = int(r.get("expire_ms", 0)) / 1000
                    if expire and expire - history.WALL > time.monotonic():
                        self.leftover(sandbox, r, "expires later")
                    else:
                        self.leftover(sandbox, r, "leftover")
                    wait(lambda sandbox=sandbox: last.delete(sandbox) or sandbox in last.gone, f"{sandbox} is let go")
        end = time.monotonic() + 20
        while (problems := self.problems()) and time.monotonic() < end:
            time.sleep(0.2)
        self.history.add("final", time.monotonic(), problems=problems)

    def leftover(self, sandbox, record, why):
        call = int(json.loads(record.get("labels", "{}")).get("call", 0))
        state = {"3": "CLAIMED", "5": "FAILED"}[record["state"]]
        self.history.add(
            "leftover", time.monotonic(), sandbox=sandbox, uid=record.get("uid", ""), state=state, call=call, why=why
        )

    def records(self, pool):
        """Asked again until it is answered: a fail-over may still be under way, and closes connections at its end."""
        base, out = f"sp:{{default}}/{pool}:", {}

        def read():
            try:
                for key in self.world.redis("KEYS", base.replace("{", "[{]").replace("}", "[}]") + "sb:*"):
                    flat = self.world.redis("HGETALL", key)
                    out[key[len(base) + 3 :]] = dict(zip(flat[::2], flat[1::2]))
                return True
            except RedisError:
                out.clear()
                return False

        wait(read, f"the records of {pool}")
        return out

    def problems(self):
        """What is not as it was before the first claim."""
        out, all_records = [], set()
        try:
            for pool, replicas in POOLS.items():
                records = self.records(pool)
                all_records |= set(records)
                odd = sorted(f"{s} in state {r.get('state')}" for s, r in records.items() if r.get("state") != "2")
                if odd:
                    out.append(f"pool {pool}: {', '.join(odd[:5])} of {len(odd)} that are not READY")
                if len(records) != replicas:
                    out.append(f"pool {pool} has {len(records)} sandboxes instead of {replicas}")
                for key, count in (
                    ("claimed", "ZCARD"),
                    ("releasing", "ZCARD"),
                    ("creating", "ZCARD"),
                    ("queue", "ZCARD"),
                    ("waiting", "ZCARD"),
                    ("gangs", "ZCARD"),
                    ("deadlines", "ZCARD"),
                    ("waiters", "HLEN"),
                    ("uids", "HLEN"),
                ):
                    if n := self.world.redis(count, f"sp:{{default}}/{pool}:{key}"):
                        out.append(f"pool {pool}: {n} left in {key}")
                made, gone = (
                    int(n or 0)
                    for n in self.world.redis("HMGET", f"sp:{{default}}/{pool}:pool", "created", "destroyed")
                )
                if made != gone + len(records):
                    out.append(f"pool {pool}: {made} sandboxes made are not {gone} gone and {len(records)} there")
            for tenant in TENANTS:
                if use := self.world.redis("HGETALL", f"sp:{{default}}:use:{tenant}"):
                    out.append(f"tenant {tenant} is charged {use} although it holds nothing")
        except RedisError as e:
            return [f"Redis: {e}"]
        if (files := self.world.files()) != all_records:
            out.append(
                f"{len(files - all_records)} sandboxes without a record, {len(all_records - files)} records without a sandbox"
            )
        return out


def report(header, entries, errors, start):
    checker = Checker(entries)
    violations = checker.check()
    calls = collections.Counter((e["op"], e["result"]) for e in entries if "result" in e)
    hits = collections.Counter((e["kind"], e["target"]) for e in entries if e["op"] == "fault")
    for (op, result), n in sorted(calls.items()):
        print(f"  {op:12s} {result:20s} {n:7d}")
    for (kind, target), n in sorted(hits.items()):
        print(f"  fault: {kind:13s} {target:12s} {n:7d}")
    for v in violations[:20]:
        print(f"VIOLATION {v['kind']}: {v['text']}")
        for e in v["entries"]:
            print("    " + history.show(e, start))
    for e in errors:
        print(f"ERROR {e}")
    kinds = collections.Counter(v["kind"] for v in violations)
    disk = next((e["writes"] for e in entries if e["op"] == "disk"), [0, 0])
    by_fault = collections.Counter()
    for (kind, _), n in hits.items():
        by_fault[kind] += n
    waited = sum(1 for e in entries if e["op"] in ("create", "batch") and e["unknown"])
    result = {
        "seed": header["seed"],
        "seconds": header["seconds"],
        "broken": header["broken"],
        "claims": len(checker.claims),
        "batches": calls["batch", "OK"],
        "calls": sum(calls.values()),
        "creates_unknown": waited,
        "orphans": sum(1 for e in entries if e["op"] == "leftover"),
        "faults": dict(sorted(by_fault.items())),
        "audits": sum(1 for e in entries if e["op"] == "audit"),
        "aof_writes": disk[0],
        "aof_writes_over_a_page": disk[1],
        "violations": len(violations),
        "violations_by_kind": dict(kinds),
        "errors": len(errors),
    }
    return result


def run(args):
    header = {
        "seed": args.seed,
        "seconds": args.seconds,
        "callers": args.callers,
        "sentinel": args.sentinel,
        "broken": args.broken or "",
    }
    r = Run(args.binaries, args.redis, args.skew, args.seed, args.seconds, args.callers, args.sentinel)
    print(f"seed {args.seed}, {args.seconds:g} s, {len(r.plan)} faults planned, logs in {r.world.folder}", flush=True)
    bad = True
    try:
        try:
            r.go()
        except RuntimeError as e:
            r.errors.append(str(e))
        entries = list(r.history.entries)
        result = report(header, entries, r.errors, r.start)
        bad = bool(result["violations"] or result["errors"])
        if args.history:
            r.history.save(args.history, {**header, "start": r.start})
        elif bad and not args.broken:
            result["history"] = str(r.world.folder / "history.jsonl")
            r.history.save(result["history"], {**header, "start": r.start})
    finally:
        r.world.stop(keep=bad and not args.broken)
    print(json.dumps(result), flush=True)
    return bad, result


def long_run(args):
    """Runs of args.seconds one after the other, each with the next seed and a world of its own, until there are enough claims."""
    total, runs = collections.Counter(), 0
    hits, bad, first, began = collections.Counter(), False, args.seed, time.monotonic()
    ends = began + args.hours * 3600
    while not bad and total["claims"] < args.claims and time.monotonic() < ends:
        bad, result = run(args)
        runs += 1
        args.seed += 1
        hits.update(result["faults"])
        total.update(
            {
                k: result[k]
                for k in ("claims", "batches", "calls", "creates_unknown", "orphans", "audits", "violations", "errors")
            }
        )
    minutes = round((time.monotonic() - began) / 60, 1)
    print(
        json.dumps(
            {
                "runs": runs,
                "seeds": [first, args.seed - 1],
                "minutes": minutes,
                **total,
                "faults": dict(sorted(hits.items())),
            }
        ),
        flush=True,
    )
    return bad


def main():
    parser = argparse.ArgumentParser(
        prog="tools/chaos claims", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=None, help="of faults and callers; drawn when it is not given")
    parser.add_argument("--callers", type=int, default=CALLERS, help="how many call at the same time (%(default)s)")
    parser.add_argument(
        "--sentinel",
        action="store_true",
        help="two Redis servers and three Sentinels: a server that is killed for long is replaced",
    )
    parser.add_argument(
        "--claims",
        type=int,
        default=0,
        help="the long form: run after run until so many claims were made, or the first violation",
    )
    parser.add_argument("--hours", type=float, default=24.0, help="with --claims: no further run after this")
    parser.add_argument("--broken", metavar="KIND", help="run a build that is broken on purpose (lib/state/broken.bzl)")
    parser.add_argument("--history", metavar="FILE", help="write the history there (a run with violations always does)")
    parser.add_argument("--replay", metavar="FILE", help="a history's seed and schedule once more")
    parser.add_argument("--judge", metavar="FILE", help="check a history again, without a run")
    parser.add_argument("--binaries", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--redis", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--skew", required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    # what runs is ended on the way out
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.judge:
        header, entries = history.load(args.judge)
        result = report(header, entries, [], header["start"])
        print(json.dumps(result))
        return 1 if result["violations"] else 0
    if args.replay:
        header, _ = history.load(args.replay)
        args.seed, args.seconds, args.broken = header["seed"], header["seconds"], args.broken or header["broken"]
        args.callers, args.sentinel = header.get("callers", CALLERS), header.get("sentinel", False)
    if args.seed is None:
        args.seed = random.randrange(10**6)
    return int(long_run(args) if args.claims else run(args)[0])


if __name__ == "__main__":
    sys.exit(main())
