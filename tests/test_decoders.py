"""The decoders of model APIs: what is shown, what is not, how an answer ended, and that no message can break one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.vendors.decoding import Delta
from connectors.vendors.registry import known, named

CASES = [json.loads(line) for line in (Path(__file__).parent / "answers.jsonl").read_text("utf-8").splitlines()]
"""Of each API the answers as they come, whole and broken, with what a person sees of them."""

API = ("openai", "responses", "anthropic", "gemini", "ollama", "cohere", "bedrock", "cognigy_endpoint")


def read(vendor: str, *frames: Any) -> tuple[list[Delta], Any]:
    decoder = named(vendor).decoder()
    texts = [frame if isinstance(frame, str) else json.dumps(frame) for frame in frames]
    return [delta for text in texts for delta in decoder.feed(text, None)], decoder


def shown(deltas: list[Delta]) -> str:
    return "".join(token for delta in deltas for token in delta.tokens)


def chat(content: Any = None, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    said = delta if content is None else {"content": content, **delta}
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def said(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def part(text: str, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text, **more}]}}]}


def counts(**given: float) -> dict[str, float]:
    return given


COHERE = counts(input_tokens=7.0, output_tokens=3)
RESPONSES = counts(input_tokens=1, output_tokens=2, total_tokens=3)
GEMINI = counts(promptTokenCount=5, candidatesTokenCount=2, thoughtsTokenCount=3, totalTokenCount=10)
START = said("message_start", message={"content": [], "usage": {"input_tokens": 7, "cache_read_input_tokens": 3}})
CALL = {"tool_calls": [{"index": 0, "function": {"name": "find", "arguments": "{}"}}]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_what_is_shown_of_an_answer_and_how_it_ended(case: dict[str, Any]) -> None:
    deltas, decoder = read(case["vendor"], *case["frames"])
    assert (shown(deltas), decoder.ending) == (case["text"], case["ending"])
    assert not any(delta.malformed for delta in deltas)
    assert any(delta.error for delta in deltas) <= (case["ending"] == "vendor_error")


@pytest.mark.parametrize(
    ("vendor", "frames", "usage"),
    [
        ("openai", [{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}], (3, 2, 5)),
        ("openai", [{"choices": [], "usage": None}], None),
        ("openai", [{"choices": [], "usage": {"prompt_tokens": "3", "completion_tokens": -2}}], None),
        ("openai", [{"content": "", "stop": True, "tokens_evaluated": 4, "tokens_predicted": 5}], (4, 5, 9)),
        ("anthropic", [START, said("message_delta", usage={"output_tokens": 4})], (10, 4, 14)),
        ("anthropic", [said("message_delta", usage={"input_tokens": 9, "output_tokens": 4})], (9, 4, 13)),
        ("responses", [said("response.completed", response={"usage": RESPONSES})], (1, 2, 3)),
        ("gemini", [{"usageMetadata": GEMINI}], (5, 5, 10)),
        ("ollama", [{"message": {}, "done": True, "prompt_eval_count": 6, "eval_count": 1}], (6, 1, 7)),
        ("cohere", [said("message-end", delta={"usage": {"tokens": COHERE}})], (7, 3, 10)),
        ("bedrock", [{"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}}}], (1, 2, 3)),
    ],
)  # fmt: skip  # a case a line
def test_counts_are_of_the_turn_so_far(vendor: str, frames: list[Any], usage: tuple[int, int, int] | None) -> None:
    deltas, _ = read(vendor, *frames)
    assert deltas[-1].usage == usage


@pytest.mark.parametrize(
    ("vendor", "frame", "asides"),
    [
        ("openai", chat(reasoning_content="hm", reasoning="hm"), [("reasoning", "hm")]),
        ("openai", chat(reasoning_details=[{"text": "hm"}]), [("reasoning", "hm")]),
        ("openai", chat(**CALL), [("tool", "{}")]),
        ("anthropic", said("content_block_delta", delta={"partial_json": "{"}), [("tool", "{")]),
        ("anthropic", said("content_block_delta", delta={"thinking": "hm"}), [("reasoning", "hm")]),
        ("anthropic", said("content_block_delta", delta={"citation": {"cited_text": "c"}}), [("citation", "c")]),
        ("responses", said("response.reasoning_summary_text.delta", delta="hm"), [("reasoning", "hm")]),
        ("responses", said("response.function_call_arguments.delta", delta="{"), [("tool", "{")]),
        ("gemini", part("hm", thought=True), [("reasoning", "hm")]),
        ("ollama", {"message": {"content": "", "reasoning_content": "hm"}, "done": False}, [("reasoning", "hm")]),
        ("cohere", said("citation-start", delta={"message": {"citations": {"text": "c"}}}), [("citation", "c")]),
        ("bedrock", {"delta": {"toolUse": {"input": "{"}}}, [("tool", "{")]),
    ],
)  # fmt: skip  # a case a line
def test_what_is_no_text_is_not_shown_and_said_beside(vendor: str, frame: Any, asides: list[tuple[str, str]]) -> None:
    [delta], _ = read(vendor, frame)
    assert delta.tokens == ()
    assert [aside[:2] for aside in delta.asides] == asides


def test_another_choices_text_is_beside_with_its_number() -> None:
    [delta], _ = read("openai", {"choices": [{"index": 2, "delta": {"content": "B"}}]})
    assert [tuple(aside) for aside in delta.asides] == [("text", "B", 2)]


def test_a_stop_has_a_reason_of_ours_and_the_vendors_word() -> None:
    reasons = {word: read("openai", chat("a", word))[0][0].stop for word in ("MAX_TOKENS", "end_turn", "nobody's")}
    assert {word: stop and tuple(stop) for word, stop in reasons.items()} == {
        "MAX_TOKENS": ("length", "MAX_TOKENS"),
        "end_turn": ("stop", "end_turn"),
        "nobody's": ("other", "nobody's"),
    }


@pytest.mark.parametrize(
    "frame",
    [
        '{"choices":[{"delta":{"content":"Hi"},"logprobs":NaN}]}',
        '{"choices":[{"delta":{"content":"Hi"},"logprobs":1e400}]}',
        '{"choices":[{"delta":{"content":"Hi"},"logprobs":-Infinity}]}',
        '{"choices":[{"delta":{"content":"Hi"},"note":"a\ttab\nand a line"}]}',
        '{"choices":[{"delta":{"content":"Hi"},"note":"\\ud83d"}]}',
        '{"choices":[{"delta":{"content":"Hi"},"index":"0"}],"usage":{"prompt_tokens":[]}}',
        '{"choices":[{"delta":{"content":"Hi"},"finish_reason":7},null,3]}',
        '\ufeff {"choices":[{"delta":{"content":"Hi"}}]}'.lstrip("\ufeff"),
    ],
)
def test_what_is_odd_beside_a_text_costs_no_text(frame: str) -> None:
    deltas, _ = read("openai", frame)
    assert shown(deltas) == "Hi"


def test_a_raw_control_character_or_half_a_pair_in_a_text_is_the_text() -> None:
    assert shown(read("openai", '{"choices":[{"delta":{"content":"a\tb"}}]}')[0]) == "a\tb"
    assert shown(read("anthropic", '{"type":"x","delta":{"text":"\\ud83d"}}')[0]) == "\ud83d"


def test_a_text_that_is_none_makes_its_message_malformed() -> None:
    assert [delta.malformed for delta in read("openai", chat(7))[0]] == [True]
    assert [delta.malformed for delta in read("ollama", {"message": {"content": {}}, "done": False})[0]] == [True]


@pytest.mark.parametrize("vendor", API)
def test_what_a_vendor_writes_it_reads(vendor: str) -> None:
    write = named(vendor).frame
    deltas, decoder = read(vendor, write("Hel", False), write("lo", False), write("", True))
    assert (shown(deltas), decoder.ending) == ("Hello", "finished")
    assert shown(read(vendor, write("Bye", True))[0]) == "Bye"


@pytest.mark.parametrize("vendor", API)
def test_every_message_is_claimed_by_its_vendor(vendor: str) -> None:
    frame = named(vendor).frame("Hel", False)
    if vendor == "cognigy_endpoint":
        event, data = json.loads(frame[2:])
        message = {"event": event, "data": data}
    else:
        message = json.loads(frame)
    assert [name for name, each in known().items() if each.claims(message)] == [vendor]


FIELDS = (
    *(
        "type",
        "choices",
        "delta",
        "content",
        "parts",
        "text",
        "message",
        "candidates",
        "done",
        "error",
        "output",
        "data",
    ),
    *("index", "finish_reason", "response", "usage", "tool_calls", "thinking", "stop", "object", "item", "stopReason"),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(API), st.lists(values, max_size=5), st.integers(0, 200))
def test_no_message_breaks_a_decoder_nor_changes_over_a_snapshot(vendor: str, messages: list[Any], cut: int) -> None:
    prefix = '42["output",{"type":"output","data":' if vendor == "cognigy_endpoint" else ""
    frames = [prefix + json.dumps(message) + ("}]" if prefix else "") for message in messages]
    decoder, twin = named(vendor).decoder(), named(vendor).decoder()
    for frame in frames:
        pieces = [frame] if prefix else [frame[:cut], frame[cut:]]
        for each in pieces:
            again = named(vendor).decoder()
            again.pending, again.fragments, again.state = twin.pending, twin.fragments, twin.state
            twin = again
            assert [d.tokens for d in decoder.feed(each, None)] == [d.tokens for d in twin.feed(each, None)]
    assert decoder.ending == twin.ending
    dicts = [message for message in messages if isinstance(message, dict)]
    assert all(isinstance(each.claims(message), bool) for message in dicts for each in known().values())
