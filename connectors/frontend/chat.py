"""What a chat completion's request asks for, as a turn of a session: a core.

Rules
- The prompt is the user's message, the last that was said. What was said before goes along as the turn's history, and
  what the system and the developer say as its system text, where the vendor takes them; else `frontend.history` says
  what becomes of them. A lone message of the user's is a prompt and nothing else.
- A session is named by the header, the metadata or `user`, in this order; by none, it is a fresh one. A token that
  opens the sessions of a name has its callers' ids begin with it.
- `metadata` may have the other fields of a request (docs/operations.md); what else is in it is the caller's own.
- What would make the answer another one than the caller can read (tools, several choices, JSON, a stop text) is passed
  on or refused. What only tunes it is passed on or has no effect, and so has what nobody here knows: clients differ.
- An error names the parameter as the caller wrote it, and never quotes its value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn, get_args

import msgspec

from connectors.errors import InputError
from connectors.frontend.problems import ParameterError
from connectors.frontend.settings import FrontendSettings
from connectors.job.requests import Admission, Role, SessionRequest, problem_of
from connectors.log.records import SESSION_ID

HEADER: Final = "X-Session-Id"
FIELDS: Final = ("tenant", "language", "desktop", "dialog_id", "window")
"""Of a request, in `metadata`."""
TUNING: Final = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "presence_penalty", "frequency_penalty"),
    *("logit_bias", "reasoning_effort", "verbosity", "service_tier"),
)
BINDING: Final = ("stop", "response_format")
UNSUPPORTED: Final = "unsupported_parameter"
SYSTEM: Final = "system"
ROLES: Final[Mapping[str, str]] = {"developer": SYSTEM, SYSTEM: SYSTEM, **{role: role for role in get_args(Role)}}
"""Whom a message of a role is taken to be of."""


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None


class _Said(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: Any = None
    function_call: Any = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatRequest(msgspec.Struct):
    """The body of a request, as far as anybody here looks at it."""

    messages: list[_Said]
    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    n: int | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    function_call: Any = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    modalities: list[str] | None = None
    audio: Any = None
    stop: str | list[str] | None = None
    response_format: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None

    def is_named_by_user(self, header: str | None) -> bool:
        """Whether its session is a person's alone, who may have several conversations at once."""
        return bool(self.user) and header is None and (self.metadata or {}).get("session_id") is None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


_decode: Final = msgspec.json.Decoder(ChatRequest).decode


def read_chat(body: bytes) -> ChatRequest:
    """Raises ParameterError."""
    try:
        chat = _decode(body)
    except msgspec.ValidationError as error:
        _refuse(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError("the body is no JSON") from None
    _check(chat)
    return chat


class Rules(msgspec.Struct, frozen=True):
    """What one job does with such requests.

    begins  how the ids begin of the caller's sessions (access.py)
    fresh   an id that nobody has had
    """

    settings: FrontendSettings
    admission: Admission
    begins: str
    fresh: str

    @property
    def fresh_id(self) -> str:
        return f"{self.begins}chat-{self.fresh}"

    def turn_of(self, chat: ChatRequest, header: str | None) -> SessionRequest:
        """The turn to begin. Raises ParameterError."""
        metadata, names = chat.metadata or {}, dict.fromkeys(("prompt", "system", "history"), "messages")
        fields = {name: metadata[name] for name in FIELDS if metadata.get(name) is not None}
        names |= {name: f"metadata.{name}" for name in (*FIELDS, "session_id")}
        if header is not None:
            names["session_id"] = HEADER
        fields["session_id"] = self._session(chat, header)
        if chat.model:
            if self.settings.models and chat.model not in self.settings.models:
                raise unknown_model()
            fields["model"] = chat.model
        if "dialog_id" in self.admission.needs:
            fields.setdefault("dialog_id", fields["session_id"])
        fields |= self._conversation(list(_messages(chat)))
        if options := self._options(chat):
            fields["options"] = options
        try:
            wanted = msgspec.convert(fields, SessionRequest)
            self.admission.check(wanted)
        except msgspec.ValidationError as error:
            _refuse(error, names)
        except InputError as error:
            name, _, problem = str(error).partition(": ")
            raise ParameterError(names.get(name, name), problem) from None
        return wanted

    def renewed(self, wanted: SessionRequest) -> SessionRequest:
        """The same in a session of its own."""
        dialog_id = self.fresh_id if wanted.dialog_id == wanted.session_id else wanted.dialog_id
        return msgspec.structs.replace(wanted, session_id=self.fresh_id, dialog_id=dialog_id)

    def _session(self, chat: ChatRequest, header: str | None) -> object:
        given = (chat.metadata or {}).get("session_id") if header is None else header
        if given is not None:
            return self._own(given) if isinstance(given, str) else given
        if not chat.user:
            return self.fresh_id
        named = self._own(chat.user)
        return named if SESSION_ID.fullmatch(named) else self.begins + _digest(chat.user)

    def _own(self, name: str) -> str:
        """It begins as the caller's sessions do, whether he wrote that or not."""
        return name if name.startswith(self.begins) else self.begins + name

    def _conversation(self, said: list[tuple[str, str]]) -> dict[str, Any]:
        """The fields of a request that hold it. Raises ParameterError."""
        system = "\n\n".join(text for role, text in said if role == SYSTEM)
        history = [{"role": role, "content": text} for role, text in said if role != SYSTEM]
        if not history or history[-1]["role"] != "user":
            raise ParameterError("messages", "should end with one of the user's, with a text")
        prompt = history.pop()["content"]
        before: dict[str, Any] = {}
        if system:
            before["system"] = system
        if history:
            before["history"] = history
        if self.admission.takes.issuperset(before):
            return {"prompt": prompt, **before}
        if self.settings.history == "last":
            return {"prompt": prompt}
        if self.settings.history == "join":
            return {"prompt": "\n\n".join(f"{role.title()}: {text}" for role, text in said)}
        raise ParameterError("messages", "this vendor takes one of the user's alone (frontend.history)")

    def _options(self, chat: ChatRequest) -> dict[str, Any]:
        given = {name: value for name in (*TUNING, *BINDING) if (value := getattr(chat, name)) is not None}
        if given.get("response_format", {}).get("type") == "text":
            del given["response_format"]
        takes = self.admission.takes
        for name in BINDING:
            if name in given and name not in takes:
                raise ParameterError(name, "this vendor takes none; leave it out", UNSUPPORTED)
        return {name: value for name, value in given.items() if name in takes}


def unknown_model() -> ParameterError:
    return ParameterError("model", "none of this server's; GET /v1/models lists them", "model_not_found", 404)


def _check(chat: ChatRequest) -> None:
    """Raise ParameterError for what no answer of ours could be."""
    if chat.n not in (None, 1):
        raise ParameterError("n", "should be 1: an answer has one choice", UNSUPPORTED)
    if chat.tools and chat.tool_choice != "none":
        raise ParameterError("tools", "none can be called here: only text is moderated; leave them out", UNSUPPORTED)
    if chat.functions and chat.function_call != "none":
        raise ParameterError("functions", "none can be called here; leave them out", UNSUPPORTED)
    if chat.logprobs or chat.top_logprobs:
        raise ParameterError("logprobs", "tokens are not what leaves here; leave it out", UNSUPPORTED)
    if chat.audio is not None or set(chat.modalities or ()) - {"text"}:
        name = "modalities" if chat.audio is None else "audio"
        raise ParameterError(name, "an answer is text alone; leave it out", UNSUPPORTED)


def _messages(chat: ChatRequest) -> Iterator[tuple[str, str]]:
    """The messages that have a text: who says it, and that. Raises ParameterError."""
    for at, said in enumerate(chat.messages):
        where = f"messages[{at}]"
        if (role := ROLES.get(said.role)) is None:
            raise ParameterError(f"{where}.role", f"should be one of {', '.join(ROLES)}", UNSUPPORTED)
        if said.tool_calls or said.function_call:
            raise ParameterError(f"{where}.tool_calls", "no tools are called here; leave it out", UNSUPPORTED)
        content = said.content if said.content is not None else said.refusal
        if isinstance(content, list):
            content = "\n".join(_text(part, f"{where}.content[{place}]") for place, part in enumerate(content))
        if content:
            yield role, content


def _text(part: _Part, where: str) -> str:
    text = {"text": part.text, "refusal": part.refusal}.get(part.type)
    if text is None:
        raise ParameterError(f"{where}.type", "should be text, with a text", UNSUPPORTED)
    return text


def _digest(user: str) -> str:
    """The session of a user whose name can be none."""
    return f"user-{hashlib.sha256(user.encode(errors='surrogatepass')).hexdigest()[:32]}"


def _refuse(error: msgspec.ValidationError, names: Mapping[str, str] | None = None) -> NoReturn:
    """Say of which parameter msgspec speaks."""
    place, what = problem_of(error)
    missing = re.search(r"required field `([^`]*)`", what)
    path = ".".join(filter(None, (place, missing and missing[1])))
    name = (names or {}).get(path.partition("[")[0], path)
    raise (ParameterError(name, what) if name else InputError(what)) from None
