"""What is measured: the backend, nginx before it, and the router with its shared state, each at ports of its own."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

from echo import EchoServer

BULK_BYTES = 1 << 20
BACKEND, KEPT, NOT_KEPT, ROUTER = WAYS = ["backend itself", "nginx, kept", "nginx, not kept", "router"]
BOX = "bench-aaaaa"
# as tools/bench has given it to the loopback device
POD = "192.0.2.2"
TICKS = os.sysconf("SC_CLK_TCK")

HTTP = """
  access_log off; keepalive_requests 100000000; sendfile on; default_type text/plain; client_max_body_size 0; client_body_buffer_size 2m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
"""

BACKEND_CONF = """
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

PROXY_CONF = """
worker_processes auto; worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
  {http}
  upstream kept {{ server {pod}:{kept_backend}; keepalive 128; keepalive_requests 100000000; }}
  upstream other {{ server {pod}:{other_backend}; }}
  proxy_http_version 1.1;
  server {{
    listen 127.0.0.1:{kept} backlog=4096;
    listen 127.0.0.1:{kept_h2} backlog=4096 http2;
    http2_max_requests 100000000;
    location / {{ proxy_pass http://kept; proxy_set_header Connection ""; }}
    location /echo {{
      proxy_pass http://{pod}:{echo}; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
  }}
  server {{
    listen 127.0.0.1:{other} backlog=4096;
    location / {{ proxy_pass http://other; proxy_http_version 1.0; }}
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


def reachable(host, port):
    return lambda: socket.create_connection((host, port), 1).close() is None


def family(pid):
    """The process and its children."""
    return [pid] + [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_us(pid):
    """Processor time of a process and of its children so far."""
    fields = (pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split() for p in family(pid))
    return sum((int(f[11]) + int(f[12])) * 1e6 / TICKS for f in fields)


def rss_mb(pid):
    """Memory of a process and of its children that is theirs alone, so that what they share counts once."""
    texts = (pathlib.Path(f"/proc/{p}/status").read_text() for p in family(pid))
    return sum(int(re.search(r"RssAnon:\s+(\d+)", text).group(1)) for text in texts) / 1024


class Stand:
    def __init__(self, args, folder, n_cells):
        self.args, self.folder = args, folder
        self.processes = []
        (folder / "big").write_bytes(b"x" * BULK_BYTES)
        # of each way in, and of each cell of the router's, whose connections not all have gone when the next begins
        backends = free_ports(3 + n_cells)
        self.cells = backends[3:]
        self.echo = EchoServer(POD)
        listen = " ".join(f"listen {POD}:{p} backlog=4096;" for p in backends)
        backend = self.start_nginx("backend", BACKEND_CONF, POD, backends[0], listen=listen)
        kept, kept_h2, other, self.http, self.grpc, self.admin, self.claims_port, claims_admin = free_ports(8)
        behind = {"kept_backend": backends[1], "other_backend": backends[2], "echo": self.echo.port}
        proxy = self.start_nginx(
            "proxy", PROXY_CONF, "127.0.0.1", kept, kept=kept, kept_h2=kept_h2, other=other, **behind
        )
        at = [(POD, backends[0])] + [("127.0.0.1", port) for port in (kept, other, self.http)]
        self.addresses = dict(zip(WAYS, at, strict=True))
        self.http2_addresses = {KEPT: ("127.0.0.1", kept_h2), ROUTER: ("127.0.0.1", self.http)}
        self.carriers = dict(zip(WAYS, (backend, proxy, proxy, self.start_router(claims_admin)), strict=True))

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

    def start_claims(self, admin):
        addresses = [f"--grpc-address=127.0.0.1:{self.claims_port}", f"--admin-address=127.0.0.1:{admin}"]
        process = self.start("claims", self.args.claims, *addresses, f"--redis-address={self.redis}")
        until(reachable("127.0.0.1", self.claims_port), "claims listening", process)

    def start_router(self, claims_admin):
        redis = self.redis = f"unix:{self.folder}/redis"
        argv = ["--port", "0", "--unixsocket", f"{self.folder}/redis", "--save", "", "--dir", str(self.folder)]
        process = self.start("redis", self.args.redis, *argv)
        until((self.folder / "redis").exists, "redis listening", process)
        pool = BOX.rpartition("-")[0]
        for words in (("make", "default", BOX, f"pod:{POD}"), ("claim", "default", pool, "0")):
            subprocess.run([self.args.seed, redis, *words], check=True, stdout=subprocess.DEVNULL)
        self.start_claims(claims_admin)
        addresses = {"http": self.http, "grpc": self.grpc, "admin": self.admin}
        flags = [f"--{name}-address=127.0.0.1:{port}" for name, port in addresses.items()]
        flags += [f"--redis-address={redis}", "--access-log=false", "--max-connections=18000"]
        flags.append(f"--claims=127.0.0.1:{self.claims_port}")
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
