"""Makes a small OCI image archive with one layer, for side-loading into a test cluster.

image.py OUT.tar REFERENCE ENTRYPOINT_AS_JSON PATH=FILE...   (PATH=->TARGET makes a symbolic link)
"""

import hashlib
import io
import json
import sys
import tarfile

FOLDERS = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "proc": 0o755, "sys": 0o755, "tmp": 0o1777}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def add(archive, name, data, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def make_layer(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for name, mode in FOLDERS.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            layer.addfile(entry)
        for name, source in files.items():
            if source.startswith("->"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, source[2:]
                layer.addfile(entry)
            else:
                with open(source, "rb") as f:
                    add(layer, name, f.read(), 0o755)
    return out.getvalue()


def make_image(out, reference, entrypoint, files):
    layer = make_layer(files)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": entrypoint, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [],
    }
    blobs = [layer, json.dumps(config).encode()]

    def describe(kind, blob):
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(blob), "size": len(blob)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": describe("config.v1+json", blobs[1]),
        "layers": [describe("layer.v1.tar", layer)],
    }
    blobs.append(json.dumps(manifest).encode())
    entry = describe("manifest.v1+json", blobs[2])
    entry["annotations"] = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rsplit(":", 1)[-1],
    }
    with tarfile.open(out, "w") as archive:
        add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())
        for blob in blobs:
            add(archive, "blobs/sha256/" + digest(blob).split(":")[1], blob)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    make_image(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), dict(a.split("=", 1) for a in sys.argv[4:]))
