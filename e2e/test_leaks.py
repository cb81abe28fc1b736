"""Claims in a loop leave exactly what was there before: the short form of tools/soak."""

import os

from harness.client import POOL
from harness.until import until

CLAIMS = int(os.environ.get("SANDPLANE_LEAK_CLAIMS", "60"))


def settled(stack, client):
    def check():
        pool = client.pool()
        names = [b for b in client.list(show_unclaimed=True, parent="namespaces/-")]
        return (
            pool.ready_count == pool.replicas
            and pool.creating_count == 0
            and len(names) == len(stack.world().sandboxes)
        )

    until(check, timeout=120, what="pool at rest")


def test_claims_in_a_loop_leave_nothing(stack, client):
    for b in client.list(parent="namespaces/-"):
        client.delete(b.name)
    for _ in range(5):
        client.delete(client.create().name)
    settled(stack, client)
    before, keys = stack.world(), stack.redis_keys()
    for i in range(CLAIMS):
        box = client.create(pool=POOL)
        # some of them with sixteen processes at a time
        script = "seq 16 | xargs -P 16 -n 1 sh -c 'sleep 0.1; true'" if i % 6 == 0 else "true"
        assert client.sh(box.name, script).status.exit_code == 0
        client.delete(box.name)
    settled(stack, client)
    after = stack.world()
    assert len(after.processes) == len(before.processes)
    assert after.mounts == before.mounts
    assert len(after.cgroups) == len(before.cgroups)
    # sandboxes have new names; everything else is the same
    assert {k for k in stack.redis_keys() if ":sb:" not in k} == {k for k in keys if ":sb:" not in k}
    assert len(stack.redis_keys()) == len(keys)
    for service, rss in stack.rss_kib().items():
        print(service, rss, "KiB")
