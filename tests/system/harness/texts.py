"""Made-up answers of a model, cut into tokens.

Rules
- A text of words has no `ONCE` characters twice. After a continuation under ids that do not tell, text that came before
  looks like a repetition and may be dropped (docs/recovery.md states that limit): kills shall not ask for it by chance.
- The other kinds are made of what comes again and again, as real answers are: lines of a list, rows of a table, digits.
  Only ids can tell their repetitions from new text.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

ONCE: Final = 6

_SYLLABLES: Final = (
    *(a + b + c for a in "bdfgklmnprstvwzß" for b in "aeiouäöy" for c in "nrlskt"),
    "🚚",
    "今天",
    "の",
    "दिन",
)
_PRIVATE: Final = ("", "", "", "{1}{0}@{1}.org", "{1} frobnicate", "+44 20 79{0} {0}", "No. {0}", "Dr. {1}")
_LINES: Final = (
    "- Restart the modem.\n",
    "- Wait.\n",
    "Yes. ",
    "No. No. No.\n",
    "ok\n",
    "\n",
)
_ROWS: Final = ("| a | 0 | 0 |\n", "| b | 0 | 1 |\n", "| 10 | 10 | 10 |\n")
_DIGITS: Final = ("0000 ", "1 1 1 1 ", "10, 10, 10, 10.\n", "555-555", "Code 4444 4444. ", "7", "7", "2 2. ")


def words(wanted: int, rng: random.Random) -> list[str]:
    """About so many tokens of text in which no `ONCE` characters come twice."""
    tokens: list[str] = []
    text, seen = "", set[str]()
    while len(tokens) < wanted:
        parts = ["".join(rng.choices(_SYLLABLES, k=rng.randrange(1, 4))) for _ in range(rng.randrange(4, 12))]
        private = rng.choice(_PRIVATE).format(rng.randrange(1_000, 10_000), rng.choice(_SYLLABLES) * 2)
        parts.insert(rng.randrange(len(parts)), private)
        sentence = " ".join(parts).capitalize() + rng.choice((". ", "! ", "? ", ".\n", "。"))
        longer = text[1 - ONCE :] + sentence
        pieces = [longer[at : at + ONCE] for at in range(len(longer) - ONCE + 1)]
        if len(set(pieces)) < len(pieces) or not seen.isdisjoint(pieces):
            continue
        seen.update(pieces)
        text += sentence
        tokens += cut(sentence, rng)
    return tokens


def again(pieces: Sequence[str]) -> Callable[[int, random.Random], list[str]]:
    """A kind of text: some of these pieces, most of them several times in a row, with a few words between."""

    def tokens_of(wanted: int, rng: random.Random) -> list[str]:
        tokens: list[str] = []
        while len(tokens) < wanted:
            piece = rng.choice(pieces)
            tokens += cut(piece * rng.randrange(1, 5), rng)
            if rng.random() < 0.2:
                tokens += cut(f"\n{rng.choice(_SYLLABLES)} {rng.choice(_SYLLABLES)}.\n", rng)
        return tokens

    return tokens_of


KINDS: Final[dict[str, Callable[[int, random.Random], list[str]]]] = {
    "words": words,
    "lines": again(_LINES),
    "table": again(_ROWS),
    "digits": again(_DIGITS),
}


def cut(text: str, rng: random.Random) -> list[str]:
    """A text in tokens of a few characters."""
    tokens: list[str] = []
    while text:
        size = rng.randrange(1, 7)
        tokens.append(text[:size])
        text = text[size:]
    return tokens


def joined(streams: Sequence[Sequence[str]], wanted: int, rng: random.Random) -> list[str]:
    """At least so many tokens: real streams, one behind the other."""
    tokens: list[str] = []
    while len(tokens) < wanted:
        tokens += rng.choice(streams)
    return tokens
