"""The peer's cores in a plain loop over a recording: the least that reads the same file and writes its sentences.

    python -m benchmarks.peers.loop RECORDING [--blocklist FILE] [--window sentence|none]

Prints each sentence as a line of JSON, as `tokenweir replay --json` does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from benchmarks.peers.cores import BlockList, Passing, Splitter
from benchmarks.peers.service import Sentence, read_event


class Record(msgspec.Struct):
    """A line of a recording (docs/log.md), as far as it matters."""

    k: str = ""
    s: str = ""
    d: str | dict[str, object] | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--blocklist", type=Path)
    parser.add_argument("--window", choices=["sentence", "none"], default="sentence")
    given = parser.parse_args()
    blocked = BlockList(given.blocklist.read_text().splitlines() if given.blocklist else [])
    sessions: dict[str, tuple[Splitter | Passing, list[int]]] = {}
    read = msgspec.json.Decoder(Record).decode
    out = sys.stdout.buffer
    with given.recording.open("rb") as file:
        next(file)
        for line in file:
            record = read(line)
            if record.k == "open":
                sessions[record.s] = (Passing(blocked) if given.window == "none" else Splitter(), [0])
            if record.k != "frame" or not isinstance(record.d, str):
                continue
            core, seq = sessions[record.s]
            said = read_event(record.d)
            texts = list(core.feed(said.token))
            if said.finished:
                texts.append(core.flush())
                del sessions[record.s]
            for text in texts:
                sentence = Sentence(record.s, 0, seq[0], blocked.clean(text), said.finished)
                out.write(msgspec.json.encode(sentence) + b"\n")
                seq[0] += 1


if __name__ == "__main__":
    main()
