"""A thin client: one object per endpoint, the calls the tests make most."""

import contextlib

import grpc
from google.protobuf import duration_pb2, field_mask_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from .stubs import image_grpc, pool_grpc, pool_pb2, sandbox_grpc
from .stubs import sandbox_pb2 as pb

NS = "namespaces/default"
TEMPLATE = f"{NS}/templates/python-runtime-template"
POOL = f"{NS}/pools/python-sandbox-warmpool"


def seconds(value: float) -> duration_pb2.Duration:
    d = duration_pb2.Duration()
    d.FromNanoseconds(int(value * 1e9))
    return d


class Client:
    def __init__(self, target: str):
        self.target = target
        self.channel = grpc.insecure_channel(target)
        self.sandboxes = sandbox_grpc.SandboxServiceStub(self.channel)
        self.templates = pool_grpc.TemplateServiceStub(self.channel)
        self.pools = pool_grpc.PoolServiceStub(self.channel)
        self.images = image_grpc.ImageServiceStub(self.channel)

    def close(self):
        self.channel.close()

    def create(self, pool=POOL, timeout=90, **kw):
        for field in ("ttl", "idle_timeout", "max_wait"):
            if isinstance(kw.get(field), (int, float)):
                kw[field] = seconds(kw[field])
        if "template" not in kw:
            kw["pool"] = pool
        return self.sandboxes.CreateSandbox(pb.CreateSandboxRequest(parent=NS, **kw), timeout=timeout)

    def get(self, name):
        return self.sandboxes.GetSandbox(pb.GetSandboxRequest(name=name), timeout=10)

    def delete(self, name):
        self.sandboxes.DeleteSandbox(pb.DeleteSandboxRequest(name=name), timeout=10)

    def update(self, name, paths, **kw):
        request = pb.UpdateSandboxRequest(
            sandbox=pb.Sandbox(name=name, **kw), update_mask=field_mask_pb2.FieldMask(paths=paths)
        )
        return self.sandboxes.UpdateSandbox(request, timeout=10)

    def exec(
        self, name, *args, timeout=60, stdin=b"", env=None, working_dir="", command_timeout=None, max_output_bytes=0
    ):
        command = pb.Command(args=args, env=env or {}, working_dir=working_dir)
        if command_timeout is not None:
            command.timeout.CopyFrom(seconds(command_timeout))
        request = pb.ExecRequest(name=name, command=command, stdin=stdin, max_output_bytes=max_output_bytes)
        return self.sandboxes.Exec(request, timeout=timeout)

    def sh(self, name, script, **kw):
        return self.exec(name, "/bin/sh", "-c", script, **kw)

    def write(self, name, path, data, mode=0, chunk=65536):
        def requests():
            yield pb.WriteFileRequest(start=pb.WriteFileRequest.Start(name=name, path=path, mode=mode))
            for i in range(0, len(data), chunk):
                yield pb.WriteFileRequest(data=data[i : i + chunk])

        return self.sandboxes.WriteFile(requests(), timeout=120)

    def read(self, name, path, **kw):
        parts = self.sandboxes.ReadFile(pb.ReadFileRequest(name=name, path=path, **kw), timeout=120)
        return b"".join(p.data for p in parts)

    def list(self, **kw):
        request = pb.ListSandboxesRequest(parent=kw.pop("parent", NS), **kw)
        while True:
            page = self.sandboxes.ListSandboxes(request, timeout=10)
            yield from page.sandboxes
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def pool(self, name=POOL):
        return self.pools.GetPool(pool_pb2.GetPoolRequest(name=name), timeout=10)

    def scale(self, replicas, name=POOL):
        return self.pools.ScalePool(pool_pb2.ScalePoolRequest(name=name, replicas=replicas), timeout=10)

    @contextlib.contextmanager
    def sandbox(self, **kw):
        box = self.create(**kw)
        try:
            yield box
        finally:
            self.delete(box.name)


def details(error: grpc.RpcError, kind):
    """The first detail of that kind in the error's google.rpc.Status, or None."""
    status = rpc_status.from_call(error)
    for any_ in status.details if status else []:
        message = kind()
        if any_.Unpack(message):
            return message
    return None


def field_of(error: grpc.RpcError) -> str:
    bad = details(error, error_details_pb2.BadRequest)
    return bad.field_violations[0].field if bad and bad.field_violations else ""


def retry_of(error: grpc.RpcError) -> float:
    retry = details(error, error_details_pb2.RetryInfo)
    return retry.retry_delay.ToNanoseconds() / 1e9 if retry else 0.0
