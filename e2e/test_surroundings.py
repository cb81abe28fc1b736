"""What a command finds around it, what it may leave running, and who ends it: by every door, in both classes."""

import http.client
import json
import os
import pty
import shlex
import subprocess
import threading

import grpc
import pytest
from harness.stubs import sandbox_pb2 as pb
from harness.until import until
from test_exec import Stream


@pytest.fixture(scope="module", params=["gvisor", "process"])
def box(request, client, process_pool):
    kw = {} if request.param == "gvisor" else {"pool": process_pool}
    with client.sandbox(**kw) as b:
        yield b.name


def ask(stack, box, method, path, body=None):
    c = http.client.HTTPConnection("127.0.0.1", stack.http_ports[0], timeout=120)
    try:
        c.request(method, path, body, {"X-Sandbox-ID": box.rsplit("/", 1)[1], "Content-Type": "application/json"})
        r = c.getresponse()
        return r.status, r.read()
    finally:
        c.close()


def execute(stack, box, line, **more):
    status, body = ask(stack, box, "POST", "/execute", json.dumps({"command": line, **more}))
    assert status == 200, body
    return json.loads(body)


@pytest.fixture(params=["Exec", "ExecStream", "execute", "sandctl"])
def run(request, client, stack, box):
    """run(script): what it prints to stdout, by one of the doors."""

    def by_stream(script):
        start = pb.ExecStreamRequest.Start(name=box, command=pb.Command(args=["sh", "-c", script]), no_stdin=True)
        parts = client.sandboxes.ExecStream(iter([pb.ExecStreamRequest(start=start)]), timeout=60)
        return b"".join(p.stdout for p in parts).decode()

    def by_execute(script):
        return execute(stack, box, "sh -c " + shlex.quote(script))["stdout"]

    return {
        "Exec": lambda script: client.sh(box, script).stdout.decode(),
        "ExecStream": by_stream,
        "execute": by_execute,
        "sandctl": lambda script: stack.sandctl("exec", box, "--", "sh", "-c", script).stdout.decode(),
    }[request.param]


def test_streams(run):
    assert run("readlink /proc/self/fd/0") == "/dev/null\n"
    assert run("for i in 3 4 5 6 7 8 9 10 11 12; do [ ! -e /proc/self/fd/$i ] || echo $i; done") == ""
    assert run("echo again >/dev/stdout; echo lost >/dev/stderr") == "again\n"
    assert run("echo again >/proc/self/fd/1") == "again\n"


def test_settings(run):
    status = dict(line.split(":", 1) for line in run("cat /proc/self/status").splitlines())
    for field in ("SigIgn", "SigBlk"):  # Debian's gVisor has neither
        assert int(status.get(field, "0"), 16) == 0
    assert run("umask; ulimit -s; ulimit -c").split() == ["0022", "8192", "0"]
    assert int(run("ulimit -n")) >= 1024
    assert run('[ -n "$HOME" ] && [ -n "$PATH" ] && [ -n "$HOSTNAME" ] && echo ${TERM-none}') == "none\n"


def test_a_server_in_the_background_logs_to_what_it_inherited(client, run):
    program = "import os; line = b'x' * 1000\nfor i in range(1 << 30): os.write(1, line); os.write(2, line); open('n', 'w').write(str(i))"
    # dies of the first write that fails
    run(f'rm -f n; python3 -c "{program}" & echo $! >pid')
    until(lambda: int(run("cat n") or 0) > 500, 60, "it writes on")
    run("kill -9 $(cat pid)")


def test_no_signal_ends_the_sandbox(client, box):
    client.sh(
        box,
        "for s in 1 2 3 4 6 7 8 10 11 12 13 14 15 16 20 24 25 26 27 29 30 31 34 64 9; do kill -$s 1; done; kill -9 -1",
    )
    assert client.sh(box, "echo still here").stdout == b"still here\n"


# Debian's gVisor has no end of input, and no /dev/tty (docs/runtime.md)
WHOLE_TERMINALS = """
import os, pty
master, slave = pty.openpty()
os.write(master, b"\\x04")
os.set_blocking(slave, False)
try:
    print("yes" if os.read(slave, 10) == b"" else "no")
except BlockingIOError:
    print("no")
"""


@pytest.fixture(scope="module")
def whole_terminals(client, box):
    found = client.exec(box, "python3", "-c", WHOLE_TERMINALS).stdout
    assert found in (b"yes\n", b"no\n")
    return found == b"yes\n"


def test_a_terminal(client, box, whole_terminals):
    program = "echo T=$TERM; tty; echo again >/dev/stdout; read line; echo got-$line"
    s = Stream(client, box, "sh", "-c", program, terminal=(132, 43))
    s.until_stdout(b"again\r\n")
    assert b"T=xterm\r\n" in s.stdout and b"/dev/pts/" in s.stdout
    s.send(stdin=b"this\n")
    s.finish()
    assert s.exit.exit_code == 0 and s.stdout.endswith(b"got-this\r\n")
    if whole_terminals:
        s = Stream(client, box, "sh", "-c", "echo direct >/dev/tty; cat", terminal=(132, 43))
        s.until_stdout(b"direct\r\n")
        # half-closing is the key that ends the input, in the midst of a line as well
        s.send(stdin=b"abc")
        s.half_close()
        s.finish()
        assert s.exit.exit_code == 0 and s.stdout.endswith(b"abcabc")


def test_keys(client, box, whole_terminals):
    program = "trap 'echo int' INT; trap 'echo quit; exit 3' QUIT; echo go; while :; do sleep 0.05; done"
    s = Stream(client, box, "sh", "-c", program, terminal=(80, 24))
    s.until_stdout(b"go")
    s.send(stdin=b"\x03")
    s.until_stdout(b"int\r\n")
    s.send(stdin=b"\x1c")
    s.finish()
    assert b"quit" in s.stdout and s.exit.exit_code == 3
    s = Stream(
        client, box, "sh", "-c", "trap 'stty size' WINCH; echo go; while :; do sleep 0.05; done", terminal=(80, 24)
    )
    s.until_stdout(b"go")
    s.send(resize=pb.TerminalSize(columns=91, rows=25))
    s.until_stdout(b"25 91")
    s.call.cancel()
    if whole_terminals:
        s = Stream(client, box, "sh", "-c", "cat; echo ended", terminal=(80, 24))
        s.send(stdin=b"abc\n")
        s.until_stdout(b"abc\r\nabc\r\n")
        s.send(stdin=b"\x04")
        s.until_stdout(b"ended\r\n")


def test_a_terminal_of_sandctl(stack, box):
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", "111", "rows", "37"], stdin=slave, check=True)
    env = {**os.environ, "SANDPLANE_SERVER": stack.targets("router")[0], "TERM": "xterm-256color"}
    p = subprocess.Popen(
        [f"{stack.data}/bin/sandctl", "exec", "-it", box, "--", "sh", "-c", "stty size; echo TERM=$TERM"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=env,
    )
    os.close(slave)
    out = b""
    try:
        while b"TERM=xterm" not in out:
            out += os.read(master, 4096)
    finally:
        p.kill()
        p.wait()
        os.close(master)
    assert b"37 111" in out


def gone(client, box, what):
    def check():
        return (
            client.sh(box, f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '{what}' || true").stdout
            == b"0\n"
        )

    until(check, what=f"{what} is gone")


def test_who_leaves_an_execute_ends_it(client, stack, box):
    def leave(n):
        c = http.client.HTTPConnection("127.0.0.1", stack.http_ports[0], timeout=60)
        body = json.dumps({"command": f"sh -c 'echo >begun{n}; (sleep 40{n} & sleep 41{n})'", "timeout_seconds": 3000})
        c.request("POST", "/execute", body, {"X-Sandbox-ID": box.rsplit("/", 1)[1]})
        until(lambda: client.read(box, f"begun{n}") == b"\n", what="it runs", may_fail=grpc.RpcError)
        c.close()

    threads = [threading.Thread(target=leave, args=(n,)) for n in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    gone(client, box, "sleep 4[01][0-4]")


def test_who_leaves_ends_the_jobs_of_its_shell(client, box):
    s = Stream(client, box, "bash", "-c", "set -m; sleep 421 & echo up; wait")
    s.until_stdout(b"up")
    s.call.cancel()
    gone(client, box, "sleep 42[1]")


def test_who_leaves_while_its_input_waits(client, box):
    s = Stream(client, box, "sh", "-c", "echo up; exec sleep 431")
    s.until_stdout(b"up")
    for _ in range(60):
        s.send(stdin=b"x" * 100_000)
    until(lambda: s.requests.qsize() < 50, what="as much as fits is on its way")
    s.call.cancel()
    gone(client, box, "sleep 43[1]")


def test_a_time_limit_ends_jobs_and_keeps_output(client, stack, box):
    got = execute(stack, box, "bash -c 'set -m; sleep 441 & printf partial; printf oops >&2; wait'", timeout_seconds=1)
    assert (got["stdout"], got["exit_code"], got["timed_out"]) == ("partial", 1, True)
    assert got["stderr"].endswith("timed out after 1 seconds\noops")
    gone(client, box, "sleep 44[1]")


@pytest.mark.parametrize("size", [1_000_000, 40_000_000])
def test_output_of_execute_is_whole(stack, box, size):
    got = execute(stack, box, f'python3 -c \'print("a" * {size}, end="")\'')
    assert (len(got["stdout"]), got["exit_code"]) == (size, 0)


def test_a_listener_on_the_other_loopback(client, stack, box):
    client.sh(box, "mkdir -p web; cd web; setsid python3 -m http.server --bind ::1 8201 >/dev/null 2>&1 </dev/null &")
    headers = {"X-Sandbox-ID": box.rsplit("/", 1)[1], "X-Sandbox-Port": "8201"}

    def status():
        c = http.client.HTTPConnection("127.0.0.1", stack.http_ports[0], timeout=30)
        c.request("GET", "/", headers=headers)
        status = c.getresponse().status
        c.close()
        return status

    until(lambda: status() == 200, what="::1 answers")


def test_a_file_keeps_what_it_is(client, stack, box):
    client.sh(box, "rm -f f g; umask 077; echo old >f; ln f g")
    before = client.sh(box, "stat -c '%i %h %a %u' f").stdout
    client.write(box, "f", b"by gRPC")
    assert client.read(box, "g") == b"by gRPC"
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nby HTTP\r\n--b--\r\n'
    c = http.client.HTTPConnection("127.0.0.1", stack.http_ports[0], timeout=30)
    headers = {"X-Sandbox-ID": box.rsplit("/", 1)[1], "Content-Type": "multipart/form-data; boundary=b"}
    c.request("POST", "/upload", form, headers)
    assert c.getresponse().status == 200
    assert client.read(box, "g") == b"by HTTP"
    assert client.sh(box, "stat -c '%i %h %a %u' f").stdout == before
    client.write(box, "f", b"x", mode=0o640)
    assert client.sh(box, "stat -c '%a' g").stdout == b"640\n"
    client.sh(box, "chmod 0444 f")
    with pytest.raises(grpc.RpcError) as e:
        client.write(box, "f", b"no")
    assert e.value.code() == grpc.StatusCode.PERMISSION_DENIED and '"f"' in e.value.details()
    c = http.client.HTTPConnection("127.0.0.1", stack.http_ports[0], timeout=30)
    c.request("POST", "/upload", form, headers)
    r = c.getresponse()
    assert r.status == 403 and b'\\"f\\"' in r.read()
    assert client.read(box, "f") == b"x"
    # a private file, and one in a folder where nothing can be made
    client.sh(box, "mkdir ro; echo old >ro/f; chmod 0555 ro")
    client.write(box, "ro/f", b"new")
    assert client.read(box, "ro/f") == b"new"
    assert client.sh(box, "chmod 0755 ro; ls -A ro").stdout == b"f\n"


def test_names_that_are_no_text_are_listed(client, stack, box):
    client.sh(box, "mkdir -p odd; cd odd; : >\"$(printf 'bad\\377')\"; ln -s nowhere dangling")
    status, body = ask(stack, box, "GET", "/list/odd")
    assert status == 200 and {e["name"] for e in json.loads(body)} == {"bad\ufffd", "dangling"}
    files = [
        f.path
        for p in client.sandboxes.ListFiles(pb.ListFilesRequest(name=box, path="odd"), timeout=10)
        for f in p.files
    ]
    assert set(files) == {"odd/bad\ufffd", "odd/dangling"}
