"""Chat completions as OpenAI's own clients, and a gateway before us, read them from a running job."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import npm
from tests.callers import WITHIN, serving, until
from tests.conftest import OtherSide, corpus_of
from tests.system.test_faults import LONG, Scene
from tests.system.test_resumed import free_port

Start = Callable[..., OtherSide]
KEY = "of-the-test"
WORDS = ["The ", "parcel ", "left. ", "Mail ", "a@", "example", ".org.\r\n", "Bye."]
TEXT = "The parcel left. Mail [REDACTED].\r\nBye."
SHORT = ["One. ", "Two. ", "Three. ", "Four. ", "Five. ", "Six. ", "Seven. ", "Eight."]
QUICK = {"retry_base": 0.01, "retry_cap": 0.02, "max_restarts": 1, "max_retries": 1, "idle_timeout": 5.0}
NODE_VERSION = "6.49.0"
LITELLM_WITHIN = 120.0
GATEWAY_KEY = "sk-0123456789abcdef0123456789abcdef0123456789abcdef"
"""Of LiteLLM, which takes no weak one."""


def ask(name: str = "s", /, **more: Any) -> dict[str, Any]:
    """A request for a stream of the simulator's, by its name there."""
    return {"model": "m-1", "messages": [{"role": "user", "content": f"stream {name}"}], **more}


# Python.


@pytest.fixture
def sdk() -> Any:
    return pytest.importorskip("openai", reason="OpenAI's Python client is not installed (the extra [test])")


@contextmanager
def client_of(sdk: Any, address: str, key: str = KEY, **more: Any) -> Iterator[Any]:
    options = {"base_url": f"{address}/v1", "api_key": key, "timeout": WITHIN, "max_retries": 0, **more}
    with sdk.OpenAI(**options) as client:
        yield client


def said(stream: Any) -> str:
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def test_the_python_client_reads_what_the_desktop_shows(sdk: Any, other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with (
        serving(side, tmp_path, {"tokens": {"shop": KEY}, "heartbeat": 0.05}) as service,
        client_of(sdk, service.address) as client,
    ):
        assert [each.id for each in client.models.list()] == [service.job.model]
        answer = client.chat.completions.create(**ask(), extra_headers={"X-Session-Id": "s-1"})
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("shop:s-1")), WITHIN)
        chunks = list(client.chat.completions.create(**ask(), stream=True, stream_options={"include_usage": True}))
        with client.chat.completions.stream(**ask()) as events:
            final = events.get_final_completion()
    assert answer._request_id == "shop:s-1/0"
    [choice] = answer.choices
    assert choice.message.content == side.desktop.transcript("shop:s-1") == said(chunks) == TEXT
    assert final.choices[0].message.content == TEXT
    assert choice.finish_reason == chunks[-2].choices[0].finish_reason == "stop"
    assert (answer.usage.total_tokens, answer.usage.estimated) == (chunks[-1].usage.total_tokens, True)


def test_the_python_client_raises_what_its_users_catch(sdk: Any, other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of({"s": SHORT, "t": SHORT, "u": WORDS}), "drop=error@4")
    frontend = {"token": KEY, "models": ["m-1"]}
    with serving(side, tmp_path, frontend, job={"max_sessions": 1}, cxone=QUICK) as service:
        with client_of(sdk, service.address, "wrong") as client, pytest.raises(sdk.AuthenticationError):
            client.models.list()
        with client_of(sdk, service.address) as client:
            create = client.chat.completions.create
            with pytest.raises(sdk.NotFoundError) as unknown:
                create(**{**ask(), "model": "m-2"})
            assert unknown.value.param == "model"
            with pytest.raises(sdk.BadRequestError, match="one choice"):
                create(**ask(n=2))
            with pytest.raises(sdk.InternalServerError) as broken:
                create(**ask("t"))
            assert broken.value.code == "vendor_error"
            heard = ""
            with pytest.raises(sdk.APIError) as failed:  # noqa: PT012  # it comes while the stream is read
                for chunk in create(**ask(stream=True)):
                    heard += chunk.choices[0].delta.content or ""
            assert failed.value.code == "vendor_error"
            assert heard.startswith("One. Two. ")
            assert "".join(SHORT).startswith(heard)


def test_the_python_client_waits_for_its_turn_and_leaves_when_it_likes(
    sdk: Any, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of({"s": SHORT, "t": WORDS}), "stall=inf@4")
    frontend = {"resume_grace": 3600.0, "idle_timeout": 0}
    with serving(side, tmp_path, frontend, job={"max_sessions": 1}) as service:
        with client_of(sdk, service.address) as client:
            stream = client.chat.completions.create(**ask(stream=True))
            while not next(stream).choices[0].delta.content:
                pass
            with pytest.raises(sdk.RateLimitError):
                client.chat.completions.create(**ask("t"))
            stream.close()
        side.reactor.run(side.gateway.until(lambda gateway: gateway.counts["gone"] == 1), WITHIN)
        until(lambda: service.job.outcomes["cancelled"] == 1)


def test_after_a_kill_the_python_clients_own_retry_reads_the_turn_whole(sdk: Any, tmp_path: Path) -> None:
    """The desktop and the client both have it once; a stream that was being read is an error, never an end."""
    with Scene(tmp_path, names=2) as scene:
        service = scene.start(frontend={"port": free_port(), "overall_timeout": 300.0})
        address = service.address
        with client_of(sdk, address, max_retries=12) as client:
            stream = client.chat.completions.create(
                **ask("s-1", stream=True, metadata={"session_id": "s-1", "desktop": "acks"})
            )
            while not next(stream).choices[0].delta.content:
                pass
            asking = _Asking(client, ask("s-0", metadata={"session_id": "s-0", "desktop": "acks"}))
            until(lambda: scene.frames() == {"s-0", "s-1"})
            service.kill()
            with pytest.raises((sdk.APIConnectionError, *_transport_errors())):
                list(stream)
            service.start()
            service.wait_until_it_listens()
            answer = asking.result()
            scene.until_whole()
        assert answer.choices[0].message.content == "".join(LONG)
        assert answer._request_id == "s-0/0", "the turn that was under way"
        scene.holds()


class _Asking:
    """A request that waits in a thread."""

    def __init__(self, client: Any, body: dict[str, Any]) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(lambda: client.chat.completions.create(**body))

    def result(self) -> Any:
        try:
            return self._future.result(90)
        finally:
            self._pool.shutdown(wait=False)


def _transport_errors() -> list[type[Exception]]:
    """What the client lets through while a stream is read, by the HTTP library that it has."""
    errors = []
    for name in ("httpx", "httpx2"):
        try:
            errors.append(importlib.import_module(name).TransportError)
        except ImportError:
            continue
    return errors


# Node.

PROGRAM = """
import OpenAI from "openai";
const [base, key] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });
const ask = (stream, more) => ({ model: "m-1", messages: [{ role: "user", content: `stream ${stream}` }], ...more });
const out = { models: [] };
for await (const model of await client.models.list()) out.models.push(model.id);
const whole = await client.chat.completions.create(ask("s"), { headers: { "X-Session-Id": "s-1" } });
out.whole = { text: whole.choices[0].message.content, why: whole.choices[0].finish_reason, usage: whole.usage };
out.streamed = { text: "" };
for await (const chunk of await client.chat.completions.create(
    ask("s", { stream: true, stream_options: { include_usage: true } }))) {
  out.streamed.text += chunk.choices[0]?.delta?.content ?? "";
  out.streamed.why = chunk.choices[0]?.finish_reason ?? out.streamed.why;
  out.streamed.usage = chunk.usage ?? out.streamed.usage;
}
const failure = async (what) => {
  try { await what(); } catch (error) { return [error.constructor.name, error.status ?? null, error.code]; }
};
const stranger = new OpenAI({ baseURL: `${base}/v1`, apiKey: "wrong", maxRetries: 0 });
out.key = await failure(() => stranger.models.list());
out.choices = await failure(() => client.chat.completions.create(ask("s", { n: 2 })));
out.broken = await failure(async () => {
  for await (const chunk of await client.chat.completions.create(ask("t", { stream: true }))) void chunk;
});
console.log(JSON.stringify(out));
"""


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Path:
    """A folder with OpenAI's client for node as npm installs it, kept from run to run."""
    folder = npm.installed(request, "openai", NODE_VERSION)
    (folder / "program.mjs").write_text(PROGRAM, encoding="utf-8")
    return folder


def test_the_node_client_reads_it_too(node: Path, other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of({"s": WORDS, "t": SHORT}), {"t": "drop=error@4"})
    with serving(side, tmp_path, {"token": KEY, "heartbeat": 0.05}, cxone=QUICK) as service:
        done = subprocess.run(
            ["node", "program.mjs", service.address, KEY],
            cwd=node, capture_output=True, text=True, check=False, timeout=WITHIN,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    usage = {"prompt_tokens": 2, "completion_tokens": 11, "total_tokens": 13, "estimated": True}
    assert out["whole"]["text"] == out["streamed"]["text"] == TEXT
    assert out["whole"]["why"] == out["streamed"]["why"] == "stop"
    assert out["whole"]["usage"] == out["streamed"]["usage"] == usage
    assert out["models"] == [service.job.model]
    assert out["key"] == ["AuthenticationError", 401, "invalid_api_key"]
    assert out["choices"] == ["BadRequestError", 400, "unsupported_parameter"]
    assert out["broken"] == ["APIError", None, "vendor_error"]


# LiteLLM's proxy, with OpenAI's client before it.


@contextmanager
def litellm(address: str, folder: Path) -> Iterator[str]:
    """Its address. It is 700 MB with what it needs: so it is run where somebody has installed it, and never by us."""
    command = shutil.which("litellm")
    if command is None:
        pytest.skip("LiteLLM's proxy is not installed: pip install 'litellm[proxy]', beside and not into this .venv")
    port = free_port()
    model = {"model": "openai/m-1", "api_base": f"{address}/v1", "api_key": KEY}
    config = folder / "litellm.json"
    config.write_text(json.dumps({"model_list": [{"model_name": "weir", "litellm_params": model}]}), encoding="utf-8")
    own = {"LITELLM_MASTER_KEY": GATEWAY_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}
    environment = {**os.environ, **own}
    with (folder / "litellm.txt").open("wb") as said:
        process = subprocess.Popen(
            [command, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
            env=environment, stdout=said, stderr=said, cwd=folder,
        )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or _answers(port), LITELLM_WITHIN)
        assert process.poll() is None, (folder / "litellm.txt").read_text(encoding="utf-8")[-2000:]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with httpx.Client(trust_env=False, timeout=5) as client:
            return client.get(f"http://127.0.0.1:{port}/health/liveliness").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.timeout(300)
def test_litellm_in_front_passes_on_what_the_desktop_shows(sdk: Any, other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with (
        serving(side, tmp_path / "data", {"token": KEY, "heartbeat": 0.05}) as service,
        litellm(service.address, tmp_path) as gateway,
        client_of(sdk, gateway, GATEWAY_KEY) as client,
    ):
        body = {**ask(), "model": "weir"}
        answer = client.chat.completions.create(**body)
        chunks = list(client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}))
        with pytest.raises(sdk.APIStatusError):
            client.chat.completions.create(**{**body, "tools": [{"type": "function", "function": {"name": "f"}}]})
    assert answer.choices[0].message.content == said(chunks) == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert "stop" in [choice.finish_reason for chunk in chunks for choice in chunk.choices]
