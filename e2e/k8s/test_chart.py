"""The chart: what it renders is taken by a real API server at the strictest Pod Security level, fits together and fits the
programs, and bad values are refused by name. Pods are not run here; e2e/tutorial does that on a node."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from harness.cluster import ROOT

CHART = ROOT / "deploy/helm/sandplane"
SAMPLES = ROOT / "deploy/helm/samples"
NAMESPACE = "agent-sandbox-system"
RESTRICTED = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn", "audit")]
WORKLOADS = ("Deployment", "StatefulSet")


def run_helm(*args):
    return subprocess.run([ROOT / "tools/helm", *map(str, args)], text=True, capture_output=True)


@pytest.fixture(scope="session")
def helm():
    """Helm, built; a failure to build it is a failure and no reason to skip."""
    run = run_helm("version", "--short")
    assert run.returncode == 0, run.stderr

    def call(*args, check=True):
        run = run_helm(*args)
        assert not check or run.returncode == 0, run.stderr
        return run

    return call


def template(helm, *args, ns=NAMESPACE, crds=False):
    text = helm(
        "template", "sandplane", CHART, "--namespace", ns, f"--set=crds.enabled={str(crds).lower()}", *args
    ).stdout
    return [d for d in yaml.load_all(text, yaml.CSafeLoader) if d]


@pytest.fixture(scope="session", params=sorted(p.name for p in SAMPLES.glob("*.values.yaml")))
def rendered(request, helm):
    return template(helm, "--values", SAMPLES / request.param)


@pytest.fixture(scope="session")
def programs():
    """bazel-bin of the last tools/* build."""
    return pathlib.Path((ROOT / "out/.built").read_text().split("\n")[0])


@pytest.fixture
def strict_ns(cluster, ns):
    cluster.kubectl("label", "namespace", ns, *RESTRICTED)
    return ns


def of_kind(documents, *kinds):
    return [d for d in documents if d["kind"] in kinds]


def pod_templates(documents):
    """[(namespace, name, labels, spec)] of what will run."""
    out = []
    for d in of_kind(documents, *WORKLOADS, "Pod"):
        pod = d if d["kind"] == "Pod" else d["spec"]["template"]
        out.append((d["metadata"]["namespace"], d["metadata"]["name"], pod["metadata"]["labels"], pod["spec"]))
    return out


# ---- made from something else ----


def test_files_are_as_they_are_made(helm):
    """Definitions, schema, documentation, plain manifests."""
    run = helm("generate", "--check", check=False)
    assert run.returncode == 0, run.stderr


def test_lint(helm):
    for values in SAMPLES.glob("*.values.yaml"):
        run = helm("lint", CHART, "--strict", "--values", values)
        assert "[WARNING]" not in run.stdout and "[ERROR]" not in run.stdout


def test_versions_are_one():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    service = re.search(r'SERVICE_VERSION "(.*)"', (ROOT / "lib/service/service.h").read_text())[1]
    image = re.search(r'^VERSION = "(.*)"', (ROOT / "build_defs/oci/oci.bzl").read_text(), re.M)[1]
    assert chart["appVersion"] == service == image


def test_rights_are_those_of_the_manifests(helm):
    """deploy/manifests/rbac.yaml says what each right is for, and is what the other tests run with."""
    kinds = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    wanted = of_kind(yaml.safe_load_all((ROOT / "deploy/manifests/rbac.yaml").read_text()), *kinds)
    found = of_kind(template(helm), *kinds)

    def facts(documents):
        return {
            (d["kind"], d["metadata"]["name"]): [d.get(k) for k in ("rules", "roleRef", "subjects")] for d in documents
        }

    assert facts(found) == facts(wanted)


def test_dashboard_shows_metrics_that_exist():
    names = set()
    for source in [*ROOT.glob("services/*/*metrics.c"), *ROOT.glob("lib/*/*.c")]:
        names |= set(re.findall(r'"((?:sandplane|sandbox|agent|rest)_[a-z_]+)"', source.read_text()))
    text = (CHART / "files/dashboard.json").read_text()
    expressions = [t["expr"] for p in json.loads(text)["panels"] for t in p.get("targets", [])]
    used = {
        re.sub(r"_(bucket|count)$", "", m)
        for e in expressions
        for m in re.findall(r"\b(?:sandplane|sandbox_router|agent|rest)_\w+", e)
    }
    assert used and used <= names, used - names
    assert len(expressions) > 20


# ---- the API server's judgement ----


def judge(cluster, documents):
    """What the API server complains about; nothing is changed. Definitions may be there from other tests, with a webhook elsewhere, so
    they are judged as a whole and not as a difference."""
    complaints = []
    definitions = of_kind(documents, "CustomResourceDefinition")
    for d in definitions:
        there = cluster.kubectl("get", "crd", d["metadata"]["name"], check=False).returncode == 0
        verb = "replace" if there else "create"
        complaints.append(cluster.kubectl(verb, "--dry-run=server", "-f", "-", input=json.dumps(d), check=False))
    text = yaml.safe_dump_all([d for d in documents if d not in definitions])
    complaints.append(cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=text, check=False))
    assert sum(len(run.stdout.splitlines()) for run in complaints) == len(documents), complaints
    lines = "".join(run.stderr for run in complaints).splitlines()
    return [line for line in lines if "missing the kubectl.kubernetes.io/last-applied-configuration" not in line]


def test_api_server_takes_it_without_a_warning(helm, cluster, strict_ns):
    for values in sorted(SAMPLES.glob("*.values.yaml")):
        documents = template(helm, "--values", values, "--set-json=router.aliasNamespaces=[]", ns=strict_ns, crds=True)
        # the operator's kinds are not the API server's own
        documents = [d for d in documents if d["kind"] != "ServiceMonitor"]
        for d in documents:
            d["metadata"].get("annotations", {}).pop("helm.sh/hook", None)
        assert judge(cluster, documents) == [], values.name


def test_pods_of_it_are_admitted(helm, cluster, strict_ns):
    """A Deployment is taken even where its Pods would not be: they are asked for by themselves."""
    for values in sorted(SAMPLES.glob("*.values.yaml")):
        documents = template(
            helm, "--values", values, "--set", f"router.aliasNamespaces={{{strict_ns}-alias}}", ns=strict_ns
        )
        pods = pod_templates(documents)
        assert len(pods) >= 6
        for _, name, labels, spec in pods:
            spec = {**spec, "serviceAccountName": "default"}
            spec.pop("priorityClassName", None)
            if name.endswith("-redis"):
                spec["volumes"] = [*spec["volumes"], {"name": "data", "emptyDir": {}}]
                spec["volumes"] = list({v["name"]: v for v in spec["volumes"]}.values())
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
            run = cluster.kubectl(
                "create", "--dry-run=server", "-n", strict_ns, "-f", "-", input=json.dumps(pod), check=False
            )
            assert run.returncode == 0 and run.stderr == "", f"{values.name}, {name}: {run.stderr}"
            assert not spec["automountServiceAccountToken"] or name == "agent-sandbox-controller"


@pytest.fixture(params=["manifest.yaml", "extensions.yaml"])
def plain(request, cluster):
    """The documents of that file in a folder, and whether the API server takes them."""
    # the namespace, which a dry run does not make
    cluster.kubectl("apply", "-f", str(ROOT / "deploy/manifests/rbac.yaml"))

    def read(folder):
        documents = list(yaml.load_all((folder / request.param).read_text(), yaml.CSafeLoader))
        assert documents and judge(cluster, documents) == []
        for d in documents:
            # kubectl apply keeps a copy in an annotation, which has a maximum
            assert len(json.dumps(d)) < 262144, d["metadata"]["name"]
        return of_kind(documents, "CustomResourceDefinition")

    return read


def versions(definitions):
    return [[v["name"] for v in d["spec"]["versions"]] for d in definitions]


def test_plain_manifests_are_taken(plain):
    definitions = plain(ROOT / "deploy/manifests")
    assert versions(definitions) == [["v1beta1", "v1alpha1"]] * len(definitions)


def test_plain_manifests_of_other_settings(plain, helm, tmp_path):
    helm("manifests", tmp_path, "--set=crds.v1alpha1=false")
    definitions = plain(tmp_path)
    assert versions(definitions) == [["v1beta1"]] * len(definitions)
    bad = helm("manifests", tmp_path, "--set=crds.v1alpha7=false", check=False)
    assert bad.returncode != 0 and "v1alpha7" in bad.stderr


def test_what_a_change_renders(helm):
    """Of the chart as it is, nothing; of a revision that is none, its name; without git, that it takes git."""
    if not shutil.which("git"):
        assert "git" in helm("diff", "HEAD", check=False).stderr
        return
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], text=True, capture_output=True, check=True).stdout
    assert "password" not in helm("diff", head.strip()).stdout
    bad = helm("diff", "no-such-revision", check=False)
    assert bad.returncode != 0 and "no-such-revision" in bad.stderr


# ---- it fits together ----


def test_services_lead_to_pods(rendered):
    """Each selects Pods of its own namespace, and each of its ports is one of theirs: kubectl port-forward needs both."""
    pods, services = pod_templates(rendered), of_kind(rendered, "Service")
    assert services
    for service in services:
        meta, spec = service["metadata"], service["spec"]
        behind = [p for p in pods if p[0] == meta["namespace"] and spec["selector"].items() <= p[2].items()]
        assert len(behind) == 1, f"{meta['name']} selects {[p[1] for p in behind]}"
        names = {p["name"]: p["containerPort"] for c in behind[0][3]["containers"] for p in c.get("ports", [])}
        for port in spec["ports"]:
            assert port["targetPort"] in names, f"{meta['name']}: {port}"


def controller(documents):
    """The Pod spec of the reconciler."""
    (spec,) = [spec for _, name, _, spec in pod_templates(documents) if name == "agent-sandbox-controller"]
    return spec


def has_webhook(documents):
    return "--enable-webhook=false" not in controller(documents)["containers"][0]["args"]


def test_the_config_map_is_mounted(rendered):
    """Whoever makes agent-sandbox-config has its settings taken, and nobody has to make it."""
    spec = controller(rendered)
    (volume,) = [v for v in spec["volumes"] if v["name"] == "sandbox-config"]
    assert volume["configMap"] == {"name": "agent-sandbox-config", "optional": True}
    (mount,) = [m for m in spec["containers"][0]["volumeMounts"] if m["name"] == "sandbox-config"]
    # the folder and no file of it: a subPath would never change
    assert mount == {"name": "sandbox-config", "mountPath": "/etc/sandbox-config", "readOnly": True}
    # what it may set is not said on the command line, which goes before it, unless somebody wanted so
    said = [a.split("=")[0] for a in spec["containers"][0]["args"]]
    assert ("--kube-api-qps" in said) == ("--kube-api-burst" in said) == (not has_webhook(rendered))


def test_without_v1alpha1_nothing_is_left_of_the_webhook(helm):
    documents = template(helm, "--set=crds.v1alpha1=false", crds=True)
    assert not has_webhook(documents) and has_webhook(template(helm))
    for crd in of_kind(documents, "CustomResourceDefinition"):
        assert [v["name"] for v in crd["spec"]["versions"]] == ["v1beta1"]
        assert crd["spec"]["conversion"] == {"strategy": "None"}
    text = yaml.safe_dump_all(documents).replace("--enable-webhook=false", "")
    for word in ("webhook", "v1alpha1", "9443", "customresourcedefinitions"):
        assert word not in text, word
    assert controller(documents)["containers"][0]["readinessProbe"]["tcpSocket"] == {"port": "grpc"}


def test_names_that_others_rely_on(rendered):
    have = {(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in rendered}
    for kind, name in (
        ("Deployment", "agent-sandbox-controller"), ("ServiceAccount", "agent-sandbox-controller"), ("Service", "agent-sandbox-controller"),
        ("Service", "sandbox-router-svc"),
    ):  # fmt: skip
        assert (kind, NAMESPACE, name) in have
    assert (("Service", NAMESPACE, "agent-sandbox-webhook-service") in have) == has_webhook(rendered)
    labels = {name: labels for _, name, labels, _ in pod_templates(rendered)}
    assert labels["agent-sandbox-controller"]["app"] == "agent-sandbox-controller"
    # the network policies of templates let this label in, from this namespace, and nobody else
    assert labels["sandplane-router"]["app"] == "sandbox-router"
    assert [n for n, found in labels.items() if found.get("app") == "sandbox-router"] == ["sandplane-router"]
    ports = {
        d["metadata"]["name"]: {p["name"]: p["port"] for p in d["spec"]["ports"]} for d in of_kind(rendered, "Service")
    }
    assert ports["sandbox-router-svc"] == {"http": 8080}
    assert ports.get("agent-sandbox-webhook-service", {"webhook": 443}) == {"webhook": 443}
    assert ports["agent-sandbox-controller"] == {"metrics": 8080}


def test_addresses_are_those_of_services(rendered):
    """What a program is told to call is a Service of this release with that port, and policies let it through."""
    services = {
        f"{d['metadata']['name']}.{d['metadata']['namespace']}.svc.cluster.local": d["spec"]
        for d in of_kind(rendered, "Service")
    }
    policies = of_kind(rendered, "NetworkPolicy")
    pods = pod_templates(rendered)
    called = 0
    for ns, name, labels, spec in pods:
        for text in [a for c in spec["containers"] for a in c.get("args", [])]:
            for host, port in re.findall(r"([a-z0-9.-]+\.svc\.cluster\.local):(\d+)", text):
                ports = {p["port"]: p["targetPort"] for p in services[host]["ports"]}
                assert int(port) in ports, f"{name}: {text}"
                called += 1
                if policies and "--router-url" not in text:
                    target = next(p for p in pods if services[host]["selector"].items() <= p[2].items())
                    number = next(
                        p["containerPort"]
                        for c in target[3]["containers"]
                        for p in c.get("ports", [])
                        if p["name"] == ports[int(port)]
                    )
                    assert let_through(policies, "egress", "to", (ns, labels), (target[0], target[2]), number), (
                        f"{name} may not call {text}"
                    )
                    assert let_through(policies, "ingress", "from", (target[0], target[2]), (ns, labels), number), (
                        f"{text} does not let {name} in"
                    )
    assert called > 5


def let_through(policies, direction, peers, of, peer, port):
    for policy in policies:
        if (
            policy["metadata"]["namespace"] != of[0]
            or not policy["spec"]["podSelector"]["matchLabels"].items() <= of[1].items()
        ):
            continue
        for rule in policy["spec"].get(direction, []):
            if "ports" in rule and port not in [p["port"] for p in rule["ports"]]:
                continue
            if peers not in rule or any(is_peer(p, policy["metadata"]["namespace"], peer) for p in rule[peers]):
                return True
    return False


def is_peer(selector, home, pod):
    namespaces = selector.get("namespaceSelector")
    if namespaces is None:
        right_namespace = pod[0] == home
    else:
        right_namespace = (
            namespaces.get("matchLabels", {"kubernetes.io/metadata.name": pod[0]}).get("kubernetes.io/metadata.name")
            == pod[0]
        )
    return right_namespace and selector.get("podSelector", {}).get("matchLabels", {}).items() <= pod[1].items()


def test_every_pod_is_closed_by_default(helm):
    documents = template(helm, "--set", "router.aliasNamespaces={default}")
    deny = [
        p
        for p in of_kind(documents, "NetworkPolicy")
        if "ingress" not in p["spec"] and p["spec"]["policyTypes"] == ["Ingress", "Egress"]
    ]
    for ns, name, labels, _ in pod_templates(documents):
        policies = [
            p
            for p in of_kind(documents, "NetworkPolicy")
            if p["metadata"]["namespace"] == ns and p["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        assert any(p in deny for p in policies) or ns != NAMESPACE, name
        assert policies, f"{name} in {ns} is open"
    redis = next(p for p in of_kind(documents, "NetworkPolicy") if p["metadata"]["name"] == "sandplane-redis")
    (rule,) = redis["spec"]["ingress"]
    assert {f["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for f in rule["from"]} == {
        "claims",
        "pools",
        "reconciler",
        "router",
    }
    assert redis["spec"]["egress"] is None or redis["spec"]["egress"] == []


def test_flags_are_known_to_the_programs(rendered, programs):
    """Each argument is a flag that --help lists, so that no Pod ends with a usage error."""
    checked = 0
    for _, name, _, spec in pod_templates(rendered):
        service = name.removeprefix("sandplane-").replace("agent-sandbox-controller", "reconciler")
        program = programs / f"services/{service}/sandplane-{service}"
        if not program.exists():
            continue
        known = set(
            re.findall(
                r"--[a-z][a-z-]*",
                subprocess.run([program, "--help"], text=True, capture_output=True, check=True).stdout,
            )
        )
        used = {a.split("=")[0] for a in spec["containers"][0]["args"]}
        assert used <= known, f"{name}: {used - known}"
        checked += 1
    assert checked == 4


def test_commands_of_helm_test_are_those_of_sandctl(programs, helm):
    (pod,) = of_kind(template(helm), "Pod")
    for container in pod["spec"]["containers"]:
        words = [a for a in container["args"] if not a.startswith("--")]
        run = subprocess.run(
            [programs / "cli/sandctl", *words, "--server=127.0.0.1:1", "--timeout=1s"], text=True, capture_output=True
        )
        # 2 would be a wrong command line
        assert run.returncode == 1, f"{words}: {run.stderr}"


# ---- values ----


@pytest.mark.parametrize(
    "setting, field",
    [
        ("router.replicas=many", "router.replicas"),
        ("router.replicas=0", "router.replicas"),
        ("claims.autoscaling.maxReplicas=true", "claims.autoscaling.maxReplicas"),
        ("router.service.type=Ingress", "router.service.type"),
        ("router.authz.mode=none", "router.authz.mode"),
        ("router.aliasNamespaces={Not_a_name}", "router.aliasNamespaces"),
        ("router.proxyTimeout=long", "router.proxyTimeout"),
        ("redis.external.address=rediss://x", "redis.external.address"),
        ("claims.image.digest=latest", "claims.image.digest"),
        ("image.pullPolicy=Sometimes", "image.pullPolicy"),
        ("logLevel=verbose", "logLevel"),
        ("crds.keep=perhaps", "crds.keep"),
        ("networkPolicy.apiServerPorts={a}", "networkPolicy.apiServerPorts"),
        # what is not there
        ("router.replica=3", "replica"),
        ("redis.external.tls=true", "tls"),
        ("redis.sentinel.enabled=true", "sentinel"),
        ("routers.replicas=3", "routers"),
        # what is needed
        ("redis.enabled=false", "redis.external.address"),
        ("router.authz.mode=scoped-token", "router.authz.scopedTokenSecret"),
        (
            "router.authz.mode=scoped-token,router.authz.scopedTokenSecret=a,router.authz.bearerTokenSecret=b",
            "router.authz.bearerTokenSecret",
        ),
        ("router.authz.bearerTokenSecret=b", "router.authz.apiKeysSecret"),
        ("router.authz.mode=scoped-token,router.authz.scopedTokenSecret=a", "router.authz.grpcOpen"),
        ("router.routing.pathPrefix=sandboxes/", "router.routing.pathPrefix"),
        ("router.authz.cookie.name=sb,router.routing.pathPrefix=/p", "router.authz.cookie.name"),
        (
            "router.authz.cookie.name=sb,router.authz.mode=scoped-token,router.authz.scopedTokenSecret=a,router.authz.grpcOpen=true",
            "router.authz.cookie.name",
        ),
        ("router.aliasNamespaces={agent-sandbox-system}", "router.aliasNamespaces"),
    ],
)
def test_bad_values_are_refused_by_name(helm, setting, field):
    run = helm("template", "sandplane", CHART, "--namespace", NAMESPACE, "--set", setting, check=False)
    assert run.returncode != 0, f"{setting} is taken"
    # the schema names a field as a path with slashes
    assert field in run.stderr.replace("/", "."), run.stderr


def test_every_value_is_described_and_closed():
    schema = json.loads((CHART / "values.schema.json").read_text())

    def walk(node, path):
        for name, inner in node.get("properties", {}).items():
            if "properties" in inner:
                assert inner["additionalProperties"] is False, path + name
                walk(inner, f"{path}{name}.")
            else:
                assert len(inner.get("description", "")) > 5, path + name

    assert schema["additionalProperties"] is False
    walk(schema, "")


# ---- the life of a release ----


def test_install_upgrade_uninstall(cluster, helm, strict_ns):
    """In a namespace of its own, without what is the whole cluster's. The password is made once and outlives the release."""

    def release(*args):
        command = [*cluster.netns, str(ROOT / "tools/helm"), *args, "--namespace", strict_ns]
        run = subprocess.run(list(map(str, command)), env=cluster.env, text=True, capture_output=True)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def password():
        return json.loads(cluster.kubectl("get", "secret", "box-sandplane-redis", "-n", strict_ns, "-o", "json"))[
            "data"
        ]["password"]

    settings = ["--set=crds.enabled=false,rbac.create=false"]
    notes = release("install", "box", CHART, *settings)
    assert f"helm test box -n {strict_ns}" in notes
    assert "WARNING" in notes and "from namespace agent-sandbox-system only" in notes
    gvisor = cluster.kubectl("get", "runtimeclass", "gvisor", check=False).returncode == 0
    assert ("no RuntimeClass gvisor" in notes) == (not gvisor)
    first = password()
    release("upgrade", "box", CHART, *settings, "--set=router.replicas=3")
    assert password() == first
    assert (
        cluster.kubectl("get", "deployment", "box-sandplane-router", "-n", strict_ns, "-o", "jsonpath={.spec.replicas}")
        == "3"
    )
    release("uninstall", "box")
    assert password() == first
    left = json.loads(
        cluster.kubectl("get", "deployments,services,configmaps,networkpolicies", "-n", strict_ns, "-o", "json")
    )["items"]
    assert [d["metadata"]["name"] for d in left if d["metadata"]["name"] != "kube-root-ca.crt"] == []
    release("install", "box", CHART, *settings)
    assert password() == first
    release("uninstall", "box")
