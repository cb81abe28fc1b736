"""ReadFile, WriteFile, ListFiles, Stat, RemoveFile, and what they refuse."""

import hashlib
import os

import grpc
import pytest
from harness.stubs import sandbox_pb2 as pb


@pytest.fixture(scope="module")
def box(client):
    with client.sandbox() as b:
        yield b.name


def code_of(call):
    with pytest.raises(grpc.RpcError) as e:
        call()
    return e.value.code()


def test_round_trip_with_mode(client, box):
    data = bytes(range(256)) * 100
    info = client.write(box, "a/b/c.bin", data, mode=0o640).info
    assert (info.path, info.size_bytes, info.mode, info.type) == ("a/b/c.bin", len(data), 0o640, pb.FileInfo.FILE)
    assert client.read(box, "a/b/c.bin") == data
    assert client.read(box, "/a/b/c.bin", offset=256, limit=3) == b"\0\1\2"
    assert (
        client.sh(box, "sha256sum a/b/c.bin | cut -d' ' -f1").stdout.decode().strip()
        == hashlib.sha256(data).hexdigest()
    )


def test_empty_file_and_replacement(client, box):
    client.write(box, "empty", b"")
    assert client.read(box, "empty") == b""
    client.write(box, "empty", b"now not")
    assert client.read(box, "empty") == b"now not"


def test_large_file_streams(client, box):
    data = os.urandom(1 << 20) * 64
    client.write(box, "large", data, chunk=1 << 20)
    got = hashlib.sha256()
    for part in client.sandboxes.ReadFile(pb.ReadFileRequest(name=box, path="large"), timeout=120):
        assert len(part.data) <= 64 << 10
        got.update(part.data)
    assert got.digest() == hashlib.sha256(data).digest()
    client.sandboxes.RemoveFile(pb.RemoveFileRequest(name=box, path="large"), timeout=10)


def test_aborted_write_leaves_nothing(client, box):
    def requests():
        yield pb.WriteFileRequest(start=pb.WriteFileRequest.Start(name=box, path="partial/file"))
        yield pb.WriteFileRequest(data=b"x" * 1000)
        raise RuntimeError("the client breaks off")

    with pytest.raises(grpc.RpcError):
        client.sandboxes.WriteFile(requests(), timeout=10)
    assert code_of(lambda: client.read(box, "partial/file")) == grpc.StatusCode.NOT_FOUND
    assert client.sh(box, "find partial -type f | wc -l").stdout.strip() == b"0"


def test_list_and_stat(client, box):
    client.sh(box, "mkdir -p tree/sub; echo hi >tree/f; ln -s f tree/link")
    parts = client.sandboxes.ListFiles(pb.ListFilesRequest(name=box, path="tree"), timeout=10)
    files = {os.path.basename(f.path): f for p in parts for f in p.files}
    assert {n: f.type for n, f in files.items()} == {
        "sub": pb.FileInfo.DIRECTORY,
        "f": pb.FileInfo.FILE,
        "link": pb.FileInfo.SYMLINK,
    }
    info = client.sandboxes.Stat(pb.StatRequest(name=box, path="tree/f"), timeout=10)
    assert info.size_bytes == 3 and info.modify_time.seconds > 0


def test_many_files_come_in_parts(client, box):
    client.sh(box, "mkdir many; cd many; for i in $(seq 1200); do : >f$i; done")
    parts = list(client.sandboxes.ListFiles(pb.ListFilesRequest(name=box, path="many"), timeout=30))
    assert sum(len(p.files) for p in parts) == 1200
    assert all(len(p.files) <= 500 for p in parts)


def test_remove(client, box):
    client.sh(box, "mkdir -p rm/sub; echo x >rm/sub/f")
    remove = client.sandboxes.RemoveFile
    assert (
        code_of(lambda: remove(pb.RemoveFileRequest(name=box, path="rm"), timeout=10))
        == grpc.StatusCode.FAILED_PRECONDITION
    )
    remove(pb.RemoveFileRequest(name=box, path="rm", recursive=True), timeout=10)
    assert (
        code_of(lambda: client.sandboxes.Stat(pb.StatRequest(name=box, path="rm"), timeout=10))
        == grpc.StatusCode.NOT_FOUND
    )


DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("path", ["../etc/passwd", "a/../../etc/passwd", "out/passwd", "abs", "chain/passwd"])
def test_escapes_are_refused(client, box, path):
    client.sh(box, "mkdir -p a; ln -sfn /etc out; ln -sfn /etc/passwd abs; ln -sfn out chain")
    assert code_of(lambda: client.read(box, path)) == DENIED
    assert code_of(lambda: client.write(box, path, b"x")) == DENIED
    assert client.sh(box, "head -1 /etc/passwd").stdout.startswith(b"root:")


def test_links_inside_are_followed(client, box):
    client.sh(box, "mkdir -p real; echo in >real/f; ln -sfn real alias")
    assert client.read(box, "alias/f") == b"in\n"


@pytest.mark.parametrize("path", ["", "nul\0byte", "x" * 5000])
def test_malformed_paths(client, box, path):
    assert code_of(lambda: client.read(box, path)) == grpc.StatusCode.INVALID_ARGUMENT


def test_reading_a_directory(client, box):
    client.sh(box, "mkdir -p adir")
    assert code_of(lambda: client.read(box, "adir")) == grpc.StatusCode.FAILED_PRECONDITION
