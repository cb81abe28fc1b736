"""Templates: their label and their NetworkPolicy. Numbers are sections of the API's description (4 the Template controller)."""

import json

import pytest
from harness.names import K, labels, name_hash, owner, uid
from harness.until import until

V1BETA1 = "extensions.agents.x-k8s.io/v1beta1"
REF_HASH = K + "sandbox-template-ref-hash"
POLICY = "t-network-policy"
ROUTER = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "agent-sandbox-system"}},
    "podSelector": {"matchLabels": {"app": "sandbox-router"}},
}
DEFAULT = {
    "podSelector": {"matchLabels": {REF_HASH: name_hash("t")}},
    "policyTypes": ["Ingress", "Egress"],
    "ingress": [{"from": [ROUTER]}],
    "egress": [
        {
            "to": [
                {
                    "ipBlock": {
                        "cidr": "0.0.0.0/0",
                        "except": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"],
                    }
                },
                {"ipBlock": {"cidr": "::/0", "except": ["fc00::/7", "fe80::/10"]}},
            ]
        }
    ],
}
OURS = "sandplane"  # in the User-Agent


def until_spec(kube, spec, name=POLICY):
    def there():
        policy = kube.get("networkpolicy", name)
        return policy and policy["spec"] == spec and policy

    return until(there, what=f"{name} with {spec}")


def set_spec(kube, **spec):
    kube.patch("sandboxtemplate", "t", {"spec": spec})


def by_hand(kube, owners=None):
    meta = {"name": POLICY, "namespace": kube.ns, "ownerReferences": owners or []}
    return kube.apply(
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": {"podSelector": {}}}
    )


def test_label_and_default_policy(kube):
    """4: the label on the template; the policy of one that says nothing of networks, in full; both come back."""
    kube.apply(kube.template())
    policy = until_spec(kube, DEFAULT)
    t = kube.get("sandboxtemplate", "t")
    assert labels(t) == {REF_HASH: name_hash("t")}
    assert "finalizers" not in t["metadata"]
    assert policy["metadata"]["ownerReferences"] == owner(t, V1BETA1, "SandboxTemplate")
    assert "labels" not in policy["metadata"]
    kube.kubectl("label", "sandboxtemplate", "t", f"{REF_HASH}=wrong", "--overwrite")
    until(lambda: labels(kube.get("sandboxtemplate", "t"))[REF_HASH] == name_hash("t"), what="the label again")


def test_drift(kube):
    """4: whoever changes or deletes the policy, it is as before."""
    kube.apply(kube.template())
    policy = until_spec(kube, DEFAULT)
    kube.patch("networkpolicy", POLICY, {"spec": {"ingress": [{}]}})
    until_spec(kube, DEFAULT)
    kube.patch(
        "networkpolicy", POLICY, {"spec": {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"]}}
    )
    assert uid(until_spec(kube, DEFAULT)) == uid(policy)
    # labels of others are none of our business
    kube.kubectl("label", "networkpolicy", POLICY, "theirs=1")
    kube.delete("networkpolicy", POLICY)
    assert uid(until_spec(kube, DEFAULT)) != uid(policy)


def test_rules_of_the_template(kube):
    """4: given rules are taken as they are, and a missing direction is denied."""
    ingress = [
        {
            "from": [{"podSelector": {"matchLabels": {"a": "b"}}}],
            "ports": [{"port": 80}, {"port": "http", "protocol": "UDP"}],
        }
    ]
    kube.apply(kube.template(networkPolicy={"ingress": ingress}))
    ingress[0]["ports"][0]["protocol"] = "TCP"
    given = {**DEFAULT, "ingress": ingress}
    del given["egress"]
    until_spec(kube, given)
    set_spec(kube, networkPolicy={"ingress": None, "egress": [{}]})
    denied = {**DEFAULT, "egress": [{}]}
    del denied["ingress"]
    until_spec(kube, denied)
    set_spec(kube, networkPolicy={"egress": []})
    del denied["egress"]
    until_spec(kube, denied)
    set_spec(kube, networkPolicy=None)
    until_spec(kube, DEFAULT)


def test_unmanaged(kube):
    """4 Unmanaged: our policy is deleted; managed again, it is there again."""
    kube.apply(kube.template())
    until_spec(kube, DEFAULT)
    set_spec(kube, networkPolicyManagement="Unmanaged")
    kube.until_gone("networkpolicy", POLICY)
    set_spec(kube, networkPolicyManagement="Managed")
    until_spec(kube, DEFAULT)


def complaints(kube, name="t"):
    found = json.loads(kube.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    return [e["note"] for e in found if e["reason"] == "NetworkPolicyNotWritten" and e["regarding"]["name"] == name]


def test_a_policy_that_cannot_be(kube):
    """4: it is told and tried again later; the pool is filled all the same, as with the reference."""
    bad = {"egress": [{"to": [{"ipBlock": {"cidr": "everywhere"}}]}]}
    kube.apply(kube.template(networkPolicy=bad), kube.pool())
    kube.pool_has("p", 1)
    notes = until(lambda: complaints(kube), what="an Event of the template")
    assert len(notes) == 1 and "everywhere" in notes[0]
    set_spec(kube, networkPolicy={"egress": []})
    denied = {**DEFAULT, "egress": []}
    del denied["ingress"], denied["egress"]
    until_spec(kube, denied)


def test_the_policy_of_a_long_name(kube):
    """What is too long for an object's name is cut, and a hash keeps it one of its own."""
    name = "n" * 250
    kube.apply(kube.template(name))
    policies = until(lambda: json.loads(kube.kubectl("get", "networkpolicies", "-o", "json"))["items"])
    assert [p["metadata"]["ownerReferences"][0]["name"] for p in policies] == [name]
    assert len(policies[0]["metadata"]["name"]) <= 253
    assert complaints(kube, name) == []


@pytest.mark.parametrize("owned", [False, True], ids=["unowned", "owned"])
def test_policy_of_others(kube, owned):
    """4: neither changed when managed nor deleted when not; when it is gone, the template's own comes."""
    config = kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other", "namespace": kube.ns}})
    theirs = by_hand(kube, owner(config, "v1", "ConfigMap") if owned else [])
    kube.apply(kube.template())
    # the template was looked at: it has its label
    until(lambda: REF_HASH in labels(kube.get("sandboxtemplate", "t")), what="the label")
    set_spec(kube, networkPolicyManagement="Unmanaged")
    kube.apply(kube.template("later"))
    until_spec(
        kube, {**DEFAULT, "podSelector": {"matchLabels": {REF_HASH: name_hash("later")}}}, "later-network-policy"
    )
    set_spec(kube, networkPolicyManagement="Managed")
    assert kube.get("networkpolicy", POLICY)["spec"] == theirs["spec"]
    kube.delete("networkpolicy", POLICY)
    until_spec(kube, DEFAULT)


def test_deletion(kube):
    """4: garbage collection takes the policy of a deleted template."""
    kube.apply(kube.template())
    until_spec(kube, DEFAULT)
    kube.delete("sandboxtemplate", "t")
    kube.until_gone("networkpolicy", POLICY)


def test_no_needless_writes(kube):
    """4: what the API server writes in its own way is no drift."""
    rule = {"ports": [{"port": 80}], "from": [{"podSelector": {}}, {"namespaceSelector": {"matchLabels": {}}}]}
    mark = kube.cluster.audit_mark()
    kube.apply(kube.template(networkPolicy={"ingress": [rule], "egress": []}))
    until(lambda: kube.get("networkpolicy", POLICY), what="the policy")
    kube.kubectl("annotate", "sandboxtemplate", "t", "theirs=1")
    kube.kubectl("annotate", "networkpolicy", POLICY, "theirs=1")
    kube.apply(kube.template("later"))
    until(lambda: kube.get("networkpolicy", "later-network-policy"), what="the other policy")
    writes = [
        (w.verb, w.resource)
        for w in kube.cluster.audit_writes(mark, namespace=kube.ns)
        if OURS in w.agent and not w.name.startswith("later")
    ]
    assert sorted(writes) == [("create", "networkpolicies"), ("patch", "sandboxtemplates")]
