"""Whose a stream is, and where the text is in one that is nobody's: a core.

Rules
- A stream is the vendor's who claims most of its messages; of equals, the first in the registry. Messages may share a
  frame, or be spread over several.
- A token path is keys and places joined by dots, `*` for all of a list: `answer.0.piece`. `EVENT:` before it takes
  events of that type only. A path that leads nowhere, or to no string, gives no text.
- What is no JSON (`[DONE]`, comments) has no text and is no error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.errors import InputError
from connectors.vendors.base import Vendor
from flows.recordings.bodies import Frame, message_of, objects_in

AUTO: Final = "auto"
MAX_SUGGESTED: Final = 5
MAX_DEPTH: Final = 12

_PATH: Final = re.compile(r"(?:(?P<event>[\w.-]+):)?(?P<keys>[\w-]+|\*)(?:\.(?:[\w-]+|\*))*")


class TokenPath:
    """One place in a frame's JSON. Raises InputError for what is no path."""

    def __init__(self, path: str) -> None:
        if _PATH.fullmatch(path) is None:
            raise InputError(
                f"{path[:60]!r} is no token path; write one as choices.0.delta.content, * for all of a list"
            )
        event, colon, keys = path.rpartition(":")
        self.path = path
        self._event = event if colon else None
        self._keys = keys.split(".")

    def texts(self, frame: Frame) -> list[str]:
        """The strings there, in order, empty ones left out."""
        return list(_texts(message_of(frame), self._keys)) if self._event in (None, frame.event) else []


def claimed(frames: Iterable[Frame], vendors: Mapping[str, Vendor]) -> Vendor | None:
    """Whose they are; None where nobody claims any."""
    frames = list(frames)
    whole = Frame(None, "".join(frame.text for frame in frames))
    for each in (frames, [whole]):
        messages = [message for frame in each for message in _objects(frame)]
        claims = Counter(name for name, vendor in vendors.items() for message in messages if vendor.claims(message))
        if claims:
            break
    most = max(claims.values(), default=0)
    return next((vendor for name, vendor in vendors.items() if most and claims[name] == most), None)


def no_text(frames: Sequence[Frame], asked: str) -> str:
    """What to say of frames that hold no text: where there may be some, quoting none of it."""
    if not frames:
        return "there are no events in it; give the body of a streamed answer, as `curl -N -o FILE` saves it"
    seen: dict[str, set[str]] = {}
    for frame in frames:
        for path, text in _strings(message_of(frame)):
            seen.setdefault(path, set()).add(text)
    # What differs from event to event is text rather than an id or a model's name.
    best = sorted(seen, key=lambda path: -len(seen[path]))[:MAX_SUGGESTED]
    hint = f"; give --token-path, perhaps one of: {', '.join(best)}" if best else ""
    return f"no text by {asked!r} in {len(frames)} events{hint}"


def _objects(frame: Frame) -> Iterator[dict[str, Any]]:
    """The messages that a vendor may claim: an object, or a packet's event with its name and data."""
    message = message_of(frame)
    if isinstance(message, dict):
        # an SSE event's type, where the JSON does not say it itself
        yield message if frame.event == "message" or "type" in message else {**message, "type": frame.event}
    elif packet := re.match(r"42(?:/[^,\[]*,)?\d*(?=\[)", frame.text):
        event = message_of(Frame(None, frame.text[packet.end() :]))
        if isinstance(event, list) and event:
            yield {"event": event[0], "data": event[1] if len(event) > 1 else None}
    elif message is None:
        for each in objects_in([(None, frame.text.encode(errors="replace"))]):
            if isinstance(message := message_of(each), dict):
                yield message


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
