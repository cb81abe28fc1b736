"""archive_test.py ARCHIVE...: each is an OCI image archive as the specification has it (image-spec 1.0), and
says the same wherever it says it twice: digests, sizes, layers. Nothing but the standard library."""

import gzip
import hashlib
import io
import json
import sys
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Archive:
    def __init__(self, path):
        with tarfile.open(path) as tar:
            names = tar.getnames()
            assert len(names) == len(set(names)), "a name twice"
            self.files = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
        self.used = {"index.json", "oci-layout"}

    def blob(self, descriptor, kind):
        assert descriptor["mediaType"] == kind, descriptor
        name = "blobs/" + descriptor["digest"].replace(":", "/")
        data = self.files[name]
        self.used.add(name)
        assert sha256(data) == descriptor["digest"], name
        assert len(data) == descriptor["size"], name
        return data


def check_layer(data):
    """Returns its paths. Sorted, timeless, without whiteouts, and nothing below a path that is no folder."""
    paths, folders = [], {""}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for m in tar:
            path = m.name.rstrip("/")
            assert path and not path.startswith("/") and ".." not in path.split("/"), path
            assert not path.rsplit("/", 1)[-1].startswith(".wh."), f"whiteout {path}"
            assert m.isdir() or m.isreg() or m.issym(), f"{path}: neither file, folder nor link"
            assert m.mtime == 0 and not m.mode & 0o6000, f"{path}: time or setuid"
            assert path.rpartition("/")[0] in folders, f"{path}: its folder does not come before it"
            if m.isdir():
                folders.add(path)
            paths.append(path)
    raw = [p.encode("utf-8", "surrogateescape") for p in paths]
    assert raw == sorted(set(raw)), "not sorted, or a path twice"
    return paths


def check(path):
    archive = Archive(path)
    assert json.loads(archive.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(archive.files["index.json"])
    assert index["schemaVersion"] == 2 and index["mediaType"] == INDEX
    (descriptor,) = index["manifests"]
    reference = descriptor["annotations"]["org.opencontainers.image.ref.name"]
    manifest = json.loads(archive.blob(descriptor, MANIFEST))
    config = json.loads(archive.blob(manifest["config"], CONFIG))
    assert config["os"] == "linux" and config["rootfs"]["type"] == "layers"
    diffs, paths = [], set()
    for layer in manifest["layers"]:
        data = gzip.decompress(archive.blob(layer, LAYER))
        diffs.append(sha256(data))
        paths |= set(check_layer(data))
    assert diffs == config["rootfs"]["diff_ids"], "layers and diff_ids differ"
    assert archive.used == set(archive.files), f"unused: {set(archive.files) - archive.used}"
    run = config["config"]
    assert run["User"].split(":")[0] not in ("", "0", "root"), "runs as root"
    assert run["Entrypoint"][0].lstrip("/") in paths, "the entrypoint is not in the image"
    print(f"{reference}: {len(manifest['layers'])} layers, {len(paths)} paths")


for argument in sys.argv[1:]:
    check(argument)
assert len(sys.argv) > 1
