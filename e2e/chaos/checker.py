"""Judges a history: a pure function of its entries, so a saved one can be judged again.

A claim is a sandbox and a uid that some answer named as CLAIMED. What is unknown counts in its favour: a call that failed with
an unknown outcome may have taken place at any time since it was made.
"""

import math
from collections import defaultdict

from chaos.queue_checker import QueueChecker

# between what Python and Redis call now, and rounding to milliseconds
SLACK_S = 0.05


class Claim:
    def __init__(self, entry):
        self.sandbox, self.uid = entry["sandbox"], entry["uid"]
        self.first, self.entries = entry, [entry]
        self.sets = []  # of its end: (called, answered or inf, end, known)
        self.deletes = []
        self.over = None  # since when it may have ended


class Checker:
    def __init__(self, entries):
        members = [
            {**e, **box, "op": "member", "request_id": "", "batch": e["request_id"]}
            for e in entries
            if e["op"] == "batch" and e["result"] == "OK"
            for box in e["boxes"]
        ]
        self.entries = sorted([*entries, *members], key=lambda e: e["t1"])
        self.wipes = [e for e in entries if e["op"] == "wipe"]
        self.clock = self.redis_clock([e for e in self.entries if e["op"] == "skew" and e["target"] == "redis"])
        self.violations = []
        self.claims = {}
        self.of_request = {}

    def violate(self, kind, text, *entries):
        self.violations.append({"kind": kind, "text": text, "entries": list(entries)})

    def check(self):
        self.collect()
        self.one_owner()
        self.requests()
        self.none_lost()
        QueueChecker(self.entries, self.claims, self.ends, self.violate).check()
        self.audits()
        self.end()
        return self.violations

    def audits(self):
        """Each drift once: it stays until the data is wiped."""
        said = set()
        for e in self.entries:
            if e["op"] == "audit" and e["complaint"] and e["complaint"] not in said:
                said.add(e["complaint"])
                self.violate("audit", e["complaint"], e)

    # ---- claims ----

    def collect(self):
        of_name = defaultdict(list)
        for e in self.entries:
            if e["op"] in ("create", "member") and e["result"] == "OK" and e["state"] == "CLAIMED":
                c = self.claims.get((e["sandbox"], e["uid"]))
                if c:
                    c.entries.append(e)
                else:
                    c = self.claims[e["sandbox"], e["uid"]] = Claim(e)
                    of_name[e["sandbox"]].append(c)
                    c.sets.append((e["t0"], e["t1"], e["expire"] or math.inf, True))
        for e in self.entries:
            for c in of_name.get(e.get("sandbox"), ()):
                if e["op"] == "delete" and (e["unknown"] or e["t1"] > c.first["t0"]):
                    c.deletes.append(e)
                elif e["op"] == "update" and e["result"] == "OK":
                    c.sets.append((e["t0"], e["t1"], e["expire"] or math.inf, True))
                elif e["op"] == "update" and e["unknown"]:
                    c.sets.append((e["t0"], math.inf, e["wanted"] or math.inf, False))

    def wiped(self, t0, t1):
        return any(t0 < w["t1"] and t1 > w["t0"] for w in self.wipes)

    def may_have_ended(self, c, by):
        """Whether something that was asked for may have ended the claim before `by`."""
        return self.ends(c) < by

    def ends(self, c):
        """Since when something that was asked for may have ended the claim."""
        if c.over is None:
            c.over = min(
                [d["t0"] for d in c.deletes]
                + [w["t0"] for w in self.wipes if c.first["t0"] < w["t1"]]
                + self.expiries(c),
                default=math.inf,
            )
        return c.over

    @staticmethod
    def redis_clock(changes):
        """[(from, to, offset)]: how far Redis's clock may be off in which time. They overlap while it changes."""
        starts = [(-math.inf, -math.inf, 0), *((e["t0"], e["t1"], e["offset"]) for e in changes)]
        return [(a, nxt[1], offset) for (a, _, offset), nxt in zip(starts, [*starts[1:], (math.inf, math.inf, 0)])]

    def reached(self, end, after, until):
        """When Redis's clock may first show `end`, between the two; inf: not in that time."""
        at = min(
            (max(a, after, end - offset) for a, b, offset in self.clock if max(a, after, end - offset) < b),
            default=math.inf,
        )
        return at if at < until else math.inf

    def expiries(self, c):
        out = []
        for called, answered, end, _ in c.sets:
            # replaced at the latest when an update called after it was answered
            until = min([a for k, a, _, known in c.sets if known and k >= answered], default=math.inf)
            at = self.reached(end - SLACK_S, called, until)
            if at < math.inf:
                out.append(at)
        return out

    # ---- what must hold ----

    def one_owner(self):
        # a name is five random letters and comes again in a long run: with its birth it stands for one sandbox
        uids, boxes, routes = defaultdict(dict), defaultdict(dict), defaultdict(dict)
        for e in self.entries:
            seen = (
                e["found"]
                if e["op"] == "list"
                else [(e["sandbox"], e["uid"], e["born"])]
                if e.get("born") and e.get("uid")
                else []
            )
            for sandbox, uid, born in seen:
                if uid:
                    uids[sandbox, born].setdefault(uid, e)
                    boxes[uid].setdefault((sandbox, born), e)
            if e["op"] == "bind" and e["uid"]:
                routes[e["route"]].setdefault(e["uid"], e)
        for (sandbox, born), of in uids.items():
            if len(of) > 1:
                owners = [c for c in self.claims.values() if c.sandbox == sandbox and c.first["born"] == born]
                last = max(owners, key=lambda c: c.first["t0"], default=None)
                live = [c for c in owners if c is not last and not self.may_have_ended(c, last.first["t1"])]
                ended = [d for c in owners for d in c.deletes][:2]
                self.violate(
                    "two_owners" if live else "claimed_again",
                    f"{sandbox} went to {len(of)} claims",
                    *[c.first for c in owners][:4] or list(of.values())[:4],
                    *ended,
                )
        for uid, of in boxes.items():
            if len(of) > 1:
                self.violate("one_claim_two_sandboxes", f"{uid} has {len(of)}", *list(of.values())[:4])
        for route, of in routes.items():
            if len(of) > 1:
                self.violate("bound_twice", f"the runtime at {route} saw {len(of)} claims", *list(of.values())[:4])

    def requests(self):
        of = defaultdict(list)
        for e in self.entries:
            if e["op"] in ("create", "batch") and e["request_id"] and e["result"] == "OK":
                of[e["request_id"]].append(e)
        for request, answers in of.items():
            for e in answers if answers[0]["op"] == "create" else ():
                if e["uid"] != answers[0]["uid"] and not self.wiped(answers[0]["t0"], e["t1"]):
                    self.violate(
                        "request_id", f"{request} led to {answers[0]['sandbox']} and {e['sandbox']}", answers[0], e
                    )
                    break
            self.of_request[request] = answers

    def none_lost(self):
        live = list(self.claims.values())
        by_name = defaultdict(list)
        for c in live:
            by_name[c.sandbox].append(c)
        told = set()

        def lost(c, e, how):
            if id(c) in told or c.first["t1"] >= e["t0"] or self.may_have_ended(c, e["t1"]):
                return
            told.add(id(c))
            self.violate("lost_claim", f"{c.sandbox} of {c.uid}: {how}", *c.entries[:2], e)

        for e in self.entries:
            op, result = e["op"], e.get("result")
            for c in by_name.get(e.get("sandbox"), ()):
                if op in ("get", "bind") and result in ("OK", "NOT_FOUND"):
                    here = result == "OK" and e["uid"] == c.uid and e["state"] == "CLAIMED"
                    if not here:
                        lost(c, e, f"{op} says {result} {e.get('state')}")
                    elif (
                        any(d["result"] == "OK" and c.first["t1"] < d["t0"] and d["t1"] < e["t0"] for d in c.deletes)
                        and op == "get"
                    ):
                        self.violate("undead", f"{c.sandbox} is CLAIMED after its deletion", c.deletes[0], e)
                elif op == "update" and result in ("NOT_FOUND", "FAILED_PRECONDITION"):
                    lost(c, e, f"update says {result}")
            if op in ("create", "batch") and result == "FAILED_PRECONDITION" and e["request_id"]:
                for a in self.of_request.get(e["request_id"], ())[:1]:
                    for box in a["boxes"] if op == "batch" else [a]:
                        if c := self.claims.get((box["sandbox"], box["uid"])):
                            lost(c, e, "its request_id is answered as ended")

        self.all_listed(live, lost)

    def all_listed(self, claims, lost):
        coming, live = sorted(claims, key=lambda c: -c.first["t1"]), []
        for e in sorted((e for e in self.entries if e["op"] == "list" and e["result"] == "OK"), key=lambda e: e["t0"]):
            while coming and coming[-1].first["t1"] < e["t0"]:
                live.append(coming.pop())
            live = [c for c in live if not self.may_have_ended(c, e["t0"])]
            found = {(s, u) for s, u, _ in e["found"]}
            for c in live:
                if (c.sandbox, c.uid) not in found:
                    lost(c, e, "not listed")

    def end(self):
        calls = {e["call"]: e for e in self.entries if e["op"] in ("create", "batch")}
        groups = defaultdict(list)
        for e in calls.values():
            groups[e["request_id"] or e["call"]].append(e)
        for e in self.entries:
            if e["op"] == "leftover":
                call = calls.get(e["call"])
                group = groups[call["request_id"] or call["call"]] if call else []
                if not any(g["unknown"] for g in group) or any(e["uid"] in uids_of(g) for g in group):
                    self.violate("leak", f"{e['sandbox']} is still {e['state']} although all was let go", *group[:3], e)
            elif e["op"] == "final":
                for problem in e["problems"]:
                    self.violate("leak", problem, e)
            elif e["op"] == "died":
                self.violate("died", e["what"], e)


def uids_of(answer):
    return [answer.get("uid"), *(b["uid"] for b in answer.get("boxes", ()))]


def check(entries):
    return Checker(entries).check()
