"""CreateSandbox to DeleteSandbox through the router, as an agent backend does it."""

import threading
import uuid

import grpc
import pytest
from harness.client import NS, POOL, TEMPLATE, retry_of
from harness.stubs import sandbox_pb2 as pb
from harness.until import until


def test_claim_run_release(client):
    box = client.create()
    assert box.name.startswith(f"{NS}/sandboxes/python-sandbox-warmpool-")
    assert box.pool == POOL and box.template == TEMPLATE
    assert box.state == pb.Sandbox.CLAIMED and box.runtime_class == "gvisor"
    assert len(box.uid) == 32 and box.address.startswith("http://")
    assert any(c.type == "Ready" and c.status == "True" for c in box.conditions)
    out = client.exec(box.name, "echo", "Hello from the sandboxed environment!")
    assert out.stdout == b"Hello from the sandboxed environment!\n"
    assert (out.status.exit_code, out.status.signal) == (0, 0)
    client.delete(box.name)
    with pytest.raises(grpc.RpcError) as e:
        client.exec(box.name, "true")
    assert e.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION)
    until(lambda: box.name not in [s.name for s in client.list(show_unclaimed=True)], what="sandbox destroyed")
    with pytest.raises(grpc.RpcError) as e:
        client.get(box.name)
    assert e.value.code() == grpc.StatusCode.NOT_FOUND


def test_delete_is_idempotent(client):
    box = client.create()
    for _ in range(3):
        client.delete(box.name)
    client.delete(f"{NS}/sandboxes/python-sandbox-warmpool-zzzzz")


def test_no_two_claims_get_the_same_sandbox(clients):
    seen, errors = [], []

    def worker(client):
        try:
            for _ in range(3):
                box = client.create()
                seen.append(box.uid + box.name)
                client.delete(box.name)
        except grpc.RpcError as e:
            errors.append(e)

    threads = [threading.Thread(target=worker, args=(clients[i % len(clients)],)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert len(seen) == 18 and len(set(seen)) == 18


def test_request_id_is_idempotent_across_replicas(clients):
    rid = str(uuid.uuid4())
    boxes = [clients[i % len(clients)].create(request_id=rid) for i in range(4)]
    assert len({b.name for b in boxes}) == 1
    assert len({b.uid for b in boxes}) == 1
    clients[0].delete(boxes[0].name)


def test_claim_from_template_without_pool_starts_cold(client, scaled):
    with scaled(0):
        with client.sandbox(template=TEMPLATE) as box:
            assert box.template == TEMPLATE
            assert box.wait_duration.ToNanoseconds() > 0
            assert client.sh(box.name, "echo cold").stdout == b"cold\n"


def test_empty_pool_waits_then_serves(client, scaled):
    with scaled(0):
        result = {}
        t = threading.Thread(target=lambda: result.update(box=client.create(max_wait=60)))
        t.start()
        until(lambda: client.pool().waiting_count == 1 or "box" in result, what="waiting")
        t.join(60)
        box = result["box"]
        assert box.wait_duration.ToNanoseconds() > 0
        client.delete(box.name)


def test_no_wait_is_resource_exhausted_with_retry_info(client, scaled):
    with scaled(0):
        with pytest.raises(grpc.RpcError) as e:
            client.create(max_wait=0)
        assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_of(e.value) > 0


def test_ttl_ends_it(client):
    box = client.create(ttl=1.5)
    assert box.HasField("expire_time")
    until(lambda: box.name not in [s.name for s in client.list()], what="expired")


def test_idle_timeout_counts_from_the_last_call(client):
    box = client.create(idle_timeout=3)
    for _ in range(2):
        unused = client.create(idle_timeout=3)

        def unused_ended(name=unused.name):
            assert client.exec(box.name, "true").status.exit_code == 0
            return name not in [s.name for s in client.list()]

        # used all the while, it outlives one after the other that is not
        until(unused_ended, timeout=15, what="the unused one ended", may_fail=())
    until(lambda: box.name not in [s.name for s in client.list()], timeout=15, what="idle sandbox ended")


def test_update_extends_and_relabels(client):
    with client.sandbox(ttl=60, labels={"team": "a"}) as box:
        later = box.expire_time.ToSeconds() + 600
        new = pb.Sandbox().expire_time
        new.FromSeconds(later)
        got = client.update(box.name, ["expire_time", "labels"], expire_time=new, labels={"team": "b", "run": "7"})
        assert got.expire_time.ToSeconds() == later
        assert dict(got.labels) == {"team": "b", "run": "7"}
        cleared = client.update(box.name, ["expire_time"])
        assert not cleared.HasField("expire_time")
        past = pb.Sandbox().expire_time
        past.FromSeconds(1)
        client.update(box.name, ["expire_time"], expire_time=past)
        until(lambda: box.name not in [s.name for s in client.list()], what="ended by an expire_time in the past")


def test_list_pages_and_selects(client):
    boxes = [client.create(labels={"suite": "list", "n": str(i)}) for i in range(3)]
    try:
        got = list(client.list(label_selector="suite=list", page_size=1))
        assert sorted(b.name for b in got) == sorted(b.name for b in boxes)
        one = list(client.list(label_selector="suite=list,n=1"))
        assert [b.name for b in one] == [boxes[1].name]
        assert len(list(client.list(label_selector="suite=list,n!=1"))) == 2
        assert len(list(client.list(label_selector="suite,!absent", parent="namespaces/-"))) == 3
        assert not list(client.list(label_selector="suite=list", pool=f"{NS}/pools/other"))
    finally:
        for b in boxes:
            client.delete(b.name)


def test_env_reaches_every_command(client):
    with client.sandbox(env={"TOKEN": 's3cr=t "x" ü'}) as box:
        out = client.sh(box.name, 'printf %s "$TOKEN"')
        assert out.stdout.decode() == 's3cr=t "x" ü'
        assert client.exec(box.name, "printenv", "TOKEN", env={"TOKEN": "mine"}).stdout == b"mine\n"


def test_cancelled_create_leaves_no_claim(client, scaled):
    with scaled(0):
        before = {b.name for b in client.list()}
        call = client.sandboxes.CreateSandbox.future(pb.CreateSandboxRequest(parent=NS, pool=POOL), timeout=60)
        until(lambda: client.pool().waiting_count == 1, what="waiting")
        call.cancel()
        until(lambda: client.pool().waiting_count == 0, what="left the queue")
        until(lambda: {b.name for b in client.list() if b.state == pb.Sandbox.CLAIMED} <= before, what="no claim")
