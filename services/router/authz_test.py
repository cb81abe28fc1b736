"""Who may do what, cell by cell: docs/security.md has the table, and a real router, claims and pools must do as it says.

Every method of the public API and a request over HTTP, for the tenant whose sandbox it is, another tenant, a key of
another namespace, an administrator, nobody, an expired and a revoked key.
"""

import hashlib
import json
import os
import re
import secrets
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, ".")
sys.path.insert(0, "services/router/testing")
import app
from api.sandplane.v1.sandbox_pb2 import (
    BatchCreateSandboxesRequest,
    BatchDeleteSandboxesRequest,
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
    UpdateSandboxRequest,
    WatchSandboxesRequest,
    WatchSandboxesResponse,
    WriteFileRequest,
)
from google.protobuf.empty_pb2 import Empty
from harness import Call, Stack, free_ports, read_all, until

from api.sandplane.v1 import image_service_pb2 as images
from api.sandplane.v1 import pool_service_pb2 as pools
from api.sandplane.v1 import quota_service_pb2 as quotas
from api.sandplane.v1 import sandbox_service_pb2 as sandboxes

API = [
    service for module in (images, pools, quotas, sandboxes) for service in module.DESCRIPTOR.services_by_name.values()
]
SERVICE_OF = {m.name: s.full_name for s in API for m in s.methods}
COLUMNS = ["own", "other", "namespace", "admin", "nobody"]


def table():
    """Rows of docs/security.md: {method: {column: cell}}."""
    rows = {}
    with open("docs/security.md") as f:
        text = f.read()
    part = text[text.index("<!-- table of methods -->") : text.index("<!-- end of the table -->")]
    for line in part.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        methods = re.findall(r"`(\w+)`", cells[0])
        if not methods or len(cells) != len(COLUMNS) + 1:
            continue
        for m in methods:
            assert m not in rows, m
            rows[m] = dict(zip(COLUMNS, (c.strip("`") for c in cells[1:])))
    return rows


def new_key(tenant, role="user", namespaces=("default",), **more):
    """The text and the line of a key."""
    identity = "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(12))
    text = f"sp_{identity}_{secrets.token_urlsafe(32)}"
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    line = {"id": identity, "hash": digest, "tenant": tenant, "role": role, "namespaces": list(namespaces), **more}
    return text, json.dumps(line) + "\n"


def bearer(key):
    return (f"authorization=Bearer {key}",) if key else ()


def name(box):
    return f"namespaces/default/sandboxes/{box}"


class Installation:
    """Keys, a router, claims and pools; the reconciler's place is empty."""

    def __init__(self, lines, *flags, mode=0o600):
        fd, self.keys = tempfile.mkstemp(dir="/tmp")
        os.close(fd)
        self.write(lines)
        os.chmod(self.keys, mode)
        claims, claims_admin, pool, pool_admin = free_ports(4)
        self.stack = Stack(
            f"--claims=127.0.0.1:{claims}",
            f"--pools=127.0.0.1:{pool}",
            "--reconciler=127.0.0.1:1",
            f"--api-keys-file={self.keys}",
            *flags,
        )
        for program, port, admin in (
            ("services/claims/sandplane-claims", claims, claims_admin),
            ("services/pools/sandplane-pools", pool, pool_admin),
        ):
            argv = [
                f"--grpc-address=127.0.0.1:{port}",
                f"--admin-address=127.0.0.1:{admin}",
                f"--redis-address={self.stack.redis}",
            ]
            if "pools" in program:
                argv.append("--reconciler=127.0.0.1:1")
            p = self.stack.start(program, *argv)
            until(lambda admin=admin: self.is_ready(admin), program, needs=[p])

    @staticmethod
    def is_ready(port):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
            s.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return read_all(s).startswith(b"HTTP/1.1 200")

    def write(self, lines):
        temporary = self.keys + ".new"
        with open(temporary, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.writelines(lines)
        os.rename(temporary, self.keys)

    def stop(self):
        self.stack.stop()
        os.unlink(self.keys)

    def reach(self, key):
        """Waits until the router has a connection to claims."""
        request = ListSandboxesRequest(parent="namespaces/-")
        until(
            lambda: self.stack.call("ListSandboxes", request, metadata=bearer(key))[1][0] != "UNAVAILABLE",
            "claims through the router",
        )

    def box(self, key, ns="default"):
        """A running sandbox that the key's tenant has claimed."""
        stack = self.stack
        self.reach(key)
        _, route, _ = stack.runtime()
        stack.n += 1
        pool = f"pool{stack.n}"
        stack.seed("make", ns, f"{pool}-aaaaa", route)
        request = CreateSandboxRequest(parent=f"namespaces/{ns}", pool=f"namespaces/{ns}/pools/{pool}")
        answers, status = stack.call("CreateSandbox", request, metadata=bearer(key))
        assert status[0] == "OK", status
        return answers[0].name.rsplit("/", 1)[1]

    def http(self, box, port, key, ns="default"):
        """Status and body of a request to the port."""
        fields = f"Authorization: Bearer {key}\r\n" if key else ""
        head = f"X-Sandbox-ID: {box}\r\nX-Sandbox-Namespace: {ns}\r\nX-Sandbox-Port: {port}\r\n{fields}"
        with socket.create_connection(("127.0.0.1", self.stack.http), timeout=60) as s:
            s.sendall(f"GET /echo HTTP/1.1\r\nHost: x\r\n{head}Connection: close\r\n\r\n".encode())
            top, _, body = read_all(s).partition(b"\r\n\r\n")
        return int(top.split()[1]), body


def sandbox_requests(box):
    """Messages of each method that names a sandbox."""
    path = "authz-file"
    command = Command(args=["echo", "hi"])
    write = [WriteFileRequest(start=WriteFileRequest.Start(name=name(box), path=path)), WriteFileRequest(data=b"x")]
    update = UpdateSandboxRequest(update_mask={"paths": ["labels"]})
    update.sandbox.name = name(box)
    return {
        "GetSandbox": [GetSandboxRequest(name=name(box))],
        "UpdateSandbox": [update],
        "Exec": [ExecRequest(name=name(box), command=command)],
        "ExecStream": [ExecStreamRequest(start=ExecStreamRequest.Start(name=name(box), command=command))],
        "WriteFile": write,
        "ReadFile": [ReadFileRequest(name=name(box), path=path)],
        "ListFiles": [ListFilesRequest(name=name(box), path=".")],
        "Stat": [StatRequest(name=name(box), path=path)],
        "RemoveFile": [RemoveFileRequest(name=name(box), path=path)],
    }


def object_requests(pool):
    """Messages of each method of templates, pools, images and quotas."""
    ns = "namespaces/default"
    manifest = "{}"
    return {
        "GetTemplate": pools.GetTemplateRequest(name=f"{ns}/templates/t"),
        "ListTemplates": pools.ListTemplatesRequest(parent=ns),
        "ApplyTemplate": pools.ApplyTemplateRequest(template=pools.Template(manifest=manifest)),
        "DeleteTemplate": pools.DeleteTemplateRequest(name=f"{ns}/templates/t"),
        "GetPool": pools.GetPoolRequest(name=f"{ns}/pools/{pool}"),
        "ListPools": pools.ListPoolsRequest(parent=ns),
        "ApplyPool": pools.ApplyPoolRequest(pool=pools.Pool(name=f"{ns}/pools/other", template=f"{ns}/templates/t")),
        "ScalePool": pools.ScalePoolRequest(name=f"{ns}/pools/{pool}", replicas=0),
        "DeletePool": pools.DeletePoolRequest(name=f"{ns}/pools/never"),
        "ImportImage": images.ImportImageRequest(),
        "ListImages": images.ListImagesRequest(),
        "ApplyQuota": quotas.ApplyQuotaRequest(quota=quotas.Quota(name=f"{ns}/quotas/x", max_sandboxes=9)),
        "GetQuota": quotas.GetQuotaRequest(name=f"{ns}/quotas/x"),
        "ListQuotas": quotas.ListQuotasRequest(parent=ns),
        "DeleteQuota": quotas.DeleteQuotaRequest(name=f"{ns}/quotas/x"),
    }


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys, lines = {}, []
        for who, tenant, more in (
            ("own", "research", {}),
            ("other", "rivals", {}),
            ("namespace", "research", {"namespaces": ["elsewhere"]}),
            ("admin", "ops", {"role": "admin"}),
            ("expired", "research", {"expires": "2020-01-01T00:00:00Z"}),
            ("revoked", "research", {}),
        ):
            cls.keys[who], line = new_key(tenant, **more)
            lines.append(line)
        cls.keys["nobody"] = None
        cls.keys["wrong"] = cls.keys["own"][:-4] + "AAAA"
        cls.it = Installation(lines)
        cls.addClassCleanup(cls.it.stop)
        cls.stack = cls.it.stack
        cls.box = cls.it.box(cls.keys["own"])
        cls.it.write(lines[:-1])
        until(lambda: "access_reloaded" in cls.stack.log(), "the keys are read again")
        cls.port = app.start()
        cls.table = table()

    def callers(self):
        """Which column each key is in."""
        for column in COLUMNS[:-1]:
            yield column, column
        for who in ("nobody", "expired", "revoked", "wrong"):
            yield who, "nobody"

    def call(self, who, method, messages):
        messages = messages if isinstance(messages, list) else [messages]
        return self.stack.call(method, *messages, service=SERVICE_OF[method], metadata=bearer(self.keys[who]))

    def test_every_method_has_a_row(self):
        self.assertEqual(set(self.table), set(SERVICE_OF) | {"HTTP"})

    def check(self, who, cell, method, got):
        code = got[1][0]
        said = (who, method, cell, got[1])
        if cell == "yes":
            self.assertNotIn(code, ("PERMISSION_DENIED", "UNAUTHENTICATED"), said)
            if method in sandbox_requests("") or SERVICE_OF[method].endswith("SandboxService"):
                self.assertEqual(code, "OK", said)
        else:
            self.assertEqual(code, cell, said)
            self.assertNotIn("ended", got[1][3])

    def test_sandboxes(self):
        requests = sandbox_requests(self.box)
        for method, messages in requests.items():
            for who, column in self.callers():
                if method in ("ReadFile", "Stat", "RemoveFile") and self.table[method][column] == "yes":
                    self.assertEqual(self.call(who, "WriteFile", requests["WriteFile"])[1][0], "OK")
                self.check(who, self.table[method][column], method, self.call(who, method, messages))

    def test_another_tenants_is_as_none(self):
        for method, messages in sandbox_requests(self.box).items():
            none = self.call("other", method, sandbox_requests("pool99-aaaaa")[method])
            other = self.call("other", method, messages)
            self.assertEqual(
                (other[0], other[1][0], other[1][3].replace(self.box, "X")),
                (none[0], none[1][0], none[1][3].replace("pool99-aaaaa", "X")),
            )

    def test_ended_ones_say_nothing_to_others(self):
        box = self.it.box(self.keys["own"])
        self.stack.seed("fail", "default", box, "OutOfMemory", "secret-of-research")
        request = ExecRequest(name=name(box), command=Command(args=["true"]))
        self.assertIn("secret-of-research", self.call("own", "Exec", request)[1][3])
        for method, messages in sandbox_requests(box).items():
            got = self.call("other", method, messages)
            self.assertEqual(got[1][0], "NOT_FOUND", got)
            self.assertNotIn("secret", got[1][3])
        status, body = self.it.http(box, self.port, self.keys["other"])
        self.assertEqual((status, json.loads(body)["reason"]), (502, "no_sandbox"))
        self.assertNotIn(b"secret", body)

    def test_delete(self):
        for method in ("DeleteSandbox", "BatchDeleteSandboxes"):
            for who, column in self.callers():
                box = self.it.box(self.keys["own"])
                request = DeleteSandboxRequest(name=name(box))
                if method == "BatchDeleteSandboxes":
                    request = BatchDeleteSandboxesRequest(parent="namespaces/default", names=[name(box)])
                got = self.call(who, method, request)
                cell = self.table[method][column]
                if cell == "nothing happens":
                    # as of one that does not exist
                    self.assertEqual(got[1][0], "OK", (who, method, got))
                else:
                    self.check(who, cell, method, got)
                alive = self.call("own", "Exec", ExecRequest(name=name(box), command=Command(args=["true"])))[1][0]
                self.assertEqual(alive == "OK", cell != "yes", (who, method, cell, alive))

    def test_delete_with_the_uid_of_another_tenants(self):
        box = self.it.box(self.keys["own"])
        uid = self.call("own", "GetSandbox", GetSandboxRequest(name=name(box)))[0][0].uid
        for given in (uid, "other"):
            got = self.call("other", "DeleteSandbox", DeleteSandboxRequest(name=name(box), uid=given))
            self.assertEqual(got[1][0], "OK", got)
        self.assertEqual(self.call("own", "GetSandbox", GetSandboxRequest(name=name(box)))[0][0].state, 3)
        self.assertEqual(
            self.call("own", "DeleteSandbox", DeleteSandboxRequest(name=name(box), uid="x"))[1][0], "ABORTED"
        )
        self.assertEqual(self.call("own", "DeleteSandbox", DeleteSandboxRequest(name=name(box), uid=uid))[1][0], "OK")

    def listed(self, who, **more):
        names, token = [], ""
        while True:
            request = ListSandboxesRequest(page_size=1, page_token=token, **more)
            answers, status = self.call(who, "ListSandboxes", request)
            if status[0] != "OK":
                return status[0]
            names += [s.name for s in answers[0].sandboxes]
            token = answers[0].next_page_token
            if not token:
                return names

    def watched(self, who, parent="namespaces/default", token="", until_name=None):
        """Names told before SYNCED, or up to until_name, and the last token; or the status."""
        request = WatchSandboxesRequest(parent=parent, resume_token=token)
        call = Call(self.stack, "WatchSandboxes", metadata=bearer(self.keys[who]))
        names = []
        try:
            call.send(request)
            call.half_close()
            while True:
                event = call.receive()
                if event is None:
                    return call.status[0]
                if event.type != WatchSandboxesResponse.SYNCED:
                    names.append((WatchSandboxesResponse.EventType.Name(event.type), event.sandbox.name))
                if event.type == WatchSandboxesResponse.SYNCED or event.sandbox.name == until_name:
                    return names, event.resume_token
        finally:
            call.kill()

    def test_list_and_watch(self):
        for who, column in self.callers():
            cell = {m: self.table[m][column] for m in ("ListSandboxes", "WatchSandboxes")}
            listed = self.listed(who, parent="namespaces/default")
            watched = self.watched(who)
            for method, got in (("ListSandboxes", listed), ("WatchSandboxes", watched)):
                if cell[method] == "yes":
                    self.assertIn(self.box, str(got), (who, method))
                elif cell[method] == "not shown":
                    self.assertNotIn("PERMISSION", str(got))
                    self.assertNotIn(self.box, str(got), (who, method))
                else:
                    self.assertEqual(got, cell[method], (who, method))
        # over all namespaces there are those that one may use
        self.assertIn(name(self.box), self.listed("own", parent="namespaces/-"))
        self.assertIn(name(self.box), self.listed("admin", parent="namespaces/-"))
        self.assertEqual(self.listed("namespace", parent="namespaces/-"), [])
        self.assertEqual(self.watched("namespace", parent="namespaces/-")[0], [])
        self.assertNotIn(name(self.box), self.listed("other", parent="namespaces/-", show_unclaimed=True))

    def test_a_watch_goes_on_without_others(self):
        mine, theirs = self.it.box(self.keys["own"]), self.it.box(self.keys["other"])
        token = self.watched("own")[1]
        for who, box in (("other", theirs), ("own", mine)):
            self.assertEqual(self.call(who, "DeleteSandbox", DeleteSandboxRequest(name=name(box)))[1][0], "OK")
            self.stack.seed("gone", "default", box)
        names, _ = self.watched("own", token=token, until_name=name(mine))
        self.assertIn(("DELETED", name(mine)), names)
        self.assertNotIn(theirs, str(names))
        # the other one's watcher, from a token of that time, is told of its own
        later = self.it.box(self.keys["other"])
        self.assertIn(later, str(self.watched("other")))

    def test_create(self):
        for method in ("CreateSandbox", "BatchCreateSandboxes"):
            for who, column in self.callers():
                self.stack.n += 1
                pool = f"pool{self.stack.n}"
                _, route, _ = self.stack.runtime()
                self.stack.seed("make", "default", f"{pool}-aaaaa", route)
                of = {"parent": "namespaces/default", "pool": f"namespaces/default/pools/{pool}"}
                if method == "CreateSandbox":
                    request = CreateSandboxRequest(**of)
                else:
                    request = BatchCreateSandboxesRequest(count=1, **of)
                # what a caller says of itself is worth nothing
                said = ("sandplane-role=admin", "sandplane-tenant=ops", "sandplane-namespaces=*")
                got = self.stack.call(method, request, metadata=(*said, *bearer(self.keys[who])))
                self.check(who, self.table[method][column], method, got)
                if got[1][0] == "OK":
                    box = got[0][0] if method == "CreateSandbox" else got[0][0].sandboxes[0]
                    tenant = {"own": "research", "other": "rivals", "admin": "ops"}[who]
                    self.assertEqual(box.tenant, tenant)

    def test_objects(self):
        requests = object_requests(self.box.rsplit("-", 1)[0])
        left = set(SERVICE_OF) - set(sandbox_requests("")) - set(requests)
        self.assertEqual(
            left,
            {
                "CreateSandbox",
                "BatchCreateSandboxes",
                "DeleteSandbox",
                "BatchDeleteSandboxes",
                "ListSandboxes",
                "WatchSandboxes",
            },
        )
        for method, message in requests.items():
            for who, column in self.callers():
                self.check(who, self.table[method][column], method, self.call(who, method, message))

    def test_lists_of_all_namespaces(self):
        for who, seen in (("own", True), ("other", True), ("admin", True), ("namespace", False)):
            answers, status = self.call(who, "ListPools", pools.ListPoolsRequest(parent="namespaces/-"))
            self.assertEqual(status[0], "OK", status)
            self.assertEqual(bool(answers[0].pools), seen, who)
            self.assertEqual(
                self.call(who, "ListTemplates", pools.ListTemplatesRequest(parent="namespaces/-"))[1][0], "OK"
            )

    def test_http(self):
        for who, column in self.callers():
            status, body = self.it.http(self.box, self.port, self.keys[who])
            cell = self.table["HTTP"][column]
            if cell == "yes":
                self.assertEqual(status, 200, (who, body))
            else:
                self.assertEqual(str(status), cell.split()[0], (who, body))
                self.assertIn(cell.split()[-1] if " " in cell else "detail", body.decode())
        other = self.it.http(self.box, self.port, self.keys["other"])[1]
        none = self.it.http("pool99-aaaaa", self.port, self.keys["other"])[1]
        self.assertEqual(other.decode().replace(self.box, "X"), none.decode().replace("pool99-aaaaa", "X"))

    def test_sandboxes_of_the_cluster_are_its_tenants(self):
        self.stack.seed("address", "default", "plain", "pod:127.0.0.9")
        self.addCleanup(self.stack.seed, "address", "default", "plain")
        status, body = self.it.http("plain", self.port, self.keys["own"])
        self.assertEqual((status, json.loads(body)["reason"]), (502, "no_sandbox"))
        status, body = self.it.http("plain", self.port, self.keys["admin"])
        self.assertNotEqual(json.loads(body)["reason"], "no_sandbox")

    def test_nothing_secret_is_logged(self):
        log = self.stack.log()
        self.assertIn("access_locked", log)
        for key in filter(None, self.keys.values()):
            self.assertNotIn(key, log)
            self.assertNotIn(key[16:], log)

    def test_health_answers_everybody(self):
        call = Call(self.stack, "Check", service="grpc.health.v1.Health")
        call.of = Empty  # whatever it says
        call.send(b"")
        self.assertEqual(call.finish()[1][0], "OK")


class Files(unittest.TestCase):
    def test_what_cannot_be_trusted_changes_nothing(self):
        one, line = new_key("research")
        two, other = new_key("research")
        it = Installation([line])
        self.addCleanup(it.stop)

        def code(key):
            return it.stack.call("ListSandboxes", ListSandboxesRequest(parent="namespaces/-"), metadata=bearer(key))[1][
                0
            ]

        it.reach(one)
        self.assertEqual((code(one), code(two)), ("OK", "UNAUTHENTICATED"))
        it.write(["{}\n"])
        until(lambda: it.stack.log().count("access_kept") == 1, "the old keys are kept")
        self.assertEqual(code(one), "OK")
        it.write([other])
        until(lambda: code(two) == "OK", "the new key")
        self.assertEqual(code(one), "UNAUTHENTICATED")
        os.chmod(it.keys, 0o666)
        until(lambda: it.stack.log().count("access_kept") == 2, "the file is not believed")
        self.assertIn("others may write it", it.stack.log())
        self.assertEqual(code(two), "OK")


class Doors(unittest.TestCase):
    """One door open beside a locked one is as good as none locked, and has to be said."""

    def test_an_open_door_beside_a_locked_one(self):
        key, line = new_key("research")
        port = app.start()
        for flags, http, grpc in (
            ([], 401, "UNAUTHENTICATED"),
            (["--http-open"], 200, "UNAUTHENTICATED"),
            (["--grpc-open"], 401, "OK"),
        ):
            it = Installation([line], *flags)
            try:
                box = it.box(key)
                self.assertEqual(it.http(box, port, None)[0], http, flags)
                self.assertEqual(
                    it.stack.call("ListSandboxes", ListSandboxesRequest(parent="namespaces/-"))[1][0], grpc, flags
                )
                self.assertEqual("access_open" in it.stack.log(), bool(flags))
            finally:
                it.stop()

    def test_grpc_is_shut_where_nothing_opens_it(self):
        """The settings of the Agent Sandbox router alone: it starts, and is no way around."""
        stack = Stack("--auth-token=s3cret")
        self.addCleanup(stack.stop)
        status = stack.call("ListSandboxes", ListSandboxesRequest(parent="namespaces/-"))[1]
        self.assertEqual(status[0], "UNAUTHENTICATED")
        self.assertIn("--grpc-open", status[3])
        self.assertRegex(stack.log(), "access_locked.*shut")

    def test_nothing_set_is_said(self):
        stack = Stack()
        self.addCleanup(stack.stop)
        self.assertIn("access_open", stack.log())


class ScopedTokens(unittest.TestCase):
    """A signed token for default/box-aaaaa of the claim u1, as in access/scoped_token_v2_test.c."""

    PUBLIC = "TjHTPN4lQTEuCYjIflJYa6QJX_Z9NAWfRSfMPGtPqJc"
    TOKEN = (
        "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOjIwMDAwMDAwMDB9"
        ".QMNikHOJiPkfnUl79cSylcSL7pikExUM5umgpqLDw9i924YbkDt1mzOO_A2sJrRBRWh59GZV9F4ae8AS6TAWCA"
    )

    def test_a_token_ends_with_its_claim(self):
        fd, path = tempfile.mkstemp(dir="/tmp")
        self.addCleanup(os.unlink, path)
        os.write(fd, json.dumps({"keys": [{"kid": "k1", "publicKey": self.PUBLIC}]}).encode())
        os.close(fd)
        it = Installation([], "--authz-mode=scoped-token", f"--authz-scoped-token-verification-keys-file={path}")
        self.addCleanup(it.stop)
        stack, port = it.stack, app.start()
        _, route, _ = stack.runtime()
        stack.seed("make", "default", "box-aaaaa", route)
        stack.seed("claim-as", "default", "box", "u1")
        self.assertEqual(it.http("box-aaaaa", port, self.TOKEN)[0], 200)
        self.assertEqual(it.http("box-aaaaa", port, self.TOKEN[:-4] + "AAAA")[0], 401)
        self.assertEqual(it.http("box-bbbbb", port, self.TOKEN)[0], 403)
        # the name comes back for another claim
        stack.seed("release", "default", "box-aaaaa")
        stack.seed("gone", "default", "box-aaaaa")
        _, route, _ = stack.runtime()
        stack.seed("make", "default", "box-aaaaa", route)
        stack.seed("claim-as", "default", "box", "u2")
        status, body = it.http("box-aaaaa", port, self.TOKEN)
        self.assertEqual((status, json.loads(body)["reason"]), (403, "forbidden"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
