"""HTTP/2 on the HTTP listener: each stream is what a request of HTTP/1.1 is, and one client's harm is its own."""

import hashlib
import json
import os
import signal
import socket
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "testing"))

import app
import grpc_app
import hpack
from harness import StackTest, free_port, read_all, until
from http2_client import Client

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 2, 8, 11


class Http2Test(StackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.port = app.start()
        cls.runtime, cls.route, _ = cls.stack.runtime()
        cls.box = cls.stack.sandbox(cls.route)

    def client(self, **kw):
        client = Client(self.stack.http, **kw)
        self.addCleanup(client.close)
        return client

    def to_box(self, *more, port=None, box=None):
        return [("x-sandbox-id", box or self.box), ("x-sandbox-port", str(port or self.port)), *more]

    def get(self, path, client=None, more=(), **kw):
        return (client or self.client()).get(path, fields=self.to_box(*more), **kw)

    def upload(self, client, data, *more, path="/sum"):
        stream = client.ask(path, method="POST", fields=self.to_box(*more), end=False)
        client.send(stream, data)
        return client.answer(stream)

    def assert_failure(self, answer, status, reason, *words):
        body = json.loads(answer.body)
        self.assertEqual((answer.status, body["reason"]), (status, reason), body)
        for word in words:
            self.assertIn(word, body["detail"])

    def logged(self, path):
        def line():
            lines = [json.loads(x) for x in self.stack.log().splitlines() if f'"{path}"' in x]
            return lines[-1] if lines else None

        return until(line, f"a line about {path}")

    def frame(self, kind, flags=0, stream=0, payload=b""):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def raw(self):
        s = socket.create_connection(("127.0.0.1", self.stack.http), timeout=60)
        self.addCleanup(s.close)
        s.sendall(PREFACE + self.frame(4))
        return s


class Plain(Http2Test):
    def test_request_and_answer(self):
        answer = self.get(
            "/echo/a%20b?c=d",
            more=[
                ("authorization", "Bearer x"),
                ("x-forwarded-for", "6.6.6.6"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
                ("te", "trailers"),
                ("x-own", "1"),
            ],
        )
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.head["x-app"], "yes")
        self.assertEqual(answer.head["set-cookie"], "a=1, b=2")
        self.assertNotIn("connection", answer.head)
        self.assertEqual(int(answer.head["content-length"]), len(answer.body))
        line, *fields = answer.body.decode().split("\n\n")[0].split("\r\n")
        self.assertEqual(line, "GET /echo/a%20b?c=d HTTP/1.1")
        fields = dict(f.lower().split(": ", 1) for f in fields)
        self.assertEqual(fields["host"], f"127.0.0.1:{self.port}")
        self.assertEqual(fields["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(fields["x-forwarded-host"], "front:1")
        self.assertEqual(fields["cookie"], "a=1; b=2")
        self.assertEqual(fields["te"], "trailers")
        self.assertEqual(fields["x-own"], "1")
        for gone in ("authorization", "x-sandbox-id", "transfer-encoding", "content-length"):
            self.assertNotIn(gone, fields)
        logged = self.logged("/echo/a%20b")
        self.assertEqual((logged["status"], logged["method"], logged["bytes_out"]), (200, "GET", len(answer.body)))

    def test_answers_of_all_shapes(self):
        client = self.client()
        self.assertEqual(self.get("/old", client).body, b"old")
        self.assertEqual(self.get("/hints", client).body, b"late")
        self.assertEqual((self.get("/204", client).status, self.get("/304", client).head["etag"]), (204, "e"))
        head = client.get("/echo", method="HEAD", fields=self.to_box())
        self.assertEqual((head.status, head.body), (200, b""))
        chunked = self.get("/chunked?3", client)
        self.assertEqual(len(chunked.body), 3 << 20)
        self.assertEqual(chunked.trailers, {"x-sum": "42"})
        self.assertEqual(len(self.get("/big?20", client).body), 20 << 20)

    def test_bodies_with_and_without_a_length(self):
        data = os.urandom(5 << 20)
        want = f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()
        client = self.client()
        self.assertEqual(self.upload(client, data).body, want)
        self.assertEqual(self.upload(client, data, ("content-length", str(len(data)))).body, want)
        self.assertEqual(self.upload(client, b"").body, b"0 " + hashlib.sha256(b"").hexdigest().encode())

    def test_many_at_once(self):
        client = self.client()
        streams = {client.ask(f"/echo/{i}", fields=self.to_box()): i for i in range(100)}
        for stream, i in streams.items():
            self.assertIn(f"GET /echo/{i} ".encode(), client.answer(stream).body)

    def test_expect_continue(self):
        client = self.client()
        stream = client.ask("/sum", method="POST", fields=self.to_box(("expect", "100-continue")), end=False)
        client.until(lambda: client.answers[stream].interim)
        self.assertEqual(client.answers[stream].interim, [{":status": "100"}])
        client.send(stream, b"abc")
        self.assertTrue(client.answer(stream).body.startswith(b"3 "))

    def test_healthz(self):
        answer = self.client().get("/healthz")
        self.assertEqual((answer.status, answer.body), (200, b'{"status":"ok"}'))

    def test_refusals(self):
        client = self.client()
        answer = client.get("/echo")
        self.assertEqual(
            (answer.status, json.loads(answer.body)), (400, {"detail": "X-Sandbox-ID header is required."})
        )
        self.assertEqual(answer.head["content-type"], "application/json")
        traced = client.get("/echo", method="TRACE", fields=self.to_box())
        self.assertEqual((traced.status, "GET" in traced.head["allow"]), (405, True))
        self.assertEqual(client.get("/echo", method="MADEUP", fields=self.to_box()).status, 400)
        # nobody's label
        self.assertNotIn(b"MADEUP", self.stack.admin_get("/metrics"))
        refused = self.upload(client, b"x" * 300000, ("x-sandbox-timeout", "1"), ("x-sandbox-namespace", "UP"))
        self.assertEqual(refused.status, 400)
        self.assertEqual(self.get("/echo", client).status, 200)

    def test_failures_in_words(self):
        client = self.client()
        self.assert_failure(client.get("/", fields=self.to_box(box="nobody")), 502, "no_sandbox")
        self.assert_failure(client.get("/", fields=self.to_box(port=free_port())), 502, "port_closed")
        self.assert_failure(self.get("/garbage", client), 502, "not_http", "not HTTP")
        self.assert_failure(self.get("/reset", client), 502, "no_answer")
        self.assert_failure(self.get("/slow", client, more=[("x-sandbox-timeout", "1")]), 504, "timeout")
        self.assertEqual(self.get("/echo", client).status, 200)

    def test_cut_answers_are_not_taken_for_whole(self):
        client = self.client()
        for path in ("/cut", "/cutchunk"):
            answer = self.get(path, client)
            # its head may be lost with the rest
            self.assertEqual((answer.ended, answer.reset), (False, INTERNAL_ERROR))
            self.assertEqual(self.logged(path)["reason"], "cut")

    def test_upload_the_program_does_not_want(self):
        client = self.client()
        answer = self.upload(client, b"x" * (8 << 20), path="/early")
        self.assertEqual((answer.status, answer.body), (413, b"no"))
        self.assertEqual(self.get("/echo", client).status, 200)

    def test_client_that_resets(self):
        client = self.client()
        before = int(self.get("/left", client).body)
        stream = client.ask("/hang", fields=self.to_box())
        client.until(lambda: client.answers[stream].head)
        client.h2.reset_stream(stream, CANCEL)
        client.flush()
        until(lambda: int(self.get("/left", client).body) == before + 1, "the program sees it")
        self.assertEqual(self.logged("/hang")["status"], 499)

    def rss_kib(self):
        with open(f"/proc/{self.stack.router.pid}/status") as f:
            return next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))

    def test_events_come_as_they_are_sent(self):
        client = self.client()
        stream = client.ask("/event", fields=self.to_box())
        client.until(lambda: client.answers[stream].data)
        answer = client.answers[stream]
        self.assertEqual((answer.head["content-type"], answer.body), ("text/event-stream", b"data: 1\n\n"))
        self.assertFalse(answer.over)
        client.h2.reset_stream(stream, CANCEL)
        client.flush()

    def test_large_answers_that_nobody_takes(self):
        """Sixty whose windows are shut: the router holds what a session may, and others are not held up."""
        before = self.rss_kib()
        client = self.client(window=1000)
        client.takes = False
        streams = [client.ask("/big?16", fields=self.to_box()) for _ in range(60)]
        # the connection's own window is 65,535
        client.until(lambda: all(len(client.answers[s].data) == 1000 for s in streams))
        self.assertEqual(len(self.get("/big?16").data), 16 << 20)
        self.assertLess(self.rss_kib() - before, 24 << 10)
        client.takes = True
        client.h2.acknowledge_received_data(1000, streams[0])
        client.h2.increment_flow_control_window(8 << 20, streams[0])
        client.h2.increment_flow_control_window(8 << 20)
        client.flush()
        self.assertEqual(len(client.answer(streams[0]).data), 16 << 20)

    def fill(self, client, streams):
        """Sends on all of them, until the windows stay shut for many round trips."""
        quiet = 0
        while quiet < 100:
            open_now = [s for s in streams if client.h2.local_flow_control_window(s) > 0]
            quiet = 0 if open_now else quiet + 1
            for s in open_now:
                room = min(client.h2.local_flow_control_window(s), client.h2.max_outbound_frame_size)
                if room > 0:
                    client.h2.send_data(s, b"x" * room)
                    client.flush()
                    self.filled[s] = self.filled.get(s, 0) + room
            self.assertEqual(client.get("/healthz").status, 200)

    def test_uploads_that_nobody_takes(self):
        """What only waits in the router for the program counts against the connection's window."""
        client, self.filled = self.client(), {}
        self.assertEqual(self.get("/echo", client).status, 200)
        before = self.rss_kib()
        streams = [client.ask("/slow", method="POST", fields=self.to_box(), end=False) for _ in range(60)]
        self.fill(client, streams)
        self.assertLess(self.rss_kib() - before, 8 << 10)
        self.assertLess(client.h2.outbound_flow_control_window, 512 << 10)
        client.close()
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 0, "their end")

    def test_upload_that_is_taken_late_arrives(self):
        client, self.filled = self.client(), {}
        stream = client.ask("/sumlater", method="POST", fields=self.to_box(), end=False)
        self.fill(client, [stream])
        self.assertEqual(self.get("/go").status, 200)
        client.send(stream, b"x" * (8 << 20))
        total = self.filled[stream] + (8 << 20)
        self.assertEqual(client.answer(stream).body.split()[0], str(total).encode())

    def test_slow_upload_does_not_stop_the_others(self):
        client = self.client()
        stuck = client.ask("/slow", method="POST", fields=self.to_box(), end=False)
        client.until(lambda: client.h2.outbound_flow_control_window > 500000)
        window = client.h2.local_flow_control_window(stuck)
        data = b"x" * window
        client.send(stuck, data, end=False)
        self.assertTrue(self.upload(client, b"abc").body.startswith(b"3 "))
        client.h2.reset_stream(stuck, CANCEL)
        client.flush()

    def test_both_versions_on_one_port(self):
        """Also one whose first bytes come one by one, and are as those of HTTP/2 at first."""
        s = socket.create_connection(("127.0.0.1", self.stack.http), timeout=60)
        self.addCleanup(s.close)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = (
            f"PROPFIND /echo HTTP/1.1\r\nHost: a\r\nX-Sandbox-ID: {self.box}\r\nX-Sandbox-Port: {self.port}\r\n"
            "Connection: close\r\n\r\n"
        )
        for at in range(len(request)):
            s.sendall(request[at : at + 1].encode())
        self.assertTrue(read_all(s).startswith(b"HTTP/1.1 200 OK\r\n"))
        s = socket.create_connection(("127.0.0.1", self.stack.http), timeout=60)
        self.addCleanup(s.close)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in PREFACE + self.frame(4):
            s.sendall(bytes([byte]))
        self.assertEqual(s.recv(9)[3], 4)

    def test_rapid_reset(self):
        """It ends the connection that does it, is counted, and the next one is served."""
        victim = self.client()
        self.assertEqual(self.get("/echo", victim).status, 200)
        s = self.raw()
        head = b"\x82\x86\x84\x41\x01a" + b"".join(
            b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in self.to_box()
        )
        try:
            for stream in range(1, 10001, 2):
                s.sendall(self.frame(1, 5, stream, head) + self.frame(3, 0, stream, struct.pack(">I", CANCEL)))
        except ConnectionError:
            pass
        until(lambda: self.stack.metric("sandplane_router_http2_refused_total") >= 1, "it is refused")
        self.assertIn(b'bound="resets"', self.stack.admin_get("/metrics"))
        self.assertEqual(self.get("/echo", victim).status, 200)
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 0, "nothing is left of it")

    def test_connection_that_goes(self):
        client = self.client()
        streams = [client.ask("/hang", fields=self.to_box()) for _ in range(20)]
        client.until(lambda: all(client.answers[s].head for s in streams))
        client.close()
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 0, "their end")
        until(lambda: self.stack.metric("sandplane_router_http_connections") == 0, "the connection's")


class Bearer(Http2Test):
    flags = ["--grpc-open"]
    env = {"ROUTER_AUTH_TOKEN": "secret-of-the-test"}

    def test_goodbye_is_no_refusal(self):
        client = self.client()
        self.assertEqual(client.get("/healthz").status, 200)
        client.h2.close_connection()
        client.flush()
        client.until(lambda: client.closed)
        client.close()
        until(lambda: self.stack.metric("sandplane_router_http_connections") == 0, "the connection's end")
        self.assertEqual(self.stack.metric("sandplane_router_http2_refused_total"), 0)

    def test_bearer(self):
        client = self.client()
        refused = self.get("/echo", client)
        self.assertEqual((refused.status, refused.head["www-authenticate"]), (401, "Bearer"))
        good = self.get("/echo", client, more=[("authorization", "Bearer secret-of-the-test")])
        self.assertEqual(good.status, 200)


class Busy(Http2Test):
    flags = ["--max-requests=3"]

    def old(self):
        """By HTTP/1.1, which is counted with the others."""
        s = socket.create_connection(("127.0.0.1", self.stack.http), timeout=60)
        self.addCleanup(s.close)
        s.sendall(
            f"GET /echo HTTP/1.1\r\nHost: a\r\nX-Sandbox-ID: {self.box}\r\nX-Sandbox-Port: {self.port}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        return read_all(s)

    def test_requests_at_once(self):
        """Of all connections together; what is refused costs no connection, and a place that is free again serves."""
        clients = [self.client() for _ in range(3)]
        streams = [c.ask("/hang", fields=self.to_box()) for c in clients]
        for client, stream in zip(clients, streams, strict=True):
            client.until(lambda c=client, s=stream: c.answers[s].head)
        refused = self.get("/echo/refused", clients[0])
        self.assert_failure(refused, 503, "busy", "Too many requests")
        self.assertEqual(refused.head["retry-after"], "1")
        self.assertEqual(self.logged("/echo/refused")["reason"], "busy")
        self.assertEqual(self.upload(clients[0], b"x" * 300000).status, 503)
        head, body = self.old().split(b"\r\n\r\n", 1)
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "))
        self.assertEqual(json.loads(body)["reason"], "busy")
        self.assertEqual(clients[0].get("/healthz").status, 200)
        clients[1].close()
        until(lambda: self.get("/echo", clients[0]).status == 200, "a place is free again")
        self.assertTrue(self.old().startswith(b"HTTP/1.1 200 "))


class Drain(Http2Test):
    """By hand: the h2 library takes the first GOAWAY for the end."""

    def ask(self, s, stream, path, flags):
        head = hpack.Encoder().encode(
            [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a"), *self.to_box()]
        )
        s.sendall(self.frame(1, flags, stream, head))

    def frames(self, s):
        """Type, flags, stream, payload of each until the end."""
        with s.makefile("rb") as f:
            while head := f.read(9):
                yield head[3], head[4], int.from_bytes(head[5:], "big"), f.read(int.from_bytes(head[:3], "big"))

    def test_drain(self):
        """What is under way when the router is told to end is answered, and so is what crosses its goodbye."""
        s, idle = self.raw(), self.raw()
        self.ask(s, 1, "/sum", 4)
        s.sendall(self.frame(0, 0, 1, b"ab"))
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 1, "it is under way")
        self.stack.router.send_signal(signal.SIGTERM)
        goaways, bodies, decoder = [], {}, hpack.Decoder()
        for kind, flags, stream, payload in self.frames(s):
            if kind == 1:
                self.assertEqual(dict(decoder.decode(payload))[":status"], "200")
            elif kind == 0:
                bodies[stream] = bodies.get(stream, b"") + payload
            elif kind == 7:
                goaways.append(struct.unpack(">II", payload[:8]))
                if len(goaways) == 1:
                    self.ask(s, 3, "/sum", 5)
                else:
                    s.sendall(self.frame(0, 1, 1, b"c"))
            elif kind == 6 and not flags:
                s.sendall(self.frame(6, 1, 0, payload))
        self.assertEqual(goaways, [((1 << 31) - 1, 0), (3, 0)])
        self.assertEqual({k: v.split()[0] for k, v in bodies.items()}, {1: b"3", 3: b"0"})
        self.assertEqual([f[0] for f in self.frames(idle) if f[0] == 7], [7, 7])
        s.close()
        idle.close()
        self.assertEqual(self.stack.router.wait(60), 0)


class Grpc(Http2Test):
    """Calls of gRPC to a port of a sandbox, by HTTP/2 all the way."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.port = grpc_app.start()

    def call(self, path, data=b"\0\0\0\0\2hi", *more, port=None, box=None, end=True):
        client = self.client()
        fields = [("te", "trailers"), ("content-type", "application/grpc+proto"), *more]
        stream = client.ask(path, method="POST", fields=self.to_box(*fields, port=port, box=box), end=False)
        client.send(stream, data, end=end)
        return client.answer(stream)

    def assert_refused(self, answer, status, *words):
        """In one head."""
        self.assertEqual((answer.status, answer.head["grpc-status"], answer.body), (200, str(status), b""), answer.head)
        self.assertEqual(answer.head["content-type"], "application/grpc")
        for word in words:
            self.assertIn(word, answer.head["grpc-message"])

    def test_messages_and_trailers(self):
        for size in (7, 3 << 20):
            data = os.urandom(size)
            answer = self.call("/echo", data)
            self.assertEqual((answer.status, answer.body), (200, data[:1000]))
            self.assertEqual(answer.trailers, {"grpc-status": "0", "x-sum": "7", "x-bytes": str(size)})

    def test_head(self):
        more = [("grpc-timeout", "100S"), ("x-own", "1"), ("authorization", "Bearer x"), ("grpc-encoding", "gzip")]
        head = json.loads(self.call("/head", b"", *more).body)
        self.assertEqual((head[":method"], head[":authority"]), ("POST", f"127.0.0.1:{self.port}"))
        self.assertEqual((head["te"], head["x-own"], head["grpc-encoding"]), ("trailers", "1", "gzip"))
        self.assertEqual(head["content-type"], "application/grpc+proto")
        self.assertRegex(head["grpc-timeout"], r"^\d{4,6}m$")
        self.assertLessEqual(int(head["grpc-timeout"][:-1]), 100_000)
        for name in ("authorization", "x-sandbox-id", "connection", "transfer-encoding", "host"):
            self.assertNotIn(name, head)
        self.assertIn("x-forwarded-for", head)

    def test_the_programs_own_statuses(self):
        answer = self.call("/fail")
        self.assertEqual((answer.head["grpc-status"], answer.head["grpc-message"]), ("5", "no%21"))
        self.assert_refused(self.call("/reset"), 1, "reset")

    def test_deadline(self):
        self.assert_refused(self.call("/hold", b"", ("grpc-timeout", "50m")), 4, "deadline")

    def test_a_program_that_breaks_off(self):
        self.assert_refused(self.call("/cut"), 14, "before it answered")
        answer = self.call("/half")
        self.assertEqual((answer.status, answer.trailers["grpc-status"]), (200, "14"))

    def test_who_cannot_be_reached(self):
        self.assert_refused(self.call("/echo", box="nobody-aaaaa"), 14, "nobody-aaaaa")
        self.assert_refused(self.call("/echo", port=free_port()), 14, "nothing listens")
        self.assert_refused(self.call("/echo", port=app.start()), 14, "HTTP/2")
        client = self.client()
        stream = client.ask("/echo", method="POST", fields=[("content-type", "application/grpc")])
        self.assert_refused(client.answer(stream), 12, "/echo")

    def test_a_client_that_leaves(self):
        client = self.client()
        fields = self.to_box(("content-type", "application/grpc"))
        client.ask("/hold", method="POST", fields=fields, end=False)
        client.close()
        self.assertEqual(self.logged("/hold")["status"], 499)


if __name__ == "__main__":
    unittest.main(verbosity=2)
