"""Tables to structs of settings, with errors that a person can fix.

Rules
- Every error says the setting by its whole name, what it should be, and the file or the variables it came from: in
  lists, in tables by name (`desktops.west.url`), in tenants' policies alike. It never shows a value.
- A struct knows what its own fields should be (connectors/fields.py); what they are called and where they came from is
  known here alone.
- No number is infinite or nan, at any depth.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from connectors.errors import SettingsError
from connectors.fields import FieldError
from connectors.secret import Secret, decode_secret

T = TypeVar("T", bound=msgspec.Struct)
Keys: TypeAlias = tuple[str | int, ...]

_KEY = re.compile(r'("(?:\\.|[^"\\])*")|\[(\d+)\]|([^.\[\]"]+)')
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_WORDS: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    str: "a text",
    Secret: "a text",
    Path: "a path",
    date: "a day, such as 2026-11-20",
}


class Origin:
    """Where settings came from: a file, and the variables that set some of them, by their keys."""

    def __init__(self, file: str, variables: Mapping[Keys, str]) -> None:
        self._file = file
        self._variables = dict(variables)

    def __call__(self, keys: Keys, value: object) -> list[str]:
        """The sources of a value that stands there, each once."""
        for length in range(len(keys), 0, -1):
            if name := self._variables.get(keys[:length]):
                return [name]
        if isinstance(value, Mapping) and value:
            return list(dict.fromkeys(name for key, each in value.items() for name in self((*keys, key), each)))
        return [self._file]

    def inherit(self, keys: Keys, others: Keys) -> None:
        """What stands there was taken from elsewhere, and with it where it came from."""
        for each, name in list(self._variables.items()):
            if each[: len(others)] == others:
                self._variables[(*keys, *each[len(others) :])] = name


def dotted(keys: Iterable[str | int]) -> str:
    """A setting's name as it is written in TOML, with the place in a list in brackets."""
    name = ""
    for key in keys:
        if isinstance(key, int):
            name += f"[{key}]"
        else:
            name += f"{'.' if name else ''}{key if _PLAIN.fullmatch(key) else json.dumps(key)}"
    return name


def read(kind: type[T], table: object, origin: Origin, keys: Keys = ()) -> T:
    """The struct that a table is, which stands at `keys`. Raises SettingsError."""
    if isinstance(table, kind):
        return table
    if not isinstance(table, Mapping):
        raise _error(dotted(keys), f"should be a table, [{dotted(keys)}]", origin(keys, table))
    types = {field.name: field for field in msgspec.structs.fields(kind)}
    hints = get_type_hints(kind, include_extras=True)
    for key, value in table.items():
        if key not in types:
            raise _error(dotted((*keys, key)), f"is no setting; {_instead(key, types)}", origin((*keys, key), value))
    for name, field in types.items():
        if field.required and name not in table:
            raise _error(dotted((*keys, name)), "is missing; set it", _sources(origin, keys, table))
    fields = {key: _value(hints[key], value, origin, (*keys, key)) for key, value in table.items()}
    try:
        return kind(**fields)
    except FieldError as error:
        ways = [way for field in (error.field, *error.beside) if (way := _way(field))[0] in table]
        sources = [name for way in ways for name in origin((*keys, *way), _at(table, way))]
        name = f"{dotted(keys)}.{error.field}".lstrip(".")
        raise _error(name, error.what, list(dict.fromkeys(sources)) or _sources(origin, keys, table)) from None
    except ValueError as error:  # of a struct that says it in its own way
        raise SettingsError(f"{dotted(keys)}: {error} (from {' and '.join(_sources(origin, keys, table))})") from None


def _value(kind: Any, value: Any, origin: Origin, keys: Keys) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return read(kind, value, origin, keys)
    inside, arguments = get_origin(kind), get_args(kind)
    if inside in (Union, UnionType) and all(
        isinstance(each, type) and issubclass(each, msgspec.Struct) for each in arguments
    ):
        return read(_of_kind(arguments, value, origin, keys), value, origin, keys)
    if inside in (Union, UnionType) and value is not None and len(one := set(arguments) - {NoneType}) == 1:
        return _value(one.pop(), value, origin, keys)
    if inside is dict:
        if not isinstance(value, Mapping):
            raise _error(dotted(keys), f"should be a table, [{dotted(keys)}]", origin(keys, value))
        return {key: _value(arguments[1], each, origin, (*keys, key)) for key, each in value.items()}
    if inside is tuple:
        if not isinstance(value, list | tuple):
            raise _error(dotted(keys), f"should be a list, each of it {_words(arguments[0])}", origin(keys, value))
        return tuple(_value(arguments[0], each, origin, (*keys, at)) for at, each in enumerate(value))
    try:
        made = value if kind is Any else msgspec.convert(value, kind, strict=False, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError):  # their words may quote the value
        raise _error(dotted(keys), f"should be {_words(kind)}", origin(keys, value)) from None
    if (endless := _endless(made, keys)) is not None:
        raise _error(dotted(endless), "should be a finite number", origin(keys, value))
    return made


def _of_kind(structs: tuple[type[msgspec.Struct], ...], table: Any, origin: Origin, keys: Keys) -> type[msgspec.Struct]:
    """Which of several structs a table is, by its `kind`, which is each one's default; the first where it says none."""
    kinds = {field.default: each for each in structs for field in msgspec.structs.fields(each) if field.name == "kind"}
    told = table.get("kind", next(iter(kinds))) if isinstance(table, Mapping) else next(iter(kinds))
    if not isinstance(told, str) or told not in kinds:
        what = f"should be {' or '.join(json.dumps(each) for each in kinds)}"
        raise _error(dotted((*keys, "kind")), what, origin((*keys, "kind"), told))
    return kinds[told]


def _endless(value: object, keys: Keys) -> Keys | None:
    """Where in it a number is inf or nan."""
    if isinstance(value, float | Decimal):
        return None if math.isfinite(value) else keys
    inner: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    return next((found for key, each in inner if (found := _endless(each, (*keys, key))) is not None), None)


def _decode(kind: type, value: Any) -> Any:
    if isinstance(value, kind):
        return value
    if kind is not Path:
        return decode_secret(kind, value)
    if not isinstance(value, str):
        raise ValueError("expected text")
    return Path(value)


def _words(kind: Any) -> str:
    """What a value of this type is, in words."""
    inside, arguments = get_origin(kind), get_args(kind)
    if inside in (Union, UnionType):
        return " or ".join(_words(each) for each in arguments if each is not type(None))
    if inside is Literal:
        *first, last = [json.dumps(each) for each in arguments]
        return f"{', '.join(first)} or {last}" if first else last
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "a table"
    return _WORDS.get(kind, "something else")


def _instead(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def _way(field: str) -> Keys:
    """The keys in a name that `dotted` made."""
    return tuple(
        json.loads(quoted) if quoted else int(place) if place else plain for quoted, place, plain in _KEY.findall(field)
    )


def _at(value: Any, way: Keys) -> Any:
    """What stands there; None where nothing does."""
    for key in way:
        if isinstance(value, Mapping):
            value = value.get(key)
        else:
            value = value[key] if isinstance(value, list) and isinstance(key, int) else None
    return value


def _sources(origin: Origin, keys: Keys, table: Mapping[str, object]) -> list[str]:
    return list(dict.fromkeys(name for key, each in table.items() for name in origin((*keys, key), each))) or origin(
        keys, table
    )


def _error(name: str, what: str, sources: list[str]) -> SettingsError:
    return SettingsError(f"{name} {what} (from {' and '.join(sources)})")
