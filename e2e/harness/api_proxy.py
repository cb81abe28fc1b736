"""Between a service and what it depends on, to do to it what networks, servers and the kernel do: an HTTPS proxy before the
API server, and a relay before Redis's Unix socket. Tests count, kill, delay, refuse and cut at exact points through hooks.

A hook runs in the thread of its connection, so everything that it waits for is waited for by that one request alone.
"""

import dataclasses
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import urllib.parse

import yaml

from harness.until import let_pass

DROP = object()  # what a hook returns to have the connection end there
HALF = object()  # what an after hook returns to have it end in the middle of the answer
# made once a request: what one hop may not hand to the next
HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}
PATH = re.compile(
    r"^(?:/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<ns>[^/]+)(?=/))?/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?$"
)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a before hook returns instead of letting the request pass."""

    code: int
    retry_after: int = 0
    reason: str = ""

    def body(self):
        reason = self.reason or {
            409: "Conflict",
            429: "TooManyRequests",
            410: "Expired",
            503: "ServiceUnavailable",
        }.get(self.code, "InternalError")
        return json.dumps(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": "made up by a test",
                "reason": reason,
                "code": self.code,
            }
        ).encode()


@dataclasses.dataclass
class Request:
    method: str
    path: str
    resource: str
    subresource: str
    namespace: str
    name: str
    is_watch: bool
    body: bytes = b""

    @property
    def is_write(self):
        return self.method != "GET"

    def __str__(self):
        return f"{self.method} {self.resource}" + (f"/{self.subresource}" if self.subresource else "")


def parse(method, target):
    path, _, query = target.partition("?")
    m = PATH.match(path)
    part = (lambda key: (m.group(key) if m else "") or "") if m else (lambda key: "")
    is_watch = urllib.parse.parse_qs(query).get("watch", ["0"])[0] in ("1", "true")
    return Request(method, target, part("resource"), part("sub"), part("ns"), part("name"), is_watch)


class Listener:
    """Accepts connections and gives each a thread; can go away and come back at the same address."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sockets = set()
        self.server = None

    def bind(self):
        raise NotImplementedError

    def serve(self, connection):
        raise NotImplementedError

    def open(self):
        self.server = self.bind()
        threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()
        return self

    def close(self):
        """Nobody can connect, and every connection ends."""
        server, self.server = self.server, None
        if server:
            server.shutdown(socket.SHUT_RDWR)  # wakes accept
            server.close()
        self.cut()

    def cut(self):
        """Ends every connection; new ones are welcome."""
        with self.lock:
            sockets, self.sockets = self.sockets, set()
        for s in sockets:
            shut(s)

    def keep(self, s):
        with self.lock:
            self.sockets.add(s)
        return s

    def _accept(self, server):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self.keep(connection)
        try:
            self.serve(connection)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the ends of connections are what this is about
        finally:
            with self.lock:
                self.sockets.discard(connection)
            shut(connection)
            connection.close()


def shut(s):
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


# ---- HTTPS ----


class ApiProxy(Listener):
    """`before(request)` and `after(request, code)` are the hooks; None lets things take their course.

    before: an Answer, DROP. after: it has been done and is not answered yet: an Answer, DROP, HALF.
    """

    def __init__(self, kubeconfig, folder, port):
        super().__init__()
        self.folder, self.port = pathlib.Path(folder), port
        self.before = self.after = None
        self.lag = {}  # resource -> seconds that its watch is behind
        self.watches = set()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._make_certificate()
        self.kubeconfig = self.folder / "kubeconfig"
        config = yaml.safe_load(pathlib.Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.host = cluster["server"].removeprefix("https://")
        self.upstream = ssl.create_default_context(cafile=cluster["certificate-authority"])
        if "client-certificate" in user:  # of a token nothing needs to be known: it is in each request
            self.upstream.load_cert_chain(user["client-certificate"], user["client-key"])
        cluster.update({"server": f"https://127.0.0.1:{port}", "certificate-authority": f"{self.folder}/tls.crt"})
        self.kubeconfig.write_text(yaml.safe_dump(config))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.folder / "tls.crt", self.folder / "tls.key")
        self.context.set_alpn_protocols(["http/1.1"])

    def _make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=api-proxy", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", self.folder / "tls.key", "-out", self.folder / "tls.crt"],
            check=True, capture_output=True,
        )  # fmt: skip

    def bind(self):
        return socket.create_server(("127.0.0.1", self.port), backlog=256)

    def _connect(self):
        connection = http.client.HTTPSConnection(self.host, context=self.upstream, timeout=700)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def calm(self):
        self.before = self.after = None
        self.lag = {}

    def cut_watches(self, with_410=False):
        """Ends every watch under way, as a connection that breaks, or as expired: the server has forgotten its version."""
        with self.lock:
            watches = list(self.watches)
        for w in watches:
            w.end(with_410)
        return len(watches)

    def serve(self, raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(30)
        connection = self.keep(self.context.wrap_socket(raw, server_side=True))
        connection.settimeout(None)
        upstream = None
        try:
            with connection.makefile("rb") as reader:
                while line := reader.readline():
                    method, target, _ = line.decode().split(" ", 2)
                    headers = http.client.parse_headers(reader)
                    request = parse(method, target)
                    request.body = reader.read(int(headers.get("Content-Length", "0")))
                    upstream = upstream or self._connect()
                    if not self._one(connection, upstream, request, headers):
                        return
        finally:
            if upstream:
                upstream.close()
            with self.lock:
                self.sockets.discard(connection)
            connection.close()

    def _one(self, connection, upstream, request, headers):
        """True when the connection goes on."""
        will = self.before(request) if self.before else None
        if will is DROP:
            return False
        if will is not None:
            return self._answer(connection, will)
        upstream.request(
            request.method,
            request.path,
            request.body or None,
            {k: v for k, v in headers.items() if k.lower() not in HOP},
        )
        response = upstream.getresponse()
        if request.is_watch and response.status == 200:
            return Watch(self, connection, request.resource).relay(response)
        body = response.read()
        will = self.after(request, response.status) if self.after else None
        if will is DROP:
            return False
        if isinstance(will, Answer):
            return self._answer(connection, will)
        text = f"HTTP/1.1 {response.status} {response.reason}\r\nContent-Length: {len(body)}\r\n"
        text += "".join(f"{k}: {v}\r\n" for k, v in response.getheaders() if k.lower() not in HOP)
        whole = text.encode() + b"\r\n" + body
        connection.sendall(whole[: len(whole) - max(1, len(body) // 2)] if will is HALF else whole)
        return will is not HALF

    @staticmethod
    def _answer(connection, answer):
        body = answer.body()
        retry = f"Retry-After: {answer.retry_after}\r\n" if answer.retry_after else ""
        text = f"HTTP/1.1 {answer.code} Made Up\r\nContent-Type: application/json\r\n{retry}Content-Length: {len(body)}\r\n\r\n"
        connection.sendall(text.encode() + body)
        return True


class Watch:
    def __init__(self, proxy, connection, resource):
        self.proxy, self.connection, self.resource = proxy, connection, resource
        self.lock = threading.Lock()
        self.ended = False

    def relay(self, response):
        self.connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        with self.proxy.lock:
            self.proxy.watches.add(self)
        try:
            while line := response.readline():
                if late := self.proxy.lag.get(self.resource):
                    let_pass(late, "a watch that is late")
                if not self._chunk(line):
                    return False
            with self.lock:
                self.connection.sendall(b"0\r\n\r\n")
            return True
        finally:
            with self.proxy.lock:
                self.proxy.watches.discard(self)

    def _chunk(self, line):
        with self.lock:
            if self.ended:
                return False
            self.connection.sendall(b"%x\r\n%s\r\n" % (len(line), line))
        return True

    def end(self, with_410):
        if with_410:
            self._chunk(json.dumps({"type": "ERROR", "object": json.loads(Answer(410).body())}).encode() + b"\n")
        with self.lock:
            self.ended = True
        shut(self.connection)


# ---- Redis ----


class RedisRelay(Listener):
    """Before a Redis at a Unix socket. `before(command)` and `after(command)` as above, command a list of bytes; only DROP."""

    def __init__(self, path, upstream):
        super().__init__()
        self.path, self.upstream = str(path), str(upstream)
        self.before = self.after = None

    def bind(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        server = socket.socket(socket.AF_UNIX)
        server.bind(self.path)
        server.listen(64)
        return server

    def calm(self):
        self.before = self.after = None

    def serve(self, connection):
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(self.upstream)
        self.keep(upstream)
        sent = []  # commands whose answers are still to come, in order; of a subscriber nobody counts them
        answers = threading.Thread(target=self._answers, args=(connection, upstream, sent), daemon=True)
        answers.start()
        try:
            with connection.makefile("rb") as reader:
                while raw := read_resp(reader):
                    command = words(raw)
                    if self.before and self.before(command) is DROP:
                        return
                    sent.append(command)
                    upstream.sendall(raw)
        finally:
            with self.lock:
                self.sockets.discard(upstream)
            shut(upstream)
            answers.join(5)
            upstream.close()

    def _answers(self, connection, upstream, sent):
        try:
            with upstream.makefile("rb") as reader:
                while raw := read_resp(reader):
                    command = sent.pop(0) if sent else []
                    if command and self.after and self.after(command) is DROP:
                        break
                    connection.sendall(raw)
        except OSError:
            pass
        shut(connection)


def read_resp(reader):
    """One value of Redis's protocol as it came, b"" at the end."""
    line = reader.readline()
    if not line or line[:1] not in b"*$~%>":
        return line
    n = int(line[1:])
    if line[:1] == b"$":
        return line + (reader.read(n + 2) if n >= 0 else b"")
    for _ in range(max(n, 0) * (2 if line[:1] == b"%" else 1)):
        line += read_resp(reader)
    return line


def words(raw):
    """The strings of a command."""
    found, rest = [], raw
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        if line[:1] == b"$":
            n = int(line[1:])
            found.append(rest[:n])
            rest = rest[n + 2 :]
    return found
