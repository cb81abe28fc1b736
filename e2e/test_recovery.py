"""kill -9 of each service and of Redis in turn while sandboxes are claimed: everything comes back by itself,
no acknowledged claim is lost, nothing stays behind."""

import concurrent.futures
import threading

import grpc
import pytest
from harness.client import POOL
from harness.until import until

RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)


def works(client):
    """One whole claim, retried like an agent backend would retry."""

    def attempt():
        box = client.create(max_wait=10, timeout=15)
        try:
            return client.sh(box.name, "echo ok", timeout=10).stdout == b"ok\n"
        finally:
            client.delete(box.name)

    until(attempt, timeout=60, what="a whole claim", interval=0.2)


@pytest.mark.parametrize("service", ["claims", "pools", "router", "reconciler", "redis"])
def test_kill_while_claimed(stack, clients, service):
    client = clients[0]
    boxes = [client.create(labels={"suite": "kill"}) for _ in range(3)]
    for b in boxes:
        client.write(b.name, "note", b.uid.encode())
    for pid in stack.pids(service):
        stack.kill(pid)
    for c in clients:
        works(c)
    for b in boxes:
        got = until(lambda b=b: client.get(b.name), what="claim kept")
        assert (got.uid, got.state) == (b.uid, b.state)
        assert until(lambda b=b: client.read(b.name, "note"), what="sandbox kept") == b.uid.encode()
        client.delete(b.name)
    until(lambda: client.pool().ready_count == client.pool().replicas, timeout=60, what="pool full again")


def test_no_acknowledged_claim_is_lost_under_kills(stack, clients):
    """Claims go on while Redis and services are killed; whatever was acknowledged must be there."""
    acknowledged, stop = [], threading.Event()

    def claimer(client):
        while not stop.is_set():
            try:
                acknowledged.append(client.create(max_wait=5, timeout=8))
            except grpc.RpcError as e:
                if e.code() not in RETRYABLE:
                    raise

    def until_more():
        enough = len(acknowledged) + 4
        until(lambda: len(acknowledged) >= enough or any(c.done() for c in claimers), timeout=60, what="more claims")

    with concurrent.futures.ThreadPoolExecutor() as pool:
        claimers = [pool.submit(claimer, c) for c in clients]
        try:
            for service in ("redis", "claims", "reconciler", "redis", "pools"):
                until_more()
                stack.kill(stack.pids(service)[0])
            until_more()
        finally:
            stop.set()
        for c in claimers:
            c.result(30)
    client = clients[0]
    until(lambda: list(client.list()), what="state store back")
    held = {b.name: b.uid for b in client.list()}
    lost = [b.name for b in acknowledged if held.get(b.name) != b.uid]
    assert not lost
    assert len({b.name for b in acknowledged}) == len(acknowledged)
    for b in acknowledged:
        client.delete(b.name)
    for name in held:
        client.delete(name)


def test_nothing_stays_behind(stack, client):
    """After many claims and kills the machine looks as it did with a full, unused pool."""
    for b in client.list():
        client.delete(b.name)

    def clean():
        pool = client.pool()
        live = {b.name.rsplit("/", 1)[1] for b in client.list(show_unclaimed=True, parent="namespaces/-")}
        world = stack.world()
        return pool.ready_count == pool.replicas and world.sandboxes == live and not world.strays

    until(clean, timeout=90, what="only the pools' sandboxes", interval=0.5)
    assert POOL in [p.name for p in [client.pool()]]
