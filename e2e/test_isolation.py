"""From inside a sandbox: everything that must not work does not, and the machine is unharmed."""

import os
import pathlib
import shutil
import socket

import grpc
import pytest
from harness.open_place import OpenPlace, own_address
from harness.until import until

WALK = "find / \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o "
SOCKETS = """python3 - <<'E'
import os, socket, stat
for at, folders, names in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(at, f) not in ("/proc", "/sys", "/dev")]
    for path in (os.path.join(at, n) for n in names):
        try:
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                continue
            with socket.socket(socket.AF_UNIX) as s:
                if not os.access(at, os.W_OK):
                    s.settimeout(5)
                    s.connect(path)
            print("out", path)
        except OSError:
            pass
E
"""
CONNECT = """python3 - <<'E'
import socket
s = socket.socket(%s)
s.settimeout(2)
try:
    s.connect(%s)
    print("out")
except OSError:
    pass
E
"""
MEMORY = """python3 - <<'E'
try:
    at = int(open("/proc/{pid}/maps").readline().split("-")[0], 16)
    with open("/proc/{pid}/mem", "rb") as f:
        f.seek(at)
        print("out" if f.read(1) else "")
except (OSError, ValueError):
    pass
E
"""
INTERFACES = """python3 - <<'E'
import socket
print("out" if [n for _, n in socket.if_nameindex() if n != "{own_interface}"] else "")
E
"""
TRACE = """python3 - <<'E'
import ctypes
print("" if ctypes.CDLL(None).ptrace(16, {pid}, 0, 0) else "out")
E
"""
# a signal may be allowed and do nothing, as to the first process of a namespace; one that is dead has no command line
KILL = """kill -9 {pid} 2>/dev/null
for _ in $(seq 50); do
  grep -q . /proc/{pid}/cmdline 2>/dev/null || { echo out; break; }
  sleep 0.02
done
"""

# Each is a script that prints "out" where it can do what no sandbox may. It runs in the sandboxes, where it must not, and in
# the open place (harness/open_place.py), where it must: one that cannot find an open door proves nothing of a closed one.
PROBES = {
    "a file of the host": "test -e {marker} && echo out",
    "the stack's folder": "ls {data} 2>/dev/null | grep -q . && echo out",
    "other sandboxes' records": WALK + "-name sandbox.json -print 2>/dev/null | grep -q . && echo out",
    "other processes": "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -q '[r]edis-server' && echo out",
    "the state store": CONNECT % ("socket.AF_UNIX", "'{data}/redis.sock'"),
    "a socket called redis": WALK + "-name 'redis*.sock' -print 2>/dev/null | grep -q . && echo out",
    "any socket": SOCKETS,
    "an abstract socket": CONNECT % ("socket.AF_UNIX", "'\\0{abstract}'"),
    "the router's HTTP": CONNECT % ("socket.AF_INET", "('127.0.0.1', {http_port})"),
    "the router's gRPC": CONNECT % ("socket.AF_INET", "('127.0.0.1', {grpc_port})"),
    "the machine's address": CONNECT % ("socket.AF_INET", "('{host}', {port})"),
    "interfaces": INTERFACES,
    **{f"writing to {d}": f"touch {d}/x 2>/dev/null && echo out" for d in ("/", "/usr", "/usr/bin", "/etc", "/bin")},
    "adding a user": "(echo >>/etc/passwd) 2>/dev/null && echo out",
    "set-user-id files": "find / -xdev -perm -4000 2>/dev/null | grep -v '^/app' | grep -q . && echo out",
    "becoming root": "python3 -c 'import os; os.setuid(0); print(\"out\")' 2>/dev/null",
    "mounting": "mount -t tmpfs x /mnt 2>/dev/null && echo out",
    "mounting a folder": "mount --bind /usr /mnt 2>/dev/null && echo out",
    "reading a device": "mknod ./d {device} 2>/dev/null; test $(head -c 1 ./d 2>/dev/null | wc -c) = 1 && echo out",
    "devices": "ls {dev} | grep -qE '^(sda|vda|mem|kmem|kvm)$' && echo out",
    "kernel settings": "(echo 1 >{proc}/sys/kernel/panic) 2>/dev/null && echo out",
    "the magic key": "(echo b >{proc}/sysrq-trigger) 2>/dev/null && echo out",
    "the kernel's memory": "head -c 1 {proc}/kcore >/dev/null 2>&1 && echo out",
    "the kernel's log": "head -c 1 {proc}/kmsg >/dev/null 2>&1 && echo out",
    "firmware": "ls {sys}/firmware/* 2>/dev/null | grep -q . && echo out",
    "the kernel's objects": "touch {sys}/kernel/x 2>/dev/null && echo out",
    "the runtime's environment": "grep -q s3cret /proc/{pid}/environ 2>/dev/null && echo out",
    "the runtime's memory": MEMORY,
    "tracing the runtime": TRACE,
    "killing the runtime": KILL,
    "the control folder": "touch {run}/x 2>/dev/null && echo out",
    "root of a new namespace": "unshare -Urm sh -c 'ls -A /root' 2>/dev/null | grep -q . && echo out",
    "writing in a new namespace": "unshare -Urm touch /usr/x 2>/dev/null && echo out",
}
SANDBOX = {
    "proc": "/proc",
    "sys": "/sys",
    "dev": "/dev",
    "run": "/run/sandplane",
    "pid": "1",
    "own_interface": "lo",
    "device": "b 8 0",
}


@pytest.fixture(scope="module")
def reachable(stack):
    """What the probes look for, on this machine."""
    marker = pathlib.Path(stack.data) / "marker"
    marker.write_text("host")
    abstract = f"sandplane-e2e-{os.getpid()}"
    with socket.create_server(("0.0.0.0", 0)) as door, socket.socket(socket.AF_UNIX) as unnamed:
        unnamed.bind(f"\0{abstract}")
        unnamed.listen()
        yield {
            "marker": marker,
            "data": stack.data,
            "http_port": stack.http_port,
            "grpc_port": stack.grpc_port,
            "abstract": abstract,
            "host": own_address(),
            "port": door.getsockname()[1],
        }


@pytest.fixture(scope="module")
def open_place(stack):
    with OpenPlace(stack.data) as place:
        yield place


@pytest.fixture(scope="module", params=["gvisor", "process"])
def box(request, client, process_pool):
    kw = {} if request.param == "gvisor" else {"pool": process_pool}
    with client.sandbox(env={"TOKEN": "s3cret"}, **kw) as b:
        assert b.runtime_class == request.param
        yield b.name


def filled(what, values):
    script = PROBES[what]
    for name, value in values.items():
        script = script.replace("{" + name + "}", str(value))
    return script


@pytest.mark.parametrize("what", PROBES)
def test_refused(client, box, reachable, what):
    out = client.sh(box, filled(what, reachable | SANDBOX), command_timeout=60)
    assert b"out" not in out.stdout, out.stdout
    assert not out.status.timed_out
    assert client.sh(box, "echo alive").stdout == b"alive\n"


@pytest.mark.parametrize("what", PROBES)
def test_the_probe_can_find_a_way_out(open_place, reachable, what):
    with open_place.victim(TOKEN="s3cret") as pid:
        run = open_place.sh(filled(what, reachable | open_place.stand_ins | {"pid": pid}))
    assert "out" in run.stdout, run


def test_it_is_gvisor(client):
    with client.sandbox() as b:
        assert b"gVisor" in client.sh(b.name, "dmesg || cat /proc/version").stdout


def test_users_and_capabilities(client, box):
    out = client.sh(box, "id -u; grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs)' /proc/self/status")
    lines = out.stdout.decode().split("\n")
    assert lines[0] == "1000"
    values = dict(line.split(":\t") for line in lines[1:] if line)
    assert int(values["CapEff"], 16) == 0 and int(values["CapPrm"], 16) == 0
    assert values.get("NoNewPrivs", "1") == "1"


def test_two_sandboxes_do_not_see_each_other(client):
    with client.sandbox() as a, client.sandbox() as b:
        client.write(a.name, "secret", b"of a")
        client.sh(a.name, "(sleep 300 &) ; echo started")
        assert (
            client.sh(
                b.name, "cat secret 2>/dev/null; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 300'"
            ).stdout.strip()
            == b"0"
        )


# What the kernel counts by user: takes all there is of one kind and holds it, or says what it still gets of each.
TAKE = """import ctypes, errno, fcntl, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
kept = []
def inotify():
    fd = libc.inotify_init()
    if fd >= 0:
        return fd
    raise OSError(ctypes.get_errno(), "inotify")
def timer():
    # each takes the place of a signal that waits
    t = ctypes.c_void_p()
    if libc.timer_create(0, None, ctypes.byref(t)) != 0:
        raise OSError(ctypes.get_errno(), "timer")
    return t
def pipe():
    r, w = os.pipe()
    kept.append(w)
    fcntl.fcntl(w, 1031, 1 << 20)  # F_SETPIPE_SZ
    return r
for make in (inotify, timer, pipe):
    n = 0
    try:
        while n < (1 if sys.argv[1] == "one" else 500000):
            kept.append(make())
            n += 1
        print(make.__name__, "more")
    except OSError as e:
        print(make.__name__, errno.errorcode[e.errno], n > 0)
sys.stdout.flush()
if sys.argv[1] == "all":
    time.sleep(600)
"""


def test_one_sandbox_uses_up_nothing_of_another(client, process_pool):
    with client.sandbox(pool=process_pool) as a, client.sandbox(pool=process_pool) as b:
        for box in (a, b):
            client.write(box.name, "take.py", TAKE.encode())
        client.sh(a.name, "setsid python3 take.py all >out 2>&1 &")
        until(lambda: client.sh(a.name, "wc -l <out").stdout.strip() == b"3", timeout=60, what="all is taken")
        # or nothing was held that another could miss
        assert client.sh(a.name, "cat out").stdout == b"inotify EMFILE True\ntimer EAGAIN True\npipe EPERM True\n"
        out = client.exec(b.name, "python3", "take.py", "one")
        assert out.stdout == b"inotify more\ntimer more\npipe more\n", out


def settle(client, name):
    """The sandbox answers, or it has failed and says so: nothing in between."""

    def check():
        try:
            return client.sh(name, "echo alive", timeout=20).stdout == b"alive\n"
        except grpc.RpcError as e:
            return e.code() in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)

    until(check, timeout=60, what="settled")


def processes():
    return len([p for p in os.listdir("/proc") if p.isdigit()])


def test_fork_bomb_stays_inside(client, process_pool):
    for kw in ({}, {"pool": process_pool}):
        with client.sandbox(**kw) as b:
            try:
                client.sh(b.name, "f() { f | f & }; f; sleep 5", command_timeout=5, timeout=60)
            except grpc.RpcError as e:
                assert e.code() in (
                    grpc.StatusCode.UNAVAILABLE,
                    grpc.StatusCode.FAILED_PRECONDITION,
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                )
            assert processes() < 5000
            settle(client, b.name)
    with client.sandbox() as other:
        assert client.sh(other.name, "echo fine").stdout == b"fine\n"


def test_memory_hog_stays_inside(client, process_pool):
    for kw in ({}, {"pool": process_pool}):
        with client.sandbox(**kw) as b:
            hog = "x = []\nwhile True: x.append(bytearray(16 << 20))\n"
            try:
                out = client.exec(b.name, "python3", "-c", hog, command_timeout=60, timeout=90)
                assert out.status.exit_code != 0
            except grpc.RpcError as e:
                assert e.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.FAILED_PRECONDITION)
            settle(client, b.name)


def test_disk_hog_stays_inside(client, box):
    disk = shutil.disk_usage("/var/tmp").used
    try:
        out = client.sh(box, "head -c 20G /dev/zero >big; rc=$?; rm -f big; exit $rc", command_timeout=120, timeout=150)
        assert out.status.exit_code != 0 or out.status.timed_out
    except grpc.RpcError as e:  # the workspace is memory, and the limit on that came first
        assert e.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.FAILED_PRECONDITION)
        assert "OutOfMemory" in e.details()
    assert shutil.disk_usage("/var/tmp").used - disk < (1 << 30)
