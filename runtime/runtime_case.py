"""The runtime from outside, with the real program: its wire protocol on a Unix socket and its HTTP. For the tests beside."""

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "lib/wire/testing")
sys.path.insert(0, "e2e/harness")
from protobuf import field, fields
from until import until

RUNTIME = "runtime/sandplane-runtime"
MESSAGE, OPEN, HALF_CLOSE, STATUS, ACCEPT = 0, 1, 2, 3, 4


def frame(kind, payload=b""):
    return struct.pack(">BI", kind, len(payload)) + payload


def opening(method, uid="claim", bind=True, sandbox="", trace="", port=0):
    more = (
        (field(3, b"") if bind else b"")
        + (field(4, port) if port else b"")
        + (field(6, sandbox) if sandbox else b"")
        + (field(7, trace) if trace else b"")
    )
    return frame(OPEN, field(1, method) + field(2, uid) + more)


def command(*args):
    return field(2, b"".join(field(1, a) for a in args))


def start(*args, more=b""):
    """The first message of ExecStream."""
    return field(1, field(1, "sandbox") + command(*args) + more)


# of ExecStream's start
TERMINAL = field(3, field(1, 80) + field(2, 24))
NO_STDIN = field(4, 1)


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

    def answers(self, s):
        """The messages up to the status, and its code."""
        messages = []
        while True:
            kind, size = struct.unpack(">BI", self.exactly(s, 5))
            payload = self.exactly(s, size)
            if kind == STATUS:
                return messages, fields(payload).get(1, [0])[0]
            messages.append(fields(payload))

    def exec(self, *args, stdin=b""):
        s = self.wire()
        request = field(1, "sandbox") + command(*args) + (field(3, stdin) if stdin else b"")
        s.sendall(opening("Exec") + frame(MESSAGE, request) + frame(HALF_CLOSE))
        return self.answers(s)

    def sh(self, script, stdin=b""):
        """What it prints."""
        messages, code = self.exec("sh", "-c", script, stdin=stdin)
        self.assertEqual(code, 0)
        return messages[0].get(1, [b""])[0].decode()

    def stream(self, *args, more=b""):
        """ExecStream: a connection to which the start has been sent. more: further fields of it."""
        s = self.wire()
        s.sendall(opening("ExecStream") + frame(MESSAGE, start(*args, more=more)))
        return s

    def until_output(self, s, text):
        """Reads messages until what the command printed has text; what it was."""
        out = b""
        while text not in out:
            kind, size = struct.unpack(">BI", self.exactly(s, 5))
            payload = fields(self.exactly(s, size))
            self.assertEqual(kind, MESSAGE, f"{text} is not in {out}")
            out += payload.get(2, [b""])[0]
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
