"""Calls that go on while an installation changes: what an agent's backend does, with the retries that are right for it.

Reads and deletions may be repeated, and creations that carry a request id; HTTP is repeated on 502, 503 and 504, as the SDKs do. A call
counts as failed when it still fails after that.
"""

import collections
import json
import threading
import time
import urllib.error
import urllib.request
import uuid

import grpc
from harness.client import pb, sandbox_grpc

RETRIES = json.dumps({
    "methodConfig": [{
        "name": [{"service": "sandplane.v1.SandboxService"}],
        "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE"]},
    }]
})  # fmt: skip
PAUSE_S = 0.05


class Load:
    def __init__(self, grpc_target, http_url, parent, pool, sandbox):
        """sandbox: a claimed one, for HTTP; (namespace, name)."""
        self.http_url, self.parent, self.pool, self.sandbox = http_url, parent, pool, sandbox
        options = [("grpc.service_config", RETRIES), ("grpc.keepalive_time_ms", 10000)]
        self.channel = grpc.insecure_channel(grpc_target, options=options)
        self.stub = sandbox_grpc.SandboxServiceStub(self.channel)
        self.made, self.failed = collections.Counter(), collections.Counter()
        self.errors, self.lock, self.over = [], threading.Lock(), threading.Event()
        self.threads = [
            threading.Thread(target=self._loop, args=(fn,))
            for fn in (self._claim, self._claim, self._read, self._http, self._http)
        ]

    def start(self):
        for t in self.threads:
            t.start()

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join(60)
        self.channel.close()

    def _loop(self, fn):
        while not self.over.is_set():
            fn()
            time.sleep(PAUSE_S)

    def _call(self, kind, fn):
        try:
            out = fn()
        except (grpc.RpcError, OSError) as e:
            with self.lock:
                self.made[kind] += 1
                self.failed[kind] += 1
                self.errors.append(f"{time.strftime('%H:%M:%S')} {kind}: {e!r}"[:400])
            return None
        with self.lock:
            self.made[kind] += 1
        return out

    def _claim(self):
        request = pb.CreateSandboxRequest(parent=self.parent, pool=self.pool, request_id=str(uuid.uuid4()))
        request.max_wait.FromSeconds(60)
        box = self._call("create", lambda: self.stub.CreateSandbox(request, timeout=90))
        if box is None:
            return
        self._call("get", lambda: self.stub.GetSandbox(pb.GetSandboxRequest(name=box.name), timeout=20))
        self._call("delete", lambda: self.stub.DeleteSandbox(pb.DeleteSandboxRequest(name=box.name), timeout=20))

    def _read(self):
        self._call(
            "list",
            lambda: self.stub.ListSandboxes(pb.ListSandboxesRequest(parent=self.parent, page_size=5), timeout=20),
        )

    def _http(self):
        ns, name = self.sandbox
        headers = {
            "X-Sandbox-ID": name,
            "X-Sandbox-Namespace": ns,
            "X-Sandbox-Port": "8888",
            "Content-Type": "application/json",
        }
        body = json.dumps({"command": "echo again"}).encode()

        def once():
            request = urllib.request.Request(self.http_url + "/execute", data=body, headers=headers)
            with urllib.request.urlopen(request, timeout=30) as r:
                answer = json.load(r)
                if answer["stdout"] != "again\n":
                    raise OSError(f"answered {answer}")

        def with_retries():
            for attempt in range(6):
                try:
                    return once()
                except urllib.error.HTTPError as e:
                    if e.code not in (502, 503, 504) or attempt == 5:
                        raise
                except (ConnectionError, TimeoutError, urllib.error.URLError):
                    if attempt == 5:
                        raise
                time.sleep(0.5 * 2**attempt)

        self._call("http", with_retries)
