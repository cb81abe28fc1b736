"""Tables of docs/ against the source they speak of: limits, flags, and which service calls what of the state.

A table of limits has a last column `In the source`: for each quantity of its column `Limit` or `Default`, in order, the
file and the constant (`lib/wire/wire.h` `WIRE_MAX_PAYLOAD`) or the flag (`services/router/config.c` `--max-connections`)
that it is; the file may be left out when it is the one before. `-` where there is no quantity.
"""

import re

SOURCE = "In the source"
QUANTITY = re.compile(r"\b(\d[\d,]*(?:\.\d+)?)(?: (KiB|MiB|GiB|ms|s|min|h)\b)?")
BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
MILLISECONDS = {"ms": 1, "s": 1000, "min": 60000, "h": 3600000}
# what a service's main function and its callbacks are about, and what only computes
NO_CALLS = {"new", "free", "count", "set_now"}


def tables(text):
    """Every table: (line of its head, head, rows), cells stripped."""
    found, lines = [], text.split("\n")
    for i, line in enumerate(lines):
        if line.startswith("|") and i + 1 < len(lines) and re.fullmatch(r"\|[-| ]+\|", lines[i + 1]):
            rows = []
            for row in lines[i + 2 :]:
                if not row.startswith("|"):
                    break
                rows.append(cells(row))
            found.append((i + 1, cells(line), rows))
    return found


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def quantities(cell):
    """Numbers as (kind, value): bytes and counts as they are, times in milliseconds. Not those within backticks."""
    found = []
    for number, unit in QUANTITY.findall(re.sub(r"`[^`]*`", "", cell)):
        value = float(number.replace(",", ""))
        if unit in MILLISECONDS:
            found.append(("ms", value * MILLISECONDS[unit]))
        else:
            found.append(("number", value * BYTES.get(unit, 1)))
    return found


def evaluate(expression):
    """A constant expression of C, of numbers and operators only; None when there is more in it."""
    plain = re.sub(r"\((?:u?int\d+_t|s?size_t|int|long)\)|(?<=\d)[uUlL]+", "", expression)
    return eval(plain) if re.fullmatch(r"[\d\s()+*/<-]+", plain) else None


def constant(text, name):
    """The value of `#define NAME ...`, `NAME = ...` of an enum or `.name = ...` of an initializer, as quantities are."""
    word = re.escape(name.lstrip("."))
    dot = r"\." if name.startswith(".") else r"(?<![.\w])"
    found = re.findall(rf"^#define {word} (.+?)(?: /\*.*)?$", text, re.M)
    found += re.findall(rf"{dot}{word} = ([^,;}}=]+)[,;}} ]", text)
    values = {v for v in map(evaluate, found) if v is not None}
    if len(values) != 1:
        return None
    return ("ms" if name.lower().endswith("_ms") else "number", float(values.pop()))


def flag(text, name):
    """The default of a flag in a table of lib/base/config.h."""
    row = re.search(rf'\{{"{re.escape(name)}",(.*?)\}},?\n', text, re.S)
    words = row and re.findall(r'"((?:[^"\\]|\\.)*)"', row[1])
    if not words or len(words) < 2:
        return None
    default = quantities(re.sub(r"(?<=\d)(?=[a-z])", " ", words[1]))
    return default[0] if len(default) == 1 else None


def check_limits(doc, text, read):
    """Complaints, and the number of quantities that were compared. read(path): the text of a source, or None."""
    complaints, compared = [], 0
    for at, head, rows in tables(text):
        if head[-1] != SOURCE:
            continue
        column = next((i for i, h in enumerate(head) if h in ("Limit", "Default")), None)
        if column is None:
            complaints.append(f"{doc}:{at}: a table with '{SOURCE}' needs a column Limit or Default")
            continue
        for i, row in enumerate(rows):
            where = f"{doc}:{at + 2 + i}"
            wanted, path, got = quantities(row[column]), None, []
            for word in re.findall(r"`([^`]+)`", row[-1]):
                if "/" in word:
                    path = word
                    continue
                source = read(path) if path else None
                if source is None:
                    complaints.append(f"{where}: {path} is no source of this test")
                    continue
                value = flag(source, word[2:]) if word.startswith("--") else constant(source, word)
                if value is None:
                    complaints.append(f"{where}: {path} has no one value of {word}")
                got.append((word, value))
            if len(got) != len(wanted):
                complaints.append(f"{where}: {len(wanted)} quantities, and {len(got)} places in the source")
            for quantity, (word, value) in zip(wanted, got):
                compared += 1
                if value is not None and quantity != value:
                    complaints.append(f"{where}: {word} is {value[1]:g} {value[0]}, not {quantity[1]:g} {quantity[0]}")
    return complaints, compared


def check_flags(doc, text, sources):
    """Tables `| Flag | ... Default ... |`: each flag is there, and a default in backticks or digits is the flag's. As above."""
    complaints, compared = [], 0
    source = "\n".join(sources).replace("\\\n", " ")
    for at, head, rows in tables(text):
        if head[0] != "Flag" or "Default" not in head:
            continue
        for i, row in enumerate(rows):
            where, flags = f"{doc}:{at + 2 + i}", re.findall(r"`--([a-z-]+)`", row[0])
            said = re.fullmatch(r"`([^`]*)`|([\d.]+)", row[head.index("Default")])
            for name in flags:
                found = re.search(rf'"{name}",\s*(?:"[^"]*"|\w+),[^"]*"([^"]*)"', source)
                if not found:
                    complaints.append(f"{where}: there is no --{name}")
                elif said and len(flags) == 1:
                    compared += 1
                    if found[1] != (said[1] or said[2]):
                        complaints.append(f"{where}: --{name} is {found[1]!r}, not {said[1] or said[2]!r}")
    return complaints, compared


def state_calls(header):
    """What headers of lib/state let a service ask of the store; not what it is told (state_on_...)."""
    names = set(re.findall(r"^\w[\w *]*\bstate_(\w+)\(State \*\w+[,)]", header, re.M))
    return {n for n in names if n not in NO_CALLS and not n.startswith("on_")}


def made_calls(sources, names):
    """Of names, those in the sources, called or handed on as functions; comments and includes do not count."""
    found = set()
    for text in sources:
        code = re.sub(r"/\*.*?\*/|#include [^\n]*", "", text, flags=re.S)
        found |= {n for n in re.findall(r"\bstate_(\w+)", code) if n in names}
    return found


def check_calls(doc, text, made):
    """The table `| Service | Calls |` against made: service -> names."""
    table = next((t for t in tables(text) if t[1] == ["Service", "Calls"]), None)
    if table is None:
        return [f"{doc}: no table of Service and Calls"]
    at, _, rows = table
    said = {row[0]: set(re.findall(r"[a-z_]+", re.sub(r"\([^)]*\)", "", row[1]))) for row in rows}
    complaints = []
    for service in sorted(said.keys() | made.keys()):
        for name in sorted(said.get(service, set()) - made.get(service, set())):
            complaints.append(f"{doc}:{at}: {service} does not call {name}")
        for name in sorted(made.get(service, set()) - said.get(service, set())):
            complaints.append(f"{doc}:{at}: {service} calls {name} as well")
    return complaints
