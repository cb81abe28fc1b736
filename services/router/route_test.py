"""Sandboxes that are named by a path or a host, as browsers name them, with a real router and runtime."""

import base64
import hashlib
import hmac
import http.cookiejar
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "testing"))

import app
from harness import ROUTER, StackTest, read_all, read_until, until
from http2_client import Client

SECRET = "0123456789abcdef0123456789abcdef"


def scoped_token(box, ns="default"):
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    payload = b64(json.dumps({"ns": ns, "name": box, "exp": int(time.time()) + 3600}).encode())
    mac = hmac.new(SECRET.encode(), b"agent-sandbox/scoped-token/v1." + payload, hashlib.sha256).digest()
    return (b"v1." + payload + b"." + b64(mac)).decode()


class RouteTest(StackTest):
    flags = ["--path-routing-prefix=/sandboxes", "--host-routing-domain=box.example"]

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

    def ask(self, data):
        """Sends bytes and reads to the end: status, head, body."""
        s = self.connect()
        s.sendall(data)
        head, _, body = read_all(s).partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head.decode("latin-1"), body

    def get(self, path, host=None):
        """By headers."""
        named = f"X-Sandbox-ID: {self.box}\r\nX-Sandbox-Port: {self.port}\r\n"
        return self.ask(self.plain(path, host=host, fields=named))

    def assert_detail(self, got, status, detail):
        self.assertEqual((got[0], json.loads(got[2])), (status, {"detail": detail}))

    def assert_failure(self, got, status, reason, *words):
        body = json.loads(got[2])
        self.assertEqual((got[0], body["reason"]), (status, reason), body)
        for word in words:
            self.assertIn(word, body["detail"])

    def logged(self, path):
        def line():
            lines = [json.loads(x) for x in self.stack.log().splitlines() if f'"{path}"' in x]
            return lines[-1] if lines else None

        return until(line, f"a line about {path}")

    @property
    def folder(self):
        return f"/sandboxes/default/{self.box}/{self.port}"

    @property
    def host(self):
        return f"{self.port}-{self.box}.box.example"

    def plain(self, path, method="GET", host=None, fields=""):
        """A request that only its path and host say something of."""
        host = host or f"127.0.0.1:{self.stack.http}"
        return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n".encode("latin-1")

    def fields_of(self, head):
        """Those of an answer, as a list of lower-case names and values."""
        return [(k.lower(), v) for k, _, v in (line.partition(": ") for line in head.split("\r\n")[1:])]

    def values(self, head, name):
        return [v for k, v in self.fields_of(head) if k == name]


class ByPath(RouteTest):
    def test_request(self):
        status, _, body = self.ask(self.plain(self.folder + "/a%2Fb//c/%2e?x=1&y=%20"))
        self.assertEqual(status, 200)
        text = body.decode()
        self.assertTrue(text.startswith("GET /a%2Fb//c/%2e?x=1&y=%20 HTTP/1.1\r\n"), text)
        self.assertIn(f"\r\nX-Forwarded-Prefix: {self.folder}\n", text)
        self.assertIn(f"X-Forwarded-Host: 127.0.0.1:{self.stack.http}\r\n", text)
        logged = self.logged(self.folder + "/a%2Fb//c/%2e")
        self.assertEqual((logged["sandbox_id"], logged["status"]), (self.box, 200))

    def test_body(self):
        status, _, body = self.ask(self.plain(self.folder + "/sum", "POST", fields="Content-Length: 3\r\n") + b"abc")
        self.assertEqual((status, body), (200, f"3 {hashlib.sha256(b'abc').hexdigest()}".encode()))

    def test_folder(self):
        for path, to in ((self.folder, self.folder + "/"), (self.folder + "?a=b", self.folder + "/?a=b")):
            status, head, _ = self.ask(self.plain(path))
            self.assertEqual((status, self.values(head, "location")), (308, [to]))

    def test_what_is_refused(self):
        for path, detail in (
            ("/sandboxes/default", "Invalid sandbox ID format."),
            (f"/sandboxes/default/{self.box}", "Invalid port format."),
            (f"/sandboxes/default/{self.box}/0{self.port}/", "Invalid port format."),
            (f"/sandboxes/%64efault/{self.box}/{self.port}/", "Invalid namespace format."),
            (self.folder + "/../../other-aaaaa/80/", "The path leaves the sandbox."),
            (self.folder + "/a/..%2F..%2Fx", "The path leaves the sandbox."),
        ):
            self.assert_detail(self.ask(self.plain(path)), 400, detail)
        two = "The request names two different sandboxes."
        self.assert_detail(self.ask(self.plain(self.folder + "/", fields="X-Sandbox-ID: other-aaaaa\r\n")), 400, two)
        self.assert_detail(self.ask(self.plain(self.folder + "/", host="80-other-aaaaa.box.example")), 400, two)
        got = self.ask(self.plain(f"/sandboxes/default/no-such/{self.port}/"))
        self.assert_failure(got, 502, "no_sandbox", "no-such")

    def test_headers_still_count(self):
        status, _, body = self.get("/sandboxes2/default/x")
        self.assertTrue(status == 200 and body.startswith(b"GET /sandboxes2/default/x HTTP/1.1\r\n"), body)
        self.assertNotIn(b"X-Forwarded-Prefix", body)

    def test_answers_are_rewritten(self):
        _, head, _ = self.ask(self.plain(self.folder + "/redirect?/login"))
        self.assertEqual(self.values(head, "location"), [self.folder + "/login"])
        self.assertEqual(
            self.values(head, "set-cookie"), [f"a=1; Path={self.folder}/; HttpOnly", f"b=2; Path={self.folder}/x"]
        )
        self.assertEqual(self.values(head, "clear-site-data"), [])
        own = f"http://127.0.0.1:{self.stack.http}/x?y"
        for to, seen in (
            (own, self.folder + "/x?y"),
            (f"http://127.0.0.1:{self.port}/x", self.folder + "/x"),
            ("https://other.example/x", "https://other.example/x"),
            ("next", "next"),
        ):
            _, head, _ = self.ask(self.plain(self.folder + "/redirect?" + to))
            self.assertEqual(self.values(head, "location"), [seen])

    def test_upgrade(self):
        upgrade = "Upgrade: websocket\r\n"
        s = self.connect()
        s.sendall(self.plain(self.folder + "/ws", fields=upgrade).replace(b": close", b": Upgrade"))
        self.assertIn(b"101 Switching Protocols", read_until(s, b"hello"))
        s.sendall(b"both ways")
        read_until(s, b"both ways")
        # sent nowhere else for want of a slash; this program has nothing to upgrade to there
        t = self.connect()
        t.sendall(self.plain(self.folder + "?x", fields=upgrade).replace(b": close", b": Upgrade"))
        self.assertIn(b"GET /?x HTTP/1.1", read_until(t, b"\n\n"))

    def test_http2(self):
        client = Client(self.stack.http)
        self.addCleanup(client.close)
        answer = client.get(self.folder + "/echo?x")
        self.assertTrue(answer.body.startswith(b"GET /echo?x HTTP/1.1\r\n"), answer.body)
        self.assertIn(f"\r\nX-Forwarded-Prefix: {self.folder}\n".encode(), answer.body)
        answer = client.get(self.folder + "/redirect?/login")
        self.assertEqual(answer.head["location"], self.folder + "/login")
        self.assertIn(f"b=2; Path={self.folder}/x", answer.head["set-cookie"])
        answer = client.get(self.folder)
        self.assertEqual((answer.status, answer.head["location"]), (308, self.folder + "/"))
        answer = client.get(self.folder + "/", authority="80-other-aaaaa.box.example")
        self.assertEqual(answer.status, 400)


class ByPathAsTheyAre(RouteTest):
    flags = ["--path-routing-prefix=/sandboxes", "--path-routing-rewrite-responses=false"]

    def test_answers_stay(self):
        _, head, _ = self.ask(self.plain(self.folder + "/redirect?/login"))
        self.assertEqual(self.values(head, "location"), ["/login"])
        self.assertIn("a=1; Path=/; Domain=box.example; HttpOnly", self.values(head, "set-cookie"))


class ByHost(RouteTest):
    def test_request(self):
        for host in (self.host, self.host.upper() + ".:8080", self.host.replace(".", "--default.", 1)):
            status, _, body = self.ask(self.plain("/a%2Fb?x", host=host))
            self.assertEqual(status, 200)
            text = body.decode()
            self.assertTrue(text.startswith("GET /a%2Fb?x HTTP/1.1\r\n"), text)
            self.assertIn(f"X-Forwarded-Host: {host}\r\n", text)
            self.assertNotIn("X-Forwarded-Prefix", text)

    def test_namespace(self):
        self.stack.seed("make", "team-b", "pool-aaaaa", self.route)
        got = self.ask(self.plain("/", host=f"{self.port}-pool-aaaaa--team-b.box.example"))
        self.assert_failure(got, 502, "not_claimed")
        got = self.ask(self.plain("/", host=f"{self.port}-pool-aaaaa.box.example"))
        self.assert_failure(got, 502, "no_sandbox")

    def test_what_is_refused(self):
        for host, detail in (
            (f"0-{self.box}.box.example", "Invalid port format."),
            (f"{self.port}-{self.box}.x.box.example", "Invalid sandbox ID format."),
            ("box.example", "X-Sandbox-ID header is required."),
            (f"api-{self.box}.box.example", "X-Sandbox-ID header is required."),
        ):
            self.assert_detail(self.ask(self.plain("/", host=host)), 400, detail)
        got = self.ask(self.plain("/", host=self.host, fields=f"X-Sandbox-ID: {self.box}\r\nX-Sandbox-Port: 1\r\n"))
        self.assert_detail(got, 400, "The request names two different sandboxes.")

    def test_health_is_the_sandboxes(self):
        self.assertTrue(self.ask(self.plain("/healthz", host=self.host))[2].startswith(b"GET /healthz HTTP/1.1"))
        self.assertEqual(self.ask(self.plain("/healthz"))[2], b'{"status":"ok"}')

    def test_answers(self):
        _, head, _ = self.ask(self.plain(f"/redirect?http://127.0.0.1:{self.port}/x", host=self.host))
        self.assertEqual(self.values(head, "location"), ["/x"])
        self.assertEqual(self.values(head, "set-cookie"), ["a=1; Path=/; HttpOnly", "b=2; path=/x"])

    def test_upgrade_and_http2(self):
        s = self.connect()
        s.sendall(self.plain("/ws", host=self.host, fields="Upgrade: websocket\r\n").replace(b": close", b": Upgrade"))
        read_until(s, b"hello")
        client = Client(self.stack.http)
        self.addCleanup(client.close)
        self.assertTrue(client.get("/echo?x", authority=self.host).body.startswith(b"GET /echo?x HTTP/1.1\r\n"))


class Hosts(RouteTest):
    """A page of a stranger whose name leads here now: the router listens on loopback."""

    flags = ["--host-routing-domain=box.example", "--allowed-hosts=*.front.example"]

    def test_hosts(self):
        for host in (
            "127.0.0.1:1",
            "localhost:8080",
            "[::1]",
            "router",
            "a.svc.cluster.local",
            "x.front.example",
            self.host,
        ):
            self.assertEqual(self.get("/echo", host=host)[0], 200, host)
        for host in ("evil.example", "front.example", "127.0.0.1.evil.example:80", "b\xfccher"):
            status, _, body = self.get("/echo", host=host)
            self.assertEqual((status, json.loads(body)["detail"][:23]), (403, "This host is not served"), host)
        self.assertEqual(self.get("/healthz", host="evil.example")[0], 200)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    """What a browser does with cookies and redirects, and its one page."""

    def __init__(self, test, follows=True):
        self.test, self.jar = test, http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar), *([] if follows else [NoRedirect()])
        )

    def open(self, path, method="GET", **fields):
        url = f"http://127.0.0.1:{self.test.stack.http}{path}"
        data = b"" if method == "POST" else None
        try:
            with self.opener.open(urllib.request.Request(url, data, fields, method=method), timeout=60) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read().decode()


class Sessions(RouteTest):
    flags = [
        *RouteTest.flags,
        "--authz-mode=scoped-token",
        "--authz-cookie-name=sb",
        "--authz-cookie-query-param=token",
        "--authz-cookie-insecure",
        "--authz-cookie-allowed-origins=https://app.example",
    ]

    @classmethod
    def setUpClass(cls):
        # the router reads it at its start
        fd, path = tempfile.mkstemp(dir="/tmp")
        with open(fd, "w") as f:
            f.write(SECRET)
        cls.addClassCleanup(os.unlink, path)
        cls.flags = [*cls.flags, f"--authz-scoped-token-secret-file={path}"]
        super().setUpClass()

    def setUp(self):
        self.token = scoped_token(self.box)

    def test_link(self):
        status, head, _ = self.ask(self.plain(f"{self.folder}?a=1&token={self.token}&b"))
        self.assertEqual((status, self.values(head, "location")), (302, [self.folder + "/?a=1&b"]))
        cookie = f"sb={self.token}; Path=/sandboxes/default/{self.box}/; HttpOnly; SameSite=Lax"
        self.assertEqual(
            (self.values(head, "set-cookie"), self.values(head, "cache-control")), ([cookie], ["no-store"])
        )
        for wrong, wanted in ((self.token + "x", 401), (scoped_token("other-aaaaa"), 403), ("a%20b", 400)):
            status, head, _ = self.ask(self.plain(f"{self.folder}/?token={wrong}"))
            self.assertEqual((status, self.values(head, "set-cookie")), (wanted, []))
        self.assertNotIn(self.token, self.stack.log())

    def test_browser(self):
        browser = Browser(self)
        status, _, body = browser.open(f"{self.folder}/page?x&token={self.token}")
        self.assertEqual(status, 200)
        self.assertTrue(body.startswith("GET /page?x HTTP/1.1\r\n"), body)
        status, _, body = browser.open(f"{self.folder}/again")
        self.assertEqual(status, 200)
        # neither the cookie nor the token is the sandbox's to see; its own cookies are
        self.assertNotIn(self.token, body)
        self.assertNotIn("sb=", body)
        self.assertIn("a=1", body)
        own = f"http://127.0.0.1:{self.stack.http}"
        for origin, wanted in (
            (None, 403),
            ("https://evil.example", 403),
            ("null", 403),
            (own, 200),
            ("https://app.example", 200),
        ):
            fields = {"Origin": origin} if origin else {}
            status, _, body = browser.open(f"{self.folder}/echo", "POST", **fields)
            self.assertEqual((origin, status), (origin, wanted), body)
        # of this sandbox alone
        self.assertEqual(browser.open(f"/sandboxes/default/other-aaaaa/{self.port}/")[0], 401)
        self.assertEqual(Browser(self).open(f"{self.folder}/")[0], 401)

    def test_another_sandboxs_token(self):
        browser = Browser(self, follows=False)
        other = scoped_token("other-aaaaa")
        for cookie, wanted in ((other, 403), (f"{other}; sb={self.token}", 200), (self.token, 200)):
            self.assertEqual(browser.open(f"{self.folder}/", Cookie=f"sb={cookie}")[0], wanted)
        # one that has no cookie of its own goes the old way
        self.assertEqual(browser.open(f"{self.folder}/", Authorization=f"Bearer {self.token}")[0], 200)
        self.assertEqual(browser.open(f"{self.folder}/", "POST", Authorization=f"Bearer {self.token}")[0], 200)

    def test_websocket(self):
        for origin, wanted in (
            ("", 403),
            ("Origin: https://evil.example\r\n", 403),
            (f"Origin: http://{self.host}\r\n", 101),
            ("Origin: https://app.example\r\n", 101),
        ):
            s = self.connect()
            fields = f"Upgrade: websocket\r\nCookie: sb={self.token}\r\n{origin}"
            s.sendall(self.plain("/ws", host=self.host, fields=fields).replace(b"n: close", b"n: Upgrade"))
            self.assertEqual(int(read_until(s, b"\r\n\r\n").split(b" ")[1]), wanted, origin)

    def test_by_host(self):
        status, head, _ = self.ask(self.plain(f"//evil.example/?token={self.token}", host=self.host))
        self.assertEqual((status, self.values(head, "location")), (302, ["/.//evil.example/"]))
        self.assertEqual(self.values(head, "set-cookie"), [f"sb={self.token}; Path=/; HttpOnly; SameSite=Lax"])
        status, _, body = self.ask(self.plain("/", host=self.host, fields=f"Cookie: sb={self.token}; a=1\r\n"))
        self.assertEqual(status, 200)
        self.assertIn(b"Cookie: a=1\r\n", body)

    def test_http2(self):
        client = Client(self.stack.http)
        self.addCleanup(client.close)
        answer = client.get(f"{self.folder}/x?token={self.token}")
        self.assertEqual((answer.status, answer.head["location"]), (302, self.folder + "/x"))
        cookie = answer.head["set-cookie"].partition(";")[0]
        answer = client.get(f"{self.folder}/x", fields=[("cookie", "a=1"), ("cookie", cookie)])
        self.assertEqual(answer.status, 200)
        self.assertNotIn(self.token.encode(), answer.body)
        self.assertEqual(client.get(f"{self.folder}/x", fields=[("cookie", "a=1")]).status, 401)

    def test_cookie_of_the_routers_name_in_an_answer(self):
        _, head, _ = self.ask(
            self.plain(f"{self.folder}/cookie?sb=mine", fields=f"Authorization: Bearer {self.token}\r\n")
        )
        self.assertEqual(self.values(head, "set-cookie"), [])
        _, head, _ = self.ask(
            self.plain(f"{self.folder}/cookie?sx=mine", fields=f"Authorization: Bearer {self.token}\r\n")
        )
        self.assertEqual(self.values(head, "set-cookie"), ["sx=mine"])

    def test_decisions_are_counted(self):
        def count(decision):
            lines = self.stack.admin_get("/metrics").decode().splitlines()
            return sum(float(x.rsplit(" ", 1)[1]) for x in lines if "authz_decisions" in x and f'"{decision}"' in x)

        before = count("allow"), count("deny")
        self.assertEqual(self.ask(self.plain(f"{self.folder}/?token={self.token}"))[0], 302)
        self.assertEqual(self.ask(self.plain(f"{self.folder}/"))[0], 401)
        self.assertEqual((count("allow") - before[0], count("deny") - before[1]), (1, 1))


class Settings(unittest.TestCase):
    def test_what_does_not_fit(self):
        for flags, flag in (
            (["--path-routing-prefix=x"], "--path-routing-prefix"),
            (["--host-routing-domain=*.x"], "--host-routing-domain"),
            (["--allowed-hosts=a:80"], "--allowed-hosts"),
            (["--authz-cookie-name=sb"], "--authz-cookie-name"),
            (["--authz-cookie-name=sb", "--path-routing-prefix=/p"], "--authz-cookie-name"),
            (["--authz-cookie-samesite=x"], "--authz-cookie-samesite"),
            (["--authz-cookie-query-param=x"], "--authz-cookie-query-param"),
        ):
            done = subprocess.run([ROUTER, *flags], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, flags)
            self.assertIn(flag, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
