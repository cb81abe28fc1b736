"""WatchSandboxes: the set, then changes, and no gap across a reconnect to another replica."""

import queue
import threading

import grpc
import pytest
from harness.client import NS
from harness.stubs import sandbox_pb2 as pb

EVENT = pb.WatchSandboxesResponse


class Watch:
    """Collects events of one watch on a thread."""

    def __init__(self, client, **kw):
        self.call = client.sandboxes.WatchSandboxes(pb.WatchSandboxesRequest(parent=NS, **kw), timeout=120)
        self.events = queue.Queue()
        self.token = ""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            for e in self.call:
                self.events.put(e)
        except grpc.RpcError as e:
            self.events.put(e)

    def next(self, timeout=20):
        e = self.events.get(timeout=timeout)
        if isinstance(e, grpc.RpcError):
            raise e
        if e.resume_token:
            self.token = e.resume_token
        return e

    def until(self, match):
        while True:
            e = self.next()
            if match(e):
                return e

    def close(self):
        self.call.cancel()
        self.thread.join(10)


def test_set_then_changes(client):
    with client.sandbox(labels={"suite": "watch"}) as first:
        w = Watch(client, label_selector="suite=watch")
        added = w.next()
        assert added.type == EVENT.ADDED and added.sandbox.name == first.name
        assert w.next().type == EVENT.SYNCED
        client.update(first.name, ["labels"], labels={"suite": "watch", "x": "1"})
        e = w.until(lambda e: e.type == EVENT.MODIFIED)
        assert e.sandbox.labels["x"] == "1"
        client.update(first.name, ["labels"], labels={"suite": "other"})
        assert w.until(lambda e: e.type == EVENT.DELETED).sandbox.name == first.name
        w.close()


def test_resume_without_gaps_on_another_replica(clients):
    a, b = clients[0], clients[-1]
    w = Watch(a, label_selector="suite=resume")
    assert w.next().type == EVENT.SYNCED
    first = a.create(labels={"suite": "resume"})
    w.until(lambda e: e.sandbox.name == first.name)
    token = w.token
    w.close()
    second = b.create(labels={"suite": "resume"})
    a.delete(first.name)
    w = Watch(b, label_selector="suite=resume", resume_token=token)
    seen = {}
    while not (seen.get(second.name) and seen.get(first.name) == EVENT.DELETED):
        e = w.next()
        seen[e.sandbox.name] = e.type
    w.close()
    b.delete(second.name)


def test_bad_token(client):
    w = Watch(client, resume_token="not a token")
    with pytest.raises(grpc.RpcError) as e:
        w.next()
    assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT
