"""Where the text is in an event of somebody's LLM stream: a core.

Rules
- A token path is keys and places joined by dots, `*` for all of a list: `candidates.0.content.parts.*.text`.
  `EVENT:` before it takes events of that type only. A path that leads nowhere, or to no string, gives no text.
- A preset is paths in order of preference: the answer; where a stream has none, the arguments of a tool call; where
  it has none either, what the model thought. A stream is read by the first path that gives any text in it.
- "auto" tries every preset. What is no JSON (`[DONE]`, comments) has no text and is no error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from connectors.errors import InputError
from connectors.sse import Event

AUTO = "auto"
CXONE = "cxone"
MAX_SUGGESTED = 5
MAX_DEPTH = 12

_PATH = re.compile(r"(?:(?P<event>[\w.-]+):)?(?P<keys>[\w-]+|\*)(?:\.(?:[\w-]+|\*))*")


class TokenPath:
    """One place in an event's JSON. Raises InputError for what is no path."""

    def __init__(self, path: str) -> None:
        if _PATH.fullmatch(path) is None:
            raise InputError(
                f"{path[:60]!r} is no token path; write one as choices.0.delta.content, * for all of a list"
            )
        event, colon, keys = path.rpartition(":")
        self.path = path
        self._event = event if colon else None
        self._keys = keys.split(".")

    def texts(self, event: Event, data: Any) -> Iterator[str]:
        """The strings there, in order, empty ones left out."""
        if self._event is None or self._event == event.event:
            yield from _texts(data, self._keys)


class Shape:
    """A preset: its paths in tiers, and what an event says when the answer is whole."""

    def __init__(self, name: str, tiers: Sequence[str], ends: str) -> None:
        self.name = name
        self.tiers = [TokenPath(path) for path in tiers]
        self._ends = re.compile(ends)

    def ends(self, event: Event) -> bool:
        return self._ends.search(event.data) is not None


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            "openai",  # Chat Completions and all that speak it; Responses
            (
                "choices.0.delta.content",
                "response.output_text.delta:delta",
                "choices.0.delta.tool_calls.*.function.arguments",
                "response.function_call_arguments.delta:delta",
                "choices.0.delta.reasoning",
                "choices.0.delta.reasoning_content",
            ),
            r'^\[DONE\]$|"finish_reason"\s*:\s*"|"type"\s*:\s*"response\.completed"',
        ),
        Shape(
            "anthropic",  # Messages
            (
                "content_block_delta:delta.text",
                "content_block_delta:delta.partial_json",
                "content_block_delta:delta.thinking",
            ),
            r'"type"\s*:\s*"message_stop"',
        ),
        Shape("gemini", ("candidates.0.content.parts.*.text",), r'"finishReason"\s*:\s*"'),
        Shape(CXONE, ("token",), r'"finished"\s*:\s*true'),
    )
}
"""The shapes that people have. Sources: the vendors' API references, and the recordings they are tested on."""


class Reading(msgspec.Struct, frozen=True):
    """How a stream was read.

    path    the token path that gave text
    tokens  per event the texts in it
    ended   whether it says itself that the answer is whole; True where the shape has no such sign
    """

    path: str
    tokens: list[list[str]]
    ended: bool


def read(events: Sequence[Event], shape: str = AUTO, path: str | None = None) -> Reading:
    """The texts of a stream by a preset, or by a token path of the user's own.

    Raises InputError where there is no text, and says where there may be some.
    """
    if shape not in (AUTO, *SHAPES):
        raise InputError(f"{shape[:40]!r} is no preset; there are {', '.join((AUTO, *SHAPES))}, or give --token-path")
    data = [_parse(event.data) for event in events]
    tries: list[tuple[Shape | None, TokenPath]] = [(None, TokenPath(path))] if path is not None else []
    if not tries:
        tries = _tiers(list(SHAPES.values()) if shape == AUTO else [SHAPES[shape]])
    for of, each in tries:
        tokens = [list(each.texts(event, parsed)) for event, parsed in zip(events, data, strict=True)]
        if any(tokens):
            return Reading(each.path, tokens, of is None or any(of.ends(event) for event in events))
    raise InputError(_no_text(events, data, path or shape))


def _tiers(shapes: Sequence[Shape]) -> list[tuple[Shape | None, TokenPath]]:
    """Every shape's first path, then every shape's second, and so on."""
    deepest = max(len(shape.tiers) for shape in shapes)
    return [(shape, shape.tiers[tier]) for tier in range(deepest) for shape in shapes if tier < len(shape.tiers)]


def _texts(value: Any, keys: Sequence[str]) -> Iterator[str]:
    if not keys:
        if isinstance(value, str) and value:
            yield value
        return
    key, rest = keys[0], keys[1:]
    if isinstance(value, dict):
        if key in value:
            yield from _texts(value[key], rest)
    elif isinstance(value, list):
        if key == "*":
            for each in value:
                yield from _texts(each, rest)
        elif key.isdecimal() and int(key) < len(value):
            yield from _texts(value[int(key)], rest)


def _parse(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _no_text(events: Sequence[Event], data: Iterable[Any], asked: str) -> str:
    if not events:
        return "there are no events in it; give the body of an SSE answer, as `curl -N -o FILE` saves it"
    seen: dict[str, set[str]] = {}
    for parsed in data:
        for path, text in _strings(parsed):
            seen.setdefault(path, set()).add(text)
    # What differs from event to event is text rather than an id or a model's name.
    best = sorted(seen, key=lambda path: -len(seen[path]))[:MAX_SUGGESTED]
    hint = f"; give --token-path, perhaps one of: {', '.join(best)}" if best else ""
    return f"no text by {asked!r} in {len(events)} events{hint}"


def _strings(value: Any, at: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every string with its path."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict) and depth < MAX_DEPTH:
        for key, each in value.items():
            yield from _strings(each, f"{at}.{key}" if at else key, depth + 1)
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for each in value:
            yield from _strings(each, f"{at}.*" if at else "*", depth + 1)
