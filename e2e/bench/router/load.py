"""The load generators, wrk and h2load, and what they say."""

import re
import subprocess
import sys

from stand import BOX, BULK_BYTES, ROUTER, cpu_us

US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}
UPLOAD = f'wrk.method = "POST"\nwrk.body = string.rep("x", {BULK_BYTES})\n'


def fields_for(port):
    """What names the port behind the router."""
    return {"X-Sandbox-ID": BOX, "X-Sandbox-Port": port}


def field_args(port):
    return [arg for name, value in fields_for(port).items() for arg in ("-H", f"{name}: {value}")]


def wrk_command(stand, way, path, depth, seconds, port):
    host, at = stand.addresses[way]
    script = []
    if path == "/up":
        (stand.folder / "upload.lua").write_text(UPLOAD)
        script = ["-s", str(stand.folder / "upload.lua")]
    return [
        *(stand.args.wrk, "-t1", f"-c{depth}", f"-d{seconds}s", "--timeout", "30s", "--latency"),
        *script,
        *field_args(port),
        f"http://{host}:{at}{path}",
    ]


def quantile(text, percent):
    number, unit = re.search(rf"^ +{percent}% +([\d.]+)(\w+)", text, re.M).groups()
    return float(number) * US[unit]


def wrk(stand, way, path, depth, seconds, port):
    pid = stand.carriers[way].pid
    before = cpu_us(pid)
    command = wrk_command(stand, way, path, depth, seconds, port)
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    bad = re.search(r"Non-2xx.*|Socket errors: .*", text)
    if bad:
        print(f"{way}, {path}, {depth} in flight: {bad.group()}", file=sys.stderr)
    return {
        "rate": float(re.search(r"Requests/sec: +([\d.]+)", text).group(1)),
        "p50_us": quantile(text, 50),
        "cpu_us": (cpu_us(pid) - before) / int(re.search(r"(\d+) requests in", text).group(1)),
    }


def h2load(stand, way, connections, streams, seconds, port):
    """Requests a second by so many streams of so many connections."""
    host, at = stand.http2_addresses[way]
    command = [stand.args.h2load, f"-c{connections}", f"-m{streams}", f"-D{seconds}", *field_args(port)]
    text = subprocess.run(
        [*command, f"http://{host}:{at}/"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout
    done, failed = re.search(r"(\d+) succeeded, (\d+) failed", text).groups()
    if int(failed) > 0 or int(done) == 0:
        print(f"{way}, HTTP/2: {done} succeeded, {failed} failed", file=sys.stderr)
    return {"rate": int(done) / seconds}


def series_command(stand, seconds):
    return wrk_command(stand, ROUTER, "/", 32, seconds, stand.cells[-1])
