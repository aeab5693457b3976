"""What is measured: the rows, and the tables, comments and views made from their declaration.

Rules
- A row type below is the one declaration of its table: field order is column order, the class
  docstring is the table's comment, and each field's note is its column's comment.
- A moment is an integer: microseconds since the Unix epoch, UTC. A duration is an integer and ends
  in `_ms`. What is not known is None. No row holds what a customer wrote or was shown.
- Three columns are ours and come last: `hour` (the UTC hour of the row, because truncating a
  TIMESTAMPTZ is slow), `lane` and `segment` (where the row was landed from; see lander.py).
- `landed.<name>` holds what is landed; the view `<name>` shows it together with the spool's newer
  rows, and is what analysts read.
- Rows that may have been said before lie in files of their own (AGAIN). The view shows those of them whose key is
  neither landed nor in an older segment: the first that was said stays.

A core: no I/O, no DuckDB, no polars.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec

from connectors.log.records import CLOSED_BY

SCHEMA_VERSION: Final = 3
"""Raise it with every change of a row type below; database.py brings older files up to it."""


class _Sql(msgspec.Struct, frozen=True):
    """Marks a field whose SQL type does not follow from its Python type."""

    type: str


Moment: TypeAlias = Annotated[int, _Sql("TIMESTAMPTZ")]
"""Microseconds since the Unix epoch, UTC."""

SessionId: TypeAlias = Annotated[str, "the session, as its caller named it"]
Turn: TypeAlias = Annotated[int, "the LLM answer in the session, from 0"]
Seq: TypeAlias = Annotated[int, "the message in the turn, from 0"]
Vendor: TypeAlias = Annotated[str, "the vendor, by its name in `tokenweir run`"]


class MessageRow(msgspec.Struct, frozen=True, gc=False):
    """One message that left moderation, named for ever by session_id, turn and seq; without its text"""

    session_id: SessionId
    turn: Turn
    seq: Seq
    vendor: Vendor
    tenant: Annotated[str | None, "the tenant that the session belongs to"]
    model: Annotated[str | None, "the model that was asked for"]
    released_at: Annotated[Moment, "when the message left the flow"]
    closed_by: Annotated[str, f"what ended the window: {', '.join(CLOSED_BY)}"]
    chars: Annotated[int, "characters in the message as shown"]
    tokens: Annotated[int, "vendor tokens that the window took in"]
    findings: Annotated[int, "findings of moderation in the message"]
    final: Annotated[bool, "the last message of its turn"]
    fallback: Annotated[bool, "the text is ours, not the model's"]
    window_ms: Annotated[int | None, "milliseconds from the window's first token to its close"]
    hold_ms: Annotated[int | None, "milliseconds that moderation held the message after its window closed"]


class TurnRow(msgspec.Struct, frozen=True, gc=False):
    """One turn (one LLM answer), written when it ends"""

    session_id: SessionId
    turn: Turn
    vendor: Vendor
    tenant: Annotated[str | None, "the tenant that the session belongs to"]
    model: Annotated[str | None, "the model that was asked for"]
    language: Annotated[str | None, "the language that sentences were split by"]
    desktop: Annotated[str | None, "the agent desktop, by its name in the settings"]
    started_at: Annotated[Moment, "when the turn was opened"]
    first_token_at: Annotated[Moment | None, "when its first token arrived"]
    first_message_at: Annotated[Moment | None, "when its first message left the flow"]
    ended_at: Annotated[Moment | None, "when the turn ended"]
    time_to_first_token_ms: Annotated[int | None, "milliseconds from opening to the first token"]
    time_to_first_message_ms: Annotated[int | None, "milliseconds from opening to the first message"]
    duration_ms: Annotated[int | None, "milliseconds from opening to the end"]
    tokens_received: Annotated[int, "tokens that the vendor sent, repetitions included"]
    tokens_repeated: Annotated[int, "tokens dropped as repetitions after a continuation"]
    tokens_sent: Annotated[int, "tokens whose text went out in messages"]
    messages: Annotated[int, "messages that left the flow"]
    chars_received: Annotated[int, "characters that the vendor sent, without repetitions"]
    chars_sent: Annotated[int, "characters in the messages"]
    moderation_blocks: Annotated[int, "findings that changed or withheld text"]
    prompt_tokens: Annotated[int | None, "tokens of the prompt, for billing"]
    completion_tokens: Annotated[int | None, "tokens of the answer, for billing"]
    total_tokens: Annotated[int | None, "tokens of prompt and answer, for billing"]
    usage_estimated: Annotated[bool, "the vendor reported no usage: characters / 4"]
    interruptions: Annotated[int, "drops, refusals and timeouts on the vendor's side"]
    restarts: Annotated[int, "attempts that began from nothing or by continuation"]
    outcome: Annotated[str, "how the turn ended: finished, failed, cancelled, …"]
    error_kind: Annotated[str | None, "the kind of the last error, where there was one"]
    tokens_doubtful: Annotated[int, "tokens shown that may be repetitions after a continuation (docs/recovery.md)"] = 0


class FindingRow(msgspec.Struct, frozen=True, gc=False):
    """One finding of moderation: what kind of text was met, and what was done; never the text"""

    session_id: SessionId
    turn: Turn
    seq: Annotated[int | None, "the message that the finding is in; null if that was dropped"]
    at: Annotated[Moment, "when the finding was made"] = msgspec.field(name="found_at")
    category: Annotated[str, "what was found: email, card, blocklist, …"]
    rule: Annotated[str, "the name of the detector or pattern that found it"]
    action: Annotated[str, "what was done: redact, replace, drop, flag"]
    start: Annotated[int, "where it starts, in characters of the turn's clean text"] = msgspec.field(name="start_char")
    end: Annotated[int, "where it ends, exclusive"] = msgspec.field(name="end_char")


class ErrorRow(msgspec.Struct, frozen=True, gc=False):
    """One thing that went wrong on the vendor's side of a turn: a drop, a refusal, a timeout, a restart of the job"""

    session_id: SessionId
    turn: Turn
    vendor: Vendor
    tenant: Annotated[str | None, "the tenant that the session belongs to"]
    at: Annotated[Moment, "when it happened"] = msgspec.field(name="occurred_at")
    kind: Annotated[str | None, "disconnected, ended, idle_timeout, rate_limited, status, restarted, …"]
    status: Annotated[int | None, "the HTTP status, or the WebSocket's close code, where there was one"]
    restart: Annotated[int | None, "how many times the turn had been begun again by then"]


class DeadLetterRow(msgspec.Struct, frozen=True, gc=False):
    """One input that a step could not handle and set aside; never its text"""

    session_id: Annotated[str | None, "the session, where it was known"]
    turn: Annotated[int | None, "the LLM answer in the session, where it was known"]
    at: Annotated[Moment, "when it was set aside"] = msgspec.field(name="set_aside_at")
    step: Annotated[str, "the step that could not handle it"]
    reason: Annotated[str, "why, in words of ours"]


class DeliveryRow(msgspec.Struct, frozen=True, gc=False):
    """One message as delivered to an agent desktop: a fact of the world, not of the flow"""

    session_id: SessionId
    turn: Turn
    seq: Seq
    desktop: Annotated[str, "the agent desktop, by its name in the settings"]
    sent_at: Annotated[Moment | None, "when it was handed to the connection; null if an earlier process did, or none"]
    confirmed_at: Annotated[Moment | None, "when the desktop confirmed it, or nobody would any more (see how)"]
    how: Annotated[str, "what confirmed it: ack, pong; or unconfirmed, skipped, dropped, unknown"]


class RunRow(msgspec.Struct, frozen=True, gc=False):
    """One start or orderly end of a lane's writer, written by itself; a start without an end was a crash"""

    event: Annotated[str, "begun or ended"]
    at: Annotated[Moment, "when"] = msgspec.field(name="happened_at")
    replays_after: Annotated[int, "the last segment that stands: what lies between it and this start is void"]
    fresh: Annotated[bool, "begun without a snapshot to resume from"]


Row: TypeAlias = MessageRow | TurnRow | FindingRow | ErrorRow | DeadLetterRow | DeliveryRow | RunRow


class Column(msgspec.Struct, frozen=True):
    """A column of a table. `field` is the row's attribute, empty for the columns that are ours."""

    name: str
    type: str
    comment: str
    field: str = ""


class Table(msgspec.Struct, frozen=True, dict=True):
    """A table, as its row type declares it.

    dated_by  `hour` is that of the first of these columns with a value
    key       columns that name a row for ever: said again, it is the same row. Empty: it is never said again
    """

    name: str
    row: type[Row]
    dated_by: tuple[str, ...]
    key: tuple[str, ...] = ()

    @property
    def comment(self) -> str:
        return str(self.row.__doc__)

    @functools.cached_property
    def declared(self) -> tuple[Column, ...]:
        """The columns that the row type declares, in its order."""
        hints = get_type_hints(self.row, include_extras=True)
        return tuple(
            Column(field.encode_name, *_sql_and_note(hints[field.name]), field.name)
            for field in msgspec.structs.fields(self.row)
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns of a segment and of the landed table."""
        return (*self.declared, *OUR_COLUMNS)

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns of the view."""
        return self.columns[:-1]


OUR_COLUMNS: Final = (
    Column("hour", "TIMESTAMPTZ", "the row's UTC hour; group and filter by it, it is fast"),
    Column("lane", "VARCHAR", "the lane (partition of the log) that the row came from"),
    Column("segment", "BIGINT", "the segment that the row was landed from"),
)

_LEDGER: Final = (
    Column("lane", "VARCHAR", "the lane"),
    Column("landed_up_to", "BIGINT", "the last segment landed: the microsecond at which it was begun"),
    Column("segments", "BIGINT", "segments landed so far"),
    Column("landed_at", "TIMESTAMPTZ", "when the lane was last landed"),
)
_VERSION: Final = (
    Column("version", "BIGINT", "the version of the schema"),
    Column("migrated_at", "TIMESTAMPTZ", "when the file was brought up to it"),
    Column("spool", "VARCHAR", "the folder that the views read newer rows from"),
    Column("script", "VARCHAR", "the further views that were made, as SQL"),
)

_TURN: Final = ("session_id", "turn")

TABLES: Final = {
    table.row: table
    for table in (
        Table("messages", MessageRow, ("released_at",), (*_TURN, "seq")),
        Table("turns", TurnRow, ("started_at",), _TURN),
        Table("findings", FindingRow, ("found_at",), (*_TURN, "seq", "category", "rule", "start_char", "end_char")),
        Table("errors", ErrorRow, ("occurred_at",), (*_TURN, "occurred_at", "kind", "status", "restart")),
        Table("dead_letters", DeadLetterRow, ("set_aside_at",), (*_TURN, "set_aside_at", "step", "reason")),
        Table("deliveries", DeliveryRow, ("sent_at", "confirmed_at"), (*_TURN, "seq", "desktop", "confirmed_at")),
        Table("runs", RunRow, ("happened_at",)),
    )
}
"""Every table, by its row type."""

RUNS: Final = TABLES[RunRow]

AGAIN: Final = "-again"
"""Follows the table's name in the name of a file of rows that may have been said before."""


def tables_sql() -> Iterator[str]:
    """The statements that make the landed tables and comment them. Repeating them does no harm."""
    yield "CREATE SCHEMA IF NOT EXISTS landed"
    yield from _table_sql("main.schema_version", "The versions that this file ever had, the newest its own", _VERSION)
    yield from _table_sql("landed.ledger", "How far each lane is landed", _LEDGER)
    for table in TABLES.values():
        yield from _table_sql(f"landed.{table.name}", f"{table.comment}: landed rows only", table.columns)


def _table_sql(name: str, comment: str, columns: Iterable[Column]) -> Iterator[str]:
    yield f"CREATE TABLE IF NOT EXISTS {name}({', '.join(f'{c.name} {c.type}' for c in columns)})"
    for column in columns:
        # What an older version of the table lacks is added, and null in its rows.
        yield f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column.name} {column.type}"
    yield from comments_sql("TABLE", name, comment, columns)


def comments_sql(kind: str, name: str, comment: str, columns: Iterable[Column]) -> Iterator[str]:
    yield f"COMMENT ON {kind} {name} IS {quoted(comment)}"
    for column in columns:
        yield f"COMMENT ON COLUMN {name}.{column.name} IS {quoted(column.comment)}"


def views_sql(spool: str) -> Iterator[str]:
    """The statements that make the views over the landed tables and the segments in `spool`.

    spool  absolute path of the spool's folder: a view must find it from any working directory
    """
    for table in TABLES.values():
        columns = ", ".join(c.name for c in table.shown)
        newer = (
            "NOT EXISTS (SELECT 1 FROM landed.ledger AS l WHERE l.lane = s.lane AND l.landed_up_to >= s.segment)"
        ) + ("" if table is RUNS else f" AND NOT EXISTS ({_void_sql(spool, 's')})")
        view = (
            f"CREATE OR REPLACE VIEW main.{table.name} AS"
            f" SELECT {columns} FROM landed.{table.name}"
            f" UNION ALL SELECT {columns} FROM {segments_sql(spool, table.name)} AS s WHERE {newer}"
        )
        if table.key:
            older = segments_sql(spool, table.name, f"{table.name}{AGAIN}")
            view += (
                f" UNION ALL SELECT {columns} FROM {segments_sql(spool, f'{table.name}{AGAIN}')} AS s WHERE {newer}"
                f" AND {not_landed_sql(table, segments_sql(spool, f'{table.name}{AGAIN}'))}"
                f" AND NOT EXISTS (SELECT 1 FROM {older} AS o WHERE {same_sql(table)} AND o.segment < s.segment"
                f" AND NOT EXISTS ({_void_sql(spool, 'o')}))"
            )
        yield view
        yield from comments_sql("VIEW", f"main.{table.name}", table.comment, table.shown)


def segments_sql(spool: str, *names: str) -> str:
    """The table function that reads every segment of these names. A column that one lacks is null in its rows."""
    globs = ", ".join(quoted(f"{globbed(spool)}/{name}.*.parquet") for name in names)
    return f"read_parquet([{globs}], union_by_name = true)"


def not_landed_sql(table: Table, again: str) -> str:
    """Whether row `s` of `again` is not landed yet.

    What is landed is first joined with all of `again`, which is small: where that is empty, nothing of it is read.
    """
    met = (
        f"SELECT * FROM landed.{table.name} AS o WHERE EXISTS (SELECT 1 FROM {again} AS a WHERE {same_sql(table, 'a')})"
    )
    return f"NOT EXISTS (SELECT 1 FROM ({met}) AS o WHERE {same_sql(table)})"


def same_sql(table: Table, row: str = "s") -> str:
    """Whether `o` and `row` are one row of the flow, said twice."""
    return " AND ".join(f"o.{column} IS NOT DISTINCT FROM {row}.{column}" for column in ("lane", *table.key))


def _void_sql(spool: str, row: str) -> str:
    """The starts of a writer that replays what `row` was written from."""
    return (
        f"SELECT 1 FROM {segments_sql(spool, RUNS.name)} AS r WHERE r.lane = {row}.lane AND r.event = 'begun'"
        f" AND {row}.segment > r.replays_after AND {row}.segment < r.segment"
    )


def quoted(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def globbed(path: str) -> str:
    """A path whose own `*`, `?` and `[` a glob takes as they are."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def _sql_and_note(hint: Any) -> tuple[str, str]:
    """SQL type and comment of an annotated field."""
    sql = note = ""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        sql, _ = _sql_and_note(inner)
        for each in notes:
            if isinstance(each, _Sql):
                sql = each.type
            else:
                note = str(each)
        return sql, note
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        return _sql_and_note(inner)
    return {str: "VARCHAR", int: "BIGINT", bool: "BOOLEAN", float: "DOUBLE"}[hint], note
