"""Nodes that only say that Pods run: for clusters without kubelets, and for more Pods than a machine could start.

    fake_node.py [--nodes N] [--delay-ms MS] [--threads T] [--kubeconfig FILE]

Binds every Pod to one of its Nodes `fake-node-I`, reports it running and ready at an address of its own, and finishes its
deletion. A Pod annotated `sandplane.test/fake-node: ignore` is left alone, `bind` is only bound, `fail` ends as Failed.
Run it in the cluster's network (Cluster.run_inside), or use the class after Cluster.enter(). Prints `ready` when it watches.
"""

import argparse
import datetime
import heapq
import http.client
import json
import os
import queue
import re
import signal
import socket
import ssl
import sys
import threading
import time

ANNOTATION = "sandplane.test/fake-node"


class Gone(Exception):
    """The watch must begin again from a list."""


class Api:
    """One connection to the API server, with the client certificate of a kubeconfig as tools/cluster writes it."""

    def __init__(self, kubeconfig):
        with open(kubeconfig) as f:
            text = f.read()

        def field(name):
            return re.search(rf"\b{name}: *\"?([^\s\"]+)", text).group(1)

        self.host = field("server").removeprefix("https://")
        self.context = ssl.create_default_context(cafile=field("certificate-authority"))
        self.context.load_cert_chain(field("client-certificate"), field("client-key"))
        self.connection = None

    def connect(self, timeout):
        connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=timeout)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def call(self, method, path, body=None, kind="application/json"):
        """The status and the raw body; tries again for a minute while the API server cannot be reached."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind, "User-Agent": "fake-node"}
        if body is not None:
            # nobody reads what a write answers, and this costs the API server the least, where it can speak it
            headers["Accept"] = "application/vnd.kubernetes.protobuf, application/json"
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                self.connection = self.connection or self.connect(30)
                self.connection.request(method, path, data, headers)
                response = self.connection.getresponse()
                answer = response.read()
                if response.status not in (429, 500, 503, 504):
                    return response.status, answer
            except (OSError, http.client.HTTPException):
                self.connection = None
            time.sleep(0.1)
        raise TimeoutError(f"no answer from the API server: {method} {path}")

    def watch(self, path):
        """Yields the raw lines of a watch until it ends."""
        connection = self.connect(330)
        try:
            connection.request("GET", path, headers={"User-Agent": "fake-node"})
            response = connection.getresponse()
            if response.status != 200:
                raise Gone(f"watch: {response.status}")
            while line := response.readline():
                yield line
        finally:
            connection.close()


class FakeNode:
    def __init__(self, kubeconfig, nodes=1, delay_ms=0, threads=8):
        self.kubeconfig, self.nodes, self.delay, self.threads = kubeconfig, nodes, delay_ms / 1000, threads
        self.work = queue.SimpleQueue()  # (action, pod)
        self.seen = {}  # uid: the furthest action begun
        self.addresses = 0
        self.later = []  # heap of (time, number, pod): Pods to be reported ready
        self.wake = threading.Condition()
        self.stopping = False
        self.watching = threading.Event()
        self.failure = None
        self.ready_count = self.removed_count = 0

    def start(self):
        """Returns when the Nodes exist and Pods are watched."""
        self.api = Api(self.kubeconfig)
        for i in range(self.nodes):
            self._make_node(i)
        targets = [self._watch, self._delay_queue] + [self._worker] * self.threads
        for target in targets:
            threading.Thread(target=target, daemon=True).start()
        self.watching.wait()
        return self

    def stop(self):
        self.stopping = True
        for _ in range(self.threads):
            self.work.put((None, None))

    def _make_node(self, i):
        capacity = {"cpu": "1000", "memory": "4Ti", "pods": "100000", "ephemeral-storage": "4Ti"}
        now = _now()
        node = {
            "metadata": {"name": f"fake-node-{i}", "labels": {"kubernetes.io/hostname": f"fake-node-{i}"}},
        }
        self.api.call("POST", "/api/v1/nodes", node)
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Fake",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        status = {"capacity": capacity, "allocatable": capacity, "conditions": [ready]}
        status["addresses"] = [{"type": "InternalIP", "address": f"10.98.0.{i + 1}"}]
        code, answer = self.api.call(
            "PATCH", f"/api/v1/nodes/fake-node-{i}/status", {"status": status}, "application/merge-patch+json"
        )
        if code != 200:
            raise RuntimeError(f"cannot make node fake-node-{i}: {code} {answer.decode(errors='replace')}")

    # The watch: only reads and queues; whatever it misses between two watches, the list before the next one tells.

    def _watch(self):
        api = Api(self.kubeconfig)
        while not self.stopping:
            try:
                version = self._list(api)
                self.watching.set()
                path = f"/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion={version}"
                for line in api.watch(path):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        break
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._look(event["object"])
                    elif event["type"] == "DELETED":
                        self.seen.pop(event["object"]["metadata"]["uid"], None)
            except (Gone, OSError, ValueError, http.client.HTTPException):
                time.sleep(0.2)

    def _list(self, api):
        _, answer = api.call("GET", "/api/v1/pods")
        pods = json.loads(answer)
        there = {pod["metadata"]["uid"] for pod in pods["items"]}
        for uid in [uid for uid in list(self.seen) if uid not in there]:
            self.seen.pop(uid, None)
        for pod in pods["items"]:
            self._look(pod)
        return pods["metadata"]["resourceVersion"]

    def _look(self, pod):
        meta, uid = pod["metadata"], pod["metadata"]["uid"]
        done = self.seen.get(uid)
        node = pod["spec"].get("nodeName", "")
        if "deletionTimestamp" in meta:
            # a finalizer of somebody else keeps the object; it is still ours to let go, once
            if done != "remove" and node.startswith("fake-node-"):
                self.seen[uid] = "remove"
                self.work.put(("remove", pod))
            return
        will = meta.get("annotations", {}).get(ANNOTATION)
        if (
            done
            or will == "ignore"
            or (node and not node.startswith("fake-node-"))
            or _has_ended(pod)
            or _is_ready(pod)
        ):
            return
        self.seen[uid] = "run"
        self.work.put(("bind", pod))

    def _worker(self):
        api = Api(self.kubeconfig)
        while not self.stopping:
            action, pod = self.work.get()
            if action is None:
                return
            try:
                getattr(self, "_" + action)(api, pod)
            except Exception as e:
                self.failure = self.failure or e
                self.seen.pop(pod["metadata"]["uid"], None)
                print(f"fake-node: {action} {pod['metadata']['name']}: {e!r}", file=sys.stderr)

    def _bind(self, api, pod):
        meta = pod["metadata"]
        if not pod["spec"].get("nodeName"):
            target = {"kind": "Node", "apiVersion": "v1", "name": f"fake-node-{hash(meta['uid']) % self.nodes}"}
            binding = {
                "kind": "Binding",
                "apiVersion": "v1",
                "metadata": {"name": meta["name"], "uid": meta["uid"]},
                "target": target,
            }
            code, answer = api.call("POST", _path(pod, "/binding"), binding)
            if code not in (201, 404, 409):
                raise RuntimeError(f"{code} {answer[:300]}")
            if code == 404:
                return
        if meta.get("annotations", {}).get(ANNOTATION) == "bind":
            return
        if self.delay <= 0:
            self._report(api, pod)
            return
        with self.wake:
            self.addresses += 1
            heapq.heappush(self.later, (time.monotonic() + self.delay, self.addresses, pod))
            self.wake.notify()

    def _delay_queue(self):
        while not self.stopping:
            with self.wake:
                left = self.later[0][0] - time.monotonic() if self.later else 1
                if left > 0:
                    self.wake.wait(left)
                    continue
                pod = heapq.heappop(self.later)[2]
            self.work.put(("report", pod))

    def _report(self, api, pod):
        with self.wake:
            self.addresses += 1
            number = self.addresses
        fails = pod["metadata"].get("annotations", {}).get(ANNOTATION) == "fail"
        # the uid keeps the patch from a younger Pod of the same name
        patch = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": _status(pod, number, fails)}
        code, answer = api.call("PATCH", _path(pod, "/status"), patch, "application/merge-patch+json")
        if code not in (200, 404, 409):
            raise RuntimeError(f"{code} {answer[:300]}")
        self.ready_count += code == 200

    def _remove(self, api, pod):
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        code, answer = api.call("DELETE", _path(pod), options)
        if code not in (200, 202, 404, 409):
            raise RuntimeError(f"{code} {answer[:300]}")
        self.removed_count += 1


def _path(pod, rest=""):
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}{rest}"


def _now():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _has_ended(pod):
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", ()))


def _status(pod, number, fails):
    now = _now()
    address = f"10.{(number >> 16) % 64 + 128}.{number >> 8 & 255}.{number & 255}"
    state = (
        {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}}
        if fails
        else {"running": {"startedAt": now}}
    )
    yes = "False" if fails else "True"
    return {
        "phase": "Failed" if fails else "Running",
        "startTime": now,
        "hostIP": "10.98.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            {"type": kind, "status": status, "lastTransitionTime": now}
            for kind, status in (
                ("PodScheduled", "True"),
                ("Initialized", "True"),
                ("ContainersReady", yes),
                ("Ready", yes),
            )
        ],
        "containerStatuses": [
            {
                "name": c["name"],
                "image": c.get("image", ""),
                "imageID": "",
                "containerID": f"fake://{pod['metadata']['uid']}/{c['name']}",
                "ready": not fails,
                "started": not fails,
                "restartCount": 0,
                "state": state,
            }
            for c in pod["spec"]["containers"]
        ],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--delay-ms", type=int, default=0, help="between binding and ready")
    parser.add_argument("--threads", type=int, default=8, help="connections that write")
    parser.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG"))
    args = parser.parse_args()
    if not args.kubeconfig:
        parser.error("--kubeconfig or KUBECONFIG is needed")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    FakeNode(args.kubeconfig, args.nodes, args.delay_ms, args.threads).start()
    print("ready", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
