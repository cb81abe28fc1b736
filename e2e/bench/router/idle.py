"""Connections that have had one answer and wait: what they cost."""

import contextlib
import resource
import socket

from echo import read_head
from stand import rss_mb

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(text):
    return bytes([len(text)]) + text.encode()


def http2_request(fields):
    """GET / as one HEADERS frame; RFC 7541: three of its fields stand in the static table, the rest is literal."""
    block = b"\x82\x84\x86\x01" + literal("bench")
    block += b"".join(b"\x00" + literal(name.lower()) + literal(str(value)) for name, value in fields.items())
    return PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_STREAM | END_HEADERS, 1, block)


def http1_request(fields):
    return ("GET / HTTP/1.1\r\nHost: bench\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n").encode()


def read_http2(connection):
    """Until the last frame of the answer."""
    with connection.makefile("rb", 0) as file:
        while True:
            head = file.read(9)
            payload = b""
            while len(payload) < int.from_bytes(head[:3], "big"):
                payload += file.read(int.from_bytes(head[:3], "big") - len(payload))
            if head[3] in (DATA, HEADERS) and head[4] & END_STREAM:
                return


def idle_mb(address, fields, pid, count, http2):
    """Memory that count idle connections take of whoever carries them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    request, read = (http2_request, read_http2) if http2 else (http1_request, read_head)
    before = rss_mb(pid)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(address, 10))
            connection.sendall(request(fields))
            read(connection)
        after = rss_mb(pid)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return after - before
