"""Redis, a runtime outside of any sandbox and a router, for black-box tests: all real programs.

Every wait has a deadline; everything that was started ends with Stack.stop.
"""

import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, ".")
sys.path.insert(0, "e2e/harness")
import until as waits
from api.sandplane.v1.sandbox_pb2 import Command, ExecRequest

from api.sandplane.internal.v1 import router_pb2
from api.sandplane.v1 import image_service_pb2, pool_service_pb2, quota_service_pb2, sandbox_service_pb2

ROUTER = "services/router/sandplane-router"
RUNTIME = "runtime/sandplane-runtime"
SEED = "services/router/testing/seed"
RPC_CALL = "services/router/testing/rpc_call"
REDIS = "../redis/bin/redis-server"
SERVICES = [
    router_pb2.DESCRIPTOR.services_by_name["RouterService"],
    quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"],
    sandbox_service_pb2.DESCRIPTOR.services_by_name["SandboxService"],
    *pool_service_pb2.DESCRIPTOR.services_by_name.values(),
    *image_service_pb2.DESCRIPTOR.services_by_name.values(),
]
PORTS = iter(random.sample(range(10000, 30000), 20000))


def until(check, what, timeout=60.0, needs=()):
    """A program that does not listen yet, or a process that has just gone, is asked again; other errors are the test's.

    needs: programs (Program) that must run for it. One that has ended is told with its log, at once.
    """

    def checked():
        for program in needs:
            if program.poll() is not None:
                raise AssertionError(f"{what}: {program.args[0]} ended with {program.returncode}: {program.log()}")
        return check()

    return waits.until(checked, timeout, what, interval=0.02, may_fail=OSError)


class Program(subprocess.Popen):
    """One of the stack's, which knows where its output goes."""

    def __init__(self, argv, path, env):
        self.path = path
        with open(path, "ab") as out:
            super().__init__(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env)

    def log(self):
        with open(self.path) as f:
            return f.read()


def free_ports(n):
    """Not of those that the kernel gives to clients: one that connects before the program listens may get its port.

    None twice in a run, so that nothing of one stack's end meets another's beginning.
    """
    ports = []
    while len(ports) < n:
        port = next(PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue  # another test's, where tests have no network of their own
        ports.append(port)
    return ports


def free_port():
    return free_ports(1)[0]


class Stack:
    def __init__(self, *router_flags, env=None):
        # short: a Unix socket's path has at most 107 characters
        self.dir = tempfile.mkdtemp(dir="/tmp")
        self.processes = []
        self.redis = f"unix:{self.dir}/redis"
        self.start(
            os.path.abspath(REDIS), "--port", "0", "--unixsocket", f"{self.dir}/redis", "--save", "", "--dir", self.dir
        )
        until(lambda: os.path.exists(f"{self.dir}/redis"), "redis", needs=self.processes)
        self.http, self.grpc, self.admin = free_ports(3)
        self.flags = list(router_flags)
        self.env = env or {}
        self.log_path = f"{self.dir}/router.log"
        self.router = self.start_router()
        self.n = 0

    def start(self, *argv, log=None, env=None):
        log = log or f"{self.dir}/{os.path.basename(argv[0])}-{len(self.processes)}.log"
        p = Program(argv, log, {**os.environ, **(env or {})})
        self.processes.append(p)
        return p

    def start_router(self):
        p = self.start(
            ROUTER,
            f"--http-address=127.0.0.1:{self.http}",
            f"--grpc-address=127.0.0.1:{self.grpc}",
            f"--admin-address=127.0.0.1:{self.admin}",
            f"--redis-address={self.redis}",
            *self.flags,
            log=self.log_path,
            # so that memory figures hold under the address sanitizer as well
            env={**self.env, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"},
        )

        until(lambda: self.admin_get("/readyz").startswith(b"HTTP/1.1 200"), "router ready", needs=[p])
        return p

    def admin_get(self, path):
        with socket.create_connection(("127.0.0.1", self.admin), timeout=60) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return read_all(s)

    def metric(self, name):
        """Sum of the metric's series."""
        lines = self.admin_get("/metrics").decode().splitlines()
        return sum(float(x.rsplit(" ", 1)[1]) for x in lines if x.startswith((name + " ", name + "{")))

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def seed(self, *args):
        return subprocess.run([SEED, self.redis, *args], check=True, capture_output=True, text=True, timeout=60).stdout

    def runtime(self):
        """A runtime on a Unix socket: its process and its route."""
        self.n += 1
        home = f"{self.dir}/{self.n}"
        os.mkdir(home)
        route = f"{home}/s"
        p = self.start(RUNTIME, f"--listen-unix={route}", "--http-address=", f"--base-dir={home}", log=f"{home}.log")
        until(lambda: os.path.exists(route), "runtime", needs=[p])
        return p, f"unix:{route}", home

    def pod(self, name, ip="127.0.0.1"):
        """A runtime as in a Pod: on port 8888 of an address of this machine and called name. Its process and its home."""
        home = f"{self.dir}/{name}"
        os.makedirs(home, exist_ok=True)
        p = self.start(
            RUNTIME, f"--sandbox-name={name}", f"--http-address={ip}:8888", f"--base-dir={home}", log=f"{home}.log"
        )
        until(
            lambda: socket.create_connection((ip, 8888), timeout=60).close() is None,
            "runtime of a Pod",
            needs=[p],
        )
        return p, home

    def sandbox(self, route, idle_ms=0, claim=True, **env):
        """Registers a sandbox at route, claims it, and returns its id."""
        self.n += 1
        pool = f"pool{self.n}"
        name = f"{pool}-aaaaa"
        self.seed("make", "default", name, route)
        if claim:
            self.seed("claim", "default", pool, str(idle_ms), *(f"{k}={v}" for k, v in env.items()))
        return name

    def stop(self):
        if self.router.poll() is None:
            self.router.terminate()
        # under a sanitizer a leak is another status
        code = self.router.wait(60)
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
        log = self.log()
        shutil.rmtree(self.dir)
        if code != 0:
            raise AssertionError(f"router ended with {code}: {log}")

    # ---- gRPC ----

    def call(self, method, *messages, timeout_ms=60000, service="sandplane.v1.SandboxService", metadata=()):
        """A whole call, of messages or of bytes: messages of the answer, and its status (code, field, retry, message)."""
        c = Call(self, method, timeout_ms, service, metadata)
        for m in messages:
            c.send(m)
        return c.finish()


class Call:
    def __init__(self, stack, method, timeout_ms=60000, service="sandplane.v1.SandboxService", metadata=()):
        argv = [RPC_CALL, f"127.0.0.1:{stack.grpc}", f"/{service}/{method}", str(timeout_ms), *metadata]
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers, self.status = [], None
        known = {s.full_name: s.methods_by_name for s in SERVICES}.get(service, {})
        self.of = known[method].output_type._concrete_class if method in known else None

    def send(self, message):
        """A call that is over already takes nothing: its status says why."""
        if not isinstance(message, bytes):
            message = message.SerializeToString()
        with contextlib.suppress(BrokenPipeError):
            self.p.stdin.write(struct.pack(">I", len(message)) + message)
            self.p.stdin.flush()

    def half_close(self):
        with contextlib.suppress(BrokenPipeError):
            self.p.stdin.close()

    def receive(self):
        """The next message, or None and status is set."""
        (n,) = struct.unpack(">I", self.p.stdout.read(4))
        if n == 0xFFFFFFFF:
            code, field, retry, text = self.p.stdout.readline().decode().rstrip("\n").split(" ", 3)
            self.status = (code, field, int(retry), text)
            return None
        self.answers.append(self.of.FromString(self.p.stdout.read(n)))
        return self.answers[-1]

    def finish(self):
        try:
            self.half_close()
            while self.receive() is not None:
                pass
            return self.answers, self.status
        finally:
            self.kill()

    def kill(self):
        self.p.kill()
        self.p.stdout.close()
        self.half_close()
        self.p.wait()


def name_of(box):
    return f"namespaces/default/sandboxes/{box}"


def exec_request(box, *args):
    return ExecRequest(name=name_of(box), command=Command(args=args))


# ---- HTTP on sockets ----


def read_all(s):
    data = bytearray()
    while True:
        try:
            block = s.recv(65536)
        except ConnectionResetError:
            block = b""
        if not block:
            return bytes(data)
        data += block


def read_until(s, mark):
    data = b""
    while mark not in data:
        block = s.recv(65536)
        if not block:
            raise AssertionError(f"ended before {mark!r}: {data!r}")
        data += block
    return data


class StackTest(unittest.TestCase):
    flags, env = [], {}

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(*cls.flags, env=cls.env)
        cls.addClassCleanup(cls.stack.stop)
