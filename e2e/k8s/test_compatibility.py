"""docs/compatibility.md names tests; each of them exists, and no row is without one."""

import re

from harness.cluster import ROOT


def test_the_page_names_tests_that_exist():
    text = (ROOT / "docs/compatibility.md").read_text()
    rules = text.split("## Where it differs")[0]
    rows = [line for line in rules.splitlines() if line.startswith("| ") and not line.startswith("| Rule")]
    assert len(rows) > 100
    for row in rows:
        cell = row.rsplit("|", 2)[1]
        groups = re.findall(r"`(test_\w+\.py)`: ((?:`test_\w+`(?:, )?)+)", cell)
        assert groups, f"no test: {row}"
        for file, names in groups:
            source = (ROOT / "e2e/k8s" / file).read_text()
            for name in re.findall(r"`(test_\w+)`", names):
                assert f"def {name}(" in source, f"{file} has no {name}: {row}"
