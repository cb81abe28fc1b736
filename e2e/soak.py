"""Claims in a loop against a pool of 20, and what they leave behind: the long form of test_leaks.py.

Runs a stack of its own on other ports than the tests. Prints a line for every tenth of the way, then what
differs between before and after; exit 1 if anything but memory does.
"""

import argparse
import json
import os
import queue
import sys
import threading
import time

import grpc
import yaml
from conftest import REFERENCES, apply, full, import_image
from harness.client import NS, Client
from harness.stack import ROOT, Stack
from harness.stubs import pool_pb2
from harness.until import until

POOL = f"{NS}/pools/soak"


def make_pool(client, runtime_class):
    doc = yaml.safe_load((ROOT / "examples/python-template.yaml").read_text())
    doc["metadata"]["name"] = "soak"
    if runtime_class == "process":
        doc["spec"]["podTemplate"]["spec"].pop("runtimeClassName")
    apply(client, json.dumps(doc))
    pool = pool_pb2.Pool(name=POOL, template=f"{NS}/templates/soak", replicas=20)
    client.pools.ApplyPool(pool_pb2.ApplyPoolRequest(pool=pool), timeout=10)
    full(client, POOL, timeout=120)


def one(client, processes):
    box = client.create(pool=POOL)
    try:
        # all of them alive at once, and the last one says so
        others = f"seq {processes - 1} | xargs -P {processes} -n 1 sh -c 'sleep 0.2; python3 -c 1' && "
        out = client.sh(box.name, f"{others if processes > 1 else ''}echo {box.uid}")
        assert out.stdout.decode().strip() == box.uid, out
    finally:
        client.delete(box.name)
    return box.uid


def claim_all(clients, n, processes, report):
    todo, seen, errors = queue.Queue(), set(), []
    for i in range(n):
        todo.put(i)
    lock = threading.Lock()

    def worker(client):
        while not errors:
            try:
                todo.get_nowait()
            except queue.Empty:
                return
            try:
                uid = one(client, processes)
            except (grpc.RpcError, AssertionError) as e:
                errors.append(e)
                return
            with lock:
                assert uid not in seen, "one claim twice"
                seen.add(uid)
                if len(seen) % max(1, n // 10) == 0:
                    report(len(seen))

    threads = [threading.Thread(target=worker, args=(clients[i % len(clients)],)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return len(seen)


def picture(stack, client):
    until(
        lambda: (
            (w := stack.world()) and len(w.sandboxes) == 20 and not w.strays and client.pool(POOL).ready_count == 20
        ),
        timeout=120,
        what="pool at rest",
    )
    w = stack.world()
    keys = stack.redis_keys()
    return {
        "processes": len(w.processes),
        "mounts": len(w.mounts),
        "cgroups": len(w.cgroups),
        "folders": len(w.sandboxes),
        "keys": len(keys),
    }


def main():
    parser = argparse.ArgumentParser(
        prog="tools/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--claims", type=int, default=10000)
    parser.add_argument("--class", dest="runtime_class", choices=["gvisor", "process"], default="gvisor")
    parser.add_argument("--processes", type=int, default=1, help="at a time, in each sandbox")
    args = parser.parse_args()
    # beside a run of the tests
    os.environ.setdefault("SANDPLANE_E2E_GRPC_PORT", "19400")
    os.environ.setdefault("SANDPLANE_E2E_HTTP_PORT", "19080")
    stack = Stack()
    stack.start()
    try:
        clients = [Client(t) for t in stack.targets("router")]
        import_image(clients[0], REFERENCES)
        make_pool(clients[0], args.runtime_class)
        claim_all(clients, 40, args.processes, lambda n: None)  # caches and buffers get their size
        before, memory, began = picture(stack, clients[0]), stack.rss_kib(), time.monotonic()

        def report(n):
            rss = "  ".join(f"{k} {v // 1024} MiB" for k, v in stack.rss_kib().items())
            print(f"{n:6d} claims  {n / (time.monotonic() - began):6.1f}/s  {rss}", flush=True)

        made = claim_all(clients, args.claims, args.processes, report)
        after = picture(stack, clients[0])
        print(
            f"{made} claims of class {args.runtime_class}, {args.processes} processes; what is there, before and after:"
        )
        for k in before:
            print(f"  {k:10s} {before[k]:6d} {after[k]:6d}")
        for k, v in stack.rss_kib().items():
            print(f"  RSS {k:14s} {memory[k]:7d} {v:7d} KiB")
        print(json.dumps({"claims": made, "class": args.runtime_class, "same": before == after}))
        return 0 if before == after else 1
    finally:
        stack.stop()


if __name__ == "__main__":
    sys.exit(main())
