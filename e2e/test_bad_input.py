"""Bad input: a clear status, the field's name, and nothing left behind."""

import io
import json
import pathlib
import tarfile

import grpc
import pytest
from harness.client import NS, POOL, TEMPLATE, field_of, seconds
from harness.stubs import image_pb2, pool_pb2
from harness.stubs import sandbox_pb2 as pb

INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"


def fails(call):
    with pytest.raises(grpc.RpcError) as e:
        call()
    assert e.value.details(), "a message"
    if e.value.code() == INVALID:
        assert e.value.details().startswith(field_of(e.value)), "by itself, for who prints it alone"
    return e.value


@pytest.mark.parametrize(
    "request_,field",
    [
        (dict(parent="", pool=POOL), "parent"),
        (dict(parent="default", pool=POOL), "parent"),
        (dict(parent="namespaces/Bad_Name", pool=POOL), "parent"),
        (dict(parent=NS), "pool"),
        (dict(parent=NS, pool=POOL, template=TEMPLATE), "template"),
        (dict(parent=NS, pool="python"), "pool"),
        (dict(parent=NS, pool="namespaces/other/pools/x"), "pool"),
        (dict(parent=NS, pool=f"{NS}/pools/UPPER"), "pool"),
        (dict(parent=NS, pool=f"{NS}/pools/" + "x" * 64), "pool"),
        (dict(parent=NS, pool=POOL, request_id="x" * 129), "request_id"),
        (dict(parent=NS, pool=POOL, request_id="new\nline"), "request_id"),
        (dict(parent=NS, pool=POOL, ttl=seconds(-1)), "ttl"),
        (dict(parent=NS, pool=POOL, ttl=seconds(31 * 86400)), "ttl"),
        (dict(parent=NS, pool=POOL, idle_timeout=seconds(0.001)), "idle_timeout"),
        (dict(parent=NS, pool=POOL, env={"A": "x" * 40000}), "env"),
        (dict(parent=NS, pool=POOL, env={"0A": "x"}), "env"),
        (dict(parent=NS, pool=POOL, env={"A": "nul\0"}), "env"),
        (dict(parent=NS, pool=POOL, labels={"bad key!": "x"}), "labels"),
        (dict(parent=NS, pool=POOL, labels={"k": "v" * 64}), "labels"),
        (dict(parent=NS, pool=POOL, labels={f"k{i}": "v" for i in range(65)}), "labels"),
    ],
)
def test_create(client, request_, field):
    e = fails(lambda: client.sandboxes.CreateSandbox(pb.CreateSandboxRequest(**request_), timeout=10))
    assert e.code() == INVALID, e
    assert field_of(e).split("[")[0].split(".")[0] == field


def test_unknown_pool_and_template(client):
    for kw, name in (
        ({"pool": f"{NS}/pools/nowhere"}, "nowhere"),
        ({"template": f"{NS}/templates/nothing"}, "nothing"),
    ):
        e = fails(lambda kw=kw: client.create(**kw))
        assert e.code() == grpc.StatusCode.NOT_FOUND
        assert name in e.details()


@pytest.mark.parametrize(
    "name", ["", "x", f"{NS}/sandboxes/", f"{NS}/sandboxes/A_B", f"{NS}/pools/x", f"{NS}/sandboxes/x/y"]
)
def test_malformed_names(client, name):
    calls = [
        lambda: client.get(name),
        lambda: client.delete(name),
        lambda: client.exec(name, "true"),
        lambda: client.read(name, "x"),
        lambda: client.write(name, "x", b""),
        lambda: client.sandboxes.Stat(pb.StatRequest(name=name, path="x"), timeout=5),
    ]
    for call in calls:
        e = fails(call)
        assert e.code() == INVALID, e
        assert field_of(e).endswith("name")


def test_list_arguments(client):
    for kw, field in (
        ({"page_size": -1}, "page_size"),
        ({"page_token": "garbage"}, "page_token"),
        ({"label_selector": "a=b=c,,"}, "label_selector"),
        ({"pool": "nope"}, "pool"),
        ({"parent": "nope"}, "parent"),
    ):
        e = fails(
            lambda kw=kw: client.sandboxes.ListSandboxes(pb.ListSandboxesRequest(**{"parent": NS, **kw}), timeout=5)
        )
        assert (e.code(), field_of(e)) == (INVALID, field)


def test_update_arguments(client):
    with client.sandbox() as box:
        assert field_of(fails(lambda: client.update(box.name, []))) == "update_mask"
        assert field_of(fails(lambda: client.update(box.name, ["state"]))).startswith("update_mask")
        e = fails(lambda: client.update(box.name, ["labels"], labels={"bad key!": "x"}))
        assert e.code() == INVALID and "labels" in field_of(e)


def test_bytes_that_are_no_message(client):
    for method in ("CreateSandbox", "Exec", "GetSandbox"):
        call = client.channel.unary_unary(f"/sandplane.v1.SandboxService/{method}")
        e = fails(lambda call=call: call(b"\xff\xff\xff garbage", timeout=5))
        assert e.code() == INVALID


def test_unknown_method(client):
    for path in ("/sandplane.v1.SandboxService/Nope", "/no.Service/Nope"):
        e = fails(lambda path=path: client.channel.unary_unary(path)(b"", timeout=5))
        assert e.code() == grpc.StatusCode.UNIMPLEMENTED


def test_oversized_message(client):
    e = fails(lambda: client.exec(f"{NS}/sandboxes/python-sandbox-warmpool-abcde", "true", stdin=b"x" * (8 << 20)))
    assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def template(**changes):
    import yaml

    doc = yaml.safe_load((EXAMPLES / "python-template.yaml").read_text())
    doc["metadata"]["name"] = "bad-input"
    for path, value in changes.items():
        node = doc
        *parents, last = path.split("__")
        for p in parents:
            node = node[int(p) if p.isdigit() else p]
        if value is None:
            node.pop(last)
        else:
            node[last] = value
    return json.dumps(doc)


CONTAINER = "spec__podTemplate__spec__containers__0__"
FIELD = "spec.podTemplate.spec."


@pytest.mark.parametrize(
    "manifest,field",
    [
        ("{", ""),
        ("", ""),
        ("- just\n- a list\n", ""),
        (template(kind="Deployment"), "kind"),
        (template(apiVersion="apps/v1"), "apiVersion"),
        (template(metadata__name="Bad_Name"), "metadata.name"),
        (template(spec__podTemplate=None), "spec.podTemplate"),
        (template(spec__podTemplate__spec__containers="none"), FIELD + "containers"),
        (template(spec__podTemplate__spec__containers=[]), FIELD + "containers"),
        (template(spec__podTemplate__spec__hostNetwork=True), FIELD + "hostNetwork"),
        (template(spec__podTemplate__spec__volumes=[{"name": "h", "hostPath": {"path": "/"}}]), FIELD + "volumes"),
        (template(**{CONTAINER + "image": 7}), FIELD + "containers[0].image"),
        (template(**{CONTAINER + "image": "no-such-image:v9"}), FIELD + "containers[0].image"),
        (
            template(**{CONTAINER + "resources": {"limits": {"memory": "lots"}}}),
            FIELD + "containers[0].resources.limits.memory",
        ),
        (template(**{CONTAINER + "env": [{"name": "1A", "value": "x"}]}), FIELD + "containers[0].env[0].name"),
        (
            template(**{CONTAINER + "securityContext": {"privileged": True}}),
            FIELD + "containers[0].securityContext.privileged",
        ),
        (template(**{CONTAINER + "imagge": "typo"}), FIELD + "containers[0].imagge"),
        (template(spec__podTemplate__spec__runtimeClassName="kata"), FIELD + "runtimeClassName"),
    ],
)
def test_manifest(client, manifest, field):
    request = pool_pb2.ApplyTemplateRequest(template=pool_pb2.Template(manifest=manifest))
    e = fails(lambda: client.templates.ApplyTemplate(request, timeout=20))
    # it says nothing that makes sense, or something that this backend does not do
    not_here = ("hostNetwork", '"volumes"', '"privileged"', '"kata"', "no-such-image")
    code = grpc.StatusCode.FAILED_PRECONDITION if any(word in manifest for word in not_here) else INVALID
    assert e.code() == code, e
    assert field_of(e).startswith(field) or field in e.details()
    names = [
        t.name for t in client.templates.ListTemplates(pool_pb2.ListTemplatesRequest(parent=NS), timeout=5).templates
    ]
    assert f"{NS}/templates/bad-input" not in names


@pytest.mark.parametrize(
    "pool,field",
    [
        (pool_pb2.Pool(name="x", template=TEMPLATE), "pool.name"),
        (pool_pb2.Pool(name=f"{NS}/pools/bad", template="x"), "pool.template"),
        (pool_pb2.Pool(name=f"{NS}/pools/bad", template=TEMPLATE, replicas=-1), "pool.replicas"),
        (pool_pb2.Pool(name=f"{NS}/pools/bad", template=TEMPLATE, replicas=10001), "pool.replicas"),
        (pool_pb2.Pool(name=f"{NS}/pools/" + "p" * 58, template=TEMPLATE), "pool.name"),
    ],
)
def test_pool(client, pool, field):
    e = fails(lambda: client.pools.ApplyPool(pool_pb2.ApplyPoolRequest(pool=pool), timeout=10))
    assert (e.code(), field_of(e)) == (INVALID, field)


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"this is no tar file" * 100,
        tar_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}),
        tar_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": b"{not json"}),
        tar_of(
            {
                "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
                "index.json": json.dumps(
                    {
                        "schemaVersion": 2,
                        "manifests": [
                            {
                                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                "digest": "sha256:" + "0" * 64,
                                "size": 3,
                            }
                        ],
                    }
                ).encode(),
                "blobs/sha256/" + "0" * 64: b"abc",
            }
        ),
    ],
    ids=["empty", "no-tar", "no-index", "bad-json", "wrong-digest"],
)
def test_corrupt_image(client, archive):
    def requests():
        yield image_pb2.ImportImageRequest(start=image_pb2.ImportImageRequest.Start(references=["corrupt:v1"]))
        for i in range(0, len(archive), 65536):
            yield image_pb2.ImportImageRequest(data=archive[i : i + 65536])

    e = fails(lambda: client.images.ImportImage(requests(), timeout=30))
    assert e.code() == INVALID, e
    images = client.images.ListImages(image_pb2.ListImagesRequest(), timeout=10).images
    assert "corrupt:v1" not in [i.reference for i in images]
