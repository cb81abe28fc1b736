"""What the router's HTTP costs: run by tools/bench router.

Side by side in each round, in a network of their own and with one load generator (wrk, one thread): a backend itself, Debian's nginx
before it with its connections to it kept and not kept, and the router with its shared state, to the same backend as the port of a Pod.
None writes an access log. The backend is an nginx of one process at an address that is not loopback's, for there the kernel is more
generous with ports that were just in use; and on a port for each of those that connect to it, so that none uses up another's. Rates and
times of a cell are medians over the rounds.

Beside it the processor time that a small request costs whoever carries it, which wavers less on a machine with other work. Then
--requests requests of one kind to one sandbox: the rate of the last tenth by that of the first.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

DEPTHS = [1, 32, 128]
BULK_DEPTH = 8
BULK_BYTES = 1 << 20
WAYS = ["backend itself", "nginx, kept", "nginx, not kept", "router"]
BOX = "bench-aaaaa"
# as tools/bench has given it to the loopback device
POD = "192.0.2.2"
# What is not done by then has collapsed, and the rate of its end says so.
SERIES_SECONDS = 90
TICKS = os.sysconf("SC_CLK_TCK")
US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}

HTTP = """
  access_log off; keepalive_requests 100000000; sendfile on; default_type text/plain;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
"""

BACKEND = """
events {{ worker_connections 16384; }}
http {{
  {http}
  server {{
    {listen}
    location / {{ return 200 "hello, world\\n"; }}
    location /big {{ alias {folder}/big; }}
  }}
}}
"""

PROXY = """
worker_processes auto;
events {{ worker_connections 16384; }}
http {{
  {http}
  upstream kept {{ server {pod}:{kept_backend}; keepalive 128; keepalive_requests 100000000; }}
  upstream other {{ server {pod}:{other_backend}; }}
  server {{
    listen 127.0.0.1:{kept} backlog=4096;
    location / {{ proxy_pass http://kept; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
  server {{
    listen 127.0.0.1:{other} backlog=4096;
    location / {{ proxy_pass http://other; }}
  }}
}}
"""


def free_ports(n):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def until(check, what, process=None):
    end = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            if check():
                return
        if time.monotonic() > end or (process and process.poll() is not None):
            sys.exit(f"not within 20 s: {what}")
        time.sleep(0.02)


def cpu_us(pid):
    """Processor time of a process and of its children so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS + sum(map(cpu_us, children))


def reachable(host, port):
    return lambda: socket.create_connection((host, port), 1).close() is None


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.processes = []
        self.carriers = {}  # process of each way

    def start(self, name, *argv):
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()

    def start_nginx(self, name, text, host, port, **values):
        path = self.folder / f"{name}.conf"
        common = f"daemon off; user root; pid {self.folder}/{name}.pid; error_log stderr;"
        http = HTTP.format(folder=self.folder)
        path.write_text(common + text.format(http=http, folder=self.folder, pod=POD, **values))
        process = self.start(name, self.args.nginx, "-e", "stderr", "-p", str(self.folder), "-c", str(path))
        until(reachable(host, port), f"{name} listening", process)
        return process

    def start_all(self):
        (self.folder / "big").write_bytes(b"x" * BULK_BYTES)
        # of each way in, and of each cell of the router's, whose connections not all have gone when the next begins
        self.backends = free_ports(4 + len(DEPTHS) + 1)
        listen = " ".join(f"listen {POD}:{p} backlog=4096;" for p in self.backends)
        backend = self.start_nginx("backend", BACKEND, POD, self.backends[0], listen=listen)
        kept, other, self.http, grpc, self.admin = free_ports(5)
        behind = {"kept_backend": self.backends[1], "other_backend": self.backends[2]}
        proxy = self.start_nginx("proxy", PROXY, "127.0.0.1", kept, kept=kept, other=other, **behind)
        at = [f"{POD}:{self.backends[0]}"] + [f"127.0.0.1:{port}" for port in (kept, other, self.http)]
        self.addresses = dict(zip(WAYS, at, strict=True))
        self.carriers = dict(zip(WAYS, (backend, proxy, proxy, self.start_router(grpc)), strict=True))

    def start_router(self, grpc):
        redis = f"unix:{self.folder}/redis"
        argv = ["--port", "0", "--unixsocket", f"{self.folder}/redis", "--save", "", "--dir", str(self.folder)]
        process = self.start("redis", self.args.redis, *argv)
        until((self.folder / "redis").exists, "redis listening", process)
        pool = BOX.rpartition("-")[0]
        for words in (("make", "default", BOX, f"pod:{POD}"), ("claim", "default", pool, "0")):
            subprocess.run([self.args.seed, redis, *words], check=True, stdout=subprocess.DEVNULL)
        addresses = {"http": self.http, "grpc": grpc, "admin": self.admin}
        flags = [f"--{name}-address=127.0.0.1:{port}" for name, port in addresses.items()]
        flags += [f"--redis-address={redis}", "--access-log=false"]
        process = self.start("router", self.args.router, *flags)
        until(lambda: b" 200 " in self.metrics("/readyz")[:20], "the router ready", process)
        return process

    def metrics(self, path="/metrics"):
        with socket.create_connection(("127.0.0.1", self.admin), 10) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: s.recv(1 << 16), b""))

    def answered(self):
        """Requests that the router has answered with 200 so far."""
        series = re.findall(rb'^sandbox_router_requests_total\{[^}]*code="200"[^}]*\} ([\d.e+]+)', self.metrics(), re.M)
        return sum(map(float, series))

    def wrk(self, way, path, depth, seconds, backend):
        """The command; backend: the port behind the router."""
        fields = ["-H", f"X-Sandbox-ID: {BOX}", "-H", f"X-Sandbox-Port: {backend}"]
        url = f"http://{self.addresses[way]}{path}"
        return [self.args.wrk, "-t1", f"-c{depth}", f"-d{seconds}s", "--timeout", "30s", "--latency", *fields, url]

    def load(self, way, path, depth, seconds, backend):
        argv = self.wrk(way, path, depth, seconds, backend)
        pid = self.carriers[way].pid
        before = cpu_us(pid)
        text = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
        bad = re.search(r"Non-2xx.*|Socket errors: .*", text)
        if bad:
            print(f"{way}, {path}, {depth} in flight: {bad.group()}", file=sys.stderr)
        return {
            "rate": float(re.search(r"Requests/sec: +([\d.]+)", text).group(1)),
            "p50_us": quantile(text, 50),
            "cpu_us": (cpu_us(pid) - before) / int(re.search(r"(\d+) requests in", text).group(1)),
        }

    def series(self, count):
        """(requests answered, rate of the first tenth, of the last)"""
        argv = self.wrk("router", "/", 32, SERIES_SECONDS, self.backends[-1])
        first = self.answered()
        process = self.start("series", *argv)
        samples = [(time.perf_counter(), 0)]
        while samples[-1][1] < count and process.poll() is None:
            done = self.answered() - first
            samples.append((time.perf_counter(), done))
            time.sleep(0.005)
        process.terminate()
        process.wait()
        done = min(samples[-1][1], count)
        if done < 10:
            sys.exit("the router answered nothing")
        marks = [time_of(samples, done * share) for share in (0, 0.1, 0.9, 1)]
        return done, done / 10 / (marks[1] - marks[0]), done / 10 / (marks[3] - marks[2])


def time_of(samples, count):
    """When so many were done, between two samples as if they came evenly."""
    for (t0, n0), (t1, n1) in zip(samples, samples[1:], strict=False):
        if n1 >= count and n1 > n0:
            return t0 + (t1 - t0) * (count - n0) / (n1 - n0)
    return samples[-1][0]


def quantile(text, percent):
    number, unit = re.search(rf"^ +{percent}% +([\d.]+)(\w+)", text, re.M).groups()
    return float(number) * US[unit]


class Table:
    def __init__(self):
        self.rows = {}

    def add(self, way, what, depth, figures):
        self.rows.setdefault((way, what, depth), []).append(figures)

    def get(self, way, what, depth):
        rounds = self.rows[way, what, depth]
        return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}

    def print(self):
        cells = [("GET", d) for d in DEPTHS] + [("1 MiB", BULK_DEPTH)]
        head = "".join(f"{f'{what}, {depth}':>19}" for what, depth in cells)
        print(f"{'requests a second, p50 ms':<27}{head}{'cpu us':>9}")
        for way in WAYS:
            figures = [self.get(way, *cell) for cell in cells]
            cells_of_way = "".join(f"{f['rate']:>10.0f}, {f['p50_us'] / 1000:>7.3f}" for f in figures)
            print(f"{way:<27}{cells_of_way}{self.get(way, 'GET', 32)['cpu_us']:>9.1f}")
        print(
            "GET, n: small answers, n in flight; 1 MiB: answers of that size; cpu us: of the one that carries, a GET at 32"
        )


def measure(bench, rounds, seconds, table):
    for number in range(rounds):
        print(f"==> round {number + 1} of {rounds}", file=sys.stderr)
        for i, depth in enumerate(DEPTHS):
            for way in WAYS:
                table.add(way, "GET", depth, bench.load(way, "/", depth, seconds, bench.backends[3 + i]))
        for way in WAYS:
            figures = bench.load(way, "/big", BULK_DEPTH, seconds, bench.backends[3 + len(DEPTHS)])
            table.add(way, "1 MiB", BULK_DEPTH, figures)


def summary(table, series):
    def ratio(what, depth):
        ours, theirs = (table.get(way, what, depth)["rate"] for way in ("router", "nginx, kept"))
        return round(ours / theirs, 3)

    done, first, last = series
    alone, single = (table.get(way, "GET", 1) for way in ("backend itself", "router"))
    return {
        "nginx_ratio_32": ratio("GET", 32),
        "nginx_ratio_1": ratio("GET", 1),
        "nginx_ratio_128": ratio("GET", 128),
        "bulk_ratio": ratio("1 MiB", BULK_DEPTH),
        "added_p50_us": round(single["p50_us"] - alone["p50_us"]),
        "collapse": round(last / first, 3),
        "cpu_us": round(table.get("router", "GET", 32)["cpu_us"], 1),
        "nginx_cpu_us": round(table.get("nginx, kept", "GET", 32)["cpu_us"], 1),
        "rate_32": round(table.get("router", "GET", 32)["rate"]),
        "series_requests": round(done),
        "series_first_rate": round(first),
        "series_last_rate": round(last),
    }


def main():
    parser = argparse.ArgumentParser(
        prog="tools/bench router", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round of 2 s a cell, and 40,000 requests")
    parser.add_argument("--requests", type=int, help="to one sandbox (200,000)")
    for program in ("router", "seed", "redis", "nginx", "wrk"):
        parser.add_argument(f"--{program}", required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    table = Table()
    with contextlib.ExitStack() as at_end:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sandplane-bench-", dir="/tmp"))
        at_end.callback(shutil.rmtree, folder)
        bench = Bench(args, folder)
        at_end.callback(bench.close)
        bench.start_all()
        measure(bench, *((1, 2) if args.quick else (3, 5)), table)
        series = bench.series(args.requests or (40_000 if args.quick else 200_000))
    table.print()
    print(
        f"{series[0]:.0f} requests to one sandbox: the first tenth {series[1]:.0f} a second, the last {series[2]:.0f}"
    )
    print(json.dumps(summary(table, series)))


if __name__ == "__main__":
    main()
