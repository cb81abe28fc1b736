"""The images run as the chart runs them: its arguments, its Redis with its password, no root, a root that cannot be written, no
capabilities. Containers are made by bubblewrap, in a network namespace of their own, where /etc/hosts stands for the cluster's DNS."""

import base64
import json
import os
import subprocess
import tarfile
import uuid

import pytest
import yaml
from harness.cluster import ROOT
from harness.until import until

CHART = ROOT / "deploy/helm/sandplane"
NS = "agent-sandbox-system"
# one address for all Pods, so the router's HTTP leaves 8080 to the reconciler's metrics; the flag that is given last counts
HTTP = 18080
ADMIN = {"claims": 7411, "pools": 7412, "reconciler": 8080, "router": 7410}


@pytest.fixture(scope="module")
def archives():
    subprocess.run(
        ["bazel", "build", "--noshow_progress", "--ui_event_filters=-info", "//deploy/images:images"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    folder = subprocess.run(
        ["bazel", "info", "bazel-bin"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    return lambda name: f"{folder}/deploy/images/{name}.oci.tar"


class Image:
    """An archive unpacked as a container runtime does it."""

    def __init__(self, archive, folder):
        self.root = folder
        with tarfile.open(archive) as tar:
            self.tar = tar
            (descriptor,) = self.read("index.json")["manifests"]
            manifest = self.read(self.path(descriptor))
            self.config = self.read(self.path(manifest["config"]))["config"]
            for layer in manifest["layers"]:
                with tarfile.open(fileobj=tar.extractfile(self.path(layer))) as files:
                    files.extractall(folder, numeric_owner=True)
        # what a runtime makes
        for name in ("proc", "dev"):
            (folder / name).mkdir(exist_ok=True)

    def path(self, descriptor):
        return "blobs/" + descriptor["digest"].replace(":", "/")

    def read(self, name):
        return json.load(self.tar.extractfile(name))


class Node:
    """Runs Pods of the chart, each as a process."""

    def __init__(self, archives, folder, documents):
        self.archives, self.folder, self.documents = archives, folder, documents
        self.netns = "sp-img-" + uuid.uuid4().hex[:6]
        self.processes, self.images = {}, {}
        self.run("ip", "netns", "add", self.netns)
        self.run("ip", "-n", self.netns, "link", "set", "lo", "up")
        hosts = ["127.0.0.1 localhost"]
        for d in documents:
            if d["kind"] == "Service":
                hosts.append(f"127.0.0.1 {d['metadata']['name']}.{NS}.svc.cluster.local")
        (folder / "hosts").write_text("\n".join(hosts) + "\n")

    def run(self, *argv):
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def find(self, kind, name):
        return next(d for d in self.documents if d["kind"] == kind and d["metadata"]["name"] == name)

    def image(self, reference):
        """By the chart's reference: localhost/sandplane-claims:dev is claims.oci.tar."""
        name = reference.rsplit("/", 1)[1].split(":")[0].removeprefix("sandplane-")
        if name not in self.images:
            root = self.folder / "images" / name
            root.mkdir(parents=True)
            self.images[name] = Image(self.archives(name), root)
        return self.images[name]

    def command(self, pod, container, mounts=(), env=()):
        image = self.image(container["image"])
        context = pod["securityContext"]
        assert context["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
        argv = container.get("command") or image.config["Entrypoint"]
        argv = [*argv, *container.get("args", [])]
        environment = dict(e.split("=", 1) for e in image.config["Env"] or [])
        environment.update(dict(env))
        for name, value in environment.items():
            argv = [a.replace(f"$({name})", value) for a in argv]
        box = ["ip", "netns", "exec", self.netns, "bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent",
               "--uid", str(context["runAsUser"]), "--gid", str(context["runAsGroup"]), "--cap-drop", "ALL", "--clearenv",
               "--ro-bind", str(image.root), "/", "--proc", "/proc", "--dev", "/dev"]  # fmt: skip
        for kind, source, target in [("--ro-bind", self.folder / "hosts", "/etc/hosts"), *mounts]:
            # a mount point has to be there, as a runtime would make it
            place = image.root / target.lstrip("/")
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.mkdir() if os.path.isdir(source) else place.touch()
            box += [kind, str(source), target]
        for name, value in environment.items():
            box += ["--setenv", name, value]
        return [*box, *argv]

    def start(self, name, pod, **kw):
        log = (self.folder / f"{name}.log").open("wb")
        self.processes[name] = subprocess.Popen(self.command(pod, pod["containers"][0], **kw), stdout=log, stderr=log)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def ask(self, name, path):
        """(status, body) of the Pod's admin port."""
        script = f"import http.client as h; c = h.HTTPConnection('127.0.0.1', {ADMIN[name]}, timeout=5); c.request('GET', '{path}'); r = c.getresponse(); print(r.status, r.read().decode())"
        run = subprocess.run(
            ["ip", "netns", "exec", self.netns, "/usr/bin/python3", "-c", script], capture_output=True, text=True
        )
        return run.stdout.strip().split(" ", 1) if run.returncode == 0 else ["", ""]

    def wait(self, name, condition, timeout=30):
        def check():
            assert self.processes[name].poll() is None, f"{name} has ended"
            return condition()

        try:
            until(check, timeout=timeout, what=name)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log(name)}") from None

    def down(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self.run("ip", "netns", "del", self.netns)


@pytest.fixture(scope="module")
def node(archives, tmp_path_factory):
    settings = [
        "--set=image.registry=localhost,image.tag=dev",
        f"--set=router.extraArgs={{--http-address=127.0.0.1:{HTTP}}}",
        "--set=crds.enabled=false",
    ]
    run = subprocess.run(
        [ROOT / "tools/helm", "template", "sandplane", CHART, "--namespace", NS, *settings],
        check=True,
        capture_output=True,
        text=True,
    )
    n = Node(archives, tmp_path_factory.mktemp("node"), [d for d in yaml.safe_load_all(run.stdout) if d])
    try:
        yield n
    finally:
        n.down()


@pytest.fixture(scope="module")
def password(node):
    return base64.b64decode(node.find("Secret", "sandplane-redis")["data"]["password"]).decode()


def pod_of(node, name):
    return node.find("StatefulSet" if name.endswith("-redis") else "Deployment", name)["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def redis(node, password):
    pod = pod_of(node, "sandplane-redis")
    data, config = node.folder / "data", node.folder / "redis-config"
    data.mkdir()
    os.chown(data, 65532, 65532)
    data.chmod(0o777)
    config.mkdir()
    (config / "redis.conf").write_text(node.find("ConfigMap", "sandplane-redis")["data"]["redis.conf"])
    node.start(
        "redis",
        pod,
        mounts=[("--bind", data, "/data"), ("--ro-bind", config, "/etc/redis")],
        env=[("REDISCLI_AUTH", password)],
    )
    return pod


def probe(node, pod, env):
    """The readiness probe's command, inside."""
    container = dict(pod["containers"][0], command=pod["containers"][0]["readinessProbe"]["exec"]["command"], args=[])
    return subprocess.run(node.command(pod, container, env=env), capture_output=True, text=True)


def test_redis(node, redis, password):
    node.wait("redis", lambda: probe(node, redis, [("REDISCLI_AUTH", password)]).returncode == 0)
    assert probe(node, redis, [("REDISCLI_AUTH", "wrong")]).returncode != 0
    assert probe(node, redis, []).returncode != 0


@pytest.mark.parametrize("name", ["claims", "pools", "router"])
def test_service(node, redis, password, name):
    node.start(name, pod_of(node, f"sandplane-{name}"), env=[("SANDPLANE_REDIS_PASSWORD", password)])
    node.wait(name, lambda: node.ask(name, "/readyz")[0] == "200")
    assert node.ask(name, "/healthz")[0] == "200"
    assert "sandplane_rpc_duration_seconds" in node.ask(name, "/metrics")[1]
    assert password not in node.log(name)


def test_helm_test(node):
    """What `helm test` runs, against the services above."""
    pod = node.find("Pod", "sandplane-test")["spec"]
    for container in pod["containers"]:
        run = subprocess.run(node.command(pod, container), capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr


def test_reconciler_without_an_api_server_lives(node, redis, password):
    account = node.folder / "account"
    account.mkdir()
    for name, text in (("token", "t"), ("namespace", NS)):
        (account / name).write_text(text)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=ca", "-keyout",
                    account / "key", "-out", account / "ca.crt"], check=True, capture_output=True)  # fmt: skip
    pod = pod_of(node, "agent-sandbox-controller")
    env = [
        ("SANDPLANE_REDIS_PASSWORD", password),
        ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
        ("KUBERNETES_SERVICE_PORT", "6443"),
    ]
    node.start(
        "reconciler", pod, mounts=[("--ro-bind", account, "/var/run/secrets/kubernetes.io/serviceaccount")], env=env
    )
    node.wait("reconciler", lambda: node.ask("reconciler", "/healthz")[0] == "200")
    assert node.ask("reconciler", "/readyz")[0] == "503"


def test_relay(node):
    """From its listener to the router's, and back: the probe of the alias Pods."""
    image = node.image("localhost/sandplane-router:dev")
    argv = ["ip", "netns", "exec", node.netns, "bwrap", "--unshare-user", "--unshare-pid", "--die-with-parent", "--uid", "65532", "--gid", "65532",
            "--ro-bind", str(image.root), "/", "--proc", "/proc", "/usr/bin/sandplane-relay", "0.0.0.0:18888", f"127.0.0.1:{HTTP}"]  # fmt: skip
    node.processes["relay"] = subprocess.Popen(argv)
    ADMIN["relay"] = 18888
    until(lambda: node.ask("relay", "/healthz") == ["200", '{"status":"ok"}'], timeout=20, what="the relay")


def test_runtime_serves_without_an_operating_system(node, archives):
    root = node.folder / "images/runtime"
    root.mkdir(parents=True)
    image = Image(archives("runtime"), root)
    argv = ["ip", "netns", "exec", node.netns, "bwrap", "--unshare-user", "--unshare-pid", "--die-with-parent", "--uid", "1000", "--gid", "1000",
            "--ro-bind", str(root), "/", "--proc", "/proc", *image.config["Entrypoint"]]  # fmt: skip
    node.processes["runtime"] = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ADMIN["runtime"] = 8888
    until(lambda: node.ask("runtime", "/")[0] == "200", timeout=20, what="the runtime")


def test_nothing_was_written(node):
    """Each process lived in a root it could not write to; the state went to its volume."""
    assert (node.folder / "data/appendonlydir").is_dir()
