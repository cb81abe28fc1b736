"""In a cluster, templates and pools are objects; the gRPC API shows them and refuses to change them."""

import grpc
import pytest
from harness.client import Client
from harness.kube_stack import PORTS
from harness.stubs import pool_pb2


@pytest.fixture
def pools(stack):
    c = Client(f"127.0.0.1:{PORTS['pools'][0]}")
    yield c
    c.close()


def refused(call, request):
    with pytest.raises(grpc.RpcError) as e:
        call(request, timeout=10)
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "kubectl apply" in e.value.details()


def test_changes_are_refused(kube, pools):
    kube.full_pool()
    name, template = f"namespaces/{kube.ns}/pools/p", f"namespaces/{kube.ns}/templates/t"
    refused(
        pools.pools.ApplyPool, pool_pb2.ApplyPoolRequest(pool=pool_pb2.Pool(name=name, template=template, replicas=3))
    )
    refused(pools.pools.ScalePool, pool_pb2.ScalePoolRequest(name=name, replicas=3))
    refused(pools.pools.DeletePool, pool_pb2.DeletePoolRequest(name=name))
    refused(pools.templates.ApplyTemplate, pool_pb2.ApplyTemplateRequest(template=pool_pb2.Template(manifest="{}")))
    refused(pools.templates.DeleteTemplate, pool_pb2.DeleteTemplateRequest(name=template))
    pool = pools.pools.GetPool(pool_pb2.GetPoolRequest(name=name), timeout=10)
    assert pool.replicas == 1 and pool.ready_count == 1
