"""Connections into sandboxes that carry more than one request: which do, which never do, and that no answer is another's."""

import json
import os
import random
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "testing"))
import unittest

from harness import StackTest, read_all, until
from kept_app import KeptApp, SerialApp

IDLE = "sandplane_router_upstream_idle"
REUSED = "sandplane_router_upstream_reused_total"
OPENED = "sandplane_router_upstream_opened_total"


class KeptTest(StackTest):
    # without a quiet time, and with one loop, it is certain which connection the next request has
    flags = [
        "--loops=1",
        "--allow-loopback-pod-ip=true",
        "--upstream-idle-timeout=1h",
        "--upstream-quiet-time=0s",
        "--upstream-max-retries=0",
    ]

    def setUp(self):
        self.app = KeptApp()
        self.box = self.stack.sandbox("pod:127.0.0.1")
        self.addCleanup(self.end_all)

    def until_waiting(self, app=None):
        """One more request is at /wait."""
        self.assertTrue((app or self.app).waiting.acquire(timeout=60), "no request came")

    def end_all(self):
        """The next test begins without."""
        self.app.end_all()
        until(lambda: self.idle() == 0, "nothing idle")

    def head(self, target, method="GET", fields="", box=None, app=None):
        port = (app or self.app).port
        return (
            f"{method} {target} HTTP/1.1\r\nHost: front:1\r\nX-Sandbox-ID: {box or self.box}\r\n"
            f"X-Sandbox-Port: {port}\r\nConnection: close\r\n{fields}\r\n"
        ).encode()

    def send(self, *args, body=b"", **kw):
        s = socket.create_connection(("127.0.0.1", self.stack.http), timeout=60)
        self.addCleanup(s.close)
        s.sendall(self.head(*args, **kw) + body)
        return s

    def receive(self, s):
        head, _, body = read_all(s).partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), body

    def ask(self, *args, **kw):
        return self.receive(self.send(*args, **kw))

    def who(self, target="/who", method="GET", **kw):
        """What the program tells of the request."""
        status, body = self.ask(target, method, **kw)
        self.assertEqual(status, 200, body)
        told = json.loads(body)
        self.assertEqual(told["target"], target)
        return told

    def idle(self):
        return self.stack.metric(IDLE)


class OneAfterTheOther(KeptTest):
    def assert_kept_behind(self, target):
        before = self.who()
        self.ask(target)
        after = self.who()
        self.assertEqual((after["conn"], after["nth"]), (before["conn"], before["nth"] + 2), target)

    def assert_ended_behind(self, target, method="GET", **kw):
        """The next request has a connection on which nothing came before."""
        self.ask(target, method, **kw)
        self.assertEqual(self.who()["nth"], 1, target)
        self.end_all()

    def test_two_requests_on_one_connection(self):
        before = [self.stack.metric(m) for m in (OPENED, REUSED)]
        first, second = self.who(), self.who()
        self.assertEqual((second["conn"], first["nth"], second["nth"]), (first["conn"], 1, 2))
        self.assertFalse(first["close"] or second["close"])
        self.assertEqual([self.stack.metric(m) for m in (OPENED, REUSED)], [n + 1 for n in before])

    def test_through_the_runtime_of_a_local_sandbox(self):
        process, route, _ = self.stack.runtime()
        self.box = self.stack.sandbox(route)
        first, second = self.who(), self.who()
        self.assertEqual((second["conn"], second["nth"]), (first["conn"], 2))
        # its end is the end of what was kept
        process.send_signal(signal.SIGKILL)
        until(lambda: self.app.open == {}, "the program's connections ended")
        self.assertEqual(self.ask("/who")[0], 502)

    def test_answers_that_leave_a_connection(self):
        for target in ("/chunked", "/204", "/304"):
            self.assert_kept_behind(target)
        self.assertEqual(self.ask("/chunked?1")[1].count(b"\r\n0\r\nX-Sum: 42\r\n\r\n"), 1)

    def test_answers_that_do_not(self):
        for target in ("/more", "/bye", "/half", "/early", "/old", "/lf", "/both", "/bad", "/304len", "/leaves"):
            self.assert_ended_behind(target)

    def test_answer_to_head_that_has_a_body(self):
        first = self.who()
        self.ask("/who", "HEAD")
        again = self.who()
        self.assertEqual((again["conn"], again["nth"]), (first["conn"], 2))
        self.end_all()
        self.assert_ended_behind("/who", "HEAD")

    def test_more_than_was_said_reaches_nobody(self):
        status, body = self.ask("/more")
        self.assertEqual((status, body.count(b"evil"), json.loads(body)["target"]), (200, 0, "/more"))
        self.who()
        until(lambda: self.idle() == 1, "one is idle")
        self.app.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        until(lambda: self.idle() == 0, "who speaks unasked is not kept")
        self.assertEqual(self.who()["nth"], 1)

    def read_late(self):
        """A long answer whose client takes its time, as seen by the connection's next request."""
        s = self.send("/long")
        self.until_waiting()
        self.assertEqual(len(self.receive(s)[1]), 32 << 20)
        return self.who()["nth"]

    def test_answer_that_had_to_wait_for_its_client(self):
        """What the program sends behind it may be held up with it, and would come to the next caller."""
        self.who()
        until(lambda: self.read_late() == 1, "a connection that was paused is not kept")

    def test_body_that_the_program_takes_for_a_request(self):
        """Callers do not know each other: what one has sent must not be answered to another."""
        inner = b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n"
        length = f"Content-Length: {len(inner)}\r\n"
        for method, fields in (("POST", length), ("GET", length), ("PUT", length)):
            self.who()
            status, body = self.ask("/who?1", method, fields=fields, body=inner)
            self.assertEqual((status, json.loads(body)["target"]), (200, "/who?1"))
            self.who()
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
        self.ask("/who?2", "POST", fields="Transfer-Encoding: chunked\r\n", body=chunked)
        self.who()

    def test_length_by_another_name(self):
        self.who()
        self.assertTrue(self.who("/who?1", fields="Content_Length: 100\r\n")["close"])
        self.assertTrue(self.who("/who?2", fields="transfer_Encoding: chunked\r\n")["close"])

    def test_upgrade_has_its_own(self):
        first = self.who()
        upgraded = self.who("/who?up", fields="Connection: Upgrade\r\nUpgrade: websocket\r\n")
        self.assertNotEqual(upgraded["conn"], first["conn"])
        self.assertEqual(self.who()["conn"], first["conn"])


class QuietTime(KeptTest):
    flags = [*KeptTest.flags, "--upstream-quiet-time=1h"]

    def test_what_comes_late_reaches_nobody(self):
        first, second = self.who(), self.who()
        self.assertNotEqual(second["conn"], first["conn"])
        until(lambda: self.idle() == 2, "both wait")
        self.app.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        until(lambda: self.idle() == 0, "who speaks late is not kept")
        self.assertEqual(self.who()["nth"], 1)


class QuietTimeAsItIs(KeptTest):
    flags = [flag for flag in KeptTest.flags if "quiet" not in flag]

    def test_one_is_used_again(self):
        until(lambda: self.who()["nth"] > 1, "one that was quiet is used")


class Ends(KeptTest):
    def test_one_that_ends_while_it_is_idle(self):
        self.who()
        retries = self.stack.metric("sandbox_router_upstream_retries_total")
        self.app.end_all()
        until(lambda: self.idle() == 0, "nothing idle")
        self.assertEqual(self.who()["nth"], 1)
        self.assertEqual(self.stack.metric("sandbox_router_upstream_retries_total"), retries)

    def test_one_that_ends_as_the_request_comes(self):
        first = self.who()
        self.app.end_next = True
        again = self.who("/who?again")
        self.assertEqual((again["nth"], again["conn"] != first["conn"]), (1, True))
        self.assertEqual(self.app.targets().count("/who?again"), 2)

    def test_what_may_not_be_sent_twice_is_not(self):
        for method in ("POST", "DELETE", "PUT", "PATCH"):
            self.who()
            self.app.end_next = True
            told = self.who(f"/who?{method}", method)
            self.assertEqual((told["nth"], told["close"]), (1, True))
            self.assertEqual(self.app.targets().count(f"/who?{method}"), 1)
            status, body = self.ask(f"/fails?{method}", method)
            self.assertEqual((status, json.loads(body)["reason"]), (502, "no_answer"))
            self.assertEqual(self.app.targets().count(f"/fails?{method}"), 1)

    def test_nothing_is_sent_a_third_time(self):
        self.who()
        status, body = self.ask("/fails")
        self.assertEqual((status, json.loads(body)["reason"]), (502, "no_answer"))
        self.assertEqual(self.app.targets().count("/fails"), 2)

    def test_client_that_leaves(self):
        self.who()
        s = self.send("/wait")
        self.until_waiting()
        s.close()
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 0, "request over")
        self.app.release.release()
        self.assertEqual(self.who()["nth"], 1)


class Claims(KeptTest):
    """DeleteSandbox promises that nothing reaches the sandbox any more."""

    def assert_unreached(self, reason):
        before = self.app.targets()
        status, body = self.ask("/late")
        self.assertEqual((status, json.loads(body).get("reason")), (502, reason))
        self.assertEqual(self.app.targets(), before)
        self.assertEqual(self.idle(), 0)
        until(lambda: self.app.open == {}, "its connections ended")

    def test_released(self):
        self.who()
        self.stack.seed("release", "default", self.box)
        self.assert_unreached("ended")

    def test_gone(self):
        self.who()
        self.stack.seed("release", "default", self.box)
        self.stack.seed("gone", "default", self.box)
        self.assert_unreached("no_sandbox")

    def test_failed(self):
        self.who()
        self.stack.seed("fail", "default", self.box, "OutOfMemory", "")
        self.assert_unreached("ended")

    def test_another_claim(self):
        first = self.who()
        self.stack.seed("release", "default", self.box)
        self.stack.seed("gone", "default", self.box)
        pool = self.box.rpartition("-")[0]
        self.stack.seed("make", "default", self.box, "pod:127.0.0.1")
        self.stack.seed("claim", "default", pool, "0")
        second, third = self.who(), self.who()
        self.assertEqual((second["nth"], third["nth"]), (1, 2))
        self.assertNotEqual(second["conn"], first["conn"])
        until(lambda: list(self.app.open) == [second["conn"]], "the first claim's connection ended")

    def test_another_sandbox_at_the_same_address(self):
        first = self.who()
        second = self.who(box=self.stack.sandbox("pod:127.0.0.1"))
        self.assertNotEqual(second["conn"], first["conn"])

    def test_claim_that_ends_during_a_request(self):
        s = self.send("/wait")
        self.until_waiting()
        self.stack.seed("release", "default", self.box)
        self.app.release.release()
        self.assertEqual(self.receive(s)[0], 200)
        self.assert_unreached("ended")


class StateAway(KeptTest):
    def test_no_connection_is_used_without_the_state(self):
        self.who()
        redis = self.stack.processes[0]
        redis.kill()
        redis.wait()
        status, body = self.ask("/late")
        self.assertEqual((status, json.loads(body)["reason"]), (503, "no_state"))
        self.assertNotIn("/late", self.app.targets())


class Limits(KeptTest):
    flags = [*KeptTest.flags, "--upstream-max-idle=3", "--upstream-max-idle-per-port=2"]

    def at_once(self, app, n):
        sockets = [self.send("/wait", app=app) for _ in range(n)]
        for _ in sockets:
            self.until_waiting(app)
        for _ in sockets:
            app.release.release()
        self.assertEqual({self.receive(s)[0] for s in sockets}, {200})

    def test_limits(self):
        other = KeptApp()
        self.addCleanup(other.end_all)
        self.at_once(self.app, 4)
        self.assertEqual(self.idle(), 2)
        until(lambda: len(self.app.open) == 2, "the others ended")
        self.at_once(other, 4)
        self.assertEqual(self.idle(), 3)
        until(lambda: len(self.app.open) + len(other.open) == 3, "the others ended")


class Off(KeptTest):
    flags = [*KeptTest.flags, "--upstream-max-idle=0"]

    def test_off(self):
        first, second = self.who(), self.who()
        self.assertEqual((first["nth"], second["nth"], first["close"], second["close"]), (1, 1, True, True))
        self.assertEqual(self.idle(), 0)


class IdleTime(KeptTest):
    flags = ["--loops=1", "--allow-loopback-pod-ip=true", "--upstream-idle-timeout=10ms"]

    def test_idle_time(self):
        self.who()
        until(lambda: self.idle() == 0 and self.app.open == {}, "it was ended")


class OneThread(KeptTest):
    def test_program_that_serves_one_connection_at_a_time(self):
        """An idle connection must not hold up those that wait behind it."""
        self.app = SerialApp()
        sockets = [self.send("/wait") for _ in range(3)]
        for _ in sockets:
            self.until_waiting()
            self.app.release.release()
        self.assertEqual([self.receive(s)[0] for s in sockets], [200] * 3)


class OneThreadAgain(KeptTest):
    # as it is for who asks at once: each request has a new connection, which waits for the one before it to end
    flags = ["--loops=1", "--allow-loopback-pod-ip=true", "--upstream-idle-timeout=1h", "--upstream-quiet-time=1h"]

    def test_no_connection_is_kept_once_it_is_known(self):
        self.app = SerialApp()
        until(lambda: self.who()["nth"] == 1 and self.idle() == 0, "it is known")
        opened = self.stack.metric(OPENED)
        for n in range(20):
            self.assertEqual(self.who()["nth"], 1)
            self.assertEqual((self.idle(), self.stack.metric(OPENED)), (0, opened + n + 1))
        # of another port nothing is known
        self.app = KeptApp()
        self.who()
        self.assertEqual(self.idle(), 1)


class Storm(KeptTest):
    """Whatever others ask for and whatever the program does: who gets an answer gets his own."""

    def test_storm(self):
        wrong = []
        paths = ["/who"] * 6 + [
            "/chunked",
            "/204",
            "/more",
            "/leaves",
            "/bye",
            "/half",
            "/old",
            "/lf",
            "/both",
            "/fails",
        ]

        def client(seed):
            rng = random.Random(seed)
            for i in range(150):
                path, method = rng.choice(paths), rng.choice(("GET", "GET", "GET", "HEAD", "POST"))
                body = b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n" if method == "POST" else b""
                fields = f"Content-Length: {len(body)}\r\n" if body else ""
                target = f"{path}?{seed}-{i}"
                status, got = self.receive(self.send(target, method, fields=fields, body=body))
                if status == 200 and method != "HEAD" and f'"{target}"'.encode() not in got and path != "/half":
                    wrong.append((method, target, got))
                if b"evil" in got or status not in (200, 204, 502):
                    wrong.append((method, target, status, got))

        threads = [threading.Thread(target=client, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        self.who()
        until(lambda: self.stack.metric("sandbox_router_inflight_requests") == 0, "requests over")


if __name__ == "__main__":
    unittest.main()
