"""Tenants on a whole stack: turns in a pool's queue over both claims replicas, and quotas by sandctl.

The routers of this stack tell nobody apart; tenants are told to claims as a router that does would.
"""

import contextlib
import json

import grpc
import pytest
from google.rpc import error_details_pb2
from harness.client import NS, Client, details, retry_of, seconds
from harness.stubs import pool_pb2
from harness.stubs import sandbox_pb2 as pb
from harness.until import until

EACH = 4


@pytest.fixture
def replicas(stack):
    found = [Client(t) for t in stack.targets("claims")]
    yield found
    for c in found:
        c.close()


@pytest.fixture
def queue(client, process_pool):
    """A pool whose template is not there yet, so that every claim waits; and what puts it there."""
    template = client.templates.GetTemplate(
        pool_pb2.GetTemplateRequest(name=client.pool(process_pool).template), timeout=10
    )
    doc = json.loads(template.manifest)
    doc["metadata"]["name"] = "turns"
    name = f"{NS}/pools/turns"
    client.pools.ApplyPool(
        pool_pb2.ApplyPoolRequest(pool=pool_pb2.Pool(name=name, template=f"{NS}/templates/turns")), timeout=10
    )
    request = pool_pb2.ApplyTemplateRequest(template=pool_pb2.Template(manifest=json.dumps(doc)))
    yield name, lambda: client.templates.ApplyTemplate(request, timeout=20)
    client.pools.DeletePool(pool_pb2.DeletePoolRequest(name=name), timeout=10)
    client.templates.DeleteTemplate(pool_pb2.DeleteTemplateRequest(name=f"{NS}/templates/turns"), timeout=10)


def claim(replica, tenant, pool, max_wait=None):
    request = pb.CreateSandboxRequest(parent=NS, pool=pool)
    if max_wait is not None:
        request.max_wait.CopyFrom(seconds(max_wait))
    return replica.sandboxes.CreateSandbox.future(request, timeout=120, metadata=[("sandplane-tenant", tenant)])


def test_tenants_take_turns_over_both_replicas(client, replicas, queue):
    pool, begin = queue
    calls = []
    for tenant in ("turn-a", "turn-b"):  # all of a before the first of b, each tenant's on both replicas
        for i in range(EACH):
            calls.append((tenant, claim(replicas[i % 2], tenant, pool)))
            until(lambda: client.pool(pool).waiting_count == len(calls), what="it waits")
    begin()
    boxes = [(tenant, call.result()) for tenant, call in calls]
    try:
        assert all(box.tenant == tenant for tenant, box in boxes)
        granted = {
            t: [b.claim_time.ToMilliseconds() for tenant, b in boxes if tenant == t] for t in ("turn-a", "turn-b")
        }
        # each tenant's own in the order they came, and at no time one tenant ahead by more than its turn and the other's
        assert all(times == sorted(times) for times in granted.values())
        for now in sorted({t for times in granted.values() for t in times}):
            a, b = (sum(t <= now for t in granted[k]) for k in ("turn-a", "turn-b"))
            assert abs(a - b) <= 2, granted
    finally:
        for _, box in boxes:
            client.delete(box.name)


def test_a_quota_by_sandctl(client, replicas, process_pool, stack):
    stack.sandctl("quotas", "set", "small", "--max-sandboxes", "1", "--max-memory", "1Gi", "--weight", "3", check=True)
    try:
        box = claim(replicas[0], "small", process_pool).result()
        shown = json.loads(stack.sandctl("quotas", "get", "small", "-o", "json", check=True).stdout)
        assert shown == {
            "name": f"{NS}/quotas/small",
            "maxSandboxes": "1",
            "maxMemoryBytes": str(1 << 30),
            "weight": 3,
            "sandboxCount": "1",
            **{k: shown[k] for k in ("cpuMilli", "memoryBytes") if k in shown},
        }
        assert int(shown["memoryBytes"]) >= 64 << 20  # its template's
        with pytest.raises(grpc.RpcError) as e:
            claim(replicas[1], "small", process_pool).result()
        assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        violation = details(e.value, error_details_pb2.QuotaFailure).violations[0]
        assert violation.subject == "tenant:small" and "allows 1 live sandboxes" in violation.description
        other = client.create(process_pool)  # through a router, without a tenant of its own
        assert other.tenant == "default"
        client.delete(other.name)
        client.delete(box.name)
        box = claim(replicas[1], "small", process_pool).result()
        client.delete(box.name)
        assert b"0/1" in stack.sandctl("quotas", "list", check=True).stdout
    finally:
        stack.sandctl("quotas", "delete", "small", check=True)
    assert stack.sandctl("quotas", "get", "small").returncode == 1


def test_a_rate(client, replicas, process_pool, stack):
    stack.sandctl("quotas", "set", "slow", "--rate", "0.002", "--burst", "2", check=True)
    try:
        for _ in range(2):
            client.delete(claim(replicas[0], "slow", process_pool).result().name)
        with pytest.raises(grpc.RpcError) as e:
            claim(replicas[1], "slow", process_pool).result()
        assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and retry_of(e.value) > 1
        # a limit that is taken away holds for nobody any more
        stack.sandctl("quotas", "set", "slow", "--rate", "0", check=True)
        client.delete(claim(replicas[1], "slow", process_pool).result().name)
    finally:
        stack.sandctl("quotas", "delete", "slow", check=True)


def test_nothing_is_left_of_what_tenants_held(client, stack):
    held = "return #redis.call('KEYS', 'sp:{default}:use:*')"
    for box in client.list(parent=NS):  # a test that was cut short, or looks at what a crash leaves
        with contextlib.suppress(grpc.RpcError):  # it may go by itself meanwhile
            client.delete(box.name)
    until(lambda: stack.redis("EVAL", held, "0").strip() == "0", timeout=20, what="no counts of tenants")
