"""Terms of a block list, as whole words, however they are written.

Rules
- A term is a word or a phrase. Words are compared as they read (`folding.py`); between the words of a phrase may be
  blanks and punctuation, the end of a sentence too. `term*`, `*term` and `*term*` are parts of words.
- A word spaced out over pieces of at most three letters counts, unless the pieces are all usual words (`pen is`).
  Spelled in single letters it counts, unless the spelling goes on (`A S S E T`).
- A term of the allow list that reaches as far as a blocked one wins; but what is spelled exactly as a blocked one is
  that, and one with accents allows only what is spelled exactly so: `año` does not allow `ano`.
- Where the language is known, its own letters tell words apart: `schwül` is not `schwul` in German. A term is
  found with its own letters and without.
- The longest term that begins at a word is taken. The cost of a text does not grow with the list: words are looked
  up, not searched for; automata serve the beginnings of spaced-out words and the inner parts of words.

Bound: the longest phrase, at 64 characters a word and 8 between words; at least one spaced-out word.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import TypeVar

import ahocorasick  # type: ignore[import-not-found]  # pyahocorasick ships no types

from flows.moderation.detectors.base import NOTHING, Scan
from flows.moderation.findings import Match
from flows.moderation.folding import (
    LONGEST,
    PIECE,
    WORD,
    core,
    exact,
    fold,
    growing_piece,
    is_visible,
    next_word,
    piece,
    readings,
    squeeze,
    stretched,
    word_start,
)
from flows.moderation.tables.short_words import USUAL

_TERM, _HEAD, _ALLOWED = 1, 2, 4
_GAP = 8  # characters between two words of a phrase
_PIECE_GAP = re.compile(r"[\u200b-\u200f\u2060\ufeff]{0,3}[ \u00a0._\-*~|][\u200b-\u200f\u2060\ufeff]{0,3}")
_LETTERS_GAP = re.compile(r"[ \u00a0._\-*~|,/\u200b-\u200f\u2060\ufeff]{1,6}")
_AFTER_LETTER = re.compile(r"(?<![^\W_])[b-hj-z][ \u00a0._\-*~|,/]{1,6}\Z", re.IGNORECASE)
_APOSTROPHES = "'’"
_MEMORY = 50_000  # entries of each memory of words seen; it starts again when full
_MARKS = " \n.,;:?()\"'"  # signs that belong to no word
_MORE = -2

_Word = tuple[int, int, str]
_Memory = TypeVar("_Memory", set[str], dict[str, int], dict[str, bool])


class BlocklistDetector:
    """Finds the terms of one list. What it remembers of words seen saves time and changes nothing."""

    category = "BLOCKED"
    context = 9  # where a word is open that is too long for one, more
    trigger = None

    def __init__(self, terms: Sequence[str], allow: Sequence[str] = ()) -> None:
        self._letters = ""  # those of the text's own alphabet
        self._table: dict[str, int] = {}  # folded words, and beginnings of phrases, to what they are
        self._exact: dict[str, int] = {}  # the same of terms as they are spelled, where that decides
        self._squeezed: dict[str, int] = {}
        self._spelled = ahocorasick.Automaton(ahocorasick.STORE_LENGTH)
        self._parts = _Parts()
        longest = 1
        for term in terms:
            if not self._parts.add(term):
                longest = max(longest, self._add(term, _TERM))
        blocked = {**self._table}
        for term in allow:
            longest = max(longest, self._add(term, _ALLOWED))
        self._spell(terms, allow, blocked)
        spelled = max(map(len, self._spelled.keys()), default=0)
        self.bound = max((longest + 1) * (LONGEST + _GAP), spelled * 7)
        self._forget()

    def _forget(self) -> None:
        self._idle: dict[str, bool] = {}  # words, and whether it is sure that nothing begins with them
        self._clean: set[str] = set()  # pieces of text of such words only
        self._seen: dict[str, int] = {}  # text to how far it is settled

    def in_alphabet(self, letters: str) -> BlocklistDetector:
        """The same list for text in which these letters are no others with a mark."""
        other = copy.copy(self)
        other._letters = letters
        other._forget()
        return other

    def _add(self, term: str, kind: int) -> int:
        """Enter a term, folded and with its own letters; how many words it has."""
        words = [m.group() for m in WORD.finditer(term)]
        folded, spelled = [fold(word) for word in words], [exact(word) for word in words]
        if kind == _ALLOWED and folded != [word.lower() for word in words] and not term.isascii():
            self._enter(folded, 0)  # it counts only as it is spelled
        else:
            self._enter(folded, kind)
            if spelled != folded and not term.isascii():
                self._enter(spelled, kind)
        return len(words)

    def _enter(self, words: list[str], kind: int) -> None:
        _enter_phrase(self._table, words, kind)
        spelled = "".join(words)
        if kind and (len(words) == 1 or len(words) == len(spelled)):
            flat = squeeze(spelled)
            self._squeezed[flat] = self._squeezed.get(flat, 0) | kind
            if kind == _TERM and len(spelled) > 2 and spelled.isalpha():
                self._spelled.add_word(spelled)

    def _spell(self, terms: Sequence[str], allow: Sequence[str], blocked: dict[str, int]) -> None:
        """Enter how terms are spelled that fold to the same and are not both allowed or both blocked."""
        allowed = {" ".join(_folded(term)): term for term in allow}
        shared = allowed.keys() & blocked.keys()
        if not shared:
            return
        for kind, each in ((_TERM, terms), (_ALLOWED, allow)):
            for term in each:
                if " ".join(_folded(term)) in shared:
                    _enter_phrase(self._exact, [core(exact(m.group())) for m in WORD.finditer(term)], kind)

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        if len(text) - open_word >= LONGEST and not final:
            open_word = word_start(text, open_word)
        if start >= open_word:
            return NOTHING, start
        closed = text[start - 1 : open_word] if start else " " + text[:open_word]
        if closed in self._clean:
            return NOTHING, open_word
        word = closed.strip(_MARKS)
        if not word or (word.isascii() and word.isalpha() and len(word) <= LONGEST and self._is_idle(word)):
            return NOTHING, open_word
        # Of the open word only its first letters matter: a piece of a spaced-out word has at most three.
        key = text[start - 1 : open_word + 4] if start else " " + text[: open_word + 4]
        settled = self._seen.get(key)
        if settled is not None and not final and len(text) - open_word <= LONGEST:  # what is longer is no word
            return NOTHING, start + settled
        return self._scan(text, start, open_word, final, key, closed)

    def _scan(self, text: str, start: int, open_word: int, final: bool, key: str, closed_text: str) -> Scan:
        found: list[Match] = []
        words = [(m.start(), m.end(), m.group()) for m in WORD.finditer(text, start) if is_visible(m.group())]
        closed = len(words)
        while closed and words[closed - 1][1] > open_word and not final:
            closed -= 1
        follows = words[closed][0] if closed < len(words) else len(text)
        context_free = key.isascii() and not final and follows == open_word
        settled = max(open_word, start)
        tail = -1
        i = 0
        while i < closed:
            if self._is_idle(words[i][2]):
                i += 1
                continue
            if tail < 0:
                tail = next_word(text, settled)
            last, rule = self._decide(text, words, closed, i, tail, final)
            if last == _MORE:
                settled = words[i][0]
                break
            if rule == "spaced out" and _AFTER_LETTER.search(text, max(0, words[i][0] - 8), words[i][0]):
                last, context_free = -1, False
            if last >= i and rule:
                found.append(self._match(words[i], words[last], rule))
            i = max(i, last) + 1
        if len(key) < 40:
            if all(self._idle.get(word[2]) for word in words[:closed]):
                _bounded(self._clean).add(closed_text)
            elif context_free and not found:
                _bounded(self._seen)[key] = settled - start
        return found, settled

    def _is_idle(self, word: str) -> bool:
        """Whether nothing begins with this word, whatever follows."""
        idle = self._idle.get(word)
        if idle is None:
            forms = readings(word, self._letters)
            idle = not any(form in self._table or self._whole(form) for form in forms)
            if idle and len(forms[0]) <= PIECE:
                idle = not any(self._spelled.match(form) for form in piece(word, self._letters))
            _bounded(self._idle)[word] = idle
        return idle

    def _whole(self, form: str) -> str:
        """The rule by which a word that reads so is blocked for its stretched letters or for a part of it, if any."""
        flat = stretched(form)
        if flat and self._squeezed.get(flat, 0) == _TERM:
            return "stretched"
        return "part" if self._parts and self._parts.found_in(form) else ""

    def _match(self, first: _Word, last: _Word, rule: str) -> Match:
        """From the first word to the last, without signs at the ends that read as nothing."""
        begin, end = first[0], last[1]
        if rule in ("word", "phrase"):
            begin += self._needless(first[2], first[2].lstrip("!$@+|*"))
            end -= self._needless(last[2], last[2].rstrip("!$@+|*"))
        return Match(begin, end, rule)

    def _needless(self, word: str, rest: str) -> int:
        needed = set(readings(word, self._letters)) - set(readings(core(word), self._letters))
        return 0 if any(form in self._table for form in needed) else len(word) - len(rest)

    def _decide(self, text: str, words: list[_Word], closed: int, i: int, tail: int, final: bool) -> tuple[int, str]:
        """The last word of what begins with word `i`, and its rule (none if it is allowed); -1 if nothing begins
        there, `_MORE` if that depends on what is to come: the next word that is to be seen begins at `tail` or later.
        """
        word = words[i][2]
        last, rule = -1, ""
        heads = readings(word, self._letters)
        spelled = core(exact(word, self._letters)) if self._exact else ""
        j = i
        while heads:
            kinds = [self._table.get(head, 0) for head in heads]
            as_spelled = self._exact.get(spelled, 0) if spelled else 0
            if as_spelled & (_TERM | _ALLOWED):
                last, rule = j, "" if as_spelled & _ALLOWED else "word" if j == i else "phrase"
            elif any(kind & _ALLOWED for kind in kinds):
                last, rule = j, ""
            elif any(kind & _TERM for kind in kinds):
                last, rule = j, "word" if j == i else "phrase"
            heads = [head for head, kind in zip(heads, kinds, strict=True) if kind & _HEAD]
            if not heads:
                break
            j += 1
            after = words[j][0] if j < len(words) else tail
            if after - words[j - 1][1] > _GAP:
                break
            if j >= closed:
                if not final:
                    return _MORE, ""
                break
            following = readings(words[j][2], self._letters)
            spelled = f"{spelled} {core(exact(words[j][2], self._letters))}" if spelled else ""
            heads = [f"{head} {form}" for head in heads for form in following]
        if last >= 0:
            return last, rule
        for form in readings(word, self._letters):
            rule = self._whole(form)
            if rule:
                return i, rule
        last = self._spaced_out(text, words, closed, i, tail, final)
        return last, "spaced out" if last >= 0 else ""

    def _spaced_out(self, text: str, words: list[_Word], closed: int, i: int, tail: int, final: bool) -> int:
        """The last piece of a spaced-out term that begins with word `i`; -1 or `_MORE` as above."""
        if words[i][0] and text[words[i][0] - 1] in _APOSTROPHES:
            return -1
        spelled = self._spelled
        joined: tuple[str, ...] = ("", "")
        letters = usual = True
        last = -1
        for k in range(i, len(words)):
            begin, _, word = words[k]
            grows = k >= closed and not final
            forms = growing_piece(word) if grows else piece(word, self._letters)
            one = bool(forms) and len(forms[0]) <= 1
            gap = _gap(letters and one)
            so_far = last if last == k - 1 or not letters else -1
            if not forms or (k > i and not gap.fullmatch(text, words[k - 1][1], begin)):
                return so_far
            longer = tuple(a + b for a, b in zip(joined, forms, strict=True))
            goes_on = any(spelled.match(form) for form in longer)
            spelling = letters and one and last >= 0 and forms[0] not in "ai"
            if grows and (goes_on or spelling):
                return _MORE
            if not goes_on:
                return -1 if spelling else so_far
            joined = longer
            letters = letters and one
            usual = usual and word.lower() in USUAL
            if k > i and not usual and any(form in spelled for form in joined):
                last = k
        rest = text[words[-1][1] : tail]
        if not final and (not rest or _gap(letters).fullmatch(rest)):
            return _MORE
        return last if last == len(words) - 1 or not letters else -1


def _folded(term: str) -> list[str]:
    return [fold(m.group()) for m in WORD.finditer(term)]


def _enter_phrase(table: dict[str, int], words: list[str], kind: int) -> None:
    """Enter a phrase and its beginnings."""
    key = ""
    for word in words:
        if key:
            table[key] = table.get(key, 0) | _HEAD
            key += " "
        key += word
    table[key] = table.get(key, 0) | kind


def _gap(letters: bool) -> re.Pattern[str]:
    """What may be before a piece of a spaced-out word."""
    return _LETTERS_GAP if letters else _PIECE_GAP


def _bounded(memory: _Memory) -> _Memory:
    if len(memory) >= _MEMORY:
        memory.clear()
    return memory


class _Parts:
    """Terms with a star: beginnings, ends and inner parts of words."""

    def __init__(self) -> None:
        self._beginnings: tuple[str, ...] = ()
        self._ends: tuple[str, ...] = ()
        self._inner = ahocorasick.Automaton(ahocorasick.STORE_LENGTH)

    def add(self, term: str) -> bool:
        """Enter a term; False if it has no star at an end, or several words."""
        bare = term.strip("*")
        return all(self._add(term, form) for form in dict.fromkeys((fold(bare), exact(bare))))

    def _add(self, term: str, part: str) -> bool:
        if "*" not in (term[:1], term[-1:]) or len(WORD.findall(part)) != 1:
            return False
        if term[0] == term[-1]:
            self._inner.add_word(part)
            self._inner.make_automaton()
        elif term[0] == "*":
            self._ends += (part,)
        else:
            self._beginnings += (part,)
        return True

    def __bool__(self) -> bool:
        return bool(self._beginnings or self._ends or len(self._inner))

    def found_in(self, word: str) -> bool:
        if word.startswith(self._beginnings) or word.endswith(self._ends):
            return True
        return bool(len(self._inner)) and next(self._inner.iter(word), None) is not None
