"""Model APIs live: the answers of tests/answers.jsonl played to a real job, and what becomes of every refusal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from connectors.errors import InputError, SettingsError
from connectors.job.requests import SessionRequest, parse_request
from connectors.log.files import LogReader
from connectors.log.records import CLOSE
from connectors.reactor import Reactor
from connectors.simulator import Corpus, TokenStream
from connectors.sse import Event, encode
from connectors.vendors.attempts import retry_after, should_retry
from connectors.vendors.registry import named
from flows.engine.kept import KeptSink
from flows.live import LiveJob
from flows.settings import load
from tests.player import Asked, Played, playing, prompt_of
from tests.test_decoders import CASES

LIVE = ("openai", "anthropic", "gemini", "ollama")
LINES = "application/x-ndjson"
ONE_TWO = ({"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."})


def wire(vendor: str, frames: Sequence[str]) -> Played:
    """An answer as its vendor sends it."""
    if vendor == "ollama":
        return Played("".join(f"{frame}\n" for frame in frames).encode(), kind=LINES)
    return Played(b"".join(encode(Event(data=frame)) for frame in frames))


class Ran(NamedTuple):
    """What came of the turns of one job, by prompt: text, outcome and requests; and what was said of its failures."""

    turns: dict[str, tuple[str, str, list[Asked]]]
    faults: list[str]


def run(
    vendor: str,
    folder: Path,
    answers: Mapping[str, Sequence[Played]],
    request: dict[str, Any] | None = None,
    **more: str,
) -> Ran:
    """A session for each prompt that there are answers to."""
    prefix = f"TOKENWEIR__{vendor.upper()}__"
    prompts = {f"s-{number}": prompt for number, prompt in enumerate(answers)}
    requests = [SessionRequest(session_id=s, **{**(request or {}), "prompt": prompt}) for s, prompt in prompts.items()]
    with playing(answers) as player:
        environment = {
            f"{prefix}BASE_URL": player.url,
            f"{prefix}API_KEY": "sk-secret",
            "TOKENWEIR_DATA_DIR": str(folder),
            "TOKENWEIR__MODERATION__PII": "[]",
            f"{prefix}RETRY_BASE": "0.001",
            f"{prefix}RETRY_CAP": "0.001",
            f"{prefix}MAX_RESTARTS": "1",
            f"{prefix}MAX_RETRIES": "1",
            **{prefix + name: value for name, value in more.items()},
        }
        kept = KeptSink()
        job = LiveJob(named(vendor), load(None, environment, vendor=vendor), requests=requests, extra={"kept": kept})
        job.run()
    texts = dict.fromkeys(prompts, "")
    for _, message in kept.items:
        texts[message.session_id] += message.text
    ended = {
        record.s: str(record.d["reason"])
        for record, _ in LogReader(folder / "log" / "w00").read()
        if record.k == CLOSE and isinstance(record.d, dict)
    }
    asked = {prompt: [each for each in player.asked if prompt_of(each.body) == prompt] for prompt in answers}
    turns = {prompt: (texts[session], ended[session], asked[prompt]) for session, prompt in prompts.items()}
    return Ran(turns, [str(fault) for fault in job.faults])


@pytest.mark.parametrize("vendor", LIVE)
def test_every_answer_comes_to_the_same_live_as_imported(vendor: str, tmp_path: Path) -> None:
    cases = {case["id"]: case for case in CASES if case["vendor"] == vendor}
    answers = {name: [wire(vendor, case["frames"])] for name, case in cases.items()}
    ran = run(vendor, tmp_path, answers, MAX_RESTARTS="0")
    assert {name: turn[:2] for name, turn in ran.turns.items()} == {
        name: (case["text"], case["ending"]) for name, case in cases.items()
    }
    assert all(len(asked) == 1 for _, _, asked in ran.turns.values())


OPENAI = b"".join(encode(Event(data=frame)) for frame in next(case["frames"] for case in CASES if case["id"] == "chat"))
BROKEN = OPENAI[: OPENAI.index(b"data", 5)]
ROLE = encode(Event(data='{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'))
ERROR = b'{"error":{"message":"a customer said so","type":"invalid_request_error","code":"x_1"}}'
WHOLE = Played(OPENAI)

TROUBLE: Final[dict[str, tuple[list[Played], str, str, int]]] = {
    "cut after text": ([Played(BROKEN, cut=True)], "Hel", "interrupted", 1),
    "cut after the reason": ([Played(OPENAI[: -len(b"data: [DONE]\n\n")], cut=True)], "Hello", "finished", 1),
    "cut before text": ([Played(ROLE, cut=True), WHOLE], "Hello", "finished", 2),
    "ended before text": ([Played(ROLE), WHOLE], "Hello", "finished", 2),
    "200 with an error": ([Played(ERROR, kind="application/json")], "", "vendor_error", 1),
    "200 with an answer": ([Played(b'{"choices":[]}', kind="application/json")], "", "refused", 1),
    "200 with a page": ([Played(b"<html>", kind="text/html")], "", "refused", 1),
    "400": ([Played(ERROR, 400, "application/json")], "", "refused", 1),
    "408": ([Played(status=408), WHOLE], "Hello", "finished", 2),
    "409": ([Played(status=409), WHOLE], "Hello", "finished", 2),
    "429": ([Played(status=429, headers={"retry-after-ms": "1"}), WHOLE], "Hello", "finished", 2),
    "429 for ever": ([Played(status=429, headers={"retry-after-ms": "1"})], "", "rate_limited", 2),
    "500": ([Played(status=500), WHOLE], "Hello", "finished", 2),
    "529": ([Played(status=529), WHOLE], "Hello", "finished", 2),
    "500 for ever": ([Played(status=500)], "", "interrupted", 2),
    "500, no more": ([Played(status=500, headers={"X-Should-Retry": "false"})], "", "interrupted", 1),
    "429, no more": ([Played(status=429, headers={"x-should-retry": "false"})], "", "rate_limited", 1),
    "400, again": ([Played(status=400, headers={"x-should-retry": "true"}), WHOLE], "Hello", "finished", 2),
}
"""What is played, and what comes of it: text, outcome and requests."""


def test_what_becomes_of_an_answer_that_breaks_or_refuses(tmp_path: Path) -> None:
    ran = run("openai", tmp_path, {name: each[0] for name, each in TROUBLE.items()})
    came = {name: (text, outcome, len(asked)) for name, (text, outcome, asked) in ran.turns.items()}
    assert came == {name: each[1:] for name, each in TROUBLE.items()}
    assert not any(word in fault for fault in ran.faults for word in ("sk-secret", "customer"))
    assert sum("x_1" in fault for fault in ran.faults) == 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, "2"),
        ({"retry-after": "2", "retry-after-ms": "150"}, "0.150"),
        ({"retry-after": "2", "retry-after-ms": "soon"}, "2"),
        ({"llm_provider-retry-after": "7"}, "7"),
        ({"llm_provider-retry-after": "7", "retry-after": "2"}, "2"),
        ({"llm_provider-retry-after-ms": "70"}, "0.070"),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_said_by_several_headers(headers: dict[str, str], seconds: str | None) -> None:
    assert retry_after(headers) == seconds


def test_whether_to_ask_again_is_said_by_a_header_or_by_the_status() -> None:
    assert [status for status in (400, 401, 404, 408, 409, 422, 429, 500, 529) if should_retry({}, status)] == [
        *(408, 409, 429, 500, 529),
    ]
    assert should_retry({"x-should-retry": "True "}, 400)
    assert not should_retry({"x-should-retry": "false"}, 500)
    assert should_retry({"x-should-retry": "perhaps"}, 500)


def test_a_conversation_is_asked_as_it_is_given(tmp_path: Path) -> None:
    asked = parse_request(
        json.dumps({"session_id": "s", "prompt": "Three?", "system": "Be brief.", "history": ONE_TWO}).encode()
    )
    more = {"EXTRA": "{ temperature = 0.2 }", "SYSTEM": "All."}
    [request] = run("openai", tmp_path, {"Three?": [WHOLE]}, asked.opening(), **more).turns["Three?"][2]
    assert request.body == {
        "temperature": 0.2,
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": "Be brief."}, *ONE_TWO, {"role": "user", "content": "Three?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


HELLO = {case["id"]: case["frames"] for case in CASES}


@pytest.mark.parametrize(
    ("vendor", "frames", "path", "headers", "body"),
    [
        (
            "anthropic",
            HELLO["Messages"],
            "/v1/messages",
            {"x-api-key": "sk-secret", "anthropic-version": "2023-06-01"},
            {
                "model": "m-1",
                "max_tokens": 4_096,
                "system": "Be brief.",
                "messages": [*ONE_TWO, {"role": "user", "content": "Three?"}],
                "stream": True,
            },
        ),
        (
            "gemini",
            HELLO["Gemini"],
            "/models/m-1:streamGenerateContent?alt=sse",
            {"x-goog-api-key": "sk-secret"},
            {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "One?"}]},
                    {"role": "model", "parts": [{"text": "Two."}]},
                    {"role": "user", "parts": [{"text": "Three?"}]},
                ],
            },
        ),
        (
            "ollama",
            HELLO["Ollama's chat"],
            "/api/chat",
            {"authorization": "Bearer sk-secret", "accept": LINES},
            {
                "model": "m-1",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    *ONE_TWO,
                    {"role": "user", "content": "Three?"},
                ],
                "stream": True,
            },
        ),
    ],
)
def test_each_api_is_asked_in_its_own_way(
    vendor: str, frames: list[str], path: str, headers: dict[str, str], body: dict[str, Any], tmp_path: Path
) -> None:
    request = {"model": "m-1", "system": "Be brief.", "history": ONE_TWO}
    text, outcome, [asked] = run(vendor, tmp_path, {"Three?": [wire(vendor, frames)]}, request).turns["Three?"]
    assert (text, outcome, asked.path, asked.body) == ("Hello", "finished", path, body)
    assert {name: asked.headers[name] for name in headers} == headers


def test_anthropics_key_goes_where_the_settings_say(tmp_path: Path) -> None:
    more = {"AUTH_HEADER": "Authorization", "VERSION": "2026-10-21"}
    [asked] = run("anthropic", tmp_path, {"Hi?": [wire("anthropic", HELLO["Messages"])]}, **more).turns["Hi?"][2]
    assert asked.headers["authorization"] == "Bearer sk-secret"
    assert (asked.headers["anthropic-version"], "x-api-key" in asked.headers) == ("2026-10-21", False)


WORDS = ("The ", "parcel ", "left ", "on ", "Monday. ", "Write ", "to ", "Jane ", "Doe ", "then.")
ALL = "".join(WORDS)
SIMULATED = {
    "stream words": (ALL, "finished"),
    "stream words with finish=last": (ALL, "finished"),
    "stream words with pack=3,comments=2,pieces=7": (ALL, "finished"),
    "stream words with 503=1": (ALL, "finished"),
    "stream words with 429=1:retry-after=0": (ALL, "finished"),
    "stream words with drop=fin@0": (ALL, "finished"),
    "stream words with drop=end@last": (ALL, "interrupted"),
    "stream words with drop=rst@5": ("The parcel left on Monday. ", "interrupted"),
    "stream words with drop=error@5": ("The parcel left on Monday. ", "vendor_error"),
}


@pytest.mark.parametrize("vendor", LIVE)
def test_a_job_shows_what_its_simulator_says_whatever_goes_wrong(vendor: str, tmp_path: Path) -> None:
    reactor, kept = Reactor(), KeptSink()
    server = named(vendor).simulator(Corpus([TokenStream("words", WORDS)]), speed=0)
    reactor.run(server.start())
    try:
        back_off = {f"TOKENWEIR__{vendor.upper()}__RETRY_{name}": "0.001" for name in ("BASE", "CAP")}
        environment = {**named(vendor).simulated(server.url), **back_off, "TOKENWEIR_DATA_DIR": str(tmp_path)}
        asked = [SessionRequest(session_id=f"s-{n}", prompt=prompt) for n, prompt in enumerate(SIMULATED)]
        job = LiveJob(named(vendor), load(None, environment, vendor=vendor), requests=asked, extra={"kept": kept})
        job.run()
    finally:
        reactor.run(server.close())
        reactor.close()
    texts = {f"s-{n}": "" for n in range(len(SIMULATED))}
    for _, message in kept.items:
        texts[message.session_id] += message.text
    assert list(zip(SIMULATED, texts.values(), strict=True)) == [(name, text) for name, (text, _) in SIMULATED.items()]
    assert job.outcomes == Counter(outcome for _, outcome in SIMULATED.values())


def test_azure_is_asked_in_its_own_way(tmp_path: Path) -> None:
    more = {
        "AUTH_HEADER": "api-key",
        "QUERY": '{ "api-version" = "2024-10-21" }',
        "INCLUDE_USAGE": "false",
        "SYSTEM": "All.",
    }
    [asked] = run("openai", tmp_path, {"Hi?": [WHOLE]}, **more).turns["Hi?"][2]
    assert asked.path == "/chat/completions?api-version=2024-10-21"
    assert (asked.headers["api-key"], asked.headers.get("authorization")) == ("sk-secret", None)
    assert "stream_options" not in asked.body
    assert asked.body["messages"][0] == {"role": "system", "content": "All."}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AUTH_HEADER", "a b", "auth_header should be a header's name"),
        ("PATH", "chat", "path should begin with /"),
        ("EXTRA", "{ stream = false }", "extra should not have stream"),
    ],
)
def test_settings_that_cannot_be_are_named(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(None, {f"TOKENWEIR__OPENAI__{name}": value}, vendor="openai")


@pytest.mark.parametrize(
    "request_",
    [
        {"history": [{"role": "system", "content": "x"}]},
        {"history": [{"role": "user"}]},
        {"history": [{"role": "user", "content": "x"}] * 1_001},
        {"system": 7},
    ],
)
def test_a_conversation_that_is_none_is_refused_and_its_field_named(request_: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(request_))):
        parse_request(json.dumps({"session_id": "s", "prompt": "p", **request_}).encode())
