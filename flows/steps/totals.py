"""What a turn adds up to: usage, latency, how it ended. The last core of a turn.

Rules
- Everything passes through in its place; a message's row follows the message, the turn's row follows its close, and
  what callers are told of its end (`Finish`) comes last.
- An answer that a policy's action `end` cut is one that a filter stopped, whatever the vendor says of it.
- Times are the log's, so a replay counts the same.
- Usage is the vendor's where it reports any, else characters / 4, and marked as estimated. Where it reports more
  than once in a turn, the last report holds: each counts the turn so far, so they are never summed.
- Rows hold no text: neither the customer's nor the model's. A turn of a dialog also leaves a `Summary`, which does:
  `max_shown` characters at most. What is shown after that is left out of it, as a dead letter's row says.
- An event costs the same however long the turn is, and so does an epoch, but for the text that a dialog's turn keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from connectors.log.records import CLOSE, ERROR, OPEN, Finish, Record, Summary
from connectors.metrics import DeadLetterRow, ErrorRow, FindingRow, MessageRow, TurnRow
from flows.steps.base import Core
from flows.steps.events import DeadLetter, Event, Finding, Output, Released, Repeated, Run, Stopped, Text, Usage

CHARS_PER_TOKEN = 4
FLAG = "flag"
END = "end"
FILTER = "filter"
MAX_SHOWN = 1_000_000


class Tally(msgspec.Struct):
    """The turn's sums so far. Times are log time, None until they happen.

    A new one comes last and has a default: so what an older version remembered is restored as it is, and `Totals`
    has only to say that it reads that version.
    """

    first_token: int | None = None
    first_message: int | None = None
    tokens_received: int = 0
    tokens_repeated: int = 0
    tokens_sent: int = 0
    chars_received: int = 0
    chars_sent: int = 0
    messages: int = 0
    moderation_blocks: int = 0
    opens: int = 0
    interruptions: int = 0
    error_kind: str | None = None
    usage: tuple[int, int, int] | None = None
    tokens_doubtful: int = 0
    stop: str = ""


class Totals(Core):
    """One turn's events, to the same events and their rows. `vendor` is the log's.

    told_by  the step that a row names where the summary has not all that was shown
    """

    version = 4
    reads = (2, 3)

    def __init__(self, vendor: str, opened: Record, max_shown: int = MAX_SHOWN, told_by: str = "measure") -> None:
        self._vendor = vendor
        self._request = opened.fields
        self._created = int(self._request.get("created", 0))
        self._started = opened.t
        self._tally = Tally()
        self._max_shown = max_shown
        self._told_by = told_by
        self._shown: list[str] = []  # for a dialog's sake alone; in few parts after each snapshot

    def feed(self, event: Event) -> Iterable[Output]:
        tally = self._tally
        if type(event) is Text:
            if tally.first_token is None:
                tally.first_token = event.t
            tally.tokens_received += event.tokens
            tally.chars_received += len(event.text)
        elif type(event) is Run:
            if tally.first_token is None:
                tally.first_token = event.t
            tally.tokens_received += len(event.times)
            tally.chars_received += len(event.text)
        elif type(event) is Released:
            return (event, self._message(event), *self._show(event))
        elif type(event) is Finding:
            tally.moderation_blocks += event.action != FLAG
            tally.stop = FILTER if event.action == END else tally.stop
            return (event, self._finding(event))
        elif type(event) is Repeated:
            if event.kept:
                tally.tokens_doubtful += event.tokens
            else:
                tally.tokens_received += event.tokens
                tally.tokens_repeated += event.tokens
        elif type(event) is Usage:
            tally.usage = (event.prompt_tokens, event.completion_tokens, event.total_tokens)
        elif type(event) is Stopped:
            tally.stop = tally.stop if tally.stop == FILTER else event.reason
        elif type(event) is DeadLetter:
            row = DeadLetterRow(event.s, event.n, self._created + event.t, event.step, event.reason)
            return (event, row)
        elif type(event) is Record:
            return self._record(event)
        return (event,)

    def snapshot(self) -> tuple[Any, ...]:
        if self._shown:
            self._shown = ["".join(self._shown)]
        return (*msgspec.structs.astuple(self._tally), tuple(self._shown))

    def restore(self, data: tuple[Any, ...]) -> None:
        *sums, shown = data
        self._tally, self._shown = Tally(*sums), list(shown)

    def _record(self, event: Record) -> tuple[Output, ...]:
        tally = self._tally
        if event.k == OPEN:
            tally.opens += 1
        elif event.k == ERROR:
            tally.interruptions += 1
            row = self._error(event)
            tally.error_kind = row.kind
            return (event, row)
        elif event.k == CLOSE:
            return (event, self._turn(event), *self._summary(event), self._finish(event))
        return (event,)

    def _message(self, event: Released) -> MessageRow:
        tally, message = self._tally, event.message
        if tally.first_message is None and message.text:
            tally.first_message = event.t
        tally.messages += 1
        tally.tokens_sent += event.tokens
        tally.chars_sent += len(message.text)
        return MessageRow(
            session_id=event.s,
            turn=event.n,
            seq=message.seq,
            vendor=self._vendor,
            tenant=self._request.get("tenant"),
            model=self._request.get("model"),
            released_at=self._created + event.t,
            closed_by=message.closed_by,
            chars=len(message.text),
            tokens=event.tokens,
            findings=event.findings,
            final=message.final,
            fallback=message.fallback,
            window_ms=(event.proved - event.began) // 1000,
            hold_ms=(event.t - event.proved) // 1000,
        )

    def _show(self, event: Released) -> tuple[DeadLetterRow, ...]:
        """Keep a message for the dialog, as far as there is room; a row where there was not, the first time."""
        if not (self._max_shown and self._request.get("dialog_id")):
            return ()
        text, size = event.message.text, len(event.message.text)
        room = self._max_shown - (self._tally.chars_sent - size)
        if room > 0:
            self._shown.append(text[:room])
        if not 0 <= room < size:
            return ()
        return (DeadLetterRow(event.s, event.n, self._created + event.t, self._told_by, "response_cut"),)

    def _error(self, event: Record) -> ErrorRow:
        problem = event.fields
        return ErrorRow(
            session_id=event.s,
            turn=event.n,
            vendor=self._vendor,
            tenant=self._request.get("tenant"),
            at=self._created + event.t,
            kind=problem.get("kind"),
            status=problem.get("status"),
            restart=problem.get("retry"),
        )

    def _finding(self, event: Finding) -> FindingRow:
        return FindingRow(
            session_id=event.s,
            turn=event.n,
            seq=event.seq,
            at=self._created + event.t,
            category=event.category,
            rule=event.rule,
            action=event.action,
            start=event.start,
            end=event.end,
        )

    def _turn(self, event: Record) -> TurnRow:
        tally, request = self._tally, self._request
        prompt, completion, total = self._usage()
        return TurnRow(
            session_id=event.s,
            turn=event.n,
            vendor=self._vendor,
            tenant=request.get("tenant"),
            model=request.get("model"),
            language=request.get("language"),
            desktop=request.get("desktop"),
            started_at=self._created + self._started,
            first_token_at=self._date(tally.first_token),
            first_message_at=self._date(tally.first_message),
            ended_at=self._created + event.t,
            time_to_first_token_ms=self._since_start_ms(tally.first_token),
            time_to_first_message_ms=self._since_start_ms(tally.first_message),
            duration_ms=(event.t - self._started) // 1000,
            tokens_received=tally.tokens_received,
            tokens_repeated=tally.tokens_repeated,
            tokens_sent=tally.tokens_sent,
            messages=tally.messages,
            chars_received=tally.chars_received,
            chars_sent=tally.chars_sent,
            moderation_blocks=tally.moderation_blocks,
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=total,
            usage_estimated=tally.usage is None,
            interruptions=tally.interruptions,
            restarts=tally.opens - 1,
            outcome=event.reason,
            error_kind=tally.error_kind,
            tokens_doubtful=tally.tokens_doubtful,
        )

    def _summary(self, event: Record) -> tuple[Summary, ...]:
        dialog_id = self._request.get("dialog_id")
        if not dialog_id:
            return ()
        return (Summary(event.t, event.s, event.n, dialog_id, "".join(self._shown), *self._usage()),)

    def _finish(self, event: Record) -> Finish:
        tally = self._tally
        return Finish(event.t, event.s, event.n, event.reason, tally.stop, *self._usage(), tally.usage is None)

    def _usage(self) -> tuple[int, int, int]:
        return self._tally.usage or self._estimate()

    def _estimate(self) -> tuple[int, int, int]:
        prompt = -(-int(self._request.get("prompt_chars", 0)) // CHARS_PER_TOKEN)
        completion = -(-self._tally.chars_received // CHARS_PER_TOKEN)
        return prompt, completion, prompt + completion

    def _date(self, t: int | None) -> int | None:
        return None if t is None else self._created + t

    def _since_start_ms(self, t: int | None) -> int | None:
        return None if t is None else (t - self._started) // 1000
