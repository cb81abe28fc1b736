"""The published Python SDKs, unmodified, against Sandplane: what they create, wait for, read, refuse and delete.

A stand-in runs the Pods here, so nothing is executed in them; `node` tests do that.
"""

from textwrap import dedent

import pytest
from harness.sdk import GoSdk, Sdk, SdkError
from harness.until import until

NEW = ["0.5.6", "1.0.8"]
IMPORTS = """
from k8s_agent_sandbox import SandboxClient
from k8s_agent_sandbox.models import SandboxDirectConnectionConfig
client = SandboxClient(connection_config=SandboxDirectConnectionConfig(api_url="http://127.0.0.1:8080"))
"""


@pytest.fixture(scope="module", params=NEW)
def new(request, cluster):
    """An SDK that speaks v1beta1."""
    sdk = Sdk(request.param, cluster)
    yield sdk
    sdk.close()


@pytest.fixture(scope="module")
def old(cluster):
    """The SDK that speaks v1alpha1: a claim names a template, and the Sandbox is called like the claim."""
    sdk = Sdk("0.1.1", cluster)
    yield sdk
    sdk.close()


def refused(sdk, kube, pool, **arguments):
    with pytest.raises(SdkError) as e:
        sdk.run(
            IMPORTS + "client.create_sandbox(pool, namespace=ns, sandbox_ready_timeout=20, **arguments)",
            ns=kube.ns,
            pool=pool,
            arguments=arguments,
        )
    return e.value


# ---- v1beta1 ----


def test_create_read_and_terminate(new, kube):
    kube.full_pool()
    pod = kube.list("pod")[0]
    code = """
    s = client.create_sandbox("p", namespace=ns, labels={"team": "a"})
    again = client.get_sandbox(s.claim_name, namespace=ns)
    result = dict(claim=s.claim_name, id=s.sandbox_id, pod=s.get_pod_name(), ip=s.get_pod_ip(), hash=s.get_sandbox_name_hash(),
                  status=s.status(), same=again is s, active=client.list_active_sandboxes(),
                  all=client.list_all_sandboxes(namespace=ns), mine=client.list_all_sandboxes(namespace=ns, label_selector="team=a"),
                  others=client.list_all_sandboxes(namespace=ns, label_selector="team=b"), pool=client.get_sandbox_claim_warmpool_name(s.claim_name, ns))
    """
    got = new.run(IMPORTS + dedent(code), ns=kube.ns)
    claim, sandbox = kube.get("sandboxclaim", got["claim"]), kube.get("sandbox", got["id"])
    assert got["id"] == got["pod"] == pod["metadata"]["name"] == claim["status"]["sandbox"]["name"]
    assert got["ip"] == pod["status"]["podIP"]
    assert sandbox["status"]["selector"] == f"agents.x-k8s.io/sandbox-name-hash={got['hash']}"
    assert got["status"] == ["SandboxReady", "Pod is Ready"]
    assert got["same"] and [kube.ns, got["claim"]] in got["active"]
    assert got["all"] == got["mine"] == [got["claim"]] and got["others"] == []
    assert got["pool"] == "p"
    assert claim["metadata"]["labels"]["agents.x-k8s.io/created-by"] == "python-client"
    assert sandbox["metadata"]["labels"]["agents.x-k8s.io/created-by"] == "python-client"
    uid = kube.get("pod", got["pod"])["metadata"]["uid"]
    assert uid == pod["metadata"]["uid"]  # handed over as it was
    new.run(IMPORTS + "client.get_sandbox(claim, namespace=ns).terminate()", ns=kube.ns, claim=got["claim"])
    kube.until_gone("sandboxclaim", got["claim"])
    kube.until_gone("sandbox", got["id"])
    kube.until_gone("pod", got["id"])
    with pytest.raises(SdkError) as e:
        new.run(IMPORTS + "client.get_sandbox(claim, namespace=ns, resolve_timeout=1)", ns=kube.ns, claim=got["claim"])
    assert e.value.kind == "SandboxNotFoundError"


def test_delete_by_name_and_delete_all(new, kube):
    kube.full_pool(replicas=2)
    code = """
    names = [client.create_sandbox("p", namespace=ns).claim_name for _ in range(2)]
    client.delete_sandbox(names[0], namespace=ns)
    client.delete_sandbox(names[0], namespace=ns)
    client.delete_sandbox("never-was", namespace=ns)
    client.delete_all()
    result = names
    """
    names = new.run(IMPORTS + dedent(code), ns=kube.ns)
    for name in names:
        kube.until_gone("sandboxclaim", name)
    kube.pool_has("p", 2)


def test_time_to_live_and_metadata(new, kube):
    """What else create_sandbox takes ends up in the claim, and in the Pod."""
    kube.full_pool(replicas=1)
    code = """
    s = client.create_sandbox("p", namespace=ns, shutdown_after_seconds=3600, pod_labels={"sandbox.users.io/team": "a"},
                              pod_annotations={"note": "hello"})
    result = [s.claim_name, s.get_pod_name()]
    """
    claim_name, pod_name = new.run(IMPORTS + dedent(code), ns=kube.ns)
    claim = kube.get("sandboxclaim", claim_name)
    assert claim["spec"]["lifecycle"]["shutdownPolicy"] == "Delete"
    until(
        lambda: kube.get("pod", pod_name)["metadata"].get("annotations", {}).get("note") == "hello",
        what="annotation of the Pod",
    )
    assert kube.get("pod", pod_name)["metadata"]["labels"]["sandbox.users.io/team"] == "a"


def test_a_claim_that_expires_is_gone(new, kube):
    kube.full_pool()
    name = new.run(
        IMPORTS + "result = client.create_sandbox('p', namespace=ns, shutdown_after_seconds=2).claim_name", ns=kube.ns
    )
    kube.until_gone("sandboxclaim", name)
    assert new.run(IMPORTS + "result = client.list_all_sandboxes(namespace=ns)", ns=kube.ns) == []


def test_missing_pool(new, kube):
    e = refused(new, kube, "nowhere")
    assert e.kind == "SandboxWarmPoolNotFoundError" and "nowhere" in e.message
    assert kube.list("sandboxclaim") == []  # the SDK cleans up


def test_missing_template(new, kube):
    kube.apply(kube.pool("p", "no-template"))
    e = refused(new, kube, "p")
    assert e.kind == "SandboxTemplateNotFoundError"


def test_metadata_that_is_not_allowed(new, kube):
    kube.full_pool()
    e = refused(new, kube, "p", pod_labels={"example.com/team": "a"})
    assert e.kind == "SandboxClaimFailedError" and "InvalidMetadata" in e.message


def test_a_pool_that_is_empty_starts_cold(new, kube):
    kube.apply(kube.template(), kube.pool(replicas=0))
    got = new.run(
        IMPORTS + "s = client.create_sandbox('p', namespace=ns)\nresult = [s.claim_name, s.sandbox_id, s.status()[0]]",
        ns=kube.ns,
    )
    assert got[2] == "SandboxReady"
    assert kube.get("sandbox", got[1])["metadata"]["labels"]["agents.x-k8s.io/launch-type"] == "cold"


def test_volumes(new, kube):
    """What the template allows is added to its own; what it does not is the SDK's error of a claim that cannot become ready."""
    volume = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    kube.apply(
        kube.template("t", volumeClaimTemplatesPolicy="Allowed"),
        kube.pool("p", "t", 0),
        kube.template("closed"),
        kube.pool("no", "closed", 0),
    )
    e = refused(new, kube, "no", volume_claim_templates=[volume])
    assert e.kind == "SandboxClaimFailedError" and "VolumeClaimTemplatesError" in e.message
    code = "s = client.create_sandbox('p', namespace=ns, volume_claim_templates=[volume])\nresult = s.sandbox_id"
    sandbox = new.run(IMPORTS + code, ns=kube.ns, volume=volume)
    assert kube.get("pvc", f"data-{sandbox}")["spec"]["resources"] == volume["spec"]["resources"]


@pytest.mark.parametrize("new", ["1.0.8"], indirect=True)
def test_named_claims_are_found_again(new, kube):
    kube.full_pool()
    first = new.run(
        IMPORTS
        + "s = client.create_sandbox('p', namespace=ns, claim_name='mine')\nresult = [s.claim_name, s.sandbox_id]",
        ns=kube.ns,
    )
    again = new.run(
        IMPORTS
        + "s = client.create_sandbox('p', namespace=ns, claim_name='mine', adopt_existing=True)\nresult = [s.claim_name, s.sandbox_id]",
        ns=kube.ns,
    )
    assert first == again and first[0] == "mine"
    with pytest.raises(SdkError) as e:
        new.run(IMPORTS + "client.create_sandbox('p', namespace=ns, claim_name='mine')", ns=kube.ns)
    assert e.value.kind == "ConflictException" and "AlreadyExists" in e.value.message
    with pytest.raises(SdkError):
        new.run(
            IMPORTS + "client.create_sandbox('other', namespace=ns, claim_name='mine', adopt_existing=True)", ns=kube.ns
        )
    assert kube.get("sandboxclaim", "mine")["status"]["sandbox"]["name"] == first[1]


@pytest.mark.parametrize("new", ["1.0.8"], indirect=True)
def test_environment(new, kube):
    kube.full_pool(replicas=0)
    e = refused(new, kube, "p", env={"A": "1"})
    assert e.kind == "SandboxClaimFailedError" and "EnvVarsInjectionRejected" in e.message
    kube.patch("sandboxtemplate", "t", {"spec": {"envVarsInjectionPolicy": "Allowed"}})
    pod = new.run(
        IMPORTS + "result = client.create_sandbox('p', namespace=ns, env={'A': '1'}).get_pod_name()", ns=kube.ns
    )
    assert kube.get("pod", pod)["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]


def test_asynchronous_client(new, kube):
    kube.full_pool()
    code = """
    import asyncio
    from k8s_agent_sandbox import AsyncSandboxClient
    from k8s_agent_sandbox.models import SandboxDirectConnectionConfig
    async def go():
        async with AsyncSandboxClient(connection_config=SandboxDirectConnectionConfig(api_url="http://127.0.0.1:8080")) as client:
            s = await client.create_sandbox("p", namespace=ns)
            found = [s.claim_name, s.sandbox_id, await s.status(), await client.list_all_sandboxes(namespace=ns)]
            await client.delete_sandbox(s.claim_name, namespace=ns)
            return found
    result = asyncio.run(go())
    """
    name, sandbox, status, names = new.run(dedent(code), ns=kube.ns)
    assert status[0] == "SandboxReady" and names == [name] and sandbox.startswith("p-")
    kube.until_gone("sandboxclaim", name)


# ---- the SDK in Go ----


@pytest.fixture(scope="module")
def go(cluster):
    sdk = GoSdk(cluster)
    yield sdk
    sdk.close()


def test_go_client_creates_finds_and_deletes(go, kube):
    kube.full_pool()
    pod = kube.list("pod")[0]
    made = go.do("create", pool="p", namespace=kube.ns)
    claim = kube.get("sandboxclaim", made["claim"])
    assert made["sandbox"] == made["pod"] == pod["metadata"]["name"] == claim["status"]["sandbox"]["name"]
    assert made["ready"] and made["ip"] == pod["status"]["podIP"]
    assert claim["metadata"]["labels"]["agents.x-k8s.io/created-by"] == "go-client"
    assert kube.get("pod", made["pod"])["metadata"]["uid"] == pod["metadata"]["uid"]
    assert go.do("get", claim=made["claim"], namespace=kube.ns)["sandbox"] == made["sandbox"]
    assert go.do("list", namespace=kube.ns)["names"] == [made["claim"]]
    go.do("delete", claim=made["claim"], namespace=kube.ns)
    kube.until_gone("sandboxclaim", made["claim"])
    kube.until_gone("pod", made["pod"])


def test_go_client_starts_cold(go, kube):
    kube.apply(kube.template(), kube.pool(replicas=0))
    made = go.do("create", pool="p", namespace=kube.ns)
    assert made["ready"] and made["sandbox"] == made["pod"] == made["claim"]


# ---- v1alpha1 ----

OLD = """
from k8s_agent_sandbox.sandbox_client import SandboxClient
client = SandboxClient(template, namespace=ns, api_url="http://127.0.0.1:8080", sandbox_ready_timeout=20)
"""


def test_old_client_gets_a_warm_pod(old, kube):
    kube.full_pool()
    pod = kube.list("pod")[0]
    got = old.run(
        OLD + "client.__enter__()\nresult = [client.claim_name, client.sandbox_name, client.pod_name]\nkept = client",
        ns=kube.ns,
        template="t",
    )
    assert got == [got[0], got[0], pod["metadata"]["name"]]
    assert kube.get("pod", got[2])["metadata"]["uid"] == pod["metadata"]["uid"]
    assert kube.get("service", got[0])["spec"]["clusterIP"] == "None"
    old.run(OLD + "client.claim_name = name\nclient.__exit__(None, None, None)", ns=kube.ns, template="t", name=got[0])
    kube.until_gone("sandboxclaim", got[0])
    kube.until_gone("sandbox", got[0])
    kube.until_gone("service", got[0])
    kube.until_gone("pod", got[2])


def test_old_client_without_a_pool_starts_cold(old, kube):
    kube.apply(kube.template(version="v1alpha1"))
    got = old.run(
        OLD + "with client: result = [client.claim_name, client.sandbox_name, client.pod_name]",
        ns=kube.ns,
        template="t",
    )
    assert got == [got[0]] * 3
    kube.until_gone("pod", got[0])


def test_old_client_with_a_missing_template(old, kube):
    with pytest.raises(SdkError) as e:
        old.run(OLD.replace("=20", "=3") + "client.__enter__()", ns=kube.ns, template="none")
    assert e.value.kind == "TimeoutError"
    assert kube.list("sandboxclaim") == []
