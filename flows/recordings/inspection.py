"""What a policy would do to a text: the moderator's spans over a file, or over every turn of a recording.

Rules
- It runs the same cores as the flow, so what it shows is what an agent would see.
- It delivers nothing and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from connectors.errors import InputError, SettingsError
from connectors.job.blocklists import parse_terms
from connectors.log.files import LogReader, lists_beside
from connectors.log.records import OPEN, Record
from flows.engine.policies import Policies
from flows.moderation import Moderator, Policy, Span
from flows.recordings.vendor import vendor_of
from flows.settings import Settings
from flows.steps.events import Text
from flows.steps.reassembly import Reassembly

SUFFIXES = (".jsonl", ".jsonl.zst")


def inspect(path: Path, settings: Settings, tenant: str | None = None) -> Iterator[tuple[str, list[Span]]]:
    """What each text is called and its spans: a recording's turns in their order, or a plain file's whole text.

    Raises InputError where the file cannot be read as either.
    """
    if path.is_dir() or path.name.endswith(SUFFIXES):
        policies = Policies(settings, lists_beside(path))
        for opened, text in _turns(path):
            yield (
                f"{opened.s}/{opened.n}",
                spans(text, policies.of(opened), opened.fields.get("language") or settings.window.language or ""),
            )
    else:
        yield path.name, spans(_plain(path), _current(settings, tenant), settings.window.language or "")


def _current(settings: Settings, tenant: str | None) -> Policy:
    """The policy that a turn of this tenant would begin with now, its block list's file included."""
    own = settings.tenants.get(tenant or "")
    policy = own.moderation if own else settings.moderation
    file = (own and own.blocklist_file) or settings.blocklist_file
    if file is None:
        return policy
    try:
        terms = parse_terms(file.read_bytes(), file)
    except OSError as error:
        raise SettingsError(f"block list {file} cannot be read: {error.strerror}") from None
    return msgspec.structs.replace(policy, blocklist=policy.blocklist + terms)


def spans(text: str, policy: Policy, language: str = "") -> list[Span]:
    """A whole text in that language through a moderator."""
    moderator = Moderator(policy, language)
    return [*moderator.push(text), *moderator.finish()]


def _turns(path: Path) -> Iterator[tuple[Record, str]]:
    """Every turn's first open and its clean text."""
    vendor = vendor_of(path)
    turns: dict[tuple[str, int], tuple[Record, Reassembly, list[str]]] = {}
    for record, _ in LogReader(path).read():
        key = (record.s, record.n)
        if record.k == OPEN and key not in turns:
            turns[key] = (record, Reassembly(vendor.decoder()), [])
        if key in turns:
            _, core, texts = turns[key]
            texts += [event.text for event in core.feed(record) if isinstance(event, Text)]
    for opened, _, texts in turns.values():
        yield opened, "".join(texts)


def _plain(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is neither a recording (.jsonl) nor text in UTF-8") from None
