"""What a turn asks a model API: its conversation as messages. A core.

Rules
- A request has its prompt, which comes last, and perhaps what was said before it (`history`) and what the model is to
  keep to (`system`), for which the settings may have a text for all.
- What the log holds is what was checked when the turn was asked for (connectors/job/requests.py); a log from elsewhere
  may hold anything, so what is no text is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

FIELDS: Final = frozenset(("system", "history"))
"""Of a request, beside its prompt: what a vendor that asks so takes."""


class Message(NamedTuple):
    """One thing that was said, by the `user` or the `assistant`."""

    role: str
    content: str


class Conversation(NamedTuple):
    """What a model is asked; `system` is empty where there is none."""

    system: str
    messages: list[Message]

    @classmethod
    def of(cls, request: Mapping[str, Any], system: str = "") -> Conversation:
        """That of a turn's request; `system` is the text for all."""
        before = request.get("history")
        history = [each for each in before if isinstance(each, dict)] if isinstance(before, list | tuple) else []
        said = [Message(str(each.get("role")), str(each.get("content") or "")) for each in history]
        return cls(str(request.get("system") or system), [*said, Message("user", str(request.get("prompt") or ""))])
