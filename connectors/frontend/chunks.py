"""An answer as clients of chat completions read it: chunks of a stream, or one completion. A core.

Rules
- A message is a delta. The first chunk says the role, the last ones why the answer ended, its usage where that was
  asked for, and `[DONE]`.
- An answer that failed has no `finish_reason` and no `[DONE]`: what failed is said in their place, in the stream's own
  `error`, so that no client takes a part for the whole.
- Usage that is estimated says so in a field of its own (`estimated`), which clients pass on or pass over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from connectors.frontend.ids import Key
from connectors.frontend.problems import error_of
from connectors.log.records import Finish
from connectors.text import to_json

REASONS: Final[Mapping[str, str]] = {"length": "length", "filter": "content_filter"}
"""A `finish_reason` by why the answer ended; any other is `stop`."""

STATUS: Final = {"rate_limited": 429, "timeout": 504, "cancelled": 499, "failed": 500, "stopping": 503}
BAD_GATEWAY: Final = 502
FINAL: Final = ("refused", "malformed", "failed", "cancelled")
"""Failures that asking again does not mend."""

PART_BYTES: Final = 64 << 10

DONE: Final = b"data: [DONE]\n\n"
_CONTENT: Final = b'"content":""'


class Replies:
    """The bodies of one turn's answer. `created` is in seconds since 1970."""

    def __init__(self, key: Key, model: str, created: int, *, include_usage: bool = False) -> None:
        self._head = {"id": f"chatcmpl-{key[0]}-{key[1]}", "created": created, "model": model}
        self._include_usage = include_usage

    def begin(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def delta(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def end(self, finish: Finish | None) -> bytes:
        last = self._chunk({}, _reason(finish))
        if self._include_usage:
            last += self._event({"choices": [], "usage": _usage(finish)})
        return last + DONE

    def error(self, outcome: str, says: str) -> bytes:
        return _data({"error": error_of(status_of(outcome), says, outcome)})

    def whole(self, texts: Iterable[str], finish: Finish | None) -> Iterator[bytes]:
        """The completion in parts, so that a long answer is never in memory as one."""
        message = {"role": "assistant", "content": "", "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(finish)}
        body = {**self._head, "object": "chat.completion", "choices": [choice], "usage": _usage(finish)}
        before, _, after = to_json(body).partition(_CONTENT)
        part = bytearray(before + _CONTENT[:-1])
        for text in texts:
            part += to_json(text)[1:-1]
            if len(part) >= PART_BYTES:
                yield bytes(part)
                part.clear()
        yield bytes(part + _CONTENT[-1:] + after)

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._event({"choices": [choice], **({"usage": None} if self._include_usage else {})})

    def _event(self, more: dict[str, Any]) -> bytes:
        return _data({**self._head, "object": "chat.completion.chunk", **more})


def models(names: Iterable[str], created: int) -> list[dict[str, Any]]:
    """The models as a client lists them."""
    return [{"id": name, "object": "model", "created": created, "owned_by": "tokenweir"} for name in names]


def status_of(outcome: str) -> int:
    """The status of an answer that failed so."""
    return STATUS.get(outcome, BAD_GATEWAY)


def _reason(finish: Finish | None) -> str:
    return REASONS.get(finish.stop if finish else "", "stop")


def _usage(finish: Finish | None) -> dict[str, Any] | None:
    if finish is None:
        return None
    usage: dict[str, Any] = {
        "prompt_tokens": finish.prompt_tokens,
        "completion_tokens": finish.completion_tokens,
        "total_tokens": finish.total_tokens,
    }
    return usage | ({"estimated": True} if finish.estimated else {})


def _data(body: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % to_json(body)
