"""Both versions of every kind through the API server and the conversion webhook: what is written in one is read in the other."""

import base64
import contextlib
import json
import ssl
import subprocess
import urllib.request

import pytest
import yaml
from harness.cluster import ROOT
from harness.kube import AGENTS, EXTENSIONS, PLURALS, POD_SPEC
from harness.until import until

GROUPS = {"sandbox": AGENTS, "sandboxclaim": EXTENSIONS, "sandboxtemplate": EXTENSIONS, "sandboxwarmpool": EXTENSIONS}
STATE = "api.agents.x-k8s.io/v1alpha1-{}-state"
POLICY = "api.agents.x-k8s.io/v1beta1-volume-claim-templates-policy"
# far away, and no controller looks at its objects: what is read is what was converted
LATER = "2099-01-02T03:04:05Z"
VOLUME = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
BOTH = {"sandbox": "s", "sandboxclaim": "c", "sandboxtemplate": "t", "sandboxwarmpool": "p"}


def path(kube, kind, version, name=""):
    return f"/apis/{GROUPS[kind]}/{version}/namespaces/{kube.ns}/{PLURALS[kind].split()[1]}/{name}"


def read(kube, kind, version, name=None):
    status, body = kube.api.call("GET", path(kube, kind, version, name or BOTH[kind]))
    assert status == 200, body
    return json.loads(body)


def write(kube, doc):
    status, body = kube.api.call("POST", path(kube, doc["kind"].lower(), doc["apiVersion"].split("/")[1]), doc)
    assert status == 201, body
    return json.loads(body)


def rewrite(kube, kind, version, change):
    """Reads, changes and writes an object, as clients without patches do; again while somebody else was faster."""

    def once():
        found = read(kube, kind, version)
        change(found)
        status, body = kube.api.call("PUT", path(kube, kind, version, BOTH[kind]), found)
        assert status in (200, 409), body
        return status == 200

    until(once, what=f"{kind} written")


def state(kube, kind, name=None):
    """What a v1beta1 object remembers of its v1alpha1 origin, or None."""
    found = read(kube, kind, "v1beta1", name)["metadata"].get("annotations", {}).get(STATE.format(kind))
    return json.loads(found) if found else None


def old_claim(kube, name="c", template="t", **spec):
    return kube.object(EXTENSIONS, "v1alpha1", "SandboxClaim", name, {"sandboxTemplateRef": {"name": template}, **spec})


# ---- every kind ----


def an_object_of_each_kind(kube, version):
    """Full ones, as far as the versions share fields."""
    yield kube.sandbox(version=version, service=True, shutdownTime=LATER, shutdownPolicy="Retain", labels={"a": "b"}, annotations={"c": "d"},
                       metadata={"labels": {"x": "y"}, "annotations": {"z": "z"}})  # fmt: skip
    yield kube.template(version=version, service=False, networkPolicyManagement="Unmanaged", envVarsInjectionPolicy="Overrides",
                        networkPolicy={"egress": [], "ingress": [{"ports": [{"port": 80}]}]}, volumeClaimTemplates=[VOLUME])  # fmt: skip
    yield kube.pool(version=version, template="none", replicas=2, updateStrategy={"type": "Recreate"})


@pytest.mark.parametrize("written, asked", [("v1alpha1", "v1beta1"), ("v1beta1", "v1alpha1")])
def test_shared_fields_are_the_same_in_both_versions(kube, written, asked):
    for doc in an_object_of_each_kind(kube, written):
        kind = doc["kind"].lower()
        made = write(kube, doc)
        got = read(kube, kind, asked)
        assert got["apiVersion"] == f"{GROUPS[kind]}/{asked}"
        for field in doc["spec"]:
            assert got["spec"][field] == made["spec"][field], field
        for field in ("uid", "name", "namespace", "creationTimestamp"):
            assert got["metadata"][field] == made["metadata"][field]
        assert doc["metadata"].get("labels", {}).items() <= got["metadata"].get("labels", {}).items()


def test_the_origin_is_kept_whole_and_never_shown_to_old_readers(kube):
    """One annotation, with the entire object as it was written, and not with itself inside."""
    for doc in [*an_object_of_each_kind(kube, "v1alpha1"), old_claim(kube, template="none")]:
        kind = doc["kind"].lower()
        write(kube, doc)
        kept = state(kube, kind)
        assert kept["apiVersion"] == f"{GROUPS[kind]}/v1alpha1" and kept["kind"] == doc["kind"]
        assert kept["metadata"]["name"] == BOTH[kind]
        for field, value in doc["spec"].items():
            assert kept["spec"][field] == value or field == "podTemplate"
        old = read(kube, kind, "v1alpha1")
        assert not any(k.startswith("api.agents.x-k8s.io/v1alpha1") for k in old["metadata"].get("annotations", {}))
        # written back by an old client, it is kept anew and does not nest
        rewrite(kube, kind, "v1alpha1", lambda o: o["metadata"].setdefault("labels", {}).update(touched="yes"))
        assert state(kube, kind)["metadata"]["labels"]["touched"] == "yes"
        assert STATE.format(kind) not in json.dumps(state(kube, kind)["metadata"].get("annotations", {}))


def test_objects_of_the_new_version_have_no_origin(kube):
    for doc in [*an_object_of_each_kind(kube, "v1beta1"), kube.claim(pool="none")]:
        write(kube, doc)
        assert state(kube, doc["kind"].lower()) is None


# ---- Sandbox ----


@pytest.mark.parametrize(
    "spec, mode, replicas", [({"replicas": 0}, "Suspended", 0), ({"replicas": 1}, "Running", 1), ({}, "Running", 1)]
)
def test_replicas_become_a_mode(kube, spec, mode, replicas):
    write(kube, kube.sandbox(version="v1alpha1", **spec))
    assert read(kube, "sandbox", "v1beta1")["spec"]["operatingMode"] == mode
    assert "replicas" not in read(kube, "sandbox", "v1beta1")["spec"]
    old = read(kube, "sandbox", "v1alpha1")
    assert old["spec"]["replicas"] == replicas and "operatingMode" not in old["spec"]


@pytest.mark.parametrize("mode, replicas", [("Suspended", 0), ("Running", 1)])
def test_a_mode_becomes_replicas(kube, mode, replicas):
    write(kube, kube.sandbox(operatingMode=mode))
    reason = "SandboxSuspended" if mode == "Suspended" else "DependenciesReady"
    new = kube.until_condition("sandbox", "s", reason=reason)
    old = read(kube, "sandbox", "v1alpha1")
    assert old["spec"]["replicas"] == old["status"]["replicas"] == replicas
    assert old["status"]["conditions"] == new["status"]["conditions"]
    for field in ("selector", "podIPs", "service", "serviceFQDN"):
        assert old["status"].get(field) == new["status"].get(field)
    assert "nodeName" not in old["status"] and (replicas == 0 or new["status"]["nodeName"])


def test_a_mode_changed_in_the_new_version_reaches_old_readers(kube):
    write(kube, kube.sandbox(version="v1alpha1"))
    kube.until_ready("sandbox", "s")
    kube.patch("sandbox", "s", {"spec": {"operatingMode": "Suspended"}})
    assert read(kube, "sandbox", "v1alpha1")["spec"]["replicas"] == 0
    kube.until_condition("sandbox", "s", "Suspended", status="True")
    kube.patch("sandbox", "s", {"spec": {"operatingMode": "Running"}})
    assert read(kube, "sandbox", "v1alpha1")["spec"]["replicas"] == 1


def test_replicas_changed_in_the_old_version_reach_the_controller(kube):
    write(kube, kube.sandbox(version="v1alpha1"))
    kube.until_ready("sandbox", "s")
    rewrite(kube, "sandbox", "v1alpha1", lambda o: o["spec"].update(replicas=0))
    kube.until_condition("sandbox", "s", "Suspended", status="True")
    assert kube.get("pod", "s") is None
    assert kube.get("sandbox", "s")["status"]["conditions"]  # the status survives a replace in another version


# ---- SandboxClaim ----


@pytest.mark.parametrize(
    "spec, pool",
    [
        ({}, "shadow-pool-none"),
        ({"warmpool": "default"}, "shadow-pool-none"),
        ({"warmpool": "none"}, "shadow-pool-none"),
        ({"warmpool": "mine"}, "mine"),
    ],
)
def test_a_template_becomes_a_pool(kube, spec, pool):
    copied = {"env": [{"name": "A", "value": "1"}], "additionalPodMetadata": {"annotations": {"k": "v"}}}
    doc = old_claim(kube, template="none", lifecycle={"shutdownTime": LATER}, **copied, **spec)
    write(kube, doc)
    new, old = read(kube, "sandboxclaim", "v1beta1"), read(kube, "sandboxclaim", "v1alpha1")
    assert new["spec"]["warmPoolRef"] == {"name": pool}
    assert "sandboxTemplateRef" not in new["spec"] and "volumeClaimTemplates" not in new["spec"]
    for field in ("env", "additionalPodMetadata"):
        assert new["spec"][field] == old["spec"][field] == doc["spec"][field]
    assert new["spec"]["lifecycle"] == {"shutdownTime": LATER, "shutdownPolicy": "Retain"} == old["spec"]["lifecycle"]
    assert old["spec"]["sandboxTemplateRef"] == {"name": "none"} and old["spec"]["warmpool"] == spec.get(
        "warmpool", "default"
    )


@pytest.mark.parametrize("pool, template, warmpool", [("p", "p", "p"), ("shadow-pool-x", "x", "default")])
def test_a_pool_becomes_a_template(kube, pool, template, warmpool):
    write(kube, kube.claim(pool=pool, volumeClaimTemplates=[VOLUME]))
    old = read(kube, "sandboxclaim", "v1alpha1")
    assert old["spec"] == {"sandboxTemplateRef": {"name": template}, "warmpool": warmpool}


def test_a_pool_changed_in_the_new_version_keeps_the_template(kube):
    write(kube, old_claim(kube, template="none"))
    kube.patch("sandboxclaim", "c", {"spec": {"warmPoolRef": {"name": "other"}}})
    old = read(kube, "sandboxclaim", "v1alpha1")
    assert old["spec"]["sandboxTemplateRef"] == {"name": "none"} and old["spec"]["warmpool"] == "other"


def test_status_of_a_claim_in_the_old_version(kube):
    kube.full_pool()
    kube.apply(kube.claim())
    new = kube.until_ready("sandboxclaim", "c")
    assert read(kube, "sandboxclaim", "v1alpha1")["status"] == new["status"]


# ---- what the API server sends ----


def convert(kube, version, *objects, uid="5f1b"):
    """The answer of the webhook to a review, asked as the API server asks, trusting what the definitions trust."""
    webhook = kube.cluster.get("crd", f"sandboxes.{AGENTS}")["spec"]["conversion"]["webhook"]["clientConfig"]
    trust = ssl.create_default_context(cadata=base64.b64decode(webhook["caBundle"]).decode())
    review = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "request": {"uid": uid, "desiredAPIVersion": version, "objects": objects},
    }
    request = urllib.request.Request(webhook["url"], json.dumps(review).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10, context=trust) as r:
        answer = json.load(r)
    assert (answer["apiVersion"], answer["kind"], answer["response"]["uid"]) == (
        "apiextensions.k8s.io/v1",
        "ConversionReview",
        uid,
    )
    return answer["response"]


def test_a_review_is_answered_in_order(kube):
    response = convert(
        kube, f"{AGENTS}/v1beta1", *(kube.sandbox(f"s{i}", version="v1alpha1", replicas=i % 2) for i in range(3))
    )
    assert response["result"]["status"] == "Success"
    found = response["convertedObjects"]
    assert [o["metadata"]["name"] for o in found] == ["s0", "s1", "s2"]
    assert [o["spec"]["operatingMode"] for o in found] == ["Suspended", "Running", "Suspended"]
    assert all("replicas" not in o["spec"] for o in found)
    # an absent value is remembered as absent; the server's defaults hide that from its own readers
    back = convert(
        kube,
        f"{AGENTS}/v1alpha1",
        *convert(kube, f"{AGENTS}/v1beta1", kube.sandbox(version="v1alpha1"))["convertedObjects"],
    )
    assert "replicas" not in back["convertedObjects"][0]["spec"]


def test_an_origin_that_cannot_be_read_is_an_error(kube):
    """Of Sandboxes and claims; of the others it is dropped unread. One stored in a cluster would break its watches."""
    for kind, doc in (
        ("sandbox", kube.sandbox()),
        ("sandboxclaim", kube.claim()),
        ("sandboxtemplate", kube.template()),
        ("sandboxwarmpool", kube.pool()),
    ):
        doc["metadata"]["annotations"] = {STATE.format(kind): "{no json"}
        response = convert(kube, f"{GROUPS[kind]}/v1alpha1", doc)
        if kind in ("sandbox", "sandboxclaim"):
            assert (
                response["result"]["status"] == "Failed"
                and response["result"]["message"]
                and not response.get("convertedObjects")
            )
        else:
            assert response["result"]["status"] == "Success"
            assert not response["convertedObjects"][0]["metadata"].get("annotations")


def test_one_object_that_fails_fails_the_review(kube):
    strange = kube.object(AGENTS, "v1alpha1", "Sandcastle", "s", {})
    without = kube.sandbox(version="v1alpha1")
    del without["kind"]
    for bad in (strange, without):
        response = convert(kube, f"{AGENTS}/v1beta1", kube.sandbox(version="v1alpha1"), bad)
        assert (
            response["result"]["status"] == "Failed"
            and response["result"]["message"]
            and not response.get("convertedObjects")
        )


# ---- SandboxTemplate and SandboxWarmPool ----


def test_the_policy_for_volumes_travels_in_an_annotation(kube):
    write(kube, kube.template(volumeClaimTemplatesPolicy="Overrides"))
    old = read(kube, "sandboxtemplate", "v1alpha1")
    assert old["metadata"]["annotations"][POLICY] == "Overrides" and "volumeClaimTemplatesPolicy" not in old["spec"]
    rewrite(kube, "sandboxtemplate", "v1alpha1", lambda o: o["metadata"]["annotations"].update({POLICY: "Allowed"}))
    new = read(kube, "sandboxtemplate", "v1beta1")
    assert new["spec"]["volumeClaimTemplatesPolicy"] == "Allowed" and POLICY not in new["metadata"]["annotations"]


def test_a_policy_that_is_none_is_refused(kube):
    doc = kube.template(version="v1alpha1")
    doc["metadata"]["annotations"] = {POLICY: "Sometimes"}
    run = kube.kubectl("create", "-f", "-", input=json.dumps(doc), check=False)
    assert run.returncode != 0 and "Sometimes" in run.stderr


def test_status_of_a_pool_in_the_old_version(kube):
    kube.full_pool(replicas=2)
    new, old = read(kube, "sandboxwarmpool", "v1beta1"), read(kube, "sandboxwarmpool", "v1alpha1")
    assert old["spec"] == new["spec"]
    assert new["status"].pop("observedGeneration") == 1
    # of v1beta1 alone; the conversion copies what it does not know, and the API server takes away what the version has not
    assert new["status"].pop("conditions")
    old["status"].pop("conditions", None)
    assert old["status"] == new["status"]


def test_replicas_of_a_pool_are_required_in_the_old_version_only(kube):
    for version, accepted in (("v1alpha1", False), ("v1beta1", True)):
        doc = kube.pool(version=version)
        del doc["spec"]["replicas"]
        run = kube.kubectl("create", "-f", "-", input=json.dumps(doc), check=False)
        assert (run.returncode == 0) == accepted, run.stderr
    assert read(kube, "sandboxwarmpool", "v1alpha1")["spec"]["replicas"] == 1


# ---- the objects and the client of the first release ----


def test_claim_of_the_first_release_takes_a_warm_pod(kube):
    """Template, pool and claim with the fields of then: the Sandbox is called like the claim and has the pool's Pod."""
    kube.apply(
        kube.template(version="v1alpha1", metadata={"labels": {"sandbox": "example"}}),
        kube.pool(version="v1alpha1", replicas=1),
    )
    kube.pool_has("p", 1)
    pod = kube.list("pod")[0]
    write(kube, old_claim(kube, "mine"))
    kube.until_ready("sandboxclaim", "mine")
    old = read(kube, "sandbox", "v1alpha1", "mine")
    assert old["metadata"]["annotations"]["agents.x-k8s.io/pod-name"] == pod["metadata"]["name"]
    assert old["status"]["conditions"] and old["status"]["podIPs"] == [pod["status"]["podIP"]]
    assert read(kube, "sandboxclaim", "v1alpha1", "mine")["status"]["sandbox"]["name"] == "mine"
    moved = kube.get("pod", pod["metadata"]["name"])
    assert (
        moved["metadata"]["uid"] == pod["metadata"]["uid"]
        and moved["metadata"]["ownerReferences"][0]["uid"] == old["metadata"]["uid"]
    )
    assert kube.get("pod", "mine") is None
    service = kube.get("service", "mine")
    assert (
        service["spec"]["clusterIP"] == "None"
        and service["spec"]["selector"].items() <= moved["metadata"]["labels"].items()
    )
    assert old["status"]["serviceFQDN"] == f"mine.{kube.ns}.svc.cluster.local"
    kube.pool_has("p", 1)  # replaced
    kube.delete("sandboxclaim", "mine")
    for kind, name in (("sandbox", "mine"), ("service", "mine"), ("pod", pod["metadata"]["name"])):
        kube.until_gone(kind, name)


def test_the_sample_objects(kube):
    """Template and pool as people have them in files of the first release, and a claim of its client."""
    runtime = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "gvisor"},
        "handler": "runsc",
    }
    kube.kubectl("apply", "-f", "-", input=json.dumps(runtime))
    for name in ("python-template.yaml", "python-warmpool.yaml"):
        text = (ROOT / "examples" / name).read_text()
        assert "v1alpha1" in text
        kube.kubectl("apply", "-f", "-", input=text.replace("namespace: default", f"namespace: {kube.ns}"))
    pool, template = yaml.safe_load(text), read(kube, "sandboxtemplate", "v1alpha1", "python-runtime-template")
    kube.pool_has(pool["metadata"]["name"], pool["spec"]["replicas"])
    spec = template["spec"]["podTemplate"]["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {
        "cpu": "250m",
        "memory": "512Mi",
        "ephemeral-storage": "512Mi",
    }
    write(kube, old_claim(kube, "sandbox-claim-0a1b2c3d", "python-runtime-template"))
    kube.until_ready("sandboxclaim", "sandbox-claim-0a1b2c3d")
    old = read(kube, "sandbox", "v1alpha1", "sandbox-claim-0a1b2c3d")
    pod = kube.get("pod", old["metadata"]["annotations"]["agents.x-k8s.io/pod-name"])
    assert (
        pod["metadata"]["name"].startswith(pool["metadata"]["name"] + "-")
        and pod["metadata"]["labels"]["sandbox"] == "python-sandbox-example"
    )
    assert pod["spec"]["runtimeClassName"] == "gvisor" and pod["spec"]["restartPolicy"] == "OnFailure"


def test_claim_of_the_first_release_with_an_empty_pool_starts_cold(kube):
    kube.apply(kube.template(version="v1alpha1"), kube.pool(version="v1alpha1", replicas=0))
    write(kube, old_claim(kube, "mine"))
    kube.until_ready("sandboxclaim", "mine")
    assert kube.get("pod", "mine") and kube.get("service", "mine")


def test_two_claims_of_the_first_release_take_two_pods(kube):
    kube.apply(kube.template(version="v1alpha1"), kube.pool(version="v1alpha1", replicas=2))
    kube.pool_has("p", 2)
    for name in ("one", "two"):
        write(kube, old_claim(kube, name))
    pods = [
        kube.until_ready("sandboxclaim", n)
        and kube.get("sandbox", n)["metadata"]["annotations"]["agents.x-k8s.io/pod-name"]
        for n in ("one", "two")
    ]
    assert len(set(pods)) == 2 and all(p.startswith("p-") for p in pods)


@contextlib.contextmanager
def watching(kube, kind, name, lines):
    """Collects the events that an old client's watch of one object would get."""
    where = (
        f"{path(kube, kind, 'v1alpha1').rstrip('/')}?fieldSelector=metadata.name%3D{name}&watch=true&timeoutSeconds=20"
    )
    with open(lines, "wb") as f:
        process = kube.cluster.run_inside(
            [kube.cluster.folder / "bin/kubectl", "get", "--raw", where], stdout=f, stderr=subprocess.DEVNULL
        )
    try:
        yield lambda: [json.loads(line) for line in lines.read_bytes().split(b"\n")[:-1]]
    finally:
        process.kill()
        process.wait()


def test_watch_by_name_in_the_old_version(kube, tmp_path):
    kube.apply(kube.template(version="v1alpha1"))
    with watching(kube, "sandbox", "mine", tmp_path / "events") as events:
        kube.apply(kube.sandbox("other"))
        write(kube, old_claim(kube, "mine"))

        def is_ready(event):
            assert event["type"] != "ERROR", event
            found = event["object"].get("status", {}).get("conditions", [])
            return event["type"] in ("ADDED", "MODIFIED") and any(
                c["type"] == "Ready" and c["status"] == "True" for c in found
            )

        until(lambda: any(map(is_ready, events())), what="an event that says Ready")
        kube.delete("sandboxclaim", "mine", wait=False)
        until(lambda: events()[-1]["type"] == "DELETED", what="the end of the watch")
        seen = events()
    assert seen[0]["type"] == "ADDED" and seen[0]["object"]["apiVersion"] == f"{AGENTS}/v1alpha1"
    assert {e["object"]["metadata"]["name"] for e in seen} == {"mine"}


def test_a_list_converts_every_item(kube):
    for i in range(5):
        suspended = {"operatingMode": "Suspended"} if i % 2 else {"version": "v1alpha1", "replicas": 0}
        write(kube, kube.sandbox(f"s{i}", **suspended))
    for version in ("v1alpha1", "v1beta1"):
        found = json.loads(kube.api.call("GET", path(kube, "sandbox", version).rstrip("/"))[1])
        items = found["items"]
        assert found["apiVersion"] == f"{AGENTS}/{version}" and found["kind"] == "SandboxList"
        assert [i["metadata"]["name"] for i in items] == [f"s{i}" for i in range(5)]
        assert {i["spec"].get("operatingMode", i["spec"].get("replicas")) for i in items} == {
            0 if version == "v1alpha1" else "Suspended"
        }


def test_pod_specs_pass_unchanged(kube):
    """What the schema knows of Pods, with lists that are empty and numbers that may be words."""
    spec = {
        "containers": [{**POD_SPEC["containers"][0], "command": [], "resources": {"limits": {"cpu": 1, "memory": "64Mi"}},
                        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}, "securityContext": {"runAsUser": 0}}],
        "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
    }  # fmt: skip
    made = write(kube, kube.template(version="v1alpha1", pod_spec=spec))
    for version in ("v1alpha1", "v1beta1"):
        assert read(kube, "sandboxtemplate", version)["spec"]["podTemplate"] == made["spec"]["podTemplate"]
    assert made["spec"]["podTemplate"]["spec"]["containers"][0]["command"] == []
