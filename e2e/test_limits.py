"""A limit inside a sandbox is an error of the command that meets it, never the end of the sandbox and its files; and what a
command finds around it does not depend on who started the stack, and how.

In both classes; in class gvisor with the newest gVisor, of the stack that all tests share, and with Debian's, of a stack that
somebody started with odd limits, ignored signals and open files.
"""

import os
import shutil

import grpc
import pytest
from conftest import fill, make_process_pool
from harness.client import POOL, Client
from harness.stack import Stack

ODD_STARTER = """umask 077
trap '' HUP QUIT USR1 ALRM
exec 7</etc/shadow
ulimit -S -c 12345
ulimit -S -n 1000
exec nice -n 7 "$@"
"""


@pytest.fixture(scope="module")
def odd_stack():
    assert os.access("/usr/bin/runsc", os.X_OK), "Debian's runsc, of tools/fetch packages"
    s = Stack(
        replicas=1,
        offset=300,
        started_by=["/bin/sh", "-c", ODD_STARTER, "sh"],
        SANDPLANE_RUNSC="/usr/bin/runsc",
    )
    s.start()
    try:
        yield s
    finally:
        s.stop()


@pytest.fixture(scope="module")
def odd_client(odd_stack):
    c = Client(odd_stack.targets("router")[0])
    fill(c, 2)
    yield c
    c.close()


@pytest.fixture(scope="module", params=["newest", "debians", "bubblewrap"])
def pool(request):
    """(client, pool)"""
    if request.param == "newest":
        return request.getfixturevalue("client"), POOL
    odd = request.getfixturevalue("odd_client")
    return odd, POOL if request.param == "debians" else make_process_pool(odd)


@pytest.fixture
def box(pool):
    """(client, name) of a sandbox that must be there afterwards and have its file, whatever the test does in it."""
    client, name = pool
    with client.sandbox(pool=name) as b:
        client.write(b.name, "kept", b"kept")
        yield client, b.name
        assert client.sh(b.name, "cat kept", timeout=120).stdout == b"kept"


def test_sixteen_at_a_time(box):
    client, name = box
    script = "seq 100 | xargs -P 16 -n 1 sh -c 'sleep 0.1; python3 -c 1' && echo all"
    assert client.sh(name, script, timeout=280).stdout == b"all\n"


def test_hundreds_of_processes_at_once(box):
    """The limit is 512."""
    client, name = box
    script = "for i in $(seq 400); do sleep 1000 & p=\"$p $!\"; done; ls /proc | grep -c '^[0-9]'; kill $p; wait"
    assert int(client.sh(name, script, timeout=280).stdout) > 400


# programs, not forks of Python: of such a fork gVisor copies 7 MB, and the memory's limit would come first
FORKS = """import os, signal
made = []
try:
    while len(made) < 2000:
        made.append(os.posix_spawnp("sleep", ["sleep", "1000"], os.environ))
except OSError as e:
    print(e.errno, 400 < len(made) <= 520)
for pid in made:
    os.kill(pid, signal.SIGKILL)
"""


def test_too_many_processes(box):
    client, name = box
    assert client.exec(name, "python3", "-c", FORKS, timeout=280).stdout == b"11 True\n"  # EAGAIN


FILES = """import errno, os
kept = []
try:
    while True:
        kept.append(os.open("/usr/bin/env", os.O_RDONLY))
except OSError as e:
    print(errno.errorcode[e.errno], len(kept) > 1000)
"""


def test_too_many_descriptors(box):
    client, name = box
    script = f"ulimit -n 20000 && python3 -c '{FILES}'"
    assert client.sh(name, script, timeout=280).stdout == b"EMFILE True\n"


@pytest.mark.parametrize("place", ["/app", "/tmp", "/dev/shm"])
def test_too_large_a_file(box, place):
    client, name = box
    disk = shutil.disk_usage("/var/tmp").used
    out = client.sh(name, f"head -c 20G /dev/zero >{place}/big; echo $?; rm -f {place}/big", timeout=280)
    assert out.stdout == b"1\n" and b"No space left on device" in out.stderr, out
    assert shutil.disk_usage("/var/tmp").used - disk < (1 << 30)


def test_full_everywhere(box):
    """All places at once are still below the sandbox's memory, and what is left is enough to work with."""
    client, name = box
    places = ["/app/big", "/tmp/big", "/dev/shm/big"]
    out = client.sh(name, "".join(f"head -c 20G /dev/zero >{p}; " for p in places) + "echo done", timeout=280)
    assert out.stdout == b"done\n"
    assert client.exec(name, "python3", "-c", "print(len(bytearray(8 << 20)))", timeout=120).stdout == b"8388608\n"
    client.exec(name, "rm", "-f", *places)


AROUND = """for fd in /proc/self/fd/*; do
  case ${fd##*/} in 0|1|2) ;; *) readlink $fd >/dev/null && echo "descriptor ${fd##*/}: $(readlink $fd)" ;; esac
done
umask
python3 - <<'EOF'
import os, resource, signal
print("nice", os.nice(0))
own = (signal.SIGPIPE, signal.SIGXFSZ)
print("ignored", sorted(s.name for s in signal.Signals if signal.getsignal(s) == signal.SIG_IGN and s not in own))
print("files", resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 1000)
print("stack", resource.getrlimit(resource.RLIMIT_STACK)[0] >> 20)
print("cpu", resource.getrlimit(resource.RLIMIT_CPU) == (resource.RLIM_INFINITY,) * 2)
print("core", resource.getrlimit(resource.RLIMIT_CORE))
EOF
echo x >/dev/shm/x && cat /dev/shm/x && rm /dev/shm/x
test -c /dev/tty && test -c /dev/null && echo devices
touch /dev/file 2>/dev/null && echo 'files in /dev'
true
"""
FOUND = b"""0022
nice 0
ignored []
files True
stack 8
cpu True
core (0, 0)
x
devices
"""


def test_what_a_command_finds_around_it(box):
    client, name = box
    out = client.sh(name, AROUND, timeout=120)
    assert out.stdout == FOUND, out


def test_the_odd_starter_is_odd(odd_stack):
    """Or the test above would prove nothing."""
    (pid,) = odd_stack.pids("reconciler")
    with open(f"/proc/{pid}/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert int(status["SigIgn"], 16) & 1 and os.readlink(f"/proc/{pid}/fd/7") == "/etc/shadow"
    assert os.getpriority(os.PRIO_PROCESS, pid) >= 7


SIGNALS = """import os
for s in range(1, 65):
    if s not in (32, 33):
        try:
            os.kill(1, s)
        except PermissionError:
            pass
"""


def test_no_signal_to_the_runtime_ends_the_sandbox(box):
    client, name = box
    assert client.exec(name, "python3", "-c", SIGNALS).status.exit_code == 0
    # one that was told to end does so before it answers the next call, or the one after
    for _ in range(20):
        assert client.sh(name, "echo alive").stdout == b"alive\n"


LOWER = """import resource
for what, value in ((resource.RLIMIT_CPU, 1), (resource.RLIMIT_NOFILE, 0), (resource.RLIMIT_AS, 1)):
    try:
        resource.prlimit(1, what, (value, value))
        print("out")
    except PermissionError:
        pass
print(resource.prlimit(0, resource.RLIMIT_NOFILE)[0] > 0)
"""


def test_nobody_lowers_the_runtimes_limits(box):
    client, name = box
    assert client.exec(name, "python3", "-c", LOWER).stdout == b"True\n"


MANY = """kept = []
while True:
    kept.append(bytearray(16 << 20))
"""


def test_too_much_memory(pool, request):
    client, name = pool
    with client.sandbox(pool=name) as b:
        client.write(b.name, "kept", b"kept")
        if "debians" in request.node.name:  # which does not survive it, and says what it was
            with pytest.raises(grpc.RpcError) as e:
                client.exec(b.name, "python3", "-c", MANY, timeout=120)
            assert "OutOfMemory" in e.value.details() and "MiB" in e.value.details()
            return
        for _ in range(2):
            out = client.exec(b.name, "python3", "-c", MANY, timeout=120)
            assert out.status.signal == 9 or b"MemoryError" in out.stderr, out
            assert client.read(b.name, "kept") == b"kept"


FAMILY = """import os, signal
for _ in range(2000):
    try:
        pid = os.fork()
    except OSError:
        break
    if pid == 0:
        kept = bytearray(4 << 20)
        signal.pause()
signal.pause()
"""


def test_too_much_memory_of_many(pool, request):
    """None of which is large: they go one by one, or together."""
    client, name = pool
    if "debians" in request.node.name:
        return  # as above
    with client.sandbox(pool=name) as b:
        client.write(b.name, "kept", b"kept")
        client.exec(b.name, "python3", "-c", FAMILY, command_timeout=30, timeout=120)
        assert client.read(b.name, "kept") == b"kept"
        assert client.sh(b.name, "echo alive", timeout=60).stdout == b"alive\n"
