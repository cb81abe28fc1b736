"""The gRPC door of a cluster, beside the objects it leads to."""

import grpc as grpc_lib

from harness.client import seconds
from harness.stubs import sandbox_pb2 as pb
from harness.until import until


def owner_name(sandbox):
    """(kind, name) of who controls it."""
    (found,) = [r for r in sandbox["metadata"]["ownerReferences"] if r.get("controller")]
    return found["kind"], found["name"]


def mirrored(kube, sandbox, timeout=15):
    """The SandboxClaim that shows a claim made through gRPC, once the Sandbox is its."""
    until(
        lambda: owner_name(kube.get("sandbox", sandbox)) == ("SandboxClaim", sandbox),
        timeout=timeout,
        what=f"{sandbox} changes owner",
    )
    return kube.get("sandboxclaim", sandbox)


class Door:
    """The gRPC side of one namespace."""

    def __init__(self, client, ns):
        self.client, self.parent = client, f"namespaces/{ns}"

    def claim(self, pool="p", max_wait=0, timeout=60, **kw):
        """Id of the sandbox."""
        request = pb.CreateSandboxRequest(parent=self.parent, pool=f"{self.parent}/pools/{pool}", **kw)
        if max_wait:
            request.max_wait.CopyFrom(seconds(max_wait))
        return self.client.sandboxes.CreateSandbox(request, timeout=timeout).name.rsplit("/", 1)[1]

    def name(self, sandbox):
        return f"{self.parent}/sandboxes/{sandbox}"

    def get(self, sandbox):
        """The sandbox, or None."""
        try:
            return self.client.get(self.name(sandbox))
        except grpc_lib.RpcError as e:
            if e.code() == grpc_lib.StatusCode.NOT_FOUND:
                return None
            raise

    def holds(self, sandbox):
        box = self.get(sandbox)
        return box is not None and box.state == pb.Sandbox.CLAIMED

    def ended(self, sandbox):
        box = self.get(sandbox)
        return box is None or box.state not in (pb.Sandbox.CLAIMED, pb.Sandbox.READY)

    def claimed(self):
        return {b.name.rsplit("/", 1)[1] for b in self.client.list(parent=self.parent) if b.state == pb.Sandbox.CLAIMED}

    def delete(self, sandbox):
        self.client.delete(self.name(sandbox))
