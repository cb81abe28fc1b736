"""A state that gives one sandbox to two claims, as it did when half a script was done: the runtime serves the first and nobody else."""

import grpc
import pytest
from harness.client import POOL
from harness.until import until

BASE = f"sp:{{default}}/{POOL.rsplit('/')[-1]}"
NEITHER = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED)


def id_of(box):
    return box.name.rsplit("/")[-1]


def give_twice(stack, client):
    """Two claims of one sandbox; the first has written a file."""
    first = client.create(max_wait=30, timeout=40)
    client.write(first.name, "note", b"of the first")
    # in the ready set while somebody has it, before all others
    stack.redis("ZADD", f"{BASE}:ready", "0", id_of(first))
    second = client.create()
    assert second.name == first.name and second.uid != first.uid, "the state did not give it twice"
    return first, second


def test_the_runtime_refuses_a_second_claim(stack, clients):
    client = clients[0]
    first, second = give_twice(stack, client)
    for call in (
        lambda: client.sh(second.name, "cat note"),
        lambda: client.read(second.name, "note"),
        lambda: client.write(second.name, "note", b"of the second"),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            call()
        assert refused.value.code() in NEITHER, refused.value
    # the record is the second's; put right, the first goes on
    record = f"{BASE}:sb:{id_of(first)}"
    stack.redis("HSET", record, "uid", first.uid)
    assert client.read(first.name, "note") == b"of the first"
    # what two claims count, and one release does not give back
    use, shape = "sp:{default}:use:default", stack.redis("HGET", record, "shape").strip()
    if int(stack.redis("HINCRBY", use, shape, "-1")) == 0:
        stack.redis("HDEL", use, shape)
    stack.redis("HDEL", f"{BASE}:uids", second.uid)
    client.delete(first.name)
    until(lambda: client.pool().ready_count == client.pool().replicas, timeout=60, what="pool full again")
