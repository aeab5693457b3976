"""What a replay costs: a recording through the whole flow, against a plain loop over the same cores, in one run.

    python benchmarks/replay.py [--tokens 1000000] [--sessions 200] [--runs 3]

The plain loop is the least that does the work: it reads the same file, keeps a list of four cores a turn, and hands
each record through them; no shards, no deadlines (none is due in this recording), no Bytewax. Both encode every
message; the bytes must be the same. The best of the runs counts, and they alternate.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from connectors.log.files import LogReader, lists_beside
from connectors.log.records import CLOSE, FRAME, MARK, OPEN, SECOND, Header, Record, encode_message
from connectors.log.writer import write_recording
from connectors.simulator.texts import TEXTS, cut
from connectors.vendors.registry import named
from flows.engine.policies import Policies
from flows.recordings.vendor import vendor_of
from flows.replay import replay
from flows.settings import Settings, parse
from flows.steps.events import Released
from flows.steps.reassembly import Reassembly
from flows.steps.release import Release
from flows.steps.totals import Totals
from flows.steps.windows import Windows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    settings = parse({"moderation": {"blocklist": ["frobnicate"]}})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.jsonl"
        tokens = write(path, given.tokens, given.sessions)
        best = {"flow": float("inf"), "loop": float("inf")}
        seen = {}
        for _ in range(given.runs):
            for name, run in (("loop", loop), ("flow", flow)):
                begun = time.process_time()
                seen[name] = run(path, settings)
                best[name] = min(best[name], time.process_time() - begun)
    for name, seconds in best.items():
        print(f"{name}  {seconds:6.2f} s  {tokens / seconds:12,.0f} tokens/s")
    print(f"flow / loop  {best['flow'] / best['loop']:.2f}")
    print("the same bytes" if seen["flow"] == seen["loop"] else "DIFFERENT BYTES")


def write(path: Path, tokens: int, sessions: int) -> int:
    """A recording of about so many tokens: the simulator's texts, in sessions side by side, turn after turn."""
    frame = named("cxone").frame
    texts = [list(cut(text)) for text in TEXTS if not text.pauses]
    count = 0

    def records() -> Iterator[Record]:
        nonlocal count
        playing: list[Iterator[Record]] = [turns(number) for number in range(sessions)]
        t = 0
        while playing:
            for each in list(playing):
                t += 5 * SECOND // 1_000 // sessions + 1
                record = next(each, None)
                if record is None:
                    playing.remove(each)
                    continue
                count += record.k == FRAME
                yield Record(t, record.s, record.n, record.k, record.id, record.e, record.d)
        yield Record(t, k=MARK)

    def turns(number: int) -> Iterator[Record]:
        session, turn, sent = f"s-{number}", 0, 0
        while sent < tokens / sessions:
            text = texts[(number + turn) % len(texts)]
            yield Record(0, session, turn, OPEN, d={"prompt": "p", "model": "m"})
            for place, token in enumerate(text):
                yield Record(0, session, turn, FRAME, f"c-{turn}-{place}", d=frame(token, False))
            yield Record(0, session, turn, FRAME, d=frame("", True))
            yield Record(0, session, turn, CLOSE, d={"reason": "finished"})
            sent += len(text)
            turn += 1

    write_recording(path, Header("tokenweir", 1, "cxone", "2026-11-20T12:00:00Z"), records())
    return count


def digest(messages: list[bytes]) -> str:
    return hashlib.sha256(b"\n".join(sorted(messages))).hexdigest()


def flow(path: Path, settings: Settings) -> str:
    messages: list[bytes] = []
    replay(path, settings, lambda message: messages.append(encode_message(message)))
    return digest(messages)


def loop(path: Path, settings: Settings) -> str:
    vendor, policies = vendor_of(path), Policies(settings, lists_beside(path))
    turns: dict[tuple[str, int], list[Any]] = {}
    messages: list[bytes] = []
    for record, _ in LogReader(path).read():
        if not record.s:
            continue
        key = (record.s, record.n)
        cores = turns.get(key)
        if cores is None:
            cores = turns[key] = [
                Reassembly(vendor.decoder()),
                Windows(settings.window, record),
                Release(policies.of(record), record),
                Totals(vendor.name, record),
            ]
        events: list[Any] = [record]
        for core in cores:
            events = [out for event in events for out in core.feed(event)]
        messages += [encode_message(event.message) for event in events if type(event) is Released]
        if record.k == CLOSE:
            del turns[key]
    return digest(messages)


if __name__ == "__main__":
    main()
