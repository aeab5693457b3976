"""Whether a sentence ends at a stop: the rules, in the order in which they are asked (`RULES`).

Certainty
- Proved by the stop itself: a full stop of one script only (`。`, `।`), outside quotations; a bullet that comes again.
- Proved by the next visible character: nearly everything else. Closing marks, emoji and footnotes behind the stop still
  belong to the sentence; then it is the character behind them.
- Proved by the next word: an abbreviation that may end a sentence too (`U.S.`, `Inc.`, `p.m.`), an initial, an ordinal,
  `... I`, and a missing space. Only the word says whether something new begins: `the U.S. It`, `the U.S. Senate`.

A rule answers CUT, JOIN or WAIT, or None to leave it to the next one. If none objects, the sentence ends. Here are the
rules for what stands behind the stop; those for the word before a full stop are in `abbreviations.py`.
"""

from __future__ import annotations

from flows.sentences.abbreviations import abbreviation, doubled, initials, ordinal, small_letter
from flows.sentences.signs import (
    BULLETS,
    CLOSERS,
    CONTINUING,
    DASHES,
    DOTS,
    EYES,
    FULL_STOPS,
    MARKER,
    OPENING,
    WIDE_OPENING,
    is_open,
    is_quoting,
)
from flows.sentences.stops import Rule, Stop, Verdict, verdict_on

CUT, JOIN, WAIT = Verdict.CUT, Verdict.JOIN, Verdict.WAIT

_MARKER_LENGTH = 24
_NUMERALS = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"]


def judge(stop: Stop) -> Verdict:
    for rule in RULES:
        verdict = rule(stop)
        if verdict is not None:
            return verdict
    return CUT


def needs_more(sign: str) -> bool:
    """Whether this stop can only be judged with something behind it."""
    return sign not in FULL_STOPS and sign not in BULLETS


def may_end_at_bracket(text: str, start: int | None, at: int, item: tuple[str, str] | None) -> bool:
    """Whether `)` can be more than a bracket here: part of a list marker, or an emoticon's mouth."""
    return item is not None or (start is not None and at - start < _MARKER_LENGTH) or text[at - 1 : at] in EYES


# What stands behind the stop


def own_full_stop(stop: Stop) -> Verdict | None:
    """`。` ends a sentence wherever it stands; inside a quotation its closing mark may follow."""
    proof = next((i for i, sign in enumerate(stop.run, 1) if sign in FULL_STOPS), 0)
    if not proof:
        return None
    stop.cut = stop.end = stop.at + proof
    if not is_quoting(stop.before):
        return CUT
    closers = CLOSERS.match(stop.text, stop.end)
    stop.cut = closers.end() if closers else stop.end
    if stop.cut == len(stop.text):
        return JOIN if stop.final else WAIT
    quoted = stop.cut > stop.end and stop.text.startswith(stop.language.quoting, stop.cut)
    return JOIN if quoted else CUT


def bullet(stop: Stop) -> Verdict | None:
    """A bullet ends the item that began with the same bullet: • one • two"""
    if stop.run not in BULLETS:
        return None
    again = stop.start is not None and stop.before.lstrip()[:1] == stop.run and stop.before[-1].isspace()
    stop.cut = stop.at
    return CUT if again else JOIN


def nothing_yet(stop: Stop) -> Verdict | None:
    """Nothing visible has come, or half a sign. A line break is judged by itself (lines.py)."""
    if stop.far:
        return JOIN if stop.run == ")" else CUT
    if stop.unfinished or not stop.next:
        return JOIN if stop.final else WAIT
    return JOIN if stop.next == "\n" else None


def opening_dots(stop: Stop) -> Verdict | None:
    """A stop with nothing before it opens a sentence: ... and so on."""
    return JOIN if stop.start is not None and not stop.before.strip() else None


def list_marker(stop: Stop) -> Verdict | None:
    """The first stop of an item belongs to its marker; the next marker ends the item: 1) one 2) two"""
    sign = stop.run + stop.closers if stop.run != ")" else ")"
    if sign not in (".", ")", ".)") or stop.glued:
        return None
    if stop.start is not None and len(stop.before) < _MARKER_LENGTH:
        marker = MARKER.fullmatch(stop.before)
        if marker:
            stop.item = (marker.group(1), sign)
            return JOIN
    if stop.item is None or sign != stop.item[1] or not stop.next.isupper():
        return None
    if len(stop.words) < 2 or stop.words[-1] != _following(stop.item[0]):
        return None
    if stop.words[-2].lower() in stop.language.counted:
        return None
    stop.cut = stop.at - len(stop.words[-1])
    return CUT


def label(stop: Stop) -> Verdict | None:
    """A label at the start goes on with what it labels: Step 1. Open the box."""
    if len(stop.words) != 2 or not stop.is_young() or not stop.word.isdigit():
        return None
    return JOIN if stop.words[0].lstrip(OPENING + "#").lower() in stop.language.counted else None


def emoticon(stop: Stop) -> Verdict | None:
    """`:-)` ends a sentence before a capital; any other `)` ends nothing."""
    if stop.run != ")":
        return None
    smile = stop.words[-1] if stop.words and not stop.before[-1].isspace() else ""
    smiles = len(smile) <= 3 and smile[:1] in (":", ";", "=") and not stop.glued
    return CUT if smiles and stop.next.isupper() else JOIN


def glued(stop: Stop) -> Verdict | None:
    """Without a space a sentence ends only where that leaves no doubt, and never inside an address or a file name."""
    if not stop.glued:
        return None
    if stop.closers or not stop.word or any(sign in stop.words[-1] for sign in "/@=&"):
        return JOIN
    if stop.run[-1] not in DOTS:
        opens = (stop.next.isalpha() and not stop.next.islower()) or stop.next in WIDE_OPENING
        return CUT if opens and not _is_in_title(stop) else JOIN
    if stop.run in ("．", "﹒"):
        return CUT if stop.next.isalpha() and not stop.next.isascii() else JOIN
    if "." in stop.word or stop.word[-1].isupper():
        return JOIN
    return verdict_on(stop.opens(), CUT, JOIN)


def continued(stop: Stop) -> Verdict | None:
    """A comma or a closing bracket behind a stop goes on with the sentence."""
    if stop.next not in CONTINUING:
        return None
    if stop.next != ",":
        return JOIN
    follows = stop.text[stop.ahead + 1 : stop.ahead + 2]
    if not follows and not stop.final:
        return WAIT
    return CUT if follows.isupper() else JOIN  # ,Ja' is a quotation in old German texts


def before_capital(stop: Stop) -> Verdict | None:
    """A semicolon, where it may end a sentence, does so before a capital only."""
    if stop.run not in stop.language.capital_stops:
        return None
    return CUT if stop.next.isupper() else JOIN


def in_title(stop: Stop) -> Verdict | None:
    """A mark inside the title of a book or film: 《摔跤吧！爸爸》"""
    return JOIN if stop.run[-1] not in DOTS and _is_in_title(stop) else None


def marked_name(stop: Stop) -> Verdict | None:
    """Yahoo! and its like end a sentence only before a word that opens one."""
    name = stop.word.lower() + stop.run
    names = [entry for entry in stop.language.marked_names if entry.startswith(name)] if stop.run in "!?" else []
    if name in names:
        return verdict_on(stop.opens(), CUT, JOIN)
    if not names:
        return None
    word = stop.next_word()
    ahead = f"{name} {stop.word_so_far()}"
    if word is None and any(entry.startswith(ahead) for entry in names):
        return WAIT
    return JOIN if ahead in names else None


def spaced_dots(stop: Stop) -> Verdict | None:
    """`word. . . . Next`: the first dot is the full stop. `word . . . . Next`: the last. Three are an ellipsis."""
    if " ." not in stop.run or stop.run.strip(" .\t\u00a0\u202f"):
        return None
    if stop.next.islower():
        return JOIN
    if stop.run.count(".") < 4:
        return None
    if stop.word:
        stop.cut = stop.at + 1
    return CUT


def ellipsis(stop: Stop) -> Verdict | None:
    """Dots end a sentence before a capital, if that proves something: not `... I`. `[...]` alone ends nothing."""
    if "…" not in stop.run and stop.run.count(".") < 2:
        return None
    if stop.run[-1] not in DOTS:
        return JOIN if stop.next.islower() else None
    if not stop.next.isupper() and (stop.next.isalpha() or "]" in stop.closers or ")" in stop.closers):
        return JOIN
    always = stop.language.always_capital
    if stop.run == ".." or not any(word[0] == stop.next.lower() for word in always):
        return None
    word = stop.next_word()
    return WAIT if word is None else JOIN if word in always else None


def dash(stop: Stop) -> Verdict | None:
    """A dash goes on inside a quotation, and behind a mark if a small letter follows: — Стой! — крикнул он."""
    if stop.next not in DASHES:
        return None
    if is_quoting(stop.before):
        return JOIN
    if stop.run == ".":
        return CUT if stop.kind() is None else JOIN  # Mo. – Fr.
    behind = stop.text[stop.ahead : stop.ahead + 8].lstrip(DASHES + " ")[:1]
    if not behind and len(stop.text) < stop.ahead + 8 and not stop.final:
        return WAIT
    return JOIN if behind.islower() or behind.isdigit() else CUT


def _is_in_title(stop: Stop) -> bool:
    return any(is_open(mark, stop.before) for mark in "》〉』")


def _following(marker: str) -> str:
    """The list marker that comes after this one."""
    if marker.isdigit():
        return str(int(marker) + 1)
    if marker in _NUMERALS[:-1] and marker not in "vx":
        return _NUMERALS[_NUMERALS.index(marker) + 1]
    return chr(ord(marker) + 1) if len(marker) == 1 and marker.islower() else ""


RULES: tuple[Rule, ...] = (
    own_full_stop,
    bullet,
    nothing_yet,
    opening_dots,
    list_marker,
    label,
    emoticon,
    glued,
    continued,
    before_capital,
    in_title,
    marked_name,
    spaced_dots,
    ellipsis,
    ordinal,
    dash,
    abbreviation,
    doubled,
    initials,
    small_letter,
)
