"""check.py FILE: judges every C source of the checkout that FILE (a link in the runfiles) points into.

It walks the checkout itself instead of a list of labels, so that a file nobody named in a BUILD file is judged too.
"""

import os
import re
import sys

import floors

INCLUDE = re.compile(r"^[ \t]*#[ \t]*(?:include|include_next|import)\b[ \t]*(.*)$", re.M)
NAME = re.compile(r'<([^>]+)>|"([^"]+)"')
BUILD_HEAD = re.compile(r"# [^\n]+\n(?:# [^\n]+\n)*# For: [^\n]+\n(?:# [^\n]+\n)*# Uses: [^\n]+\n(?:# [^\n]+\n)*(\n|$)")


def read_tree(root):
    """path -> [(line, header, is it in angle brackets)]; header None when it is not a plain name."""
    tree = {}
    for top in sorted(os.listdir(root)):
        folder = os.path.join(root, top)
        # out/ and the like are links to Bazel's folders
        if os.path.islink(folder) or not os.path.isdir(folder) or top.startswith("."):
            continue
        for at, _, names in os.walk(folder):
            for name in names:
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.join(at, name)
                with open(path, encoding="utf-8") as f:
                    text = f.read()
                found = tree[os.path.relpath(path, root)] = []
                for m in INCLUDE.finditer(text):
                    header = NAME.match(m[1])
                    line = text.count("\n", 0, m.start()) + 1
                    found.append((line, header and (header[1] or header[2]), bool(header and header[1])))
    return tree


def read_builds(root):
    """path -> text of every BUILD file."""
    builds = {}
    for at, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith(".") and not os.path.islink(os.path.join(at, f))]
        if "BUILD.bazel" in names:
            path = os.path.join(at, "BUILD.bazel")
            with open(path, encoding="utf-8") as f:
                builds[os.path.relpath(path, root)] = f.read()
    return builds


def unsaid(builds):
    """Complaints of BUILD files that do not open with what is there, who may use it and what it may use."""
    return [
        "%s:1: a BUILD file opens with what is there, '# For: ' and '# Uses: '" % path
        for path, text in sorted(builds.items())
        if not BUILD_HEAD.match(text)
    ]


def foreign_library(header):
    for library, begins in floors.FOREIGN.items():
        if any(header == b or (b.endswith("/") and header.startswith(b)) for b in begins):
            return library
    return None


def is_test(path):
    return path in floors.TEST_LIBRARY or re.search(r"_(test|fixture)\.[ch]$|/testing/", path) is not None


def service_kind(path):
    _, service, rest = path.split("/", 2)
    stem = rest.rsplit(".", 1)[0]
    if path.rsplit(".", 1)[0] in floors.KIND_OF_FILE:
        return floors.KIND_OF_FILE[path.rsplit(".", 1)[0]][0]
    for pattern, kind in floors.KIND_OF_NAME:
        if re.fullmatch(pattern.replace("{service}", service), stem):
            return kind
    return "domain"


class Judge:
    def __init__(self, tree):
        self.tree = tree
        self.complaints = []

    def complain(self, path, line, text):
        self.complaints.append("%s:%d: %s" % (path, line, text))

    def run(self):
        for path in sorted(self.tree):
            for line, header, angle in self.tree[path]:
                if header is None:
                    self.complain(path, line, "an include must be a plain name")
                elif header.endswith(".pb-c.h"):
                    self.message(path, line, header)
                elif angle:
                    self.angle(path, line, header)
                elif header in floors.GENERATED:
                    if not path.startswith(tuple(floors.GENERATED[header])):
                        self.complain(path, line, "%s is not for this folder" % header)
                elif header == floors.TEST_LIBRARY[0] and not is_test(path):
                    self.complain(path, line, "%s outside a test" % header)
                elif header not in self.tree:
                    self.complain(path, line, "%s is no header of this tree; name it from the root" % header)
                else:
                    self.own(path, line, header)
        self.leaks()
        self.stale()
        return self.complaints

    def message(self, path, line, header):
        at_edge = path.startswith("services/") and service_kind(path) in ("rpc", "test")
        if not (at_edge or path.startswith(tuple(floors.PB_FOLDERS)) or path in floors.PB_FILES):
            self.complain(path, line, "%s: protobuf messages stay in _rpc.c" % header)

    def angle(self, path, line, header):
        library = foreign_library(header)
        if library is None:
            if header not in floors.LIBC:
                self.complain(path, line, "<%s> is neither libc's nor of a known library" % header)
            return
        if library == "cmocka":
            if path != floors.TEST_LIBRARY[0]:
                self.complain(path, line, "<cmocka.h>: tests include %s" % floors.TEST_LIBRARY[0])
            return
        folder = os.path.dirname(path)
        if path.startswith("lib/"):
            row = floors.LIB.get(path.split("/")[1])
            allowed = row[1] if row else []
        else:
            allowed = floors.FOREIGN_OF_FOLDER.get(folder, [])
        if library not in allowed:
            self.complain(path, line, "<%s>: %s is not a library of %s" % (header, library, folder))

    def own(self, path, line, header):
        top = path.split("/")[0]
        if top == "lib":
            self.from_lib(path, line, header)
        elif top == "services":
            self.from_service(path, line, header)
        else:
            allowed = next((a for begin, a in floors.PROGRAM.items() if path.startswith(begin)), None)
            if allowed is None:
                self.complain(path, line, "%s/ has no row in floors.py" % top)
            elif not header.startswith(tuple(allowed)):
                self.complain(path, line, "%s is not for %s/" % (header, top))

    def from_lib(self, path, line, header):
        lib = path.split("/")[1]
        if lib not in floors.LIB:
            self.complain(path, line, "lib/%s has no row in floors.py" % lib)
            return
        if not header.startswith("lib/"):
            self.complain(path, line, "a library includes %s" % header)
            return
        other = header.split("/")[1]
        if other == lib or other in floors.LIB[lib][0]:
            return
        self.complain(path, line, "lib/%s includes lib/%s" % (lib, other))

    def from_service(self, path, line, header):
        service, kind = path.split("/")[1], service_kind(path)
        floor, libs = floors.KIND[kind]
        if header.startswith("lib/"):
            lib = header.split("/")[1]
            if lib not in libs or (floor == 0 and header not in floors.PURE.get(lib, [header])):
                self.complain(path, line, "a %s file includes %s" % (kind, header))
        elif not header.startswith("services/"):
            self.complain(path, line, "a service includes %s" % header)
        elif header.split("/")[1] != service:
            self.complain(path, line, "services/%s includes services/%s" % (service, header.split("/")[1]))
        elif floors.KIND[service_kind(header)][0] > floor:
            self.complain(
                path, line, "a %s file includes %s, which is a %s file" % (kind, header, service_kind(header))
            )

    def foreign_reached(self, header, seen):
        """Foreign libraries that come with a library's header, through headers of the same library."""
        found = {}
        seen.add(header)
        for _, name, angle in self.tree[header]:
            if angle and name and foreign_library(name):
                found[foreign_library(name)] = header
            elif name in self.tree and os.path.dirname(name) == os.path.dirname(header) and name not in seen:
                found.update(self.foreign_reached(name, seen))
        return found

    def leaks(self):
        for path in sorted(self.tree):
            for line, header, _ in self.tree[path]:
                if header not in self.tree or not header.startswith("lib/") or is_test(header):
                    continue
                if os.path.dirname(header) == os.path.dirname(path):
                    continue
                for library, through in self.foreign_reached(header, set()).items():
                    if floors.FOREIGN_IN_HEADER.get(through) != library:
                        self.complain(path, line, "%s brings %s with it (%s)" % (header, library, through))

    def stale(self):
        """Exceptions outlive what they were made for; one that names nothing is refused."""
        stems = {path.rsplit(".", 1)[0] for path in self.tree}
        for name in floors.KIND_OF_FILE:
            if name not in stems:
                self.complain("build_defs/floors/floors.py", 1, "%s is no longer there" % name)
        for name in list(floors.FOREIGN_IN_HEADER) + list(floors.PB_FILES):
            if name not in self.tree:
                self.complain("build_defs/floors/floors.py", 1, "%s is no longer there" % name)


def main(marker):
    root = os.path.dirname(os.path.realpath(marker))
    tree = read_tree(root)
    # the walk itself must not be what makes the test pass
    for must in ["lib/base/error.h", "runtime/main.c", "cli/main.c", "services/claims/main.c"]:
        assert must in tree, "%s not found below %s" % (must, root)
    builds = read_builds(root)
    assert "lib/base/BUILD.bazel" in builds, "BUILD files not found below %s" % root
    complaints = Judge(tree).run() + unsaid(builds)
    for c in complaints:
        print(c)
    print("%d files, %d complaints" % (len(tree), len(complaints)))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
