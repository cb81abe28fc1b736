"""From inside a sandbox: everything that must not work does not, and the machine is unharmed."""

import os
import pathlib
import shutil

import grpc
import pytest
from harness.until import until

# Each runs as a script inside; what it prints decides. "out" would mean an escape.
ESCAPES = {
    "host files": "ls /home /root /var/lib 2>/dev/null | grep -q sandplane && echo out; test -e {marker} && echo out",
    "other sandboxes' files": "find / -xdev -name sandbox.json 2>/dev/null | grep -q . && echo out",
    "other sandboxes' processes": "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -q '[r]edis-server' && echo out",
    "the state store's socket": "find / -name 'redis*.sock' 2>/dev/null | grep -q . && echo out",
    "the network": "python3 - <<'E'\n"
    "import socket\n"
    "for a in (('127.0.0.1', {redis_port}), ('127.0.0.1', {http_port}), ('10.0.0.1', 80), ('1.1.1.1', 53)):\n"
    "    s = socket.socket(); s.settimeout(2)\n"
    "    try: s.connect(a); print('out', a)\n"
    "    except OSError: pass\n"
    "E\n",
    "interfaces": "python3 -c \"import socket; print('out') if [n for _, n in socket.if_nameindex() if n != 'lo'] else 0\"",
    "writing to the image": "for d in / /usr /usr/bin /etc /bin; do touch $d/x 2>/dev/null && echo out; done; echo >>/etc/passwd && echo out",
    "setuid": "cp /bin/sh ./s && chmod 4755 ./s; find / -xdev -perm -4000 2>/dev/null | grep -v '^/app' | grep -q . && echo out; "
    "python3 -c 'import os; os.setuid(0); print(\"out\")' 2>/dev/null",
    "mounts": "mount -t tmpfs x /mnt 2>/dev/null && echo out; mount --bind / /mnt 2>/dev/null && echo out",
    "devices": "mknod ./d b 8 0 2>/dev/null; head -c 1 ./d 2>/dev/null | grep -q . && echo out; ls /dev | grep -qE '^(sda|vda|mem|kmem|kvm)$' && echo out",
    "kernel settings": "echo 1 >/proc/sys/kernel/panic 2>/dev/null && echo out; echo b >/proc/sysrq-trigger 2>/dev/null && echo out; "
    "head -c 1 /proc/kcore >/dev/null 2>&1 && echo out; head -c1 /proc/kmsg >/dev/null 2>&1 && echo out",
    "sys secrets": "ls /sys/firmware/* 2>/dev/null | grep -q . && echo out; touch /sys/kernel/x 2>/dev/null && echo out",
    "the runtime's memory": "grep -q s3cret /proc/1/environ && echo out; cat /proc/1/mem >/dev/null 2>&1 && echo out; "
    "kill -9 1 2>/dev/null; sleep 0.2; echo still here >/dev/null",
    "the control socket": 'touch /run/sandplane/x 2>/dev/null && echo out; find / -xdev -type s 2>/dev/null | while read s; do rm -f "$s" 2>/dev/null && echo out; done',
    "new namespaces with power": "unshare -Urm sh -c 'mount -t tmpfs x /mnt && ls /root' 2>/dev/null | grep -q . && echo out",
    "ptrace": "python3 -c \"import ctypes; r = ctypes.CDLL(None).ptrace(16, 1, 0, 0); print('out') if r == 0 else 0\"",
}


@pytest.fixture(scope="module", params=["gvisor", "process"])
def box(request, client, process_pool):
    kw = {} if request.param == "gvisor" else {"pool": process_pool}
    with client.sandbox(env={"TOKEN": "s3cret"}, **kw) as b:
        assert b.runtime_class == request.param
        yield b.name


@pytest.mark.parametrize("what", ESCAPES)
def test_refused(client, box, stack, what):
    marker = pathlib.Path(stack.data) / "marker"
    marker.write_text("host")
    script = ESCAPES[what].replace("{marker}", str(marker))
    script = script.replace("{redis_port}", "6379").replace("{http_port}", str(stack.http_port))
    out = client.sh(box, script, command_timeout=60)
    assert b"out" not in out.stdout, out.stdout
    assert not out.status.timed_out
    assert client.sh(box, "echo alive").stdout == b"alive\n"


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
