"""Sandboxes that really run: gVisor Pods of a whole test cluster, and the published SDKs executing in them through the router.

Marked `node`: it needs the node's packages and half a minute to start. `pytest e2e/k8s/test_node.py` makes its own cluster.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
import uuid
from contextlib import closing
from textwrap import dedent

import grpc
import pytest
from harness.client import Client
from harness.cluster import Cluster, enter_network
from harness.kube import EXTENSIONS, Kube
from harness.kube_stack import PORTS, KubeStack
from harness.sdk import Sdk, SdkError
from harness.stubs import sandbox_pb2 as pb
from harness.until import until

pytestmark = pytest.mark.node

IMAGE = "localhost/python-runtime:dev"
POD_SPEC = {
    "runtimeClassName": "gvisor",
    "containers": [{"name": "main", "image": IMAGE, "ports": [{"containerPort": 8888}], "imagePullPolicy": "Never",
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8888}, "periodSeconds": 1}}],
}  # fmt: skip
NEW = """
from k8s_agent_sandbox import SandboxClient
from k8s_agent_sandbox.models import SandboxDirectConnectionConfig, SandboxInClusterConnectionConfig
client = SandboxClient(connection_config=SandboxDirectConnectionConfig(api_url="http://127.0.0.1:8080"))
"""
OLD = """
from k8s_agent_sandbox.sandbox_client import SandboxClient
client = SandboxClient("t", namespace=ns, api_url="http://127.0.0.1:8080", sandbox_ready_timeout=60)
"""


@pytest.fixture(scope="module")
def stack():
    """A whole cluster, with the runtime's image and Sandplane with a router. The tests' thread is in its network meanwhile."""
    whole = Cluster(os.environ.get("SANDPLANE_E2E_NODE_CLUSTER", "node"), control_plane_only=False)
    with open("/proc/thread-self/ns/net", "rb") as before:
        whole.up()
        whole.enter()
        running = KubeStack(whole)
        try:
            whole.load(running.bin / "deploy/images/python-runtime.oci.tar")
            running.up(fake_node=False, router=True)
            yield running
        finally:
            running.down()
            whole.down()
            enter_network(before.fileno())


@pytest.fixture
def kube(stack):
    name = "n-" + uuid.uuid4().hex[:8]
    stack.cluster.kubectl("create", "namespace", name)
    kube = Kube(stack.cluster, name)
    yield kube
    kube.kubectl("delete", "sandboxclaim,sandboxwarmpool,sandbox", "--all")
    stack.cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(params=["0.5.6", "1.0.8"])
def new(request, stack):
    sdk = Sdk(request.param, stack.cluster)
    yield sdk
    sdk.close()


@pytest.fixture
def old(stack):
    sdk = Sdk("0.1.1", stack.cluster)
    yield sdk
    sdk.close()


def full_pool(kube, replicas=1, pod_spec=POD_SPEC, **template):
    kube.apply(kube.template(pod_spec=pod_spec, **template), kube.pool(replicas=replicas))
    kube.pool_has("p", replicas, timeout=120)


USE = """
ran = s.commands.run("python3 -c 'print(6 * 7)'")
failed = s.commands.run("ls /nowhere")
s.files.write("notes.txt", "one\\n")
s.files.write("deep/er.bin", bytes(range(256)))
listed = sorted((e.name, e.type, e.size) for e in s.files.list("."))
result = dict(out=ran.stdout, code=ran.exit_code, failed=[failed.exit_code, failed.stdout, failed.stderr], text=s.files.read("notes.txt").decode(),
              bytes=list(s.files.read("deep/er.bin")), listed=listed, exists=[s.files.exists("notes.txt"), s.files.exists("none")],
              kernel=s.commands.run("dmesg").stdout, claim=s.claim_name, id=s.sandbox_id)
"""


def check_use(got):
    assert (got["out"], got["code"]) == ("42\n", 0)
    code, out, err = got["failed"]
    assert code != 0 and out == "" and "/nowhere" in err
    assert got["text"] == "one\n" and got["bytes"] == list(range(256))
    assert ["notes.txt", "file", 4] in got["listed"] and ["deep", "directory"] in [e[:2] for e in got["listed"]]
    assert got["exists"] == [True, False]
    assert "gVisor" in got["kernel"]


def test_new_client_runs_and_moves_files(kube, new):
    full_pool(kube)
    pod = kube.list("pod")[0]
    got = new.run(NEW + "s = client.create_sandbox('p', namespace=ns)\n" + USE, ns=kube.ns)
    check_use(got)
    assert got["id"] == pod["metadata"]["name"]
    new.run(NEW + "client.delete_sandbox(claim, namespace=ns)", ns=kube.ns, claim=got["claim"])
    kube.until_gone("pod", got["id"], timeout=60)


def test_new_client_without_the_router(kube, new):
    """Straight to the Pod's address, as from inside the cluster."""
    full_pool(kube)
    got = new.run(
        NEW
        + "client.connection_config = SandboxInClusterConnectionConfig()\ns = client.create_sandbox('p', namespace=ns)\n"
        + USE,
        ns=kube.ns,
    )
    check_use(got)


def test_old_client_runs_and_moves_files(kube, old):
    """X-Sandbox-ID is the name of the claim there, and the Pod has another one."""
    full_pool(kube)
    pod = kube.list("pod")[0]
    code = """
    with client:
        ran = client.run("echo hello; exit 3")
        client.write("/some/where/notes.txt", "one")
        result = [client.claim_name, client.pod_name, ran.stdout, ran.exit_code, client.read("notes.txt").decode(), [e.name for e in client.list(".")],
                  client.exists("notes.txt"), client.exists("none"), client.run("python3 -c 'print(1 + 1)'").stdout]
    """
    claim, name, *rest = old.run(OLD + dedent(code), ns=kube.ns)
    assert name == pod["metadata"]["name"] != claim
    assert rest[2:] == ["one", ["notes.txt"], True, False, "2\n"]
    kube.until_gone("pod", name, timeout=60)


def test_old_client_without_a_pool(kube, old):
    kube.apply(kube.template(version="v1alpha1", pod_spec=POD_SPEC))
    code = "with client: result = [client.claim_name, client.pod_name, client.run(\"python3 -c 'print(1)'\").stdout]"
    claim, pod, out = old.run(OLD + code, ns=kube.ns)
    assert claim == pod and out == "1\n"


def test_suspend_and_resume_is_a_new_pod_under_the_same_name(kube, stack):
    kube.apply(kube.sandbox(pod_spec=POD_SPEC))
    kube.until_ready("sandbox", "s", timeout=60)
    answers = lambda: ask(kube, "s") == 200
    until(answers, what="the sandbox through the router")
    kube.patch("sandbox", "s", {"spec": {"operatingMode": "Suspended"}})
    kube.until_condition("sandbox", "s", "Suspended", status="True", timeout=60)
    assert ask(kube, "s") == 502
    kube.patch("sandbox", "s", {"spec": {"operatingMode": "Running"}})
    kube.until_ready("sandbox", "s", timeout=60)
    until(answers, what="the sandbox through the router again")


def test_environment_of_a_claim_reaches_its_commands(kube, new):
    """Warm: the Pod ran before the claim was there."""
    full_pool(kube, envVarsInjectionPolicy="Allowed")
    (member,) = kube.members()
    kube.apply(kube.claim(env=[{"name": "GREETING", "value": "hello"}]))
    claim = kube.until_ready("sandboxclaim", "c", timeout=60)
    assert claim["status"]["sandbox"]["name"] == member["metadata"]["name"]
    out = new.run(
        NEW + "result = client.get_sandbox('c', namespace=ns).commands.run('printenv GREETING').stdout", ns=kube.ns
    )
    assert out == "hello\n"


def test_tunnel_to_a_pod(kube, stack):
    """The first client had no router: kubectl port-forward to a Pod called like the claim. Not with gVisor, whose own loopback
    interface the node does not see."""
    plain = {k: v for k, v in POD_SPEC.items() if k != "runtimeClassName"}
    kube.apply(kube.template(version="v1alpha1", pod_spec=plain))
    kube.apply(kube.object(EXTENSIONS, "v1alpha1", "SandboxClaim", "mine", {"sandboxTemplateRef": {"name": "t"}}))
    kube.until_ready("sandboxclaim", "mine", timeout=60)
    command = [stack.cluster.folder / "bin/kubectl", "port-forward", "pod/mine", "18888:8888", "-n", kube.ns]
    tunnel = stack.cluster.run_inside(command, stdout=subprocess.DEVNULL)
    try:
        request = urllib.request.Request(
            "http://127.0.0.1:18888/execute", b'{"command": "echo hello"}', {"Content-Type": "application/json"}
        )
        answer = until(
            lambda: json.load(urllib.request.urlopen(request, timeout=10)), what="an answer through the tunnel"
        )
    finally:
        tunnel.terminate()
        tunnel.wait(10)
    assert answer == {"stdout": "hello\n", "stderr": "", "exit_code": 0}


def test_name_of_an_old_claim_in_the_cluster(kube, stack):
    """Its Service has no address of its own: the name leads to the Pod, which has another name."""
    full_pool(kube, pod_spec={**POD_SPEC, "dnsPolicy": "ClusterFirst"})
    kube.apply(kube.object(EXTENSIONS, "v1alpha1", "SandboxClaim", "mine", {"sandboxTemplateRef": {"name": "t"}}))
    kube.until_ready("sandboxclaim", "mine", timeout=60)
    ip = kube.get("sandbox", "mine")["status"]["podIPs"][0]
    other = kube.list("pod", "agents.x-k8s.io/warm-pool-sandbox")[0]["metadata"]["name"]
    kube.pool_has("p", 1, timeout=60)
    look = f"import socket; print(socket.gethostbyname('mine.{kube.ns}.svc.cluster.local'))"
    until(lambda: kube.kubectl("exec", other, "--", "python3", "-c", look).strip() == ip, timeout=60, what="the name")


def test_requests_after_the_end_are_refused(kube, new):
    full_pool(kube)
    claim = new.run(
        NEW
        + "s = client.create_sandbox('p', namespace=ns)\nresult = [s.claim_name, s.commands.run('true').exit_code]\nkept = s",
        ns=kube.ns,
    )[0]
    kube.delete("sandboxclaim", claim)
    with pytest.raises(SdkError) as e:
        new.run(NEW + "client.get_sandbox(claim, namespace=ns, resolve_timeout=1)", ns=kube.ns, claim=claim)
    assert e.value.kind == "SandboxNotFoundError"


def ask(kube, sandbox, port=8888, path="/", data=None):
    """The status of a request to the runtime or another port, through the router."""
    headers = {"X-Sandbox-ID": sandbox, "X-Sandbox-Namespace": kube.ns, "X-Sandbox-Port": str(port)}
    request = urllib.request.Request(
        f"http://127.0.0.1:8080{path}", data, {**headers, "Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as r:
            return r.status
    except urllib.error.HTTPError as e:
        return e.code


def test_programs_that_listen_on_loopback_alone(kube):
    """As development servers do: warm and cold, of either address."""
    full_pool(kube)
    kube.apply(kube.pool("empty", replicas=0), kube.claim("warm"), kube.claim("cold", "empty"))
    for claim in ("warm", "cold"):
        name = kube.until_ready("sandboxclaim", claim, timeout=60)["status"]["sandbox"]["name"]
        for host, port in (("::1", 8201), ("127.0.0.1", 8202), ("::", 8203)):
            line = f"sh -c 'nohup python3 -m http.server --bind {host} {port} >/dev/null 2>&1 &'"
            assert ask(kube, name, path="/execute", data=json.dumps({"command": line}).encode()) == 200
            until(lambda name=name, port=port: ask(kube, name, port) == 200, what=f"an answer of {host} in {name}")
        assert ask(kube, name, 8204) == 502


def stream(message, *more):
    return iter([message, *more])


def create(c, kube, **env):
    request = pb.CreateSandboxRequest(parent=f"namespaces/{kube.ns}", pool=f"namespaces/{kube.ns}/pools/p")
    request.env.update(env)
    return c.sandboxes.CreateSandbox(request, timeout=60).name


def test_exec_and_files_through_grpc(stack, kube):
    """A claim through gRPC whose sandbox is a Pod: its env is bound late, commands and files go by the API; so they do for an object's."""
    full_pool(kube, replicas=2)
    with closing(Client(f"127.0.0.1:{PORTS['router'][0]}")) as c:
        box = create(c, kube, COLOUR="green")
        ran = c.exec(box, "sh", "-c", "echo $COLOUR; dmesg | head -1")
        assert ran.stdout.decode().startswith("green\n") and b"gVisor" in ran.stdout
        start = pb.ExecStreamRequest(start=pb.ExecStreamRequest.Start(name=box, command=pb.Command(args=["cat"])))
        heard = c.sandboxes.ExecStream(stream(start, pb.ExecStreamRequest(stdin=b"echoed")), timeout=60)
        assert b"".join(m.stdout for m in heard) == b"echoed"
        data = bytes(range(256)) * 8192
        c.write(box, "deep/data", data)
        assert c.read(box, "deep/data") == data
        files = [
            f for m in c.sandboxes.ListFiles(pb.ListFilesRequest(name=box, path="deep"), timeout=60) for f in m.files
        ]
        assert [(f.path, f.size_bytes) for f in files] == [("deep/data", len(data))]
        command = [
            stack.bin / "cli/sandctl",
            "exec",
            "-i",
            f"--server=127.0.0.1:{PORTS['router'][0]}",
            box,
            "--",
            "sh",
            "-c",
            "cat; exit 7",
        ]
        ran = stack.cluster.run_inside(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert (ran.communicate(b"typed", timeout=60)[0], ran.returncode) == (b"typed", 7)
        kube.apply(kube.claim())
        other = kube.until_ready("sandboxclaim", "c", timeout=60)["status"]["sandbox"]["name"]
        assert c.exec(f"namespaces/{kube.ns}/sandboxes/{other}", "echo", "hello").stdout == b"hello\n"
        c.delete(box)
        with pytest.raises(grpc.RpcError) as e:
            c.exec(box, "true")
        assert e.value.code() in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)


def test_a_call_ends_with_its_pod(kube):
    """The network of a sandbox that is killed says nothing any more: the router asks."""
    full_pool(kube)
    with closing(Client(f"127.0.0.1:{PORTS['router'][0]}")) as c:
        box = create(c, kube)
        start = pb.ExecStreamRequest(
            start=pb.ExecStreamRequest.Start(name=box, command=pb.Command(args=["sh", "-c", "echo begun; sleep 1000"]))
        )
        heard = c.sandboxes.ExecStream(stream(start), timeout=900)
        assert any(m.stdout == b"begun\n" for m in heard)
        kube.kubectl("delete", "pod", box.rsplit("/", 1)[1], "--grace-period=0", "--force")
        with pytest.raises(grpc.RpcError) as e:
            list(heard)
        assert e.value.code() == grpc.StatusCode.UNAVAILABLE, e.value


def test_client_finds_a_claim_made_through_grpc(kube, new):
    """By the SandboxClaim that shows it, whose status comes later than its creation but within the client's patience."""
    full_pool(kube)
    with closing(Client(f"127.0.0.1:{PORTS['router'][0]}")) as c:
        box = create(c, kube).rsplit("/", 1)[1]
        until(lambda: kube.get("sandboxclaim", box), timeout=60, what="the object of the claim")
        code = "s = client.get_sandbox(claim, namespace=ns, resolve_timeout=120)\nresult = [s.sandbox_id, s.commands.run('echo hello').stdout]"
        assert new.run(NEW + code, ns=kube.ns, claim=box) == [box, "hello\n"]


def test_calls_into_pods_called_otherwise_or_without_the_runtime(stack, kube):
    main = POD_SPEC["containers"][0]
    name = {"name": "SANDPLANE_SANDBOX_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    specs = {
        "not called so": {**POD_SPEC, "hostname": "box"},
        "its image must have": {
            **POD_SPEC,
            "containers": [{**main, "command": ["python3", "-m", "http.server", "8888"]}],
        },
        "": {**POD_SPEC, "hostname": "box", "containers": [{**main, "env": [name]}]},
    }
    with closing(Client(f"127.0.0.1:{PORTS['router'][0]}")) as c:
        for why, spec in specs.items():
            full_pool(kube, pod_spec=spec)
            box = create(c, kube)
            if why:
                with pytest.raises(grpc.RpcError) as e:
                    c.exec(box, "true")
                assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION and why in e.value.details()
            else:
                assert c.exec(box, "echo", "hello").stdout == b"hello\n"
            c.delete(box)
            kube.delete("sandboxwarmpool", "p")
            until(lambda: not kube.list("pod"), timeout=120, what="the Pods' end")
