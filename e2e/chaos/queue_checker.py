"""Judges who got what of a pool: batches whole, nobody past the queue, turns by weight, nobody over a quota.

An answer names the time of its claim and how long it waited, both by Redis's clock: in which order that served is exact. While that clock
is set or the data wiped nothing is said.
"""

import bisect
import math
from collections import defaultdict

from chaos.clients import TENANTS

SLACK_S = 0.05


def weight(tenant):
    return TENANTS[tenant].get("weight", 1)


class QueueChecker:
    def __init__(self, entries, claims, ends, violate):
        """claims: {(sandbox, uid): Claim}; ends(claim): since when it may have ended."""
        self.violate, self.claims, self.ends = violate, list(claims.values()), ends
        self.disturbed = [
            (e["t0"], e["t1"]) for e in entries if e["op"] == "wipe" or (e["op"] == "skew" and e["target"] == "redis")
        ]
        self.wipes = [(e["t0"], e["t1"]) for e in entries if e["op"] == "wipe"]
        self.groups = defaultdict(list)
        for e in entries:
            if e["op"] in ("create", "batch"):
                self.groups[e["request_id"] or e["call"]].append(e)
        for c in self.claims:
            group = self.groups[c.first["request_id"] or c.first.get("batch") or c.first["call"]]
            c.asked = min(e["t0"] for e in group)
            c.clean = not self.overlaps(self.disturbed, c.asked, c.first["t1"])
        self.failed = sorted((e for e in entries if e["op"] == "create" and e["result"] != "OK"), key=lambda e: e["t0"])

    @staticmethod
    def overlaps(spans, t0, t1):
        return any(t0 < b and t1 > a for a, b in spans)

    def check(self):
        self.batches()
        self.live_quotas()
        self.rates()
        for pool in {c.first["pool"] for c in self.claims}:
            self.turns([c for c in self.claims if c.first["pool"] == pool])

    def batches(self):
        for request, calls in self.groups.items():
            answers = sorted((e for e in calls if e["op"] == "batch" and e["result"] == "OK"), key=lambda e: e["t1"])
            if not answers:
                continue
            first = answers[0]
            asked = min(e["t0"] for e in calls)
            if self.overlaps(self.disturbed, asked, answers[-1]["t1"]):
                continue
            uids = {b["uid"] for e in answers for b in e["boxes"]}
            if len({u[:28] for u in uids}) > 1:
                self.violate("request_id", f"{request} led to several batches", *answers[:3])
            if len(uids) > first["count"]:
                self.violate("split_gang", f"{len(uids)} sandboxes instead of {first['count']}", *answers[:3])
            # some of it may have ended before the first answer that arrived
            if len(uids) < (first["min_count"] or first["count"]) and not (
                first["ttl"] and first["t1"] - asked > first["ttl"] - SLACK_S
            ):
                self.violate(
                    "split_gang",
                    f"{len(uids)} sandboxes, but at least {first['min_count'] or first['count']} or none were asked for",
                    *answers[:3],
                )

    def live_quotas(self):
        for tenant, quota in TENANTS.items():
            limit, steps = quota.get("max_sandboxes"), []
            for c in self.claims if limit else ():
                # a limit is not there yet between a wipe and its end
                if (
                    c.first["tenant"] == tenant
                    and not self.overlaps(self.wipes, c.asked, c.first["t1"])
                    and c.first["t1"] < self.ends(c)
                ):
                    steps += [(c.first["t1"], 1, c), (self.ends(c), 0, c)]
            live = {}
            for _, begins, c in sorted(steps, key=lambda s: s[:2]):
                if not begins:
                    live.pop(id(c), None)
                    continue
                live[id(c)] = c
                if len(live) > limit:
                    self.violate(
                        "quota",
                        f"{tenant} holds {len(live)} sandboxes, {limit} are allowed",
                        *[x.first for x in live.values()][-4:],
                    )
                    break

    def rates(self):
        for tenant, quota in TENANTS.items():
            rate, burst, runs = quota.get("claims_per_second"), quota.get("claim_burst", 1), defaultdict(list)
            for c in self.claims if rate else ():
                # a batch that waited was counted at two times
                if c.first["tenant"] == tenant and c.clean and not (c.first["op"] == "member" and c.first["wait"]):
                    runs[sum(1 for a, _ in self.disturbed if a < c.asked)].append(c)
            for run in runs.values():
                # a bucket: what is in it never falls below nothing
                left, at = float(burst), None
                for c in sorted(run, key=lambda c: c.first["claimed"] - c.first["wait"]):
                    admitted = c.first["claimed"] - c.first["wait"]
                    left = min(burst, left + (admitted - at) * rate / 1000) if at is not None else left
                    left, at = left - 1, admitted
                    if left < -1.5:
                        self.violate(
                            "quota", f"{tenant} was admitted faster than {rate} a second, {burst} at once", c.first
                        )
                        break

    # ---- turns ----

    def turns(self, claims):
        claims.sort(key=lambda c: c.first["claimed"])
        times = [c.first["claimed"] for c in claims]
        for x in claims:
            f = x.first
            if f["op"] != "create" or f["wait"] < 2 or not x.clean:
                continue
            since, got = f["claimed"] - f["wait"], f["claimed"]
            within = [
                c
                for c in claims[bisect.bisect_right(times, since) : bisect.bisect_left(times, got)]
                if c.asked < f["t1"] and c.first["t1"] > x.asked
            ]
            turns = defaultdict(int)
            for y in within:
                g = y.first
                if g["tenant"] == f["tenant"] or y.clean:
                    turns[g["tenant"]] += 1
                if not y.clean or g["state"] != "CLAIMED":
                    continue
                if g["op"] == "member" or g["wait"] == 0:
                    self.violate(
                        "overtaken", f"{g['sandbox']} was given away while {f['sandbox']} was waited for", f, g
                    )
                elif g["tenant"] == f["tenant"] and g["claimed"] - g["wait"] > since:
                    self.violate(
                        "overtaken",
                        f"{g['sandbox']} was asked for after {f['sandbox']}, by the same tenant, and granted before it",
                        f,
                        g,
                    )
            own = turns.pop(f["tenant"], 0)
            for other, n in turns.items():
                if n > self.share(f, own, other):
                    lost = sum(
                        1
                        for e in self.failed
                        if e["tenant"] == f["tenant"]
                        and e["pool"] == f["pool"]
                        and e["t0"] < f["t1"]
                        and e["t1"] > x.asked
                    )
                    if n > self.share(f, own + lost, other):
                        self.violate("unfair", f"{other} had {n} turns while {f['tenant']} had {own + 1}", f)

    @staticmethod
    def share(f, own, other):
        return math.floor((own + 1) * weight(other) / weight(f["tenant"]) + 1e-9) + 1
