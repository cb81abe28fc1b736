"""Objects of one namespace, by kubectl: short names for what the tests do all the time.

Reads, which are most of it, go to the API server directly: a process for each would be most of the tests' time.
"""

import json
import urllib.parse

from harness.fake_node import Api
from harness.until import until

AGENTS = "agents.x-k8s.io"
EXTENSIONS = "extensions.agents.x-k8s.io"
POD_SPEC = {"containers": [{"name": "main", "image": "sandplane.test/python:1", "ports": [{"containerPort": 8888}]}]}
PLURALS = {
    "pod": "/api/v1 pods",
    "service": "/api/v1 services",
    "pvc": "/api/v1 persistentvolumeclaims",
    "configmap": "/api/v1 configmaps",
    "sandbox": f"/apis/{AGENTS}/v1beta1 sandboxes",
    "sandboxclaim": f"/apis/{EXTENSIONS}/v1beta1 sandboxclaims",
    "sandboxtemplate": f"/apis/{EXTENSIONS}/v1beta1 sandboxtemplates",
    "sandboxwarmpool": f"/apis/{EXTENSIONS}/v1beta1 sandboxwarmpools",
    "networkpolicy": "/apis/networking.k8s.io/v1 networkpolicies",
    "event": "/apis/events.k8s.io/v1 events",
}


def is_ready(thing):
    conditions = thing.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


class Kube:
    def __init__(self, cluster, ns):
        self.cluster, self.ns = cluster, ns
        self.api = Api(cluster.kubeconfig)

    def read(self, kind, name=None, selector=None):
        """(status, object or list)."""
        group, plural = PLURALS[kind].split()
        path = f"{group}/namespaces/{self.ns}/{plural}" + (f"/{name}" if name else "")
        status, body = self.api.call(
            "GET", path + (f"?labelSelector={urllib.parse.quote(selector)}" if selector else "")
        )
        return status, json.loads(body)

    def kubectl(self, *args, **kw):
        return self.cluster.kubectl("-n", self.ns, *args, **kw)

    # ---- objects ----

    def apply(self, *objects):
        """Applies dicts; returns what the server answered."""
        doc = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        out = json.loads(self.kubectl("apply", "-f", "-", "-o", "json", input=json.dumps(doc)))
        return out["items"] if len(objects) > 1 else out.get("items", [out])[0]

    def get(self, kind, name):
        """The object, or None. Kinds that are not in PLURALS are what kubectl understands."""
        if kind in PLURALS:
            status, thing = self.read(kind, name)
            assert status in (200, 404), thing
            return thing if status == 200 else None
        run = self.kubectl("get", kind, name, "-o", "json", check=False)
        return json.loads(run.stdout) if run.returncode == 0 else None

    def list(self, kind, selector=None):
        if kind in PLURALS:
            status, things = self.read(kind, selector=selector)
            assert status == 200, things
            # as kubectl has it: items of a list do not say what they are
            return [
                {"apiVersion": things["apiVersion"], "kind": things["kind"].removesuffix("List"), **i}
                for i in things["items"]
            ]
        args = ["-l", selector] if selector else []
        return json.loads(self.kubectl("get", kind, "-o", "json", *args))["items"]

    def patch(self, kind, name, body, *flags):
        """A JSON merge patch."""
        if kind not in PLURALS or flags not in ((), ("--subresource=status",)):
            self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(body), *flags)
            return
        group, plural = PLURALS[kind].split()
        path = f"{group}/namespaces/{self.ns}/{plural}/{name}" + "/status" * len(flags)
        status, answer = self.api.call("PATCH", path, body, "application/merge-patch+json")
        assert status == 200, answer

    def delete(self, kind, name, wait=True):
        self.kubectl("delete", kind, name, f"--wait={str(wait).lower()}", "--ignore-not-found")

    # ---- what the API is about ----

    def template(self, name="t", version="v1beta1", pod_spec=None, metadata=None, **spec):
        pod = {"spec": pod_spec or POD_SPEC, **({"metadata": metadata} if metadata else {})}
        return self.object(EXTENSIONS, version, "SandboxTemplate", name, {"podTemplate": pod, **spec})

    def pool(self, name="p", template="t", replicas=1, version="v1beta1", **spec):
        return self.object(
            EXTENSIONS,
            version,
            "SandboxWarmPool",
            name,
            {"replicas": replicas, "sandboxTemplateRef": {"name": template}, **spec},
        )

    def claim(self, name="c", pool="p", labels=None, annotations=None, **spec):
        return self.object(
            EXTENSIONS, "v1beta1", "SandboxClaim", name, {"warmPoolRef": {"name": pool}, **spec}, labels, annotations
        )

    def sandbox(self, name="s", version="v1beta1", pod_spec=None, metadata=None, labels=None, annotations=None, **spec):
        pod = {"spec": pod_spec or POD_SPEC, **({"metadata": metadata} if metadata else {})}
        return self.object(AGENTS, version, "Sandbox", name, {"podTemplate": pod, **spec}, labels, annotations)

    def object(self, group, version, kind, name, spec, labels=None, annotations=None):
        meta = {"name": name, "namespace": self.ns}
        meta.update({"labels": labels} if labels else {})
        meta.update({"annotations": annotations} if annotations else {})
        return {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": meta, "spec": spec}

    def full_pool(self, name="p", template="t", replicas=1, **spec):
        """A template and a pool of it, filled."""
        self.apply(self.template(template), self.pool(name, template, replicas, **spec))
        self.pool_has(name, replicas)

    def members(self, pool="p"):
        """The Sandboxes that a pool controls and nobody ends, by age."""
        found = [
            s
            for s in self.list("sandbox")
            if "deletionTimestamp" not in s["metadata"]
            and any(
                o["kind"] == "SandboxWarmPool" and o["name"] == pool for o in s["metadata"].get("ownerReferences", [])
            )
        ]
        return sorted(found, key=lambda s: (s["metadata"]["creationTimestamp"], s["metadata"]["name"]))

    def pool_has(self, name, ready, timeout=30):
        """By its status and by its members: the status is written later and says after a claim what was before it."""

        def full():
            status = (self.get("sandboxwarmpool", name) or {}).get("status", {})
            return status.get("readyReplicas", 0) == ready == sum(map(is_ready, self.members(name)))

        until(full, timeout=timeout, what=f"{name}: {ready} ready")

    # ---- conditions ----

    def condition(self, kind, name, type="Ready"):
        """{type, status, reason, message, ...} or None."""
        found = (self.get(kind, name) or {}).get("status", {}).get("conditions", [])
        return next((c for c in found if c["type"] == type), None)

    def until_condition(self, kind, name, type="Ready", timeout=30, **wanted):
        """Waits until the condition has all these fields; returns the object."""

        def look():
            c = self.condition(kind, name, type)
            return c is not None and all(c.get(k) == v for k, v in wanted.items())

        until(look, timeout=timeout, what=f"{kind} {name} {type} {wanted}; is {self.condition(kind, name, type)}")
        return self.get(kind, name)

    def until_ready(self, kind, name, timeout=30):
        return self.until_condition(kind, name, timeout=timeout, status="True")

    def until_gone(self, kind, name, timeout=90):
        """Long enough for a garbage collector that has to find out about new kinds first, which it does twice a minute."""
        until(lambda: self.get(kind, name) is None, timeout=timeout, what=f"{kind} {name} gone")
