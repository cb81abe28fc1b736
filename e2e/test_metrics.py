"""What /metrics says adds up, and the documentation lists it."""

import concurrent.futures
import pathlib
import re

from harness import metrics
from harness.client import POOL
from harness.until import until

ROOT = pathlib.Path(__file__).resolve().parents[1]
STATES = ["creating", "ready", "claimed", "releasing"]
OF_POOL = {"namespace": "default", "pool": POOL.rsplit("/", 1)[1]}


def ports(stack, service):
    return [int(t.rsplit(":", 1)[1]) + 10 for t in stack.targets(service)]


def total(stack, service, name, **labels):
    return sum(metrics.total(metrics.scrape(p), name, **labels) for p in ports(stack, service))


def account(stack):
    """(created, destroyed, {state: n}) of the sample pool, which one look at it has found together."""
    seen = metrics.scrape(ports(stack, "pools")[0])
    created, destroyed = (
        metrics.total(seen, f"sandplane_pool_sandboxes_{what}_total", **OF_POOL) for what in ("created", "destroyed")
    )
    states = {s: metrics.total(seen, "sandplane_pool_sandboxes", state=s, **OF_POOL) for s in STATES}
    assert created == destroyed + sum(states.values()), (created, destroyed, states)
    return created, destroyed, states


def at_rest(stack, client, more=lambda created, destroyed: True):
    """(created, destroyed) once nothing is under way, by the metrics, which follow some moments behind."""

    def check():
        created, destroyed, states = account(stack)
        rest = {"creating": 0, "ready": client.pool().replicas, "claimed": 0, "releasing": 0}
        return states == rest and more(created, destroyed) and (created, destroyed)

    return until(check, timeout=120, what="the pool at rest, and its metrics with it")


def test_sandboxes_made_are_there_or_gone(stack, client):
    for b in client.list(parent="namespaces/-"):
        client.delete(b.name)
    created, destroyed = at_rest(stack, client)
    gone = total(stack, "reconciler", "sandplane_sandboxes_destroyed_total")
    reaped = total(stack, "reconciler", "sandplane_sandbox_reap_seconds_count")
    claims = 30

    def churn(_):
        client.delete(client.create(max_wait=60).name)
        account(stack)  # at any moment

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        list(threads.map(churn, range(claims)))
    at_rest(stack, client, lambda c, d: (c - created, d - destroyed) == (claims, claims))
    # the reconciler's own counters are of all pools
    until(
        lambda: total(stack, "reconciler", "sandplane_sandboxes_destroyed_total") - gone >= claims,
        what="as many destroyed",
    )
    until(
        lambda: total(stack, "reconciler", "sandplane_sandbox_reap_seconds_count") - reaped >= claims,
        what="each one's time",
    )


def test_hits_and_misses(stack, client, scaled):
    def met():
        return [total(stack, "claims", "sandplane_pool_claims_total", result=r, **OF_POOL) for r in ("hit", "miss")]

    at_rest(stack, client)
    hits, misses = met()
    client.delete(client.create().name)
    assert met() == [hits + 1, misses]
    with scaled(0):
        client.delete(client.create(max_wait=60).name)
        assert met() == [hits + 1, misses + 1]


def test_calls_of_redis(stack, client):
    def claims():
        return total(stack, "claims", "sandplane_redis_calls_total", call="claim", outcome="ok")

    before, trips = claims(), total(stack, "claims", "sandplane_redis_round_trip_seconds_count")
    with client.sandbox() as box:
        client.exec(box.name, "true")  # which the router looks up itself
    assert claims() > before
    assert total(stack, "claims", "sandplane_redis_round_trip_seconds_count") >= trips + 2
    for service in ("router", "pools", "reconciler"):
        assert total(stack, service, "sandplane_redis_round_trip_seconds_count") > 0


def test_every_metric_is_documented(stack):
    served = {}
    for service in ("router", "claims", "pools", "reconciler"):
        served.update(metrics.types(ports(stack, service)[0]))
    table = (
        (ROOT / "docs/operations.md").read_text().split("\n## Metrics and alerts\n")[1].split("\nThe rules below")[0]
    )
    documented = set(re.findall(r"`((?:sandplane|sandbox_router|agent_sandbox|rest_client)\w*)`", table))
    assert set(served) == documented, set(served) ^ documented
    for name, kind in served.items():
        assert name.endswith("_total") == (kind == "counter"), name
