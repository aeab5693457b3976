"""Bytewax's way out to whoever looks on: a sink that has every message shown.

Rules
- JSON lines are the very bytes that a desktop gets.
- It shows moderated text only: it hangs where the desktops hang.
- It is no part of delivery: where it cannot show, the flow goes on without it (outlet.py sees to it that a job never
  waits for it).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.console.outlet import close_stdout
from connectors.errors import OutputError
from connectors.log.records import Message, encode_message

Batch = Sequence[tuple[str, Message]]

log = logging.getLogger(__name__)


class ConsoleSink(FixedPartitionedSink[Batch, None]):
    """Shows every message through `show`; one partition, nothing to remember.

    fault  what it could not go on with; the flow went on without
    """

    def __init__(self, show: Callable[[Message], None], lane: str = "w00") -> None:
        self.fault: Exception | None = None
        self._show = show
        self._lane = lane

    def list_parts(self) -> list[str]:
        return [self._lane]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Part:
        return _Part(self)

    def show(self, message: Message) -> None:
        if self.fault is not None:
            return
        try:
            self._show(message)
        except BrokenPipeError as fault:
            self.fault = fault
            close_stdout()
        except (OSError, OutputError) as fault:
            self.fault = fault
        except Exception as fault:
            self.fault = fault
            log.warning("messages are not shown any more: %s", type(fault).__name__)

    def check(self) -> None:
        """After the flow: raise what it could not go on with. A reader that went away wanted no more."""
        if self.fault is not None and not isinstance(self.fault, BrokenPipeError):
            raise self.fault


class _Part(StatefulSinkPartition[Batch, None]):
    def __init__(self, sink: ConsoleSink) -> None:
        self._sink = sink

    def write_batch(self, values: list[Batch]) -> None:
        for batch in values:
            for _, message in batch:
                self._sink.show(message)

    def snapshot(self) -> None:
        return None


def show_json(message: Message) -> None:
    """One message as the line of JSON that a desktop gets."""
    sys.stdout.buffer.write(encode_message(message) + b"\n")
    sys.stdout.buffer.flush()
