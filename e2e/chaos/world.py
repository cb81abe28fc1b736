"""What is under test: Redis, two claims, pools, and a reconciler whose sandboxes are files. Started, killed and paused by pid."""

import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

SERVICES = ("redis", "claims-1", "claims-2", "pools", "reconciler")


class RedisError(Exception):
    pass


class Redis:
    """One connection, made anew after each failure: a call either answers or raises."""

    def __init__(self, port, timeout=2.0):
        self.port, self.timeout, self.file, self.lock = port, timeout, None, threading.Lock()

    def __call__(self, *args):
        with self.lock:
            try:
                if not self.file:
                    sock = socket.create_connection(("127.0.0.1", self.port), self.timeout)
                    self.file = sock.makefile("rwb")
                    sock.close()
                parts = [str(a).encode() for a in args]
                self.file.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
                self.file.flush()
                return self._reply()
            except OSError as e:
                self.file = None
                raise RedisError(str(e)) from e

    def _reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("the connection ended")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            n = int(rest)
            return None if n < 0 else self.file.read(n + 2)[:-2].decode("utf-8", "replace")
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        return rest.decode()


def free_ports(n):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class World:
    def __init__(self, binaries, redis, skew):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="spchaos-", dir="/var/tmp"))
        (self.folder / "redis").mkdir()
        self.sandboxes = self.folder / "sandboxes"
        port, *p = free_ports(13)
        self.redis_port, self.claims, self.pools = port, [f"127.0.0.1:{p[0]}", f"127.0.0.1:{p[2]}"], f"127.0.0.1:{p[4]}"
        bins = {pathlib.Path(b).name: b for b in binaries.split(",")}

        # every service comes to Redis by a way of its own, which can be held
        self.ways = dict(zip(SERVICES[1:], p[8:]))

        def service(name, i, *more):
            way = self.ways[{0: "claims-1", 2: "claims-2", 4: "pools", 6: "reconciler"}[i]]
            return [bins[name], f"--redis-address=127.0.0.1:{way}", f"--grpc-address=127.0.0.1:{p[i]}", f"--admin-address=127.0.0.1:{p[i + 1]}", *more]

        self.commands = {
            "redis": [redis, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self.folder / "redis"), "--appendonly", "yes",
                      "--appendfsync", "always", "--save", "", "--loglevel", "warning"],
            "claims-1": service("sandplane-claims", 0),
            "claims-2": service("sandplane-claims", 2),
            "pools": service("sandplane-pools", 4, f"--reconciler=127.0.0.1:{p[6]}"),
            "reconciler": service("toy_reconciler", 6, f"--data-dir={self.sandboxes}"),
        }
        self.admin = dict(zip(SERVICES[1:], (p[1], p[3], p[5], p[7])))
        self.processes, self.skew = {}, skew
        for name in SERVICES:
            self.clock(name, 0)
        self.proxy = subprocess.Popen([sys.executable, "-B", str(pathlib.Path(__file__).with_name("proxy.py")), str(port), *(f"{n}={w}" for n, w in self.ways.items())],
                                      stdin=subprocess.PIPE)
        self.redis = Redis(port)

    def clock(self, name, offset):
        """How far the service's clock is off, in seconds."""
        with open(self.folder / f"clock-{name}", "r+b" if (self.folder / f"clock-{name}").exists() else "w+b") as f:
            f.write(struct.pack("=q", int(offset * 1e9)))

    def way(self, name, *command):
        """To proxy.py."""
        self.proxy.stdin.write(" ".join((name, *command, "\n")).encode())
        self.proxy.stdin.flush()

    def start(self, name):
        env = {**os.environ, "LD_PRELOAD": self.skew, "SKEW_FILE": str(self.folder / f"clock-{name}")}
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(self.commands[name], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def signal(self, name, signo):
        self.processes[name].send_signal(signo)

    def ready(self, name):
        if name == "redis":
            try:
                return self.redis("PING") == "PONG"
            except RedisError:
                return False
        try:
            with socket.create_connection(("127.0.0.1", self.admin[name]), 1) as s:
                s.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                return b" 200 " in s.recv(100)
        except OSError:
            return False

    def start_all(self):
        for name in ("redis", "claims-1", "claims-2", "reconciler", "pools"):
            self.start(name)
            wait(lambda: self.ready(name), f"{name} is ready")

    def died(self):
        """Services that ended by themselves: nobody killed them, so that is a finding."""
        return [f"{n} exited {p.returncode}" for n, p in self.processes.items() if p.poll() is not None]

    def stop(self, keep):
        for p in self.processes.values():
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
                p.wait()
        self.proxy.stdin.close()
        self.proxy.wait()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def files(self):
        return {name.split(".", 1)[1] for name in os.listdir(self.sandboxes)}


def wait(check, what, timeout=30.0, interval=0.05):
    end = time.monotonic() + timeout
    while not check():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {timeout:g} s: {what}")
        time.sleep(interval)
