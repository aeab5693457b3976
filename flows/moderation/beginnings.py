"""What a match of a regular expression may begin with: for a pattern, the pattern of all beginnings of its matches.

A text that ends in a beginning may still become a match; a text that does not, cannot. That tells how much of a
stream has to be held for a pattern of the user's own, and no more.

Rules
- RE2's syntax, as RE2 has already accepted it: only the structure is read here, atoms are copied.
- `beginning(ab)` is `beginning(a)|a beginning(b)`; of `a*` it is `a*beginning(a)`; of one character it is that or
  nothing. The result grows with the nesting of groups, not with what is matched.
- Anchors to the start or end of the text have no meaning in a stream and are refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ESCAPE = re.compile(r"\\(?:x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|[pP]\{\^?\w+\}|[pP]\w|[0-7]{1,3}|.)", re.DOTALL)
CLASS = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
REPEAT = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
OPEN = re.compile(r"\((?:\?P?<\w+>|\?(?P<flags>[imsU-]*):|\?(?P<only>[imsU-]+)\))?")
_COUNT = re.compile(r"\{(\d+)(,?)(\d*)\}")


class _Node(NamedTuple):
    full: str
    partial: str


def beginning(pattern: str) -> str:
    """The pattern of all beginnings (the empty one too) of what `pattern` matches; `ValueError` for anchors."""
    parser = _Parser(pattern)
    node = parser.alternatives()
    if parser.at < len(pattern):
        raise ValueError("an unmatched )")
    return node.partial


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def _take(self, token: re.Pattern[str]) -> re.Match[str] | None:
        match = token.match(self.pattern, self.at)
        if match:
            self.at = match.end()
        return match

    def alternatives(self) -> _Node:
        nodes = [self._sequence()]
        while self.pattern.startswith("|", self.at):
            self.at += 1
            nodes.append(self._sequence())
        if len(nodes) == 1:
            return nodes[0]
        return _Node("|".join(n.full for n in nodes), "|".join(n.partial for n in nodes))

    def _sequence(self) -> _Node:
        nodes: list[_Node] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            nodes.append(self._repeated(self._atom()))
        full, partial = "", ""
        for node in reversed(nodes):
            partial = f"(?:{node.partial}|{node.full}(?:{partial}))" if partial else f"(?:{node.partial})"
            full = node.full + full
        return _Node(full, partial)

    def _repeated(self, node: _Node) -> _Node:
        match = self._take(REPEAT)
        if not match:
            return node
        full = node.full + match.group()
        if match.group().startswith("?"):
            return _Node(full, node.partial)
        count = _COUNT.match(match.group())
        most = count and (count[3] or ("" if count[2] else count[1]))
        before = f"{{0,{int(most) - 1}}}" if most and int(most) > 0 else "*"
        return _Node(full, f"(?:{node.full}{before}(?:{node.partial}))")

    def _atom(self) -> _Node:
        char = self.pattern[self.at]
        if char == "(":
            return self._group()
        if char in "^$":
            raise ValueError(f"{char} has no meaning in a stream; use \\b, or \\n for the end of a line")
        if self.pattern.startswith(r"\Q", self.at):
            end = self.pattern.find(r"\E", self.at)
            raw = self.pattern[self.at + 2 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(self.pattern)
            inner = _Parser("".join(f"\\x{{{ord(c):x}}}" for c in raw)).alternatives()
            return _Node(f"(?:{inner.full})", inner.partial)
        match = self._take(CLASS) or self._take(ESCAPE)
        if match is None:
            self.at += 1
            return _Node(char, f"(?:{char})?")
        atom = match.group()
        if atom in (r"\b", r"\B"):
            return _Node(atom, "")
        if atom in (r"\A", r"\z"):
            raise ValueError(f"{atom} has no meaning in a stream")
        return _Node(atom, f"(?:{atom})?")

    def _group(self) -> _Node:
        head = self._take(OPEN)
        assert head is not None  # it begins with a bracket
        if head["only"]:
            flags = f"(?{head['only']})"
            rest = self.alternatives()  # they hold to the end of the group
            return _Node(f"(?:{flags}{rest.full})", f"(?:{flags}{rest.partial})")
        inner = self.alternatives()
        if not self.pattern.startswith(")", self.at):
            raise ValueError("a ( that is not closed")
        self.at += 1
        opening = f"(?{head['flags'] or ''}:"
        return _Node(f"{opening}{inner.full})", f"{opening}{inner.partial})")
