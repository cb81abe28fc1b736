"""Echo over an upgraded connection (RFC 6455): what a message and its answer take, without framing, which no proxy looks at."""

import socket
import statistics
import threading
import time

MESSAGE = b"m" * 64
UPGRADE = "GET /echo HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1 << 16)
        if not more:
            raise SystemExit(f"the connection ended in a head: {data!r}")
        data += more
    return data


class EchoServer:
    def __init__(self, host):
        self.listening = socket.create_server((host, 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listening.accept()
            threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    def echo(self, connection):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            read_head(connection)
            connection.sendall(ANSWER)
            while data := connection.recv(1 << 16):
                connection.sendall(data)


def echo_p50_us(address, fields, count):
    """Median of count messages, one at a time."""
    taken = []
    with socket.create_connection(address, 10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall((UPGRADE + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n").encode())
        head = read_head(s)
        if b" 101 " not in head[:20]:
            raise SystemExit(f"not upgraded: {head!r}")
        for _ in range(count):
            start = time.perf_counter()
            s.sendall(MESSAGE)
            got = 0
            while got < len(MESSAGE):
                got += len(s.recv(1 << 16))
            taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6
