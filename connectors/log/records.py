"""The vocabulary of the log, and of what goes out.

Rules
- Everything that happens to a session is one `Record`, a JSON line of the log (docs/log.md).
- `t` is in microseconds since the log's `created` and never runs backwards within a lane.
- A `Message` is named for ever by (session_id, turn, seq); its bytes are `encode_message`'s,
  live and replayed alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

OPEN: Final = "open"
FRAME: Final = "frame"
ERROR: Final = "error"
CLOSE: Final = "close"
MARK: Final = "mark"
POLICY: Final = "policy"
VERDICT: Final = "verdict"

RESTARTED: Final = "restarted"
"""The `kind` of an error that is ours alone: the job was restarted while the turn was open."""

SECOND: Final = 1_000_000
"""A second, in `t`."""

DEFAULT_DESKTOP: Final = "default"
"""Where a turn's messages go whose request names no desktop."""

SESSION_ID = re.compile(r"[A-Za-z0-9._:@-]{1,128}")
"""What a session id may be: it appears in URLs, SSE ids, file names and log lines."""


class Record(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """One line of the log.

    t   microseconds since `created`
    s   session id; empty for a mark and a policy
    n   turn, from 0; -1 for those
    k   kind: open, frame, error, close, mark, policy, verdict
    id  the vendor's id of a frame (SSE `id:`)
    e   the vendor's name of a frame (SSE `event:`)
    d   a frame's text as the vendor sent it; an object for every other kind
    b   the frame's text is raw: what was no UTF-8 is in it, byte by byte (connectors/text.py)
    """

    t: int
    s: str = ""
    n: int = -1
    k: str = MARK
    id: str | None = None
    e: str | None = None
    d: str | dict[str, Any] | None = None
    b: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """`d`, where that is an object as it should be; else nothing."""
        return self.d if isinstance(self.d, dict) else {}

    @property
    def reason(self) -> str:
        """Why a turn closed."""
        return str(self.fields.get("reason", ""))


class Frames(msgspec.Struct, frozen=True, gc=False):
    """Frames of one turn, with nothing else of that turn between them: as they travel from the log to the flow.

    t  of the first
    """

    t: int
    s: str
    n: int
    records: Sequence[Record]


def opened(session_id: str, turn: int, request: dict[str, Any]) -> Record:
    """A record to append to a lane, which stamps its `t`; so too the functions below."""
    return Record(0, session_id, turn, OPEN, d=request)


def frame(
    session_id: str,
    turn: int,
    text: str,
    *,
    id: str | None = None,  # noqa: A002  # the log's own name for it
    event: str | None = None,
    raw: bool = False,
) -> Record:
    return Record(0, session_id, turn, FRAME, id=id, e=event, d=text, b=raw)


def error(session_id: str, turn: int, kind: str, status: int | None, retry: int) -> Record:
    return Record(0, session_id, turn, ERROR, d={"kind": kind, "status": status, "retry": retry})


def closed(session_id: str, turn: int, reason: str) -> Record:
    return Record(0, session_id, turn, CLOSE, d={"reason": reason})


def verdict(
    session_id: str,
    turn: int,
    detector: str,
    start: int,
    upto: int,
    findings: Sequence[tuple[int, int, str]] | None,
    reason: str = "",
) -> Record:
    """What a remote detector says of a turn's clean text from offset `start` to before `upto`.

    `findings` are (start, end, rule); None where it gave no answer, and then `reason` says why in a word.
    """
    said: dict[str, Any] = {"detector": detector, "start": start, "upto": upto, "findings": findings}
    return Record(0, session_id, turn, VERDICT, d=said | ({"reason": reason} if reason else {}))


class Header(msgspec.Struct, omit_defaults=True, frozen=True):
    """The first line of every log file. `created` is RFC 3339 in UTC and dates every `t` below it."""

    format: str
    version: int
    vendor: str
    created: str
    note: str = ""


ClosedBy: TypeAlias = Literal["sentence", "clause", "paragraph", "token", "timeout", "max_chars", "end", "error"]
CLOSED_BY: Final[tuple[ClosedBy, ...]] = get_args(ClosedBy)
"""What ends a window: what its mode asks for (the first four), silence, its length, the turn's end or its failure."""


class Message(msgspec.Struct, frozen=True, gc=False, tag="sentence", tag_field="type"):
    """One window of moderated text on its way to a desktop.

    closed_by  what ended the window, one of `CLOSED_BY`; a journal may have a later version's, and is read
    final      the turn's last message (its text may be empty: the end itself is worth a message)
    fallback   the text is ours, not the model's
    t          log time at which it left the flow, microseconds
    moderated  the categories of the findings in it, in order of place
    """

    session_id: str
    turn: int
    seq: int
    text: str
    closed_by: str
    final: bool
    fallback: bool
    t: int
    moderated: tuple[str, ...] = ()


class Summary(msgspec.Struct, frozen=True, gc=False):
    """What a turn leaves its vendor: the text that was shown, a fallback included, and its usage.

    s, n, t  its session and turn, and the log time of its end; so too below
    """

    t: int
    s: str
    n: int
    dialog_id: str
    response: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Finish(msgspec.Struct, frozen=True, gc=False):
    """How a turn ended, for those who read along: after its last message.

    outcome    the reason of its close
    stop       why the answer ended, where that is known (connectors.vendors.decoding.Reason); `filter` too where a
               policy ended it
    estimated  the vendor reported no usage
    """

    t: int
    s: str
    n: int
    outcome: str
    stop: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    estimated: bool


class Question(msgspec.Struct, frozen=True, gc=False):
    """Clean text from offset `start` on that a remote detector has to judge; its verdict comes back in the log.

    language  the session's, where it or the settings name one
    """

    t: int
    s: str
    n: int
    detector: str
    start: int
    text: str
    language: str | None = None


encode_message = msgspec.json.Encoder().encode
"""The message's bytes on the wire and in a replay: JSON in the order of the fields above."""
