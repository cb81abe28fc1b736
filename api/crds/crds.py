"""crds.py KUBERNETES_JSON YAML JSON: writes the CustomResourceDefinitions of kinds.py, in both forms.

The pinned interpreter has no YAML library, so the emitter below writes the small part of YAML that is needed: block
mappings and sequences, and every string that could be read as something else in double quotes, as JSON writes it.
"""

import json
import re
import sys

import kinds

# A word that no YAML reader, of 1.1 or 1.2, takes for a number, a boolean, a null or a mark of the syntax.
PLAIN = re.compile(r"[A-Za-z.][A-Za-z0-9_./-]*")
NOT_STRINGS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null", "~", ".nan", ".inf", "."}


# ---- schemas ----


def whole(schema, upstream, inside=()):
    """schema with every $ref replaced by what it names; a description beside a $ref wins."""
    if "$ref" in schema:
        name = schema["$ref"]
        if name in inside:
            raise SystemExit(f"{name} contains itself")
        out = whole(upstream[name], upstream, (*inside, name))
        return {**out, **{k: v for k, v in schema.items() if k != "$ref"}}
    out = dict(schema)
    if "properties" in out:
        out["properties"] = {k: whole(v, upstream, inside) for k, v in out["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if inner in out:
            out[inner] = whole(out[inner], upstream, inside)
    if "required" in out:
        out["required"] = sorted(out["required"])
    return out


def root(about, parts, upstream):
    fields = {
        "apiVersion": {"type": "string", "description": "Group and version of this form of the object."},
        "kind": {"type": "string", "description": "Kind of the object."},
        "metadata": {"type": "object"},
    }
    fields.update((k, whole(parts[k], upstream)) for k in ("spec", "status") if k in parts)
    out = {"type": "object", "description": about, "required": ["spec"], "properties": fields}
    return {**out, "x-kubernetes-validations": parts["rules"]} if "rules" in parts else out


# ---- definitions ----


def version(group, kind, about, name, stored, parts, upstream):
    out = {"name": name, "served": True, "storage": name == stored}
    if name != stored:
        out["deprecated"] = True
        out["deprecationWarning"] = f"{group}/{name} {kind} is deprecated; use {group}/{stored} {kind} instead"
    if "columns" in parts:
        out["additionalPrinterColumns"] = [{"name": n, "type": t, "jsonPath": p} for n, t, p in parts["columns"]]
    subresources = {}
    if "status" in parts:
        subresources["status"] = {}
    if parts.get("scale"):
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    if subresources:
        out["subresources"] = subresources
    out["schema"] = {"openAPIV3Schema": root(about, parts, upstream)}
    return out


def definition(group, kind, short, about, versions, upstream):
    singular = kind.lower()
    plural = singular + ("es" if singular.endswith("x") else "s")
    stored = next(iter(versions))
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {
                "kind": kind,
                "listKind": kind + "List",
                "plural": plural,
                "singular": singular,
                "shortNames": [short],
            },
            "scope": "Namespaced",
            "conversion": kinds.CONVERSION,
            "versions": [version(group, kind, about, n, stored, p, upstream) for n, p in versions.items()],
        },
    }


def definitions(upstream):
    return [definition(*kind, upstream) for kind in kinds.KINDS]


# ---- YAML ----


def scalar(value):
    plain = isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in NOT_STRINGS
    return value if plain else json.dumps(value)


def lines(value, indent):
    """The lines of one value that is not a scalar."""
    pad = "  " * indent
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, (dict, list)) and inner:
                yield f"{pad}{scalar(key)}:"
                yield from lines(inner, indent + isinstance(inner, dict))
            else:
                yield f"{pad}{scalar(key)}: {scalar(inner)}"
        return
    for inner in value:
        if isinstance(inner, (dict, list)) and inner:
            first, *rest = lines(inner, indent + 1)
            yield f"{pad}- {first.lstrip(' ')}"
            yield from rest
        else:
            yield f"{pad}- {scalar(inner)}"


def main(kubernetes, yaml_file, json_file):
    with open(kubernetes, encoding="utf-8") as f:
        crds = definitions(json.load(f))
    with open(yaml_file, "w", encoding="utf-8") as f:
        for crd in crds:
            f.write("---\n" + "\n".join(lines(crd, 0)) + "\n")
    with open(json_file, "w", encoding="utf-8") as f:
        json.dump({"apiVersion": "v1", "kind": "List", "items": crds}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
