"""The HTTP listener in front of a real runtime: what passes, what is refused, what happens when things break."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "testing"))
import unittest

import app
from harness import ROUTER, Stack, StackTest, exec_request, free_port, read_all, read_until, until


class HttpTest(StackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.port = app.start()
        cls.runtime, cls.route, _ = cls.stack.runtime()
        cls.box = cls.stack.sandbox(cls.route)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.stack.http), timeout=60)
        self.addCleanup(s.close)
        return s

    def head(self, path, method="GET", fields="", close=True, port=None, box=None):
        return (
            f"{method} {path} HTTP/1.1\r\nHost: front:1\r\nX-Sandbox-ID: {box or self.box}\r\nX-Sandbox-Port: {port or self.port}\r\n"
            f"{'Connection: close' if close else 'X-Open: 1'}\r\n{fields}\r\n"
        ).encode()

    def ask(self, data):
        """Sends bytes and reads to the end: status, head, body."""
        s = self.connect()
        s.sendall(data)
        head, _, body = read_all(s).partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head.decode(), body

    def get(self, path, **kw):
        return self.ask(self.head(path, **kw))

    def assert_detail(self, got, status, detail):
        self.assertEqual((got[0], json.loads(got[2])), (status, {"detail": detail}))

    def assert_failure(self, got, status, reason, *words):
        """An answer that says which failure it is, in words and by its label. Returns the words."""
        body = json.loads(got[2])
        self.assertEqual((got[0], body["reason"]), (status, reason), body)
        for word in words:
            self.assertIn(word, body["detail"])
        return body["detail"]

    def logged(self, path):
        """The line of the access log for a request to this path, which may be written a moment after its answer."""

        def line():
            lines = [json.loads(x) for x in self.stack.log().splitlines() if f'"{path}"' in x]
            return lines[-1] if lines else None

        return until(line, f"a line about {path}")

    def assert_alive(self):
        self.assertIsNone(self.stack.router.poll(), self.stack.log())
        self.assertEqual(self.get("/echo")[0], 200)


class Server:
    """Somebody else's server: answer(connection) for each, which it then holds."""

    def __init__(self, address, answer):
        self.listener, self.held, self.answer = socket.create_server(address), [], answer
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while True:
                self.held.append(self.listener.accept()[0])
                self.answer(self.held[-1])
        except OSError:
            pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        # close() alone does not wake accept()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(20)
        self.listener.close()
        for s in self.held:
            s.close()


class Pods(HttpTest):
    """A Pod's ports are reached as they are, without a runtime before them."""

    flags = ["--allow-loopback-pod-ip=true"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pod = cls.stack.sandbox("pod:127.0.0.1")

    def test_request_and_answer(self):
        status, head, body = self.ask(self.head("/a?x=1", "POST", "Content-Length: 3\r\n", box=self.pod) + b"abc")
        self.assertEqual(status, 200)
        self.assertTrue(body.decode().startswith("POST /a?x=1 HTTP/1.1\r\n") and body.endswith(b"\n\nabc"))

    def test_port_that_refuses(self):
        port = free_port()
        got = self.get("/", port=port, box=self.pod)
        self.assert_failure(
            got, 502, "port_closed", self.pod, f"nothing listens on port {port}", "on 127.0.0.1 or ::1 alone"
        )

    def test_port_that_comes_up(self):
        port = free_port()
        threading.Timer(0.5, app.start, [port]).start()
        self.assertEqual(self.get("/echo", port=port, box=self.pod)[0], 200)

    # ---- a program on a loopback address alone: 127.0.0.2 is the Pod's address here ----

    def pod_with_runtime(self, name, called=None):
        p, _ = self.stack.pod(called or name, "127.0.0.2")
        self.addCleanup(lambda: (p.terminate(), p.wait(60)))
        return name

    def test_programs_on_loopback_alone(self):
        claimed = self.stack.sandbox("pod:127.0.0.2")
        self.stack.seed("address", "default", "hand-made", "pod:127.0.0.2")
        ports = [app.start(host=host) for host in ("127.0.0.1", "::1")]
        for box in (claimed, "hand-made"):
            self.pod_with_runtime(box)
            for port in ports:
                status, _, body = self.ask(
                    self.head("/sum", "POST", "Content-Length: 3\r\n", port=port, box=box) + b"abc"
                )
                self.assertEqual((status, body), (200, f"3 {hashlib.sha256(b'abc').hexdigest()}".encode()))
            closed = free_port()
            got = self.get("/", port=closed, box=box)
            self.assert_failure(got, 502, "port_closed", f"nothing listens on port {closed}")
            self.doCleanups()

    def test_upgrade_of_a_program_on_loopback_alone(self):
        box, port = self.pod_with_runtime(self.stack.sandbox("pod:127.0.0.2")), app.start(host="::1")
        s = self.connect()
        s.sendall(self.head("/ws", fields="Upgrade: websocket\r\nConnection: Upgrade\r\n", port=port, box=box))
        read_until(s, b"hello")
        s.sendall(b"both ways")
        read_until(s, b"both ways")

    def test_runtime_of_another_claim_or_name(self):
        port = app.start(host="::1")
        box = self.stack.sandbox("pod:127.0.0.2")
        # another's by now: nobody is let in by the name of the one that was there
        self.pod_with_runtime(box, called="another")
        self.assert_failure(self.get("/echo", port=port, box=box), 502, "port_closed", "on 127.0.0.1 or ::1 alone")
        self.doCleanups()
        self.pod_with_runtime(box)
        self.assertEqual(
            self.stack.call("Exec", exec_request(box, "true"))[1][0],
            "OK",
        )
        self.assertEqual(self.get("/echo", port=port, box=box)[0], 200)
        pool = box.rsplit("-", 1)[0]
        self.stack.seed("release", "default", box)
        self.stack.seed("gone", "default", box)
        self.stack.seed("make", "default", box, "pod:127.0.0.2")
        self.stack.seed("claim", "default", pool, "0")
        self.assert_failure(self.get("/echo", port=port, box=box), 502, "refused", "serves another claim")

    def test_images_without_the_runtime(self):
        """What has port 8888 there answers in HTTP, not at all, or ends; a program on loopback is not reached."""
        box, port = self.stack.sandbox("pod:127.0.0.2"), app.start(host="::1")
        answers = (
            lambda s: s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            lambda s: s.shutdown(socket.SHUT_RDWR),
            lambda s: None,
        )
        for answer in answers:
            with Server(("127.0.0.2", 8888), answer) as server:
                got = self.get("/echo", port=port, box=box)
                self.assert_failure(got, 502, "port_closed", "on 127.0.0.1 or ::1 alone")
                self.assertEqual(len(server.held), 1, "asked once, and not again with each attempt")

    def test_address_of_an_object_without_a_record(self):
        for name in ("hand-made", "my.box.v2", "n" * 200, "a.b-abcde"):
            self.stack.seed("address", "default", name, "pod:127.0.0.1")
            self.assertEqual(self.get("/echo", box=name)[0], 200)
        got = self.get("/", port=free_port(), box="hand-made")
        self.assert_failure(got, 502, "port_closed")
        self.stack.seed("address", "default", "hand-made")
        self.assert_failure(self.get("/echo", box="hand-made"), 502, "no_sandbox")

    def test_connection_that_is_reset(self):
        words = f"port {self.port} ended before there was an answer: Connection reset by peer"
        self.assert_failure(self.get("/reset", box=self.pod), 502, "no_answer", words)


class PodsElsewhere(HttpTest):
    def test_no_pod_is_at_an_address_of_this_machine(self):
        box = self.stack.sandbox("pod:127.0.0.1")
        self.assert_failure(self.get("/echo", box=box), 502, "unreachable", box)


class Forwarding(HttpTest):
    def test_request_and_answer(self):
        fields = "Authorization: Bearer x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Own: kept\r\nContent-Length: 3\r\n"
        status, head, body = self.ask(self.head("/a%2Fb/../c?x=1&y=%20", "POST", fields) + b"abc")
        self.assertEqual(status, 200)
        self.assertIn("X-App: yes", head)
        self.assertEqual(head.count("Set-Cookie"), 2)
        text = body.decode()
        self.assertTrue(text.startswith("POST /a%2Fb/../c?x=1&y=%20 HTTP/1.1\r\n"), text)
        self.assertTrue(text.endswith("\n\nabc"), text)
        self.assertIn("X-Own: kept", text)
        self.assertIn("X-Forwarded-For: 127.0.0.1\r\n", text)
        self.assertIn("X-Forwarded-Host: front:1\r\n", text)
        for gone in ("Authorization", "X-Sandbox", "6.6.6.6", "front:1\r\nX-Own"):
            self.assertNotIn(gone, text)

    def test_methods(self):
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
            self.assertTrue(self.get("/echo", method=method)[2].startswith(method.encode()))
        status, head, body = self.get("/echo", method="HEAD")
        self.assertEqual((status, body), (200, b""))  # the program sends both lengths with it
        self.assertIn("Content-Length: 1000", head)
        for method, target in (("TRACE", "/"), ("CONNECT", "x:80")):
            got = self.get(target, method=method)
            self.assert_detail(got, 405, "Method Not Allowed")
            self.assertIn("Allow: GET", got[1])

    def test_answers_of_all_shapes(self):
        self.assertEqual(self.get("/old")[2], b"3\r\nold\r\n0\r\n\r\n")
        status, head, body = self.get("/204")
        self.assertEqual((status, body), (204, b""))
        status, head, body = self.get("/304")
        self.assertEqual((status, body), (304, b""))
        self.assertEqual(self.get("/hints")[2], b"late")
        _, head, body = self.get("/chunked?1")
        self.assertIn("Transfer-Encoding: chunked", head)
        self.assertTrue(body.endswith(b"\r\n0\r\nX-Sum: 42\r\n\r\n"), body[-60:])
        self.assertEqual(body.count(b"x"), 1 << 20)

    def test_interim_answers(self):
        """They are few, and no sign that an answer comes."""
        self.assertEqual(self.get("/interim?8")[2], b"late")
        self.assert_failure(self.get("/interim?9"), 502, "not_http", "more than 8 interim answers")
        got = self.get("/hinting", fields="X-Sandbox-Timeout: 1\r\n")
        self.assert_failure(got, 504, "timeout", "nothing came for 1 s")
        self.assertEqual(self.get("/hinting", fields="X-Sandbox-Timeout: 60\r\n")[2], b"late")

    def test_answers_that_browsers_take(self):
        status, head, body = self.get("/lf")
        self.assertEqual((status, body), (200, b"3\r\nabc\r\n0\r\n\r\n"))
        self.assertIn("X-App: lf\r\n", head)
        status, head, body = self.get("/folded")
        self.assertEqual((status, body), (200, b"3\r\nabc\r\n0\r\n\r\n"))
        self.assertIn("X-Long: a b\r\n", head)
        # both lengths: the coding counts, and with HEAD the length is told
        status, head, body = self.get("/both")
        self.assertEqual((status, body), (200, b"1\r\na\r\n0\r\n\r\n"))
        self.assertNotIn("Content-Length", head)

    def test_old_client(self):
        ask = f"GET /chunked?1 HTTP/1.0\r\nX-Sandbox-ID: {self.box}\r\nX-Sandbox-Port: {self.port}\r\n\r\n".encode()
        status, head, body = self.ask(ask)
        self.assertEqual((status, len(body)), (200, 1 << 20))
        self.assertNotIn("Transfer-Encoding", head)

    def test_keep_alive_and_pipelining(self):
        s = self.connect()
        post = self.head("/sum", "POST", "Content-Length: 5\r\n", close=False) + b"hello"
        chunked = (
            self.head("/sum", "POST", "Transfer-Encoding: chunked\r\n", close=False)
            + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        s.sendall(
            post
            + self.head("/echo?2", close=False)
            + chunked
            + self.head("/healthz", close=False)
            + self.head("/echo?4")
        )
        text = read_all(s)
        places = [
            text.index(hashlib.sha256(b"hello").hexdigest().encode()),
            text.index(b"GET /echo?2 "),
            text.index(hashlib.sha256(b"abcde").hexdigest().encode()),
            text.index(b'{"status":"ok"}'),
            text.index(b"GET /echo?4 "),
        ]
        self.assertEqual(places, sorted(places))
        self.assertEqual(text.count(b"HTTP/1.1 200 OK"), 5)

    def test_expect_continue(self):
        s = self.connect()
        s.sendall(self.head("/sum", "POST", "Content-Length: 5\r\nExpect: 100-continue\r\n"))
        self.assertEqual(read_until(s, b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
        s.sendall(b"hello")
        self.assertIn(hashlib.sha256(b"hello").hexdigest().encode(), read_all(s))

    def test_healthz(self):
        for ask in (
            b"GET /healthz HTTP/1.0\r\n\r\n",
            b"GET /healthz?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ):
            status, head, body = self.ask(ask)
            self.assertEqual((status, body), (200, b'{"status":"ok"}'))
            self.assertIn("Content-Type: application/json", head)

    def test_upgrade(self):
        s = self.connect()
        s.sendall(self.head("/ws", fields="Connection: Upgrade\r\nUpgrade: websocket\r\n", close=False) + b"ahead")
        got = read_until(s, b"ahead")
        self.assertTrue(got.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), got)
        self.assertIn(b"Upgrade: websocket\r\n", got)
        self.assertTrue(got.endswith(b"\r\n\r\nhelloahead"), got)
        data = os.urandom(1 << 20)
        threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
        back = b""
        while len(back) < len(data):
            back += s.recv(65536)
        self.assertEqual(back, data)
        s.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(s), b"")

    def test_offer_of_http2(self):
        """As Java's and JetBrains' clients send it with each request: ignored, and nothing of it reaches the program."""
        offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
        s = self.connect()
        for i in range(2):
            s.sendall(self.head(f"/echo?{i}", fields=offer, close=False))
            got = read_until(s, b"\n\n")
            self.assertIn(f"GET /echo?{i} ".encode(), got)
            for gone in (b"Upgrade", b"HTTP2", b"h2c"):
                self.assertNotIn(gone, got)
        s.sendall(self.head("/sum", "POST", offer + "Transfer-Encoding: chunked\r\n", close=False) + b"3\r\na")
        s.sendall(b"bc\r\n0\r\n\r\n" + self.head("/echo?last", fields=offer.replace("Upgrade, ", "close, Upgrade, ")))
        got = read_all(s)
        self.assertIn(hashlib.sha256(b"abc").hexdigest().encode(), got)
        self.assertIn(b"GET /echo?last ", got)

    def test_upgrade_that_is_declined(self):
        fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://o\r\n"
        s = self.connect()
        s.sendall(self.head("/echo", fields=fields, close=False))
        got = read_until(s, b"\n\n")
        self.assertIn(b"Upgrade: websocket", got)
        self.assertNotIn(b"Origin", got)
        s.sendall(self.head("/echo?again"))
        self.assertIn(b"GET /echo?again", read_all(s))


class Bodies(HttpTest):
    def rss_kib(self):
        with open(f"/proc/{self.stack.router.pid}/status") as f:
            return next(int(x.split()[1]) for x in f if x.startswith("VmHWM"))

    def test_large_upload(self):
        self.get("/echo")
        before = self.rss_kib()
        block, n = os.urandom(1 << 20), 256
        s = self.connect()
        s.sendall(self.head("/sum", "POST", f"Content-Length: {n << 20}\r\n"))
        h = hashlib.sha256()
        for _ in range(n):
            s.sendall(block)
            h.update(block)
        self.assertTrue(read_all(s).endswith(f"{n << 20} {h.hexdigest()}".encode()))
        self.assertLess(self.rss_kib() - before, 8 << 10)

    def test_large_answer_to_a_slow_client(self):
        self.get("/echo")
        before = self.rss_kib()
        s = self.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.sendall(self.head("/big?128"))
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 1, "request under way")
        # nothing is read here: what the router holds must stay bounded, also when another client has got all of it
        self.assertEqual(len(self.get("/big?128")[2]), 128 << 20)
        self.assertLess(self.rss_kib() - before, 8 << 10)
        self.assertEqual(len(read_all(s).partition(b"\r\n\r\n")[2]), 128 << 20)

    def test_client_that_asks_and_does_not_read(self):
        self.get("/echo")
        before = self.rss_kib()
        s = self.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        s.settimeout(2)
        sent = 0
        with self.assertRaises(TimeoutError):
            while sent < 64 << 20:
                sent += s.send((ask * 2000)[sent % len(ask) :])
        self.assertLess(self.rss_kib() - before, 12 << 10)
        s.settimeout(60)
        answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"ok"}'
        whole, got = sent // len(ask), bytearray()
        while len(got) < whole * len(answer):
            got += s.recv(65536)
        self.assertEqual(got, answer * whole)

    def test_upload_the_program_does_not_want(self):
        s = self.connect()
        s.sendall(self.head("/early", "POST", f"Content-Length: {64 << 20}\r\n"))
        sent = 0
        try:
            while sent < 64 << 20:
                sent += s.send(b"x" * 65536)
        except OSError:
            pass
        # the answer is there, even though the body was not taken
        s.settimeout(60)
        self.assertIn(b"413 Payload Too Large", s.recv(65536) if sent < 64 << 20 else read_all(s))
        self.assert_alive()


class Failures(HttpTest):
    flags = ["--upstream-max-retries=1"]

    def test_refusals(self):
        for fields, detail in (
            ("", "X-Sandbox-ID header is required."),
            ("X-Sandbox-ID:\r\n", "X-Sandbox-ID header is required."),
            ("X-Sandbox-ID: Not/Valid\r\n", "Invalid sandbox ID format."),
            ("X-Sandbox-ID: a\r\nX-Sandbox-Namespace: ../x\r\n", "Invalid namespace format."),
            ("X-Sandbox-ID: a\r\nX-Sandbox-Port: 70000\r\n", "Invalid port format."),
            ("X-Sandbox-ID: a\r\nX-Sandbox-Pod-IP: 127.0.0.1\r\n", "Invalid target IP address."),
        ):
            got = self.ask(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n".encode())
            self.assert_detail(got, 400, detail)

    def test_each_failure_says_which(self):
        ready = self.stack.sandbox(self.route, claim=False)
        released, failed = self.stack.sandbox(self.route), self.stack.sandbox(self.route)
        others = self.stack.sandbox(self.route)
        self.stack.seed("release", "default", released)
        self.stack.seed("fail", "default", failed, "OutOfMemory", 'too "much"')
        gone = self.stack.sandbox(f"unix:{self.stack.dir}/nothing")
        linked = self.stack.sandbox(f"unix:{self.stack.dir}/link")
        os.symlink(self.route[5:], f"{self.stack.dir}/link")
        for box, reason, words in (
            ("nobody-aaaaa", "no_sandbox", "no sandbox of this name in namespace default"),
            ("nosuffix", "no_sandbox", "no sandbox of this name"),
            (ready, "not_claimed", "is not claimed"),
            (released, "ended", "is being destroyed"),
            (failed, "ended", 'has ended: OutOfMemory: too "much"'),
            (others, "refused", "claim"),
            (gone, "unreachable", "its runtime does not answer"),
            (linked, "unreachable", "its runtime does not answer"),
        ):
            self.get("/echo")  # the runtime is this claim's
            got = self.get(f"/of-{box}", box=box)
            self.assert_failure(got, 502, reason, f"Could not connect to the backend sandbox: {box}: ", words)
            self.assertEqual(self.logged(f"/of-{box}")["reason"], reason)
        self.assertEqual(self.logged("/echo")["reason"], "")

    def test_port_nobody_listens_on(self):
        before = self.stack.metric("sandbox_router_upstream_retries_total")
        port = free_port()
        got = self.get("/nobody", port=port)
        self.assert_failure(got, 502, "port_closed", f"sandbox: {self.box}: nothing listens on port {port}")
        self.assertEqual(self.logged("/nobody")["reason"], "port_closed")
        self.assertGreater(self.stack.metric("sandbox_router_upstream_retries_total"), before)

    def test_answers_that_are_none(self):
        for path, reason, words in (
            ("/garbage", "not_http", "malformed status line"),
            ("/huge", "not_http", "head is larger than 65536 bytes"),
            ("/switch", "not_http", "101 Switching Protocols to a request that asked for no upgrade"),
            ("/tls", "not_http", "speaks TLS"),
            ("/nothing", "no_answer", "before there was an answer: it was closed"),
            ("/reset", "no_answer", "before there was an answer"),
            ("/halfhead", "no_answer", "in the midst of the answer's head"),
        ):
            self.assert_failure(self.get(path), 502, reason, self.box, f"port {self.port}", words)
            self.assertEqual(self.logged(path)["reason"], reason)
        self.assert_alive()

    def test_sandbox_that_ends_before_it_answers(self):
        process, route, _ = self.stack.runtime()
        box = self.stack.sandbox(route)
        s = self.connect()
        s.sendall(self.head("/slow?ends", box=box))
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 1, "request under way")
        self.stack.seed("fail", "default", box, "OutOfMemory", "used 2 GiB")
        process.send_signal(signal.SIGKILL)
        head, _, body = read_all(s).partition(b"\r\n\r\n")
        self.assert_failure((int(head.split(b" ")[1]), head, body), 502, "ended", "OutOfMemory: used 2 GiB")

    def test_cut_answers_are_not_taken_for_whole(self):
        status, head, body = self.get("/cut")
        self.assertEqual(body, b"half")
        status, head, body = self.get("/cutchunk")
        self.assertEqual(body, b"4\r\nhalf\r\n")
        for path in ("/cut", "/cutchunk"):
            line = self.logged(path)
            self.assertEqual((line["status"], line["reason"]), (200, "cut"))
        self.assert_alive()

    def test_timeout(self):
        got = self.get("/slow", fields="X-Sandbox-Timeout: 0.3\r\n")
        self.assert_failure(got, 504, "timeout", f"Timed out waiting for the backend sandbox: {self.box}: ", "0.3 s")

    def test_client_that_leaves(self):
        before = int(self.get("/left")[2])
        s = self.connect()
        s.sendall(self.head("/hang"))
        read_until(s, b"\r\n\r\n")
        s.close()
        until(lambda: int(self.get("/left")[2]) == before + 1, "the program sees it")
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 0, "request over")

    def test_runtime_that_dies(self):
        process, route, _ = self.stack.runtime()
        box = self.stack.sandbox(route)
        s = self.connect()
        s.sendall(self.head("/big?64", box=box))
        read_until(s, b"xxxx")
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertLess(len(read_all(s)), 64 << 20)
        self.assert_failure(self.get("/echo", box=box), 502, "unreachable", box)
        self.assert_alive()


class Storm(HttpTest):
    """Many clients at once, most of them badly behaved: the router outlives them and forgets them all."""

    flags = ["--upstream-max-retries=0"]

    def one(self, i, errors):
        asks = (
            self.head("/sum", "POST", "Content-Length: 300000\r\n") + b"x" * 300000,
            self.head("/echo", close=False) * 20 + self.head("/echo"),
            self.head("/chunked?2"),
            self.head("/cut"),
            self.head("/garbage"),
            self.head("/ws", fields="Connection: Upgrade\r\nUpgrade: websocket\r\n", close=False) + b"y" * 100000,
            self.head("/early", "POST", "Transfer-Encoding: chunked\r\n") + b"5\r\nabcde\r\n" * 5000,
            self.head("/slow", fields="X-Sandbox-Timeout: 0.2\r\n"),
            self.head("/echo", box="nobody-aaaaa"),
            self.head("/") + b"\x00\x01",
        )
        data = asks[i % len(asks)]
        how = i // len(asks) % 4
        try:
            with socket.create_connection(("127.0.0.1", self.stack.http), timeout=60) as s:
                if how == 1:
                    s.sendall(data[: len(data) // 2])
                    return
                s.sendall(data)
                if how == 2:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    return
                if how == 3:
                    s.shutdown(socket.SHUT_WR)
                if s.recv(10) and how == 0 and i % len(asks) != 5:
                    read_all(s)
        except (ConnectionError, BrokenPipeError):
            pass
        except OSError as e:
            errors.append((i, e))

    def test_storm(self):
        errors = []

        def client(first):
            for i in range(first, 1200, 12):
                self.one(i, errors)

        threads = [threading.Thread(target=client, args=(i,)) for i in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(errors, [])
        self.assert_alive()
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 0, "requests over")
        until(lambda: self.stack.metric("sandplane_router_http_connections") == 0, "connections gone")


class Malformed(HttpTest):
    def test_smuggling(self):
        route = f"X-Sandbox-ID: {self.box}\r\nX-Sandbox-Port: {self.port}\r\n"
        post = f"POST /sum HTTP/1.1\r\nHost: x\r\n{route}"
        inner = f"GET /echo?smuggled HTTP/1.1\r\nHost: x\r\n{route}\r\n"
        for bad in (
            f"{post}Content-Length: {len(inner) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
            f"{post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{inner}",
            f"{post}Content-Length: 0\r\nContent-Length: {len(inner)}\r\n\r\n{inner}",
            f"{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}",
            f"{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}",
            f"{post}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{inner}",
            f"{post}X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
            f"{post}Transfer-Encoding: chunked\r\n\r\n0;\n\r\n{inner}",
            f"{post}Transfer-Encoding: chunked\r\n\r\n1\rZ\r\n0\r\n\r\n{inner}",
            f"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n{route}\r\n",
            f"GET / HTTP/1.1\r\n{route}\r\n",
            f"GET / HTTP/1.1\nHost: x\n{route}\n",
            "GET / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID : a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
            "GET a HTTP/1.1\r\nHost: x\r\n\r\n",
            "garbage\r\n\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\r\n",
        ):
            s = self.connect()
            s.sendall(bad.encode("latin-1"))
            got = read_all(s)
            self.assertTrue(got.startswith(b"HTTP/1.1 400"), (bad, got))
            self.assertNotIn(b"smuggled", got)
            self.assertEqual(got.count(b"HTTP/1.1"), 1)
        self.assert_alive()

    def test_large_heads(self):
        for bad in (
            b"GET /" + b"a" * 70000,
            b"GET / HTTP/1.1\r\nA: " + b"a" * 70000,
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200,
        ):
            status, _, body = self.ask(bad + b" HTTP/1.1\r\n\r\n")
            self.assertEqual((status, json.loads(body)), (431, {"detail": "Request header fields are too large."}))

    def test_body_of_a_refused_request_is_no_request(self):
        inner = self.head("/echo?smuggled")
        bad = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(inner)}\r\n\r\n".encode() + inner
        s = self.connect()
        s.sendall(bad)
        got = read_all(s)
        self.assertEqual((got.count(b"HTTP/1.1 "), got.count(b"smuggled")), (1, 0))

    def test_slow_head(self):
        s = self.connect()
        s.sendall(b"GET / HTTP/1.1\r\n")
        self.assertTrue(read_all(s).startswith(b"HTTP/1.1 408"))


class Limits(HttpTest):
    flags = ["--max-connections=3"]

    def test_connections(self):
        held = [self.connect() for _ in range(3)]
        for s in held:
            s.sendall(self.head("/echo", close=False))
            read_until(s, b"\n\n")
        self.assertIn(b"503 Service Unavailable", read_all(self.connect()))
        held[0].close()
        until(lambda: self.get("/echo")[0] == 200, "a place is free again")


class Auth(HttpTest):
    flags = ["--grpc-open"]
    env = {"ROUTER_AUTH_TOKEN": " s3cret "}

    def test_bearer(self):
        self.assert_detail(self.get("/echo"), 401, "Missing or invalid Authorization header.")
        self.assert_detail(self.get("/echo", fields="Authorization: Bearer no\r\n"), 401, "Invalid token.")
        self.assertEqual(self.get("/echo", fields="Authorization: Bearer s3cret\r\n")[0], 200)
        self.assertEqual(self.get("/healthz")[0], 200)
        self.assertNotIn("s3cret", self.stack.log())
        self.assertNotIn("s3cret", self.stack.admin_get("/metrics").decode())


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


class Lifecycle(unittest.TestCase):
    def test_flags(self):
        for flags, word in (
            (["--authz-mode=maybe"], "maybe"),
            (["--authz-mode=scoped-token", "--authz-scoped-token-secret-file=/nonexistent"], "/nonexistent"),
            (["--auth-token=s3cret", "--grpc-open", "--http-open"], "--http-open"),
            (["--api-keys-file=/nonexistent"], "--api-keys-file"),
            (["--max-connections=0"], "max-connections"),
            (["--loops=257"], "loops"),
            (["--proxy-timeout=soon"], "proxy-timeout"),
            (["--no-such-flag"], "no-such-flag"),
        ):
            p = subprocess.run([ROUTER, *flags], capture_output=True, text=True, timeout=60)
            self.assertEqual((p.returncode, p.stderr.count("\n")), (2, 1), p)
            self.assertIn(word, p.stderr)

    def test_drain(self):
        stack = Stack()
        self.addCleanup(stack.stop)
        port = app.start()
        _, route, _ = stack.runtime()
        box = stack.sandbox(route)
        head = f"Host: x\r\nX-Sandbox-ID: {box}\r\nX-Sandbox-Port: {port}\r\n"
        busy = socket.create_connection(("127.0.0.1", stack.http), timeout=60)
        busy.sendall(f"POST /sum HTTP/1.1\r\n{head}Content-Length: 4\r\n\r\nab".encode())
        idle = socket.create_connection(("127.0.0.1", stack.http), timeout=60)
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(idle, b"}")
        until(lambda: stack.metric("sandbox_router_inflight_requests") == 1, "request under way")
        stack.router.send_signal(signal.SIGTERM)
        self.assertEqual(read_all(idle), b"")
        until(lambda: stack.admin_get("/readyz").startswith(b"HTTP/1.1 503"), "unready")
        until(lambda: refuses(stack.http), "no loop listens")
        busy.sendall(b"cd")
        got = read_all(busy)
        self.assertIn(hashlib.sha256(b"abcd").hexdigest().encode(), got)
        self.assertIn(b"Connection: close", got)
        self.assertEqual(stack.router.wait(60), 0)
        busy.close()
        idle.close()

    def test_redis_away(self):
        stack = Stack()
        self.addCleanup(stack.stop)
        redis = stack.processes[0]
        redis.kill()
        redis.wait()
        until(lambda: stack.admin_get("/readyz").startswith(b"HTTP/1.1 503"), "unready")
        with socket.create_connection(("127.0.0.1", stack.http), timeout=60) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: a-aaaaa\r\nConnection: close\r\n\r\n")
            head, _, body = read_all(s).partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n"), head)
            self.assertIn(b"\r\nRetry-After: 1\r\n", head)
            self.assertEqual(json.loads(body)["reason"], "no_state")


if __name__ == "__main__":
    unittest.main(verbosity=2)
