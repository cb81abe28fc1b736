"""A router with HTTPS, set up by a file of settings, in front of real sandboxes: clients as people have them, and a certificate that changes under an open WebSocket."""

import http.client
import ssl
import subprocess
import types

import pytest
import yaml
from harness.stack import ROOT
from harness.until import until
from websockets.sync.client import connect

SERVER = """
import base64, hashlib, http.server, socketserver
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        if self.headers.get('Upgrade') == 'websocket':
            return self.talk()
        body = str(self.headers).encode()
        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()
        self.wfile.write(body)
    def talk(self):
        key = self.headers['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
        self.send_response(101); self.send_header('Upgrade', 'websocket'); self.send_header('Connection', 'Upgrade')
        self.send_header('Sec-WebSocket-Accept', base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers(); self.wfile.flush()
        while head := self.rfile.read(2):
            mask = self.rfile.read(4); data = self.rfile.read(head[1] & 127)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
            self.wfile.write(bytes([head[0], len(data)]) + data); self.wfile.flush()
            if head[0] & 15 == 8:
                break
        self.close_connection = True
    def log_message(self, *a): pass
class S(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads = True
S(('127.0.0.1', 3000), H).serve_forever()
"""


def write_certificates(folder):
    bazel_bin = (ROOT / "out/.built").read_text().split("\n")[0]
    subprocess.run([f"{bazel_bin}/services/router/testing/certificates", folder, "agent 7", "24"], check=True)


@pytest.fixture(scope="module")
def door(stack, tmp_path_factory):
    """One more router of the stack: its port, and the folder of its certificates."""
    folder = tmp_path_factory.mktemp("tls")
    port = stack.http_port + 60
    write_certificates(folder)
    settings = {
        "http-bind-address": "",
        "https-bind-address": f"127.0.0.1:{port}",
        "grpc-address": f"127.0.0.1:{port + 1}",
        "admin-address": f"127.0.0.1:{port + 2}",
        "redis-address": f"unix:{stack.data}/redis.sock",
        "tls-cert-file": f"{folder}/tls.crt",
        "tls-key-file": f"{folder}/tls.key",
        "tls-client-ca-file": f"{folder}/ca.crt",
        "mtls-mode": "optional",
        "tls-min-version": 1.3,
    }
    (folder / "router.yaml").write_text(yaml.safe_dump(settings))
    with (
        open(folder / "log", "wb") as log,
        subprocess.Popen(
            [f"{stack.data}/bin/sandplane-router"],
            env={**stack.env, "SANDBOX_ROUTER_CONFIG": f"{folder}/router.yaml"},
            stdout=log,
            stderr=log,
        ) as router,
    ):

        def ready():
            assert router.poll() is None, (folder / "log").read_text()
            c = http.client.HTTPConnection("127.0.0.1", port + 2, timeout=20)
            c.request("GET", "/readyz")
            return c.getresponse().status == 200

        until(ready, timeout=60, what="the router is ready", may_fail=OSError)
        yield types.SimpleNamespace(port=port, folder=folder)
        router.terminate()
        assert router.wait(60) == 0, (folder / "log").read_text()


@pytest.fixture(scope="module")
def box(client, door):
    with client.sandbox() as b:
        client.write(b.name, "server.py", SERVER.encode())
        client.sh(b.name, "setsid python3 server.py >/dev/null 2>&1 &")
        name = b.name.rsplit("/", 1)[1]
        # --upstream-max-retries are for a port that nobody listens on yet
        until(lambda: ask(door, name)[0] == 200, timeout=60, what="the program answers")
        yield name


def context(door, own=False):
    made = ssl.create_default_context(cafile=f"{door.folder}/ca.crt")
    if own:
        made.load_cert_chain(f"{door.folder}/client.crt", f"{door.folder}/client.key")
    return made


def fields(box):
    return {"X-Sandbox-ID": box, "X-Sandbox-Port": "3000"}


def ask(door, box, **kw):
    c = http.client.HTTPSConnection("127.0.0.1", door.port, timeout=30, context=context(door, **kw))
    try:
        c.request("GET", "/", headers=fields(box))
        r = c.getresponse()
        return r.status, r.read().decode()
    finally:
        c.close()


def test_https(door, box):
    status, seen = ask(door, box)
    assert status == 200
    assert "X-Forwarded-Proto: https" in seen
    assert ask(door, box, own=True)[0] == 200
    assert '"client_subject":"CN=agent 7"' in (door.folder / "log").read_text()


def test_old_version(door):
    old = context(door)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    c = http.client.HTTPSConnection("127.0.0.1", door.port, timeout=30, context=old)
    with pytest.raises(ssl.SSLError):
        c.request("GET", "/healthz")


def test_websocket_outlives_its_certificate(door, box):
    url = f"wss://127.0.0.1:{door.port}/"
    before = context(door)
    with connect(url, ssl=before, additional_headers=fields(box), compression=None) as ws:
        ws.send("one")
        assert ws.recv(timeout=30) == "one"
        write_certificates(door.folder)

        def is_new():
            try:
                return ask(door, box)[0] == 200
            except ssl.SSLError:
                return False  # the old one still, of an authority that is not trusted any more

        until(is_new, timeout=60, what="the new certificate is shown")
        ws.send("two")
        assert ws.recv(timeout=30) == "two"
    with connect(url, ssl=context(door), additional_headers=fields(box), compression=None) as ws:
        ws.send("three")
        assert ws.recv(timeout=30) == "three"
