"""The runtime's calls from outside, its settings, and what is different in a Pod."""

import os
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, "runtime")
from runtime_case import (
    ACCEPT,
    HALF_CLOSE,
    MESSAGE,
    OPEN,
    RUNTIME,
    ExecStreamResponse,
    RuntimeCase,
    frame,
    opening,
    request,
    start,
    stdin,
    until,
)


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
        self.assertEqual((messages[0].stdout, code), (b"hello\n", 0))
        s = self.wire()
        s.sendall(opening("Exec", uid="another"))
        self.assertEqual(self.answers(s), ([], 7))

    def test_commands_have_the_trace_of_their_call(self):
        parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        for trace, seen in ((parent, parent), ("", ""), (parent + "-more", ""), (parent.replace("4b", "$("), "")):
            s = self.wire()
            s.sendall(opening("Exec", trace=trace) + request("sh", "-c", "echo $TRACEPARENT") + frame(HALF_CLOSE))
            messages, code = self.answers(s)
            self.assertEqual((messages[0].stdout, code), (seen.encode() + b"\n", 0))

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
        piece = stdin(b"x" * 1000)
        self.p.send_signal(signal.SIGSTOP)
        s.sendall(opening("ExecStream") + start("sh", "-c", "while [ ! -e go ]; do sleep 0.05; done; wc -c"))
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
        messages, code = self.answers(s, ExecStreamResponse)
        out = b"".join(m.stdout for m in messages)
        self.assertEqual((int(out), code), (count * 1000, 0))

    def test_a_slow_reader_loses_nothing(self):
        # some of these sizes fill all buffers but the command's own pipe, so that it ends while that waits
        sizes = [n << 15 for n in range(8, 33)]
        readers = []
        for size in sizes:
            s = self.wire()
            s.sendall(opening("ExecStream") + start("head", "-c", str(size), "/dev/zero") + frame(HALF_CLOSE))
            readers.append(s)
        # one that ends and leaves its pipe to another: answered when the runtime has waited for more as long as it does
        patience = self.wire()
        patience.sendall(opening("ExecStream") + start("sh", "-c", "sleep 97 &") + frame(HALF_CLOSE))
        self.assertEqual(self.answers(patience, ExecStreamResponse)[1], 0)
        got = [sum(len(m.stdout) for m in self.answers(s, ExecStreamResponse)[0]) for s in readers]
        self.assertEqual(got, sizes)


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
        data = opening("Exec", sandbox=self.NAME) + request("echo", "hello") + frame(HALF_CLOSE)
        for pieces in ((data,), (data[:1], data[1:]), (data[:7], data[7:9], data[9:])):
            messages, code = self.accepted(self.call(*pieces))
            self.assertEqual((messages[0].stdout, code), (b"hello\n", 0))
            self.assertIn(b"active.", self.call(b"GET / HTTP/1.0\r\n\r\n").recv(4096))
        self.assertEqual(self.answers(self.call(opening("Exec", uid="another", sandbox=self.NAME))), ([], 7))

    def test_calls_that_mean_another_sandbox_bind_nothing(self):
        for method in ("Exec", "Ping", "Nothing"):
            for sandbox in ("pool-abcdf", "", self.NAME + "x", "POOL-abcde"):
                self.assertEqual(self.answers(self.call(opening(method, uid="stale", sandbox=sandbox))), ([], 5))
        self.assertEqual(self.accepted(self.call(opening("Exec", uid="mine", sandbox=self.NAME) + frame(9)))[1], 3)
        self.assertEqual(self.answers(self.call(opening("Exec", uid="stale", sandbox=self.NAME))), ([], 7))

    def connect(self, port, uid="", sandbox=None):
        return self.call(opening("Connect", uid=uid, bind=False, sandbox=sandbox or self.NAME, port=port))

    def test_a_port_on_loopback(self):
        """The router asks for one where the Pod's address does not lead to a program."""
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.create_server((host, 0), family=family) as server:
                for uid in ("", "anyone"):  # binds nothing
                    s = self.connect(server.getsockname()[1], uid)
                    self.assertEqual(self.exactly(s, 5), frame(ACCEPT))
                    inner = server.accept()[0]
                    self.addCleanup(inner.close)
                    s.sendall(b"in")
                    self.assertEqual(inner.recv(16), b"in")
                    inner.sendall(b"out")
                    self.assertEqual(self.exactly(s, 3), b"out")
                    s.close()
                port = server.getsockname()[1]
            self.assertEqual(self.answers(self.connect(port)), ([], 14))  # nobody listens any more
            self.assertEqual(self.answers(self.connect(port, sandbox="pool-abcdf")), ([], 5))
        self.assertEqual(self.accepted(self.call(opening("Exec", uid="mine", sandbox=self.NAME) + frame(9)))[1], 3)
        self.assertEqual(self.answers(self.connect(port, "another")), ([], 7))
        self.assertEqual(self.answers(self.connect(port, "mine")), ([], 14))


class HostTest(PodTest):
    """Without the setting it is called like its host, as a Pod is."""

    NAME = socket.gethostname()

    def flags(self):
        return []


if __name__ == "__main__":
    unittest.main()
