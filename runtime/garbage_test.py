"""The real runtime under garbage on both of its doors: it answers or hangs up, never dies, and serves on.

The bytes come from a fixed seed.
"""

import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "runtime")
from runtime_case import HALF_CLOSE, MESSAGE, RUNTIME, STATUS, frame, opening, request, start, stdin, until

PORT = 18888  # in the test's own network namespace
ROUNDS = 1500
OPEN_EXEC = opening("Exec", uid="u1")


class GarbageTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rt", dir="/tmp")  # a socket's path must be short
        self.path = self.dir + "/s"
        args = [os.path.abspath(RUNTIME), "--listen-unix", self.path, "--http-address", f"127.0.0.1:{PORT}"]
        self.process = subprocess.Popen(args, cwd=self.dir, stderr=subprocess.PIPE)
        until(self.is_up, 60, "the runtime comes up", may_fail=OSError)
        self.random = random.Random(1)

    def is_up(self):
        if self.process.poll() is not None:
            self.fail(f"the runtime ended with {self.process.returncode}: {self.process.stderr.read()!r}")
        return self.http(b"GET / HTTP/1.0\r\n\r\n")

    def tearDown(self):
        self.process.terminate()
        _, err = self.process.communicate(timeout=60)
        self.assertEqual(self.process.returncode, 0, err.decode(errors="replace"))

    def http(self, data, want=None):
        with socket.create_connection(("127.0.0.1", PORT), timeout=60) as s:
            s.sendall(data)
            got = bytearray()  # of many parts
            while want is None or len(re.findall(rb"HTTP/1\.1 \d", got)) < want or not got.endswith(b"}"):
                part = s.recv(65536)
                if not part:
                    break
                got += part
            return bytes(got)

    def call(self, data):
        """All that comes back until the runtime closes."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self.path)
            s.sendall(data)
            got = bytearray()  # of many parts
            while part := s.recv(65536):
                got += part
            return bytes(got)

    def serves(self):
        self.assertIn(b"active.", self.http(b"GET / HTTP/1.0\r\n\r\n"))
        got = self.call(OPEN_EXEC + request("echo", "still here") + frame(HALF_CLOSE))
        self.assertIn(b"still here\n", got)
        self.assertEqual(got[-5:], frame(STATUS))

    def poke(self, s, data):
        """Sends, takes what comes at once, and hangs up."""
        try:
            s.sendall(data)
            s.settimeout(0.001)
            s.recv(100)
        except OSError:
            pass
        s.close()

    def test_frames(self):
        for _ in range(ROUNDS):
            junk = self.random.randbytes(self.random.randrange(60))
            data = self.random.choice(
                [
                    junk,
                    frame(self.random.randrange(6), junk),
                    OPEN_EXEC + frame(MESSAGE, junk),
                    OPEN_EXEC + junk,
                    OPEN_EXEC + request("sleep", "9") + junk,
                ]
            )
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.path)
            self.poke(s, data)
        self.serves()

    def test_http(self):
        body = b'{"command":"echo hi"}'
        seeds = [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
            b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ]
        for _ in range(ROUNDS):
            data = bytearray(self.random.choice(seeds) * self.random.randint(1, 3))
            for _ in range(self.random.randint(1, 5)):
                data[self.random.randrange(len(data))] = self.random.randrange(256)
            s = socket.create_connection(("127.0.0.1", PORT), timeout=60)
            self.poke(s, bytes(data[: self.random.randint(1, len(data))]))
        self.serves()

    def test_pipelined_requests_are_answered_in_order(self):
        posts = b"".join(
            b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(b), b)
            for b in (b'{"command":"echo %d"}' % i for i in range(5))
        )
        got = self.http(posts, want=5)
        self.assertEqual(re.findall(rb'"stdout":"(\d)', got), [b"0", b"1", b"2", b"3", b"4"])

    def test_output_that_grows_in_json(self):
        body = b'{"command":"head -c 16000000 /dev/zero"}'
        request = b"POST /execute HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"
        got = self.http(request % (len(body), body))
        self.assertIn(b'"exit_code":0', got)
        self.assertEqual(got.count(b"\\u0000"), 16000000)
        self.serves()

    def test_refusals_say_why(self):
        self.assertIn(b"unknown type 255", self.call(b"\xff\xff"))
        self.assertIn(b"at most 4194304", self.call(b"\x01\xff\xff\xff\xff"))
        self.assertIn(b"first frame must be OPEN", self.call(frame(MESSAGE)))
        self.serves()
        self.assertIn(b"another claim", self.call(opening("Exec", uid="u2")))

    def test_input_that_waits_for_a_slow_command_all_arrives(self):
        data = opening("ExecStream", uid="u1") + start("sh", "-c", "sleep 1; wc -c") + stdin(b"x" * 500000) * 20
        self.assertIn(b"10000000\n", self.call(data + frame(HALF_CLOSE)))


if __name__ == "__main__":
    unittest.main()
