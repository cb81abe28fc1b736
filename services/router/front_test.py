"""gRPC and gRPC-Web at the router's own front, byte for byte: both listeners, both versions of HTTP, pages of browsers,
and peers that mean harm beside one that does not."""

import base64
import http.client
import os
import resource
import socket
import struct
import sys

sys.path.insert(0, ".")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "testing"))
import unittest

import http2_client
from api.sandplane.v1.sandbox_pb2 import Command, ExecRequest, ExecResponse, ExecStreamRequest
from harness import StackTest, exec_request, name_of, until

PATH = "/sandplane.v1.SandboxService/"
HEALTH = "/grpc.health.v1.Health/Check"
GRPC, WEB, TEXT = "application/grpc", "application/grpc-web+proto", "application/grpc-web-text+proto"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ORIGIN = "https://dashboard.test"
CANCEL, ENHANCE_YOUR_CALM = 8, 11


def packed(message, flags=0):
    data = message if isinstance(message, bytes) else message.SerializeToString()
    return struct.pack(">BI", flags, len(data)) + data


def unpacked(body):
    """Of a body of gRPC-Web: its messages, and the fields of its last frame."""
    messages = []
    while True:
        flags, n = struct.unpack(">BI", body[:5])
        data, body = body[5 : 5 + n], body[5 + n :]
        if flags == 0x80:
            assert not body, body
            assert data.endswith(b"\r\n"), data
            return messages, dict(line.split(": ", 1) for line in data.decode().split("\r\n")[:-1])
        assert flags == 0, flags
        messages.append(data)


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def call_head(path, *fields):
    """POST, http."""
    return b"\x83\x86" + b"".join(literal(*f) for f in [(":path", path), (":authority", "a"), *fields])


class FrontTest(StackTest):
    def setUp(self):
        super().setUp()
        _, route, _ = self.stack.runtime()
        self.box = self.stack.sandbox(route)

    def client(self, port=None, **kw):
        client = http2_client.Client(port or self.stack.grpc, **kw)
        self.addCleanup(client.close)
        return client

    def ask(self, client, path, *fields, kind=GRPC):
        return client.ask(path, "POST", [("content-type", kind), ("te", "trailers"), *fields], end=False)

    def call(self, client, path, body, *fields, kind=GRPC):
        stream = self.ask(client, path, *fields, kind=kind)
        client.send(stream, body)
        return client.answer(stream)

    def exec(self, client, **kw):
        answer = self.call(client, PATH + "Exec", packed(exec_request(self.box, "echo", "hi")), **kw)
        self.assertEqual(answer.trailers, {"grpc-status": "0"}, answer.head)
        self.assertEqual(ExecResponse.FromString(answer.body[5:]).stdout, b"hi\n")
        return answer

    def post(self, port, path, body, kind, **fields):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.addCleanup(c.close)
        c.request("POST", path, body, {"Content-Type": kind, **fields})
        r = c.getresponse()
        return r, r.read()


class Front(FrontTest):
    flags = [f"--grpc-web-allowed-origins=http://localhost:3000,{ORIGIN}"]

    def test_both_listeners(self):
        for port in (self.stack.grpc, self.stack.http):
            answer = self.exec(self.client(port))
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.head["content-type"], "application/grpc")

    def test_requests_for_a_sandbox_are_proxied_by_both(self):
        """Whatever they carry: nothing listens on that port."""
        for port in (self.stack.grpc, self.stack.http):
            box = [("x-sandbox-id", self.box), ("x-sandbox-port", "1")]
            answer = self.call(self.client(port), HEALTH, packed(b""), *box)
            self.assertEqual((answer.status, answer.head["grpc-status"]), (200, "14"))
            self.assertIn("nothing listens", answer.head["grpc-message"])
            r, body = self.post(port, HEALTH, packed(b""), WEB, **dict(box))
            self.assertEqual((r.status, b"port_closed" in body), (502, True))

    def test_http_on_the_grpc_listener(self):
        c = http.client.HTTPConnection("127.0.0.1", self.stack.grpc, timeout=60)
        self.addCleanup(c.close)
        for _ in range(2):
            c.request("GET", "/healthz")
            self.assertEqual(c.getresponse().read(), b'{"status":"ok"}')
        c.request("GET", "/x")
        self.assertEqual(c.getresponse().status, 400)

    def test_refusals(self):
        client = self.client()
        message = packed(b"")
        for kind, status in [("application/json", 415), ("application/grpc+json", 415), ("", 415)]:
            self.assertEqual(self.call(client, HEALTH, message, kind=kind).status, status)
        self.assertEqual(client.get(HEALTH, fields=[("content-type", GRPC)]).status, 405)
        for fields, status, words in [
            ([("grpc-encoding", "gzip")], "12", "grpc-encoding"),
            ([("grpc-timeout", "1")], "13", "grpc-timeout"),
            ([("grpc-timeout", "0n")], "4", "deadline"),
        ]:
            answer = self.call(client, HEALTH, message, *fields)
            self.assertEqual(answer.head["grpc-status"], status)
            self.assertIn(words, answer.head["grpc-message"])
        for body, status in [(b"\1\0\0\0\0", "13"), (b"\0\0\x50\0\0", "8"), (b"\0\0\0", "13"), (message * 2, "13")]:
            self.assertEqual(self.call(client, HEALTH, body).head["grpc-status"], status, body)
        self.assertEqual(self.call(client, "/no.Such/Thing", message).head["grpc-status"], "12")
        self.assertEqual(self.call(client, HEALTH, message).trailers, {"grpc-status": "0"})

    def test_statuses_in_words(self):
        answer = self.call(self.client(), PATH + "Exec", packed(ExecRequest(name="x", command=Command(args=["x"]))))
        self.assertEqual(answer.head["grpc-status"], "3")
        self.assertTrue(answer.head["grpc-message"].startswith("name"))
        details = answer.head["grpc-status-details-bin"]
        self.assertIn(b"google.rpc.BadRequest", base64.b64decode(details + "=" * (-len(details) % 4)))

    def test_large_answers_through_small_windows(self):
        client = self.client(window=1000)
        many = exec_request(self.box, "sh", "-c", "head -c 1000000 /dev/zero")
        streams = [self.ask(client, PATH + "Exec") for _ in range(5)]
        for s in streams:
            client.send(s, packed(many))
        for s in streams:
            answer = client.answer(s)
            self.assertEqual(answer.trailers, {"grpc-status": "0"})
            self.assertEqual(len(ExecResponse.FromString(answer.body[5:]).stdout), 1000000)

    def test_web_over_both_versions(self):
        ask = packed(exec_request(self.box, "echo", "hi"))
        for port in (self.stack.grpc, self.stack.http):
            r, body = self.post(port, PATH + "Exec", ask, WEB)
            self.assertEqual((r.status, r.headers["content-type"]), (200, WEB))
            messages, trailers = unpacked(body)
            self.assertEqual(trailers, {"grpc-status": "0"})
            self.assertEqual(ExecResponse.FromString(messages[0]).stdout, b"hi\n")
            answer = self.call(self.client(port), PATH + "Exec", ask, kind=WEB)
            self.assertIsNone(answer.trailers)
            self.assertEqual(unpacked(answer.body)[1], {"grpc-status": "0"})

    def test_web_text(self):
        ask = packed(exec_request(self.box, "echo", "hi"))
        r, body = self.post(self.stack.http, PATH + "Exec", base64.b64encode(ask), TEXT)
        self.assertEqual(r.headers["content-type"], TEXT)
        # each piece may be padded by itself
        whole = b"".join(base64.b64decode(body[i : i + 4]) for i in range(0, len(body), 4))
        messages, trailers = unpacked(whole)
        self.assertEqual(trailers, {"grpc-status": "0"})
        self.assertEqual(ExecResponse.FromString(messages[0]).stdout, b"hi\n")

    def test_web_streams_and_keeps_its_connection(self):
        c = http.client.HTTPConnection("127.0.0.1", self.stack.http, timeout=60)
        self.addCleanup(c.close)
        start = ExecStreamRequest.Start(name=name_of(self.box), command=Command(args=["cat"]))
        body = packed(ExecStreamRequest(start=start)) + packed(ExecStreamRequest(stdin=b"x" * 300000))
        for _ in range(2):
            c.request("POST", PATH + "ExecStream", body, {"Content-Type": WEB})
            r = c.getresponse()
            _, trailers = unpacked(r.read())
            self.assertEqual(trailers, {"grpc-status": "0"})
        # a refusal is no end of it either
        c.request("POST", PATH + "Nothing", b"", {"Content-Type": WEB})
        self.assertIn("grpc-status", unpacked(c.getresponse().read())[1])
        c.request("POST", HEALTH, b"", {"Content-Type": GRPC})
        r = c.getresponse()
        self.assertEqual((r.status, r.read()), (415, b""))
        c.request("GET", "/healthz")
        self.assertEqual(c.getresponse().status, 200)

    def test_web_client_that_goes(self):
        s = socket.create_connection(("127.0.0.1", self.stack.http), timeout=60)
        start = ExecStreamRequest.Start(name=name_of(self.box), command=Command(args=["sleep", "1000"]))
        body = packed(ExecStreamRequest(start=start))
        head = (
            f"POST {PATH}ExecStream HTTP/1.1\r\nHost: a\r\nContent-Type: {WEB}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        s.sendall(head.encode() + body)
        until(lambda: self.stack.metric("sandplane_router_sandbox_calls") == 1, "the call")
        s.close()
        until(lambda: self.stack.metric("sandplane_router_sandbox_calls") == 0, "its end")

    def test_pages(self):
        ask = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-grpc-web",
        }
        for origin, status in [(ORIGIN, 200), ("https://evil.test", 403), ("null", 403)]:
            c = http.client.HTTPConnection("127.0.0.1", self.stack.http, timeout=60)
            self.addCleanup(c.close)
            c.request("OPTIONS", PATH + "Exec", headers={**ask, "Origin": origin})
            r = c.getresponse()
            r.read()
            self.assertEqual(r.status, status)
            allowed = origin if status == 200 else None
            self.assertEqual(r.headers["access-control-allow-origin"], allowed)
            r, body = self.post(self.stack.http, HEALTH, packed(b""), WEB, Origin=origin)
            self.assertEqual((r.status, r.headers["access-control-allow-origin"]), (status, allowed))
            self.assertEqual(bool(body), status == 200)


class Locked(FrontTest):
    """Who has to show who he is to the one listener, is not let in by the other without."""

    flags = ["--grpc-open"]
    env = {"ROUTER_AUTH_TOKEN": "secret-of-the-test"}

    def test_no_way_around(self):
        answer = self.call(self.client(self.stack.http), HEALTH, packed(b""))
        self.assertEqual((answer.status, answer.head["grpc-status"]), (200, "16"))
        r, _ = self.post(self.stack.http, HEALTH, packed(b""), WEB)
        self.assertEqual(r.status, 401)
        self.exec(self.client())

    def test_no_pages_unless_named(self):
        r, body = self.post(self.stack.grpc, HEALTH, packed(b""), WEB, Origin=f"http://127.0.0.1:{self.stack.grpc}")
        self.assertEqual((r.status, body), (403, b""))


class Harm(FrontTest):
    """Connections that mean harm, and a victim whose calls go on. The bound of memory is far below what each took of
    gRPC's C core, 700 MB and more."""

    MORE_MEMORY = 100 << 20

    def raw(self):
        s = socket.create_connection(("127.0.0.1", self.stack.grpc), timeout=60)
        self.addCleanup(s.close)
        s.sendall(PREFACE + frame(4))
        return s

    def rss(self):
        with open(f"/proc/{self.stack.router.pid}/statm") as f:
            return int(f.read().split()[1]) * resource.getpagesize()

    def harm(self, attack):
        """Connections that are closed for it, until some were; beside a victim. Leaves nothing."""
        self.exec(self.client())
        before = self.rss()
        for _ in range(3):
            s = self.raw()
            try:
                attack(s)
            except ConnectionError:
                pass
            self.exec(self.client())
        self.assertLess(self.rss() - before, self.MORE_MEMORY)

    def refused(self, bound):
        until(lambda: f'bound="{bound}"'.encode() in self.stack.admin_get("/metrics"), "it is refused")

    def test_rapid_reset(self):
        head = call_head(PATH + "Exec", ("content-type", GRPC))

        def attack(s):
            for stream in range(1, 40001, 2):
                s.sendall(frame(1, 4, stream, head) + frame(3, 0, stream, struct.pack(">I", CANCEL)))

        self.harm(attack)
        self.refused("resets")

    def test_heads_without_end(self):
        """Over CONTINUATION, in large frames and in small ones."""
        for size in (16384, 100):

            def attack(s, size=size):
                s.sendall(frame(1, 0, 1, call_head(HEALTH)))
                piece = literal("x", "y" * 90)
                for _ in range(1000):
                    s.sendall(frame(9, 0, 1, piece * max(1, size // len(piece))))

            self.harm(attack)
        self.refused("continuations")

    def test_pings(self):
        def attack(s):
            for _ in range(100000):
                s.sendall(frame(6, 0, 0, b"12345678"))

        self.harm(attack)
        self.refused("pings")

    def test_calls_without_a_message(self):
        """So many of one connection, and no more; those of another are served beside them."""
        head = call_head(PATH + "ExecStream", ("content-type", GRPC))

        def attack(s):
            s.sendall(b"".join(frame(1, 4, stream, head) for stream in range(1, 4001, 2)))

        self.harm(attack)
        self.refused("streams")

    def test_out_of_descriptors(self):
        self.exec(self.client())
        pid = self.stack.router.pid
        open_now = len(os.listdir(f"/proc/{pid}/fd"))
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 20, hard))
        crowd = [socket.create_connection(("127.0.0.1", self.stack.grpc), timeout=60) for _ in range(60)]
        until(lambda: "accept_paused" in self.stack.log(), "no descriptor is left")
        for s in crowd:
            s.close()
        # with the same limit: accepting goes on by itself
        self.exec(self.client())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    unittest.main()
