"""What is made from the chart, or for it; HELM is the program.

generate.py generate CRDS_JSON HELM [--check]: what stands in the repository because people install from it: the chart's definitions and schema, the table of
docs/install.md, and the plain manifests. --check compares instead.
generate.py manifests HELM FOLDER [SETTING...]: the plain manifests with other settings, such as --set=crds.v1alpha1=false.
generate.py diff HELM REVISION: how what the chart renders for the values in samples/ differs from what it did at that revision.
"""

import difflib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/sandplane"
SAMPLES = ROOT / "deploy/helm/samples"
MANIFESTS = ROOT / "deploy/manifests"
NAMESPACE = "agent-sandbox-system"
BEGIN, END = "<!-- values: made by deploy/helm/generate.py -->\n", "<!-- end of values -->\n"
# what the reference project has in its first manifest; the rest is in the second
CORE_CRD = "sandboxes.agents.x-k8s.io"


# ---- values.yaml: a comment describes the key below it ----


def described():
    """[(path, default, description, further schema)] of values.yaml, parents first."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    values = yaml.safe_load("\n".join(lines))
    out, path, comment, extra = [], [], [], {}
    for line in lines:
        text = line.strip()
        if text.startswith("# @schema "):
            extra = json.loads(text[10:])
        elif text.startswith("#"):
            comment.append(text[1:].strip())
        elif found := re.match(r"( *)([A-Za-z_][A-Za-z0-9_]*):", line):
            depth = len(found[1]) // 2
            path = [*path[:depth], found[2]]
            value = values
            for key in path:
                value = value[key]
            # inside a default that users replace as a whole, keys are Kubernetes' and not ours
            if comment or isinstance(value, dict):
                out.append((tuple(path), value, " ".join(comment), extra))
            comment, extra = [], {}
        else:
            comment, extra = [], {}
    return out


def free_form(path, known):
    """Whether a mapping is passed on as it is: nothing in it is described."""
    return not any(other[: len(path)] == path and len(other) > len(path) and text for other, _, text, _ in known)


def json_type(value):
    return {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}[type(value)]


def schema():
    known = described()
    top = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart sandplane", "type": "object",
           "properties": {"global": {"type": "object", "description": "Set by charts around this one; not used."}},
           "additionalProperties": False}  # fmt: skip
    closed = {(): top}
    for path, value, text, extra in known:
        parent = closed.get(path[:-1])
        if parent is None:
            continue
        node = {"type": json_type(value), **({"description": text} if text else {}), **extra}
        if isinstance(value, dict) and not free_form(path, known):
            node.update(properties={}, additionalProperties=False)
            closed[path] = node
        parent["properties"][path[-1]] = node
    return json.dumps(top, indent=2, ensure_ascii=False) + "\n"


def table():
    known = described()
    rows = ["| Value | Default | |", "|---|---|---|"]
    for path, value, text, _ in known:
        if isinstance(value, dict) and not free_form(path, known):
            continue
        if any(
            free_form(path[:n], known) and isinstance(v, dict)
            for n in range(1, len(path))
            for p, v, _, _ in known
            if p == path[:n]
        ):
            continue
        default = json.dumps(value) if value != "" else '""'
        rows.append(f"| `{'.'.join(path)}` | `{default}` | {text.replace('|', chr(92) + '|')} |")
    return BEGIN + "\n".join(rows) + "\n" + END


# ---- the definitions, and the plain manifests ----


def definitions(crds_json):
    for crd in json.loads(pathlib.Path(crds_json).read_text())["items"]:
        yield crd["metadata"]["name"], json.dumps(crd, separators=(",", ":"), ensure_ascii=False) + "\n"


HEAD = """# {what}
# Made from the chart by deploy/helm/generate.py; `kubectl apply -f` takes it as it is. Redis has no password here, because a
# file cannot make one up: the network policies alone keep others out. The chart sets one.
"""


def rendered(helm, *settings, chart=CHART):
    command = [helm, "template", "sandplane", str(chart), f"--namespace={NAMESPACE}", *settings]
    run = subprocess.run(command, text=True, capture_output=True)
    if run.returncode != 0:
        raise SystemExit(run.stderr.strip())
    return run.stdout


def manifests(helm, folder, *settings):
    text = rendered(helm, "--set=redis.auth.enabled=false", "--skip-tests", "--kube-version=1.30.0", *settings)
    core, extensions = [], []
    for part in re.split(r"^---\n", text, flags=re.M):
        document = yaml.safe_load(part)
        if not document:
            continue
        # Helm did not install it, and the chart's version says nothing here
        part = re.sub(
            r"^(# Source: .*|\s+helm\.sh/(chart|resource-policy): .*|\s+app\.kubernetes\.io/managed-by: Helm)\n",
            "",
            part,
            flags=re.M,
        )
        part = re.sub(r"^  annotations:\n(?! {4})", "", part, flags=re.M)
        (core if belongs_to_core(document) else extensions).append((order(document), part.strip("\n") + "\n"))
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels:\n    app: agent-sandbox-controller\n"
    core.append((0, namespace))
    for name, what, parts in (
        (
            "manifest.yaml",
            "Sandbox, its controller and the shared state: apply this one first.",
            core,
        ),
        (
            "extensions.yaml",
            "SandboxClaim, SandboxTemplate and SandboxWarmPool, and what hands sandboxes out and leads to them.",
            extensions,
        ),
    ):
        yield (
            folder / name,
            HEAD.format(what=what) + "---\n".join(part for _, part in sorted(parts, key=lambda p: p[0])),
        )


def belongs_to_core(document):
    name, kind = document["metadata"]["name"], document["kind"]
    if kind == "CustomResourceDefinition":
        return name == CORE_CRD
    return (name.startswith("agent-sandbox") and not name.endswith("-extensions")) or name.endswith(
        ("-redis", "-default-deny")
    )


def order(document):
    kinds = ["Namespace", "CustomResourceDefinition", "ServiceAccount"]
    late = ["Deployment", "StatefulSet"]
    kind = document["kind"]
    return kinds.index(kind) if kind in kinds else 20 + late.index(kind) if kind in late else 10


# ---- all of it ----


def outputs(crds_json, helm):
    for name, text in definitions(crds_json):
        yield CHART / "files/crds" / f"{name}.json", text
    yield CHART / "values.schema.json", schema()
    install = ROOT / "docs/install.md"
    head, rest = install.read_text().split(BEGIN)
    yield install, head + table() + rest.split(END)[1]
    # these are made with the files above, which must be there by now
    yield from manifests(helm, MANIFESTS)


def generate(crds_json, helm, *check):
    stale = []
    for path, text in outputs(crds_json, helm):
        if path.exists() and path.read_text() == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if not check:
            put(path, text)
    if check and stale:
        raise SystemExit(f"not as `tools/helm generate` makes them: {', '.join(stale)}; run it")


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print("wrote", path)


def write_manifests(helm, folder, *settings):
    for path, text in manifests(helm, pathlib.Path(folder), *settings):
        put(path, text)


def diff(helm, revision):
    """Without the definitions, which stand as files; and the password is another one each time."""
    if not shutil.which("git"):
        raise SystemExit("helm diff: needs git, for the chart of that revision; apt-get install git")
    with tempfile.TemporaryDirectory() as folder:
        chart = CHART.relative_to(ROOT)
        archive = subprocess.run(["git", "-C", ROOT, "archive", revision, str(chart)], capture_output=True)
        if archive.returncode != 0:
            raise SystemExit(archive.stderr.decode().strip())
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        for values in sorted(SAMPLES.glob("*.values.yaml")):
            texts = [
                re.sub(r"^  password: \S+$", "  password: RANDOM", text, flags=re.M).splitlines(keepends=True)
                for text in (
                    rendered(helm, "--set=crds.enabled=false", f"--values={values}", chart=of)
                    for of in (pathlib.Path(folder) / chart, CHART)
                )
            ]
            sys.stdout.writelines(difflib.unified_diff(*texts, f"{revision}/{values.name}", values.name))


if __name__ == "__main__":
    {"generate": generate, "manifests": write_manifests, "diff": diff}[sys.argv[1]](*sys.argv[2:])
