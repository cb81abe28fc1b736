"""check.py FILE: refuses sleeps in tests that waits.py does not name, in the checkout that FILE (a link in the runfiles) points into."""

import os
import re
import sys

import waits


def read_tree(root):
    """path -> text of everything a test may be."""
    tree = {}
    for top in sorted(os.listdir(root)):
        folder = os.path.join(root, top)
        # out/ and the like are links to Bazel's folders
        if os.path.islink(folder) or not os.path.isdir(folder) or top.startswith("."):
            continue
        for at, _, names in os.walk(folder):
            for name in names:
                path = os.path.relpath(os.path.join(at, name), root)
                if is_test(path):
                    with open(os.path.join(at, name), encoding="utf-8") as f:
                        tree[path] = f.read()
    return tree


def is_test(path):
    return any(re.fullmatch(p, path) for p in waits.TESTS) and not path.startswith(tuple(waits.NOT_TESTS))


def sleeps(path, text):
    """Line numbers."""
    pattern = waits.SLEEPS[os.path.splitext(path)[1]]
    return [text.count("\n", 0, m.start()) + 1 for m in re.finditer(pattern, text, re.M)]


def judge(tree):
    complaints = []
    for path in sorted(tree.keys() | waits.ALLOWED.keys()):
        found = sleeps(path, tree.get(path, ""))
        allowed = waits.ALLOWED.get(path, (0, ""))[0]
        if len(found) > allowed:
            at = ", ".join(map(str, found))
            complaints.append(f"{path}: {len(found)} sleeps (lines {at}), {allowed} allowed: wait for an event")
        elif len(found) < allowed:
            complaints.append(f"build_defs/waits/waits.py: {path} has {len(found)} sleeps, not {allowed}")
    return complaints


def main(marker):
    tree = read_tree(os.path.dirname(os.path.realpath(marker)))
    # the walk itself must not be what makes the test pass
    for must in ["lib/loop/loop_test.c", "e2e/test_cli.py", "e2e/k8s/test_trouble.py", "cli/docs_test.sh"]:
        assert must in tree, f"{must} not found"
    complaints = judge(tree)
    print("\n".join([*complaints, f"{len(tree)} files, {len(complaints)} complaints"]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
