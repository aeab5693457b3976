"""What goes wrong with a stream, as data: written down, parsed from text, or drawn by a seed.

Rules
- `Faults` says everything that happens to one stream. `Progress` is how much of it has happened.
- The text form is faults joined by commas, each `name=value@place:option=value`:

      429=2:retry-after=1       the first 2 requests of the stream are answered 429, Retry-After: 1
      503=1:retry-date=2        Retry-After as an HTTP date, 2 s from now
      401=1:on=continue         the first continuation: its token is revoked (on=start|continue|any|token)
      403=1:on=token            asked of the token endpoint itself; counted for the whole gateway
      503=2:on=dialog           the same for Cognigy's other calls: on=config, on=dialog
      200                       an HTML page where a stream should be
      latency=0.2:on=start      seconds before the answer begins
      drop=fin@12               FIN after token 12 of the stream; rst: RST; end: a clean end, not `finished`
      drop=rst@300b             … after byte 300 of this answer (head and framing count; for end, the body's)
      drop=end@+2:times=3       … 2 tokens into this answer, and again in the two after it
      drop=end@last             … after the last token, so that only `finished` lacks
      drop=fin@12:repeat=3:ids=new     the continuation after this one begins 3 tokens back, with new ids
      drop=error@12:code=overloaded    an `event: error` (Cognigy: a message), then a clean end
      drop=1011@12              a WebSocket's close frame with that code: 1000, 1001, 1011; 1006 is none, and FIN
      drop=fin@9:revoke:refuse=2       the token is revoked too, and connections are refused for 2 s
      stall=5@12                silence for 5 s after token 12 (inf: until the client goes)
      slow=0.1                  so many seconds more before every token
      heartbeat=1               a comment after every second of silence
      repeat=3:ids=new          a continuation begins 3 tokens back, with the same or with new ids
      ids=event:every=2         ids: event (one each), stream (one for all), none, data (as context_id),
                                both, clash (a wrong context_id beside the right id)
      ids=event:named=unique    what ids look like: counting (ctx-0-17), unique (a hash), shared (one for 3 tokens,
                                ids=event:named=shared:size=3; a continuation goes on where the gateway stopped, or,
                                ids=event:named=shared:again, with the first token of the id that it names)
      ids=data:odd              the ids in the data hold half a surrogate pair, a NUL and a line break
      big=1500000@3             the event of token 3 carries a `data` field of so many bytes
      malformed=garbage@5       an event too many after token 5: garbage, truncated, type, utf8
      drop@12  malformed@5      as drop=fin@12, malformed=truncated@5
      lost@12                   a drop that comes again however often the client continues
      eol=crlf  comments=1  bom  retry=3000    the SSE liberties; comments: one before every n-th event
      lines                     the JSON of an event over several data lines
      raw                       byte tokens (<0xE2>) as the bytes themselves, so that a message is no UTF-8
      split=3  pack=4           one JSON over 3 events; 4 JSON messages in one event
      pieces=7                  HTTP chunks of 7 bytes
      finish=last               `finished` comes with the last token (own: with an empty one, after it)
      usage=each                Cognigy's usage, with every message (done: with the last; none: never)

- What a vendor's protocol has no place for is passed over: SSE liberties on a WebSocket, close codes on HTTP (FIN).
  On a WebSocket `pack` tokens share a message, `pieces` are frames of one, and a `heartbeat` is a ping.
- Seconds are real ones, whatever the speed that the stream is played at.
- `replay --faults` takes the same words (flows/recordings/variants.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from connectors.errors import SettingsError

On = Literal["any", "start", "continue", "token", "config", "dialog"]
FOREVER: Final = 1_000_000
Count = Annotated[int, Meta(ge=1, le=FOREVER)]
Seconds = Annotated[float, Meta(ge=0)]


class Place(msgspec.Struct, frozen=True):
    """Where in a stream: after `at` tokens of it or of this answer (`more`), at a byte, or after the last."""

    at: int
    of: Literal["stream", "more", "byte", "last"] = "stream"

    @classmethod
    def parse(cls, text: str) -> Place:
        found = re.fullmatch(r"(\+?)(\d{1,12})(b?)|last", text)
        if not found or (found[1] and found[3]):
            raise SettingsError(f"a place is a token (@12), @+2, a byte (@300b) or @last, not @{text[:20]}")
        if text == "last":
            return cls(0, "last")
        return cls(int(found[2]), "more" if found[1] else "byte" if found[3] else "stream")

    def __str__(self) -> str:
        return {"stream": "{}", "more": "+{}", "byte": "{}b", "last": "last"}[self.of].format(self.at)

    def token(self, first: int, length: int) -> int | None:
        """The number of tokens of the stream it comes after, in an answer that begins behind `first`."""
        if self.of == "byte":
            return None
        return min({"stream": self.at, "more": first + self.at, "last": length}[self.of], length)


def _require_token(fault: str, at: Place) -> None:
    if at.of == "byte":
        raise SettingsError(f"fault {fault!r} comes after a token, such as @12, not at byte @{at}")


class Refusal(msgspec.Struct, frozen=True):
    """Requests that get a status instead of a stream. Waits in seconds, as a number or as an HTTP date."""

    status: Annotated[int, Meta(ge=200, le=599)]
    times: Count = 1
    on: On = "any"
    retry_after: Seconds | None = None
    retry_date: Seconds | None = None


class Latency(msgspec.Struct, frozen=True):
    seconds: Seconds
    on: On = "any"


class Drop(msgspec.Struct, frozen=True):
    """An answer that is broken off.

    refuse       seconds without new connections afterwards
    repeat, ids  of the continuation after it, in place of `Faults.repeat`
    """

    how: Literal["fin", "rst", "end", "error", "1000", "1001", "1006", "1011"]
    at: Place
    times: Count = 1
    revoke: bool = False
    refuse: Seconds = 0
    code: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}\Z")] = "internal_error"
    repeat: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    ids: Literal["same", "new"] | None = None

    def __post_init__(self) -> None:
        if self.how == "error":
            _require_token("drop=error", self.at)

    @property
    def is_final(self) -> bool:
        """Whether no continuation gets past it."""
        return self.times == FOREVER

    def repeats(self, otherwise: Repeat) -> Repeat:
        """What the continuation after it repeats."""
        if self.repeat is None and self.ids is None:
            return otherwise
        return Repeat(self.repeat or 0, self.ids or "same")

    @property
    def ending(self) -> Literal["fin", "rst", "end"]:
        """How it ends a connection that knows no close frames."""
        if self.how in ("end", "error"):
            return "end"
        return "rst" if self.how == "rst" else "fin"

    @property
    def close_code(self) -> int | None:
        """The code of the close frame that ends a WebSocket, or None where it ends without one."""
        if self.how in ("end", "error"):
            return 1000 if self.how == "end" else 1011
        return int(self.how) if self.how in ("1000", "1001", "1011") else None


class Stall(msgspec.Struct, frozen=True):
    seconds: Seconds
    at: Place

    def __post_init__(self) -> None:
        _require_token("stall", self.at)


class Big(msgspec.Struct, frozen=True):
    size: Annotated[int, Meta(ge=1, le=64_000_000)]
    at: Place

    def __post_init__(self) -> None:
        _require_token("big", self.at)


class Malformed(msgspec.Struct, frozen=True):
    how: Literal["garbage", "truncated", "type", "utf8"]
    at: Place

    def __post_init__(self) -> None:
        _require_token("malformed", self.at)


class Repeat(msgspec.Struct, frozen=True):
    tokens: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    ids: Literal["same", "new"] = "same"


class Ids(msgspec.Struct, frozen=True):
    style: Literal["event", "stream", "none", "data", "both", "clash"] = "event"
    every: Count = 1
    named: Literal["counting", "unique", "shared"] = "counting"
    size: Count = 3
    again: bool = False
    odd: bool = False


class Faults(msgspec.Struct, frozen=True):
    """All that goes wrong with one stream; by default, nothing. The module's head says what each means."""

    refusals: tuple[Refusal, ...] = ()
    latencies: tuple[Latency, ...] = ()
    drops: tuple[Drop, ...] = ()
    stalls: tuple[Stall, ...] = ()
    big: tuple[Big, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    repeat: Repeat = Repeat()
    ids: Ids = Ids()
    slow: Seconds = 0
    heartbeat: Seconds = 0
    eol: Literal["lf", "crlf", "cr"] = "lf"
    comments: Annotated[int, Meta(ge=0)] = 0
    bom: bool = False
    retry: Annotated[int, Meta(ge=0)] | None = None
    lines: bool = False
    raw: bool = False
    split: Annotated[int, Meta(ge=1, le=1000)] = 1
    pack: Annotated[int, Meta(ge=1, le=1000)] = 1
    pieces: Annotated[int, Meta(ge=0)] = 0
    finish: Literal["own", "last"] = "own"
    usage: Literal["done", "each", "none"] = "done"

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Faults from their text form. Raises SettingsError that names the fault and what it may be."""
        fields: dict[str, Any] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            field, value = _parse_item(item)
            if field in _MANY:
                fields[field] = (*fields.get(field, ()), value)
            elif field in fields:
                raise SettingsError(f"fault {item!r}: {field} is given twice; keep one")
            else:
                fields[field] = value
        return cls(**fields)

    def __str__(self) -> str:
        """The text form, of which `parse` makes the same faults."""
        return ",".join(_format(self))


class Progress:
    """How much of a stream's faults has happened. One to a stream, over all its requests."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._repeat = faults.repeat
        self._refusals = [refusal.times for refusal in faults.refusals]
        self._drops = [drop.times for drop in faults.drops]

    def refuse(self, on: On) -> Refusal | None:
        """The refusal that this request gets, which uses it up."""
        for place, refusal in enumerate(self.faults.refusals):
            if self._refusals[place] and _applies(refusal.on, on):
                self._refusals[place] -= 1
                return refusal
        return None

    def latency(self, on: On) -> float:
        """Seconds before the answer to this request."""
        return sum(latency.seconds for latency in self.faults.latencies if _applies(latency.on, on))

    @property
    def drop(self) -> Drop | None:
        """The drop that waits for its place. They come in their order, one to an answer."""
        return next((drop for drop, left in zip(self.faults.drops, self._drops, strict=True) if left), None)

    def dropped(self) -> None:
        """`drop` has happened."""
        place = next(place for place, left in enumerate(self._drops) if left)
        self._drops[place] -= 1
        self.faults = msgspec.structs.replace(self.faults, repeat=self.faults.drops[place].repeats(self._repeat))


def _applies(meant: On, asked: On) -> bool:
    return meant == asked or (meant == "any" and asked in ("start", "continue"))


# The text form.

S = TypeVar("S", bound=msgspec.Struct)

_MANY: Final = ("refusals", "latencies", "drops", "stalls", "big", "malformed")
_KINDS: Final[dict[str, tuple[str, type[msgspec.Struct]]]] = {
    "latency": ("latencies", Latency),
    "drop": ("drops", Drop),
    "stall": ("stalls", Stall),
    "big": ("big", Big),
    "malformed": ("malformed", Malformed),
    "repeat": ("repeat", Repeat),
    "ids": ("ids", Ids),
}
_SCALARS: Final = {field.name: field for field in msgspec.structs.fields(Faults)}.keys() - {
    *_MANY,
    *(field for field, _ in _KINDS.values()),
}
_SHORT: Final = {"drop": "fin", "malformed": "truncated"}
"""What is meant where only a place is given."""
_ITEM = re.compile(r"([a-z]+|\d{3})(?:=([^@:]*))?(?:@([^:]*))?((?::[a-z-]+(?:=[^:]*)?)*)")


def _parse_item(item: str) -> tuple[str, Any]:
    found = _ITEM.fullmatch(item)
    if not found:
        raise SettingsError(f"fault {item[:40]!r} is not name=value@place:option=value")
    name, value, place, tail = found.groups()
    given: dict[str, Any] = {}
    for option in filter(None, tail.split(":")):
        key, _, setting = option.partition("=")
        given[key.replace("-", "_")] = setting or "true"
    if place is not None:
        given["at"] = Place.parse(place)
    if name == "lost":
        if value is not None or place is None or tail:
            raise SettingsError(f"fault {item[:40]!r} takes a place and nothing else: lost@12")
        return "drops", Drop("fin", given["at"], FOREVER)
    if place is not None and value is None:
        value = _SHORT.get(name)
    if name.isdigit():
        return "refusals", _made(item, Refusal, {"status": name, "times": value or "1", **given})
    if name in _KINDS:
        field, kind = _KINDS[name]
        first = msgspec.structs.fields(kind)[0].name
        return field, _made(item, kind, {first: value, **given} if value is not None else given)
    if name in _SCALARS:
        if given:
            raise SettingsError(f"fault {item[:40]!r}: {name} takes neither a place nor options")
        return name, getattr(_made(item, Faults, {name: "true" if value is None else value}), name)
    known = ", ".join(sorted((*_KINDS, *_SCALARS, "lost")))
    raise SettingsError(f"fault {item[:40]!r} is not known: a status such as 429, or one of {known}")


def _made(item: str, kind: type[S], given: dict[str, Any]) -> S:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key, value in given.items():
        if key not in fields:
            raise SettingsError(f"fault {item[:40]!r} takes no {'place' if key == 'at' else repr(key)}")
        if (words := _words(fields[key].type)) and value not in words:
            raise SettingsError(f"fault {item[:40]!r}: {key} is one of {', '.join(words)}")
    for key, field in fields.items():
        if field.required and key not in given:
            lacks = "a place, such as @12" if key == "at" else f"a value after {item.split(':')[0][:20]!r}"
            raise SettingsError(f"fault {item[:40]!r} lacks {lacks}")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"fault {item[:40]!r}: {str(error).replace('`', '')}") from None


def _words(kind: Any) -> tuple[str, ...]:
    """The words that a field may be, where it is one of some."""
    literal = next((each for each in (kind, *get_args(kind)) if get_origin(each) is Literal), None)
    return get_args(literal)


def _format(faults: Faults) -> Iterator[str]:
    for refusal in faults.refusals:
        yield f"{refusal.status}={refusal.times}{_options(refusal, skip=2)}"
    for name, (field, _) in _KINDS.items():
        held = getattr(faults, field)
        for fault in held if field in _MANY else (held,) if held != type(held)() else ():
            first = _text(getattr(fault, fault.__struct_fields__[0]))
            place = f"@{fault.at}" if hasattr(fault, "at") else ""
            yield f"{name}={first}{place}{_options(fault, skip=1)}"
    for field_info in msgspec.structs.fields(Faults):
        if field_info.name in _SCALARS and (value := getattr(faults, field_info.name)) != field_info.default:
            yield field_info.name if value is True else f"{field_info.name}={_text(value)}"


def _options(fault: msgspec.Struct, skip: int) -> str:
    text = ""
    for field in msgspec.structs.fields(fault)[skip:]:
        value = getattr(fault, field.name)
        if field.name != "at" and value != field.default:
            text += f":{field.name.replace('_', '-')}" + ("" if value is True else f"={_text(value)}")
    return text


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
