"""One call is one trace over all services, and nothing that happens to the collector happens to them."""

import http.client
import secrets
import threading

import grpc
import pytest
from harness import metrics
from harness.client import NS, POOL
from harness.stubs import sandbox_pb2 as pb
from harness.until import until

CREATE = "sandplane.v1.SandboxService/CreateSandbox"
ORDER = "sandplane.internal.v1.ReconcilerService/CreateSandboxes"
INTERNAL, SERVER = 1, 2


def context(sampled=True):
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, [("traceparent", f"00-{trace}-{span}-0{int(sampled)}"), ("tracestate", "vendor=1")]


def create(client, metadata):
    return client.sandboxes.CreateSandbox(pb.CreateSandboxRequest(parent=NS, pool=POOL), timeout=90, metadata=metadata)


def within(child, parent):
    # two clocks' readings a span: its start by the wall, its length by the other
    assert child.parent_id == parent.span_id, (child, parent)
    assert child.start <= child.end and parent.start <= parent.end


def test_a_claim_is_one_trace(client, collector):
    trace, caller, metadata = context()
    box = create(client, metadata)
    client.delete(box.name)
    until(
        lambda: len([s for s in collector.trace(trace) if s.name == CREATE]) == 2,
        timeout=60,
        what="both services' spans",
    )
    spans = collector.wait(trace, {"claim script"})
    router, claims = (
        next(s for s in collector.trace(trace) if s.name == CREATE and s.service == f"sandplane-{of}")
        for of in ("router", "claims")
    )
    assert router.parent_id == caller
    within(claims, router)
    within(spans["claim script"], claims)
    for s in router, claims:
        assert s.kind == SERVER and s.status == 0 and s.state == "vendor=1"
        assert s.attributes["rpc.system"] == "grpc" and s.attributes["rpc.service"] == "sandplane.v1.SandboxService"
        assert s.attributes["rpc.method"] == "CreateSandbox" and s.attributes["rpc.grpc.status_code"] == 0
    assert claims.attributes["sandplane.pool"] == POOL.rsplit("/", 1)[1]
    assert claims.attributes["sandplane.sandbox"] == box.name.rsplit("/", 1)[1]
    assert spans["claim script"].kind == INTERNAL


def test_a_claim_that_waits_tells_where(client, collector, scaled):
    trace, _, metadata = context()
    with scaled(0):
        call = client.sandboxes.CreateSandbox.future(
            pb.CreateSandboxRequest(parent=NS, pool=POOL), timeout=120, metadata=metadata
        )
        box = call.result()
        spans = collector.wait(trace, {"claim script", "queue wait", "confirm"})
        phases = [spans[n] for n in ("claim script", "queue wait", "confirm")]
        assert len({s.parent_id for s in phases}) == 1
        client.delete(box.name)


def test_a_refill_is_one_trace(client, collector):
    box = client.create()
    client.delete(box.name)

    def refilled():
        for refill in collector.named("refill pool"):
            spans = collector.trace(refill.trace_id)
            for start in (s for s in spans if s.name == "start sandbox"):
                for order in (s for s in spans if s.name == ORDER and s.span_id == start.parent_id):
                    return refill, order, start
        return None

    refill, order, start = until(refilled, timeout=90, what="a trace of a refill")
    assert [s.service for s in (refill, order, start)] == [
        "sandplane-pools",
        "sandplane-reconciler",
        "sandplane-reconciler",
    ]
    assert refill.parent_id == ""
    within(order, refill)
    within(start, order)
    assert start.attributes["sandplane.sandbox"] and start.status == 0


def test_callers_choose_what_is_recorded(client, collector):
    unsampled, _, metadata = context(sampled=False)
    client.delete(create(client, metadata).name)
    sampled, _, metadata = context()
    client.delete(create(client, metadata).name)
    # its spans end later and go by the same queues
    until(
        lambda: len([s for s in collector.trace(sampled) if s.name == CREATE]) == 2, timeout=60, what="the later trace"
    )
    assert collector.trace(unsampled) == []


def test_http_requests_and_errors(stack, client, collector):
    trace, caller, metadata = context()
    with client.sandbox() as box:
        connection = http.client.HTTPConnection("127.0.0.1", stack.http_ports[0], timeout=30)
        name = box.name.rsplit("/", 1)[1]
        headers = {**dict(metadata), "X-Sandbox-ID": name, "X-Sandbox-Namespace": "default", "X-Sandbox-Port": "8888"}
        connection.request("GET", "/?token=secret", headers=headers)
        assert connection.getresponse().status == 200
        connection.close()
    span = collector.wait(trace, {"GET"})["GET"]
    assert span.parent_id == caller and span.attributes["http.response.status_code"] == 200
    assert span.attributes["sandplane.sandbox"] == name and "secret" not in str(span)
    trace, _, metadata = context()
    with pytest.raises(grpc.RpcError):
        client.sandboxes.GetSandbox(pb.GetSandboxRequest(name=f"{NS}/sandboxes/none"), timeout=10, metadata=metadata)
    spans = collector.wait(trace, {"sandplane.v1.SandboxService/GetSandbox"})
    assert (
        spans["sandplane.v1.SandboxService/GetSandbox"].attributes["rpc.grpc.status_code"]
        == grpc.StatusCode.NOT_FOUND.value[0]
    )


def test_commands_are_in_the_trace(client, collector):
    trace, caller, metadata = context()
    with client.sandbox() as box:

        def run(**env):
            command = pb.Command(args=["/bin/sh", "-c", "echo $TRACEPARENT"], env=env)
            answer = client.sandboxes.Exec(
                pb.ExecRequest(name=box.name, command=command), timeout=60, metadata=metadata
            )
            return answer.stdout.decode().strip()

        inside = run()
        span = collector.wait(trace, {"sandplane.v1.SandboxService/Exec"})["sandplane.v1.SandboxService/Exec"]
        assert span.parent_id == caller and inside == f"00-{trace}-{span.span_id}-01"
        assert run(TRACEPARENT="own") == "own"


def dropped(stack, reason):
    ports = [int(t.rsplit(":", 1)[1]) + 10 for t in stack.targets("router") + stack.targets("claims")]
    return sum(metrics.total(metrics.scrape(p), "sandplane_trace_spans_dropped_total", reason=reason) for p in ports)


@pytest.mark.parametrize("trouble", ["away", "hangs", "unavailable", "refuses"])
def test_a_collector_in_trouble_troubles_nobody(stack, client, collector, trouble):
    reason = "refused" if trouble == "refuses" else "unreachable"
    before = dropped(stack, reason)
    if trouble == "away":
        collector.stop()
    collector.answer = {
        "hangs": "hang",
        "unavailable": grpc.StatusCode.UNAVAILABLE,
        "refuses": grpc.StatusCode.UNIMPLEMENTED,
    }.get(trouble)
    try:
        for _ in range(20):
            _, _, metadata = context()
            client.delete(create(client, metadata).name)
        until(lambda: dropped(stack, reason) > before, timeout=180, what=f"spans dropped, {reason}")
        client.delete(client.create().name)
    finally:
        collector.answer = None
        if trouble == "away":
            collector.start()
        else:
            collector.free.set()
            collector.free = threading.Event()
    # and it is found again
    trace, _, metadata = context()
    client.delete(create(client, metadata).name)
    until(lambda: len([s for s in collector.trace(trace) if s.name == CREATE]) == 2, timeout=120, what="spans again")
