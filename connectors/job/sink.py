"""Moderation's questions: Bytewax's way out to the remote detectors.

Rules
- `write_batch` hands the questions over and returns; the answers come in through the lane. Nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.job.detectors import Detectors
from connectors.log.records import Question


class DetectorSink(FixedPartitionedSink[Sequence[Question], None]):
    """Puts `(key, [Question, …])` to the detectors. One partition a lane."""

    def __init__(self, detectors: Detectors, lane: str) -> None:
        self._detectors = detectors
        self._lane = lane

    def list_parts(self) -> list[str]:
        return [self._lane]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Part:
        return _Part(self._detectors)


class _Part(StatefulSinkPartition[Sequence[Question], None]):
    def __init__(self, detectors: Detectors) -> None:
        self._detectors = detectors

    def write_batch(self, values: list[Sequence[Question]]) -> None:
        for questions in values:
            for question in questions:
                self._detectors.ask(question)

    def snapshot(self) -> None:
        return None
