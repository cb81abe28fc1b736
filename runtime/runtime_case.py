"""The runtime from outside, with the real program: its wire protocol on a Unix socket and its HTTP. For the tests beside."""

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, ".")
sys.path.insert(0, "e2e/harness")
from api.sandplane.internal.v1.runtime_pb2 import RuntimeBind, RuntimeOpen, RuntimeStatus
from api.sandplane.v1.sandbox_pb2 import (
    Command,
    ExecRequest,
    ExecResponse,
    ExecStreamRequest,
    ExecStreamResponse,
    TerminalSize,
)
from until import until

RUNTIME = "runtime/sandplane-runtime"
MESSAGE, OPEN, HALF_CLOSE, STATUS, ACCEPT = 0, 1, 2, 3, 4


def frame(kind, payload=b""):
    """payload: bytes or a message."""
    if not isinstance(payload, bytes):
        payload = payload.SerializeToString()
    return struct.pack(">BI", kind, len(payload)) + payload


def opening(method, uid="claim", bind=True, sandbox="", trace="", port=0):
    return frame(
        OPEN,
        RuntimeOpen(
            method=method,
            claim_uid=uid,
            bind=RuntimeBind() if bind else None,
            port=port,
            sandbox=sandbox,
            traceparent=trace,
        ),
    )


def request(*args, stdin=b""):
    """The message of Exec."""
    return frame(MESSAGE, ExecRequest(name="sandbox", command=Command(args=args), stdin=stdin))


def start(*args, **more):
    """The first message of ExecStream; more: further fields of it."""
    return frame(
        MESSAGE,
        ExecStreamRequest(start=ExecStreamRequest.Start(name="sandbox", command=Command(args=args), **more)),
    )


def stdin(data):
    return frame(MESSAGE, ExecStreamRequest(stdin=data))


TERMINAL = TerminalSize(columns=80, rows=24)


def alive(pid):
    try:
        with open(f"/proc/{int(pid)}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class RuntimeCase(unittest.TestCase):
    def flags(self):
        return [f"--listen-unix={self.path}"]

    def odd_start(self):
        """More for Popen."""
        return {}

    def setUp(self):
        dir_ = tempfile.TemporaryDirectory(prefix="rt")
        self.addCleanup(dir_.cleanup)
        self.home = f"{dir_.name}/home"
        self.path = f"{dir_.name}/s"
        os.mkdir(self.home)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.p = subprocess.Popen(
            [RUNTIME, *self.flags(), f"--http-address=127.0.0.1:{self.port}", f"--base-dir={self.home}"],
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "SANDBOX_EXEC_TIMEOUT_SECONDS": "2"},
            **self.odd_start(),
        )
        self.addCleanup(self.end)
        until(lambda: self.http_socket().close() is None, 60, "the runtime listens", may_fail=ConnectionRefusedError)

    def end(self):
        alive = self.p.poll() is None
        self.p.terminate()
        self.assertEqual(self.p.wait(60), 0)
        self.assertTrue(alive, "the runtime ended by itself")

    def put(self, name, text):
        with open(f"{self.home}/{name}", "w") as f:
            f.write(text)

    def get(self, name):
        with open(f"{self.home}/{name}", "rb") as f:
            return f.read()

    def http_socket(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.addCleanup(s.close)
        return s

    # ---- wire ----

    def wire(self):
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.settimeout(60)
        s.connect(self.path)
        return s

    def exactly(self, s, n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            self.assertTrue(more, "the connection ended")
            data += more
        return data

    def answers(self, s, of=ExecResponse):
        """The messages up to the status, each one `of` these, and its code."""
        messages = []
        while True:
            kind, size = struct.unpack(">BI", self.exactly(s, 5))
            payload = self.exactly(s, size)
            if kind == STATUS:
                return messages, RuntimeStatus.FromString(payload).code
            messages.append(of.FromString(payload))

    def exec(self, *args, stdin=b""):
        s = self.wire()
        s.sendall(opening("Exec") + request(*args, stdin=stdin) + frame(HALF_CLOSE))
        return self.answers(s)

    def sh(self, script, stdin=b""):
        """What it prints."""
        messages, code = self.exec("sh", "-c", script, stdin=stdin)
        self.assertEqual(code, 0)
        return messages[0].stdout.decode()

    def stream(self, *args, **more):
        """ExecStream: a connection to which the start has been sent. more: further fields of it."""
        s = self.wire()
        s.sendall(opening("ExecStream") + start(*args, **more))
        return s

    def until_output(self, s, text):
        """Reads messages until what the command printed has text; what it was."""
        out = b""
        while text not in out:
            kind, size = struct.unpack(">BI", self.exactly(s, 5))
            payload = self.exactly(s, size)
            self.assertEqual(kind, MESSAGE, f"{text} is not in {out}")
            out += ExecStreamResponse.FromString(payload).stdout
        return out

    # ---- HTTP ----

    def reply(self, f):
        status = int(f.readline().split()[1])
        headers = {}
        while (line := f.readline()) not in (b"\r\n", b""):
            name, value = line.split(b":", 1)
            headers[name.lower()] = value.strip()
        if b"content-length" in headers:
            return status, f.read(int(headers[b"content-length"]))
        if b"transfer-encoding" not in headers:
            return status, f.read()
        body = bytearray()
        while size := int(f.readline(), 16):
            body += f.read(size)
            self.assertEqual(f.readline(), b"\r\n")
        self.assertEqual(f.readline(), b"\r\n")
        return status, bytes(body)

    def ask(self, method, path, body=b"", kind="application/json"):
        s = self.http_socket()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        s.sendall(head.encode() + body)
        return self.reply(s.makefile("rb"))

    def execute(self, line, **more):
        status, body = self.ask("POST", "/execute", json.dumps({"command": line, **more}).encode())
        self.assertEqual(status, 200)
        return json.loads(body)

    def upload(self, name, data):
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        return self.ask("POST", "/upload", head + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")
