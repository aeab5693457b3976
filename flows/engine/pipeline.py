"""The Bytewax steps over the cores: reassemble, window, moderate, measure.

Rules
- An item is (shard key, (events in order of time, watermark)); every step hands on the same shape, and the watermark
  comes after all that it caused. Each step runs one `Shard` per key; nothing here knows a rule of the domain.
- No clock, no network, no thread. Bytewax's timers are never used; the end of the input is not the end of a turn.
- Step ids are names in the recovery store: never rename them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, get_args

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink

from connectors.log.records import Finish, Message, Question, Record, Summary
from connectors.metrics import Row
from connectors.vendors.base import Vendor
from flows.engine.policies import Policies
from flows.engine.shard import Shard
from flows.settings import Settings
from flows.steps.base import Core
from flows.steps.events import Released
from flows.steps.reassembly import Reassembly
from flows.steps.release import Release
from flows.steps.totals import Totals
from flows.steps.windows import Windows

Value: TypeAlias = tuple[Sequence[Any], int]
Sinks: TypeAlias = Mapping[str, FixedPartitionedSink[Any, Any]]
OwnSinks: TypeAlias = Mapping[str, Any] | None
"""A vendor's own: the registry's side knows no Bytewax."""
Delivery: TypeAlias = tuple[str, Message]

_ROWS = get_args(Row)


def build(
    source: FixedPartitionedSource[Any, Any],
    vendor: Vendor,
    settings: Settings,
    *,
    lists: Path,
    messages: Sinks,
    rows: Sinks,
    callers: Sinks | None = None,
    updates: OwnSinks = None,
    questions: Sinks | None = None,
) -> Dataflow:
    """The dataflow from a log to its sinks; opens nothing and needs no credentials.

    lists     folder of the block lists that the log names
    messages  step id to a sink of lists of (desktop, Message)
    rows      step id to a sink of lists of metric rows
    callers   step id to a sink of lists of Message and Finish, as callers are shown them
    updates   step id to a sink of lists of Summary
    questions step id to a sink of lists of Question, for remote detectors
    """
    flow = Dataflow(vendor.name)
    stream = op.input("read_log", flow, source)
    frames = _step("reassemble", stream, lambda _: Reassembly(vendor.decoder()))
    text = _step("split_sentences", frames, lambda opened: Windows(settings.window, opened))
    policies = Policies(settings, lists)
    windows = _step("moderate", text, lambda opened: _release(vendor, settings, policies, opened))
    shown = vendor.shown_chars(settings.of(vendor))
    told_by = next(iter(vendor.journals), "measure")
    measured = _step("measure", windows, lambda opened: Totals(vendor.name, opened, shown, told_by))
    _send("take_messages", measured, _messages, messages)
    _send("take_shown", measured, _shown, callers)
    _send("take_rows", measured, _rows, rows)
    _send("take_dialog_updates", measured, _updates, updates)
    _send("take_questions", measured, _questions, questions)
    return flow


class ShardLogic(StatefulBatchLogic[Value, Value, dict[str, Any]]):
    """A step's shard in Bytewax's hands. It is never discarded: its state is bounded by its open turns."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    def on_batch(self, values: list[Value]) -> tuple[list[Value], bool]:
        return [
            (self._shard.feed(events, watermark), watermark) for events, watermark in values
        ], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Value], bool]:
        """A stop is not an end: what is open waits for the next run, or for the log's last watermark."""
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> dict[str, Any]:
        return self._shard.snapshot()


def _step(step_id: str, up: KeyedStream[Value], make: Callable[[Record], Core]) -> KeyedStream[Value]:
    def resume(state: dict[str, Any] | None) -> ShardLogic:
        shard = Shard(step_id, make)
        if state is not None:
            shard.restore(state)
        return ShardLogic(shard)

    return op.stateful_batch(step_id, up, resume)


def _send(
    step_id: str, up: KeyedStream[Value], take: Callable[[Value], list[Any] | None], sinks: Mapping[str, Any] | None
) -> None:
    """What `take` finds in the events, to every sink; no step at all where there is none."""
    if sinks:
        taken = op.filter_map_value(step_id, up, take)
        for sink_id, sink in sinks.items():
            op.output(sink_id, taken, sink)


def _release(vendor: Vendor, settings: Settings, policies: Policies, opened: Record) -> Release:
    language = opened.fields.get("language") or settings.window.language
    fallback = settings.fallback
    if not fallback.serves(vendor):
        return Release(policies.of(opened), opened, language=language or "")
    return Release(policies.of(opened), opened, lambda reason: fallback.text(reason, language), language or "")


def _messages(value: Value) -> list[Delivery] | None:
    return [(event.desktop, event.message) for event in value[0] if type(event) is Released] or None


def _shown(value: Value) -> list[Message | Finish] | None:
    """Of a turn that ends its last message and its `Finish`, in one list: both are known before anybody is told."""
    return [
        event.message if type(event) is Released else event for event in value[0] if type(event) in (Released, Finish)
    ] or None


def _rows(value: Value) -> list[Row] | None:
    return [event for event in value[0] if isinstance(event, _ROWS)] or None


def _updates(value: Value) -> list[Summary] | None:
    return [event for event in value[0] if type(event) is Summary] or None


def _questions(value: Value) -> list[Question] | None:
    return [event for event in value[0] if type(event) is Question] or None
