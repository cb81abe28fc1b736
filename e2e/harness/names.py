"""Keys and hashes of the Agent Sandbox API, as tests spell them."""

K = "agents.x-k8s.io/"
FAKE_NODE = "sandplane.test/fake-node"


def name_hash(text):
    """FNV-1a, 32 bits, as the labels with names in them have it."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return f"{value:08x}"


def labels(thing):
    return thing["metadata"].get("labels", {})


def annotations(thing):
    return thing["metadata"].get("annotations", {})


def uid(thing):
    return thing["metadata"]["uid"]


def owner(thing, api_version, kind):
    """The reference that what a controller makes for `thing` has to have, and no other."""
    name = thing["metadata"]["name"]
    flags = {"controller": True, "blockOwnerDeletion": True}
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": uid(thing), **flags}]
