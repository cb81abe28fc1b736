"""A claim's answer is lost, and what it got has ended and is forgotten before it is asked again: a uid stands for one sandbox.

The services of tools/chaos and its ways to Redis, held by hand: what Redis answers to one replica waits, until its connection breaks.
"""

import threading

import grpc
import pytest
from chaos.clients import CHANNEL, Owner
from chaos.history import History
from chaos.world import World, built, wait
from harness.client import NS, seconds
from harness.stack import ROOT
from harness.stubs import sandbox_grpc
from harness.stubs import sandbox_pb2 as pb


@pytest.fixture(scope="module")
def world():
    world = World(*built(ROOT / "out"))
    try:
        world.start_all()
        wait(Owner(world, History(), 1, threading.Event()), "pools")
        yield world
    finally:
        world.stop(keep=False)


def one(stub):
    request = pb.CreateSandboxRequest(parent=NS, pool=f"{NS}/pools/a", ttl=seconds(1), max_wait=seconds(10))
    return stub.CreateSandbox.future(request, timeout=30), lambda box: [box]


def several(stub):
    request = pb.BatchCreateSandboxesRequest(
        parent=NS, pool=f"{NS}/pools/a", count=3, ttl=seconds(1), max_wait=seconds(10)
    )
    return stub.BatchCreateSandboxes.future(request, timeout=30), lambda answer: list(answer.sandboxes)


@pytest.mark.parametrize("ask", [one, several])
def test_what_ended_unheard_is_not_given_again(world, ask):
    cut_off, other = (sandbox_grpc.SandboxServiceStub(grpc.insecure_channel(t, CHANNEL)) for t in world.claims)

    def claimed():
        found = other.ListSandboxes(pb.ListSandboxesRequest(parent=NS, page_size=1000), timeout=10).sandboxes
        return {b.uid: b.name for b in found if b.state == pb.Sandbox.CLAIMED}

    wait(lambda: not claimed(), "nothing is held")
    world.way("claims-1", "down", "hold")
    call, boxes_of = ask(cut_off)
    unheard = {}
    wait(lambda: unheard.update(claimed()) or unheard, "Redis has granted it")
    uids = lambda: set(world.redis("HKEYS", "sp:{default}/a:uids"))
    wait(lambda: not uids(), "it has ended, and its sandboxes are gone")
    assert not call.done()

    world.way("claims-1", "break")
    boxes = boxes_of(call.result())
    assert len(boxes) == len(unheard)
    for box in boxes:
        assert box.state == pb.Sandbox.CLAIMED
        assert box.uid not in unheard and box.name not in unheard.values()
