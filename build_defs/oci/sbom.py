"""sbom.py IMAGE SPDX LICENCES PACKAGES FILE...: writes the bill of materials of an image.

PACKAGES are Debian packages, with commas, or a MANIFEST for all of its own; FILEs are the MANIFESTs of the repositories that hold them (name, version and
checksum of each) and Debian's copyright files. A package that no MANIFEST has, or without a copyright file, is an error: a
bill with a hole says less than none. Only the licence of `Files: *` is declared; the others are in LICENCES in full.
"""

import hashlib
import json
import pathlib
import re
import sys

# Debian's short names and those of SPDX
SPDX = {
    "apache-2.0": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "curl": "curl", "expat": "MIT",
    "gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later", "gpl-3+": "GPL-3.0-or-later", "isc": "ISC", "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-2.1+": "LGPL-2.1-or-later", "lgpl-2+": "LGPL-2.0-or-later", "lgpl-3+": "LGPL-3.0-or-later", "mit": "MIT", "zlib": "Zlib",
}  # fmt: skip
# parts of the compiler's runtime: their Debian packages refer to one that is not unpacked
GCC = {"libatomic1", "libgcc-12-dev", "libgcc-s1", "libstdc++-12-dev", "libstdc++6"}
GCC_LICENCE = "GPL-3.0-or-later WITH GCC-exception-3.1"
GCC_TEXT = "Part of the GNU Compiler Collection, under the GNU General Public License 3 or later with the GCC Runtime Library Exception 3.1."
# Its Debian package refers to that of the shared object too; the licence is the one that others have in full.
RE2 = "libre2-dev"
# copyright files without a machine-readable form
DECLARED = {
    "ca-certificates": "MPL-2.0 AND GPL-2.0-or-later",
    "libgcrypt20": "LGPL-2.1-or-later",
    "libpython3.11-minimal": "Python-2.0",
    "libpython3.11-stdlib": "Python-2.0",
    "python3-minimal": "Python-2.0",
    "python3.11-minimal": "Python-2.0",
    "libc6": "LGPL-2.1-or-later",
    "libc6-dev": "LGPL-2.1-or-later",
    "libc-ares-dev": "MIT",
    "libhttp-parser-dev": "MIT",
    "libre2-dev": "BSD-3-Clause",
    "netbase": "GPL-2.0-only",
    "zlib1g": "Zlib",
    "zlib1g-dev": "Zlib",
}


def manifest(paths):
    """{package: (version, sha256)}; the first that has a package is the one it is taken from."""
    lines = [line.split() for path in paths for line in path.read_text().splitlines()]
    return {f[0]: (f[1], f[2]) for f in reversed(lines) if len(f) == 3 and f[0] != "drift"}


def expression(text, refs):
    """A Debian licence field as an SPDX expression; what SPDX has no name for becomes a reference to its name."""
    parts = re.split(r"\s+(and|or|with)\s+|[,\s]*,\s*", text.strip().split("\n")[0])
    out = []
    for word in (p for p in parts if p):
        if word in ("and", "or", "with"):
            out.append(word.upper())
            continue
        known = SPDX.get(word.lower())
        ref = known or "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", word).strip("-")
        if not known:
            refs[ref] = word
        out += ["AND", ref] if out and out[-1] not in ("AND", "OR", "WITH") else [ref]
    return " ".join(out)


def declared(package, text, refs):
    if package in GCC:
        return GCC_LICENCE
    if package in DECLARED:
        return DECLARED[package]
    stanzas = re.split(r"\n\s*\n", text)
    for stanza in stanzas:
        files = re.search(r"^Files:\s*\*\s*$", stanza, re.M)
        licence = re.search(r"^License:\s*(\S.*)$", stanza, re.M)
        if files and licence:
            return expression(licence[1], refs)
    return "NOASSERTION"


def text_of(package, texts):
    if package in GCC:
        return GCC_TEXT
    if package != RE2:
        return texts[package].read_text(errors="replace")
    for path in texts.values():
        if found := re.search(r"^License: BSD-3-clause\n((?: .*\n)+)", path.read_text(errors="replace"), re.M):
            return "RE2: copyright of the RE2 authors, under this licence (BSD-3-Clause):\n" + found[1]
    raise SystemExit("sbom.py: no copyright file has the text of BSD-3-clause")


def main(image, spdx, licences, packages, *files):
    paths = [pathlib.Path(f) for f in files]
    known = manifest([p for p in paths if p.name == "MANIFEST"])
    texts = {p.parent.name: p for p in reversed(paths) if p.name == "copyright"}
    refs, items, all_texts = {}, [], {}
    wanted = packages.split(",")
    for path in [w for w in wanted if w.endswith("/MANIFEST")]:
        wanted.remove(path)
        wanted += manifest([pathlib.Path(path)])
    for package in sorted(set(wanted)):
        if package not in known or package not in texts.keys() | GCC | {RE2}:
            raise SystemExit(f"sbom.py: {package}: {'no copyright file' if package in known else 'in no MANIFEST'}")
        version, checksum = known[package]
        text = text_of(package, texts)
        all_texts.setdefault(text, []).append(package)
        epochless = version.split(":")[-1]
        items.append({
            "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", package),
            "name": package,
            "versionInfo": version,
            "supplier": "Organization: Debian",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": declared(package, text, refs),
            "copyrightText": "NOASSERTION",
            "checksums": [{"algorithm": "SHA256", "checksumValue": checksum}],
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{package}@{epochless}?arch=amd64&distro=bookworm"}],
        })  # fmt: skip
    top = {"SPDXID": "SPDXRef-image", "name": image, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
           "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION"}  # fmt: skip
    digest = hashlib.sha256(json.dumps(items, sort_keys=True).encode()).hexdigest()
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": image,
        "documentNamespace": f"urn:sandplane:sbom:{image}:{digest}",
        # the time of every file of a reproducible image
        "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: sandplane-sbom"]},
        "packages": [top, *items],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-image",
            }
        ]
        + [
            {"spdxElementId": "SPDXRef-image", "relationshipType": "CONTAINS", "relatedSpdxElement": i["SPDXID"]}
            for i in items
        ],
        "hasExtractedLicensingInfos": [
            {"licenseId": ref, "name": name, "extractedText": "in /usr/share/sandplane/copyright"}
            for ref, name in sorted(refs.items())
        ],
    }
    pathlib.Path(spdx).write_text(json.dumps(document, indent=1) + "\n")
    whole = [f"==== {', '.join(names)} ====\n\n{text.rstrip()}\n" for text, names in all_texts.items()]
    pathlib.Path(licences).write_text("\n".join(whole))


main(*sys.argv[1:])
