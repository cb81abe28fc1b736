"""Environment variables of a SandboxClaim in a warm Sandbox: its Pod runs already, so Sandplane's runtime in it is given
them before the claim is Ready, by the router, which alone may reach sandboxes.

Pods are only said to run here. Their addresses are made ones of the cluster's network, and real runtimes listen there.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import struct
import tempfile
import threading

import pytest
from harness.until import until

SECRET = "a-value-that-nobody-logs"
ENV = [{"name": "TOKEN", "value": SECRET}, {"name": "EMPTY", "value": ""}]


@pytest.fixture(scope="module")
def router(stack):
    stack.start("router")
    stack.wait_ready("router")
    yield
    stack.stop("router")


@pytest.fixture
def pods(stack, kube, router):
    p = Pods(stack, kube)
    yield p
    p.close()


class Pods:
    """Runtimes at the addresses of members."""

    def __init__(self, stack, kube):
        self.stack, self.kube, self.running, self.addresses = stack, kube, {}, {}
        self.home = tempfile.mkdtemp(prefix="spenv-", dir="/var/tmp")
        os.chmod(self.home, 0o777)

    def address(self, name):
        """Of this machine from now on, also when the Pod has gone."""
        if name not in self.addresses:
            self.addresses[name] = ip = self.kube.get("pod", name)["status"]["podIP"]
            self.stack.cluster.run_inside(["ip", "addr", "add", f"{ip}/32", "dev", "lo"]).wait(20)
        return self.addresses[name]

    def run(self, name):
        ip = self.address(name)
        command = [self.stack.bin / "runtime/sandplane-runtime", f"--sandbox-name={name}", f"--http-address={ip}:8888",
                   f"--base-dir={self.home}"]  # fmt: skip
        with open(f"{self.home}/{name}.log", "ab") as log:
            self.running[name] = self.stack.cluster.run_inside(command, stdout=log, stderr=log)
        until(
            lambda: socket.create_connection((ip, 8888), 5).close() is None, may_fail=OSError, what=f"runtime of {name}"
        )

    def end(self, name):
        process = self.running.pop(name)
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(20)

    def log(self):
        return "".join(open(f"{self.home}/{f}").read() for f in os.listdir(self.home) if f.endswith(".log"))

    def close(self):
        for name in list(self.running):
            self.end(name)
        for ip in self.addresses.values():
            self.stack.cluster.run_inside(["ip", "addr", "del", f"{ip}/32", "dev", "lo"]).wait(20)
        shutil.rmtree(self.home)

    # ---- what is in a Pod ----

    def printenv(self, name, variable="TOKEN", router=False):
        """What a command in it finds: straight at its address, or through the router; None: nothing."""
        host, port = ("127.0.0.1", 8080) if router else (self.address(name), 8888)
        headers = {"X-Sandbox-ID": name, "X-Sandbox-Namespace": self.kube.ns, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(host, port, timeout=20)
        connection.request("POST", "/execute", json.dumps({"command": f"printenv {variable}"}), headers)
        got = json.load(connection.getresponse())
        connection.close()
        return got["stdout"].removesuffix("\n") if got["exit_code"] == 0 else None

    def bind(self, name, uid):
        """As whoever held the uid would: without values."""
        fields = b"".join(bytes([tag << 3 | 2, len(v)]) + v for tag, v in ((1, b"Stat"), (2, uid), (3, b""), (6, name)))
        with socket.create_connection((self.address(name.decode()), 8888), 20) as s:
            s.sendall(b"\1" + struct.pack(">I", len(fields)) + fields)
            assert s.recv(5) == b"\4\0\0\0\0"


def full_pool(kube, replicas=1, **template):
    kube.apply(kube.template(envVarsInjectionPolicy="Allowed", **template), kube.pool(replicas=replicas))
    kube.pool_has("p", replicas)
    return [m["metadata"]["name"] for m in kube.members()]


def sandbox_of(kube, claim):
    return kube.until_ready("sandboxclaim", claim)["status"]["sandbox"]["name"]


def told_why_cold(kube, claim, *words):
    """By an Event of the claim, and on the Sandbox, from where the claim's condition has it until it is Ready."""

    def told():
        notes = [
            e["note"]
            for e in kube.list("events.events.k8s.io")
            if e["regarding"].get("name") == claim and e["reason"] == "SandboxStartedCold"
        ]
        return all(any(word in note for note in notes) for word in words) and notes

    assert len(until(told, what=f"an Event why {claim} started cold")) == 1
    reason = kube.get("sandbox", claim)["metadata"]["annotations"]["sandplane.dev/cold-start-reason"]
    assert all(word in reason for word in words)


def nobody_said(stack, pods, value=SECRET):
    for name in ("reconciler", "router", "pools", "claims"):
        assert value not in stack.log(name)
    assert value not in pods.log()


def test_a_warm_claim_has_its_environment(stack, kube, pods):
    """In place when it is Ready, for whoever goes straight to the Pod; written down for a Pod that is made anew."""
    (member,) = full_pool(kube)
    pods.run(member)
    uid = kube.get("pod", member)["metadata"]["uid"]
    assert pods.printenv(member) is None
    kube.apply(kube.claim(env=ENV))
    assert sandbox_of(kube, "c") == member
    assert (pods.printenv(member), pods.printenv(member, "EMPTY")) == (SECRET, "")
    assert pods.printenv(member, router=True) == SECRET
    sandbox = kube.get("sandbox", member)
    assert sandbox["spec"]["podTemplate"]["spec"]["containers"][0]["env"] == ENV
    assert sandbox["metadata"]["annotations"]["sandplane.dev/runtime-env"] == "TOKEN,EMPTY"
    assert sandbox["metadata"]["labels"]["agents.x-k8s.io/launch-type"] == "warm"
    assert kube.get("pod", member)["metadata"]["uid"] == uid
    kube.pool_has("p", 1)
    nobody_said(stack, pods)


def test_a_pool_without_the_runtime_loses_nothing(stack, kube, pods):
    """Cold, as ever, and the member is asked before it is taken: it stays the pool's."""
    (member,) = full_pool(kube)
    before = kube.get("sandbox", member)["metadata"]["uid"]
    kube.apply(kube.claim(env=ENV))
    assert sandbox_of(kube, "c") == "c"
    assert kube.get("sandbox", "c")["spec"]["podTemplate"]["spec"]["containers"][0]["env"] == ENV
    assert [m["metadata"]["uid"] for m in kube.members()] == [before]
    told_why_cold(kube, "c", member)
    kube.apply(kube.claim("plain"))
    assert sandbox_of(kube, "plain") == member
    nobody_said(stack, pods)


def test_another_program_on_the_port(stack, kube, pods):
    """It is asked, and hears no value."""
    (member,) = full_pool(kube)
    heard = []
    server = socket.create_server((pods.address(member), 8888))

    def serve():
        connection = server.accept()[0]
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    kube.apply(kube.claim(env=ENV))
    assert sandbox_of(kube, "c") == "c"
    thread.join(20)
    server.close()
    assert member.encode() in heard[0] and SECRET.encode() not in heard[0]


def test_a_member_that_serves_another_claim(stack, kube, pods):
    """Its runtime is bound already, which the state does not know: it gets nothing, and is nobody's afterwards."""
    (member,) = full_pool(kube)
    pods.run(member)
    pods.bind(member.encode(), b"the-uid-of-another")
    kube.apply(kube.claim(env=ENV))
    assert sandbox_of(kube, "c") == "c"
    assert pods.printenv(member) is None
    kube.until_gone("sandbox", member)
    kube.pool_has("p", 1)
    nobody_said(stack, pods)


def test_what_only_a_pod_of_its_own_can_have(kube, pods):
    """What the kubelet expands, a container that is not the runtime's, and a template that wants it so."""
    two = {
        "containers": [
            {"name": "main", "image": "i", "ports": [{"containerPort": 8888}]},
            {"name": "side", "image": "i"},
        ]
    }
    members = full_pool(kube, pod_spec=two)
    kube.apply(
        kube.object("extensions.agents.x-k8s.io", "v1beta1", "SandboxTemplate", "t2", kube.template(pod_spec=two, envVarsInjectionPolicy="Allowed")["spec"],
                    annotations={"sandplane.dev/claim-env": "cold"}),
        kube.pool("p2", "t2"),
    )  # fmt: skip
    kube.pool_has("p2", 1)
    for name in (*members, kube.members("p2")[0]["metadata"]["name"]):
        pods.run(name)
    kube.apply(
        kube.claim("expanded", env=[{"name": "A", "value": "$(HOME)"}]),
        kube.claim("side", env=[{"name": "A", "value": "1", "containerName": "side"}]),
        kube.claim("wanted", "p2", env=ENV),
    )
    assert [sandbox_of(kube, c) for c in ("expanded", "side", "wanted")] == ["expanded", "side", "wanted"]
    told_why_cold(kube, "expanded", "$(NAME)")
    told_why_cold(kube, "side", "another container")
    told_why_cold(kube, "wanted", "sandplane.dev/claim-env")
    kube.apply(kube.claim("warm", env=[{"name": "A", "value": "1", "containerName": "main"}]))
    assert sandbox_of(kube, "warm") == members[0]
    assert pods.printenv(members[0], "A") == "1"


def test_a_container_that_starts_again(kube, pods):
    """The new runtime knows nothing of its claim until it is told, also when nobody comes by the router."""
    (member,) = full_pool(kube)
    pods.run(member)
    kube.apply(kube.claim(env=ENV))
    assert sandbox_of(kube, "c") == member
    pods.end(member)
    pods.run(member)
    assert pods.printenv(member) is None
    assert pods.printenv(member, router=True) == SECRET
    pods.end(member)
    pods.run(member)
    assert pods.printenv(member) is None
    container = kube.get("pod", member)["status"]["containerStatuses"][0]
    kube.patch(
        "pod", member, {"status": {"containerStatuses": [{**container, "restartCount": 1}]}}, "--subresource=status"
    )
    until(lambda: pods.printenv(member) == SECRET, what="the environment in the container that was started again")


def test_the_reconciler_ends_while_a_runtime_is_bound(stack, kube, pods, door):
    """The claim goes on with what it was given: one sandbox, and its own values."""
    first, second = full_pool(kube, 2)
    for member in (first, second):
        pods.run(member)
    kube.apply(kube.claim("first", env=[{"name": "TOKEN", "value": "of-the-first"}]))
    taken = sandbox_of(kube, "first")
    (other,) = {first, second} - {taken}
    kube.pool_has("p", 2)
    (new,) = {m["metadata"]["name"] for m in kube.members()} - {other}
    pods.run(new)
    stack.processes["router"].send_signal(signal.SIGSTOP)  # so nobody binds it yet
    try:
        kube.apply(kube.claim("second", env=ENV))
        until(lambda: door.holds(other), what="the state gives the older one")
        stack.kill("reconciler")
        assert kube.condition("sandboxclaim", "second") is None and pods.printenv(other) is None
    finally:
        stack.processes["router"].send_signal(signal.SIGCONT)
    stack.start("reconciler")
    stack.wait_ready("reconciler")
    assert sandbox_of(kube, "second") == other
    assert (pods.printenv(taken), pods.printenv(other)) == ("of-the-first", SECRET)
    assert kube.get("sandbox", "second") is None
    nobody_said(stack, pods)
    nobody_said(stack, pods, "of-the-first")
