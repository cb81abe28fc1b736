"""A place like a sandbox with every door open, for trying out what looks for open doors.

The sandboxes' own image, so with the same tools, but writable, as root with all capabilities, and with this machine's network,
processes and the stack's folder. What a probe could harm is a plain file or folder there, or a process made for it.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile

# pivot_root rather than chroot: from a chroot nobody may make a user namespace
ENTER = """
set -eu
mount --bind "$1" "$1"
mount --rbind /proc "$1/proc"
mount --bind "$2" "$1$2"
cd "$1"
pivot_root . old
exec /usr/bin/sh -c 'umount -l /old; cd /app; exec /usr/bin/sh -c "$1"' sh "$3"
"""
ENVIRONMENT = {"HOME": "/app", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
STAND_INS = [
    "proc/sys/kernel/panic",
    "proc/sysrq-trigger",
    "proc/kcore",
    "proc/kmsg",
    "sys/firmware/efi/x",
    "sys/kernel/y",
    "dev/mem",
    "run/y",
]


def own_address():
    """Of this machine's first interface but loopback; without one, another loopback address."""
    with socket.socket() as s:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                got = fcntl.ioctl(s, 0x8915, struct.pack("256s", name.encode()))  # SIOCGIFADDR
                address = socket.inet_ntoa(got[20:24])
                if not address.startswith("127."):
                    return address
    return "127.0.0.2"


class OpenPlace:
    def __init__(self, data):
        self.data = data
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="spopen-", dir="/var/tmp"))
        (image, *_) = pathlib.Path(data, "images").glob("sha256-*/rootfs")
        subprocess.run(["cp", "-a", f"{image}/.", self.root], check=True, timeout=120)
        for folder in ("proc", "old", "app", "mnt", "root", self.data.lstrip("/")):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for path in STAND_INS:
            stand_in = self.root / "stand-in" / path
            stand_in.parent.mkdir(parents=True, exist_ok=True)
            stand_in.write_text("x")
        self.stand_ins = {name: f"/stand-in/{name}" for name in ("proc", "sys", "dev", "run")}
        self.stand_ins |= {"own_interface": "none", "device": "c 1 5"}  # /dev/zero: harmless, and everywhere
        (self.root / "root/secret").write_text("x")
        shutil.copy(self.root / "usr/bin/dash", self.root / "usr/bin/planted")
        (self.root / "usr/bin/planted").chmod(0o4755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    @contextlib.contextmanager
    def victim(self, **env):
        """The process id of one that may be read, traced and killed."""
        with subprocess.Popen(["sleep", "infinity"], env={**os.environ, **env}) as process:
            try:
                yield process.pid
            finally:
                process.kill()

    def sh(self, script):
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", self.root, self.data]
        return subprocess.run([*command, script], env=ENVIRONMENT, timeout=120, capture_output=True, text=True)
