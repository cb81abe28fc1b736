"""sandctl doctor on a single machine: a healthy stack, a pool that cannot fill, and a service that is away."""

import contextlib
import json
import pathlib
import re
import subprocess

import yaml
from harness.client import NS
from harness.stack import ROOT
from harness.stubs import pool_pb2
from harness.until import until

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
CHECKS = ["router", "access", "claims", "pools", "reconciler", "isolation", "templates", "warm-sandboxes"]


def doctor(stack, *args):
    """(exit code, findings)."""
    env = {k: v for k, v in stack.env.items() if k not in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST")}
    run = subprocess.run(
        [f"{stack.data}/bin/sandctl", "doctor", "-o", "json", *args],
        env=env,
        timeout=60,
        text=True,
        capture_output=True,
    )
    assert run.returncode in (0, 1), run.stderr
    return run.returncode, json.loads(run.stdout)


@contextlib.contextmanager
def pool_of(client, image=None, template="doctor"):
    """A pool, and with an image its template; gone afterwards."""
    if image:
        doc = yaml.safe_load((EXAMPLES / "python-template.yaml").read_text())
        doc["metadata"]["name"] = template
        doc["spec"]["podTemplate"]["spec"]["containers"][0]["image"] = image
        client.templates.ApplyTemplate(
            pool_pb2.ApplyTemplateRequest(template=pool_pb2.Template(manifest=json.dumps(doc))), timeout=20
        )
    pool = pool_pb2.Pool(name=f"{NS}/pools/doctor", template=f"{NS}/templates/{template}", replicas=1)
    client.pools.ApplyPool(pool_pb2.ApplyPoolRequest(pool=pool), timeout=10)
    try:
        yield pool.name
    finally:
        client.pools.DeletePool(pool_pb2.DeletePoolRequest(name=pool.name), timeout=10)
        if image:
            client.templates.DeleteTemplate(
                pool_pb2.DeleteTemplateRequest(name=f"{NS}/templates/{template}"), timeout=10
            )


def test_healthy(stack, client):
    until(lambda: client.pool().ready_count == client.pool().replicas, timeout=60, what="full")
    code, found = doctor(stack)
    assert code == 0, found
    # a stack without keys is open, which is no problem on a machine of one's own, and is said
    want = [(c, "warning" if c == "access" else "ok") for c in CHECKS]
    assert want == list(dict.fromkeys((f["check"], f["result"]) for f in found))
    gvisor, process = (f["found"] for f in found if f["check"] == "isolation")
    pinned = re.search(r"^require gvisor.dev/gvisor v(.+)$", (ROOT / "third_party/gvisor/go.mod").read_text(), re.M)
    assert re.fullmatch(rf"gvisor: .*/bin/runsc, gVisor {re.escape(pinned[1])}, platform (systrap|kvm|ptrace)", gvisor)
    assert process.startswith("process: ") and "bwrap" in process


def restart(stack, service):
    subprocess.run(["sv", "restart", f"{stack.data}/stack/{service}"], check=True, capture_output=True)


def test_a_pool_whose_image_is_missing(stack, client):
    """A template of an image that is not there is refused; so the image has to be lost after that."""
    image = "doctor.test/lost:1"
    archive = pathlib.Path((ROOT / "out/.built").read_text().split("\n")[0], "deploy/images/python-runtime.oci.tar")
    assert stack.sandctl("image", "import", str(archive), "--reference", image).returncode == 0
    references = pathlib.Path(stack.data, "images/references.json")
    with pool_of(client, image) as pool:
        until(lambda: client.pool(pool).ready_count == 1, timeout=60, what="full")
        without = {k: v for k, v in json.loads(references.read_text()).items() if k != image}
        references.write_text(json.dumps(without))
        restart(stack, "reconciler")
        until(lambda: client.pool(pool).reason in ("ImageNotFound", "TemplateRefused"), timeout=90, what="a reason")
        code, found = doctor(stack)
        assert code == 1
        template = next(f for f in found if f["check"] == "templates")
        assert (
            template["result"] == "warning"
            and image in template["found"]
            and f"--reference {image}" in template["next"]
        )
        warm = [f for f in found if f["check"] == "warm-sandboxes" and pool in f["found"]]
        assert (
            len(warm) == 1
            and warm[0]["result"] == "problem"
            and "has 0 of 1 ready" in warm[0]["found"]
            and "image" in warm[0]["found"]
        ), warm
    until(lambda: client.pool().ready_count == client.pool().replicas, timeout=60, what="full again")


def test_a_pool_without_its_template(stack, client):
    with pool_of(client, template="missing") as pool:
        until(lambda: client.pool(pool).reason == "TemplateNotFound", timeout=60, what="a reason")
        code, found = doctor(stack)
        warm = next(f for f in found if f["check"] == "warm-sandboxes")
        assert (
            code == 1
            and warm["result"] == "problem"
            and "TemplateNotFound" in warm["found"]
            and "sandctl apply" in warm["next"]
        ), warm


def test_pools_is_stopped(stack):
    service = f"{stack.data}/stack/pools"
    subprocess.run(["sv", "stop", service], check=True, capture_output=True)
    try:
        code, found = doctor(stack)
        by = {f["check"]: f for f in found}
        assert code == 1
        assert by["router"]["result"] == by["claims"]["result"] == by["reconciler"]["result"] == "ok"
        assert by["pools"]["result"] == "problem" and "tools/stack logs pools" in by["pools"]["next"]
        assert by["templates"]["result"] == by["warm-sandboxes"]["result"] == "skipped"
    finally:
        subprocess.run(["sv", "start", service], check=True, capture_output=True)
        until(lambda: doctor(stack)[0] == 0, timeout=60, what="pools again")


def test_nobody_answers(stack):
    code, found = doctor(stack, "--server", "127.0.0.1:1")
    assert code == 1
    assert (
        found[0]["result"] == "problem"
        and "127.0.0.1:1" in found[0]["found"]
        and "tools/stack start" in found[0]["next"]
    )
    assert {f["result"] for f in found[1:]} == {"skipped"}


def test_the_handbook_names_what_there_is():
    """Metrics in docs/operations.md are those of the programs, and its alerts are a document that a rules file can hold."""
    text = (ROOT / "docs/operations.md").read_text()
    declared = [*(ROOT / "services").glob("*/*metrics.c"), *(ROOT / "lib").glob("*/*.c")]
    sources = "".join(p.read_text() for p in declared)
    there = set(re.findall(r'"((?:sandplane|sandbox_router|agent_sandbox|rest_client)[a-z_]*)"', sources))
    named = set(re.findall(r"\b((?:sandplane|sandbox_router|agent_sandbox(?:es)?|rest_client)_?[a-z_]*[a-z])\b", text))
    named = {re.sub(r"_(bucket|count|sum)$", "", n) for n in named if "_" in n or n == "agent_sandboxes"}
    assert named and named <= there, named - there
    rules = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])["spec"]["groups"][0]["rules"]
    assert len(rules) > 8 and all(set(r) == {"alert", "expr", "for", "labels", "annotations"} for r in rules)
    for rule in rules:
        used = set(re.findall(r"\b((?:sandplane|sandbox_router|agent_sandbox|rest_client)_[a-z_]+)", rule["expr"]))
        assert used and {re.sub(r"_bucket$", "", u) for u in used} <= there, rule["expr"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
