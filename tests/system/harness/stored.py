"""What a lane's delivery journal says was stored, read while the service writes it.

Rules
- The journal is compacted as it grows, so it is read as it is written; what was once seen stays known.
- Only whole lines count. A line that is cut off again, as after a write that found no room, was never seen: a batch is
  written and cut within one system call's time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

Name: TypeAlias = tuple[str, int, int]
"""(session_id, turn, seq)"""


class Message(NamedTuple):
    """One message as it was stored. `t` is log time, in microseconds since the log was begun."""

    to: str
    name: Name
    text: str
    final: bool
    fallback: bool
    t: int


class _Line(msgspec.Struct):
    k: str = ""
    to: str = ""
    d: dict[str, Any] = {}
    s: str = ""
    n: int = 0
    first: int = 0
    last: int = -1
    how: str = ""


_decode = msgspec.json.Decoder(_Line).decode


class Stored:
    """The messages of one lane, in the order in which they were stored.

    settled        those that are done with
    acknowledging  desktops of which an acknowledgement was stored
    """

    def __init__(self, directory: Path, lane: str) -> None:
        self.messages: dict[Name, Message] = {}
        self.settled: set[Name] = set()
        self.acknowledging: set[str] = set()
        self._finals: dict[str, int] = {}
        self._pattern = f"delivery-{lane}-*.jsonl"
        self._directory = directory
        self._read: dict[Path, int] = {}

    def read(self) -> None:
        """Read on."""
        for path in sorted(self._directory.glob(self._pattern)):
            offset = self._read.get(path, 0)
            try:
                if path.stat().st_size == offset:
                    continue
                with path.open("rb") as file:
                    file.seek(offset)
                    data = file.read()
            except FileNotFoundError:  # compacted a moment ago
                continue
            whole = data.rfind(b"\n") + 1
            for line in data[:whole].splitlines():
                self._feed(_decode(line))
            self._read[path] = offset + whole

    def is_done(self, session_id: str) -> bool:
        """Whether all of the session's first turn was stored and settled."""
        final = self._finals.get(session_id)
        return final is not None and all((session_id, 0, seq) in self.settled for seq in range(final + 1))

    def transcript(self, session_id: str) -> str:
        """The texts of the session's first turn in the order of their numbers."""
        mine = [each for name, each in self.messages.items() if name[:2] == (session_id, 0)]
        return "".join(each.text for each in sorted(mine, key=lambda each: each.name))

    def of(self, desktop: str) -> list[Message]:
        """Everything that was stored for one desktop, in order."""
        return [each for each in self.messages.values() if each.to == desktop]

    def _feed(self, line: _Line) -> None:
        if line.k == "message":
            d = line.d
            name = (d["session_id"], d["turn"], d["seq"])
            self.messages.setdefault(name, Message(line.to, name, d["text"], d["final"], d["fallback"], d["t"]))
            if d["final"] and d["turn"] == 0:
                self._finals[d["session_id"]] = d["seq"]
        elif line.k == "settled":
            if line.how == "ack":
                self.acknowledging.add(line.to)
            self.settled.update((line.s, line.n, seq) for seq in range(line.first, line.last + 1))
