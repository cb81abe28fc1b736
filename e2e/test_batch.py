"""BatchCreateSandboxes and BatchDeleteSandboxes through two routers and two claims replicas, with real sandboxes."""

import os
import signal
import threading

import grpc
import pytest
from harness.client import NS, POOL, Client, seconds
from harness.stubs import pool_pb2
from harness.stubs import sandbox_pb2 as pb
from harness.until import until


def batch(client, count, timeout=90, max_wait=60, pool=POOL, **kw):
    request = pb.BatchCreateSandboxesRequest(parent=NS, pool=pool, count=count, max_wait=seconds(max_wait), **kw)
    return client.sandboxes.BatchCreateSandboxes.future(request, timeout=timeout)


def delete(client, boxes):
    if boxes:
        client.sandboxes.BatchDeleteSandboxes(
            pb.BatchDeleteSandboxesRequest(parent=NS, names=[b.name for b in boxes]), timeout=20
        )


def held(client, suite):
    return [b for b in client.list(label_selector=f"suite={suite}") if b.state == pb.Sandbox.CLAIMED]


def test_all_of_a_batch_work(client, scaled):
    with scaled(3):
        until(lambda: client.pool().ready_count >= 3, what="three are ready")
        boxes = batch(client, 3, env={"MEMBER": "yes"}).result().sandboxes
        try:
            assert len({b.name for b in boxes}) == len({b.uid for b in boxes}) == 3
            for b in boxes:
                assert client.sh(b.name, "echo $MEMBER").stdout == b"yes\n"
        finally:
            delete(client, boxes)
        with pytest.raises(grpc.RpcError) as e:
            client.exec(boxes[0].name, "true")
        assert e.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION)


def test_two_gangs_compete(client, stack, scaled):
    """The pool is made larger by what they need, so both come to an end, and neither takes half."""
    other = Client(stack.targets("router")[1])
    try:
        with scaled(1):
            calls = [batch(c, 3, labels={"suite": "gang"}) for c in (client, other)]
            sizes = set()
            while not all(c.done() for c in calls):
                sizes.add(len(held(client, "gang")))
            got = [c.result().sandboxes for c in calls]
            delete(client, [b for g in got for b in g])
            assert [len(g) for g in got] == [3, 3]
            assert len({b.name for g in got for b in g}) == 6
            assert sizes <= {0, 3, 6}
    finally:
        other.close()


def test_a_replica_dies_with_a_gang_waiting(client, stack, scaled):
    """Whoever repeats the call with its request_id, at whichever replica, gets one batch."""
    with scaled(0):
        claims = [Client(t) for t in stack.targets("claims")]
        try:
            first = batch(claims[0], 2, request_id="gang-of-a-dead-replica", labels={"suite": "dead"})
            until(lambda: client.pool().waiting_count >= 2 or first.done(), what="it waits")
            os.kill(stack.pids("claims")[0], signal.SIGKILL)
            again = batch(claims[1], 2, request_id="gang-of-a-dead-replica", labels={"suite": "dead"})
            boxes = again.result().sandboxes
            until(lambda: first.done(), what="the first call is over")
            try:
                assert len(boxes) == 2
                assert {b.name for b in held(client, "dead")} == {b.name for b in boxes}
                until(lambda: client.pool().waiting_count == 0, what="nobody waits")
            finally:
                delete(client, boxes)
        finally:
            for c in claims:
                c.close()


def test_repeated_at_both_replicas(stack, scaled, client):
    claims = [Client(t) for t in stack.targets("claims")]
    try:
        with scaled(2):
            answers = []
            threads = [
                threading.Thread(target=lambda c=c: answers.append(batch(c, 2, request_id="both-at-once").result()))
                for c in claims * 2
            ]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            delete(client, answers[0].sandboxes)
            assert len(answers) == 4
            assert len({b.uid for a in answers for b in a.sandboxes}) == 2
    finally:
        for c in claims:
            c.close()


def test_a_caller_that_leaves_is_forgotten(client):
    # of a template that does not exist: nothing ever becomes ready
    name = f"{NS}/pools/batch-left"
    client.pools.ApplyPool(
        pool_pb2.ApplyPoolRequest(pool=pool_pb2.Pool(name=name, template=f"{NS}/templates/absent", replicas=0)),
        timeout=10,
    )
    try:
        call = batch(client, 2, pool=name)
        until(lambda: client.pool(name).waiting_count == 2, what="it waits")
        call.cancel()
        until(lambda: client.pool(name).waiting_count == 0, what="it left")
        with pytest.raises(grpc.RpcError) as e:
            batch(client, 2, pool=name, max_wait=0.2).result()
        assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        until(lambda: client.pool(name).waiting_count == 0, what="nobody waits")
    finally:
        client.pools.DeletePool(pool_pb2.DeletePoolRequest(name=name), timeout=10)


def test_from_the_command_line(stack, client, scaled):
    with scaled(2):
        until(lambda: client.pool().ready_count >= 2, what="two are ready")
        out = stack.sandctl("create", "--pool", POOL.rsplit("/", 1)[1], "--count", "2", "--output", "name")
        assert out.returncode == 0, out.stderr
        names = out.stdout.decode().split()
        assert len(names) == 2
        assert stack.sandctl("delete", *names).returncode == 0
        out = stack.sandctl(
            "create", "--pool", POOL.rsplit("/", 1)[1], "--count", "900", "--at-least", "800", "--wait", "0s"
        )
        assert out.returncode == 1 and b"RESOURCE_EXHAUSTED" in out.stderr
        assert stack.sandctl("create", "--pool", "p", "--count", "0").returncode == 2
