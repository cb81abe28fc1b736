"""What the router's HTTP costs: run by tools/bench router.

Side by side in each round, in a network of their own and with one load generator (wrk, one thread; h2load for HTTP/2): a backend itself,
Debian's nginx before it with its connections to it kept and not kept, and the router with its shared state, to the same backend as the
port of a Pod. None writes an access log. The backend is an nginx of one process at an address that is not loopback's, for there the
kernel is more generous with ports that were just in use; and on a port for each of those that connect to it, so that none uses up
another's. Rates and times of a cell are medians over the rounds.

Beside it the processor time that a small request costs whoever carries it, which wavers less on a machine with other work; a message
over an upgraded connection and back; the memory of idle connections; a gRPC call to claims, and through the router. Then --requests requests of one kind to one sandbox: the rate of
the last tenth by that of the first.
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile
import time

from echo import echo_p50_us
from hop import hop
from idle import idle_mb
from load import fields_for, h2load, series_command, wrk
from stand import BACKEND, KEPT, ROUTER, WAYS, Stand

# What is asked for by wrk, how it is called, and how many at a time.
CELLS = [("/", "GET", 1), ("/", "GET", 32), ("/", "GET", 128), ("/big", "1 MiB down", 8), ("/up", "1 MiB up", 8)]
# Connections, and streams of each.
HTTP2 = (4, 8)
# What is not done by then has collapsed, and the rate of its end says so.
SERIES_SECONDS = 90


class Table:
    def __init__(self):
        self.rows = {}

    def add(self, way, what, depth, figures):
        self.rows.setdefault((way, what, depth), []).append(figures)

    def get(self, way, what, depth=1):
        rounds = self.rows[way, what, depth]
        return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}

    def print(self):
        head = "".join(f"{f'{what}, {depth}':>19}" for _, what, depth in CELLS)
        print(f"{'requests a second, p50 ms':<26}{head}{'HTTP/2, 32':>12}{'cpu us':>8}{'echo us':>9}{'idle MB':>9}")
        for way in WAYS:
            figures = [self.get(way, what, depth) for _, what, depth in CELLS]
            cells = "".join(f"{f['rate']:>10.0f}, {f['p50_us'] / 1000:>7.3f}" for f in figures)
            rate = f"{self.get(way, 'HTTP/2')['rate']:.0f}" if (way, "HTTP/2", 1) in self.rows else "-"
            echo = f"{self.get(way, 'echo')['p50_us']:.0f}" if (way, "echo", 1) in self.rows else "-"
            idle = f"{self.get(way, 'idle')['mb']:.0f}" if (way, "idle", 1) in self.rows else "-"
            print(f"{way:<26}{cells}{rate:>12}{self.get(way, 'GET', 32)['cpu_us']:>8.1f}{echo:>9}{idle:>9}")
        print(
            "GET, n: small answers, n in flight; 1 MiB: bodies of that size, either way; HTTP/2: small answers, 4 connections of 8 "
            "streams; cpu: of the one that carries, a GET at 32; echo: p50 of a message on an upgraded connection and back; "
            "idle: 10,000 connections that wait"
        )


def measure(stand, rounds, seconds, table):
    for number in range(rounds):
        print(f"==> round {number + 1} of {rounds}", file=sys.stderr)
        for i, (path, what, depth) in enumerate(CELLS):
            for way in WAYS:
                table.add(way, what, depth, wrk(stand, way, path, depth, seconds, stand.cells[i]))
        for way in (KEPT, ROUTER):
            table.add(way, "HTTP/2", 1, h2load(stand, way, *HTTP2, seconds, stand.cells[len(CELLS)]))
        addresses = {**stand.addresses, BACKEND: (stand.addresses[BACKEND][0], stand.echo.port)}
        for way in (BACKEND, KEPT, ROUTER):
            table.add(
                way, "echo", 1, {"p50_us": echo_p50_us(addresses[way], fields_for(stand.echo.port), 1000 * seconds)}
            )


def measure_idle(stand, count, table):
    print(f"==> {count} idle connections", file=sys.stderr)
    fields = fields_for(stand.cells[0])
    for what, addresses in (("idle", stand.addresses), ("idle HTTP/2", stand.http2_addresses)):
        for way in (KEPT, ROUTER):
            pid = stand.carriers[way].pid
            mb = idle_mb(addresses[way], fields, pid, count, what != "idle")
            table.add(way, what, 1, {"mb": mb * 10_000 / count})


def series(stand, count):
    """(requests answered, rate of the first tenth, of the last)"""
    first = stand.answered()
    process = stand.start("series", *series_command(stand, SERIES_SECONDS))
    samples = [(time.perf_counter(), 0)]
    while samples[-1][1] < count and process.poll() is None:
        done = stand.answered() - first
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


def summary(table, done, first, last):
    def ratio(what, depth=1):
        ours, theirs = (table.get(way, what, depth)["rate"] for way in (ROUTER, KEPT))
        return round(ours / theirs, 3)

    alone, single = (table.get(way, "GET", 1) for way in (BACKEND, ROUTER))
    return {
        "nginx_ratio_32": ratio("GET", 32),
        "nginx_ratio_1": ratio("GET", 1),
        "nginx_ratio_128": ratio("GET", 128),
        "nginx_ratio_http2": ratio("HTTP/2"),
        "bulk_ratio": ratio("1 MiB down", 8),
        "upload_ratio": ratio("1 MiB up", 8),
        "added_p50_us": round(single["p50_us"] - alone["p50_us"]),
        "collapse": round(last / first, 3),
        "cpu_us": round(table.get(ROUTER, "GET", 32)["cpu_us"], 1),
        "nginx_cpu_us": round(table.get(KEPT, "GET", 32)["cpu_us"], 1),
        "rate_32": round(table.get(ROUTER, "GET", 32)["rate"]),
        "echo_added_us": round(table.get(ROUTER, "echo")["p50_us"] - table.get(BACKEND, "echo")["p50_us"]),
        "nginx_echo_added_us": round(table.get(KEPT, "echo")["p50_us"] - table.get(BACKEND, "echo")["p50_us"]),
        "mb_per_10k_idle": round(table.get(ROUTER, "idle")["mb"]),
        "nginx_mb_per_10k_idle": round(table.get(KEPT, "idle")["mb"]),
        "mb_per_10k_idle_http2": round(table.get(ROUTER, "idle HTTP/2")["mb"]),
        "nginx_mb_per_10k_idle_http2": round(table.get(KEPT, "idle HTTP/2")["mb"]),
        "series_requests": round(done),
        "series_first_rate": round(first),
        "series_last_rate": round(last),
    }


def main():
    parser = argparse.ArgumentParser(
        prog="tools/bench router", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round of 2 s a cell, 1,000 idle connections, and 40,000 requests"
    )
    parser.add_argument("--requests", type=int, help="to one sandbox (200,000)")
    for program in ("router", "claims", "seed", "load", "state-load", "redis", "nginx", "wrk", "h2load"):
        parser.add_argument(f"--{program}", required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    table = Table()
    with contextlib.ExitStack() as at_end:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sandplane-bench-", dir="/tmp"))
        at_end.callback(shutil.rmtree, folder)
        # a port for each cell of wrk's, for HTTP/2, and for the series
        stand = Stand(args, folder, len(CELLS) + 2)
        at_end.callback(stand.close)
        measure(stand, *((1, 2) if args.quick else (3, 5)), table)
        measure_idle(stand, 1_000 if args.quick else 10_000, table)
        done, first, last = series(stand, args.requests or (40_000 if args.quick else 200_000))
        direct, through = hop(stand, 2 if args.quick else 6, 1_000)
    table.print()
    print(f"CreateSandbox, one in flight: p50 {direct:.0f} us to claims, {through:.0f} us by the router")
    print(f"{done:.0f} requests to one sandbox: the first tenth {first:.0f} a second, the last {last:.0f}")
    print(json.dumps({**summary(table, done, first, last), "hop_us": round(through - direct)}))


if __name__ == "__main__":
    main()
