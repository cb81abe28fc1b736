"""sandctl against a real stack: what it prints, its exit codes, and a terminal."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from harness.client import NS, POOL
from harness.until import until

POOL_NAME = POOL.rsplit("/", 1)[1]
HELLO = b"Hello from the sandboxed environment!\n"


@pytest.fixture(scope="module")
def box(stack, client):
    out = stack.sandctl(
        "create", "--pool", POOL_NAME, "--label", "suite=cli", "--env", "GREETING=hi", "--output", "name"
    )
    assert out.returncode == 0, out.stderr
    name = out.stdout.decode().strip()
    yield name.rsplit("/", 1)[1]
    client.delete(name)


def test_exec_hands_on_everything(stack, box):
    out = stack.sandctl("exec", box, "--", "echo", HELLO.decode().strip())
    assert (out.returncode, out.stdout, out.stderr) == (0, HELLO, b"")
    out = stack.sandctl("exec", box, "--env", "X=1", "--", "sh", "-c", "echo $GREETING$X; echo no >&2; exit 7")
    assert (out.returncode, out.stdout, out.stderr) == (7, b"hi1\n", b"no\n")
    assert stack.sandctl("exec", box, "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert stack.sandctl("exec", "--limit", "0.5s", box, "--", "sleep", "60").returncode == 124


def test_exec_stdin(stack, box):
    data = os.urandom(3 << 20)
    assert stack.sandctl("exec", "-i", box, "--", "cat", input=data).stdout == data
    # without -i there is none, and the command sees its end at once
    assert stack.sandctl("exec", box, "--", "cat", input=b"unseen").stdout == b""
    with open("/etc/services", "rb") as f:
        out = stack.sandctl("exec", "-i", box, "--", "wc", "-c", stdin=f)
    assert int(out.stdout) == os.path.getsize("/etc/services")


@pytest.mark.parametrize("options,ends", [(["-i"], (b"caught\n", 5)), ([], (b"", 130))], ids=["open input", "no input"])
def test_interrupt(stack, box, options, ends):
    """The command gets it while something can be sent to it; else the call is cancelled, which kills it."""
    script = "trap 'echo caught; exit 5' INT; echo up; while :; do sleep 0.1; done"
    command = [f"{stack.data}/bin/sandctl", "exec", *options, box, "--", "sh", "-c", script]
    with subprocess.Popen(command, env=stack.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"up\n"
        run.send_signal(signal.SIGINT)
        try:
            assert run.wait(10) == ends[1]
        finally:
            run.kill()
        assert run.stdout.read() == ends[0]
    assert stack.sandctl("exec", box, "--", "pgrep", "-f", "echo caught", timeout=10).returncode == 1


def read_until(fd, word, timeout=20):
    seen, end = b"", time.monotonic() + timeout
    while word not in seen:
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        assert ready, seen
        try:
            seen += os.read(fd, 4096)
        except OSError:  # the terminal's other end is closed
            raise AssertionError(f"ended without {word!r}: {seen!r}") from None


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_terminal(stack, client, box, shell):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(f"{stack.data}/bin/sandctl", ["sandctl", "exec", "-it", box, "--", shell], stack.env)
    os.write(fd, b"test -t 0 && echo is-a-$((1))-terminal\n")
    read_until(fd, b"is-a-1-terminal")
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    os.write(fd, b"until stty size | grep -qx '33 101'; do sleep 0.05; done; echo sized-$((3))\n")
    read_until(fd, b"sized-3")
    os.write(fd, b"sleep 100\n")
    asleep = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f 2>/dev/null | grep -qx 'sleep 100 ' && echo yes; done"
    until(lambda: b"yes" in client.sh(f"{NS}/sandboxes/{box}", asleep).stdout, what="the shell has started it")
    os.write(fd, b"\x03")  # ends the sleep, not the shell
    os.write(fd, b"echo still-$((2))-here; exit 9\n")
    read_until(fd, b"still-2-here")
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    assert os.waitstatus_to_exitcode(status) == 9


def test_copy(stack, box, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(5 << 20))
    source.chmod(0o750)
    assert stack.sandctl("cp", str(source), f"{box}:dir/").returncode == 0
    assert stack.sandctl("cp", f"{box}:dir/source", str(back)).returncode == 0
    assert back.read_bytes() == source.read_bytes() and back.stat().st_mode & 0o777 == 0o750
    assert stack.sandctl("cp", f"{box}:dir/source", "-").stdout == source.read_bytes()
    assert stack.sandctl("cp", "-", f"{box}:piped", input=b"abc").returncode == 0
    assert b"piped" in stack.sandctl("ls", box).stdout
    assert stack.sandctl("rm", "-r", f"{box}:dir", f"{box}:piped").returncode == 0
    missing = stack.sandctl("cp", f"{box}:dir/source", str(tmp_path / "none"))
    assert missing.returncode == 1 and not list(tmp_path.glob("none*"))
    assert stack.sandctl("cp", f"{box}:../../etc/passwd", "-").returncode == 1


def test_output_formats(stack, box):
    row = next(
        line for line in stack.sandctl("list", "--selector", "suite=cli").stdout.decode().splitlines() if box in line
    )
    assert "CLAIMED" in row and "suite=cli" in row
    shown = json.loads(stack.sandctl("get", box, "--output", "json").stdout)
    assert shown["name"].endswith(box) and shown["labels"] == {"suite": "cli"} and shown["runtimeClass"] == "gvisor"
    assert stack.sandctl("get", box, "-o", "name").stdout.decode().strip() == shown["name"]
    assert POOL_NAME in stack.sandctl("pools", "list").stdout.decode()
    assert b"gvisor" in stack.sandctl("templates", "list").stdout
    assert b"python-runtime:dev" in stack.sandctl("image", "list").stdout
    assert b"claimed" in stack.sandctl("logs", box).stdout.lower()


def test_apply_is_all_or_nothing(stack):
    good = "apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxWarmPool\nmetadata: {name: from-cli}\n"
    good += "spec: {replicas: 0, sandboxTemplateRef: {name: python-runtime-template}}\n"
    bad = stack.sandctl("apply", "-f", "-", input=(good + "---\n" + good.replace("SandboxWarmPool", "Pod")).encode())
    assert bad.returncode == 1 and b"line 6" in bad.stderr and b"kind" in bad.stderr
    assert stack.sandctl("pools", "get", "from-cli").returncode == 1
    assert stack.sandctl("apply", "-f", "-", input=good.encode()).returncode == 0
    assert stack.sandctl("pools", "delete", "from-cli").returncode == 0


PRINTED = """
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: theirs, uid: "1"}
- apiVersion: extensions.agents.x-k8s.io/v1beta1
  kind: SandboxWarmPool
  metadata:
    annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
    creationTimestamp: "2026-11-30T00:00:00Z"
    generation: 3
    managedFields: [{manager: kubectl, operation: Update, fieldsV1: {"f:spec": {}}}]
    name: printed
    namespace: default
    resourceVersion: "42"
    uid: 0b9ff1d2-1111-2222-3333-444444444444
  spec: {replicas: 1, sandboxTemplateRef: {name: printed}, updateStrategy: {type: OnReplenish}}
  status: {replicas: 1, readyReplicas: 1}
- apiVersion: extensions.agents.x-k8s.io/v1beta1
  kind: SandboxTemplate
  metadata: {name: printed, namespace: default, uid: "2", creationTimestamp: "2026-11-30T00:00:00Z"}
  spec:
    podTemplate:
      metadata: {creationTimestamp: null}
      spec:
        containers:
        - name: main
          image: python-runtime:dev
          resources: {}
          env:
          - {name: PEM, value: "-----BEGIN X-----\\nabc==\\n-----END X-----\\n"}
          - {name: REF, value: "$(PEM) and $$(PEM) and $(NOPE)"}
  status: {}
"""


def test_apply_takes_what_kubectl_prints(stack):
    out = stack.sandctl("apply", "-f", "-", input=PRINTED.encode())
    assert (out.returncode, out.stdout) == (0, b"template/printed configured\npool/printed configured\n"), out
    assert b'skipped ConfigMap "theirs" (v1)' in out.stderr
    try:
        made = stack.sandctl("create", "--pool", "printed", "--output", "name").stdout.decode().strip()
        says = "import os; print(repr(os.environ['REF']))"
        pem = "-----BEGIN X-----\\n" + "abc==\\n-----END X-----\\n"
        shown = stack.sandctl("exec", made, "--", "python3", "-c", says).stdout.decode().strip()
        assert shown == f"'{pem} and $(PEM) and $(NOPE)'"
        assert stack.sandctl("delete", made).returncode == 0
    finally:
        assert stack.sandctl("pools", "delete", "printed").returncode == 0
        assert stack.sandctl("templates", "delete", "printed").returncode == 0


OURS = "extensions.agents.x-k8s.io/v1beta1"
REF = "sandboxTemplateRef: {name: python-runtime-template}"


@pytest.mark.parametrize(
    "api,kind,spec,says",
    [
        ("agents.x-k8s.io/v1alpha1", "SandboxWarmPool", f"{{{REF}}}", ("apiVersion", OURS)),
        ("extensions.agents.x-k8s.io/v1", "SandboxWarmPool", f"{{{REF}}}", ("apiVersion", OURS)),
        (OURS, "SandboxWarmpool", f"{{{REF}}}", ("kind", "SandboxWarmpool")),
        (OURS, "SandboxClaim", f"{{{REF}}}", ("kind", "SandboxClaim", "create")),
        (OURS, "SandboxWarmPool", "{templateRef: {name: x}}", ("spec.templateRef", "sandboxTemplateRef")),
        (OURS, "SandboxWarmPool", f"{{{REF}, minSize: 2}}", ("spec.minSize",)),
        (OURS, "SandboxWarmPool", f'{{{REF}, replicas: "3"}}', ("spec.replicas",)),
        (OURS, "SandboxWarmPool", f"{{{REF}, replicas: 2147483647}}", ("spec.replicas",)),
        (OURS, "SandboxTemplate", "{template: {spec: {}}}", ("spec.template", "podTemplate")),
        (OURS, "SandboxTemplate", "{runtimeClassName: gvisor}", ("spec.runtimeClassName",)),
        ("apps/v1", "Deployment", "{}", ("no SandboxTemplate",)),
    ],
)
def test_manifests_from_bad_advice(stack, api, kind, spec, says):
    """Refused by the field or the group, and with a good one beside them nothing is applied."""
    bad = f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: bad-advice}}\nspec: {spec}\n"
    out = stack.sandctl("apply", "-f", "-", input=bad.encode())
    assert out.returncode == 1 and all(word in out.stderr.decode() for word in says), out
    good = f"apiVersion: {OURS}\nkind: SandboxWarmPool\nmetadata: {{name: beside}}\nspec: {{replicas: 0, {REF}}}\n"
    if kind != "Deployment":
        assert stack.sandctl("apply", "-f", "-", input=f"{good}---\n{bad}".encode()).returncode == 1
        assert stack.sandctl("pools", "get", "beside").returncode == 1
    assert stack.sandctl("pools", "get", "bad-advice").returncode == 1


@pytest.mark.parametrize(
    "args,code,says",
    [
        (["nope"], 2, "nope"),
        (["create"], 2, "--pool"),
        (["create", "--pool", "p", "--ttl", "soon"], 2, "--ttl"),
        (["create", "--pool", "p", "--env", "novalue"], 2, "--env"),
        (["create", "--pool", "unknown"], 1, "unknown"),
        (["create", "--pool", POOL_NAME, "--ttl", "10000h"], 1, "ttl"),
        (["get", "no-such"], 1, "no-such"),
        (["get", "Bad_Name"], 1, "name"),
        (["exec", "x"], 2, "COMMAND"),
        (["exec", "x", "ls", "-l"], 2, "--"),
        (["cp", "a", "b"], 2, "NAME:PATH"),
        (["image", "import", "/no/such/file"], 1, "/no/such/file"),
        (["list", "--output", "xml"], 2, "xml"),
        (["list", "--server", "127.0.0.1:1"], 1, "127.0.0.1:1"),
    ],
)
def test_refusals_are_one_clear_line(stack, args, code, says):
    out = stack.sandctl(*args)
    assert out.returncode == code, out
    assert out.stderr.count(b"\n") == 1 and out.stderr.startswith(b"sandctl: ") and says in out.stderr.decode()


def test_help_and_completion(stack):
    assert b"create" in stack.sandctl("--help").stdout
    assert b"--idle-timeout" in stack.sandctl("create", "--help").stdout
    assert stack.sandctl("--version").stdout.startswith(b"sandctl ")
    script = stack.sandctl("completion", "bash").stdout.decode()
    ask = script + "\nCOMP_WORDS=(sandctl pools ''); COMP_CWORD=2; _sandctl; echo ${COMPREPLY[@]}"
    out = subprocess.run(["bash", "-c", ask], check=True, text=True, capture_output=True).stdout.split()
    assert out == ["list", "get", "scale", "delete"]
