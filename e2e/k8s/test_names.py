"""Names: whatever the API server takes for a pool, a template or a claim is served; the shared state has names of its own for some.

Members are called as the pool is in the shared state: cut, with a hash where the name is cut or has dots.
"""

import datetime

import pytest
from harness.door import Door, mirrored
from harness.names import K, annotations, labels, name_hash
from harness.until import until

TEN = "abcdefghij"
LONG = TEN * 25 + "xyz"
NAMES = ["my.pool", TEN * 5 + "12345678", LONG, ".".join([TEN * 5] * 4)]


@pytest.mark.parametrize("name", NAMES, ids=lambda n: f"{n[:8]}-{len(n)}")
def test_a_pool_of_any_name(kube, client, name):
    """Pool, template and claim of the same name: filled, claimed through both doors, emptied."""
    kube.apply(kube.template(name), kube.pool(name, name, replicas=2))
    kube.pool_has(name, 2)
    members = kube.list("sandbox")
    for m in members:
        assert len(m["metadata"]["name"]) <= 63 and "." not in m["metadata"]["name"]
        assert labels(m)[K + "warm-pool-sandbox"] == name_hash(name)
        assert annotations(m)[K + "sandbox-template-ref"] == name
    kube.apply(kube.claim(name, name))
    claim = kube.until_ready("sandboxclaim", name)
    assert claim["status"]["sandbox"]["name"] in {m["metadata"]["name"] for m in members}
    door = Door(client, kube.ns)
    in_state = members[0]["metadata"]["name"].rsplit("-", 1)[0]
    sandbox = door.claim(in_state, max_wait=20)
    assert mirrored(kube, sandbox)["spec"]["warmPoolRef"]["name"] == name
    kube.pool_has(name, 2)
    kube.delete("sandboxwarmpool", name)
    kept = {claim["status"]["sandbox"]["name"], sandbox}
    until(
        lambda: {s["metadata"]["name"] for s in kube.list("sandbox")} == kept, timeout=90, what="the claimed ones alone"
    )
    assert door.holds(sandbox)


def test_two_pools_of_one_name_in_the_state(kube, client):
    """What cannot be is refused at once, by condition and Event, and harms neither the other pool nor claims."""
    kube.apply(kube.template(), kube.pool("my.pool"))
    kube.pool_has("my.pool", 1)
    (member,) = kube.list("sandbox")
    taken = member["metadata"]["name"].rsplit("-", 1)[0]
    until(lambda: _older(kube, "my.pool"), what="a second later: ages have no fractions")
    kube.apply(kube.pool(taken, replicas=3))
    kube.until_condition("sandboxwarmpool", taken, status="False", reason="NameTaken")
    assert '"my.pool"' in kube.condition("sandboxwarmpool", taken)["message"]
    until(
        lambda: [e for e in kube.list("event") if e["reason"] == "WarmPoolNotFull" and e["regarding"]["name"] == taken],
        what="the Event",
    )
    kube.apply(kube.claim("c", taken))
    claim = kube.until_ready("sandboxclaim", "c")
    assert claim["status"]["sandbox"]["name"] == "c"  # made for it
    assert [s["metadata"]["name"] for s in kube.list("sandbox") if s["metadata"]["name"] != "c"] == [
        member["metadata"]["name"]
    ]
    kube.delete("sandboxwarmpool", "my.pool")
    until(
        lambda: len([s for s in kube.list("sandbox") if s["metadata"]["name"] != "c"]) == 3, timeout=60, what="its turn"
    )


def _older(kube, pool):
    made = kube.get("sandboxwarmpool", pool)["metadata"]["creationTimestamp"]
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(made)
    return age.total_seconds() >= 1


def test_what_was_told_before_names_were_cut(stack, kube):
    """A pool in the shared state that no sandbox can be named after goes, with all that was ordered for it."""
    pool = f"sp:{{{kube.ns}}}/x.y"
    stack.redis("HSET", f"{pool}:pool", "template", "t", "replicas", "3", "strategy", "1", "generation", "1")
    stack.redis("HSET", f"{pool}:sb:x.y-aaaaa", "state", "1", "template", "t", "hash", "h")
    stack.redis("ZADD", f"{pool}:creating", "1", "x.y-aaaaa")
    stack.redis("ZADD", f"{pool}:all", "0", "x.y-aaaaa")
    stack.redis("ZADD", "sp:pools", "0", f"{kube.ns}/x.y")
    assert stack.redis("KEYS", f"sp:[{{]{kube.ns}[}}]/x.y*").strip()
    stack.stop("reconciler")
    stack.start("reconciler")
    stack.wait_ready("reconciler")
    until(lambda: not stack.redis("KEYS", f"sp:[{{]{kube.ns}[}}]/x.y*").strip(), what="its keys gone")
    until(lambda: f"{kube.ns}/x.y" not in stack.redis("ZRANGE", "sp:pools", "0", "-1"), what="its name gone")
