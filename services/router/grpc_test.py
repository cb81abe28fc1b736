"""The gRPC listener in front of a real runtime and of a real claims service."""

import http.client
import json
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, ".")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "testing"))
from api.sandplane.internal.v1.router_pb2 import BindSandboxRequest
from api.sandplane.v1.quota_service_pb2 import ApplyQuotaRequest, Quota
from api.sandplane.v1.sandbox_pb2 import (
    Command,
    CreateSandboxRequest,
    DeleteSandboxRequest,
    ExecRequest,
    ExecStreamRequest,
    GetSandboxRequest,
    ListFilesRequest,
    ListSandboxesRequest,
    ReadFileRequest,
    RemoveFileRequest,
    StatRequest,
    WatchSandboxesRequest,
    WatchSandboxesResponse,
    WriteFileRequest,
)
from harness import Call, Stack, StackTest, exec_request, free_ports, name_of, until

PARENT = "namespaces/default"


def stream_start(box, *args):
    return ExecStreamRequest(start=ExecStreamRequest.Start(name=name_of(box), command=Command(args=args)))


def create_request(box, **more):
    """Of the pool that box is of."""
    return CreateSandboxRequest(parent=PARENT, pool=f"{PARENT}/pools/{box.rsplit('-', 1)[0]}", **more)


class BoxTest(StackTest):
    """Of calls into self.box."""

    def write_and_read(self, home):
        """8 MiB into dir/file and out again; home: where its workspace is on this machine."""
        start = WriteFileRequest(start=WriteFileRequest.Start(name=name_of(self.box), path="dir/file"))
        block = os.urandom(1 << 20)
        _, status = self.stack.call("WriteFile", start, *[WriteFileRequest(data=block)] * 8)
        self.assertEqual(status[0], "OK", status)
        with open(f"{home}/dir/file", "rb") as f:
            self.assertEqual(f.read(), block * 8)
        ask = ReadFileRequest(name=name_of(self.box), path="dir/file")
        answers, status = self.stack.call("ReadFile", ask)
        self.assertEqual(status[0], "OK", status)
        self.assertEqual(b"".join(a.data for a in answers), block * 8)


class DataTest(BoxTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.runtime, cls.route, cls.home = cls.stack.runtime()
        cls.box = cls.stack.sandbox(cls.route, GREETING="hello")

    def assert_status(self, got, code, field=None, text=None):
        self.assertEqual(got[1][0], code, got)
        if field:
            self.assertEqual(got[1][1], field, got)
        if text:
            self.assertIn(text, got[1][3])


class Calls(DataTest):
    def test_exec_with_the_claims_env(self):
        answers, status = self.stack.call(
            "Exec", exec_request(self.box, "sh", "-c", "echo $GREETING; echo err >&2; exit 3")
        )
        self.assertEqual(status[0], "OK", status)
        out = answers[0]
        self.assertEqual((out.stdout, out.stderr), (b"hello\n", b"err\n"))
        self.assertEqual(out.status.exit_code, 3)

    def test_statuses_pass_unchanged(self):
        self.assert_status(self.stack.call("Exec", exec_request(self.box, "no-such-program")), "NOT_FOUND")
        got = self.stack.call("Exec", ExecRequest(name=name_of(self.box)))
        self.assert_status(got, "INVALID_ARGUMENT")
        self.assertIn("command", got[1][1])

    def test_files(self):
        self.write_and_read(self.home)
        ask = StatRequest(name=name_of(self.box), path="dir/file")
        answers, _ = self.stack.call("Stat", ask)
        self.assertEqual(answers[0].size_bytes, 8 << 20)
        answers, _ = self.stack.call("ListFiles", ListFilesRequest(name=name_of(self.box), path="dir"))
        self.assertEqual([f.path for f in answers[0].files], ["dir/file"])
        remove = RemoveFileRequest(name=name_of(self.box), path="dir/file")
        self.assertEqual(self.stack.call("RemoveFile", remove)[1][0], "OK")
        self.assert_status(self.stack.call("Stat", ask), "NOT_FOUND")

    def test_stream(self):
        c = Call(self.stack, "ExecStream")
        c.send(stream_start(self.box, "cat"))
        self.assertTrue(c.receive().HasField("started"))
        for text in (b"one", b"two"):
            c.send(ExecStreamRequest(stdin=text))
            self.assertEqual(c.receive().stdout, text)
        answers, status = c.finish()
        self.assertEqual(status[0], "OK", status)
        self.assertTrue(answers[-1].HasField("exit"))

    def test_names(self):
        for name in (
            "",
            "x",
            "namespaces/default/pools/p",
            "namespaces/Default/sandboxes/a-aaaaa",
            "namespaces/default/sandboxes/",
        ):
            self.assert_status(
                self.stack.call("Exec", ExecRequest(name=name, command=Command(args=["true"]))),
                "INVALID_ARGUMENT",
                "name",
            )
        self.assert_status(self.stack.call("Exec", b"\x0a\x01\xff"), "INVALID_ARGUMENT", "name")
        self.assert_status(self.stack.call("Exec", b"\x0a\xff"), "INVALID_ARGUMENT")
        self.assert_status(self.stack.call("Exec", b""), "INVALID_ARGUMENT", "name")
        self.assert_status(self.stack.call("ExecStream"), "INVALID_ARGUMENT", "start")
        self.assert_status(
            self.stack.call("ExecStream", ExecStreamRequest(stdin=b"stdin")), "INVALID_ARGUMENT", "start"
        )
        start = WriteFileRequest(start=WriteFileRequest.Start(name="x"))
        self.assert_status(self.stack.call("WriteFile", start), "INVALID_ARGUMENT", "start.name")

    def test_sandboxes_that_cannot_be_reached(self):
        for box in ("nobody-aaaaa", "nosuffix"):
            self.assert_status(self.stack.call("Exec", exec_request(box, "true")), "NOT_FOUND", text=box)
        ready = self.stack.sandbox(self.route, claim=False)
        self.assert_status(
            self.stack.call("Exec", exec_request(ready, "true")), "FAILED_PRECONDITION", text="not claimed"
        )
        released, failed = self.stack.sandbox(self.route), self.stack.sandbox(self.route)
        self.stack.seed("release", "default", released)
        self.assert_status(self.stack.call("Exec", exec_request(released, "true")), "FAILED_PRECONDITION")
        self.stack.seed("fail", "default", failed, "OutOfMemory", "used 2 GiB")
        got = self.stack.call("Exec", exec_request(failed, "true"))
        self.assert_status(got, "FAILED_PRECONDITION", text="OutOfMemory: used 2 GiB")

    def test_runtime_refuses_a_second_claim(self):
        self.assertEqual(self.stack.call("Exec", exec_request(self.box, "true"))[1][0], "OK")
        other = self.stack.sandbox(self.route)
        self.assert_status(self.stack.call("Exec", exec_request(other, "true")), "PERMISSION_DENIED")


class Pods(BoxTest):
    """A sandbox at a Pod's address. Port 8888 is free: the test has a network of its own."""

    flags = ["--allow-loopback-pod-ip=true"]

    def setUp(self):
        self.box = self.stack.sandbox("pod:127.0.0.1", GREETING="hello")

    def pod(self, name):
        p, home = self.stack.pod(name)
        self.addCleanup(lambda: (p.terminate(), p.wait(60)))
        return home

    def serve(self, answer):
        """Somebody else's server on that port: answer(connection), and then holds it."""
        server = socket.create_server(("127.0.0.1", 8888))
        held = []

        def run():
            while True:
                try:
                    held.append(server.accept()[0])
                    answer(held[-1])
                except OSError:
                    return

        thread = threading.Thread(target=run)
        thread.start()
        # close() alone does not wake accept()
        self.addCleanup(
            lambda: (server.shutdown(socket.SHUT_RDWR), thread.join(20), server.close(), [s.close() for s in held])
        )

    def exec(self, *args, **kwargs):
        answers, status = self.stack.call("Exec", exec_request(self.box, *args), timeout_ms=60000, **kwargs)
        return answers[0].stdout if answers else None, status

    def test_calls(self):
        home = self.pod(self.box)
        self.assertEqual(self.exec("sh", "-c", "echo $GREETING")[0], b"hello\n")
        self.write_and_read(home)
        self.assertEqual(self.stack.call("Stat", StatRequest(name=name_of(self.box), path="none"))[1][0], "NOT_FOUND")

    def test_stream(self):
        self.pod(self.box)
        c = Call(self.stack, "ExecStream")
        c.send(stream_start(self.box, "cat"))
        self.assertTrue(c.receive().HasField("started"))
        for text in (b"one", b"two"):
            c.send(ExecStreamRequest(stdin=text))
            self.assertEqual(c.receive().stdout, text)
        answers, status = c.finish()
        self.assertEqual(status[0], "OK", status)

    def test_an_address_that_is_anothers_by_now(self):
        """The claim's Pod is gone, a new member has its address: nothing runs there, and it is not bound."""
        other = self.stack.sandbox("pod:127.0.0.1", GREETING="other")
        home = self.pod(other)
        _, status = self.exec("touch", "stolen")
        self.assertEqual(status[0], "FAILED_PRECONDITION", status)
        self.assertIn("not called so", status[3])
        self.assertEqual(os.listdir(home), [])
        self.stack.seed("fail", "default", self.box, "PodLost", "gone")
        self.assertEqual(self.exec("touch", "stolen")[1][0], "FAILED_PRECONDITION")
        self.box = other
        self.assertEqual(self.exec("sh", "-c", "echo $GREETING")[0], b"other\n")

    def test_images_without_a_runtime(self):
        self.assertIn("its image must have", self.exec("true")[1][3])  # nothing listens
        answers = (lambda s: s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), lambda s: s.close(), lambda s: None)
        for answer in answers:
            self.serve(answer)
            _, status = self.exec("true")
            self.assertEqual(status[0], "FAILED_PRECONDITION", status)
            self.assertIn("its image must have", status[3])
            self.doCleanups()

    def test_nothing_is_believed_before_it_accepts(self):
        self.serve(lambda s: s.sendall(b"\0\0\0\0\0\3\0\0\0\0"))
        self.assertEqual(self.exec("true")[1][0], "FAILED_PRECONDITION")

    def test_an_object_nobody_claimed(self):
        self.stack.seed("address", "default", "hand-made", "pod:127.0.0.1")
        self.box = "hand-made"
        self.assertIn("not claimed", self.exec("true")[1][3])

    # ---- bound before anybody is told, and before HTTP ----

    def claimed(self, **env):
        """A claimed sandbox at the Pod's address: its name and its claim's uid."""
        name = self.stack.sandbox("pod:127.0.0.1", claim=False)
        pairs = [f"{k}={v}" for k, v in env.items()]
        return name, self.stack.seed("claim", "default", name.rsplit("-", 1)[0], "0", *pairs).split()[1]

    def bind(self, box, uid="", ns="default"):
        request = BindSandboxRequest(namespace=ns, sandbox=box, claim_uid=uid)
        return self.stack.call("BindSandbox", request, service="sandplane.internal.v1.RouterService")[1]

    def execute(self, line, port=None):
        """By HTTP: straight to the Pod, or through the router."""
        connection = http.client.HTTPConnection("127.0.0.1", port or 8888, timeout=60)
        body = json.dumps({"command": line})
        connection.request("POST", "/execute", body, {"Content-Type": "application/json", "X-Sandbox-ID": self.box})
        answer = connection.getresponse()
        got = json.loads(answer.read())
        connection.close()
        return answer.status, got.get("stdout", got)

    def test_bind(self):
        self.box, uid = self.claimed(GREETING="hello")
        self.pod(self.box)
        self.assertEqual(self.execute("printenv GREETING")[1], "")
        self.assertEqual(self.bind(self.box)[0], "OK")  # asks only
        self.assertEqual(self.execute("printenv GREETING")[1], "")
        for _ in range(2):
            self.assertEqual(self.bind(self.box, uid)[0], "OK")
            self.assertEqual(self.execute("printenv GREETING")[1], "hello\n")

    def test_bind_is_refused(self):
        self.assertEqual(self.bind("nobody-aaaaa")[0], "NOT_FOUND")
        self.assertEqual(self.bind("nosuffix")[0], "NOT_FOUND")
        self.assertEqual(self.bind(self.box, ns="No Namespace")[:2], ("INVALID_ARGUMENT", "namespace"))
        first, uid = self.claimed(GREETING="first")
        self.assertEqual(self.bind(first, uid)[0], "UNAVAILABLE")  # nothing listens
        self.box = first
        self.pod(first)
        self.assertEqual(self.bind(first, "f" * 32)[0], "NOT_FOUND")
        self.assertEqual(self.execute("printenv GREETING")[1], "")
        self.assertEqual(self.bind(first, uid)[0], "OK")
        # another's by now: the address, and then the whole sandbox
        second, other = self.claimed(GREETING="second")
        status = self.bind(second, other)
        self.assertEqual(status[0], "FAILED_PRECONDITION", status)
        self.stack.seed("release", "default", first)
        self.assertEqual(self.bind(first, uid)[0], "NOT_FOUND")
        self.assertEqual(self.bind(first)[0], "NOT_FOUND")
        self.assertEqual(self.execute("printenv GREETING")[1], "first\n")

    def test_bind_that_serves_another_claim(self):
        """The record of the claim it is bound to is lost, and another claim has it by its name."""
        self.box, uid = self.claimed(GREETING="hello")
        self.pod(self.box)
        self.assertEqual(self.bind(self.box, uid)[0], "OK")
        name, pool = self.box, self.box.rsplit("-", 1)[0]
        self.stack.seed("release", "default", name)
        self.stack.seed("gone", "default", name)
        self.stack.seed("make", "default", name, "pod:127.0.0.1")
        second = self.stack.seed("claim", "default", pool, "0", "GREETING=other").split()
        self.assertEqual(second[0], name)
        self.assertEqual(self.bind(name, second[1])[0], "PERMISSION_DENIED")
        self.assertEqual(self.execute("printenv GREETING")[1], "hello\n")
        status, body = self.execute("printenv GREETING", self.stack.http)
        self.assertEqual((status, body["reason"]), (502, "refused"))

    def test_values_go_to_no_stranger(self):
        self.box, uid = self.claimed(GREETING="a-value-of-the-claim")
        heard = []
        for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\3\0\0\0\0", b""):

            def hear(s, answer=answer):
                heard.append(s.recv(65536))
                s.sendall(answer)
                s.close()

            self.serve(hear)
            status = self.bind(self.box, uid)
            self.assertEqual(status[0], "FAILED_PRECONDITION", status)
            self.doCleanups()
        self.assertEqual(len(heard), 3)
        for said in heard:
            self.assertIn(uid.encode(), said)
            self.assertNotIn(b"a-value-of-the-claim", said)
        self.assertNotIn("a-value-of-the-claim", self.stack.log())

    def test_http_comes_bound(self):
        """Also to a container that was started again after it was bound."""
        self.box, _ = self.claimed(GREETING="hello")
        for _ in range(2):
            process, _ = self.stack.pod(self.box)
            self.assertEqual(self.execute("printenv GREETING", self.stack.http), (200, "hello\n"))
            process.terminate()
            process.wait(60)

    def test_http_to_an_image_without_a_runtime(self):
        """It has nowhere to put the values, and is reached."""

        def serve(s):
            said = s.recv(65536)
            s.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
                if said.startswith(b"POST")
                else b"HTTP/1.1 400 Bad Request\r\n\r\n"
            )

        self.box, _ = self.claimed(GREETING="hello")
        self.serve(serve)
        self.assertEqual(self.execute("true", self.stack.http), (200, {}))


class Ends(DataTest):
    def gauge(self):
        return self.stack.metric("sandplane_router_sandbox_calls")

    def running(self, mark):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if mark in f.read().split(b"\0"):
                        return True
            except OSError:
                pass
        return False

    def test_client_that_leaves(self):
        c = Call(self.stack, "Exec")
        c.send(exec_request(self.box, "sleep", "98.5"))
        c.half_close()
        until(lambda: self.running(b"98.5"), "command runs")
        c.kill()
        until(lambda: not self.running(b"98.5"), "command killed")
        until(lambda: self.gauge() == 0, "call over")

    def test_deadline(self):
        started = f"{self.home}/started"
        ask = exec_request(self.box, "sh", "-c", "echo >started; exec sleep 97.5")
        # on a busy machine the command may need longer to start; it is one that runs that must end
        for timeout_ms in (500, 2000, 8000, 32000):
            self.assert_status(self.stack.call("Exec", ask, timeout_ms=timeout_ms), "DEADLINE_EXCEEDED")
            if os.path.exists(started):
                break
        self.assertTrue(os.path.exists(started))
        until(lambda: not self.running(b"97.5"), "command killed")
        until(lambda: self.gauge() == 0, "call over")

    def test_client_that_does_not_read(self):
        for name, mib in (("large", 128), ("other", 64)):
            with open(f"{self.home}/{name}", "wb") as f:
                f.truncate(mib << 20)
        with open(f"/proc/{self.stack.router.pid}/statm") as f:
            before = int(f.read().split()[1])
        # without deadlines: how fast a busy machine copies is not the question
        c = Call(self.stack, "ReadFile", 0)
        c.send(ReadFileRequest(name=name_of(self.box), path="large"))
        c.half_close()
        # its output stands still in the pipe, so it reads no more: what the router holds must stay bounded
        c.receive()
        # by the time another client has got more than would be too much, so could this one
        answers, status = self.stack.call(
            "ReadFile", ReadFileRequest(name=name_of(self.box), path="other"), timeout_ms=0
        )
        self.assertEqual(status[0], "OK", status)
        self.assertEqual(sum(len(a.data) for a in answers), 64 << 20)
        with open(f"/proc/{self.stack.router.pid}/statm") as f:
            self.assertLess((int(f.read().split()[1]) - before) * 4096, 16 << 20)
        answers, status = c.finish()
        self.assertEqual(status[0], "OK", status)
        self.assertEqual(sum(len(a.data) for a in answers), 128 << 20)

    def test_sandbox_that_dies(self):
        for fail in (True, False):
            process, route, _ = self.stack.runtime()
            box = self.stack.sandbox(route)
            c = Call(self.stack, "ExecStream")
            c.send(stream_start(box, "sleep", "60"))
            c.receive()
            process.send_signal(signal.SIGKILL)
            process.wait()
            if fail:
                self.stack.seed("fail", "default", box, "OutOfMemory", "used 2 GiB")
            self.assert_status(c.finish(), "UNAVAILABLE", text="OutOfMemory: used 2 GiB" if fail else "does not answer")

    def test_dead_socket(self):
        box = self.stack.sandbox(f"unix:{self.stack.dir}/nothing")
        got = self.stack.call("Exec", exec_request(box, "true"))
        self.assert_status(got, "UNAVAILABLE", text="does not answer")
        self.assertGreater(got[1][2], 0)

    def test_activity(self):
        idle = self.stack.sandbox(self.stack.runtime()[1], idle_ms=60000)
        plain = self.stack.sandbox(self.stack.runtime()[1])

        def active(box):
            return int(self.stack.seed("active", "default", box))

        first = {box: active(box) for box in (idle, plain)}

        def used():
            for box in (plain, idle):
                self.assertEqual(self.stack.call("Exec", exec_request(box, "true"))[1][0], "OK")
            return active(idle) > first[idle]

        until(used, "noted, which is done once a second at most")
        self.assertEqual(active(plain), first[plain])


class Forwarding(unittest.TestCase):
    """Lifecycle calls, with a real claims service behind the router and nothing behind the other methods."""

    @classmethod
    def setUpClass(cls):
        cls.claims_port, admin = free_ports(2)
        cls.stack = Stack(f"--claims=127.0.0.1:{cls.claims_port}", "--pools=127.0.0.1:1", "--reconciler=127.0.0.1:1")
        cls.addClassCleanup(cls.stack.stop)
        argv = [
            f"--grpc-address=127.0.0.1:{cls.claims_port}",
            f"--admin-address=127.0.0.1:{admin}",
            f"--redis-address={cls.stack.redis}",
        ]
        cls.claims = cls.stack.start("services/claims/sandplane-claims", *argv)
        ask = ListSandboxesRequest(parent=PARENT)
        until(lambda: cls.stack.call("ListSandboxes", ask)[1][0] == "OK", "claims", needs=[cls.claims])

    def test_life_of_a_sandbox(self):
        _, route, _ = self.stack.runtime()
        box = self.stack.sandbox(route, claim=False)
        watch = Call(self.stack, "WatchSandboxes", 0)
        watch.send(WatchSandboxesRequest(parent=PARENT))
        while watch.receive().type != WatchSandboxesResponse.SYNCED:
            pass
        answers, status = self.stack.call("CreateSandbox", create_request(box))
        self.assertEqual(status[0], "OK", status)
        self.assertEqual(answers[0].name, name_of(box))
        answers, status = self.stack.call("Exec", exec_request(box, "echo", "hi"))
        self.assertEqual(answers[0].stdout, b"hi\n")
        self.assertEqual(watch.receive().sandbox.name, name_of(box))
        self.assertEqual(self.stack.call("DeleteSandbox", DeleteSandboxRequest(name=name_of(box)))[1][0], "OK")
        got = self.stack.call("Exec", exec_request(box, "echo", "hi"))
        self.assertEqual(got[1][0], "FAILED_PRECONDITION", got)
        watch.kill()

    def test_details_pass_unchanged(self):
        got = self.stack.call("GetSandbox", GetSandboxRequest(name="nonsense"))
        self.assertEqual(got[1][:2], ("INVALID_ARGUMENT", "name"), got)
        got = self.stack.call("GetSandbox", GetSandboxRequest(name=name_of("nobody-aaaaa")))
        self.assertEqual(got[1][0], "NOT_FOUND", got)
        _, route, _ = self.stack.runtime()
        box = self.stack.sandbox(route)
        got = self.stack.call("CreateSandbox", create_request(box, max_wait={}))
        self.assertEqual(got[1][0], "RESOURCE_EXHAUSTED", got)
        self.assertGreater(got[1][2], 0)

    def test_deadline_goes_along(self):
        _, route, _ = self.stack.runtime()
        box = self.stack.sandbox(route)
        got = self.stack.call("CreateSandbox", create_request(box), timeout_ms=300)
        self.assertEqual(got[1][0], "DEADLINE_EXCEEDED", got)

    def test_nothing_behind(self):
        for service, method in (
            ("ImageService", "ListImages"),
            ("PoolService", "ListPools"),
            ("TemplateService", "Any"),
        ):
            got = self.stack.call(method, b"", service=f"sandplane.v1.{service}")
            self.assertEqual(got[1][0], "UNAVAILABLE", got)
            self.assertGreater(got[1][2], 0)
        got = self.stack.call("X", b"", service="sandplane.v1.NoService")
        self.assertEqual(got[1][0], "UNIMPLEMENTED", got)


class Replicas(unittest.TestCase):
    """Two claims services behind a router under load, killed and restarted in turn."""

    CALLERS = 4

    def setUp(self):
        port, *admins = free_ports(3)
        fd, path = tempfile.mkstemp(dir="/tmp")
        os.close(fd)
        os.unlink(path)
        # either kind of address
        self.replicas = list(zip([f"127.0.0.1:{port}", f"unix:{path}"], admins, strict=True))
        claims = ",".join(address for address, _ in self.replicas)
        self.stack = Stack(f"--claims={claims}", "--pools=127.0.0.1:1", "--reconciler=127.0.0.1:1")
        self.addCleanup(self.stack.stop)
        self.programs = [self.start(i) for i in range(2)]
        self.ended, self.statuses, self.lock = threading.Event(), [], threading.Lock()
        callers = [threading.Thread(target=self.call) for _ in range(self.CALLERS)]
        for caller in callers:
            self.addCleanup(caller.join)
        self.addCleanup(self.ended.set)
        for i in range(2):
            self.until_it_answers(i)
        for caller in callers:
            caller.start()

    def start(self, i):
        address, admin = self.replicas[i]
        return self.stack.start(
            "services/claims/sandplane-claims",
            f"--grpc-address={address}",
            f"--admin-address=127.0.0.1:{admin}",
            f"--redis-address={self.stack.redis}",
        )

    def list(self):
        return self.stack.call("ListSandboxes", ListSandboxesRequest(parent=PARENT))[1]

    def call(self):
        while not self.ended.is_set():
            status = self.list()
            with self.lock:
                self.statuses.append(status)

    def until_it_answers(self, i):
        """Calls that came through the router: nobody else asks it."""

        def answers():
            self.list()
            connection = http.client.HTTPConnection("127.0.0.1", self.replicas[i][1], timeout=60)
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            connection.close()
            return re.search(r"^sandplane_rpc_duration_seconds_count\{.*ListSandboxes.*\} [1-9]", text, re.M)

        until(answers, "calls at a replica", needs=[self.programs[i]])

    def restart(self, signum):
        for i in [0, 1] * 3:
            self.programs[i].send_signal(signum)
            self.programs[i].wait(60)
            self.programs[i] = self.start(i)
            self.until_it_answers(i)
        self.ended.set()
        with self.lock:
            self.assertGreater(len(self.statuses), 6)
            return [s for s in self.statuses if s[0] != "OK"]

    def assert_lost(self, failed, why):
        """At most one of each caller and restart, all for that reason, and each caller is told to try again."""
        self.assertLessEqual(len(failed), 6 * self.CALLERS, failed)
        for code, _, retry, text in failed:
            self.assertEqual((code, text), ("UNAVAILABLE", why), failed)
            self.assertGreater(retry, 0)

    def test_that_end_in_order(self):
        """None is lost, but for what reaches the C core just when it is told to shut down (decision 218)."""
        self.assert_lost(self.restart(signal.SIGTERM), "the server gave the call up: CANCELLED")

    def test_that_are_killed(self):
        """What is under way at one that is killed may have been done, and is not sent twice."""
        self.assert_lost(self.restart(signal.SIGKILL), "the connection was lost")


QUOTAS = "sandplane.v1.QuotaService"


def bearer(token):
    return (f"authorization=Bearer {token}",)


class Tenants(unittest.TestCase):
    """Callers told apart by their tokens, with a real claims service behind the router."""

    @classmethod
    def setUpClass(cls):
        fd, path = tempfile.mkstemp(dir="/tmp")
        cls.addClassCleanup(os.unlink, path)
        os.write(fd, b"research token-of-research\nops token-of-operations admin\n")
        os.close(fd)
        cls.claims_port, admin = free_ports(2)
        cls.stack = Stack(
            f"--claims=127.0.0.1:{cls.claims_port}",
            "--pools=127.0.0.1:1",
            "--reconciler=127.0.0.1:1",
            f"--tenant-tokens-file={path}",
        )
        cls.addClassCleanup(cls.stack.stop)
        argv = [
            f"--grpc-address=127.0.0.1:{cls.claims_port}",
            f"--admin-address=127.0.0.1:{admin}",
            f"--redis-address={cls.stack.redis}",
        ]
        claims = cls.stack.start("services/claims/sandplane-claims", *argv)
        ask = ListSandboxesRequest(parent=PARENT)
        until(
            lambda: cls.stack.call("ListSandboxes", ask, metadata=bearer("token-of-research"))[1][0] == "OK",
            "claims",
            needs=[claims],
        )

    def test_nobody_calls_without_a_token(self):
        calls = [
            ("ListSandboxes", ListSandboxesRequest(parent=PARENT)),
            ("CreateSandbox", CreateSandboxRequest(parent=PARENT)),
            ("Exec", exec_request("p-aaaaa", "true")),
            ("ExecStream", stream_start("p-aaaaa")),
            ("WatchSandboxes", WatchSandboxesRequest(parent=PARENT)),
        ]
        for method, message in calls:
            for metadata in ((), bearer("token-of-nobody"), ("sandplane-tenant=research",)):
                got = self.stack.call(method, message, metadata=metadata)
                self.assertEqual(got[1][0], "UNAUTHENTICATED", got)
        for service in ("PoolService", "ImageService", "QuotaService"):
            self.assertEqual(self.stack.call("Any", b"", service=f"sandplane.v1.{service}")[1][0], "UNAUTHENTICATED")

    def test_claims_count_for_who_authenticated(self):
        _, route, _ = self.stack.runtime()
        box = self.stack.sandbox(route, claim=False)
        request = create_request(box)
        # what a caller says of itself is worth nothing
        answers, status = self.stack.call(
            "CreateSandbox", request, metadata=("sandplane-tenant=ops", *bearer("token-of-research"))
        )
        self.assertEqual(status[0], "OK", status)
        self.assertEqual(answers[0].tenant, "research")
        quota = ApplyQuotaRequest(quota=Quota(name=f"{PARENT}/quotas/research", max_sandboxes=1))
        got = self.stack.call("ApplyQuota", quota, service=QUOTAS, metadata=bearer("token-of-research"))
        self.assertEqual(got[1][0], "PERMISSION_DENIED", got)
        got = self.stack.call("ApplyQuota", quota, service=QUOTAS, metadata=bearer("token-of-operations"))
        self.assertEqual(got[1][0], "OK", got)
        got = self.stack.call("CreateSandbox", request, metadata=bearer("token-of-research"))
        self.assertEqual(got[1][:2], ("RESOURCE_EXHAUSTED", "tenant:research"), got)
        self.assertIn("allows 1 live sandboxes", got[1][3])
        got = self.stack.call("Exec", exec_request(box, "echo", "hi"), metadata=bearer("token-of-research"))
        self.assertEqual(got[0][0].stdout, b"hi\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
