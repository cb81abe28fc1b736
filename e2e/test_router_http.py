"""The HTTP half of the router: headers in, a sandbox's port out (as the SDKs use it)."""

import base64
import hashlib
import http.client
import json
import os
import socket

import pytest
from harness.until import until

SERVER = """
import base64, hashlib, http.server, socketserver
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        if self.headers.get('Upgrade') == 'websocket':
            key = self.headers['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            self.send_response(101); self.send_header('Upgrade', 'websocket'); self.send_header('Connection', 'Upgrade')
            self.send_header('Sec-WebSocket-Accept', accept); self.end_headers()
            while True:
                data = self.connection.recv(4096)
                if not data: return
                self.connection.sendall(data)
        body = (self.command + ' ' + self.path + '\\n' + str(self.headers)).encode()
        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.send_header('X-App', 'yes'); self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
    do_HEAD = do_DELETE = do_GET
    def do_POST(self):
        n = int(self.headers.get('Content-Length', 0)); h = hashlib.sha256()
        while n: d = self.rfile.read(min(n, 65536)); h.update(d); n -= len(d)
        body = h.hexdigest().encode()
        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
    do_PUT = do_POST
    def log_message(self, *a): pass
class S(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads = True
S(('127.0.0.1', 3000), H).serve_forever()
"""


@pytest.fixture(scope="module")
def box(client):
    with client.sandbox() as b:
        client.write(b.name, "server.py", SERVER.encode())
        client.sh(b.name, "setsid python3 server.py >/dev/null 2>&1 & sleep 0.5")
        yield b.name.rsplit("/", 1)[1]


@pytest.fixture(params=[0, 1], ids=["router-1", "router-2"])
def router(request, stack):
    return stack.http_ports[request.param]


def ask(port, method, path, headers=None, body=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    finally:
        c.close()


def test_runtime_as_the_sdk_calls_it(router, box):
    h = {"X-Sandbox-ID": box, "X-Sandbox-Namespace": "default", "X-Sandbox-Port": "8888"}
    status, _, body = ask(router, "GET", "/", h)
    assert (status, json.loads(body)) == (200, {"status": "ok", "message": "Sandbox Runtime is active."})
    command = json.dumps({"command": "echo 'Hello from the sandboxed environment!'"})
    status, _, body = ask(router, "POST", "/execute", {**h, "Content-Type": "application/json"}, command)
    assert (status, json.loads(body)) == (
        200,
        {"stdout": "Hello from the sandboxed environment!\n", "stderr": "", "exit_code": 0},
    )
    boundary = "b" * 16
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="up.txt"\r\n\r\ndata\r\n--{boundary}--\r\n'
    status, _, body = ask(
        router, "POST", "/upload", {**h, "Content-Type": f"multipart/form-data; boundary={boundary}"}, part
    )
    assert status == 200 and b"uploaded successfully" in body
    assert ask(router, "GET", "/download/up.txt", h)[2] == b"data"
    assert json.loads(ask(router, "GET", "/exists/up.txt", h)[2]) == {"path": "up.txt", "exists": True}
    assert "up.txt" in [f["name"] for f in json.loads(ask(router, "GET", "/list/", h)[2])]


def test_any_port_and_path(router, box):
    h = {"X-Sandbox-ID": box, "X-Sandbox-Port": "3000", "Authorization": "Bearer x", "X-Own": "kept"}
    until(lambda: ask(router, "GET", "/", h)[0] == 200, what="server inside")
    status, headers, body = ask(router, "GET", "/a%2Fb/../c?x=1&y=%20", h)
    assert status == 200 and headers["x-app"] == "yes"
    text = body.decode()
    assert "x=1&y=%20" in text.split("\n")[0]
    assert "X-Own: kept" in text and "Authorization" not in text


def test_large_body_streams(router, box):
    data = os.urandom(1 << 20) * 32
    status, _, body = ask(router, "POST", "/", {"X-Sandbox-ID": box, "X-Sandbox-Port": "3000"}, data)
    assert status == 200 and body.decode() == hashlib.sha256(data).hexdigest()


def test_websocket_passes_byte_for_byte(router, box):
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", router), timeout=20) as s:
        s.sendall(
            f"GET /ws HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: {box}\r\nX-Sandbox-Port: 3000\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += s.recv(4096)
        assert head.startswith(b"HTTP/1.1 101")
        frame = bytes([0x82, 0x05]) + b"\x00\xff\x01\r\n"
        s.sendall(frame)
        got = head.split(b"\r\n\r\n", 1)[1]
        while len(got) < len(frame):
            got += s.recv(4096)
        assert got == frame


@pytest.mark.parametrize(
    "headers,status,detail",
    [
        ({}, 400, "X-Sandbox-ID header is required."),
        ({"X-Sandbox-ID": ""}, 400, "X-Sandbox-ID header is required."),
        ({"X-Sandbox-ID": "Not/Valid"}, 400, "Invalid sandbox ID format."),
        ({"X-Sandbox-ID": "a", "X-Sandbox-Namespace": "../x"}, 400, "Invalid namespace format."),
        ({"X-Sandbox-ID": "a", "X-Sandbox-Port": "http"}, 400, "Invalid port format."),
        ({"X-Sandbox-ID": "a", "X-Sandbox-Port": "70000"}, 400, "Invalid port format."),
    ],
)
def test_refusals(router, headers, status, detail):
    got, _, body = ask(router, "GET", "/x", headers)
    assert (got, json.loads(body)) == (status, {"detail": detail})


def test_port_nobody_listens_on(router, box):
    status, _, body = ask(router, "GET", "/", {"X-Sandbox-ID": box, "X-Sandbox-Port": "3999"})
    why = f"Could not connect to the backend sandbox: {box}: nothing listens on port 3999"
    assert (status, json.loads(body)) == (502, {"detail": why, "reason": "port_closed"})


def test_sandbox_that_is_none(router):
    status, _, body = ask(router, "GET", "/", {"X-Sandbox-ID": "nobody-aaaaa", "X-Sandbox-Port": "3000"})
    assert (status, json.loads(body)["reason"]) == (502, "no_sandbox")


SMALL = """
import socket
s = socket.create_server(('127.0.0.1', 3001))
while True:
    c = s.accept()[0]
    path = c.recv(4096).split()[1]
    if path == b'/lf': c.sendall(b'HTTP/1.0 200 OK\\nX-App: lf\\n\\nabc')
    elif path == b'/both': c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3\\r\\nabc\\r\\n0\\r\\n\\r\\n')
    elif path == b'/ssh': c.sendall(b'SSH-2.0-x\\r\\n')
    c.close()
"""


def test_answers_of_small_programs(router, client, box):
    """What browsers take comes through; of what they do not, the answer says why."""
    name = f"namespaces/default/sandboxes/{box}"
    client.write(name, "small.py", SMALL.encode())
    client.sh(name, "setsid python3 small.py >/dev/null 2>&1 &")
    h = {"X-Sandbox-ID": box, "X-Sandbox-Port": "3001"}
    until(lambda: ask(router, "GET", "/lf", h)[0] == 200, what="server inside")
    assert ask(router, "GET", "/lf", h)[2] == b"abc"
    assert ask(router, "GET", "/both", h)[2] == b"abc"
    for path, reason in (("/ssh", "not_http"), ("/nothing", "no_answer")):
        status, _, body = ask(router, "GET", path, h)
        assert (status, json.loads(body)["reason"]) == (502, reason)


def test_healthz_needs_no_headers(router):
    status, _, body = ask(router, "GET", "/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok"})


def test_smuggling_is_refused(router, box):
    for bad in (
        f"POST / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: {box}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: {box}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "GET / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID : a\r\n\r\n",
        "garbage\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", router), timeout=10) as s:
            s.sendall(bad.encode())
            got = s.recv(4096)
            assert got.startswith(b"HTTP/1.1 400"), got
