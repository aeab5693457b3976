"""[cognigy] and [dialog] of the settings."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from connectors.fields import FieldError, check_range
from connectors.secret import Secret

PLACEHOLDERS: Final = ("prompt", "session_id", "turn", "dialog_id", "model", "language", "tenant")
"""What a template may ask for, each in braces."""

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


class CognigySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach Cognigy.AI's LLM gateway.

    base_url                 COGNIGY_BASE_URL; http:// means ws:// for the stream
    environment              fills "{environment}" in base_url
    client_id, client_secret COGNIGY_CLIENT_ID, COGNIGY_CLIENT_SECRET
    model                    of sessions that name none
    temperature, max_tokens  of the dialog's configuration
    template                 a table, sent as JSON when the stream is open, with the session's "{prompt}",
                             "{session_id}", "{turn}", "{dialog_id}", "{model}", "{language}" and "{tenant}" filled in;
                             empty: nothing is sent, as the documented contract has it
    one_at_a_time            starts follow one another on the whole account, not only in a dialog: for a gateway
                             that gives a stream the account's latest configuration
    max_dialogs              whose configuration is remembered; one forgotten is configured again
    connect_timeout          seconds for a handshake with its connection, for a token, and for a configuration
    idle_timeout             seconds without a message after which a stream counts as timed out (0: never)
    overall_timeout          seconds for a turn, waits and new attempts included (0: no limit)
    max_reconnects           new attempts of one turn, in total, and only while no token has come
    max_retries              429 answers in a row to one turn before it is given up
    retry_base, retry_cap    seconds: the back-off's first and longest step
    retry_total              seconds of refusals in a row, Retry-After included, after which a turn is given up
    max_message_bytes        the largest message that is read
    """

    base_url: str = "https://{environment}.cognigy.ai"
    environment: str = ""
    client_id: str = ""
    client_secret: Secret = Secret("")
    model: str = "gpt-4-turbo"
    temperature: float = 0.7
    max_tokens: int = 1024
    template: dict[str, Any] = {}
    one_at_a_time: bool = False
    max_dialogs: int = 10_000
    connect_timeout: float = 10.0
    idle_timeout: float = 20.0
    overall_timeout: float = 60.0
    max_reconnects: int = 3
    max_retries: int = 3
    retry_base: float = 1.0
    retry_cap: float = 30.0
    retry_total: float = 300.0
    max_message_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise FieldError("base_url", "should begin with https:// or http://")
        if self.environment and not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", self.environment):
            raise FieldError("environment", "should be a part of a host name")
        check_range(self, "temperature", least=0, most=2)
        check_range(self, "connect_timeout", "retry_base", "retry_cap", "retry_total", above=0, unit="seconds")
        check_range(self, "idle_timeout", "overall_timeout", least=0, unit="seconds")
        check_range(self, "max_reconnects", "max_retries", least=0)
        check_range(self, "max_tokens", "max_dialogs", "max_message_bytes", least=1)
        fill(self.template, dict.fromkeys(PLACEHOLDERS, ""))


def fill(template: Any, values: dict[str, str]) -> Any:
    """The template with its placeholders filled, at any depth. Raises FieldError for one that is not among `values`."""
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda found: _value(found[1], values), template)
    if isinstance(template, dict):
        return {name: fill(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [fill(value, values) for value in template]
    return template


def _value(name: str, values: dict[str, str]) -> str:
    if name not in values:
        raise FieldError(
            "template", f"should use {', '.join(f'{{{each}}}' for each in values)}, and no other name in braces"
        )
    return values[name]


SET_VARIABLES: Final = "set_variables"
"""The step that posts a dialog's variables, and JOURNAL the folder of what it has still to post."""
JOURNAL: Final = "dialog"


class DialogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[dialog] of the settings.

    timeout                seconds for one request
    max_retries            tries after the first
    retry_base, retry_cap  seconds: the back-off's first and longest step
    retry_total            seconds from the first failure, Retry-After included, after which an update is given up
    parallel               requests under way at once, of different dialogs
    queue                  updates held in memory; the rest waits on disk
    keep                   waiting updates from which on new ones are given up
    remember               seconds of running time for which it is remembered that a turn's update is done
    drain_timeout          seconds that an orderly end waits for what is not posted yet
    response_chars         characters of a turn's text that llm_response holds; the rest of it is left out, and told
    """

    timeout: float = 10.0
    max_retries: int = 5
    retry_base: float = 2.0
    retry_cap: float = 60.0
    retry_total: float = 300.0
    parallel: int = 16
    queue: int = 512
    keep: int = 100_000
    remember: float = 86_400.0
    drain_timeout: float = 10.0
    response_chars: int = 1_000_000

    def __post_init__(self) -> None:
        check_range(self, "timeout", "retry_base", "retry_cap", "retry_total", "remember", above=0, unit="seconds")
        check_range(self, "max_retries", least=0)
        check_range(self, "drain_timeout", least=0, unit="seconds")
        check_range(self, "parallel", "queue", "keep", "response_chars", least=1)
