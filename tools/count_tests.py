#!/usr/bin/env python3
"""Counts what tests said, and prints "PASSED FAILED SKIPPED".

count_tests.py report REPORT.xml         pytest's junit file
count_tests.py logs FOLDER TARGET...     the skips in Bazel's test logs; Bazel itself says what passed

A skip that tools/allowed_skips does not list is named on stderr and counted as a failure: a test that is skipped without
anybody having said why tests nothing.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree

ALLOWED = pathlib.Path(__file__).with_name("allowed_skips")
# cmocka's own line; its summary begins with a number
SKIPPED = re.compile(r"^\[  SKIPPED \] (\w+)$", re.MULTILINE)


def allowed():
    lines = (" ".join(line.split("#")[0].split()) for line in ALLOWED.read_text().splitlines())
    return {line for line in lines if line}


def refused(names):
    bad = sorted(set(names) - allowed())
    for name in bad:
        print(f"FAILED {name}: skipped, and tools/allowed_skips does not list it", file=sys.stderr)
    return bad


def report(path):
    passed = failed = 0
    skipped = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
        elif "skipped" in kinds:
            skipped.append(f"{case.get('classname')} {case.get('name')}")
        else:
            passed += 1
    bad = len(refused(skipped))
    print(passed, failed + bad, len(skipped) - bad)


def logs(folder, targets):
    names = []
    for target in targets:
        for log in pathlib.Path(folder, target.lstrip("/").replace(":", "/")).rglob("test.log"):
            names += {f"{target} {name}" for name in SKIPPED.findall(log.read_text(errors="replace"))}
    bad = len(refused(names))
    print(0, bad, len(names) - bad)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["report", path]:
            report(path)
        case ["logs", folder, *targets]:
            logs(folder, targets)
        case ["-h" | "--help"]:
            print(__doc__)
        case _:
            print("count_tests.py: say report REPORT.xml, or logs FOLDER TARGET...", file=sys.stderr)
            sys.exit(2)
