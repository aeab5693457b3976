"""connectors.frontend.chat and chunks: a chat completion's request as a turn, and the turn as its answer."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InputError
from connectors.frontend.chat import BINDING, TUNING, Rules, read_chat
from connectors.frontend.chunks import Replies
from connectors.frontend.problems import ParameterError
from connectors.frontend.settings import FrontendSettings
from connectors.job.requests import Admission, SessionRequest
from connectors.log.records import SESSION_ID, Finish
from connectors.sse import SSEDecoder
from connectors.vendors.conversation import FIELDS
from connectors.vendors.registry import known

HI = [{"role": "user", "content": "hi"}]
TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b"},
    {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}], "name": "jane"},
]
EVERYTHING = frozenset({*FIELDS, *TUNING, *BINDING})


def turn(
    body: dict[str, Any],
    header: str | None = None,
    *,
    begins: str = "",
    takes: frozenset[str] = EVERYTHING,
    needs: tuple[str, ...] = ("prompt",),
    **settings: Any,
) -> dict[str, Any]:
    """The turn that is asked for, as it is logged, with its session."""
    rules = Rules(FrontendSettings(**settings), Admission(needs=needs, takes=takes), begins, "fresh")
    wanted = rules.turn_of(read_chat(json.dumps({"messages": HI, **body}).encode()), header)
    return {"session_id": wanted.session_id, **wanted.opening()}


def refusal(body: dict[str, Any], **how: Any) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        turn(body, **how)
    return caught.value


def test_one_message_is_a_prompt_in_a_session_of_its_own() -> None:
    assert turn({"model": "m", "stream": True}) == {"session_id": "chat-fresh", "prompt": "hi", "model": "m"}


@pytest.mark.parametrize(
    ("body", "header", "begins", "session_id"),
    [
        ({}, "s-1", "", "s-1"),
        ({"metadata": {"session_id": "s-2"}, "user": "u"}, None, "", "s-2"),
        ({"metadata": {"session_id": "s-2"}, "user": "u"}, "s-1", "", "s-1"),
        ({"user": "jane"}, None, "", "jane"),
        ({"user": "Jane Doe+1@example.org"}, None, "", "user-…"),
        ({"user": ""}, None, "", "chat-fresh"),
        ({}, None, "shop:", "shop:chat-fresh"),
        ({"user": "jane"}, None, "shop:", "shop:jane"),
        ({"user": "j" * 128}, None, "", "j" * 128),
        ({"user": "j" * 128}, None, "shop:", "shop:user-…"),
        ({}, "shop:s-1", "shop:", "shop:s-1"),
        ({}, "other:s-1", "shop:", "shop:other:s-1"),
    ],
)
def test_a_session_is_named_by_header_metadata_or_user(
    body: dict[str, Any], header: str | None, begins: str, session_id: str
) -> None:
    found = turn(body, header, begins=begins)["session_id"]
    if "user-" in session_id:  # a digest: the name itself is nobody's business
        assert found == turn(body, begins=begins)["session_id"]
        assert SESSION_ID.fullmatch(found)
        assert found.startswith(f"{begins}user-")
        assert body["user"] not in found
    else:
        assert found == session_id


def test_the_whole_conversation_goes_to_a_vendor_that_takes_one() -> None:
    assert turn({"messages": TALK}) == {
        "session_id": "chat-fresh",
        "prompt": "c\nd",
        "system": "Be kind.",
        "history": TALK[1:3],
    }
    late = [*HI, {"role": "developer", "content": "x"}, {"role": "assistant", "content": None, "refusal": "no"}, *HI]
    assert turn({"messages": [TALK[0], *late, {"role": "system", "content": "y"}]}) == {
        "session_id": "chat-fresh",
        "prompt": "hi",
        "system": "Be kind.\n\nx\n\ny",
        "history": [*HI, {"role": "assistant", "content": "no"}],
    }


def test_else_it_is_joined_left_out_or_refused() -> None:
    alone: frozenset[str] = frozenset()
    joined = "System: Be kind.\n\nUser: a\n\nAssistant: b\n\nUser: c\nd"
    assert turn({"messages": TALK}, takes=alone)["prompt"] == joined
    assert turn({"messages": TALK}, takes=alone, history="last")["prompt"] == "c\nd"
    assert refusal({"messages": TALK}, takes=alone, history="refuse").param == "messages"
    assert turn({}, takes=alone, history="refuse")["prompt"] == "hi"


def test_metadata_has_the_other_fields_and_what_is_the_callers_own() -> None:
    metadata = {"tenant": "acme", "language": "de", "window": "none", "dialog_id": "d", "ticket": "T-7"}
    found = turn({"metadata": metadata})
    assert found.items() >= {"tenant": "acme", "language": "de", "window": "none", "dialog_id": "d"}.items()
    assert "ticket" not in found
    assert turn({"user": "jane"}, needs=("dialog_id",))["dialog_id"] == "jane"


def test_options_go_along_where_the_vendor_takes_them() -> None:
    given = {"temperature": 0.5, "max_tokens": 7, "stop": ["x"], "seed": 3, "store": True, "whatever": {"x": 1}}
    assert turn(given)["options"] == {"temperature": 0.5, "max_tokens": 7, "stop": ["x"], "seed": 3}
    alone: frozenset[str] = frozenset({"seed"})
    assert turn({"temperature": 0.5, "seed": 3, "response_format": {"type": "text"}}, takes=alone)["options"] == {
        "seed": 3
    }
    for name, value in {"stop": "x", "response_format": {"type": "json_object"}}.items():
        error = refusal({name: value}, takes=alone)
        assert (error.param, error.code) == (name, "unsupported_parameter")


def test_the_vendors_take_options_that_a_request_can_have() -> None:
    for vendor in known().values():
        assert vendor.takes <= EVERYTHING, vendor.name


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "assistant", "content": "a"}]}, "messages"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [{"content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role"),
    ({"messages": [*HI, {"role": "tool", "content": "a", "tool_call_id": "x"}]}, "messages[1].role"),
    ({"messages": [*HI, {"role": "assistant", "tool_calls": [{}]}]}, "messages[1].tool_calls"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content[0].type",
    ),
    ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": "x" * ((1 << 20) + 1)}]}, "messages"),
    ({"messages": [*HI, {"role": "assistant", "content": "a"}]}, "messages"),
    ({"messages": [{"role": "assistant", "content": "x" * ((1 << 20) + 1)}, *HI]}, "messages"),
    ({"messages": [{"role": "system", "content": "x" * ((1 << 20) + 1)}, *HI]}, "messages"),
    ({"messages": HI * 1002}, "messages"),
    ({"n": 2}, "n"),
    ({"n": 0}, "n"),
    ({"tools": [{"type": "function"}]}, "tools"),
    ({"functions": [{}]}, "functions"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 3}, "logprobs"),
    ({"audio": {}}, "audio"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"stream": "yes"}, "stream"),
    ({"temperature": "hot"}, "temperature"),
    ({"model": "a b"}, "model"),
    ({"metadata": {"session_id": "a/b"}}, "metadata.session_id"),
    ({"metadata": {"session_id": 7}}, "metadata.session_id"),
    ({"metadata": {"window": "word"}}, "metadata.window"),
    ({"metadata": {"desktop": "a b"}}, "metadata.desktop"),
]


def test_what_cannot_be_is_refused_with_its_parameter_and_never_quoted() -> None:
    for body, param in REFUSED:
        error = refusal(body)
        assert error.param == param, body
        assert "robot" not in str(error)
        assert "'word'" not in str(error)
        assert len(str(error)) < 300
    assert refusal({}, begins="shop:", needs=("dialog_id", "tenant")).param == "metadata.tenant"
    with pytest.raises(ParameterError) as caught:
        turn({}, "a/b")
    assert caught.value.param == "X-Session-Id"
    for body in (b"", b"[]", b"{", b'{"messages":"\xff"}', b'{"messages":' + b"[" * 100_000):
        with pytest.raises(InputError):
            read_chat(body)


def test_what_asks_for_nothing_more_than_text_is_taken() -> None:
    body = {"n": 1, "tools": [], "functions": None, "logprobs": False, "modalities": ["text"], "top_logprobs": 0}
    assert turn(body)["prompt"] == "hi"
    assert turn({"tools": [{}], "tool_choice": "none"})["prompt"] == "hi"


def test_models_are_any_or_those_of_a_list() -> None:
    assert turn({"model": "any/model:1"})["model"] == "any/model:1"
    assert turn({"model": "a"}, models=("a", "b"))["model"] == "a"
    error = refusal({"model": "c"}, models=("a", "b"))
    assert (error.status, error.code) == (404, "model_not_found")
    with pytest.raises(ValueError, match=r"models\[0\]"):
        FrontendSettings(models=("a b",))


def test_the_same_words_are_those_of_the_same_conversation() -> None:
    rules = Rules(FrontendSettings(), Admission(takes=EVERYTHING), "", "fresh")

    def wanted(body: dict[str, Any]) -> SessionRequest:
        return rules.turn_of(read_chat(json.dumps(body).encode()), "s")

    talk = [*TALK[:3], {"role": "user", "content": "hi"}]
    asked = [wanted({"messages": HI}), wanted({"messages": talk}), wanted({"messages": HI, "temperature": 1})]
    openings = [
        {"model": "m", "attended": True, **msgspec.json.decode(msgspec.json.encode(e.opening()))} for e in asked
    ]
    for at, each in enumerate(asked):
        assert [each.repeats(opening) for opening in openings] == [place == at for place in range(3)]


# Answers.


FINISH = Finish(0, "s", 0, "finished", "stop", 3, 4, 7, False)


def data(body: bytes) -> list[Any]:
    """What a stream's events hold."""
    found = [event.data for event in SSEDecoder().feed(body)]
    return [json.loads(each) if each != "[DONE]" else each for each in found]


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_whatever_the_text_both_forms_hold_it(texts: list[str]) -> None:
    replies = Replies(("s", 0), "m", 1)
    whole = json.loads(b"".join(replies.whole(texts, FINISH)))
    assert whole["choices"][0]["message"]["content"] == "".join(texts)
    chunks = data(b"".join([replies.begin(), *map(replies.delta, texts), replies.end(FINISH)]))
    assert chunks[-1] == "[DONE]"
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in chunks[:-1]) == "".join(texts)
    assert {each["id"] for each in chunks[:-1]} == {whole["id"]} == {"chatcmpl-s-0"}


def test_usage_comes_where_it_was_asked_for_and_says_where_it_is_estimated() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    estimated = msgspec.structs.replace(FINISH, estimated=True)
    silent = Replies(("s", 0), "m", 1)
    assert all("usage" not in each for each in data(silent.begin() + silent.end(FINISH))[:-1])
    replies = Replies(("s", 0), "m", 1, include_usage=True)
    first, last, counted, done = data(replies.begin() + replies.end(FINISH))
    assert (first["usage"], last["usage"], done) == (None, None, "[DONE]")
    assert (counted["choices"], counted["usage"]) == ([], usage)
    assert data(replies.end(estimated))[1]["usage"] == {**usage, "estimated": True}
    assert json.loads(b"".join(silent.whole([], FINISH)))["usage"] == usage
    assert json.loads(b"".join(silent.whole([], None)))["usage"] is None


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("filter", "content_filter"),
        ("tool", "stop"),
        ("other", "stop"),
        ("", "stop"),
    ],
)
def test_a_finish_reason_is_one_that_clients_know(stop: str, reason: str) -> None:
    finish = msgspec.structs.replace(FINISH, stop=stop)
    replies = Replies(("s", 0), "m", 1)
    assert data(replies.end(finish))[0]["choices"][0]["finish_reason"] == reason
    assert json.loads(b"".join(replies.whole([], finish)))["choices"][0]["finish_reason"] == reason


def test_a_failure_has_no_finish_and_no_done() -> None:
    [error] = data(Replies(("s", 0), "m", 1).error("interrupted", "Sorry."))
    assert error == {"error": {"message": "Sorry.", "type": "server_error", "param": None, "code": "interrupted"}}
