"""crds_test.py JSON YAML: what the definitions say, against a table that is written by hand.

kinds.py derives versions from each other; the table does not, so that a change of one version cannot slip in with a
change of another.
"""

import json
import sys
import unittest

import crds

WITH = {}  # the arguments, once main has read them

READY = ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status")
REASON = ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason")
AGE = ("Age", "date", ".metadata.creationTimestamp")
POOL_COLUMNS = [("Ready", "integer", ".status.readyReplicas"), ("Desired", "integer", ".spec.replicas"), AGE]

A, X = "agents.x-k8s.io", "extensions.agents.x-k8s.io"

# plural.group: kind, singular, short
NAMES = {
    f"sandboxes.{A}": ("Sandbox", "sandbox", "sandbox"),
    f"sandboxclaims.{X}": ("SandboxClaim", "sandboxclaim", "sandboxclaim"),
    f"sandboxtemplates.{X}": ("SandboxTemplate", "sandboxtemplate", "sandboxtemplate"),
    f"sandboxwarmpools.{X}": ("SandboxWarmPool", "sandboxwarmpool", "swp"),
}

# (plural, version): (subresources, columns)
FACES = {
    ("sandboxes", "v1beta1"): ({"status"}, [READY, REASON, AGE]),
    ("sandboxes", "v1alpha1"): ({"status", "scale"}, None),
    ("sandboxclaims", "v1beta1"): ({"status"}, [READY, ("Sandbox", "string", ".status.sandbox.name"), REASON, AGE]),
    ("sandboxclaims", "v1alpha1"): ({"status"}, None),
    ("sandboxtemplates", "v1beta1"): (set(), None),
    ("sandboxtemplates", "v1alpha1"): (set(), None),
    ("sandboxwarmpools", "v1beta1"): ({"status", "scale"}, POOL_COLUMNS),
    ("sandboxwarmpools", "v1alpha1"): ({"status", "scale"}, POOL_COLUMNS),
}

BLUEPRINT = {"podTemplate", "volumeClaimTemplates", "service"}
TEMPLATE = BLUEPRINT | {"networkPolicy", "networkPolicyManagement", "envVarsInjectionPolicy"}
SANDBOX = BLUEPRINT | {"shutdownTime", "shutdownPolicy"}
CLAIM = {"lifecycle", "additionalPodMetadata", "env"}
POOL = {"replicas", "sandboxTemplateRef", "updateStrategy"}
SEEN = {"serviceFQDN", "service", "conditions", "selector", "podIPs"}
COUNTS = {"replicas", "readyReplicas", "selector"}

# (plural, version): (fields of spec, required in spec, fields of status)
FIELDS = {
    ("sandboxes", "v1beta1"): (SANDBOX | {"operatingMode"}, ["podTemplate"], SEEN | {"nodeName"}),
    ("sandboxes", "v1alpha1"): (SANDBOX | {"replicas"}, ["podTemplate"], SEEN | {"replicas"}),
    ("sandboxclaims", "v1beta1"): (
        CLAIM | {"warmPoolRef", "volumeClaimTemplates"},
        ["warmPoolRef"],
        {"conditions", "sandbox"},
    ),
    ("sandboxclaims", "v1alpha1"): (
        CLAIM | {"sandboxTemplateRef", "warmpool"},
        ["sandboxTemplateRef"],
        {"conditions", "sandbox"},
    ),
    ("sandboxtemplates", "v1beta1"): (TEMPLATE | {"volumeClaimTemplatesPolicy"}, ["podTemplate"], None),
    ("sandboxtemplates", "v1alpha1"): (TEMPLATE, ["podTemplate"], None),
    ("sandboxwarmpools", "v1beta1"): (
        POOL | {"readinessGracePeriodSeconds"},
        ["sandboxTemplateRef"],
        COUNTS | {"observedGeneration", "conditions"},
    ),
    ("sandboxwarmpools", "v1alpha1"): (POOL, ["replicas", "sandboxTemplateRef"], COUNTS),
}

INT32 = {"type": "integer", "format": "int32"}
INT64 = {"type": "integer", "format": "int64"}
TIME = {"type": "string", "format": "date-time"}
STRING = {"type": "string"}
BOOL = {"type": "boolean"}
BOTH = ["v1beta1", "v1alpha1"]


def choice(*values, default):
    return {"type": "string", "enum": list(values), "default": default}


# (plural, versions, path): the whole schema of that field, descriptions aside
EXACT = [
    ("sandboxes", BOTH, "spec.service", BOOL),
    ("sandboxes", BOTH, "spec.shutdownTime", TIME),
    ("sandboxes", BOTH, "spec.shutdownPolicy", choice("Delete", "Retain", default="Retain")),
    ("sandboxes", ["v1beta1"], "spec.operatingMode", choice("Running", "Suspended", default="Running")),
    ("sandboxes", ["v1alpha1"], "spec.replicas", {**INT32, "minimum": 0, "maximum": 1, "default": 1}),
    ("sandboxes", ["v1alpha1"], "status.replicas", {**INT32, "minimum": 0}),
    ("sandboxes", ["v1beta1"], "status.nodeName", STRING),
    ("sandboxes", BOTH, "status.selector", STRING),
    ("sandboxes", BOTH, "status.service", STRING),
    ("sandboxes", BOTH, "status.serviceFQDN", STRING),
    ("sandboxes", BOTH, "status.podIPs", {"type": "array", "items": STRING}),
    ("sandboxtemplates", BOTH, "spec.service", BOOL),
    ("sandboxtemplates", BOTH, "spec.networkPolicyManagement", choice("Managed", "Unmanaged", default="Managed")),
    (
        *("sandboxtemplates", BOTH, "spec.envVarsInjectionPolicy"),
        choice("Allowed", "Overrides", "Disallowed", default="Disallowed"),
    ),
    (
        *("sandboxtemplates", ["v1beta1"], "spec.volumeClaimTemplatesPolicy"),
        choice("Disallowed", "Allowed", "Overrides", default="Disallowed"),
    ),
    (
        *("sandboxclaims", ["v1beta1"], "spec.warmPoolRef"),
        {"type": "object", "required": ["name"], "properties": {"name": STRING}},
    ),
    (
        *("sandboxclaims", ["v1alpha1"], "spec.sandboxTemplateRef"),
        {"type": "object", "required": ["name"], "properties": {"name": STRING}},
    ),
    ("sandboxclaims", ["v1alpha1"], "spec.warmpool", {"type": "string", "default": "default"}),
    (
        *("sandboxclaims", BOTH, "spec.lifecycle"),
        {
            "type": "object",
            "properties": {
                "shutdownTime": TIME,
                "ttlSecondsAfterFinished": {**INT32, "minimum": 0},
                "shutdownPolicy": choice("Delete", "DeleteForeground", "Retain", default="Retain"),
            },
        },
    ),
    (
        *("sandboxclaims", BOTH, "spec.env"),
        {
            "type": "array",
            "x-kubernetes-list-type": "atomic",
            "items": {
                "type": "object",
                "required": ["name", "value"],
                "properties": {"name": STRING, "value": STRING, "containerName": STRING},
            },
        },
    ),
    (
        *("sandboxclaims", BOTH, "spec.additionalPodMetadata"),
        {
            "type": "object",
            "properties": {k: {"type": "object", "additionalProperties": STRING} for k in ("labels", "annotations")},
        },
    ),
    (
        *("sandboxclaims", BOTH, "status.sandbox"),
        {"type": "object", "properties": {"name": STRING, "podIPs": {"type": "array", "items": STRING}}},
    ),
    ("sandboxwarmpools", ["v1beta1"], "spec.replicas", {**INT32, "minimum": 0, "default": 1}),
    ("sandboxwarmpools", ["v1alpha1"], "spec.replicas", {**INT32, "minimum": 0}),
    (
        *("sandboxwarmpools", BOTH, "spec.sandboxTemplateRef"),
        {"type": "object", "required": ["name"], "properties": {"name": STRING}},
    ),
    (
        *("sandboxwarmpools", BOTH, "spec.updateStrategy"),
        {"type": "object", "properties": {"type": choice("Recreate", "OnReplenish", default="OnReplenish")}},
    ),
    ("sandboxwarmpools", ["v1beta1"], "spec.readinessGracePeriodSeconds", {**INT32, "minimum": 30}),
    ("sandboxwarmpools", BOTH, "status.replicas", INT32),
    ("sandboxwarmpools", BOTH, "status.readyReplicas", INT32),
    ("sandboxwarmpools", BOTH, "status.selector", STRING),
    ("sandboxwarmpools", ["v1beta1"], "status.observedGeneration", {**INT64, "minimum": 0}),
]

CONDITION = {
    "type": "object",
    "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    "properties": {
        "type": {
            **STRING,
            "maxLength": 316,
            "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        },
        "status": {**STRING, "enum": ["True", "False", "Unknown"]},
        "reason": {**STRING, "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
        "message": {**STRING, "maxLength": 32768},
        "lastTransitionTime": TIME,
        "observedGeneration": {**INT64, "minimum": 0},
    },
}

# Every default inside a PodSpec, by its path; [] is any item. A container is written once for its three lists.
CONTAINER_DEFAULTS = {
    "ports[].protocol": "TCP",
    "env[].valueFrom.configMapKeyRef.name": "",
    "env[].valueFrom.secretKeyRef.name": "",
    "env[].valueFrom.fileKeyRef.optional": False,
    "envFrom[].configMapRef.name": "",
    "envFrom[].secretRef.name": "",
    "livenessProbe.grpc.service": "",
    "readinessProbe.grpc.service": "",
    "startupProbe.grpc.service": "",
}
POD_DEFAULTS = {
    "imagePullSecrets[].name": "",
    "volumes[].azureDisk.fsType": "ext4",
    "volumes[].azureDisk.readOnly": False,
    "volumes[].cephfs.secretRef.name": "",
    "volumes[].cinder.secretRef.name": "",
    "volumes[].configMap.name": "",
    "volumes[].csi.nodePublishSecretRef.name": "",
    "volumes[].flexVolume.secretRef.name": "",
    "volumes[].iscsi.iscsiInterface": "default",
    "volumes[].iscsi.secretRef.name": "",
    "volumes[].projected.sources[].configMap.name": "",
    "volumes[].projected.sources[].secret.name": "",
    "volumes[].rbd.keyring": "/etc/ceph/keyring",
    "volumes[].rbd.pool": "rbd",
    "volumes[].rbd.secretRef.name": "",
    "volumes[].rbd.user": "admin",
    "volumes[].scaleIO.fsType": "xfs",
    "volumes[].scaleIO.secretRef.name": "",
    "volumes[].scaleIO.storageMode": "ThinProvisioned",
    "volumes[].storageos.secretRef.name": "",
    **{
        f"{containers}[].{path}": value
        for containers in ("containers", "initContainers", "ephemeralContainers")
        for path, value in CONTAINER_DEFAULTS.items()
    },
}

# path inside a PodSpec: list type and keys. Lists that are not here are atomic.
POD_MAPS = {
    **{k: ["name"] for k in ("containers", "initContainers", "ephemeralContainers", "volumes", "imagePullSecrets")},
    **{k: ["name"] for k in ("schedulingGates", "resourceClaims", "resources.claims")},
    "hostAliases": ["ip"],
    "topologySpreadConstraints": ["topologyKey", "whenUnsatisfiable"],
    **{
        f"{containers}[].{path}": keys
        for containers in ("containers", "initContainers", "ephemeralContainers")
        for path, keys in {
            "env": ["name"],
            "ports": ["containerPort", "protocol"],
            "volumeMounts": ["mountPath"],
            "volumeDevices": ["devicePath"],
            "resources.claims": ["name"],
        }.items()
    },
}


def bare(schema):
    """schema without its descriptions; a field may be named "description" too."""
    if isinstance(schema, list):
        return [bare(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        k: {name: bare(s) for name, s in v.items()} if k == "properties" else bare(v)
        for k, v in schema.items()
        if k != "description"
    }


def walk(schema, path=""):
    """(path, schema) of a schema and of all inside it."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from walk(schema["items"], path + "[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], path + ".*")


def at(schema, path):
    for part in path.split("."):
        schema = schema["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            schema = schema["items"]
    return schema


def each():
    for crd in WITH["json"]["items"]:
        for version in crd["spec"]["versions"]:
            yield (crd["spec"]["names"]["plural"], version["name"]), crd, version, version["schema"]["openAPIV3Schema"]


class Definitions(unittest.TestCase):
    def test_names(self):
        self.assertEqual([c["metadata"]["name"] for c in WITH["json"]["items"]], list(NAMES))
        for crd in WITH["json"]["items"]:
            kind, singular, short = NAMES[crd["metadata"]["name"]]
            plural, group = crd["metadata"]["name"].split(".", 1)
            want = {
                "kind": kind,
                "listKind": kind + "List",
                "plural": plural,
                "singular": singular,
                "shortNames": [short],
            }
            self.assertEqual(crd["spec"]["names"], want)
            self.assertEqual(crd["spec"]["group"], group)
            self.assertEqual(crd["spec"]["scope"], "Namespaced")
            self.assertEqual((crd["apiVersion"], crd["kind"]), ("apiextensions.k8s.io/v1", "CustomResourceDefinition"))

    def test_conversion(self):
        service = {"name": "agent-sandbox-webhook-service", "namespace": "agent-sandbox-system", "path": "/convert"}
        webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1", "v1beta1"]}
        for crd in WITH["json"]["items"]:
            self.assertEqual(crd["spec"]["conversion"], {"strategy": "Webhook", "webhook": webhook})

    def test_versions(self):
        for crd in WITH["json"]["items"]:
            group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
            new, old = crd["spec"]["versions"]
            self.assertEqual((new["name"], new["served"], new["storage"]), ("v1beta1", True, True))
            self.assertEqual((old["name"], old["served"], old["storage"]), ("v1alpha1", True, False))
            self.assertNotIn("deprecated", new)
            self.assertNotIn("deprecationWarning", new)
            self.assertIs(old["deprecated"], True)
            self.assertEqual(
                old["deprecationWarning"], f"{group}/v1alpha1 {kind} is deprecated; use {group}/v1beta1 {kind} instead"
            )

    def test_columns_and_subresources(self):
        scale = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
        seen = set()
        for key, _, version, _ in each():
            subresources, columns = FACES[key]
            want = {name: scale if name == "scale" else {} for name in subresources}
            self.assertEqual(version.get("subresources", {}), want, key)
            got = version.get("additionalPrinterColumns")
            self.assertEqual(got and [(c["name"], c["type"], c["jsonPath"]) for c in got], columns, key)
            seen.add(key)
        self.assertEqual(seen, set(FACES))

    def test_fields(self):
        for key, _, _, root in each():
            spec, required, status = FIELDS[key]
            self.assertEqual(root["required"], ["spec"], key)
            self.assertEqual(
                set(root["properties"]),
                {"apiVersion", "kind", "metadata", "spec"} | ({"status"} if status else set()),
                key,
            )
            self.assertEqual(bare(root["properties"]["metadata"]), {"type": "object"})
            self.assertEqual(set(at(root, "spec")["properties"]), spec, key)
            self.assertEqual(at(root, "spec")["required"], required, key)
            if status:
                self.assertEqual(set(at(root, "status")["properties"]), status, key)
                self.assertNotIn("required", at(root, "status"), key)

    def test_each_field(self):
        schemas = {key: root for key, _, _, root in each()}
        for plural, versions, path, want in EXACT:
            for version in versions:
                self.assertEqual(bare(at(schemas[plural, version], path)), want, (plural, version, path))

    def test_conditions(self):
        count = 0
        for key, _, _, root in each():
            if "conditions" in (FIELDS[key][2] or ()):
                self.assertEqual(bare(at(root, "status.conditions")), {"type": "array", "items": CONDITION}, key)
                count += 1
        self.assertEqual(count, 5)

    def test_the_two_rules(self):
        rules = {
            (key, path): schema["x-kubernetes-validations"]
            for key, _, _, root in each()
            for path, schema in walk(root)
            if "x-kubernetes-validations" in schema
        }
        self.assertEqual(list(rules), [(("sandboxes", "v1beta1"), ""), (("sandboxes", "v1beta1"), "spec")])
        (name,), (rule,) = rules.values()
        self.assertEqual(
            name["rule"], "!has(self.spec.service) || !self.spec.service || size(self.metadata.name) <= 63"
        )
        self.assertEqual(rule["message"], "volumeClaimTemplates is immutable")
        self.assertEqual(
            rule["rule"],
            "has(self.volumeClaimTemplates) == has(oldSelf.volumeClaimTemplates) && "
            "(!has(self.volumeClaimTemplates) || self.volumeClaimTemplates == oldSelf.volumeClaimTemplates)",
        )

    def test_pod_templates(self):
        count = 0
        for key, _, _, root in each():
            if "podTemplate" not in FIELDS[key][0]:
                continue
            template = bare(at(root, "spec.podTemplate"))
            self.assertEqual(template["required"], ["spec"])
            self.assertEqual(set(template["properties"]), {"spec", "metadata"})
            maps = {k: {"type": "object", "additionalProperties": STRING} for k in ("labels", "annotations")}
            self.assertEqual(template["properties"]["metadata"], {"type": "object", "properties": maps})
            self.assertEqual(template["properties"]["spec"]["required"], ["containers"])
            count += 1
        self.assertEqual(count, 4)

    def test_claim_templates(self):
        found = []
        for key, _, _, root in each():
            if "volumeClaimTemplates" not in FIELDS[key][0]:
                continue
            templates = bare(at(root, "spec.volumeClaimTemplates"))
            self.assertEqual((templates["type"], templates["x-kubernetes-list-type"]), ("array", "atomic"))
            self.assertEqual(templates["items"]["required"], ["spec"])
            metadata = templates["items"]["properties"]["metadata"]
            self.assertEqual(set(metadata["properties"]), {"name", "labels", "annotations"})
            self.assertNotIn("required", metadata)
            self.assertIn("storageClassName", templates["items"]["properties"]["spec"]["properties"])
            found.append(key)
        self.assertEqual(len(found), 5)
        self.assertNotIn(("sandboxclaims", "v1alpha1"), found)

    def test_pod_defaults(self):
        for key, _, _, root in each():
            if "podTemplate" in FIELDS[key][0]:
                spec = at(root, "spec.podTemplate.spec")
                got = {path: s["default"] for path, s in walk(spec) if "default" in s}
                self.assertEqual(got, POD_DEFAULTS, key)

    def test_pod_lists(self):
        for key, _, _, root in each():
            if "podTemplate" not in FIELDS[key][0]:
                continue
            sets, maps = [], {}
            for path, schema in walk(at(root, "spec.podTemplate.spec")):
                if schema.get("type") != "array":
                    continue
                kind = schema.get("x-kubernetes-list-type")
                if kind == "map":
                    maps[path] = schema["x-kubernetes-list-map-keys"]
                elif kind == "set":
                    sets.append(path)
                else:
                    self.assertEqual(kind, "atomic", (key, path))
            self.assertEqual(maps, POD_MAPS, key)
            rules = ".restartPolicyRules[].exitCodes.values"
            self.assertEqual(
                sorted(sets), sorted(c + "[]" + rules for c in ("containers", "initContainers", "ephemeralContainers"))
            )

    def test_quantities_and_ports(self):
        for key, _, _, root in each():
            if "podTemplate" not in FIELDS[key][0]:
                continue
            container = at(root, "spec.podTemplate.spec.containers[]")
            for schema in (
                at(container, "resources.limits")["additionalProperties"],
                at(container, "resources.requests")["additionalProperties"],
                at(root, "spec.podTemplate.spec.volumes[].emptyDir.sizeLimit"),
                at(container, "readinessProbe.httpGet.port"),
                at(container, "livenessProbe.tcpSocket.port"),
                at(root, "spec.volumeClaimTemplates[].spec.resources.requests")["additionalProperties"],
            ):
                self.assertIs(schema["x-kubernetes-int-or-string"], True)
                self.assertEqual(schema["anyOf"], [{"type": "integer"}, {"type": "string"}])
                self.assertNotIn("type", schema)

    def test_network_rules(self):
        for version in BOTH:
            root = next(r for key, _, _, r in each() if key == ("sandboxtemplates", version))
            policy = at(root, "spec.networkPolicy")
            self.assertEqual(set(policy["properties"]), {"ingress", "egress"})
            self.assertEqual(set(at(policy, "ingress[]")["properties"]), {"from", "ports"})
            self.assertEqual(set(at(policy, "egress[]")["properties"]), {"to", "ports"})
            self.assertEqual(at(policy, "egress[].to[].ipBlock")["required"], ["cidr"])
            self.assertIs(at(policy, "ingress[].ports[].port")["x-kubernetes-int-or-string"], True)

    def test_structural(self):
        """What a server demands of a schema, and the two things it would let pass: unknown and untyped fields."""
        for key, _, _, root in each():
            for path, schema in walk(root):
                where = (key, path)
                known = {
                    "type",
                    "format",
                    "description",
                    "default",
                    "required",
                    "properties",
                    "items",
                    "enum",
                    "pattern",
                }
                known |= {"additionalProperties", "minimum", "maximum", "minLength", "maxLength", "anyOf"}
                known |= {
                    f"x-kubernetes-{k}"
                    for k in ("int-or-string", "list-type", "list-map-keys", "map-type", "validations")
                }
                self.assertLessEqual(set(schema), known, where)
                if schema.get("x-kubernetes-int-or-string"):
                    continue
                self.assertNotIn("anyOf", schema, where)
                self.assertIn(schema.get("type"), ("object", "array", "string", "integer", "boolean"), where)
                self.assertEqual(schema["type"] == "array", "items" in schema, where)
                self.assertFalse("properties" in schema and "additionalProperties" in schema, where)
                self.assertLessEqual(set(schema.get("required", ())), set(schema.get("properties", ())), where)
                if schema["type"] == "object" and path != "metadata":
                    empty = not ("properties" in schema or "additionalProperties" in schema)
                    self.assertFalse(empty, where)
                for name in schema.get("x-kubernetes-list-map-keys", ()):
                    items = schema["items"]
                    self.assertTrue(name in items.get("required", ()) or "default" in items["properties"][name], where)

    def test_our_fields_are_described(self):
        """kubectl explain shows these; what is inside a Kubernetes type has none."""
        foreign = (
            ".podTemplate.spec.",
            ".podTemplate.spec[",
            ".volumeClaimTemplates[].spec.",
            ".networkPolicy.ingress[]",
            ".networkPolicy.egress[]",
        )
        for key, _, _, root in each():
            for path, schema in walk(root):
                if any(f in f".{path}" for f in foreign) or path == "metadata" or path.endswith(("[]", "*")):
                    continue
                self.assertTrue(schema.get("description", "").endswith("."), (key, path))

    def test_small_enough_to_apply(self):
        """kubectl apply keeps the whole object in an annotation, and annotations end at 256 KiB."""
        for crd in WITH["json"]["items"]:
            self.assertLess(len(json.dumps(crd)), 200 * 1024, crd["metadata"]["name"])


class Yaml(unittest.TestCase):
    def test_is_what_the_emitter_makes_of_the_json(self):
        want = "".join("---\n" + "\n".join(crds.lines(crd, 0)) + "\n" for crd in WITH["json"]["items"])
        self.assertEqual(WITH["yaml"], want)

    def test_scalars(self):
        for value, want in [
            ("sandboxes", "sandboxes"),
            (".spec.replicas", ".spec.replicas"),
            ("true", '"true"'),
            ("No", '"No"'),
            ("y", '"y"'),
            ("1", '"1"'),
            ("", '""'),
            ("a: b", '"a: b"'),
            ("- a", '"- a"'),
            ("x #y", '"x #y"'),
            ("a\nb", '"a\\nb"'),
            ("\\d", '"\\\\d"'),
            (True, "true"),
            (0, "0"),
            ({}, "{}"),
            ([], "[]"),
        ]:
            self.assertEqual(crds.scalar(value), want)

    def test_nesting(self):
        value = {"a": {"b": [{"c": 1, "d": ["e"]}, "f"]}, "g": {}}
        want = ["a:", "  b:", "  - c: 1", "    d:", "    - e", "  - f", "g: {}"]
        self.assertEqual(list(crds.lines(value, 0)), want)

    def test_a_type_inside_itself_is_refused(self):
        upstream = {"A": {"type": "object", "properties": {"a": {"$ref": "A"}}}}
        with self.assertRaises(SystemExit):
            crds.whole({"$ref": "A"}, upstream)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as f:
        WITH["json"] = json.load(f)
    with open(sys.argv[2], encoding="utf-8") as f:
        WITH["yaml"] = f.read()
    unittest.main(argv=sys.argv[:1])
