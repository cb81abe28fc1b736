"""A program that keeps its connections, and tells in each answer by which it came and as which request of it.

The body of an answer is JSON: conn (number of the connection), nth (of the request on it, from 1), target, and close (whether
the request asked for an end). All requests are in `seen`. By the path:
/who and others   an answer with a length    /chunked   in chunks, with a trailer
/204 /304         no body                    /304len    announces one of 7 bytes, as 304 may
/more             an answer, and another that nobody asked for, at once
/leaves           an answer, then an end that was not announced
/bye              announces an end, and leaves it to the peer
/half             half of an answer          /early     103 before the answer
/old              HTTP/1.0, keep-alive       /lf        lines that end in LF
/both             a length and chunks        /bad       status 400
/wait             answers when released      /fails     ends without an answer
/long             an answer of many MiB; tells of it as /wait does when the first of them is sent
Bodies are not read, as by many a program: they are the next request. HEAD is answered with a body, as by many, too.
"""

import contextlib
import json
import socket
import threading


class KeptApp:
    def __init__(self):
        self.lock = threading.Lock()
        self.seen = []  # (connection, its how manieth, method, target)
        self.open = {}  # number: socket
        self.made = 0
        self.end_next = False  # the next request that is not a connection's first meets its end
        self.waiting, self.release = threading.Semaphore(0), threading.Semaphore(0)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            with self.lock:
                self.made += 1
                self.open[self.made] = sock
                number = self.made
            threading.Thread(target=self.guard, args=(sock, number), daemon=True).start()

    def guard(self, sock, number):
        with contextlib.suppress(OSError):
            self.serve(sock, number)
            # what is unread would end it with a reset, and an answer with it
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        with self.lock:
            del self.open[number]
        sock.close()

    def targets(self):
        with self.lock:
            return [target for _, _, _, target in self.seen]

    def end_all(self):
        """Ends what is open, as a program does whose own limit of idle time has come."""
        with self.lock:
            for sock in self.open.values():
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def say(self, data):
        """On every connection, unasked."""
        with self.lock:
            for sock in self.open.values():
                sock.sendall(data)

    def serve(self, sock, number):
        data, nth = b"", 0
        while True:
            while b"\r\n\r\n" not in data:
                block = sock.recv(65536)
                if not block:
                    return
                data += block
            text, data = data.split(b"\r\n\r\n", 1)
            nth += 1
            method, target = text.decode().split(" ")[:2]
            with self.lock:
                self.seen.append((number, nth, method, target))
                ends, self.end_next = self.end_next and nth > 1, self.end_next and nth == 1
            close = "connection: close" in text.decode().lower()
            told = {"conn": number, "nth": nth, "target": target, "close": close}
            if ends or not self.answer(sock, target, json.dumps(told).encode()) or close:
                return

    def answer(self, sock, target, body):
        """False: the connection ends."""
        path = target.partition("?")[0]
        length = b"Content-Length: %d\r\n" % len(body)
        plain = b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + body
        chunks = b"%x;e=f\r\n%b\r\n0\r\n" % (len(body), body)
        answers = {
            "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"X-Sum: 42\r\n\r\n",
            "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
            "/304": b"HTTP/1.1 304 Not Modified\r\nETag: e\r\n\r\n",
            "/304len": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
            "/more": plain + plain.replace(b"more", b"evil"),
            "/bye": b"HTTP/1.1 200 OK\r\nConnection: Close\r\n" + length + b"\r\n" + body,
            "/half": plain[:-5],
            "/early": b"HTTP/1.1 103 Early Hints\r\n\r\n" + plain,
            "/old": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + length + b"\r\n" + body,
            "/lf": plain.replace(b"\r\n", b"\n"),
            "/both": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + length + b"\r\n" + chunks + b"\r\n",
            "/bad": plain.replace(b"200 OK", b"400 Bad Request"),
        }
        if path == "/wait":
            self.waiting.release()
            self.release.acquire()
        if path == "/fails":
            return False
        if path == "/long":
            block = bytes(1 << 20)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (32 * len(block)))
            for i in range(32):
                sock.sendall(block)
                if i == 0:
                    self.waiting.release()
            return True
        sock.sendall(answers.get(path, plain))
        if path == "/bye":
            assert sock.recv(65536) == b"", "a request behind the last one"
        return path not in ("/leaves", "/half")


class SerialApp(KeptApp):
    """Serves one connection to its end before it takes the next."""

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            self.made += 1
            self.open[self.made] = sock
            self.guard(sock, self.made)
