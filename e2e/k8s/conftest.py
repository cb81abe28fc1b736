"""Tests against a real API server; `tools/test k8s` runs them inside the network of a test cluster.

One control plane and one Sandplane for all; each test has a namespace of its own. Pods are run by harness/fake_node.py
unless a test needs the real node (marker `node`).
"""

import os
import pathlib
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.client import Client
from harness.cluster import Cluster
from harness.door import Door
from harness.fake_node import Api
from harness.kube import Kube
from harness.kube_stack import KubeStack
from harness.until import until


def pytest_configure(config):
    config.addinivalue_line("markers", "node: needs the real node, with gVisor")


@pytest.fixture(scope="session")
def cluster():
    c = Cluster(os.environ.get("SANDPLANE_E2E_CLUSTER", "k8s"), control_plane_only=True)
    c.up()
    if not c.inside():
        c.enter()
    return c  # left up: it is built and started faster the next time; `tools/cluster down` ends it


@pytest.fixture(scope="session")
def stack(cluster):
    s = KubeStack(cluster)
    try:
        s.up()
        yield s
    finally:
        s.down()


@pytest.fixture(scope="session")
def api(cluster):
    return Api(cluster.kubeconfig)


@pytest.fixture
def ns(api):
    """A namespace per test, so that none sees the objects of another."""
    name = "t-" + uuid.uuid4().hex[:8]
    path = f"/api/v1/namespaces/{name}"
    assert api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})[0] == 201
    # Pods are refused before it is there
    until(lambda: api.call("GET", f"{path}/serviceaccounts/default")[0] == 200, timeout=60, what="the ServiceAccount")
    yield name
    api.call("DELETE", path)


@pytest.fixture
def kube(stack, ns):
    """Objects of the test's namespace, with Sandplane running."""
    return Kube(stack.cluster, ns)


@pytest.fixture(scope="module")
def client(stack):
    """The gRPC door: a claims service."""
    c = Client("127.0.0.1:7401")
    yield c
    c.close()


@pytest.fixture
def door(client, ns):
    """Claims in the test's namespace through the gRPC door."""
    return Door(client, ns)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the services logged last."""
    outcome = yield
    report = outcome.get_result()
    running = item.funcargs.get("stack") if hasattr(item, "funcargs") else None
    if report.failed and running:
        for name in list(running.processes):
            report.sections.append((f"log of {name}", running.log(name)[-4000:]))
