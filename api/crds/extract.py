#!/usr/bin/env python3
"""Cuts the Kubernetes types that our resources embed out of Kubernetes' own OpenAPI, into kubernetes.json.

    api/crds/extract.py              takes v1.35.0 from the Go module cache
    api/crds/extract.py FOLDER       takes FOLDER/api__v1_openapi.json and its neighbours

A PodSpec written by hand would be wrong somewhere and old everywhere. The result is checked in, so that a build
needs neither Go nor a network. Definitions stay apart and refer to each other by "$ref": NAME; crds.py puts them
together. Only what a structural schema may carry is kept, and no descriptions: those are upstream's sentences.
"""

import json
import pathlib
import subprocess
import sys

VERSION = "v1.35.0"
FILES = ["api__v1_openapi.json", "apis__networking.k8s.io__v1_openapi.json"]
ROOTS = ["PodSpec", "PersistentVolumeClaimSpec", "NetworkPolicyIngressRule", "NetworkPolicyEgressRule"]
KEPT = ["type", "format", "required", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"]

# What the API server's own parser accepts; a bad quantity is then refused when it is written, not when a Pod is made.
NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
EITHER = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
SCALARS = {
    "Quantity": {**EITHER, "pattern": rf"^(\+|-)?{NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{NUMBER}))?$"},
    "IntOrString": EITHER,
    "Time": {"type": "string", "format": "date-time"},
    # The metadata of a claim template inside an ephemeral volume: upstream's validation refuses every other key.
    "ObjectMeta": {
        "type": "object",
        "properties": {
            k: {"type": "object", "additionalProperties": {"type": "string"}} for k in ("annotations", "labels")
        },
    },
}

# Upstream names these defaults by constant, which the resources of other implementations do not carry either; an
# azureDisk without them gets them when its Pod is made.
DROPPED_DEFAULTS = {("AzureDiskVolumeSource", "cachingMode"), ("AzureDiskVolumeSource", "kind")}


def folder():
    """That of the module that the test cluster is built from; `tools/fetch kubernetes` brings it."""
    pins = pathlib.Path(__file__).resolve().parents[2] / "e2e/cluster/kubernetes"
    command = ["go", "list", "-m", "-json", "k8s.io/kubernetes"]
    module = json.loads(subprocess.run(command, cwd=pins, check=True, capture_output=True).stdout)
    assert module["Version"] == VERSION, module
    if "Dir" not in module:
        raise SystemExit("Kubernetes' module is not there; tools/fetch kubernetes brings it")
    return pathlib.Path(module["Dir"], "api/openapi-spec/v3")


def load(where):
    """Definitions by short name. The short ones must be unique among those we reach."""
    found = {}
    for name in FILES:
        for full, schema in json.loads((where / name).read_text())["components"]["schemas"].items():
            found[full] = schema
    return found


class Cut:
    def __init__(self, definitions):
        self.definitions = definitions
        self.done = {}
        self.full = {}

    def ref(self, target):
        full = target.rsplit("/", 1)[-1]
        short = full.rsplit(".", 1)[-1]
        if self.full.setdefault(short, full) != full:
            raise SystemExit(f"{short} is both {self.full[short]} and {full}")
        if short not in self.done:
            self.done[short] = None  # a cycle would come back to here; crds.py refuses one
            self.done[short] = SCALARS.get(short) or self.definition(short, self.definitions[full])
        return {"$ref": short}

    def definition(self, name, schema):
        out = self.schema(schema)
        required = schema.get("required", [])
        for field, value in sorted(schema.get("properties", {}).items()):
            out.setdefault("properties", {})[field] = self.schema(value)
            # The zero value on a required field, and {} on a struct, only say what Go would hold.
            if "default" in value and value["default"] != {} and field not in required:
                if (name, field) not in DROPPED_DEFAULTS:
                    out["properties"][field]["default"] = value["default"]
        return out

    def schema(self, schema):
        if "allOf" in schema:
            return self.ref(schema["allOf"][0]["$ref"])
        if "$ref" in schema:
            return self.ref(schema["$ref"])
        out = {k: schema[k] for k in KEPT if k in schema}
        for inner in ("items", "additionalProperties"):
            if inner in schema:
                out[inner] = self.schema(schema[inner])
        return out


def extract(where):
    """The text of kubernetes.json and how many definitions it has."""
    cut = Cut(load(where))
    for root in ROOTS:
        (full,) = [f for f in cut.definitions if f.startswith("io.k8s.api.") and f.rsplit(".", 1)[-1] == root]
        cut.ref(full)
    lines = [f'"{name}": {json.dumps(schema, sort_keys=True)}' for name, schema in sorted(cut.done.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n", len(lines)


def main(args):
    target = pathlib.Path(__file__).resolve().parent / "kubernetes.json"
    written, count = extract(pathlib.Path(args[0]) if args else folder())
    target.write_text(written)
    print(f"{target}: {count} definitions of {VERSION}")


if __name__ == "__main__":
    main(sys.argv[1:])
