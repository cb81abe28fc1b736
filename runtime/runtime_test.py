"""The runtime from outside: its wire protocol on a Unix socket and its HTTP, with the real program."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "lib/wire/testing")
sys.path.insert(0, "e2e/harness")
from protobuf import field, fields
from until import until

RUNTIME = "runtime/sandplane-runtime"
MESSAGE, OPEN, HALF_CLOSE, STATUS, ACCEPT = 0, 1, 2, 3, 4


def frame(kind, payload=b""):
    return struct.pack(">BI", kind, len(payload)) + payload


def opening(method, uid="claim", bind=True, sandbox="", trace=""):
    more = (
        (field(3, b"") if bind else b"") + (field(6, sandbox) if sandbox else b"") + (field(7, trace) if trace else b"")
    )
    return frame(OPEN, field(1, method) + field(2, uid) + more)


def command(*args):
    return field(2, b"".join(field(1, a) for a in args))


def start(*args):
    """The first message of ExecStream."""
    return field(1, field(1, "sandbox") + command(*args))


class RuntimeCase(unittest.TestCase):
    def flags(self):
        return [f"--listen-unix={self.path}"]

    def setUp(self):
        dir_ = tempfile.TemporaryDirectory(prefix="rt")
        self.addCleanup(dir_.cleanup)
        self.home = f"{dir_.name}/home"
        self.path = f"{dir_.name}/s"
        os.mkdir(self.home)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.p = subprocess.Popen(
            [RUNTIME, *self.flags(), f"--http-address=127.0.0.1:{self.port}", f"--base-dir={self.home}"],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "SANDBOX_EXEC_TIMEOUT_SECONDS": "2"},
        )
        self.addCleanup(self.end)
        until(lambda: self.http_socket().close() is None, 60, "the runtime listens", may_fail=ConnectionRefusedError)

    def end(self):
        alive = self.p.poll() is None
        self.p.terminate()
        self.assertEqual(self.p.wait(60), 0)
        self.assertTrue(alive, "the runtime ended by itself")

    def http_socket(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.addCleanup(s.close)
        return s

    # ---- wire ----

    def wire(self):
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.settimeout(60)
        s.connect(self.path)
        return s

    def exactly(self, s, n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            self.assertTrue(more, "the connection ended")
            data += more
        return data

    def answers(self, s):
        """The messages up to the status, and its code."""
        messages = []
        while True:
            kind, size = struct.unpack(">BI", self.exactly(s, 5))
            payload = self.exactly(s, size)
            if kind == STATUS:
                return messages, fields(payload).get(1, [0])[0]
            messages.append(fields(payload))

    def exec(self, *args):
        s = self.wire()
        s.sendall(opening("Exec") + frame(MESSAGE, field(1, "sandbox") + command(*args)) + frame(HALF_CLOSE))
        return self.answers(s)


class RuntimeTest(RuntimeCase):
    def test_a_call_on_the_http_port_beside_a_socket(self):
        s = self.http_socket()
        s.sendall(opening("Exec") + frame(HALF_CLOSE))
        self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 400"))

    def test_one_claim_for_life(self):
        s = self.wire()
        s.sendall(opening("Exec", bind=False))
        self.assertEqual(self.answers(s), ([], 9))
        messages, code = self.exec("echo", "hello")
        self.assertEqual((messages[0][1], code), ([b"hello\n"], 0))
        s = self.wire()
        s.sendall(opening("Exec", uid="another"))
        self.assertEqual(self.answers(s), ([], 7))

    def test_commands_have_the_trace_of_their_call(self):
        parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        for trace, seen in ((parent, parent), ("", ""), (parent + "-more", ""), (parent.replace("4b", "$("), "")):
            s = self.wire()
            s.sendall(
                opening("Exec", trace=trace)
                + frame(MESSAGE, field(1, "sandbox") + command("sh", "-c", "echo $TRACEPARENT"))
                + frame(HALF_CLOSE)
            )
            messages, code = self.answers(s)
            self.assertEqual((messages[0][1], code), ([seen.encode() + b"\n"], 0))

    def test_what_is_no_call(self):
        for data, code in ((frame(MESSAGE), 3), (frame(9), 3), (opening("Nothing"), 12), (frame(OPEN, b"\xff"), 3)):
            with self.subTest(data):
                s = self.wire()
                s.sendall(data)
                self.assertEqual(self.answers(s), ([], code))

    def test_a_caller_that_sends_nonsense_and_goes(self):
        # stopped meanwhile, so that it reads the nonsense when the answer can no longer be sent
        self.exec("true")
        self.p.send_signal(signal.SIGSTOP)
        for _ in range(20):
            s = self.wire()
            s.sendall(frame(9, b"x" * 100))
            s.close()
        self.p.send_signal(signal.SIGCONT)
        self.assertEqual(self.exec("true")[1], 0)

    def test_input_larger_than_what_waits(self):
        # the last frames arrive together with the one that makes the runtime pause its reading
        s = self.wire()
        piece = frame(MESSAGE, field(2, b"x" * 1000))
        self.p.send_signal(signal.SIGSTOP)
        s.sendall(
            opening("ExecStream") + frame(MESSAGE, start("sh", "-c", "while [ ! -e go ]; do sleep 0.05; done; wc -c"))
        )
        self.p.send_signal(signal.SIGCONT)
        count = (1 << 20) // 1000 + 90
        data = piece * count + frame(HALF_CLOSE)
        s.settimeout(1)
        at = 0
        try:
            while at < len(data):
                at += s.send(data[at : at + 65536])
        except TimeoutError:
            pass
        open(f"{self.home}/go", "w").close()
        s.settimeout(60)
        s.sendall(data[at:])
        messages, code = self.answers(s)
        out = b"".join(m[2][0] for m in messages if 2 in m)
        self.assertEqual((int(out), code), (count * 1000, 0))

    def test_a_slow_reader_loses_nothing(self):
        # some of these sizes fill all buffers but the command's own pipe, so that it ends while that waits
        sizes = [n << 15 for n in range(8, 33)]
        readers = []
        for size in sizes:
            s = self.wire()
            s.sendall(
                opening("ExecStream") + frame(MESSAGE, start("head", "-c", str(size), "/dev/zero")) + frame(HALF_CLOSE)
            )
            readers.append(s)
        # one that ends and leaves its pipe to another: answered when the runtime has waited for more as long as it does
        patience = self.wire()
        patience.sendall(opening("ExecStream") + frame(MESSAGE, start("sh", "-c", "sleep 97 &")) + frame(HALF_CLOSE))
        self.assertEqual(self.answers(patience)[1], 0)
        got = [sum(len(m.get(2, [b""])[0]) for m in self.answers(s)[0]) for s in readers]
        self.assertEqual(got, sizes)

    # ---- HTTP ----

    def reply(self, f):
        status = int(f.readline().split()[1])
        length = 0
        while (line := f.readline()) not in (b"\r\n", b""):
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                length = int(value)
        return status, f.read(length)

    def ask(self, method, path, body=b"", kind="application/json"):
        s = self.http_socket()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        s.sendall(head.encode() + body)
        return self.reply(s.makefile("rb"))

    def execute(self, line):
        status, body = self.ask("POST", "/execute", json.dumps({"command": line}).encode())
        self.assertEqual(status, 200)
        return json.loads(body)

    def upload(self, name, data):
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        return self.ask("POST", "/upload", head + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")

    def test_execute(self):
        ok = {"stdout": "a b\n", "stderr": "", "exit_code": 0}
        self.assertEqual(self.execute("echo 'a b'"), ok)
        self.assertEqual(self.execute("sh -c 'kill -9 $$'")["exit_code"], -9)
        for line, why in (
            ("echo 'a", "No closing quotation"),
            ("no-such", "[Errno 2] No such file or directory: 'no-such'"),
            ("/etc/passwd", "[Errno 13] Permission denied: '/etc/passwd'"),
            ("sleep 30", "Command '['sleep', '30']' timed out after 2 seconds"),
        ):
            with self.subTest(line):
                self.assertEqual(
                    self.execute(line), {"stdout": "", "stderr": f"Failed to execute command: {why}", "exit_code": 1}
                )

    def test_execute_names_a_program_too_long_to_be_told_whole(self):
        for lead in ("/", "/a", "/ab"):
            self.assertEqual(self.execute(lead + "\u20ac" * 3000)["exit_code"], 1)

    def test_files(self):
        self.assertEqual(self.upload("d/f", b"data")[0], 200)
        self.assertEqual(self.ask("GET", "/download/d%252Ff"), (200, b"data"))
        self.assertEqual(self.ask("GET", "/download/none"), (404, b'{"message":"File not found"}'))
        self.assertEqual(self.upload("../f", b"")[0], 403)
        self.assertEqual(self.ask("GET", "/exists/%2e%2e/x"), (403, b'{"message":"Access denied"}'))
        self.assertEqual(self.ask("GET", "/exists/d/f/below"), (200, b'{"path":"d/f/below","exists":false}'))
        self.assertEqual(json.loads(self.ask("GET", "/list/")[1])[0]["name"], "d")
        self.assertEqual(self.ask("GET", "/list/d/f"), (404, b'{"message":"Path is not a directory"}'))
        os.symlink("nowhere", f"{self.home}/broken")
        status, body = self.ask("GET", "/list/")
        self.assertEqual((status, json.loads(body)["message"][:18]), (500, "List files failed:"))

    def test_pipelined_requests_are_answered_in_order(self):
        body = json.dumps({"command": "sh -c 'sleep 0.1; echo one'"}).encode()
        s = self.http_socket()
        s.sendall(
            b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
            + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        f = s.makefile("rb")
        self.assertIn(b'"stdout":"one\\n"', self.reply(f)[1])
        self.assertEqual([self.reply(f)[0], self.reply(f)[0], f.read()], [404, 200, b""])

    def test_who_does_not_read_is_not_read(self):
        s = self.http_socket()
        s.settimeout(1)
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
        sent = 0
        with self.assertRaises(TimeoutError):
            while sent < 256 << 20:
                sent += s.send(request)


class SettingsTest(unittest.TestCase):
    def started(self, value, *flags):
        """The time limit's variable set to value: what is logged up to the start, and the exit status."""
        env = {**os.environ, "SANDBOX_EXEC_TIMEOUT_SECONDS": value}
        args = [RUNTIME, "--http-address=", *flags]
        p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
        lines = []
        for line in p.stderr:
            lines.append(line.decode())
            if '"started"' in lines[-1]:
                p.terminate()
        p.stderr.close()
        return "".join(lines), p.wait(60)

    def test_bad_exec_timeout_is_ignored(self):
        for value in ("abc", "", "0", "-1", "inf", "nan", "5 minutes"):
            with self.subTest(value):
                log, status = self.started(value)
                self.assertEqual(status, 0, log)
                self.assertIn("setting_ignored", log)
                self.assertIn('"used_ms":300000', log)

    def test_good_exec_timeout(self):
        for value in ("5", "1.5", "1e2", " 7 "):
            with self.subTest(value):
                log, status = self.started(value)
                self.assertEqual(status, 0, log)
                self.assertNotIn("setting_ignored", log)

    def test_bad_flag_is_refused(self):
        self.assertEqual(self.started("5", "--exec-timeout=abc")[1], 2)


class PodTest(RuntimeCase):
    """As in a Pod: HTTP's port is all there is, and takes calls that name this sandbox."""

    NAME = "pool-abcde"

    def flags(self):
        return [f"--sandbox-name={self.NAME}"]

    def call(self, *pieces):
        s = self.http_socket()
        for piece in pieces:
            s.sendall(piece)
            until(lambda: self.has_read(s), 60, "the runtime reads a piece")
        return s

    def has_read(self, s):
        """Whether the runtime has read all that s has sent, as the kernel's table has it."""
        ends = ["0100007F:%04X" % at[1] for at in (s.getpeername(), s.getsockname())]
        with open("/proc/net/tcp") as table:
            rows = [row.split() for row in table]
        return any(row[1:3] == ends and row[4].endswith(":00000000") for row in rows)

    def accepted(self, s):
        self.assertEqual(self.exactly(s, 5), frame(ACCEPT))
        return self.answers(s)

    def test_calls_and_requests_on_one_port(self):
        data = (
            opening("Exec", sandbox=self.NAME)
            + frame(MESSAGE, field(1, "sandbox") + command("echo", "hello"))
            + frame(HALF_CLOSE)
        )
        for pieces in ((data,), (data[:1], data[1:]), (data[:7], data[7:9], data[9:])):
            messages, code = self.accepted(self.call(*pieces))
            self.assertEqual((messages[0][1], code), ([b"hello\n"], 0))
            self.assertIn(b"active.", self.call(b"GET / HTTP/1.0\r\n\r\n").recv(4096))
        self.assertEqual(self.answers(self.call(opening("Exec", uid="another", sandbox=self.NAME))), ([], 7))

    def test_calls_that_mean_another_sandbox_bind_nothing(self):
        for method in ("Exec", "Ping", "Nothing"):
            for sandbox in ("pool-abcdf", "", self.NAME + "x", "POOL-abcde"):
                self.assertEqual(self.answers(self.call(opening(method, uid="stale", sandbox=sandbox))), ([], 5))
        self.assertEqual(self.accepted(self.call(opening("Exec", uid="mine", sandbox=self.NAME) + frame(9)))[1], 3)
        self.assertEqual(self.answers(self.call(opening("Exec", uid="stale", sandbox=self.NAME))), ([], 7))

    def test_ports_are_not_reached_by_calls(self):
        self.assertEqual(self.answers(self.call(opening("Connect", sandbox=self.NAME))), ([], 12))
        self.assertEqual(self.accepted(self.call(opening("Ping", sandbox=self.NAME) + frame(HALF_CLOSE)))[1], 0)


class HostTest(PodTest):
    """Without the setting it is called like its host, as a Pod is."""

    NAME = socket.gethostname()

    def flags(self):
        return []


if __name__ == "__main__":
    unittest.main()
