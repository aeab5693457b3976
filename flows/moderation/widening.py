"""A user's pattern as it is meant: RE2 knows letters, digits, blanks and words' ends of ASCII alone.

Rules
- `\\d \\w \\s` (and their capitals, and POSIX classes) become the classes of all scripts: Unicode's decimal digits;
  letters, marks, numbers and connectors; White_Space. `{,4}`, which RE2 takes for text, becomes `{0,4}`.
- `\\b` and `\\B` at the beginning and the end of a pattern are taken out and left to who searches: RE2 cannot look at
  letters around a match.
- Inside a pattern they stay where RE2 misses nothing: beside what is a letter, digit or underscore of ASCII for sure.
- What cannot be written exactly is refused, with what to write instead.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from flows.moderation.beginnings import CLASS, ESCAPE, OPEN, REPEAT

_WORD = r"\p{L}\p{M}\p{N}\p{Pc}"
LETTER, NO_LETTER = f"[{_WORD}]", f"[^{_WORD}]"
_SPACE = r"\t-\r\x{85}\p{Z}"
_SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_CONNECTORS = r"\x{203f}\x{2040}\x{2054}\x{fe33}\x{fe34}\x{fe4d}-\x{fe4f}\x{ff3f}"  # but for the underscore

_SETS = {r"\d": r"\p{Nd}", r"\w": _WORD, r"\s": _SPACE}
_POSIX = {
    "alpha": r"\p{L}\p{M}",
    "alnum": r"\p{L}\p{M}\p{N}",
    "digit": r"\p{Nd}",
    "lower": r"\p{Ll}",
    "punct": r"\p{P}\p{S}",
    "space": _SPACE,
    "upper": r"\p{Lu}\p{Lt}",
    "word": _WORD,
}
_POSIX_SETS = {f"[:{name}:]": inside for name, inside in _POSIX.items()}
_NOT = {r"\D": r"\p{Nd}", r"\W": _WORD, r"\S": _SPACE} | {f"[:^{name}:]": inside for name, inside in _POSIX.items()}
_ITEM = re.compile(r"\[:\^?\w+:\]|" + ESCAPE.pattern + r"|.", re.DOTALL)
_COUNT = re.compile(r"\{,(\d+)\}")
_EDGES = (r"\b", r"\B")
_ASCII_WORD = re.compile(r"[0-9A-Za-z_]|\[[0-9A-Za-z_-]+\]")
_OPTIONAL = re.compile(r"[*?]|\{0?,|\{0\}")


class Widened(NamedTuple):
    """The pattern for RE2, and the `\\b` or `\\B` that is to hold where a match begins and where it ends."""

    regex: str
    begins: str = ""
    ends: str = ""


def is_word(char: str) -> bool:
    """Whether it belongs to a word, as `\\w` has it; no character does not."""
    kind = unicodedata.category(char) if char else ""
    return kind == "Pc" or kind.startswith(("L", "M", "N"))


def widened(pattern: str) -> Widened:
    """The pattern over all scripts; `ValueError` with the remedy where it cannot be written exactly."""
    tokens = _tokens(pattern)
    begins, ends, tokens = _edges(tokens)
    for i, token in enumerate(tokens):
        if token == r"\b" and _is_always(tokens, i):
            tokens[i] = "(?:)"
        elif token in _EDGES and not _is_safe(tokens, i):
            raise ValueError(
                f"{token} inside a pattern sees ASCII alone; write what may stand there, such as [^\\pL\\pN], or split "
                "the pattern there"
            )
    return Widened("".join(map(_wide, tokens)), begins, ends)


def _tokens(pattern: str) -> list[str]:
    """Atoms, quantifiers, brackets and bars, in order."""
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith(r"\Q", at):
            end = pattern.find(r"\E", at)
            match_end = end + 2 if end >= 0 else len(pattern)
        else:
            match = (
                (_COUNT.match(pattern, at) if tokens else None)
                or REPEAT.match(pattern, at)
                or (OPEN if pattern[at] == "(" else CLASS).match(pattern, at)
                or ESCAPE.match(pattern, at)
            )
            match_end = match.end() if match else at + 1
        tokens.append(pattern[at:match_end])
        at = match_end
    return tokens


def _edges(tokens: list[str]) -> tuple[str, str, list[str]]:
    """What every alternative begins and ends with, and the pattern without."""
    depth = 0
    alternatives: list[list[str]] = [[]]
    for token in tokens:
        depth += _opens(token)
        if token == "|" and depth == 0:
            alternatives.append([])
        else:
            alternatives[-1].append(token)
    edges = []
    for last in (False, True):
        places = [_edge(alternative, last) for alternative in alternatives]
        found = {alternative[i] if i is not None else "" for alternative, i in zip(alternatives, places, strict=True)}
        edges.append(found.pop() if len(found) == 1 else "")
        if edges[-1]:
            for alternative, i in zip(alternatives, places, strict=True):
                del alternative[i if i is not None else 0]
    return edges[0], edges[1], [token for each in alternatives for token in ("|", *each)][1:]


def _edge(alternative: list[str], last: bool) -> int | None:
    """Where the alternative has `\\b` or `\\B` at its beginning (flags may stand before it), or at its end."""
    places = range(len(alternative) - 1, -1, -1) if last else range(len(alternative))
    for i in places:
        if alternative[i] in _EDGES:
            return i
        if last or not _sets_flags(alternative[i]):
            return None
    return None


def _sets_flags(token: str) -> bool:
    return token.startswith("(?") and token.endswith(")")


def _is_always(tokens: list[str], at: int) -> bool:
    """Whether there is a boundary for sure: letters on one side alone, and none on the other."""
    before, behind = ({_kind(atom) for atom in _beside(tokens, at + step, step)} for step in (-1, 1))
    return (before, behind) in (({"word"}, {"other"}), ({"other"}, {"word"}))


def _kind(atom: str) -> str:
    """What all of an atom is: "word", "other", or unknown."""
    if re.fullmatch(r"\\[dw]|\\p\{?[LMN]\w?\}?", atom):
        return "word"
    if re.fullmatch(r"\\[sW]|\\[^0-9A-Za-z]", atom):
        return "other"
    if atom.startswith("[") and not atom.startswith("[^"):
        inside = re.sub(r"0-9|a-z|A-Z", "a", atom[1:-1])
        kinds = {_kind(item.group()) for item in _ITEM.finditer(inside)}
        return kinds.pop() if len(kinds) == 1 else ""
    if len(atom) != 1 or atom == ".":
        return ""
    return "word" if is_word(atom) else "other"


def _is_safe(tokens: list[str], at: int) -> bool:
    """Whether RE2's boundary misses nothing there. For `\\b` it is enough that one side is a letter of ASCII for sure:
    where there is none of Unicode's on the other, there is none of ASCII's. For `\\B` both have to be."""
    sure = [all(map(_ASCII_WORD.fullmatch, _beside(tokens, at + step, step))) for step in (-1, 1)]
    return any(sure) if tokens[at] == r"\b" else all(sure)


def _beside(tokens: list[str], at: int, step: int) -> list[str]:
    """The atoms that come first from `at` on, in the direction of `step`; "" among them for what is not seen."""
    token = tokens[at] if 0 <= at < len(tokens) else "|"
    after = tokens[at + 1] if at + 1 < len(tokens) else ""
    if token in _EDGES or _sets_flags(token):
        return _beside(tokens, at + step, step)
    if REPEAT.fullmatch(token):
        return _beside(tokens, at + step, step) + [""] * bool(_OPTIONAL.match(token))
    if token == "|" or token == (")" if step > 0 else "(") or (step < 0 and token[0] == "("):
        return [""]  # the end of the group, or of the pattern, around it
    found = [token]
    if token == ")" or token[0] == "(":
        begins, end = _alternatives(tokens, at, step)
        found = [atom for begin in begins for atom in _beside(tokens, begin, step)]
        after = tokens[end + 1] if end + 1 < len(tokens) else ""
    return found + [""] * bool(step > 0 and REPEAT.fullmatch(after) and _OPTIONAL.match(after))


def _alternatives(tokens: list[str], at: int, step: int) -> tuple[list[int], int]:
    """Where the alternatives of the group begin whose bracket is at `at`, in that direction; its other bracket."""
    begins, depth = [at + step], step * _opens(tokens[at])
    while depth:
        at += step
        depth += step * _opens(tokens[at])
        if depth == 1 and tokens[at] == "|":
            begins.append(at + step)
    return begins, at


def _opens(token: str) -> int:
    """1 for a bracket that opens a group, -1 for one that closes it."""
    return (token[0] == "(" and not _sets_flags(token)) - (token == ")")


def _wide(token: str) -> str:
    """A token over all scripts."""
    count = _COUNT.fullmatch(token)
    if count:
        return f"{{0,{count[1]}}}"
    if token in _SETS:
        return f"[{_SETS[token]}]"
    if token in _NOT:
        return f"[^{_NOT[token]}]"
    return _wide_class(token) if token[0] == "[" and len(token) > 1 else token


def _wide_class(token: str) -> str:
    negated = token.startswith("[^")
    inside = token[2 if negated else 1 : -1]
    items = [m.group() for m in _ITEM.finditer(inside)]
    sets = _SETS | _POSIX_SETS
    rest = "".join([sets.get(item, item) for item in items if item not in _NOT])
    if rest.startswith("]"):
        rest = "\\" + rest
    without = [item for item in items if item in _NOT]
    if not without:
        return f"[{'^' * negated}{rest}]"
    if not negated:
        return "(?:" + "|".join([f"[{rest}]"] * bool(rest) + [f"[^{_NOT[item]}]" for item in without]) + ")"
    if set(without) <= {r"\S", "[:^space:]"}:
        kept = _SPACES
        if rest:
            kept = "".join([char for char in _SPACES if not re2.match(f"(?s)[{rest}]", char)])
        if kept:
            return "[" + "".join([f"\\x{{{ord(char):x}}}" for char in kept]) + "]"
    others = {item for item in items if item not in _NOT}
    if set(without) == {r"\D"} and not rest:
        return r"[\p{Nd}]"
    if set(without) <= {r"\W", "[:^word:]"} and others <= {"_", r"\d"}:
        numbers = r"\p{Nl}\p{No}" if r"\d" in others else r"\p{N}"
        return r"[\p{L}\p{M}" + numbers + (_CONNECTORS if "_" in others else r"\p{Pc}") + "]"
    raise ValueError(
        rf"{without[0]} in a class of what is not meant cannot be written for all scripts; use \pL, \pN or \PL"
    )
