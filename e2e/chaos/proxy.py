"""Between the services and Redis: carries bytes, and on command nothing in one direction or in both, as a partition does.

Run as a process of its own: proxy.py TARGET_PORT NAME=PORT... ; reads lines from standard input: "NAME up|down|both hold", "NAME heal",
"NAME break" (heal, and every connection that was there is gone). up is from the service to Redis. What is held is kept, not lost: TCP would
send it again. A connection made meanwhile is accepted and hears nothing.
"""

import selectors
import socket
import sys

CHUNK = 1 << 16


class Side:
    """One socket of a pair; what it could not take yet waits in `out`, and then nobody reads for it."""

    def __init__(self, sock, link, way):
        self.sock, self.link, self.way, self.out, self.peer, self.mask = sock, link, way, b"", None, 0
        self.connected = way == "up"


class Link:
    def __init__(self, name):
        self.name, self.held, self.sides = name, set(), set()


class Proxy:
    def __init__(self, target, links):
        self.selector, self.target, self.links = selectors.DefaultSelector(), target, {}
        for name, port in links.items():
            server = socket.create_server(("127.0.0.1", port))
            server.setblocking(False)
            self.links[name] = Link(name)
            self.selector.register(server, selectors.EVENT_READ, self.links[name])
        self.input = b""
        self.selector.register(0, selectors.EVENT_READ, None)

    def accept(self, server, link):
        sock, _ = server.accept()
        other = socket.socket()
        for s in (sock, other):
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other.connect_ex(("127.0.0.1", self.target))
        service, redis = Side(sock, link, "up"), Side(other, link, "down")
        service.peer, redis.peer = redis, service
        link.sides |= {service, redis}
        self.interest(service)
        self.interest(redis)

    def interest(self, side):
        """Reads unless its way is held or its peer is behind; writes while something waits, or it is not connected yet."""
        if side not in side.link.sides:
            return
        mask = 0
        if side.connected and side.way not in side.link.held and not side.peer.out and side.peer.connected:
            mask |= selectors.EVENT_READ
        if side.out or not side.connected:
            mask |= selectors.EVENT_WRITE
        if mask == side.mask:
            return
        if not side.mask:
            self.selector.register(side.sock, mask, side)
        elif not mask:
            self.selector.unregister(side.sock)
        else:
            self.selector.modify(side.sock, mask, side)
        side.mask = mask

    def end(self, side):
        for s in (side, side.peer):
            if s in s.link.sides:
                s.link.sides.discard(s)
                if s.mask:
                    self.selector.unregister(s.sock)
                s.sock.close()

    def ready(self, side, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                if not side.connected:
                    if side.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        return self.end(side)
                    side.connected = True
                elif side.out:
                    side.out = side.out[side.sock.send(side.out) :]
            if mask & selectors.EVENT_READ:
                data = side.sock.recv(CHUNK)
                if not data:
                    return self.end(side)
                sent = 0
                try:
                    sent = side.peer.sock.send(data)
                except BlockingIOError:
                    pass
                side.peer.out = data[sent:]
        except BlockingIOError:
            pass
        except OSError:
            return self.end(side)
        self.interest(side)
        self.interest(side.peer)

    def command(self, line):
        name, *words = line.split()
        link = self.links[name]
        if words[-1] == "hold":
            link.held = {"up", "down"} if words[0] == "both" else {words[0]}
        else:
            link.held = set()
        for side in list(link.sides):
            if words[-1] == "break":
                self.end(side)
            else:
                self.interest(side)

    def run(self):
        while True:
            for key, mask in self.selector.select():
                if key.data is None:
                    chunk = sys.stdin.buffer.raw.read(CHUNK)
                    if not chunk:
                        return
                    *lines, self.input = (self.input + chunk).split(b"\n")
                    for line in lines:
                        self.command(line.decode())
                elif isinstance(key.data, Link):
                    self.accept(key.fileobj, key.data)
                elif key.data in key.data.link.sides:
                    self.ready(key.data, mask)


if __name__ == "__main__":
    Proxy(int(sys.argv[1]), {n: int(p) for n, p in (a.split("=") for a in sys.argv[2:])}).run()
