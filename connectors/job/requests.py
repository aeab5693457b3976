"""What a caller asks for: one session's next turn, from a file of sessions or over HTTP.

Rules
- Nothing in a request is trusted: ids, lengths and names are checked, and an error names the field.
- What a vendor cannot pass on is refused, never dropped: system, history and options go to one that takes them.
- A desktop is a name from the settings, never a URL. A tenant too, where the settings have any: a misspelt one would
  silently get everybody's policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from connectors.errors import InputError
from connectors.log.records import SESSION_ID
from connectors.vendors.conversation import FIELDS

MAX_PROMPT = 1 << 20
MAX_HISTORY = 1_000
# msgspec searches for these: `$` would also match before a line break at the end.
NAME = r"^[A-Za-z0-9._:/@-]{1,128}\Z"
DESKTOP = r"^[A-Za-z0-9_-]{1,64}\Z"
LANGUAGE = r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*\Z"

Name = Annotated[str, msgspec.Meta(pattern=NAME)]


Role: TypeAlias = Literal["user", "assistant"]


class Utterance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was said in a conversation before."""

    role: Role
    content: Annotated[str, msgspec.Meta(max_length=MAX_PROMPT)]


class SessionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One turn to begin; the fields are those of an `open` in the log.

    session_id  letters, digits and . _ : @ - ; at most 128
    prompt      at most 1,048,576 characters
    system      what the model is to keep to, where its vendor takes that; as long at most
    history     what was said before the prompt, {"role": "user" or "assistant", "content"} each; 1,000 at most
    options     what else a vendor takes by name (`Vendor.takes`), such as `temperature`: as it stands
    model, tenant, dialog_id, desktop  names; desktop is one of the settings'
    language    a code such as `en` or `pt-BR`
    window      what ends this turn's messages, where that is not the settings' window.mode
    """

    session_id: Annotated[str, msgspec.Meta(pattern=rf"^(?:{SESSION_ID.pattern})\Z")]
    prompt: Annotated[str, msgspec.Meta(max_length=MAX_PROMPT)] | None = None
    system: Annotated[str, msgspec.Meta(max_length=MAX_PROMPT)] | None = None
    history: Annotated[list[Utterance], msgspec.Meta(max_length=MAX_HISTORY)] | None = None
    options: dict[str, Any] | None = None
    model: Name | None = None
    tenant: Name | None = None
    language: Annotated[str, msgspec.Meta(pattern=LANGUAGE)] | None = None
    desktop: Annotated[str, msgspec.Meta(pattern=DESKTOP)] | None = None
    dialog_id: Name | None = None
    window: Literal["sentence", "clause", "paragraph", "none"] | None = None

    def opening(self) -> dict[str, Any]:
        """`d` of the turn's `open` record."""
        request: dict[str, Any] = msgspec.to_builtins(self)
        del request["session_id"]
        return request

    def repeats(self, opening: Mapping[str, Any]) -> bool:
        """Whether a turn that began with this was asked for in the same words."""
        mine = self.opening()
        same = all(mine.get(name) == opening.get(name) for name in ("system", "history", "options"))
        return same and mine.items() <= opening.items()


class MissingError(InputError):
    """Fields that a request needs and does not have."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"{' and '.join(names)}: missing")
        self.names = names


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What one job asks of a request, beside its form.

    needs     fields that its vendor cannot do without
    takes     what it passes on beyond the prompt: `system`, `history`, and options by name
    desktops  the names that a request may give; None: that is asked elsewhere
    tenants   the same; empty: any
    """

    needs: tuple[str, ...] = ()
    takes: frozenset[str] = frozenset()
    desktops: frozenset[str] | None = None
    tenants: frozenset[str] = frozenset()

    def check_names(self, request: SessionRequest) -> None:
        """Raises InputError for a name that the settings lack, and for what the vendor does not take."""
        if self.desktops is not None and request.desktop is not None and request.desktop not in self.desktops:
            raise InputError("desktop: no desktop of that name in the settings")
        if self.tenants and request.tenant is not None and request.tenant not in self.tenants:
            raise InputError("tenant: no tenant of that name in the settings; add [tenants.NAME]")
        for name in sorted(FIELDS):
            if getattr(request, name) and name not in self.takes:
                raise InputError(f"{name}: this vendor takes a prompt alone; leave it out")
        if not self.takes.issuperset(request.options or ()):
            known = ", ".join(sorted(self.takes - FIELDS)) or "none"
            raise InputError(f"options: one that this vendor does not take; it takes {known}")

    def check(self, request: SessionRequest) -> None:
        """The same, and raises MissingError for a field that is needed."""
        if missing := [name for name in self.needs if not getattr(request, name)]:
            raise MissingError(missing)
        self.check_names(request)


_decode = msgspec.json.Decoder(SessionRequest).decode


def parse_request(data: bytes) -> SessionRequest:
    """A request from JSON. Raises InputError that names the field and never quotes its value."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(_explain(error)) from None


def read_sessions(path: Path, admission: Admission | None = None) -> Iterator[SessionRequest | InputError]:
    """The requests of a JSON-lines file, in order; one that is broken or not admitted comes as the error that names it.

    Raises InputError where the file cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            request = parse_request(line)
            if admission is not None:
                admission.check(request)
            yield request
        except InputError as error:
            yield InputError(f"{path}: line {number}: {error}")


def problem_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """Which field msgspec speaks of ("" for the whole), and what it says, without the value that it quotes of some."""
    field = re.search(r" - at `\$\.?([^`]*)`$", str(error))
    what = str(error)[: field.start()] if field else str(error)
    what = re.sub(r"^Invalid enum value .*", "none of the words that it may be", what, flags=re.DOTALL)
    return field[1] if field else "", " ".join(what.split())  # a field's name is the caller's: one line


def _explain(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        name, what = problem_of(error)
        return f"{name}: {what}" if name else what
    return 'not JSON; each line is an object such as {"session_id": "s-1", "prompt": "..."}'
