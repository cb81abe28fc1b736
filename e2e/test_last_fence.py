"""A state that gives one sandbox to two claims, as it did when half a script was done: the runtime serves the first and nobody else."""

import grpc
import pytest
from harness.client import POOL
from harness.until import until

NEITHER = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED)


def give_twice(stack, client):
    """Two claims of one sandbox; the first has written a file."""
    first = client.create(max_wait=30, timeout=40)
    client.write(first.name, "note", b"of the first")
    # in the ready set while somebody has it, before all others
    stack.redis("ZADD", f"sp:{{default}}/{POOL.rsplit('/')[-1]}:ready", "0", first.name.rsplit("/")[-1])
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
    # what the state takes for the second claim's record leads away from the first: put right, its holder goes on
    key = f"sp:{{default}}/{POOL.rsplit('/')[-1]}:sb:{first.name.rsplit('/')[-1]}"
    stack.redis("HSET", key, "uid", first.uid)
    assert client.read(first.name, "note") == b"of the first"
    stack.redis("HSET", key, "uid", second.uid)
    client.delete(first.name)
    until(lambda: client.pool().ready_count == client.pool().replicas, timeout=60, what="pool full again")
