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

# with Sentinels two servers are "redis"
MASTER = "chaos"
SENTINEL = """port {port}
bind 127.0.0.1
loglevel warning
sentinel monitor {master} 127.0.0.1 {redis} 2
sentinel down-after-milliseconds {master} 1000
sentinel failover-timeout {master} 4000
"""
SERVER = """port {port}
bind 127.0.0.1
dir {dir}
appendonly yes
appendfsync always
save ""
loglevel warning
repl-diskless-sync-delay 0
{more}
"""
# of disk.c: how it ends next, thousandths of that write, microseconds that a flush takes longer, writes, those over a page
DISK = struct.Struct("=iiiiqq")
DIE = {"write": 1, "before flush": 2, "after flush": 3}
SERVICES = ("redis", "claims-1", "claims-2", "pools", "reconciler")


def built(out):
    """What a world is made of, from the programs that tools/e2e built last: binaries, redis, skew. out: its folder."""
    binaries, external = pathlib.Path(out, ".built").read_text().split()
    programs = [f"{binaries}/services/{s}/sandplane-{s}" for s in ("claims", "pools")]
    programs.append(f"{binaries}/services/reconciler/testing/toy_reconciler")
    return ",".join(programs), f"{external}/redis/bin/redis-server", f"{binaries}/e2e/chaos/libskew.so"


class RedisError(Exception):
    pass


class Redis:
    """One connection, made anew after each failure: a call either answers or raises."""

    def __init__(self, port, timeout=2.0, sentinels=()):
        """port: of Redis, where no Sentinels tell it."""
        self.port, self.timeout, self.sentinels, self.file, self.lock = port, timeout, sentinels, None, threading.Lock()

    def _open(self, port):
        sock = socket.create_connection(("127.0.0.1", port), self.timeout)
        self.file = sock.makefile("rwb")
        sock.close()

    def _master(self):
        for port in self.sentinels:
            try:
                self._open(port)
                self.port = int(self._ask("SENTINEL", "get-master-addr-by-name", MASTER)[1])
                self._open(self.port)
                if self._ask("ROLE")[0] == "master":
                    return
            except OSError:
                continue
        raise OSError("no Sentinel knows a master")

    def _ask(self, *args):
        parts = [str(a).encode() for a in args]
        self.file.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        self.file.flush()
        return self._reply()

    def __call__(self, *args):
        with self.lock:
            try:
                if not self.file:
                    self._master() if self.sentinels else self._open(self.port)
                return self._ask(*args)
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
    def __init__(self, binaries, redis, skew, sentinel=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="spchaos-", dir="/var/tmp"))
        (self.folder / "redis").mkdir()
        self.sandboxes = self.folder / "sandboxes"
        port, *p = free_ports(17)
        self.redis_port, self.claims, self.pools = port, [f"127.0.0.1:{p[0]}", f"127.0.0.1:{p[2]}"], f"127.0.0.1:{p[4]}"
        bins = {pathlib.Path(b).name: b for b in binaries.split(",")}

        # every service comes to Redis by a way of its own, which can be held
        self.ways = dict(zip(SERVICES[1:], p[8:12]))

        def service(name, i, *more):
            way = self.ways[{0: "claims-1", 2: "claims-2", 4: "pools", 6: "reconciler"}[i]]
            found = [f"--redis-address=127.0.0.1:{way}"]
            if sentinel:
                found = [
                    "--redis-sentinels=" + ",".join(f"127.0.0.1:{s}" for s in p[13:]),
                    f"--redis-master-name={MASTER}",
                    "--redis-min-replicas=1",
                ]
            return [
                bins[name],
                *found,
                f"--grpc-address=127.0.0.1:{p[i]}",
                f"--admin-address=127.0.0.1:{p[i + 1]}",
                *more,
            ]

        self.commands = {
            "redis": [
                redis,
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(self.folder / "redis"),
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--save",
                "",
                "--loglevel",
                "warning",
            ],
            "claims-1": service("sandplane-claims", 0),
            "claims-2": service("sandplane-claims", 2),
            "pools": service("sandplane-pools", 4, f"--reconciler=127.0.0.1:{p[6]}"),
            "reconciler": service("toy_reconciler", 6, f"--data-dir={self.sandboxes}"),
        }
        self.servers = ["redis"]
        if sentinel:
            self.sentinels(redis, port, p[12], p[13:])
        self.admin = dict(zip(SERVICES[1:], (p[1], p[3], p[5], p[7])))
        self.processes, self.skew = {}, skew
        for name in SERVICES:
            self.clock(name, 0)
        for name in self.servers:
            (self.folder / f"disk-{name}").write_bytes(bytes(DISK.size))
        self.proxy = subprocess.Popen(
            [
                sys.executable,
                "-B",
                str(pathlib.Path(__file__).with_name("proxy.py")),
                str(port),
                *(f"{n}={w}" for n, w in self.ways.items()),
            ],
            stdin=subprocess.PIPE,
        )
        self.redis_port, self.sentinel_ports = port, p[13:] if sentinel else ()
        self.redis = self.client()

    def client(self):
        return Redis(self.redis_port, sentinels=self.sentinel_ports)

    def sentinels(self, redis, first, second, ports):
        """Two servers and three Sentinels, each with a file that it rewrites."""
        del self.commands["redis"]
        self.servers, self.watchers = ["redis-1", "redis-2"], []
        for name, port, more in (("redis-1", first, ""), ("redis-2", second, f"replicaof 127.0.0.1 {first}")):
            (self.folder / name).mkdir()
            (self.folder / f"{name}.conf").write_text(SERVER.format(port=port, dir=self.folder / name, more=more))
            self.commands[name] = [redis, str(self.folder / f"{name}.conf")]
        for i, port in enumerate(ports):
            (self.folder / f"sentinel-{i}.conf").write_text(SENTINEL.format(port=port, redis=first, master=MASTER))
            self.commands[f"sentinel-{i}"] = [redis, str(self.folder / f"sentinel-{i}.conf"), "--sentinel"]
            self.watchers.append(f"sentinel-{i}")

    def clock(self, name, offset):
        """How far the service's clock is off, in seconds."""
        with open(self.folder / f"clock-{name}", "r+b" if (self.folder / f"clock-{name}").exists() else "w+b") as f:
            f.write(struct.pack("=q", int(offset * 1e9)))

    def way(self, name, *command):
        """To proxy.py."""
        self.proxy.stdin.write(" ".join((name, *command, "\n")).encode())
        self.proxy.stdin.flush()

    def disk_dies(self, name, how="", permille=0):
        """How the server ends at its next write or flush; not at all."""
        with open(self.folder / f"disk-{name}", "r+b") as f:
            f.write(struct.pack("=ii", DIE.get(how, 0), permille))

    def disk_slow(self, flush_us):
        for name in self.servers:
            with open(self.folder / f"disk-{name}", "r+b") as f:
                f.seek(8)
                f.write(struct.pack("=i", flush_us))

    def disk_writes(self):
        """How many writes went to append-only files, and how many of them were of more than a page."""
        writes = [DISK.unpack((self.folder / f"disk-{name}").read_bytes())[4:] for name in self.servers]
        return [sum(n) for n in zip(*writes)]

    def start(self, name):
        env = {
            **os.environ,
            "LD_PRELOAD": self.skew,
            "SKEW_FILE": str(self.folder / f"clock-{'redis' if name in self.servers else name}"),
        }
        if name in self.servers:
            env["DISK_FILE"] = str(self.folder / f"disk-{name}")
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                self.commands[name], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env
            )

    def start_server(self, name):
        """Until it stays up: killed in the midst of a rewrite of its file, Redis ends once by itself, and starts then."""
        for _ in range(3):
            self.start(name)
            try:
                self.processes[name].wait(0.3)
            except subprocess.TimeoutExpired:
                return
        raise RuntimeError(f"{name} does not start; see {self.folder / name}.log")

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def signal(self, name, signo):
        self.processes[name].send_signal(signo)

    def ready(self, name):
        if name == "redis":
            try:
                role = self.redis("ROLE")
                return role[0] == "master" and len(role[2]) == len(self.servers) - 1
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
            for n in [*self.servers, *(self.watchers if len(self.servers) > 1 else [])] if name == "redis" else [name]:
                self.start(n)
            wait(lambda name=name: self.ready(name), f"{name} is ready")

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
