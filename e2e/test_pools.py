"""Templates and pools: apply, get, list, scale, roll out, delete."""

import json
import pathlib

import grpc
import pytest
import yaml
from harness.client import NS, POOL, TEMPLATE
from harness.stubs import pool_pb2
from harness.until import until

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"


def apply_template(client, name, **env):
    doc = yaml.safe_load((EXAMPLES / "python-template.yaml").read_text())
    doc["metadata"]["name"] = name
    doc["spec"]["podTemplate"]["spec"]["containers"][0]["env"] = [{"name": k, "value": v} for k, v in env.items()]
    request = pool_pb2.ApplyTemplateRequest(template=pool_pb2.Template(manifest=json.dumps(doc)))
    return client.templates.ApplyTemplate(request, timeout=20)


def apply_pool(client, name, template, replicas, strategy=0):
    pool = pool_pb2.Pool(
        name=f"{NS}/pools/{name}", template=f"{NS}/templates/{template}", replicas=replicas, update_strategy=strategy
    )
    return client.pools.ApplyPool(pool_pb2.ApplyPoolRequest(pool=pool), timeout=10)


@pytest.fixture
def own(client):
    """A template and a pool of this test alone; gone afterwards."""
    yield "own"
    client.pools.DeletePool(pool_pb2.DeletePoolRequest(name=f"{NS}/pools/own"), timeout=10)
    client.templates.DeleteTemplate(pool_pb2.DeleteTemplateRequest(name=f"{NS}/templates/own"), timeout=10)


def ready(client, name, n):
    until(lambda: client.pool(f"{NS}/pools/{name}").ready_count == n, timeout=60, what=f"{n} ready in {name}")


def test_example_objects(client):
    t = client.templates.GetTemplate(pool_pb2.GetTemplateRequest(name=TEMPLATE), timeout=5)
    assert t.runtime_class == "gvisor" and len(t.hash) == 8 and t.generation >= 1
    assert json.loads(t.manifest)["kind"] == "SandboxTemplate"
    assert client.pool().template == TEMPLATE
    assert POOL in [p.name for p in client.pools.ListPools(pool_pb2.ListPoolsRequest(parent=NS), timeout=5).pools]
    every = client.templates.ListTemplates(pool_pb2.ListTemplatesRequest(parent="namespaces/-", page_size=1), timeout=5)
    assert len(every.templates) == 1


def test_apply_scale_delete(client, own):
    first = apply_template(client, own, A="1")
    assert apply_template(client, own, A="1").generation == first.generation
    apply_pool(client, own, own, 1)
    ready(client, own, 1)
    client.scale(3, f"{NS}/pools/{own}")
    ready(client, own, 3)
    client.scale(0, f"{NS}/pools/{own}")
    ready(client, own, 0)


def test_roll_out_recreate(client, own):
    apply_template(client, own, A="1")
    apply_pool(client, own, own, 2, pool_pb2.Pool.RECREATE)
    ready(client, own, 2)
    old = {b.name for b in client.list(pool=f"{NS}/pools/{own}", show_unclaimed=True)}
    new = apply_template(client, own, A="2")
    assert new.generation == 2

    def replaced():
        now = {b.name for b in client.list(pool=f"{NS}/pools/{own}", show_unclaimed=True)}
        return not now & old and client.pool(f"{NS}/pools/{own}").ready_count == 2

    until(replaced, timeout=60, what="old ones replaced")
    with client.sandbox(pool=f"{NS}/pools/{own}") as box:
        assert client.exec(box.name, "printenv", "A").stdout == b"2\n"


def test_roll_out_on_replenish_keeps_old_ones(client, own):
    apply_template(client, own, A="1")
    apply_pool(client, own, own, 1, pool_pb2.Pool.ON_REPLENISH)
    ready(client, own, 1)
    apply_template(client, own, A="2")
    with client.sandbox(pool=f"{NS}/pools/{own}") as box:
        assert client.exec(box.name, "printenv", "A").stdout == b"1\n"
    ready(client, own, 1)

    def fresh():
        with client.sandbox(pool=f"{NS}/pools/{own}") as box:
            return client.exec(box.name, "printenv", "A").stdout == b"2\n"

    until(fresh, timeout=30, what="replenished with the new template")


def test_pool_without_template_says_why(client, own):
    apply_pool(client, own, "missing", 1)
    until(lambda: client.pool(f"{NS}/pools/{own}").reason == "TemplateNotFound", what="reason")


def test_deleting_a_pool_spares_claims(client, own):
    apply_template(client, own)
    apply_pool(client, own, own, 1)
    box = client.create(pool=f"{NS}/pools/{own}")
    client.pools.DeletePool(pool_pb2.DeletePoolRequest(name=f"{NS}/pools/{own}"), timeout=10)
    client.pools.DeletePool(pool_pb2.DeletePoolRequest(name=f"{NS}/pools/{own}"), timeout=10)
    assert client.sh(box.name, "echo alive").stdout == b"alive\n"
    with pytest.raises(grpc.RpcError) as e:
        client.create(pool=f"{NS}/pools/{own}", max_wait=0)
    assert e.value.code() == grpc.StatusCode.NOT_FOUND
    client.delete(box.name)


def test_a_dead_warm_sandbox_is_replaced(client, stack):
    until(lambda: client.pool().ready_count == client.pool().replicas, timeout=60, what="full")
    victim = next(b for b in client.list(show_unclaimed=True, pool=POOL) if b.state == 2)
    stack.kill_sandbox(victim.name.rsplit("/", 1)[1])
    until(lambda: victim.name not in [b.name for b in client.list(show_unclaimed=True, pool=POOL)], what="noticed")
    until(lambda: client.pool().ready_count == client.pool().replicas, timeout=60, what="replaced")


def test_a_dead_claimed_sandbox_says_so(client, stack):
    box = client.create()
    stack.kill_sandbox(box.name.rsplit("/", 1)[1])
    until(lambda: client.get(box.name).state == 5, what="FAILED")
    got = client.get(box.name)
    assert [c for c in got.conditions if c.type == "Ready" and c.status == "False" and c.reason]
    with pytest.raises(grpc.RpcError) as e:
        client.exec(box.name, "true")
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    client.delete(box.name)
