"""archive_test.py ARCHIVE...: each is an OCI image archive as the specification has it (image-spec 1.0), and
says the same wherever it says it twice: digests, sizes, layers. Nothing but the standard library."""

import gzip
import hashlib
import io
import json
import os
import re
import sys
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
SHELLS = {"sh", "bash", "dash", "ash", "busybox", "toybox"}
# of all images but python-runtime
MOST_BYTES = 120 << 20


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


def read(layer, folder):
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return {
            m.name[len(folder) :]: tar.extractfile(m).read().decode()
            for m in tar
            if m.isfile() and m.name.startswith(folder)
        }


def check_bill(texts):
    """The bill of materials is SPDX 2.3 as far as can be told without its schema, and names what is in the licences."""
    bill = json.loads(texts["sbom.spdx.json"])
    assert bill["spdxVersion"] == "SPDX-2.3" and bill["dataLicense"] == "CC0-1.0"
    ids = [p["SPDXID"] for p in bill["packages"]]
    assert len(ids) == len(set(ids)) > 1, ids
    contained = {r["relatedSpdxElement"] for r in bill["relationships"] if r["relationshipType"] == "CONTAINS"}
    assert contained == set(ids) - {"SPDXRef-image"}
    extracted = {i["licenseId"] for i in bill["hasExtractedLicensingInfos"]}
    licences = "\n" + texts["copyright"]
    headings = {name for line in re.findall(r"\n==== (.*) ====\n", licences) for name in line.split(", ")}
    for package in bill["packages"]:
        refs = set(re.findall(r"LicenseRef-[\w.-]+", package["licenseDeclared"]))
        assert refs <= extracted, f"{package['name']}: {refs - extracted}"
        if package["SPDXID"] != "SPDXRef-image":
            assert package["versionInfo"] and package["name"] in headings, package["name"]
    return {p["name"] for p in bill["packages"]}


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
    diffs, paths, texts = [], set(), {}
    for layer in manifest["layers"]:
        data = gzip.decompress(archive.blob(layer, LAYER))
        diffs.append(sha256(data))
        paths |= set(check_layer(data))
        texts.update(read(data, "usr/share/sandplane/"))
    assert diffs == config["rootfs"]["diff_ids"], "layers and diff_ids differ"
    assert archive.used == set(archive.files), f"unused: {set(archive.files) - archive.used}"
    run = config["config"]
    assert run["User"].split(":")[0] not in ("", "0", "root"), "runs as root"
    assert run["Entrypoint"][0].lstrip("/") in paths, "the entrypoint is not in the image"
    labels = run["Labels"]
    assert labels["org.opencontainers.image.version"] and labels["org.opencontainers.image.title"], labels
    bill = check_bill(texts)
    if "/python-runtime:" in reference:
        assert {"bash", "libc6", "python3.11-minimal", "libhttp-parser-dev", "uthash-dev"} <= bill, bill
    if "/python-runtime:" not in reference:
        shells = [p for p in paths if p.rsplit("/", 1)[-1] in SHELLS]
        assert not shells, f"a shell: {shells}"
    print(f"{reference}: {len(manifest['layers'])} layers, {len(paths)} paths")


for argument in sys.argv[1:]:
    check(argument)
assert len(sys.argv) > 1
total = sum(os.path.getsize(a) for a in sys.argv[1:] if "python-runtime" not in a)
assert total <= MOST_BYTES, total
print(f"{total >> 20} MiB without python-runtime")
