"""One stack for the whole run, with the sample image, template and pool; a client for each router."""

import contextlib
import json
import os
import pathlib
import sys

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness.client import NS, POOL, Client
from harness.stack import ROOT, Stack
from harness.stubs import image_pb2, pool_pb2
from harness.until import until

REPLICAS = 3
# its tests are Bazel's
collect_ignore = ["harness"]


def pytest_configure(config):
    # what goes wrong on a thread is the test's, and no mere warning
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnhandledThreadExceptionWarning")


REFERENCES = ["registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.1.0", "python-runtime:dev"]


def import_image(client, references):
    bazel_bin = (ROOT / "out/.built").read_text().split("\n")[0]
    archive = pathlib.Path(bazel_bin, "deploy/images/python-runtime.oci.tar")

    def requests():
        yield image_pb2.ImportImageRequest(start=image_pb2.ImportImageRequest.Start(references=references))
        with archive.open("rb") as f:
            while data := f.read(1 << 20):
                yield image_pb2.ImportImageRequest(data=data)

    return client.images.ImportImage(requests(), timeout=120)


def apply(client, manifest):
    doc = yaml.safe_load(manifest)
    if doc["kind"] == "SandboxTemplate":
        return client.templates.ApplyTemplate(
            pool_pb2.ApplyTemplateRequest(template=pool_pb2.Template(manifest=manifest)), timeout=20
        )
    name = f"{NS}/pools/{doc['metadata']['name']}"
    template = f"{NS}/templates/{doc['spec']['sandboxTemplateRef']['name']}"
    pool = pool_pb2.Pool(name=name, template=template, replicas=doc["spec"]["replicas"])
    return client.pools.ApplyPool(pool_pb2.ApplyPoolRequest(pool=pool), timeout=10)


def full(client, pool=POOL, timeout=60):
    until(lambda: (p := client.pool(pool)).ready_count == p.replicas, timeout=timeout, what=f"{pool} full")


def fill(client, replicas):
    """The sample image, its template, and a full pool of it."""
    import_image(client, REFERENCES)
    apply(client, (ROOT / "examples/python-template.yaml").read_text())
    apply(client, (ROOT / "examples/python-warmpool.yaml").read_text())
    client.scale(replicas)
    full(client)


@pytest.fixture(scope="session")
def collector():
    """Of all traces of the stack, from its start."""
    from harness.collector import Collector

    # one that nobody else is given while it is away
    c = Collector(int(os.environ.get("SANDPLANE_E2E_GRPC_PORT", "17400")) + 90)
    yield c
    c.stop()


@pytest.fixture(scope="session")
def stack(collector):
    s = Stack()
    s.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
    s.start()
    try:
        c = Client(s.targets("router")[0])
        fill(c, REPLICAS)
        c.close()
        yield s
    finally:
        s.stop()


@pytest.fixture(scope="session")
def clients(stack):
    found = [Client(t) for t in stack.targets("router")]
    yield found
    for c in found:
        c.close()


@pytest.fixture(scope="session")
def client(clients):
    return clients[0]


def make_process_pool(client):
    doc = yaml.safe_load((ROOT / "examples/python-template.yaml").read_text())
    doc["metadata"]["name"] = "process-template"
    doc["spec"]["podTemplate"]["spec"].pop("runtimeClassName")
    doc["spec"]["podTemplate"]["spec"]["containers"][0]["resources"]["limits"] = {"memory": "256Mi"}
    apply(client, json.dumps(doc))
    name = f"{NS}/pools/process"
    pool = pool_pb2.Pool(name=name, template=f"{NS}/templates/process-template", replicas=1)
    client.pools.ApplyPool(pool_pb2.ApplyPoolRequest(pool=pool), timeout=10)
    full(client, name)
    return name


@pytest.fixture(scope="session")
def process_pool(client):
    """A pool whose template names no runtime class: namespaces by bubblewrap."""
    return make_process_pool(client)


@pytest.fixture
def scaled(client):
    """with scaled(n): the sample pool has n warm sandboxes."""

    @contextlib.contextmanager
    def to(n):
        client.scale(n)
        until(
            lambda: client.pool().ready_count == n and client.pool().creating_count == 0, timeout=60, what=f"{n} ready"
        )
        try:
            yield
        finally:
            client.scale(REPLICAS)
            full(client)

    return to
