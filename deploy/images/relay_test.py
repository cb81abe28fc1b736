"""relay_test.py RELAY: bytes pass both ways, half-closes too; a target that is not there ends the connection, not the relay."""

import signal
import socket
import subprocess
import sys
import threading

RELAY = sys.argv[1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answer_reversed(listener):
    """Reads to the end, then answers: only a half-close that is passed on lets it."""
    while True:
        connection, _ = listener.accept()
        with connection:
            data = b""
            while chunk := connection.recv(65536):
                data += chunk
            connection.sendall(data[::-1])


def ask(port, data):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        out = b""
        while chunk := s.recv(65536):
            out += chunk
        return out


def ends(port):
    """Whether the connection is ended without a byte: a reset where ours was not read, or an end."""
    try:
        return ask(port, b"x") == b""
    except OSError:
        return True


def start(target):
    port = free_port()
    process = subprocess.Popen([RELAY, f"127.0.0.1:{port}", f"127.0.0.1:{target}"])
    for _ in range(1000):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
    raise AssertionError("the relay does not listen")


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=answer_reversed, args=(listener,), daemon=True).start()
relay, port = start(listener.getsockname()[1])
assert ask(port, b"hello") == b"olleh"
big = bytes(range(256)) * 20000
results = []
threads = [threading.Thread(target=lambda: results.append(ask(port, big) == big[::-1])) for _ in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert results == [True] * 8, results

lost, lost_port = start(free_port())
for _ in range(3):
    assert ends(lost_port)
assert lost.poll() is None

# a tunnel outlives the order to end, new ones are refused
with socket.create_connection(("127.0.0.1", port), 10) as tunnel:
    tunnel.sendall(b"a")
    relay.send_signal(signal.SIGTERM)
    while True:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) != 0:
                break
    tunnel.sendall(b"bc")
    tunnel.shutdown(socket.SHUT_WR)
    assert tunnel.recv(10) == b"cba"
assert relay.wait(10) == 0
lost.send_signal(signal.SIGTERM)
assert lost.wait(10) == 0
assert subprocess.run([RELAY], capture_output=True).returncode == 2
print("passed")
