"""All there is of one namespace, in the API server and in Redis, and what is wrong with it once things should have settled."""

import json

from harness.fake_node import Api

AGENTS = "/apis/agents.x-k8s.io/v1beta1"
EXTENSIONS = "/apis/extensions.agents.x-k8s.io/v1beta1"
K = "agents.x-k8s.io/"
PATHS = {
    "claims": f"{EXTENSIONS}/namespaces/%s/sandboxclaims",
    "pools": f"{EXTENSIONS}/namespaces/%s/sandboxwarmpools",
    "sandboxes": f"{AGENTS}/namespaces/%s/sandboxes",
    "pods": "/api/v1/namespaces/%s/pods",
    "services": "/api/v1/namespaces/%s/services",
    "volumes": "/api/v1/namespaces/%s/persistentvolumeclaims",
}
KINDS = {
    "claims": ("SandboxClaim", "extensions.agents.x-k8s.io/v1beta1"),
    "pools": ("SandboxWarmPool", "extensions.agents.x-k8s.io/v1beta1"),
}
READY, CLAIMED = "2", "3"
# every record of the namespace, and how long its sets are
DUMP = """
local found = {sandboxes = {}, sets = {}, names = {}}
for _, k in ipairs(redis.call('KEYS', 'sp:{' .. ARGV[1] .. '}/*')) do
  local id = string.match(k, ':sb:(.*)$')
  if id then found.sandboxes[id] = {redis.call('HGET', k, 'state'), redis.call('HGET', k, 'uid') or ''}
  elseif redis.call('TYPE', k).ok == 'zset' then found.sets[k] = redis.call('ZCARD', k)
  elseif not string.match(k, ':events$') then table.insert(found.names, k) end
end
for _, k in ipairs({'sp:pools', 'sp:templates'}) do
  for _, m in ipairs(redis.call('ZRANGE', k, 0, -1)) do
    if string.sub(m, 1, #ARGV[1] + 1) == ARGV[1] .. '/' then table.insert(found.names, k .. ' ' .. m) end
  end
end
return cjson.encode(found)
"""


class World:
    def __init__(self, stack, ns):
        self.stack, self.ns = stack, ns
        self.api = Api(stack.cluster.kubeconfig)

    # ---- objects, faster than kubectl ----

    def call(self, method, path, body=None, kind="application/json"):
        """The status and the object; of a write the latter may be none, in a form of its own."""
        code, answer = self.api.call(method, path, body, kind)
        return code, json.loads(answer) if answer.startswith(b"{") else answer

    def items(self, what):
        return self.call("GET", PATHS[what] % self.ns)[1]["items"]

    def claim(self, name, pool):
        kind, version = KINDS["claims"]
        body = {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"warmPoolRef": {"name": pool}},
        }
        code, answer = self.call("POST", PATHS["claims"] % self.ns, body)
        # 409: the call was sent again because its first answer was lost
        assert code in (201, 409), answer

    def scale(self, pool, replicas):
        code, answer = self.call(
            "PATCH",
            PATHS["pools"] % self.ns + "/" + pool,
            {"spec": {"replicas": replicas}},
            "application/merge-patch+json",
        )
        assert code == 200, answer

    def delete(self, what, name, **options):
        return self.call("DELETE", f"{PATHS[what] % self.ns}/{name}", options or None)[0]

    def redis(self):
        return json.loads(self.stack.redis("EVAL", DUMP, 0, self.ns))

    # ---- judging ----

    def wrong(self, warm=False):
        """What is not as it would be had nothing ever gone wrong. warm: every claim has a member of a pool."""
        claims, pools, sandboxes, pods, services, volumes = (
            self.items(w) for w in ("claims", "pools", "sandboxes", "pods", "services", "volumes")
        )
        found = [
            f"{_name(o)} is going"
            for o in claims + pools + sandboxes + pods + services + volumes
            if "deletionTimestamp" in o["metadata"]
        ]
        by_uid = {o["metadata"]["uid"]: o for o in claims + pools + sandboxes}
        by_owner = {}
        for s in sandboxes:
            owners = [o for o in s["metadata"].get("ownerReferences", []) if o.get("controller")]
            if len(owners) != 1 or owners[0]["uid"] not in by_uid:
                found.append(f"sandbox {_name(s)} belongs to {[o['name'] for o in owners]}")
            else:
                by_owner.setdefault(owners[0]["uid"], []).append(s)
        expected = {}  # of Redis
        for claim in claims:
            mine = by_owner.get(claim["metadata"]["uid"], [])
            found += _wrong_claim(claim, mine, warm)
            for s in mine:
                if s["metadata"]["labels"].get(K + "launch-type") == "warm":
                    expected[s["metadata"]["annotations"].get(K + "pod-name", _name(s))] = [
                        CLAIMED,
                        claim["metadata"]["uid"],
                    ]
        for pool in pools:
            members = by_owner.get(pool["metadata"]["uid"], [])
            ready = [m for m in members if is_ready(m)]
            want, status = pool["spec"].get("replicas", 1), pool.get("status", {})
            if not len(members) == len(ready) == want == status.get("replicas", 0) == status.get("readyReplicas", 0):
                found.append(
                    f"pool {_name(pool)}: {want} wanted, {len(members)} there, {len(ready)} ready, status {status}"
                )
            expected.update({_name(m): [READY, ""] for m in members})
        found += _wrong_children(sandboxes, pods, services + volumes)
        found += _wrong_volumes(sandboxes, pods, volumes)
        found += self._wrong_redis(expected)
        return found

    def _wrong_redis(self, expected):
        there = self.redis()
        records = there["sandboxes"] or {}
        found = [f"Redis: {i} is {records.get(i)}, not {e}" for i, e in expected.items() if records.get(i) != e]
        found += [f"Redis: {i} is {r}, and there is no such" for i, r in records.items() if i not in expected]
        for key, n in (there["sets"] or {}).items():
            if n and key.rsplit(":", 1)[1] in ("creating", "releasing", "queue", "deadlines"):
                found.append(f"Redis: {n} in {key}")
        return found


def _name(o):
    return o["metadata"]["name"]


def is_ready(o):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in o.get("status", {}).get("conditions", []))


def _wrong_claim(claim, mine, warm):
    name, status = _name(claim), claim.get("status", {}).get("sandbox", {})
    if len(mine) != 1:
        return [f"claim {name} has sandboxes {[_name(s) for s in mine]}"]
    found = [] if is_ready(claim) else [f"claim {name} is not ready: {claim.get('status')}"]
    if status.get("name") != _name(mine[0]) or status.get("podIPs") != mine[0].get("status", {}).get("podIPs"):
        found.append(f"claim {name} says {status}, not {_name(mine[0])}")
    if not claim["metadata"].get("annotations", {}).get(K + "claim-first-ready-at"):
        found.append(f"claim {name} has no time of being ready")
    launch = mine[0]["metadata"]["labels"].get(K + "launch-type")
    if warm and launch != "warm":
        found.append(f"claim {name} is {launch}")
    return found


def _wrong_children(sandboxes, pods, services):
    """One Pod each, under the name that the Sandbox says, and nothing that is nobody's."""
    uids = {s["metadata"]["uid"] for s in sandboxes}
    owner = lambda o: next((r["uid"] for r in o["metadata"].get("ownerReferences", []) if r.get("controller")), None)
    found = [f"stray {_name(o)}" for o in pods + services if owner(o) not in uids]
    for s in sandboxes:
        wanted = s["metadata"].get("annotations", {}).get(K + "pod-name", _name(s))
        mine = [_name(p) for p in pods if owner(p) == s["metadata"]["uid"]]
        if mine != [wanted]:
            found.append(f"sandbox {_name(s)} has Pods {mine}, not {wanted}")
        if not is_ready(s):
            found.append(f"sandbox {_name(s)} is not ready: {s.get('status')}")
    return found


def _wrong_volumes(sandboxes, pods, volumes):
    """What a Pod has mounted is its Sandbox's own, and all that the Sandbox has."""
    owner = lambda o: next((r["uid"] for r in o["metadata"].get("ownerReferences", []) if r.get("controller")), None)
    found = []
    for s in sandboxes:
        mine = sorted(_name(v) for v in volumes if owner(v) == s["metadata"]["uid"])
        for p in (p for p in pods if owner(p) == s["metadata"]["uid"]):
            claims = [v["persistentVolumeClaim"]["claimName"] for v in p["spec"].get("volumes", []) if "persistentVolumeClaim" in v]  # fmt: skip
            if sorted(claims) != mine:
                found.append(f"sandbox {_name(s)} has volumes {mine}, and its Pod has {claims}")
        if len(mine) != len(s["spec"].get("volumeClaimTemplates", [])):
            found.append(f"sandbox {_name(s)} has volumes {mine}")
    return found
