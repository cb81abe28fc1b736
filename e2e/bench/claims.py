"""How fast claims are, and what durability costs: run by tools/bench claims.

Everything is on loopback and on this machine: a Redis server with its append-only file in a folder on disk, one or two
claims services, and load generators that run one at a time. "durable" is appendfsync always, otherwise everysec; the
append-only file is there in both. Pools are filled between measurements, by the scripts that pools and the reconciler
use; no sandboxes run. Figures of a cell are medians over the rounds.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

DEPTHS = [1, 16, 64, 256]
SIZES = [100, 10_000, 100_000]
# The size that the summary's ratio and latency are of.
MAIN_SIZE = 10_000
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until_reachable(port, process):
    end = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"{process.args[0]} does not listen on port {port}")
        time.sleep(0.02)


def cpu_us(pid):
    """Processor time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS


def rss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def fdatasync_us(folder):
    """Median time of a write of 200 bytes and its fdatasync: below this no durable claim can go."""
    times = []
    with open(folder / "probe", "wb", buffering=0) as f:
        for _ in range(300):
            start = time.perf_counter()
            f.write(b"x" * 200)
            os.fdatasync(f.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


class Bench:
    def __init__(self, programs, folder):
        self.bin = programs
        self.folder = folder
        self.processes = []
        self.next_name = 0
        self.names = folder / "names"
        self.claims_bin = f"{programs}/services/claims/sandplane-claims"
        self.claims = []

    def start_redis(self, program):
        self.redis_port = free_port()
        # a rewrite would fork and write the whole set in the middle of a measurement
        self.redis = self.start(
            [program, "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
            + ["--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--dir", str(self.folder)],
            self.redis_port,
        )

    def start(self, argv, port):
        with open(self.folder / f"{pathlib.Path(argv[0]).name}-{port}.log", "wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        until_reachable(port, process)
        return process

    def stop(self, process):
        process.kill()
        process.wait()
        self.processes.remove(process)

    def close(self):
        for process in list(self.processes):
            self.stop(process)

    def start_claims(self):
        port = free_port()
        address = ["--grpc-address", f"127.0.0.1:{port}", "--admin-address", f"127.0.0.1:{free_port()}"]
        redis = ["--redis-address", f"127.0.0.1:{self.redis_port}"]
        self.claims.append((self.start([self.claims_bin, *address, *redis], port), port))

    def redis_command(self, *words):
        with socket.create_connection(("127.0.0.1", self.redis_port)) as s:
            s.sendall((" ".join(words) + "\r\n").encode())
            reply = s.recv(4096)
        if not reply.startswith(b"+OK"):
            sys.exit(f"redis: {words}: {reply.decode()}")

    def durable(self, yes):
        self.redis_command("CONFIG", "SET", "appendfsync", "always" if yes else "everysec")

    def run(self, program, *args):
        process = subprocess.run(
            [f"{self.bin}/e2e/bench/{program}", *args], stdout=subprocess.PIPE, text=True, check=False
        )
        if process.returncode != 0:
            sys.exit(f"{program} {' '.join(args)} failed: {process.stdout}")
        return [json.loads(line) for line in process.stdout.splitlines()]

    def fill(self, pool, pools, size):
        self.durable(False)
        self.run(
            "state_load",
            "--mode=fill",
            f"--redis-address=127.0.0.1:{self.redis_port}",
            f"--pool={pool}",
            f"--pools={pools}",
            f"--count={size}",
            f"--first={self.next_name}",
        )
        self.next_name += pools * size

    # ---- what is measured: each returns {name: figures} ----

    def echo(self, program, depth, count):
        port = free_port()
        process = self.start([f"{self.bin}/e2e/bench/{program}", f"--listen=127.0.0.1:{port}"], port)
        target = [f"--target=127.0.0.1:{port}", f"--depth={depth}"]
        self.run("load", *target, f"--count={max(depth, 500)}")
        before = cpu_us(process.pid)
        figures = self.run("load", *target, f"--count={count}")[0]
        figures["server_us"] = (cpu_us(process.pid) - before) / count
        self.stop(process)
        return figures

    def scripts(self, pool, pools, depth, count):
        before = cpu_us(self.redis.pid)
        redis = f"--redis-address=127.0.0.1:{self.redis_port}"
        args = [f"--pool={pool}", f"--pools={pools}", f"--depth={depth}", f"--count={count}"]
        lines = self.run("state_load", "--mode=claim", redis, *args)
        for line in lines:
            # of both scripts together
            line["redis_us"] = (cpu_us(self.redis.pid) - before) / count / 2
        return lines

    def service(self, replicas, pool, pools, depth, count):
        targets = [f"--target=127.0.0.1:{self.claims[0][1]}"]
        if replicas == 2:
            targets.append(f"--second-target=127.0.0.1:{self.claims[1][1]}")
        lines = []
        for mode in ("create", "delete"):
            services = [process.pid for process, _ in self.claims]
            before = cpu_us(self.redis.pid), sum(map(cpu_us, services))
            args = [f"--pool={pool}", f"--pools={pools}", f"--names={self.names}"]
            line = self.run("load", f"--mode={mode}", *targets, f"--depth={depth}", f"--count={count}", *args)[0]
            line["redis_us"] = (cpu_us(self.redis.pid) - before[0]) / count
            line["server_us"] = (sum(map(cpu_us, services)) - before[1]) / count
            lines.append(line)
        return lines


def cells(quick):
    """(durable, replicas, pool size, depth)"""
    if quick:
        yield from ((True, 1, size, depth) for size in SIZES for depth in (1, 64))
        yield from ((False, 1, MAIN_SIZE, 64), (True, 2, MAIN_SIZE, 64))
        return
    for durable in (True, False):
        yield from ((durable, 1, size, depth) for size in SIZES for depth in DEPTHS)
        yield from ((durable, 2, MAIN_SIZE, depth) for depth in DEPTHS)


def medians(figures):
    return {key: statistics.median(f[key] for f in figures) for key in figures[0] if key != "mode"}


class Table:
    COLUMNS = "{:<15}{:>8}{:>9}{:>9}{:>7}{:>11}{:>9}{:>9}{:>9}{:>10}{:>10}"

    def __init__(self):
        self.rows = {}

    def add(self, key, line):
        self.rows.setdefault(key, []).append(line)

    def get(self, *key):
        return medians(self.rows[key])

    def print(self):
        head = ["", "durable", "replicas", "pool", "depth", "a second", "p50 ms", "p99 ms", "load us", "server us"]
        print(self.COLUMNS.format(*head, "redis us"))
        for key in self.rows:
            what, durable, replicas, size, depth = key
            m = self.get(*key)
            print(
                self.COLUMNS.format(
                    what,
                    {True: "yes", False: "no", None: "-"}[durable],
                    replicas or "-",
                    size or "-",
                    depth,
                    f"{m['rate']:.0f}",
                    f"{m['p50_ms']:.3f}",
                    f"{m['p99_ms']:.3f}",
                    f"{m['cpu_us']:.0f}",
                    f"{m['server_us']:.0f}" if "server_us" in m else "-",
                    f"{m['redis_us']:.0f}" if "redis_us" in m else "-",
                )
            )
        print("load, server and redis us: processor time a call, of the load generator, the service and Redis")


def measure(bench, quick, table):
    rounds, base = (1, 1000) if quick else (3, 1000)

    def count_of(depth):
        return base if depth == 1 else base * 4

    def filled(size, count):
        pools = max(1, -(-count // size))
        bench.fill(f"p{size}", pools, size)
        return f"p{size}", pools

    bench.start_claims()
    time.sleep(0.5)
    idle = rss_mb(bench.claims[0][0].pid)
    bench.start_claims()
    for number in range(rounds):
        print(f"==> round {number + 1} of {rounds}", file=sys.stderr)
        for depth in (1, 64) if quick else DEPTHS:
            for program, name in (("echo_server", "echo, C core"), ("echo_rpc", "echo, lib/rpc")):
                table.add((name, None, 0, 0, depth), bench.echo(program, depth, 5 * count_of(depth)))
        for durable in (True, False):
            for depth in (1, 64) if quick else DEPTHS:
                count = count_of(depth)
                pool, pools = filled(MAIN_SIZE, count)
                bench.durable(durable)
                for line in bench.scripts(pool, pools, depth, count):
                    table.add((line["mode"] + " script", durable, 0, MAIN_SIZE, depth), line)
        for durable, replicas, size, depth in cells(quick):
            count = count_of(depth)
            pool, pools = filled(size, count)
            bench.durable(durable)
            for line in bench.service(replicas, pool, pools, depth, count):
                if line["cold"]:
                    sys.exit(f"{line['cold']} claims waited: the pool was too small")
                name = {"create": "CreateSandbox", "delete": "DeleteSandbox"}[line["mode"]]
                table.add((name, durable, replicas, size, depth), line)
    return idle


def main():
    parser = argparse.ArgumentParser(
        prog="tools/bench claims", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round of the cells that the summary needs")
    parser.add_argument("--bin", required=True, help="Bazel's folder of what it built")
    parser.add_argument("--redis", required=True, help="the redis-server program")
    args = parser.parse_args()
    # not /tmp, which may be memory: there nothing is durable
    parent = os.environ.get("SANDPLANE_BENCH_DIR", "/var/tmp")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sandplane-bench-", dir=parent))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    table = Table()
    with contextlib.ExitStack() as at_end:
        at_end.callback(shutil.rmtree, folder)
        bench = Bench(args.bin, folder)
        at_end.callback(bench.close)
        disk = fdatasync_us(folder)
        bench.start_redis(args.redis)
        idle = measure(bench, args.quick, table)
    table.print()
    echo = table.get("echo, C core", None, 0, 0, 64)
    deep = table.get("CreateSandbox", True, 1, MAIN_SIZE, 64)
    single = table.get("CreateSandbox", True, 1, MAIN_SIZE, 1)
    large = table.get("CreateSandbox", True, 1, SIZES[-1], 1)
    small = table.get("CreateSandbox", True, 1, SIZES[0], 1)
    summary = {
        "durable_ratio": round(deep["rate"] / echo["rate"], 3),
        "p50_ms": single["p50_ms"],
        "p99_ms": single["p99_ms"],
        "flatness": round(large["p50_ms"] / small["p50_ms"], 2),
        "rss_mb": round(idle, 1),
        "echo_per_s": round(echo["rate"]),
        "create_per_s": round(deep["rate"]),
        "fdatasync_us": round(disk),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
