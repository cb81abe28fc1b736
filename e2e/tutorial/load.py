"""Calls that go on while an installation changes: what an agent's backend does, with the repetitions that are right for it.

Reads and deletions may be repeated, and creations that carry a request id: on UNAVAILABLE, and HTTP on 502, 503 and 504, as the
SDKs do. A call counts as failed when it still fails when its patience is over, and at once for any other answer.
"""

import collections
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
import uuid

import grpc
from harness.client import pb, sandbox_grpc
from harness.until import until

KINDS = ("create", "get", "delete", "list", "http")
PAUSE_S = 0.05
CLAIM_PAUSE_S = 3  # more claims would keep two cores busy with starting sandboxes
PATIENCE_S = 5


class Load:
    def __init__(self, grpc_target, http_url, parent, pool, sandbox):
        """sandbox: a claimed one, for HTTP; (namespace, name)."""
        self.http_url, self.parent, self.pool, self.sandbox = http_url, parent, pool, sandbox
        options = [("grpc.keepalive_time_ms", 10000), ("grpc.enable_http_proxy", 0)]
        self.channel = grpc.insecure_channel(grpc_target, options=options)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.stub = sandbox_grpc.SandboxServiceStub(self.channel)
        self.patience_s = PATIENCE_S  # how long a call is repeated
        self.made, self.repeated, self.failed = (collections.Counter() for _ in range(3))
        self.errors, self.lock = [], threading.Lock()
        self.over, self.abandoned = threading.Event(), threading.Event()
        # daemons: one that is in the middle of a call does not hold up the end of a run that failed
        self.threads = [
            threading.Thread(target=self._loop, args=args, daemon=True)
            for args in [(self._claim, CLAIM_PAUSE_S)] * 2 + [(self._read, PAUSE_S)] + [(self._http, PAUSE_S)] * 2
        ]

    def start(self):
        for t in self.threads:
            t.start()

    def stop(self):
        """Lets the calls under way come to their end."""
        self.over.set()
        until(lambda: not any(t.is_alive() for t in self.threads), timeout=120, what="the last calls answered")
        self.channel.close()

    def abandon(self):
        self.over.set()
        self.abandoned.set()
        self.channel.close()

    def more(self, n, timeout=180):
        """Waits until as many calls of each kind have been made from now on."""
        before = self.made.copy()
        until(
            lambda: all(self.made[k] - before[k] >= n for k in KINDS) or bool(self.failed),
            timeout=timeout,
            what=f"{n} more calls of each kind",
        )

    def judge(self):
        """No call has failed so far."""
        with self.lock:
            assert not self.failed, "\n".join(self.errors[:8])
            return f"{self.made.total()} calls made, {self.repeated.total()} repeated, 0 failed"

    def _loop(self, fn, pause):
        while not self.over.is_set():
            fn()
            self.over.wait(pause)

    def _call(self, kind, once):
        """once(again): makes the call; again is whether it was made before. Returns its answer, None when it failed."""
        began, pause, again, error = time.monotonic(), 0.1, False, None
        while True:
            try:
                out = once(again)
                break
            except Exception as e:
                reason = _code(e)
                waited = time.monotonic() - began
                if not _is_away(e) or waited >= self.patience_s or self.abandoned.is_set():
                    error = f"{time.strftime('%H:%M:%S')} {kind}, after {waited:.1f} s: {_text(e)}"
                    break
            with self.lock:
                self.repeated[f"{kind} {reason}"] += 1
            again = True
            self.abandoned.wait(pause)
            pause = min(2 * pause, 2)
        with self.lock:
            self.made[kind] += 1
            if error:
                self.failed[kind] += 1
                self.errors.append(error)
        return None if error else out

    def _claim(self):
        request = pb.CreateSandboxRequest(parent=self.parent, pool=self.pool, request_id=str(uuid.uuid4()))
        request.max_wait.FromSeconds(60)
        box = self._call("create", lambda _: self.stub.CreateSandbox(request, timeout=90))
        if box is None:
            return
        self._call("get", lambda _: self.stub.GetSandbox(pb.GetSandboxRequest(name=box.name), timeout=20))

        def delete(again):
            try:
                self.stub.DeleteSandbox(pb.DeleteSandboxRequest(name=box.name), timeout=20)
            except grpc.RpcError as e:
                # the first one may have done it before its answer was lost
                if not (again and e.code() == grpc.StatusCode.NOT_FOUND):
                    raise

        self._call("delete", delete)

    def _read(self):
        request = pb.ListSandboxesRequest(parent=self.parent, page_size=5)
        self._call("list", lambda _: self.stub.ListSandboxes(request, timeout=20))

    def _http(self):
        namespace, name = self.sandbox
        headers = {
            "X-Sandbox-ID": name,
            "X-Sandbox-Namespace": namespace,
            "X-Sandbox-Port": "8888",
            "Content-Type": "application/json",
        }
        body = json.dumps({"command": "echo again"}).encode()

        def once(_):
            request = urllib.request.Request(self.http_url + "/execute", data=body, headers=headers)
            with self.opener.open(request, timeout=30) as r:
                answer = json.load(r)
            if answer["stdout"] != "again\n":
                raise ValueError(f"answered {answer}")

        self._call("http", once)


def _is_away(error):
    """Whether the error says that a server is away for the moment, which may have begun in the middle of the call."""
    if isinstance(error, grpc.RpcError):
        return error.code() == grpc.StatusCode.UNAVAILABLE
    if isinstance(error, urllib.error.HTTPError):
        return error.code in (502, 503, 504)
    return isinstance(error, OSError | http.client.HTTPException)


def _code(error):
    if isinstance(error, grpc.RpcError):
        return error.code().name
    return error.code if isinstance(error, urllib.error.HTTPError) else type(error).__name__


def _text(error):
    if isinstance(error, grpc.RpcError):
        return f"{error.code().name}: {error.details()}"
    return repr(error)
