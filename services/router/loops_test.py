"""Several loops in one router: each serves, bounds are the process's, none holds up another, and none loses what waits at the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "testing"))
from harness import ROUTER, Stack, StackTest, free_ports, read_all, read_until, until
from kept_app import KeptApp, SerialApp

LOOPS = 4
MANY = 64  # connections of which each loop has some, but in one run of ten millions
FLAGS = [
    f"--loops={LOOPS}",
    "--allow-loopback-pod-ip=true",
    "--upstream-idle-timeout=1h",
    "--upstream-quiet-time=0s",
    "--upstream-max-retries=0",
]


class LoopsTest(StackTest):
    flags = FLAGS

    def setUp(self):
        self.app = KeptApp()
        self.addCleanup(self.app.end_all)
        self.box = self.stack.sandbox("pod:127.0.0.1")

    def send(self, target, app=None, box=None, fields="Connection: close\r\n", stack=None):
        s = socket.create_connection(("127.0.0.1", (stack or self.stack).http), timeout=60)
        self.addCleanup(s.close)
        self.send_on(s, target, app, box, fields)
        return s

    def send_on(self, s, target, app=None, box=None, fields=""):
        port = (app or self.app).port
        s.sendall(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: {box or self.box}\r\n"
            f"X-Sandbox-Port: {port}\r\n{fields}\r\n".encode()
        )

    def assert_answered(self, sockets):
        for s in sockets:
            head, _, body = read_all(s).partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
            json.loads(body)

    def assert_refused(self, reason=b""):
        """Whichever loop is asked."""
        for _ in range(MANY):
            got = read_all(self.send("/who"))
            self.assertIn(b"503 Service Unavailable", got)
            self.assertIn(reason, got)


class Loops(LoopsTest):
    def test_each_loop_serves(self):
        before = self.stack.metric("sandbox_router_requests_total")
        for _ in range(MANY):
            self.assert_answered([self.send("/who")])
        # one after the other, so a loop needs one connection to the program, and keeps it
        self.assertEqual(self.app.made, LOOPS)
        self.assertEqual(self.stack.metric("sandplane_router_upstream_idle"), LOOPS)
        self.assertEqual(self.stack.metric("sandbox_router_requests_total") - before, MANY)
        self.assertEqual(self.stack.metric("sandbox_router_inflight_requests"), 0)
        until(lambda: self.stack.metric("sandplane_router_http_connections") == 0, "no connection is counted")

    def test_idle_connections_of_other_loops_make_way(self):
        app = SerialApp()
        self.addCleanup(app.end_all)
        for _ in range(2 * LOOPS):
            self.assert_answered([self.send("/who", app=app)])

    def test_the_port_is_nobody_elses(self):
        grpc, admin = free_ports(2)
        flags = [f"--http-address=127.0.0.1:{self.stack.http}", f"--redis-address={self.stack.redis}", *FLAGS]
        flags += [f"--grpc-address=127.0.0.1:{grpc}", f"--admin-address=127.0.0.1:{admin}"]
        p = subprocess.run([ROUTER, *flags], capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 1, p)
        self.assertIn("--http-address", p.stderr)
        self.assertIn("Address already in use", p.stderr)


class Connections(LoopsTest):
    flags = [*FLAGS, "--max-connections=8"]

    def test_bound(self):
        held = [self.send("/who", fields="") for _ in range(8)]
        for s in held:
            read_until(s, b"}")
        self.assertEqual(self.stack.metric("sandplane_router_http_connections"), 8)
        self.assert_refused()
        held[0].close()
        until(lambda: b"200 OK" in read_all(self.send("/who")), "a place is free again")


class Requests(LoopsTest):
    flags = [*FLAGS, "--max-requests=6", "--upstream-max-idle=3"]

    def test_bounds(self):
        held = [self.send("/wait") for _ in range(6)]
        for _ in held:
            self.assertTrue(self.app.waiting.acquire(timeout=60))
        self.assert_refused(b'"busy"')
        for _ in held:
            self.app.release.release()
        self.assert_answered(held)
        self.assertLessEqual(self.stack.metric("sandplane_router_upstream_idle"), 3)
        until(lambda: len(self.app.open) <= 3, "the others ended")


class Lifecycle(LoopsTest):
    """Each has a stack of its own, which it ends."""

    def start(self, *flags):
        self.own = Stack(*FLAGS, *flags)
        self.addCleanup(self.own.stop)
        self.box = self.own.sandbox("pod:127.0.0.1")

    def test_what_waits_at_the_end_is_served(self):
        self.start()
        kept = [self.send("/who", fields="", stack=self.own) for _ in range(8)]
        for s in kept:
            read_until(s, b"}")
        router = self.own.router
        router.send_signal(signal.SIGSTOP)
        # more than a loop takes in one turn; the kernel says to each that it is connected
        waiting = [self.send("/who", stack=self.own) for _ in range(400)]
        for s in kept:
            self.send_on(s, "/who")
        router.send_signal(signal.SIGTERM)
        router.send_signal(signal.SIGCONT)
        self.assert_answered(waiting + kept)
        self.assertEqual(router.wait(60), 0)

    def test_unready_without_the_state(self):
        self.start()
        redis = self.own.processes[0]
        redis.kill()
        redis.wait()
        until(lambda: self.own.admin_get("/readyz").startswith(b"HTTP/1.1 503"), "unready")

    def test_ready_when_each_loop_reaches_the_state(self):
        self.start()
        redis = socket.socket(socket.AF_UNIX)
        self.addCleanup(redis.close)
        redis.connect(self.own.redis.removeprefix("unix:"))
        # the router's and this one's, and half of another router's
        redis.sendall(b"CONFIG SET maxclients %d\r\n" % (LOOPS + 1 + LOOPS // 2))
        self.assertEqual(redis.recv(100), b"+OK\r\n")
        http, grpc, admin = free_ports(3)
        flags = [f"--http-address=127.0.0.1:{http}", f"--grpc-address=127.0.0.1:{grpc}", *FLAGS]
        flags += [f"--admin-address=127.0.0.1:{admin}", f"--redis-address={self.own.redis}"]
        second = self.own.start(ROUTER, *flags, log=f"{self.own.dir}/second.log")
        until(lambda: "redis_away" in second.log(), "one is refused", needs=[second])
        self.own.admin = admin
        self.assertIn(b"503 Service Unavailable", self.own.admin_get("/readyz"))
        redis.sendall(b"CONFIG SET maxclients 100\r\n")
        self.assertEqual(redis.recv(100), b"+OK\r\n")
        until(lambda: self.own.admin_get("/readyz").startswith(b"HTTP/1.1 200"), "ready", needs=[second])

    def test_a_grace_that_does_not_suffice(self):
        self.start("--shutdown-grace=1ms")
        held = [self.send("/wait", stack=self.own) for _ in range(MANY)]
        for _ in held:
            self.assertTrue(self.app.waiting.acquire(timeout=60))
        self.own.router.send_signal(signal.SIGTERM)
        self.assertEqual(self.own.router.wait(60), 0)
        self.assertEqual({read_all(s) for s in held}, {b""})
        for _ in held:
            self.app.release.release()


if __name__ == "__main__":
    unittest.main()
