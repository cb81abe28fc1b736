"""The HTTPS listener in front of a real runtime: versions, protocols, client certificates, certificates that change, and clients who do not mean well."""

import json
import os
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "testing"))
import app
from harness import ROUTER, StackTest, free_port, read_all, read_until, until
from http2_client import Client

CERTIFICATES = "services/router/testing/certificates"


def write_certificates(folder, client="agent 7", hours=24):
    subprocess.run([CERTIFICATES, folder, client, str(hours)], check=True, timeout=60)


def certificates():
    folder = tempfile.mkdtemp(dir="/tmp")
    write_certificates(folder)
    return folder


class HttpsTest(StackTest):
    more = []

    @classmethod
    def setUpClass(cls):
        cls.folder, cls.https = certificates(), free_port()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.flags = [
            f"--https-address=127.0.0.1:{cls.https}",
            f"--tls-cert-file={cls.folder}/tls.crt",
            f"--tls-key-file={cls.folder}/tls.key",
            "--loops=2",
            *(flag.replace("FOLDER", cls.folder) for flag in cls.more),
        ]
        super().setUpClass()
        cls.port = app.start()
        cls.runtime, cls.route, _ = cls.stack.runtime()
        cls.box = cls.stack.sandbox(cls.route)

    def context(self, protocols=(), own=None):
        """own: the folder with the certificate to show."""
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.crt")
        if protocols:
            context.set_alpn_protocols(protocols)
        if own:
            context.load_cert_chain(f"{own}/client.crt", f"{own}/client.key")
        return context

    def raw(self):
        s = socket.create_connection(("127.0.0.1", self.https), timeout=60)
        self.addCleanup(s.close)
        return s

    def connect(self, *protocols, context=None, **kw):
        s = (context or self.context(protocols, **kw)).wrap_socket(self.raw(), server_hostname="router.test")
        self.addCleanup(s.close)
        return s

    def head(self, path, method="GET", fields="", close=True):
        return (
            f"{method} {path} HTTP/1.1\r\nHost: front:1\r\nX-Sandbox-ID: {self.box}\r\nX-Sandbox-Port: {self.port}\r\n"
            f"{'Connection: close' if close else 'X-Open: 1'}\r\n{fields}\r\n"
        ).encode()

    def ask_on(self, s, path, body=b"", **kw):
        """Whole answers only: an end without TLS's goodbye is an error of read_all."""
        s.sendall(self.head(path, **kw) + body)
        head, _, answer = read_all(s).partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head.decode(), answer

    def get(self, path, *protocols, **kw):
        return self.ask_on(self.connect(*protocols, **kw), path)

    def results(self, result):
        return self.stack.metric(f'sandplane_router_tls_handshakes_total{{result="{result}"}}')

    def assert_refused(self, **kw):
        """In TLS 1.3 the client's part of the handshake may be over before it is told."""
        before = self.results("refused")
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            s = self.connect(**kw)
            s.sendall(self.head("/echo"))
            if not s.recv(1):
                raise ConnectionResetError
        until(lambda: self.results("refused") > before, "it is counted")


class Https(HttpsTest):
    def test_http1(self):
        for protocols in [(), ("http/1.1",), ("made-up",)]:
            with self.subTest(protocols):
                status, _, body = self.get("/echo", *protocols)
                self.assertEqual(status, 200)
                self.assertIn(b"x-forwarded-proto: https", body.lower())
                self.assertIn(b"x-forwarded-for: 127.0.0.1", body.lower())

    def test_plain_port_beside_it(self):
        with socket.create_connection(("127.0.0.1", self.stack.http), timeout=60) as s:
            s.sendall(self.head("/echo"))
            self.assertIn(b"x-forwarded-proto: http\n", read_all(s).lower())

    def test_connection_is_kept(self):
        s = self.connect("http/1.1")
        for _ in range(3):
            s.sendall(self.head("/echo", close=False))
            self.assertTrue(read_until(s, b"\r\n\r\n").startswith(b"HTTP/1.1 200 "))
        self.assertEqual(self.ask_on(s, "/healthz")[0], 200)

    def test_http2(self):
        s = self.connect("h2", "http/1.1")
        self.assertEqual(s.selected_alpn_protocol(), "h2")
        client = Client(sock=s)
        fields = [("x-sandbox-id", self.box), ("x-sandbox-port", str(self.port))]
        streams = [client.ask("/echo", fields=fields) for _ in range(5)]
        for stream in streams:
            answer = client.answer(stream)
            self.assertEqual(answer.status, 200)
            self.assertIn(b"x-forwarded-proto: https", answer.body.lower())

    def test_http2_is_agreed_upon_or_not_spoken(self):
        s = self.connect("http/1.1")
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.assertTrue(read_all(s).startswith(b"HTTP/1.1 400 "))

    def test_large_bodies(self):
        data = os.urandom(1 << 20) * 5
        status, _, body = self.ask_on(
            self.connect(), "/sum", body=data, method="POST", fields=f"Content-Length: {len(data)}\r\n"
        )
        self.assertEqual(status, 200)
        self.assertIn(str(len(data)).encode(), body)
        self.assertEqual(len(self.get("/big?9")[2]), 9 << 20)

    def test_upgrade(self):
        s = self.connect("http/1.1")
        s.sendall(
            self.head("/ws", close=False, fields="Upgrade: websocket\r\n").replace(b"X-Open: 1", b"Connection: Upgrade")
        )
        self.assertIn(b" 101 ", read_until(s, b"hello"))
        for text in [b"one", b"two" * 40000]:
            s.sendall(text)
            got = b""
            while len(got) < len(text):
                got += s.recv(65536)
            self.assertEqual(got, text)

    def test_old_versions(self):
        for version in [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]:
            context = self.context()
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.minimum_version = context.maximum_version = version
            self.assert_refused(context=context)
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        s = self.connect(context=context)
        self.assertEqual(s.version(), "TLSv1.2")
        self.assertEqual(self.ask_on(s, "/echo")[0], 200)

    def test_plain_http_is_told(self):
        s = self.raw()
        s.sendall(self.head("/echo"))
        head, _, body = read_all(s).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 400 "))
        self.assertEqual(json.loads(body), {"detail": "This port speaks HTTPS only."})
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        self.assertEqual(self.results("plain_http"), 1)

    def test_what_is_neither_ends(self):
        s = self.raw()
        s.sendall(os.urandom(3000))
        read_all(s)
        self.assertEqual(self.get("/echo")[0], 200)

    def test_who_stalls_is_given_up(self):
        before, silent, half = self.results("timed_out"), self.raw(), self.raw()
        half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        self.assertEqual(self.get("/echo")[0], 200)
        self.assertEqual(silent.recv(1), b"")
        read_all(half)
        self.assertEqual(self.results("timed_out") - before, 2)

    def test_nobody_is_kept_out_by_who_stalls(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        # two loops, and a bound for each
        held = [self.raw() for _ in range(2300)]
        self.assertEqual(self.get("/echo")[0], 200)
        self.assertGreater(self.results("crowded_out"), 0)
        for s in held:
            s.close()
        until(lambda: self.stack.metric("sandplane_router_http_connections") == 0, "none is left")

    def test_counts(self):
        """What ended is no connection any more."""
        self.raw().close()
        self.get("/echo")
        until(lambda: self.stack.metric("sandplane_router_http_connections") == 0, "none is counted")


class Full(HttpsTest):
    more = ["--max-connections=8", "--loops=1"]

    def setUp(self):
        until(
            lambda: self.stack.metric("sandplane_router_http_connections") == 0, "those of the test before have ended"
        )
        self.refused_before = self.refused()

    def refused(self):
        return self.stack.metric("sandplane_router_http_connections_refused_total")

    def test_who_stalls_makes_way(self):
        """To the plain port as well. Who was let in does not."""
        held = self.connect("http/1.1")
        held.sendall(self.head("/hang", close=False))
        read_until(held, b"\r\n\r\n")
        for _ in range(20):
            self.raw()
        self.assertEqual(self.get("/echo")[0], 200)
        for _ in range(20):
            self.raw()
        with socket.create_connection(("127.0.0.1", self.stack.http), timeout=60) as s:
            s.sendall(self.head("/echo"))
            self.assertIn(b"HTTP/1.1 200 ", read_all(s))
        self.assertGreater(self.results("crowded_out"), 20)
        self.assertEqual(self.refused(), self.refused_before)
        held.setblocking(False)
        with self.assertRaises(ssl.SSLWantReadError):
            held.recv(1)

    def test_who_is_let_in_keeps_others_out(self):
        held = [self.connect("http/1.1") for _ in range(8)]
        for s in held:
            s.sendall(self.head("/echo", close=False))
            read_until(s, b"\r\n\r\n")
        s = self.raw()
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            self.context().wrap_socket(s, server_hostname="router.test")
        self.assertEqual(self.refused(), self.refused_before + 1)


class Rotation(HttpsTest):
    def shown(self):
        """The certificate of a new connection; whose authority it is is not asked."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return self.connect(context=context).getpeercert(binary_form=True)

    def test_certificates_change(self):
        first, held = self.shown(), self.connect("http/1.1")
        ends = self.stack.metric("sandplane_router_tls_certificate_expiry_seconds")
        write_certificates(self.folder, hours=48)
        until(lambda: self.shown() != first, "the new certificate is shown")
        self.assertEqual(self.get("/echo")[0], 200)
        self.assertEqual(self.ask_on(held, "/echo")[0], 200)
        later = self.stack.metric("sandplane_router_tls_certificate_expiry_seconds") - ends
        self.assertLess(abs(later - 24 * 3600), 600)

        second = self.shown()
        with open(f"{self.folder}/tls.crt", "w") as f:
            f.write("no certificate")
        failed = 'sandplane_router_tls_loads_total{result="failed"}'
        until(lambda: self.stack.metric(failed) == 1, "it was read")
        self.assertIn('"event":"tls_files_kept"', self.stack.log())
        self.assertIn(f"--tls-cert-file: {self.folder}/tls.crt: ", self.stack.log())
        self.assertEqual(self.shown(), second)
        self.assertEqual(self.get("/echo")[0], 200)

        write_certificates(self.folder)
        until(lambda: self.shown() != second, "one that can be used is shown")
        self.assertEqual(self.stack.metric(failed), 1)


class Optional(HttpsTest):
    more = ["--mtls-mode=optional", "--tls-client-ca-file=FOLDER/ca.crt"]

    def subject_of(self, path):
        def line():
            lines = [json.loads(x) for x in self.stack.log().splitlines() if f'"{path}"' in x]
            return lines[-1] if lines else None

        return until(line, f"a line about {path}")["client_subject"]

    def test_with_and_without(self):
        self.assertEqual(self.get("/echo?1")[0], 200)
        self.assertEqual(self.subject_of("/echo"), "")
        self.assertEqual(self.get("/old", own=self.folder)[0], 200)
        self.assertEqual(self.subject_of("/old"), "CN=agent 7")
        client = Client(sock=self.connect("h2", own=self.folder))
        fields = [("x-sandbox-id", self.box), ("x-sandbox-port", str(self.port))]
        self.assertEqual(client.get("/chunked?1", fields=fields).status, 200)
        self.assertEqual(self.subject_of("/chunked"), "CN=agent 7")

    def test_of_another_authority(self):
        other = certificates()
        self.addCleanup(shutil.rmtree, other)
        self.assert_refused(own=other)
        self.assertIn("unable to get local issuer certificate", self.stack.log())


class Required(HttpsTest):
    more = [
        "--mtls-mode=required",
        "--tls-client-ca-file=FOLDER/ca.crt",
        "--tls-min-version=1.3",
        "--http-bind-address=",
    ]

    def test_all(self):
        self.assertEqual(self.get("/echo", own=self.folder)[0], 200)
        self.assert_refused()
        other = certificates()
        self.addCleanup(shutil.rmtree, other)
        self.assert_refused(own=other)
        context = self.context(own=self.folder)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assert_refused(context=context)

    def test_there_is_no_plain_port(self):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.stack.http), timeout=60)


class Ends(HttpsTest):
    """Its router ends in its test."""

    def test_drain(self):
        idle, busy, shaking = self.connect("http/1.1"), self.connect("http/1.1"), self.raw()
        idle.sendall(self.head("/echo", close=False))
        read_until(idle, b"\r\n\r\n")
        busy.sendall(self.head("/hang", close=False))
        read_until(busy, b"\r\n\r\n")
        self.stack.router.terminate()
        until(lambda: "draining" in self.stack.log(), "it ends")
        # goodbyes, and not just ends
        while idle.recv(65536):
            pass
        # one that came before is still let in, for one request
        s = self.context(["http/1.1"]).wrap_socket(shaking, server_hostname="router.test")
        self.addCleanup(s.close)
        self.assertEqual(self.ask_on(s, "/echo")[0], 200)
        busy.close()
        self.assertEqual(self.stack.router.wait(60), 0)


class Flags(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = certificates()
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def test_what_is_wrong_is_told(self):
        address, cert, key = "--https-address=:1", "--tls-cert-file=D/tls.crt", "--tls-key-file=D/tls.key"
        ca = "--tls-client-ca-file=D/ca.crt"
        rows = [
            ([address], "--https-address needs --tls-cert-file and --tls-key-file"),
            (["--https-bind-address=:1"], "--https-address needs --tls-cert-file and --tls-key-file"),
            (["--https-bind-address=1"], "--https-bind-address: '1' is not an address (host:port or unix:/path)"),
            ([address, cert], "--tls-cert-file and --tls-key-file need each other"),
            ([address, key], "--tls-cert-file and --tls-key-file need each other"),
            ([cert, key], "files of TLS need --https-address"),
            ([address, cert, key, "--mtls-mode=required"], "--mtls-mode=required needs --tls-client-ca-file"),
            ([address, cert, key, "--mtls-mode=optional"], "--mtls-mode=optional needs --tls-client-ca-file"),
            ([address, cert, key, ca], "--tls-client-ca-file needs --mtls-mode, optional or required"),
            ([address, cert, key, ca, "--mtls-mode=on"], "--mtls-mode: 'on' is not off, optional or required"),
            ([address, cert, key, "--tls-min-version=1.1"], "--tls-min-version: '1.1' is not 1.2 or 1.3"),
            (
                [address, cert, key, "--tls-cipher-suites=TLS_RSA_WITH_AES_128_GCM_SHA256"],
                "--tls-cipher-suites: 'TLS_RSA_WITH_AES_128_GCM_SHA256' has no forward secrecy or a weak cipher",
            ),
            ([address, "--tls-cert-file=D/no", key], "--tls-cert-file: D/no: No such file or directory"),
            (["--http-address="], "--http-address and --https-address: one is needed"),
        ]
        for flags, line in rows:
            with self.subTest(flags):
                argv = [ROUTER, *(flag.replace("D/", f"{self.folder}/") for flag in flags)]
                p = subprocess.run(argv, capture_output=True, text=True, timeout=60)
                self.assertEqual((p.returncode, p.stdout), (2, ""))
                self.assertEqual(p.stderr, f"sandplane-router: {line}\n".replace("D/", f"{self.folder}/"))


class Suites(HttpsTest):
    more = [
        "--tls-min-version=VersionTLS12",
        "--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_AES_128_GCM_SHA256",
    ]

    def test_the_one_that_was_named(self):
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.connect(context=context).cipher()[0], "ECDHE-ECDSA-AES256-GCM-SHA384")
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        self.assert_refused(context=context)


if __name__ == "__main__":
    unittest.main()
