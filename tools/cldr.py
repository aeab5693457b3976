"""Makes flows/sentences/languages/cldr.py of Unicode's CLDR (Unicode License V3), as its npm packages hold it.

    mkdir cldr && cd cldr
    npm pack cldr-segments-full@46.1.0 cldr-dates-full@48.2.0 cldr-units-full@48.2.0 cldr-numbers-full@48.2.0
    for file in *.tgz; do mkdir -p ${file%-full*} && tar xzf $file -C ${file%-full*} --strip-components 1; done
    cd .. && .venv/bin/python tools/cldr.py cldr && rm -r cldr

A language is added with the versions that the others have, as above: then the tables of the others stay as they are,
byte for byte. A newer CLDR is a change of its own, since it may change where old recordings are cut.

Taken: what CLDR ends with a full stop (a sentence's suppressions, months, weekdays, quarters, units, large numbers,
eras, parts of the day), and the names of the months. Left out: single letters, which the rules know; capitals alone
(`OK.`, `PC.`); and words that end sentences as often as not, `ORDINARY` below, which CLDR's lists hold as well.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "flows" / "sentences" / "languages" / "cldr.py"
PACKAGES = ("segments", "dates", "units", "numbers")

# A language a line, with the words that CLDR has and we leave out. A new one begins with none: make the file, and look
# through what came.
ORDINARY = {
    "bg": "",
    "cs": "let pol ne",
    "da": "man on ons ti to eng liter",
    "de": "Port Alt Test So Art Best am dt App Mod Max",
    "el": "",
    "en": "By Up Or In To On Is Do Go All As Ok Long Hat Card Job Link Joe Act Pro Id Num imp wk",
    "es": "Kit Rol Sol Bien Korn Col Var Id All may sol esc",
    "fi": "kuva to",
    "fr": "aux mer All",
    "hu": "de du h",
    "it": "on ver all Mod",
    "nb": "man on ons ti to",
    "nl": "ond zo",
    "pl": "",
    "pt": "com des Mar prof",
    "ro": "mi vi du lu ma pic",
    "ru": "дюйм ярд акр",
    "sk": "ne",
    "sv": "ons",
    "tr": "",
    "uk": "рад вуз кар част",
}

_SIGNS = str.maketrans({"'": "", "/": " ", "İ": "I"})

HEAD = '''\
"""Abbreviations of Unicode's CLDR: by language, and by what they shorten.

Made by tools/cldr.py of CLDR {versions}; not to be edited by hand:
our own are in the files beside this one, and go before these. Copyright Unicode, Inc.; Unicode License V3, which is in
LICENSE-UNICODE beside this file.
"""

from __future__ import annotations

CLDR: dict[str, dict[str, str]] = {{
'''


def read(folder: Path, package: str, path: str) -> dict[str, Any]:
    file = folder / f"cldr-{package}" / path
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def texts(data: Any) -> Iterator[str]:
    """Every text in the data, whatever is in what."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from texts(value)


def abbreviations(written: Iterable[str], ordinary: set[str]) -> set[str]:
    """`{0} fl oz imp.` -> imp; `v. Chr.` -> v.chr; without the last full stop."""
    found = set()
    for text in written:
        run: list[str] = []
        plain = text.translate(_SIGNS).replace("-й", " ")
        for word in [*(part.strip("()[]{}0") for part in plain.split()), ""]:
            if word.endswith("."):
                run.append(word.removesuffix("."))
                continue
            if len(run) > 1:
                found.add(".".join(run).lower())
            found.update(part.lower() if "." in part else part for part in run)
            run = []
    return {
        word
        for word in found - ordinary
        if sum(map(str.isalpha, word)) > 1 and word[0].isalpha() and not (word.isupper() and "." not in word)
    }


def tables(folder: Path, code: str) -> dict[str, set[str]]:
    ordinary = set(ORDINARY[code].split())
    name = "no" if code == "nb" and not (folder / "cldr-dates/main/nb").exists() else code
    dates = read(folder, "dates", f"main/{name}/ca-gregorian.json")["main"][name]["dates"]["calendars"]["gregorian"]
    fields = read(folder, "dates", f"main/{name}/dateFields.json")["main"][name]["dates"]["fields"]
    units = read(folder, "units", f"main/{name}/units.json")["main"][name]["units"]
    numbers = read(folder, "numbers", f"main/{name}/numbers.json")["main"][name]["numbers"]
    segments = read(folder, "segments", f"segments/{code}/suppressions.json")
    months, days, parts = dates["months"], dates["days"], dates["dayPeriods"]
    found = {
        "dates": abbreviations(texts([months, days, dates["quarters"]]), ordinary),
        "units": abbreviations(
            texts([units["short"], units["narrow"], [field.get("displayName", "") for field in fields.values()]]),
            ordinary,
        ),
        "amounts": abbreviations(texts(numbers["decimalFormats-numberSystem-latn"]["short"]), ordinary),
        "others": abbreviations(texts([dates["eras"], parts]), ordinary),
        "words": abbreviations((each for each in texts(segments.get("segments", {})) if "." in each), ordinary),
    }
    for of in (months, days):
        short, wide = of["format"]["abbreviated"], set(texts(of))
        found["dates"] |= {word for word in short.values() if word not in of["format"]["wide"].values()} & {
            word for word in wide if word.isalpha() and len(word) > 1
        } - ordinary
    gone: set[str] = set()
    for kind in ("amounts", "dates", "others", "units", "words"):
        found[kind] -= gone
        gone |= found[kind]
    found["months"] = {
        word.lower() for form in months.values() for word in form["wide"].values() if word.isalpha() and len(word) > 2
    }
    return found


def versions(folder: Path) -> str:
    seen = {json.loads((folder / f"cldr-{name}/package.json").read_text())["version"]: name for name in PACKAGES}
    of = {"segments": "segmentation"}
    return " and ".join(f"{version} ({of.get(name, 'all else')})" for version, name in seen.items())


def main() -> None:
    folder = Path(sys.argv[1])
    lines = [HEAD.format(versions=versions(folder))]
    for code in ORDINARY:
        lines.append(f'    "{code}": {{\n')
        for kind, words in sorted(tables(folder, code).items()):
            rows = textwrap.wrap(" ".join(sorted(words)), 106, break_long_words=False, break_on_hyphens=False)
            if len(rows) == 1 and len(rows[0]) + len(kind) < 98:
                lines.append(f'        "{kind}": "{rows[0]}",\n')
            elif rows:
                inside = "".join(f"            {row}\n" for row in rows)
                lines.append(f'        "{kind}": """\n{inside}        """,\n')
        lines.append("    },\n")
    lines.append("}\n")
    TARGET.write_text("".join(lines), encoding="utf-8")
    (TARGET.parent / "LICENSE-UNICODE").write_bytes((folder / "cldr-dates" / "LICENSE").read_bytes())


if __name__ == "__main__":
    main()
