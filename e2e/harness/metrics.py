"""What a service's /metrics says: {(name, frozenset of labels): value}."""

import re
import urllib.request

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.M)


def text(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def scrape(port):
    found = {}
    for line in text(port).splitlines():
        if m := SAMPLE.match(line):
            found[m[1], frozenset(LABEL.findall(m[2] or ""))] = float(m[3])
    return found


def total(samples, name, **labels):
    """Sum of the series that have these labels."""
    return sum(v for (n, own), v in samples.items() if n == name and set(labels.items()) <= own)


def types(port):
    """{name: type} of all metrics, also of those without a series."""
    return dict(TYPE.findall(text(port)))
