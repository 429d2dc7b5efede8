#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compares the requirements of the RFCs with the citations in the sources.

    compliance.py write     writes Documentation/networking/quic-compliance.md
    compliance.py check     prints TAP; fails on a wrong citation or when a count falls
    compliance.py floor     raises the floor to the counts of today
    compliance.py missing   lists MUSTs and SHOULDs that nothing cites

A requirement is met where a comment says `RFC 9000 4.1 #3`, and tested where one says
`RFC 9000 4.1 #3 test`.  What no comment in this tree can say, because it is no duty of this code or
is met by what is not written here, is in notes.tsv with the reason.
"""

import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
DATA = TOP / "Documentation/networking/rfc"
REPORT = TOP / "Documentation/networking/quic-compliance.md"
SOURCES = ["net", "rust", "include", "tools"]
SUFFIXES = (".rs", ".c", ".h", ".sh", ".py")
RFCS = {
    "9000": "QUIC: a UDP-based multiplexed and secure transport",
    "9001": "Using TLS to secure QUIC",
    "9002": "QUIC loss detection and congestion control",
    "8899": "Packetization layer path MTU discovery for datagram transports",
}
LEVELS = ("MUST", "SHOULD")
CITATION = re.compile(r"RFC (\d{4}) (\d+(?:\.\d+)*|[A-Z](?:\.\d+)*) #(\d+)( test\b)?")
NOTES = {
    "other": "no duty of a QUIC endpoint's transport",
    "application": "for the application or the TLS library to meet",
    "design": "met by how it is built",
    "not done": "not done",
}


def rows(name, fields):
    for nr, line in enumerate((DATA / name).read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            row = line.split("\t")
            if len(row) != fields:
                sys.exit(f"{name}:{nr}: {len(row)} fields, not {fields}")
            yield row


def requirements():
    return {
        (rfc, section, int(nr)): (level, text)
        for rfc, section, nr, level, text in rows("requirements.tsv", 5)
    }


def notes(known):
    result = {}
    for rfc, section, nr, kind, reason in rows("notes.tsv", 5):
        key = (rfc, section, int(nr))
        if key not in known or kind not in NOTES or key in result:
            sys.exit(f"notes.tsv: {rfc} {section} #{nr} {kind}: unknown or twice")
        result[key] = (kind, reason)
    return result


def citations(known):
    """Files that meet and files that test each requirement, and citations of nothing."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={TOP}", "ls-files", "-co", "--exclude-standard", "--", *SOURCES],
        cwd=TOP, capture_output=True, text=True, check=True,
    ).stdout.splitlines()
    met, tested, wrong = {}, {}, []
    for name in sorted(set(listed)):
        path = TOP / name
        if not name.endswith(SUFFIXES) or not path.is_file():
            continue
        for nr, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            for rfc, section, number, test in CITATION.findall(line):
                key = (rfc, section, int(number))
                if rfc not in RFCS:
                    continue
                if key not in known:
                    wrong.append(f"{name}:{nr}: RFC {rfc} {section} #{number} does not exist")
                    continue
                (tested if test else met).setdefault(key, set()).add(name)
    return met, tested, wrong


def counts(known, noted, met, tested):
    """Per RFC and level: all, excused, met, tested."""
    result = {}
    for key, (level, _) in known.items():
        if level not in LEVELS:
            continue
        row = result.setdefault(f"{key[0]} {level}", [0, 0, 0, 0])
        kind = noted.get(key, ("", ""))[0]
        row[0] += 1
        row[1] += kind in ("other", "application")
        row[2] += key in met or kind == "design"
        row[3] += key in tested
    return dict(sorted(result.items(), key=lambda item: (-int(item[0][:4]), item[0])))


def table(totals):
    yield "| | requirements | not ours | met | tested | open |"
    yield "|---|---|---|---|---|---|"
    for name, (total, excused, met, tested) in totals.items():
        rest = total - excused - met
        yield f"| RFC {name} | {total} | {excused} | {met} | {tested} | {rest} |"


def write(known, noted, met, tested):
    totals = counts(known, noted, met, tested)
    out = [
        "<!-- SPDX-License-Identifier: GPL-2.0 -->",
        "<!-- Made by scripts/compliance.sh write; do not edit. -->",
        "# Requirements of the RFCs: where each is met, and what proves it",
        "",
        "Numbers are those of `rfc/requirements.tsv`. *Not ours* are duties of applications, of the",
        "TLS library, of IANA or of future documents; each has its reason below. *Met* are those whose",
        "number stands at the code that decides it, *tested* those whose number stands at a test.",
        "",
        *table(totals),
    ]
    for rfc, title in RFCS.items():
        out += ["", f"## RFC {rfc}: {title}", "", "| | level | requirement | met | tested |", "|---|---|---|---|---|"]
        for key, (level, text) in known.items():
            if key[0] != rfc or level not in LEVELS:
                continue
            kind, reason = noted.get(key, ("", ""))
            where = files(met.get(key))
            if kind:
                where = f"{where}; {NOTES[kind]}: {reason}".lstrip("; ")
            text = text.replace("|", "\\|")
            out.append(
                f"| {key[1]} #{key[2]} | {level} | {text} | {where or '**open**'} | {files(tested.get(key))} |"
            )
    REPORT.write_text("\n".join(out) + "\n")
    print(*table(totals), sep="\n")


def files(names):
    return ", ".join(sorted(name.removeprefix("net/quic/") for name in names or ()))


def floor():
    return {name: (int(met), int(tested)) for name, met, tested in rows("floor.tsv", 3)}


def check(known, noted, met, tested, wrong):
    failed = False
    nr = 1
    for line in wrong:
        print(f"# {line}")
    print(f"{'not ok' if wrong else 'ok'} {nr} - every citation names a requirement that exists")
    failed |= bool(wrong)
    least = floor()
    for name, (total, excused, is_met, is_tested) in counts(known, noted, met, tested).items():
        for what, now, then in (
            ("met", is_met + excused, least.get(name, (0, 0))[0]),
            ("tested", is_tested, least.get(name, (0, 0))[1]),
        ):
            nr += 1
            bad = now < then
            failed |= bad
            print(f"{'not ok' if bad else 'ok'} {nr} - RFC {name}: {now} of {total} {what}, at least {then}")
    print(f"1..{nr}")
    return failed


def raise_floor(known, noted, met, tested):
    lines = [
        "# SPDX-License-Identifier: GPL-2.0",
        "# The least counts that `scripts/compliance.sh check` accepts: RFC and level, met or not ours, tested.",
    ]
    for name, (_, excused, is_met, is_tested) in counts(known, noted, met, tested).items():
        lines.append(f"{name}\t{is_met + excused}\t{is_tested}")
    (DATA / "floor.tsv").write_text("\n".join(lines) + "\n")


def missing(known, noted, met, tested):
    for key, (level, text) in known.items():
        if level in LEVELS and key not in met and key not in noted:
            tag = "T" if key in tested else " "
            print(f"{key[0]} {key[1]} #{key[2]} {level} {tag} {text}")


def main():
    verb = sys.argv[1] if len(sys.argv) > 1 else "check"
    known = requirements()
    noted = notes(known)
    met, tested, wrong = citations(known)
    if verb == "write":
        write(known, noted, met, tested)
    elif verb == "floor":
        raise_floor(known, noted, met, tested)
    elif verb == "missing":
        missing(known, noted, met, tested)
    elif verb == "check":
        sys.exit(check(known, noted, met, tested, wrong))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
