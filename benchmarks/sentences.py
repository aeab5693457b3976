"""The sentence splitter beside its peers: accuracy, delay and CPU, token by token, in one run.

    python benchmarks/sentences.py [--data ../shared/evaluation/sentences] [--sets ewt_dev llm_md …] [--peers pysbd …]

With every peer it takes about five minutes; `--peers tokenweir` takes two seconds.

A set is a JSONL file: `text`, `tokens` (as a streaming API sends them), `bounds` (the end of every sentence), `lang`,
and where a boundary is neither right nor wrong: `opt`, `opt_ranges`. Without the data only CPU is measured.

- F1@1: a boundary counts if it came at most one visible token after the token with the sentence's last character
- F1: at any time; exact: texts without any mistake
- delay: visible tokens, mean and 95th percentile
- ms: CPU for 1,000 tokens; growth: what a token of a run-on text costs at 4,000 against 1,000

Peers are no dependency of ours; those that are installed take part: pip install pysbd sentencex blingfire
sentence-splitter segtok syntok stream2sentence icu4py. All but the last split whole texts: here, as their users do it,
they are asked again about the open text with every visible token, and all but the last of their sentences are taken.
"""

from __future__ import annotations

import argparse
import bisect
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parents[1]))

from flows.sentences import SentenceSplitter

ROOT = Path(__file__).parents[1]
SETS = ("llm_md", "llm_prose", "ewt_dev", "golden_other")


class Streaming(Protocol):
    def feed(self, text: str, /) -> list[str]: ...
    def flush(self) -> list[str]: ...


Split = Callable[[str], Sequence[str]]


class Asking:
    """A peer that splits whole texts, asked again with every visible token."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._open = ""

    def feed(self, token: str) -> list[str]:
        self._open += token
        return [] if token.isspace() else self._take(self._split(self._open)[:-1])

    def flush(self) -> list[str]:
        return [*self._take(self._split(self._open)[:-1]), self._open]

    def _take(self, sentences: Sequence[str]) -> list[str]:
        pieces = []
        for sentence in sentences:
            words = sentence.strip()
            found = self._open.find(words)
            if words and found >= 0:  # some peers change white space inside a sentence: then it stays open
                end = found + len(words)
                pieces.append(self._open[:end])
                self._open = self._open[end:]
        return pieces


class Stream2Sentence:
    """stream2sentence's own push interface, with its recommended early boundaries."""

    def __init__(self, language: str) -> None:
        peer = importlib.import_module("stream2sentence")
        self._splitter = peer.SentenceSplitter(
            language=language, tokenizer="rule-based", auto_context=True, minimum_sentence_length=1
        )

    def feed(self, token: str) -> list[str]:
        self._splitter.add(token)
        return list(self._splitter.stream())

    def flush(self) -> list[str]:
        return list(self._splitter.flush())


def _pysbd(language: str) -> Streaming:
    module = importlib.import_module("pysbd")
    known = language if language in module.languages.LANGUAGE_CODES else "en"
    return Asking(module.Segmenter(language=known, clean=False).segment)


def _sentencex(language: str) -> Streaming:
    segment = importlib.import_module("sentencex").segment
    return Asking(lambda text: [sentence for sentence in segment(language, text) if sentence.strip()])


def _blingfire(_: str) -> Streaming:
    split = importlib.import_module("blingfire").text_to_sentences
    return Asking(lambda text: split(text).split("\n"))


def _sentence_splitter(language: str) -> Streaming:
    module = importlib.import_module("sentence_splitter")
    try:
        return Asking(module.SentenceSplitter(language=language).split)
    except module.SentenceSplitterException:
        return Asking(module.SentenceSplitter(language="en").split)


def _segtok(_: str) -> Streaming:
    split = importlib.import_module("segtok.segmenter").split_multi
    return Asking(lambda text: [sentence for sentence in split(text) if sentence.strip()])


def _syntok(_: str) -> Streaming:
    process = importlib.import_module("syntok.segmenter").process

    def split(text: str) -> list[str]:
        sentences = [sentence for paragraph in process(text) for sentence in paragraph]
        return [text[s[0].offset : s[-1].offset + len(s[-1].value)] for s in sentences]

    return Asking(split)


def _icu(language: str) -> Streaming:
    """ICU with the suppressions of CLDR."""
    breaker = importlib.import_module("icu4py.breakers").SentenceBreaker
    return Asking(lambda text: list(breaker(text, f"{language}@ss=standard")))


PEERS: dict[str, Callable[[str], Streaming]] = {
    "tokenweir": SentenceSplitter,
    "sentencex": _sentencex,
    "sentence-splitter": _sentence_splitter,
    "segtok": _segtok,
    "syntok": _syntok,
    "blingfire": _blingfire,
    "stream2sentence": Stream2Sentence,
    "icu": _icu,
    "pysbd": _pysbd,
}


@dataclass
class Tally:
    gold: int = 0
    wrong: int = 0
    texts: int = 0
    exact: int = 0
    tokens: int = 0
    cpu: float = 0.0
    delays: list[int] = field(default_factory=list)

    def f1(self, at_most: float) -> float:
        hits = sum(delay <= at_most for delay in self.delays)
        return 2 * hits / max(1, hits + self.wrong + self.gold)

    def row(self) -> list[str]:
        delays = sorted(self.delays) or [0]
        return [
            f"{self.f1(1):.3f}",
            f"{self.f1(float('inf')):.3f}",
            f"{self.exact}/{self.texts}",
            f"{statistics.mean(delays):.2f}",
            f"{delays[int(0.95 * (len(delays) - 1))]}",
            f"{self.cpu / max(1, self.tokens) * 1e6:.2f}",
        ]


def run(splitter: Streaming, tokens: Sequence[str]) -> tuple[list[tuple[int, str]], float]:
    """The pieces, each with the number of the token that it came with, and the CPU seconds."""
    begun = time.process_time()
    fed = [splitter.feed(token) for token in tokens]
    fed.append(splitter.flush())
    cpu = time.process_time() - begun
    return [(i, piece) for i, pieces in enumerate(fed) for piece in pieces], cpu


def ends_in(text: str, pieces: list[tuple[int, str]]) -> Iterator[tuple[int, int]]:
    """Where each piece ends in the text, white space aside; pieces that a peer stripped are looked up."""
    at = 0
    for i, piece in pieces:
        found = text.find(piece.strip(), at)
        if piece.strip() and found >= 0:
            at = found + len(piece.strip())
            yield i, at


def measure(tally: Tally, make: Callable[[str], Streaming], row: dict[str, Any]) -> None:
    text, tokens = row["text"], row["tokens"]
    pieces, cpu = run(make(row["lang"]), tokens)
    last = len(text.rstrip())
    gold = {end for end in row["bounds"] if end < last}
    neither = set(row.get("opt") or ())
    ranges = row.get("opt_ranges") or ()
    token_ends: list[int] = []
    for token in tokens:
        token_ends.append((token_ends[-1] if token_ends else 0) + len(token))
    found = {}
    wrong = 0
    for i, end in ends_in(text, pieces):
        if end in gold:
            came_with = tokens[bisect.bisect_left(token_ends, end) + 1 : min(i, len(tokens) - 1) + 1]
            found[end] = sum(not token.isspace() for token in came_with)
        elif end < last and end not in neither and not any(a <= end <= b for a, b in ranges):
            wrong += 1
    tally.delays += found.values()
    tally.gold += len(gold)
    tally.wrong += wrong
    tally.texts += 1
    tally.exact += not wrong and len(found) == len(gold)
    tally.tokens += len(tokens)
    tally.cpu += cpu


def growth(make: Callable[[str], Streaming]) -> str:
    """What a token of a run-on text costs at 4,000 tokens, against 1,000."""
    cost = {n: min(run(make("en"), ["word "] * n)[1] for _ in range(3)) / n for n in (1_000, 4_000)}
    return f"{cost[4_000] / max(cost[1_000], 1e-9):.2f}"


def print_table(title: str, head: Sequence[str], rows: dict[str, list[str]]) -> None:
    print(f"\n{title:20}" + "".join(f"{name:>10}" for name in head))
    for name, cells in rows.items():
        print(f"{name:20}" + "".join(f"{cell:>10}" for cell in cells), flush=True)


def is_installed(make: Callable[[str], Streaming]) -> bool:
    try:
        make("en")
    except ImportError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "evaluation" / "sentences")
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    arguments = parser.parse_args()
    peers = {name: PEERS[name] for name in arguments.peers if is_installed(PEERS[name])}
    for name in arguments.sets:
        file = arguments.data / f"{name}.jsonl"
        if not file.exists():
            print(f"{name}: no {file}")
            continue
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        tallies = {peer: Tally() for peer in peers}
        for peer, make in peers.items():
            for row in rows:
                measure(tallies[peer], make, row)
        print_table(
            name, ("F1@1", "F1", "exact", "delay", "p95", "ms"), {peer: tally.row() for peer, tally in tallies.items()}
        )
    print_table("run-on text", ("growth",), {peer: [growth(make)] for peer, make in peers.items() if peer != "pysbd"})


if __name__ == "__main__":
    main()
