"""The program inside the sandbox: an HTTP/1.1 server on a port, written on sockets so that it can misbehave.

/echo        the request's line, fields and body
/sum         length and SHA-256 of the body
/sumlater    the same, but reads nothing of the body before somebody asks for /go
/big?N       N MiB, with a length      /chunked?N  the same in chunks, with a trailer
/old         HTTP/1.0 without length   /cut        half of what it announces
/cutchunk    chunks without an end     /garbage    no HTTP
/slow        no answer                 /early      answers before it reads the body
/huge        a head of 100 KiB         /both       both lengths
/interim?N   N times 103 and then 200     /hinting   103 again and again, 200 in the end
/hints       103, 100 and then 200     /switch     101 that nobody asked for
/204 /304    no body                   /ws         101, then echoes bytes
/event       one server-sent event, and no end until the peer leaves
/hang        a head, and no body until the peer leaves; /left tells how many did
/nothing     closes before it answers  /reset      resets instead
/halfhead    closes within its head    /tls        an alert of TLS
/redirect?TO  302 to TO, with cookies   /cookie?C   one cookie
/lf          lines that end in LF      /folded     what else small programs write
"""

import hashlib
import select
import socket
import struct
import threading

left = 0
go = threading.Event()


def head(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        block = sock.recv(65536)
        if not block:
            return None, b""
        data += block
    return data.split(b"\r\n\r\n", 1)


def body_of(text, rest, sock):
    low = text.lower()
    if b"transfer-encoding: chunked" in low:
        f = sock.makefile("rb")

        class Joined:
            buf = rest

            def read(self, n):
                while len(self.buf) < n:
                    block = f.read1(65536)
                    if not block:
                        raise EOFError
                    self.buf += block
                out, self.buf = self.buf[:n], self.buf[n:]
                return out

            def line(self):
                out = b""
                while not out.endswith(b"\r\n"):
                    out += self.read(1)
                return out

        j = Joined()
        while True:
            n = int(j.line(), 16)
            if n == 0:
                j.line()
                return
            yield j.read(n)
            j.line()
    n = 0
    for line in low.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            n = int(line.split(b":")[1])
    if rest:
        yield rest
        n -= len(rest)
    while n > 0:
        block = sock.recv(min(n, 65536))
        if not block:
            raise EOFError
        n -= len(block)
        yield block


def until_left(sock):
    """The other side has closed, whatever of it is unread."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    poll.poll()


def answer(sock, body, fields=b"", status=b"200 OK"):
    sock.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n" % len(body) + fields + b"\r\n" + body)


def serve(sock):
    global left
    text, rest = head(sock)
    if text is None:
        return
    method, target = text.split(b" ")[:2]
    path, _, query = target.decode().partition("?")
    mib = b"x" * (1 << 20)
    if path == "/sumlater":
        go.wait()
    if path.startswith("/sum"):
        h, n = hashlib.sha256(), 0
        for part in body_of(text, rest, sock):
            h.update(part)
            n += len(part)
        answer(sock, f"{n} {h.hexdigest()}".encode())
    elif path == "/big":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (int(query) << 20))
        for _ in range(int(query)):
            sock.sendall(mib)
    elif path == "/chunked":
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for _ in range(int(query)):
            sock.sendall(b"100000;ext=1\r\n" + mib + b"\r\n")
        sock.sendall(b"0\r\nX-Sum: 42\r\nContent-Length: 5\r\n\r\n")
    elif path == "/old":
        sock.sendall(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nold")
    elif path == "/cut":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    elif path == "/cutchunk":
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    elif path == "/garbage":
        sock.sendall(b"SSH-2.0-x\r\n\r\n")
    elif path == "/slow":
        until_left(sock)
    elif path == "/early":
        answer(sock, b"no", b"", b"413 Payload Too Large")
        sock.shutdown(socket.SHUT_WR)
        until_left(sock)
    elif path == "/huge":
        answer(sock, b"", b"X: " + b"a" * 100000 + b"\r\n")
    elif path == "/both":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
    elif path == "/nothing":
        sock.shutdown(socket.SHUT_WR)
        until_left(sock)
    elif path == "/reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif path == "/halfhead":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-")
    elif path == "/tls":
        sock.sendall(b"\x15\x03\x01\x00\x02\x02\x46")
        until_left(sock)
    elif path == "/redirect":
        cookies = b"Set-Cookie: a=1; Path=/; Domain=box.example; HttpOnly\r\nSet-Cookie: b=2; path=/x\r\n"
        to = f"Location: {query}\r\nClear-Site-Data: *\r\n".encode()
        answer(sock, b"", to + cookies, b"302 Found")
    elif path == "/cookie":
        answer(sock, b"", f"Set-Cookie: {query}\r\n".encode())
    elif path == "/lf":
        sock.sendall(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nX-App: lf\n\n3\nabc\n0\n\n")
    elif path == "/folded":
        sock.sendall(b"\r\nhttp/1.1 200 OK\r\nX-Long : a\r\n  b\r\nno colon\r\nTransfer-Encoding: identity\r\n\r\nabc")
    elif path == "/hints":
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        answer(sock, b"late")
    elif path == "/interim":
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * int(query))
        answer(sock, b"late")
    elif path == "/hinting":
        poll = select.poll()
        poll.register(sock, select.POLLRDHUP)
        for _ in range(8):
            sock.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            if poll.poll(400):
                break
        answer(sock, b"late")
    elif path == "/switch":
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw")
    elif path == "/204":
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif path == "/304":
        sock.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: e\r\n\r\n")
    elif path == "/ws":
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        sock.sendall(rest)
        while data := sock.recv(65536):
            sock.sendall(data)
    elif path == "/event":
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
        )
        until_left(sock)
    elif path == "/hang":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        while sock.recv(65536):
            pass
        left += 1
    elif path == "/go":
        go.set()
        answer(sock, b"")
    elif path == "/left":
        answer(sock, str(left).encode())
    elif method == b"HEAD":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r\n")
    else:
        body = b"".join(body_of(text, rest, sock))
        answer(
            sock,
            text + b"\n\n" + body,
            b"X-App: yes\r\nConnection: keep-alive\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
        )


def guard(sock):
    with sock:
        try:
            serve(sock)
        except (OSError, EOFError):
            pass


def start(port=0, host="127.0.0.1"):
    """Serves on a port of this process, a free one unless it is given, which is returned."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=128)

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=guard, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]
