"""Exec and ExecStream: output apart, status, limits, terminals, signals, callers that vanish."""

import queue
import threading
import time

import grpc
import pytest
from harness.client import field_of, seconds
from harness.stubs import sandbox_pb2 as pb
from harness.until import until


class Stream:
    """One ExecStream call: push requests, pull responses."""

    def __init__(self, client, name, *args, terminal=None, env=None, timeout=60):
        self.requests = queue.Queue()
        start = pb.ExecStreamRequest.Start(name=name, command=pb.Command(args=args, env=env or {}))
        if terminal:
            start.terminal.columns, start.terminal.rows = terminal
        self.requests.put(pb.ExecStreamRequest(start=start))
        self.call = client.sandboxes.ExecStream(iter(self.requests.get, None), timeout=timeout)
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.exit = None
        self.pid = None

    def send(self, **kw):
        self.requests.put(pb.ExecStreamRequest(**kw))

    def half_close(self):
        self.requests.put(None)

    def _take(self, r):
        kind = r.WhichOneof("response")
        if kind == "started":
            self.pid = r.started.pid
        elif kind == "exit":
            self.exit = r.exit
        else:
            getattr(self, kind).extend(getattr(r, kind))

    def finish(self):
        for r in self.call:
            self._take(r)
        return self

    def until_stdout(self, text):
        for r in self.call:
            self._take(r)
            if text in self.stdout:
                return self
        raise AssertionError(f"{text!r} not in {self.stdout!r}")


@pytest.fixture(scope="module")
def box(client):
    with client.sandbox() as b:
        yield b.name


def test_streams_are_apart(client, box):
    out = client.sh(box, "echo out; echo err >&2; exit 7")
    assert (out.stdout, out.stderr, out.status.exit_code) == (b"out\n", b"err\n", 7)
    assert not out.stdout_truncated and not out.stderr_truncated
    assert out.duration.ToNanoseconds() > 0


def test_not_a_shell(client, box):
    assert client.exec(box, "echo", "$HOME", "|", "cat").stdout == b"$HOME | cat\n"


def test_stdin_env_and_working_dir(client, box):
    assert client.exec(box, "cat", stdin=b"abc\0def").stdout == b"abc\0def"
    client.sh(box, "mkdir -p sub/dir")
    out = client.sh(box, 'echo "$A:$(pwd)"', env={"A": "b"}, working_dir="sub/dir")
    assert out.stdout.startswith(b"b:") and out.stdout.endswith(b"/sub/dir\n")


def test_signal_is_reported(client, box):
    out = client.sh(box, "kill -TERM $$")
    assert (out.status.exit_code, out.status.signal) == (-1, 15)


def test_timeout_kills_the_group(client, box):
    begin = time.monotonic()
    out = client.sh(box, "sleep 1000 & echo $!; sleep 1000", command_timeout=1)
    assert out.status.timed_out and time.monotonic() - begin < 30
    child = out.stdout.strip().decode()
    assert child
    gone = client.sh(box, f"kill -0 {child} 2>/dev/null && echo alive || echo gone")
    assert gone.stdout == b"gone\n"


def test_output_is_bounded(client, box):
    out = client.sh(box, "head -c 5000000 /dev/zero; head -c 100 /dev/zero >&2", max_output_bytes=1000)
    assert len(out.stdout) == 1000 and out.stdout_truncated
    assert len(out.stderr) == 100 and not out.stderr_truncated
    assert out.status.exit_code == 0


@pytest.mark.parametrize(
    "args,code",
    [
        (["no-such-program"], grpc.StatusCode.NOT_FOUND),
        (["/etc/passwd"], grpc.StatusCode.PERMISSION_DENIED),
    ],
)
def test_program_that_cannot_run(client, box, args, code):
    with pytest.raises(grpc.RpcError) as e:
        client.exec(box, *args)
    assert e.value.code() == code
    assert args[0] in e.value.details()


@pytest.mark.parametrize(
    "command,field",
    [
        (pb.Command(), "command.args"),
        (pb.Command(args=["true"], env={"1BAD": "x"}), "command.env"),
        (pb.Command(args=["true"], env={"A": "x" * 40000}), "command.env"),
        (pb.Command(args=["true"], timeout=seconds(-1)), "command.timeout"),
        (pb.Command(args=["x" * 200000]), "command.args"),
    ],
)
def test_bad_command_names_the_field(client, box, command, field):
    with pytest.raises(grpc.RpcError) as e:
        client.sandboxes.Exec(pb.ExecRequest(name=box, command=command), timeout=10)
    assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT, e.value
    assert field_of(e.value).startswith(field)


def test_working_dir_outside_is_refused(client, box):
    for path in ("../..", "/../etc"):
        with pytest.raises(grpc.RpcError) as e:
            client.exec(box, "pwd", working_dir=path)
        assert e.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_deadline_kills_the_command(client, box):
    with pytest.raises(grpc.RpcError) as e:
        client.sh(box, "echo $$ >deadline.pid; exec sleep 1000", timeout=2)
    assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    until(
        lambda: client.sh(box, "kill -0 $(cat deadline.pid) 2>/dev/null || echo gone").stdout == b"gone\n",
        what="killed",
    )


def test_stream_stdin_and_exit(client, box):
    s = Stream(client, box, "cat")
    s.send(stdin=b"one ")
    s.send(stdin=b"two")
    s.half_close()
    s.finish()
    assert s.stdout == b"one two" and s.exit.exit_code == 0 and s.pid > 0


def test_stream_signal_reaches_the_group(client, box):
    s = Stream(client, box, "/bin/sh", "-c", "trap 'echo caught; exit 3' INT; echo go; while :; do sleep 0.05; done")
    s.until_stdout(b"go\n")
    s.send(signal=2)
    s.finish()
    assert b"caught" in s.stdout and s.exit.exit_code == 3


def test_stream_terminal_and_resize(client, box):
    s = Stream(client, box, "/bin/sh", terminal=(100, 40), env={"PS1": "# "})
    s.send(stdin=b"stty size; tty\n")
    s.until_stdout(b"40 100")
    s.send(resize=pb.TerminalSize(columns=132, rows=50))
    s.send(stdin=b"sleep 0.2; stty size\n")
    s.until_stdout(b"50 132")
    s.send(stdin=b"exit 5\n")
    s.finish()
    assert b"/dev/pts/" in s.stdout
    assert s.exit.exit_code == 5 and not s.stderr


def test_stream_large_output_flows(client, box):
    s = Stream(client, box, "head", "-c", "30000000", "/dev/zero", timeout=180)
    s.half_close()
    s.finish()
    assert len(s.stdout) == 30_000_000 and s.exit.exit_code == 0


def test_vanishing_client_kills_the_command(client, box):
    s = Stream(client, box, "/bin/sh", "-c", "echo $$ >vanish.pid; echo up; exec sleep 1000")
    s.until_stdout(b"up")
    s.call.cancel()
    until(
        lambda: client.sh(box, "kill -0 $(cat vanish.pid) 2>/dev/null || echo gone").stdout == b"gone\n", what="killed"
    )


def test_stream_must_begin_with_start(client):
    call = client.sandboxes.ExecStream(iter([pb.ExecStreamRequest(stdin=b"x")]), timeout=10)
    with pytest.raises(grpc.RpcError) as e:
        list(call)
    assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_many_at_once(client, box):
    results = []

    def one(i):
        results.append(client.sh(box, f"echo {i}").stdout == f"{i}\n".encode())

    threads = [threading.Thread(target=one, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [True] * 16


def test_zombies_are_reaped(client, box):
    client.sh(box, "for i in 1 2 3 4 5 6 7 8; do (sleep 0.05 &) ; done")

    def zombies():
        return client.sh(box, "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ' || true").stdout.strip() == b"0"

    until(zombies, what="no zombies")
