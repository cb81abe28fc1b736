"""HTTP to an API server with as little of its own time as Python allows: kept connections without Nagle, one thread, no library
between socket and caller, so that what is measured is the server."""

import json
import pathlib
import re
import select
import socket
import ssl
import time


class Api:
    """Makes connections after a kubeconfig as tools/cluster writes it."""

    def __init__(self, kubeconfig):
        text = pathlib.Path(kubeconfig).read_text()

        def field(name):
            return re.search(rf"\b{name}: *\"?([^\s\"]+)", text).group(1)

        host, port = field("server").removeprefix("https://").rsplit(":", 1)
        self.address = host, int(port)
        self.context = ssl.create_default_context(cafile=field("certificate-authority"))
        self.context.load_cert_chain(field("client-certificate"), field("client-key"))

    def connect(self):
        sock = socket.create_connection(self.address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(sock, server_hostname=self.address[0])

    def bytes_of(self, method, path, body=None, kind="application/json"):
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: api\r\nUser-Agent: bench\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data


class Connection:
    """One request at a time."""

    def __init__(self, api):
        self.api, self.sock = api, api.connect()

    def send(self, *request):
        self.sock.sendall(self.api.bytes_of(*request))

    def receive(self):
        """(status, object) of the request sent last."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some()
        head, body = data.split(b"\r\n\r\n", 1)
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
        if length:
            while len(body) < int(length.group(1)):
                body += self._some()
        else:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._some()
            body = _unchunk(body)[0]
        return int(head.split(b" ", 2)[1]), _parsed(body)

    def call(self, *request):
        self.send(*request)
        status, answer = self.receive()
        if status >= 300:
            raise RuntimeError(f"{request[0]} {request[1]}: {status} {answer.get('message')}")
        return answer

    def patch(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def _some(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise EOFError("the API server closed a connection")
        return data


class Watch:
    """A watch from now on."""

    def __init__(self, api, path):
        version = Connection(api).call("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
        self.sock = api.connect()
        self.sock.sendall(api.bytes_of("GET", f"{path}?watch=1&timeoutSeconds=3600&resourceVersion={version}"))
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.sock.recv(1 << 16)
        head, self.chunks = data.split(b"\r\n\r\n", 1)
        if b" 200 " not in head[:20]:
            raise RuntimeError(f"watch {path}: {head.decode()}")
        self.lines = b""
        self.sock.setblocking(False)

    def events(self, timeout):
        """[(perf_counter of its arrival, event)] that come within the time, as soon as there is one."""
        end = time.perf_counter() + timeout
        while True:
            found = self._read()
            left = end - time.perf_counter()
            if found or left <= 0:
                return found
            select.select([self.sock], [], [], left)

    def _read(self):
        data, at = b"", None
        while True:
            try:
                # until there is none: what the TLS layer has read already, select() does not tell
                some = self.sock.recv(1 << 18)
            except ssl.SSLWantReadError:
                break
            if not some:
                raise EOFError("the watch ended")
            data, at = data + some, at or time.perf_counter()
        text, self.chunks = _unchunk(self.chunks + data)
        *lines, self.lines = (self.lines + text).split(b"\n")
        return [(at, json.loads(line)) for line in lines]


def _parsed(body):
    """Errors of the server's outer parts are plain text."""
    try:
        return json.loads(body)
    except ValueError:
        return {"message": body.decode(errors="replace")}


def _unchunk(data):
    """(content of the whole chunks, what is left)."""
    content = b""
    while (end := data.find(b"\r\n")) >= 0:
        size = int(data[:end], 16)
        if len(data) < end + 4 + size:
            break
        content += data[end + 2 : end + 2 + size]
        data = data[end + 4 + size :]
    return content, data
