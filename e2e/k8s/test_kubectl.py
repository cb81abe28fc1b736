"""What a person with kubectl sees and does: tables, scaling, waiting, patches, deletions, and the warning of the old version."""

import json
import re

import pytest
from harness.until import until

AGE = re.compile(r"^\d+[smh]\d*s?$")


def table(kube, *args):
    """[{column: cell}] of kubectl get; columns are as wide as kubectl makes them."""
    lines = kube.kubectl("get", *args).rstrip("\n").split("\n")
    starts = [m.start() for m in re.finditer(r"\S+", lines[0])]
    ends = starts[1:] + [None]
    columns = [lines[0][a:b].strip() for a, b in zip(starts, ends)]
    return [dict(zip(columns, (line[a:b].strip() for a, b in zip(starts, ends)))) for line in lines[1:]]


def row(kube, *args):
    rows = table(kube, *args)
    assert len(rows) == 1
    assert AGE.match(rows[0].pop("AGE"))
    return rows[0]


@pytest.fixture
def claimed(kube):
    """A pool of one and a claim on it."""
    kube.full_pool()
    kube.apply(kube.claim())
    claim = kube.until_ready("sandboxclaim", "c")
    kube.pool_has("p", 1)
    return claim["status"]["sandbox"]["name"]


# ---- get, describe, explain ----


def test_columns(kube, claimed):
    assert row(kube, "sandbox", claimed) == {"NAME": claimed, "READY": "True", "REASON": "DependenciesReady"}
    assert row(kube, "sandboxclaim") == {
        "NAME": "c",
        "READY": "True",
        "SANDBOX": claimed,
        "REASON": "DependenciesReady",
    }
    kube.pool_has("p", 1)  # what was claimed is replaced
    assert row(kube, "swp") == {"NAME": "p", "READY": "1", "DESIRED": "1"}
    assert row(kube, "sandboxtemplate") == {"NAME": "t"}


def test_columns_of_the_old_version(kube, claimed):
    assert row(kube, "sandboxes.v1alpha1.agents.x-k8s.io", claimed) == {"NAME": claimed}
    assert row(kube, "sandboxclaims.v1alpha1.extensions.agents.x-k8s.io") == {"NAME": "c"}
    assert row(kube, "sandboxtemplates.v1alpha1.extensions.agents.x-k8s.io") == {"NAME": "t"}
    assert row(kube, "sandboxwarmpools.v1alpha1.extensions.agents.x-k8s.io") == {
        "NAME": "p",
        "READY": "1",
        "DESIRED": "1",
    }


def test_columns_of_what_is_not_ready(kube):
    kube.apply(kube.sandbox(operatingMode="Suspended"), kube.claim("lost", "nowhere"))
    kube.until_condition("sandbox", "s", reason="SandboxSuspended")
    kube.until_condition("sandboxclaim", "lost", reason="WarmPoolNotFound")
    assert row(kube, "sandbox") == {"NAME": "s", "READY": "False", "REASON": "SandboxSuspended"}
    assert row(kube, "sandboxclaim") == {"NAME": "lost", "READY": "False", "SANDBOX": "", "REASON": "WarmPoolNotFound"}


def test_describe_shows_conditions_and_events(kube, claimed):
    text = kube.kubectl("describe", "sandboxclaim", "c")
    assert re.search(r"Reason: +DependenciesReady", text) and re.search(rf"Name: +{claimed}", text)
    until(
        lambda: "SandboxAdopted" in kube.kubectl("describe", "sandboxclaim", "c"), what="the event in kubectl describe"
    )
    assert f'Adopted warm pool Sandbox "{claimed}"' in kube.kubectl("describe", "sandboxclaim", "c")


def test_explain(kube):
    for path, words in {
        "sandbox.spec": ["operatingMode", "podTemplate", "-required-", "shutdownTime"],
        "sandbox.spec.podTemplate.spec.containers": ["livenessProbe", "securityContext"],
        "sandboxclaim.spec": ["warmPoolRef", "additionalPodMetadata", "env"],
        "sandboxtemplate.spec": ["networkPolicyManagement", "envVarsInjectionPolicy"],
        "sandboxwarmpool.spec": ["replicas", "sandboxTemplateRef", "updateStrategy"],
    }.items():
        # the definitions are written now and then (the webhook's certificate), and for a moment after that discovery does not name them
        text = until(lambda path=path: kube.kubectl("explain", path), timeout=60, what=f"explanation of {path}")
        assert "VERSION:    v1beta1" in text and all(w in text for w in words)


def test_explain_of_the_old_version(kube):
    text = kube.kubectl("explain", "sandbox.spec", "--api-version=agents.x-k8s.io/v1alpha1")
    assert "replicas" in text and "operatingMode" not in text


# ---- the warning ----


def test_old_version_warns(kube):
    for kind in ("Sandbox", "SandboxClaim", "SandboxTemplate", "SandboxWarmPool"):
        group = "agents.x-k8s.io" if kind == "Sandbox" else "extensions.agents.x-k8s.io"
        run = kube.kubectl("get", f"{kind.lower()}.v1alpha1.{group}", check=False)
        assert run.returncode == 0
        assert f"Warning: {group}/v1alpha1 {kind} is deprecated; use {group}/v1beta1 {kind} instead" in run.stderr
        assert "Warning" not in kube.kubectl("get", f"{kind.lower()}.v1beta1.{group}", check=False).stderr


# ---- scale ----


@pytest.mark.parametrize("version", ["v1beta1", "v1alpha1"])
def test_scale_a_pool(kube, version):
    kube.full_pool()
    resource = f"sandboxwarmpool.{version}.extensions.agents.x-k8s.io"
    kube.kubectl("scale", f"{resource}/p", "--replicas=3")
    kube.pool_has("p", 3)
    path = f"/apis/extensions.agents.x-k8s.io/{version}/namespaces/{kube.ns}/sandboxwarmpools/p/scale"
    scale = json.loads(kube.kubectl("get", "--raw", path))
    assert scale["spec"]["replicas"] == scale["status"]["replicas"] == 3
    assert len(kube.list("sandbox", scale["status"]["selector"])) == 3
    kube.kubectl("scale", f"{resource}/p", "--current-replicas=3", "--replicas=0")
    until(lambda: kube.list("pod") == [], what="no Pods")
    assert kube.kubectl("scale", f"{resource}/p", "--current-replicas=3", "--replicas=1", check=False).returncode != 0


def test_scale_a_sandbox_of_the_old_version(kube):
    kube.apply(kube.sandbox())
    kube.until_ready("sandbox", "s")
    kube.kubectl("scale", "sandbox.v1alpha1.agents.x-k8s.io/s", "--replicas=0")
    kube.until_condition("sandbox", "s", "Suspended", status="True", reason="PodTerminated")
    assert kube.get("pod", "s") is None
    assert kube.get("sandbox", "s")["spec"]["operatingMode"] == "Suspended"
    kube.kubectl("scale", "sandbox.v1alpha1.agents.x-k8s.io/s", "--replicas=1")
    kube.until_ready("sandbox", "s")
    assert kube.get("pod", "s")
    refused = kube.kubectl("scale", "sandbox.v1alpha1.agents.x-k8s.io/s", "--replicas=2", check=False)
    assert refused.returncode != 0 and "spec.replicas" in refused.stderr
    assert (
        kube.kubectl("scale", "sandbox.v1beta1.agents.x-k8s.io/s", "--replicas=0", check=False).returncode != 0
    )  # no such subresource


# ---- apply, edit, wait, delete ----


def test_server_side_apply_keeps_what_the_controllers_wrote(kube):
    doc = json.dumps(kube.sandbox())
    for _ in range(2):
        kube.kubectl("apply", "--server-side", "-f", "-", input=doc)
        kube.kubectl("wait", "--for=condition=Ready", "sandbox/s", "--timeout=30s")
    found = kube.get("sandbox", "s")
    assert found["metadata"]["annotations"]["agents.x-k8s.io/pod-name"] == "s"
    assert found["metadata"]["generation"] == 1


def test_two_appliers_conflict(kube):
    kube.kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", input=json.dumps(kube.pool("p", "t", 1)))
    other = ["apply", "--server-side", "--field-manager=two", "-f", "-"]
    refused = kube.kubectl(*other, input=json.dumps(kube.pool("p", "t", 2)), check=False)
    assert refused.returncode != 0 and "conflict" in refused.stderr and ".spec.replicas" in refused.stderr
    kube.kubectl(*other, "--force-conflicts", input=json.dumps(kube.pool("p", "t", 2)))
    assert kube.get("sandboxwarmpool", "p")["spec"]["replicas"] == 2


def test_wait_for_each_kind(kube):
    kube.apply(kube.template(), kube.pool())
    kube.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", "swp/p", "--timeout=30s")
    kube.apply(kube.claim())
    kube.kubectl("wait", "--for=condition=Ready", "sandboxclaim/c", "--timeout=30s")
    name = kube.get("sandboxclaim", "c")["status"]["sandbox"]["name"]
    kube.kubectl("wait", "--for=condition=Ready", f"sandbox/{name}", "--timeout=30s")
    kube.kubectl("delete", "sandboxclaim", "c", "--wait=false")
    kube.kubectl("wait", "--for=delete", f"sandbox/{name}", f"pod/{name}", "--timeout=30s")


def test_replace_after_get_as_an_editor_does(kube):
    kube.apply(kube.sandbox())
    found = kube.until_ready("sandbox", "s")
    found["spec"]["operatingMode"] = "Suspended"
    kube.kubectl("replace", "-f", "-", input=json.dumps(found))
    kube.until_condition("sandbox", "s", reason="SandboxSuspended")
    found["spec"]["operatingMode"] = "Running"  # of an old version by now
    stale = kube.kubectl("replace", "-f", "-", input=json.dumps(found), check=False)
    assert stale.returncode != 0 and "Conflict" in stale.stderr


def test_json_patch_resumes(kube):
    kube.apply(kube.sandbox(operatingMode="Suspended"))
    kube.until_condition("sandbox", "s", reason="SandboxSuspended")
    kube.kubectl(
        "patch",
        "sandbox",
        "s",
        "--type=json",
        "-p",
        '[{"op":"replace","path":"/spec/operatingMode","value":"Running"}]',
    )
    kube.until_ready("sandbox", "s")


def test_delete_in_the_foreground_waits_for_the_pod(kube):
    kube.apply(kube.sandbox())
    kube.until_ready("sandbox", "s")
    kube.kubectl("delete", "sandbox", "s", "--cascade=foreground", "--timeout=30s")
    assert kube.get("pod", "s") is None and kube.get("sandbox", "s") is None


def test_delete_a_claim_in_the_foreground(kube, claimed):
    kube.kubectl("delete", "sandboxclaim", "c", "--cascade=foreground", "--timeout=60s")
    assert kube.get("sandbox", claimed) is None and kube.get("pod", claimed) is None


def test_orphaned_pods_stay(kube):
    kube.apply(kube.sandbox())
    kube.until_ready("sandbox", "s")
    kube.kubectl("delete", "sandbox", "s", "--cascade=orphan", "--timeout=30s")
    assert kube.get("pod", "s")["metadata"].get("ownerReferences", []) == []


def test_label_and_annotate(kube):
    kube.apply(kube.sandbox())
    kube.until_ready("sandbox", "s")
    kube.kubectl("label", "sandbox", "s", "team=a")
    kube.kubectl("annotate", "sandbox", "s", "note=b")
    assert [s["metadata"]["name"] for s in kube.list("sandbox", "team=a")] == ["s"]
    assert kube.until_ready("sandbox", "s")["metadata"]["annotations"]["note"] == "b"


def test_a_wrong_object_is_refused_with_its_field(kube):
    for doc, words in [
        (kube.sandbox(operatingMode="Paused"), ["spec.operatingMode", "Paused"]),
        (kube.pool(replicas=-1), ["spec.replicas"]),
        (kube.claim(lifecycle={"shutdownPolicy": "Never"}), ["spec.lifecycle.shutdownPolicy"]),
    ]:
        refused = kube.kubectl("create", "-f", "-", input=json.dumps(doc), check=False)
        assert refused.returncode != 0 and all(w in refused.stderr for w in words), refused.stderr
