"""Callers, each with its own random numbers and at most three sandboxes at a time. Every call is in the history."""

import itertools
import random
import threading
import time

import grpc
from google.protobuf import field_mask_pb2, timestamp_pb2
from harness.client import NS, seconds
from harness.stubs import pool_grpc, pool_pb2, quota_grpc, quota_pb2, sandbox_grpc
from harness.stubs import sandbox_pb2 as pb

from chaos.history import WALL
from chaos.world import RedisError

HELD_MAX = 3
# whose claims are counted: every caller is of one of them. Some press on their limit all the time; weights are those of the queue.
TENANTS = {
    "t0": {"max_sandboxes": 5, "weight": 1},
    "t1": {"max_sandboxes": 9, "weight": 2},
    "t2": {"claims_per_second": 20, "claim_burst": 24},
    "t3": {},
}
BATCHES = [2, 3, 5, 12]
POOLS = {"a": 24, "b": 4}
# with these nothing has happened; any other failure leaves it open
DEFINITE = {"RESOURCE_EXHAUSTED", "NOT_FOUND", "FAILED_PRECONDITION", "INVALID_ARGUMENT"}
CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    # how long an attempt may take at least: a busy machine needs more than a pause
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.use_local_subchannel_pool", 1),
]
MANIFEST = """apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxTemplate
metadata: {name: chaos}
spec:
  podTemplate:
    spec:
      containers:
      - {name: main, image: "local/chaos:1", env: [{name: ROUND, value: "%d"}]}
"""
_calls = itertools.count(1)


def name_of(sandbox):
    return f"{NS}/sandboxes/{sandbox}"


def from_wall(stamp):
    return stamp.ToNanoseconds() / 1e9 - WALL


def facts(box):
    """What an answer says of a sandbox."""
    expire = from_wall(box.expire_time) if box.HasField("expire_time") else None
    return {
        "sandbox": box.name.rsplit("/", 1)[1],
        "uid": box.uid,
        "state": pb.Sandbox.State.Name(box.state),
        "expire": expire,
        "born": box.create_time.ToMilliseconds(),
        "claimed": box.claim_time.ToMilliseconds(),
        "wait": box.wait_duration.ToMilliseconds(),
    }


class Caller(threading.Thread):
    def __init__(self, number, world, history, seed, stop):
        super().__init__(daemon=True)
        self.number, self.history, self.ending = number, history, stop
        self.rng = random.Random(f"{seed}/caller/{number}")
        self.stubs = [sandbox_grpc.SandboxServiceStub(grpc.insecure_channel(t, CHANNEL)) for t in world.claims]
        self.redis = world.client()
        self.held, self.gone, self.error = {}, [], None
        self.ended = set()  # uids of claims that were let go: names come again, with few letters soon
        self.tenant = list(TENANTS)[number % len(TENANTS)]
        self.metadata = (("sandplane-tenant", self.tenant),)

    def run(self):
        try:
            while not self.ending.is_set():
                self.step()
        except Exception as e:
            self.error = e

    def step(self):
        rng = self.rng
        if len(self.held) > HELD_MAX and rng.random() < 0.6:
            return self.delete_many(rng.sample(list(self.held), rng.randint(2, len(self.held))))
        if not self.held or (len(self.held) < HELD_MAX and rng.random() < 0.35):
            return self.batch() if rng.random() < 0.25 else self.create()
        sandbox = rng.choice(list(self.held))
        what = rng.choices(["delete", "get", "bind", "update", "list", "gone"], [30, 20, 15, 15, 4, 6])[0]
        if what == "list":
            self.list()
        elif what == "gone":
            if self.gone:
                self.get(rng.choice(self.gone[-20:]))
        else:
            getattr(self, what)(sandbox)

    # ---- calls ----

    def call(self, op, t0, send, what):
        """Runs one call; the entry has its result and what the answer says."""
        try:
            answer = send()
        except grpc.RpcError as e:
            result = e.code().name
            nothing = {"sandbox": "", "uid": "", "expire": None, "state": None}
            entry = self.history.add(
                op, t0, who=self.number, **{**nothing, **what}, result=result, unknown=result not in DEFINITE
            )
            # as fast as a service that is away refuses, the history would hold nothing else
            self.ending.wait(0.02)
            return entry, None
        said = facts(answer) if isinstance(answer, pb.Sandbox) else {}
        if isinstance(answer, pb.BatchCreateSandboxesResponse):
            said = {"boxes": [facts(b) for b in answer.sandboxes]}
        return self.history.add(op, t0, who=self.number, **what, **said, result="OK", unknown=False), answer

    def create(self):
        self.get_some(pb.CreateSandboxRequest, "create", {})

    def batch(self):
        rng = self.rng
        count = rng.choice(BATCHES)
        self.get_some(
            pb.BatchCreateSandboxesRequest,
            "batch",
            {"count": count, "min_count": rng.choice([0, 0, 1, (count + 1) // 2])},
        )

    def get_some(self, kind, op, numbers):
        rng = self.rng
        asked = rng.random() < 0.5
        ttl = rng.choice([1, 2, 4, 60]) if not asked or rng.random() < 0.5 else None
        wait = rng.choice([0, 0.5, 2, None])
        request_id = f"r{self.number}-{next(_calls)}" if asked else ""
        pool = rng.choices(["a", "b"], [3, 1])[0]
        replica = rng.randrange(2)
        tries = 4 if asked else 1
        for _ in range(tries):
            # now and then shorter than the answer takes: the caller is gone, and the claim may or may not be made
            timeout = rng.choice([0.003, 0.02, 0.2]) if rng.random() < 0.1 else 4.0
            both = asked and rng.random() < 0.2
            request = kind(parent=NS, pool=f"{NS}/pools/{pool}", request_id=request_id, **numbers)
            entries = self.ask(
                op, request, pool, ttl, wait, timeout, [replica, 1 - replica] if both else [replica], numbers
            )
            good = [e for e in entries if e["result"] == "OK"]
            for e in good:
                for box in e["boxes"] if op == "batch" else [e]:
                    self.took(box)
            if self.ending.is_set() or (good and rng.random() < 0.7) or (entries[0]["result"] in DEFINITE and not good):
                return
            replica = 1 - replica

    def ask(self, op, request, pool, ttl, wait, timeout, replicas, numbers):
        if ttl:
            request.ttl.CopyFrom(seconds(ttl))
        if wait is not None:
            request.max_wait.CopyFrom(seconds(wait))
        calls = []
        for r in replicas:
            number = next(_calls)
            request.labels["call"] = str(number)
            method = self.stubs[r].CreateSandbox if op == "create" else self.stubs[r].BatchCreateSandboxes
            calls.append((time.monotonic(), number, r, method.future(request, timeout=timeout, metadata=self.metadata)))
        what = {"pool": pool, "request_id": request.request_id, "ttl": ttl, "tenant": self.tenant, **numbers}
        return [self.call(op, t0, f.result, {"call": n, "replica": r, **what})[0] for t0, n, r, f in calls]

    def took(self, e):
        # also one that has failed meanwhile: it is this caller's to let go of
        if e["state"] in ("CLAIMED", "FAILED") and e["uid"] not in self.ended and e["sandbox"] not in self.held:
            self.held[e["sandbox"]] = e["uid"]
            self.bind(e["sandbox"])

    def get(self, sandbox):
        replica = self.rng.randrange(2)
        request = pb.GetSandboxRequest(name=name_of(sandbox))
        e, _ = self.call(
            "get",
            time.monotonic(),
            lambda: self.stubs[replica].GetSandbox(request, timeout=4),
            {"asked": sandbox, "replica": replica},
        )
        e["sandbox"] = sandbox
        # one that failed stays its holder's, until that lets go of it
        self.see(e, e["result"] == "NOT_FOUND" or (e["result"] == "OK" and e["state"] not in ("CLAIMED", "FAILED")))

    def see(self, e, ended):
        if ended:
            self.held.pop(e["sandbox"], None)

    def update(self, sandbox):
        replica = self.rng.randrange(2)
        request = pb.UpdateSandboxRequest(
            sandbox=pb.Sandbox(name=name_of(sandbox)), update_mask=field_mask_pb2.FieldMask(paths=["expire_time"])
        )
        ahead, wanted = self.rng.choice([0.5, 2, 10, None]), None
        if ahead:
            wanted = time.monotonic() + ahead
            stamp = timestamp_pb2.Timestamp()
            stamp.FromNanoseconds(int((wanted + WALL) * 1e9))
            request.sandbox.expire_time.CopyFrom(stamp)
        e, _ = self.call(
            "update",
            time.monotonic(),
            lambda: self.stubs[replica].UpdateSandbox(request, timeout=4),
            {"replica": replica, "wanted": wanted},
        )
        e["sandbox"] = sandbox
        self.see(e, e["result"] == "NOT_FOUND")
        if e["result"] == "FAILED_PRECONDITION":
            self.get(sandbox)

    def delete(self, sandbox, timeout=4):
        replica = self.rng.randrange(2)
        request = pb.DeleteSandboxRequest(name=name_of(sandbox))
        e, _ = self.call(
            "delete",
            time.monotonic(),
            lambda: self.stubs[replica].DeleteSandbox(request, timeout=timeout),
            {"replica": replica},
        )
        e["sandbox"] = sandbox
        if e["result"] == "OK":
            self.ended.add(self.held.pop(sandbox, None))
            self.gone.append(sandbox)

    def delete_many(self, sandboxes):
        replica, t0 = self.rng.randrange(2), time.monotonic()
        request = pb.BatchDeleteSandboxesRequest(parent=NS, names=[name_of(s) for s in sandboxes])
        try:
            self.stubs[replica].BatchDeleteSandboxes(request, timeout=4)
            result = "OK"
        except grpc.RpcError as e:
            result = e.code().name
        for sandbox in sandboxes:
            self.history.add(
                "delete",
                t0,
                who=self.number,
                replica=replica,
                sandbox=sandbox,
                result=result,
                unknown=result not in DEFINITE,
                of=len(sandboxes),
            )
            if result == "OK":
                self.ended.add(self.held.pop(sandbox, None))
                self.gone.append(sandbox)

    def list(self):
        replica, t0, found = self.rng.randrange(2), time.monotonic(), []
        request = pb.ListSandboxesRequest(parent=NS, page_size=self.rng.choice([7, 1000]))
        try:
            while True:
                page = self.stubs[replica].ListSandboxes(request, timeout=4)
                found += [(b.name.rsplit("/", 1)[1], b.uid, b.create_time.ToMilliseconds()) for b in page.sandboxes]
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
            result = "OK"
        except grpc.RpcError as e:
            result = e.code().name
        self.history.add("list", t0, who=self.number, replica=replica, found=found, result=result)

    def bind(self, sandbox):
        """What the router does before it opens a connection: reads the record, and hands its uid to the runtime, which keeps the first."""
        t0 = time.monotonic()
        try:
            state, uid, pending, route, born = self.redis(
                "HMGET",
                f"sp:{{default}}/{sandbox.rsplit('-', 1)[0]}:sb:{sandbox}",
                "state",
                "uid",
                "pending",
                "route",
                "create_ms",
            )
        except RedisError:
            return
        claimed = state == "3" and pending is None
        self.history.add(
            "bind",
            t0,
            who=self.number,
            sandbox=sandbox,
            uid=uid if claimed else "",
            state="CLAIMED" if claimed else state,
            route=route,
            born=int(born or 0),
            result="NOT_FOUND" if state is None else "OK",
        )


class Owner(threading.Thread):
    """Who declares the pools: scales them, changes their template, deletes one and makes it again."""

    def __init__(self, world, history, seed, stop):
        super().__init__(daemon=True)
        self.history, self.ending, self.rng, self.lock = history, stop, random.Random(f"{seed}/owner"), threading.Lock()
        channel = grpc.insecure_channel(world.pools, CHANNEL)
        self.pools, self.templates = pool_grpc.PoolServiceStub(channel), pool_grpc.TemplateServiceStub(channel)
        self.quotas = quota_grpc.QuotaServiceStub(grpc.insecure_channel(world.claims[0], CHANNEL))
        self.round, self.error = 0, None

    def run(self):
        try:
            while not self.ending.wait(self.rng.uniform(0.2, 0.8)):
                with self.lock:
                    self.step()
        except Exception as e:
            self.error = e

    def call(self, op, send, request, **what):
        t0 = time.monotonic()
        try:
            send(request, timeout=3)
            result = "OK"
        except grpc.RpcError as e:
            result = e.code().name
        self.history.add(op, t0, result=result, **what)
        return result == "OK"

    def template(self):
        return self.call(
            "template",
            self.templates.ApplyTemplate,
            pool_pb2.ApplyTemplateRequest(template=pool_pb2.Template(manifest=MANIFEST % self.round)),
        )

    def apply(self, pool, replicas, strategy=0):
        spec = pool_pb2.Pool(
            name=f"{NS}/pools/{pool}", template=f"{NS}/templates/chaos", replicas=replicas, update_strategy=strategy
        )
        return self.call(
            "pool", self.pools.ApplyPool, pool_pb2.ApplyPoolRequest(pool=spec), pool=pool, replicas=replicas
        )

    def limit(self, tenant):
        quota = quota_pb2.Quota(name=f"{NS}/quotas/{tenant}", **TENANTS[tenant])
        return self.call("quota", self.quotas.ApplyQuota, quota_pb2.ApplyQuotaRequest(quota=quota), tenant=tenant)

    def scale(self, pool, replicas):
        return self.call(
            "scale",
            self.pools.ScalePool,
            pool_pb2.ScalePoolRequest(name=f"{NS}/pools/{pool}", replicas=replicas),
            pool=pool,
            replicas=replicas,
        )

    def step(self):
        what = self.rng.choices(["scale", "template", "pool", "delete"], [6, 2, 1, 1])[0]
        if what == "scale":
            self.scale(*self.rng.choice([("a", 8), ("a", 24), ("a", 30), ("b", 0), ("b", 4), ("b", 8)]))
        elif what == "template":
            self.round += 1
            self.template()
        elif what == "pool":
            self.apply("a", 24, self.rng.choice([1, 2]))
        elif self.call(
            "delete_pool", self.pools.DeletePool, pool_pb2.DeletePoolRequest(name=f"{NS}/pools/b"), pool="b"
        ):
            self.ending.wait(0.2)
            for _ in range(20):
                if self.apply("b", POOLS["b"]):
                    break

    def __call__(self):
        """All as at the start, and one of them with something ready. False: not yet."""
        if not all([self.limit(t) for t in TENANTS]):
            return False
        if not self.template() or not all([self.apply(p, n) for p, n in POOLS.items()]):
            return False
        for _ in range(40):
            if (p := self.numbers("a")) and p.ready_count > 0:
                return True
            time.sleep(0.05)
        return False

    def numbers(self, pool):
        try:
            return self.pools.GetPool(pool_pb2.GetPoolRequest(name=f"{NS}/pools/{pool}"), timeout=3)
        except grpc.RpcError:
            return None
