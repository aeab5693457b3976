"""Moderation beside its peers: what is found, what leaks, what is held, and CPU, in one run.

    python benchmarks/moderation.py [--data ../shared/evaluation] [--peers tokenweir presidio …]

- recall, precision: spans of six types of PII in whole texts (pii.jsonl; a span counts if it is covered whole)
- kept: the part of the spans of which no character leaves when the text comes token by token. The peers know whole
  texts only; they are asked about every token as it comes, and, beside it, about every sentence (naively split)
- blocked: of the evasive spellings (blocked.jsonl, with terms.txt as the list), and false alarms
- by type: found of all, and false findings; by region and national id in oracles.py
- Mchars/s: whole texts; us/token: recorded streams (streams.jsonl) token by token, and what 100,000 made-up terms add

Without the data only CPU is measured, on text made here. Peers are no dependency of ours; those that are installed take
part: pip install presidio-analyzer scrubadub better_profanity. Presidio takes part with its patterns alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

ROOT = Path(__file__).parents[1]
TYPES = {"EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "US_SSN", "IBAN_CODE", "IP_ADDRESS"}
SENTENCE = re.compile(r"(?<=[.!?])\s+")

Spans = list[tuple[int, int]]
Find = Callable[[str], Spans]


def tokenweir_pii() -> Find:
    from flows.moderation import Moderator, Policy

    policy = Policy()

    def find(text: str) -> Spans:
        moderator = Moderator(policy)
        moderator.feed(text)
        moderator.flush()
        return [(f.start, f.end) for f in moderator.findings]

    return find


def presidio_pii() -> Find:
    from presidio_analyzer import RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpArtifacts

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers()
    recognizers = [
        r for r in registry.get_recognizers(language="en", all_fields=True) if TYPES & set(r.supported_entities)
    ]
    nothing = NlpArtifacts([], [], [], [], None, "en")

    def find(text: str) -> Spans:
        return [
            (m.start, m.end)
            for r in recognizers
            for m in r.analyze(text, list(TYPES), nothing) or ()
            if m.score >= 0.35
        ]

    return find


def scrubadub_pii() -> Find:
    import scrubadub

    scrubber = scrubadub.Scrubber()
    return lambda text: [(f.beg, f.end) for f in scrubber.iter_filth(text)]


PII: dict[str, tuple[str, Callable[[], Find]]] = {
    "tokenweir": ("flows", tokenweir_pii),
    "presidio": ("presidio_analyzer", presidio_pii),
    "scrubadub": ("scrubadub", scrubadub_pii),
}


def tokenweir_blocked(terms: tuple[str, ...]) -> Callable[[str], bool]:
    from flows.moderation import Moderator, Policy

    policy = Policy(pii=(), blocklist=terms)

    def is_blocked(text: str) -> bool:
        moderator = Moderator(policy)
        moderator.feed(text)
        moderator.flush()
        return bool(moderator.findings)

    return is_blocked


def better_profanity_blocked(terms: tuple[str, ...]) -> Callable[[str], bool]:
    from better_profanity import profanity

    profanity.load_censor_words(list(terms))
    return lambda text: bool(profanity.contains_profanity(text))


BLOCKED: dict[str, tuple[str, Callable[[tuple[str, ...]], Callable[[str], bool]]]] = {
    "tokenweir": ("flows", tokenweir_blocked),
    "better_profanity": ("better_profanity", better_profanity_blocked),
}


def rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def pieces_of(row: dict[str, Any], by: str) -> Iterable[str]:
    """The text in the pieces that a filter is shown one by one."""
    return row["tokens"] if by == "token" else SENTENCE.split(row["text"])


def kept(find: Find, row: dict[str, Any], gold: Spans, by: str) -> int:
    """How many spans leave no character behind when every piece is filtered by itself."""
    hidden: Spans = []
    at = 0
    for piece in pieces_of(row, by):
        at = row["text"].find(piece, at)
        hidden += [(at + a, at + b) for a, b in find(piece)]
        at += len(piece)
    mask = bytearray(len(row["text"]))
    for a, b in hidden:
        mask[a:b] = b"\1" * (b - a)
    return sum(all(mask[a:b]) for a, b in gold)


def kept_streaming(row: dict[str, Any], gold: Spans) -> int:
    """The same of our own moderator, which is made for streams."""
    from flows.moderation import Moderator, Policy

    moderator = Moderator(_POLICY.setdefault("six", Policy()))
    spans = [span for token in row["tokens"] for span in moderator.push(token)] + moderator.finish()
    shown = [(s.start, s.end) for s in spans if s.finding is None]
    return sum(not any(a < y and x < b for a, b in shown) for x, y in gold)


_POLICY: dict[str, Any] = {}


def measure_pii(name: str, find: Find, data: list[dict[str, Any]]) -> None:
    total = hit = predicted = wrong = chars = safe_token = safe_sentence = 0
    cpu = 0.0
    by_type: dict[str, list[int]] = {kind: [0, 0] for kind in sorted(TYPES)}
    for row in data:
        text = row["text"]
        began = time.process_time()
        spans = find(text)
        cpu += time.process_time() - began
        chars += len(text)
        mask = bytearray(len(text))
        for a, b in spans:
            mask[a:b] = b"\1" * (b - a)
        gold = [(s["start"], s["end"]) for s in row["spans"] if s["type"] in TYPES]
        for span in row["spans"]:
            if span["type"] in TYPES:
                counts = by_type[span["type"]]
                counts[0] += all(mask[span["start"] : span["end"]])
                counts[1] += 1
        total += len(gold)
        hit += sum(all(mask[a:b]) for a, b in gold)
        predicted += len(spans)
        wrong += sum(not any(a < y and x < b for x, y in gold) for a, b in spans)
        if gold:
            safe_token += kept_streaming(row, gold) if name == "tokenweir" else kept(find, row, gold, "token")
            safe_sentence += 0 if name == "tokenweir" else kept(find, row, gold, "sentence")
    sentences = "" if name == "tokenweir" else f"  kept by sentence {safe_sentence / max(1, total):.3f}"
    print(
        f"  {name:17} recall {hit / max(1, total):.3f}  precision {1 - wrong / max(1, predicted):.3f}"
        f"  Mchars/s {chars / max(cpu, 1e-9) / 1e6:.3f}  kept by token {safe_token / max(1, total):.3f}{sentences}"
    )
    kinds = "  ".join(f"{kind} {hits}/{count}" for kind, (hits, count) in by_type.items() if count)
    print(f"    by type: {kinds}  false: {wrong}")


def measure_blocked(name: str, is_blocked: Callable[[str], bool], data: list[dict[str, Any]]) -> None:
    tests = [r for r in data if "goaway_test" in r["source"]]
    groups = {
        "plain": [r for r in tests if r["blocked"] and not r["sneaky"]],
        "evasive": [r for r in tests if r["blocked"] and r["sneaky"]],
        "false alarms": [r for r in tests if not r["blocked"]],
        "of terms": [r for r in data if "falsepositives" in r["source"] or "whitelist" in r["source"]],
    }
    print(f"  {name:17}", "  ".join(f"{k} {sum(is_blocked(r['text']) for r in g)}/{len(g)}" for k, g in groups.items()))


def made_up_terms(count: int) -> tuple[str, ...]:
    rng = random.Random(1)
    parts = ["ba", "ko", "ri", "mu", "tan", "sel", "vor", "qui", "ned", "lop", "gra", "zin", "fe", "pol", "ash"]
    terms: set[str] = set()
    while len(terms) < count:
        terms.add("".join(rng.choices(parts, k=rng.randint(2, 6))) + (" " + rng.choice(parts)) * (rng.random() < 0.1))
    return tuple(sorted(terms))


def measure_streams(streams: list[list[str]]) -> None:
    from flows.moderation import Moderator, Policy

    policies = {
        "nothing": Policy(pii=()),
        "six types": Policy(),
        "1,000 terms": Policy(pii=(), blocklist=made_up_terms(1_000)),
        "100,000 terms": Policy(pii=(), blocklist=made_up_terms(100_000)),
        "six and 100,000": Policy(blocklist=made_up_terms(100_000)),
    }
    tokens = sum(map(len, streams))
    for name, policy in policies.items():
        Moderator(policy)
        best = first = 0.0
        for attempt in range(4):
            began = time.process_time()
            for stream in streams:
                moderator = Moderator(policy)
                for token in stream:
                    moderator.feed(token)
                moderator.flush()
            cost = (time.process_time() - began) / tokens * 1e6
            first = first or cost
            best = min(best or cost, cost) if attempt else cost
        print(f"  {name:17} us/token {best:.2f}  (first time, words unseen: {first:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "evaluation")
    parser.add_argument("--peers", nargs="*", default=sorted({*PII, *BLOCKED}))
    args = parser.parse_args()
    installed = {n for n, (module, _) in (PII | BLOCKED).items() if importlib.util.find_spec(module)} & set(args.peers)

    pii = rows(args.data / "pii.jsonl")
    for group, mark in (("generated texts", "generated_large"), ("Presidio's tests", "microsoft/presidio:")):
        data = [r for r in pii if mark in r["source"] and (r.get("type") or "US_SSN") in TYPES]
        if data:
            print(f"PII, {group}: {len(data)}")
            for name in sorted(installed & set(PII)):
                measure_pii(name, PII[name][1](), data)
    blocked = rows(args.data / "blocked.jsonl")
    if blocked:
        terms = tuple((args.data / "terms.txt").read_text(encoding="utf-8").split("\n")[:-1])
        print(f"block list: {len(terms)} terms")
        for name in sorted(installed & set(BLOCKED)):
            measure_blocked(name, BLOCKED[name][1](terms), blocked)
    if "tokenweir" in installed:
        streams = [
            r["tokens"] for r in rows(args.data / "streams.jsonl") if r["kind"] == "text" and len(r["tokens"]) >= 20
        ]
        if importlib.util.find_spec("phonenumbers") and importlib.util.find_spec("stdnum"):
            from benchmarks import oracles

            oracles.measure_regions()
            oracles.measure_national_ids()
            oracles.measure_disguises()
        print("streams, token by token")
        measure_streams(streams or [("We looked at twelve houses near the old river today . " * 20).split(" ")] * 50)


if __name__ == "__main__":
    main()
