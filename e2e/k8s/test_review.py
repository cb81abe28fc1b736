"""What must not follow from objects that people wrote by hand, nor from Pods and pools that went while somebody held a Sandbox."""

import pytest
from harness.until import let_pass, until

from test_two_doors import CLAIM_UID, mirrored, owner_name  # isort: skip

K = "agents.x-k8s.io/"
EPOCH = "sandplane.dev/epoch"


def field(stack, kube, sandbox, name, pool="p"):
    return stack.redis("hget", f"sp:{{{kube.ns}}}/{pool}:sb:{sandbox}", name).strip()


def test_a_copy_of_an_object_is_another_claim(kube, door):
    """A claim made through gRPC does not end with a copy of the object that shows it."""
    kube.full_pool(replicas=2)
    name = door.claim()
    shown = mirrored(kube, name)
    kube.apply(kube.claim("copy", annotations=shown["metadata"]["annotations"]))
    other = kube.until_ready("sandboxclaim", "copy")["status"]["sandbox"]["name"]
    assert other != name
    kube.delete("sandboxclaim", "copy")
    until(lambda: door.get(other) is None, what="the copy's end")
    assert door.holds(name) and owner_name(kube.get("sandbox", name)) == ("SandboxClaim", name)


def test_the_uid_of_another_claim(stack, kube, door):
    """Whoever writes the uid of another's SandboxClaim into an object does not end it."""
    kube.full_pool(replicas=2)
    victim = kube.apply(kube.claim("victim"))
    name = kube.until_ready("sandboxclaim", "victim")["status"]["sandbox"]["name"]
    kube.apply(kube.claim("thief", annotations={CLAIM_UID: victim["metadata"]["uid"], K + "sandbox-name": name}))
    kube.until_ready("sandboxclaim", "thief")
    kube.pool_has("p", 2)
    kube.apply(kube.claim("later"))
    later = kube.until_ready("sandboxclaim", "later")["status"]["sandbox"]["name"]
    kube.delete("sandboxclaim", "thief")
    stack.stop("reconciler")
    kube.delete("sandboxclaim", "later", wait=False)
    stack.start("reconciler")  # compares state and world
    stack.wait_ready("reconciler")
    # what was deleted while it was away has ended: it has compared all that there was
    until(lambda: door.ended(later), timeout=60, what="the end of the later claim")
    assert door.holds(name) and owner_name(kube.get("sandbox", name)) == ("SandboxClaim", "victim")


@pytest.mark.parametrize("through_grpc", [False, True])
def test_the_address_follows_the_pod(stack, kube, door, through_grpc):
    """Never the address of a Pod that is gone: another may have it by now."""
    kube.full_pool()
    if through_grpc:
        name = door.claim()
        mirrored(kube, name)
    else:
        kube.apply(kube.claim())
        name = kube.until_ready("sandboxclaim", "c")["status"]["sandbox"]["name"]
    (before,) = kube.get("sandbox", name)["status"]["podIPs"]
    assert field(stack, kube, name, "route") == f"pod:{before}"
    kube.delete("pod", name, wait=False)  # kubectl may take the next one for it

    def has_new_one():
        ips = kube.get("sandbox", name)["status"].get("podIPs", [])
        return ips and ips[0] != before and field(stack, kube, name, "route") == f"pod:{ips[0]}"

    until(has_new_one, what="the new Pod's address")
    assert door.holds(name)


def test_a_pod_that_went_while_nobody_looked(stack, kube, door):
    """The same when the reconciler was away."""
    kube.full_pool()
    kube.apply(kube.claim())
    name = kube.until_ready("sandboxclaim", "c")["status"]["sandbox"]["name"]
    (before,) = kube.get("sandbox", name)["status"]["podIPs"]
    stack.stop("reconciler")
    kube.delete("pod", name)
    stack.start("reconciler")
    stack.wait_ready("reconciler")
    until(lambda: field(stack, kube, name, "route") not in ("", f"pod:{before}"), what="the new Pod's address")
    assert door.holds(name)


def test_marks_written_by_hand(stack, kube):
    """Sandboxes with a mark of another data set go; they do not take all others for unproven."""
    kube.full_pool(replicas=2)
    ours = {s["metadata"]["name"]: s for s in kube.list("sandbox")}
    labels = next(iter(ours.values()))["metadata"]["labels"]
    stack.stop("reconciler")
    foreign = [
        kube.sandbox(f"p-aaaa{i}", labels=labels, annotations={EPOCH: "0123456789abcdef0123456789abcdef"})
        for i in range(6)
    ]
    kube.apply(*foreign)
    stack.start("reconciler")
    stack.wait_ready("reconciler")
    for one in foreign:
        kube.until_gone("sandbox", one["metadata"]["name"])
    left = {s["metadata"]["name"]: s["metadata"]["uid"] for s in kube.list("sandbox")}
    assert left == {name: s["metadata"]["uid"] for name, s in ours.items()}


def test_a_mark_changed_by_hand(stack, kube, door):
    """A member whose mark is overwritten is replaced, and not offered meanwhile."""
    kube.full_pool()
    (member,) = (s["metadata"]["name"] for s in kube.list("sandbox"))
    kube.patch("sandbox", member, {"metadata": {"annotations": {EPOCH: "other"}}})
    stack.restart("reconciler")
    stack.wait_ready("reconciler")
    kube.until_gone("sandbox", member)
    kube.pool_has("p", 1)
    assert door.claim(max_wait=10) != member


def test_pool_gone_and_state_lost(stack, kube, door):
    """Claims outlive their pool, also when the state is emptied then, and can be ended."""
    kube.full_pool(replicas=2)
    of_grpc = door.claim()
    mirrored(kube, of_grpc)
    kube.apply(kube.claim())
    of_object = kube.until_ready("sandboxclaim", "c")["status"]["sandbox"]["name"]
    kube.delete("sandboxwarmpool", "p")
    until(
        lambda: {s["metadata"]["name"] for s in kube.list("sandbox")} == {of_grpc, of_object},
        timeout=90,
        what="only what is held",
    )
    stack.redis("flushall")
    until(lambda: door.claimed() == {of_grpc, of_object}, timeout=30, what="put back")
    door.delete(of_grpc)
    kube.until_gone("sandboxclaim", of_grpc)
    kube.until_gone("sandbox", of_grpc)
    kube.delete("sandboxclaim", "c")
    kube.until_gone("sandbox", of_object)
    until(lambda: door.claimed() == set(), what="records gone")
    until(lambda: f"{kube.ns}/p" not in stack.redis("zrange", "sp:pools", 0, -1), what="the pool gone")


def test_a_pod_named_by_hand(kube, door):
    """An annotation that names the Pod of a member gives nobody a Pod that another claim has."""
    kube.apply(kube.template(), kube.pool(replicas=0))
    kube.apply(kube.claim("thief"))
    kube.until_condition("sandboxclaim", "thief", status="True")
    kube.patch("sandboxwarmpool", "p", {"spec": {"replicas": 1}})
    kube.pool_has("p", 1)
    name = door.claim()
    kube.patch("sandbox", "thief", {"metadata": {"annotations": {K + "pod-name": name}}})
    mirrored(kube, name)
    # by the time that a later Sandbox has its Pod and a later claim its Sandbox, the annotation was read
    kube.apply(kube.sandbox("later"))
    kube.until_ready("sandbox", "later")
    kube.apply(kube.claim("last"))
    kube.until_ready("sandboxclaim", "last")
    assert door.holds(name) and owner_name(kube.get("sandbox", name)) == ("SandboxClaim", name)
    assert owner_name(kube.get("pod", name)) == ("Sandbox", name)


BACK_TO_READY = """
redis.call('HSET', KEYS[1] .. 'sb:' .. ARGV[1], 'state', '2')
redis.call('HDEL', KEYS[1] .. 'uids', redis.call('HGET', KEYS[1] .. 'sb:' .. ARGV[1], 'uid'))
redis.call('HDEL', KEYS[1] .. 'sb:' .. ARGV[1], 'uid', 'labels', 'env', 'claim_ms')
redis.call('ZREM', KEYS[1] .. 'claimed', ARGV[1])
redis.call('ZADD', KEYS[1] .. 'ready', 1, ARGV[1])
"""


def held_by_object(kube):
    kube.apply(kube.claim())
    return kube.until_ready("sandboxclaim", "c")["status"]["sandbox"]["name"]


def as_it_was(stack, kube, sandbox):
    """The data set as it was before the claim, under the same mark."""
    stack.redis("eval", BACK_TO_READY, 1, f"sp:{{{kube.ns}}}/p:", sandbox)
    stack.restart("redis")
    until(lambda: stack.ready("claims"), what="claims")


def test_an_older_data_set(stack, kube, door):
    """What objects say is held is not offered for long when the state was put back to an earlier time."""
    kube.full_pool(replicas=2)
    name = held_by_object(kube)
    as_it_was(stack, kube, name)
    until(lambda: name in door.claimed(), what="held again")
    assert field(stack, kube, name, "uid") == kube.get("sandboxclaim", "c")["metadata"]["uid"]
    assert door.claim(max_wait=20) != name


def test_given_out_again_by_an_older_data_set(stack, kube, door):
    """Should another have got it before that, neither keeps it."""
    kube.full_pool()
    name = held_by_object(kube)
    stack.stop("reconciler")
    as_it_was(stack, kube, name)
    assert door.claim(max_wait=5) == name
    stack.start("reconciler")
    stack.wait_ready("reconciler")
    kube.until_gone("sandbox", name)
    until(lambda: door.ended(name), what="the end of both")


def test_deleted_while_nobody_looked(stack, kube):
    """Pools and templates that went meanwhile go from the state, also when the state cannot be reached at first."""
    kube.full_pool()
    kube.apply(kube.template("t2"))
    until(lambda: f"{kube.ns}/t2" in stack.redis("zrange", "sp:templates", 0, -1), what="told")
    stack.stop("reconciler")
    for kind, name in (("sandboxwarmpool", "p"), ("sandboxtemplate", "t"), ("sandboxtemplate", "t2")):
        kube.delete(kind, name)
    stack.kill("redis")
    stack.start("reconciler")
    let_pass(6, "longer than what is told is held for, which nothing shows while Redis is away")
    stack.start("redis")
    stack.wait_ready("reconciler")
    until(lambda: kube.ns not in stack.redis("zrange", "sp:templates", 0, -1), what="templates gone")
    until(lambda: f"{kube.ns}/p" not in stack.redis("zrange", "sp:pools", 0, -1), timeout=60, what="the pool gone")
    assert kube.list("sandbox") == []
