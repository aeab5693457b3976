"""The simulated Cognigy.AI, through httpx, websockets and bare sockets: none of them ours."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import aiohttp
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from connectors.errors import SettingsError
from connectors.simulator import Corpus, Faults, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cognigy.simulator import CONFIG_PATH, SCOPES, STREAM_PATH, TOKEN_PATH, SimulatedCognigy

BUILTIN = Corpus.builtin()
ABC = Corpus([TokenStream("abc", tuple("abcdefghij"))])
PROMPT_TOKENS = 12


class Reply(NamedTuple):
    """Everything that came of a stream, and the code it was closed with (1006: without a close frame)."""

    messages: list[str]
    code: int

    @property
    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.messages]

    @property
    def tokens(self) -> list[str]:
        return [token for message in self.parsed for token in message["tokens"]]


class Client:
    """What a customer might write with httpx and websockets."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.headers: dict[str, str] = {}

    async def login(self, **changed: str) -> httpx.Response:
        fields = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": " ".join(SCOPES),
        }
        answer = await self.http.post(TOKEN_PATH, json=fields | changed)
        if answer.status_code == 200:
            self.headers["Authorization"] = "Bearer " + answer.json()["access_token"]
        return answer

    async def configure(self, dialog_id: str = "d", **changed: Any) -> httpx.Response:
        body = {"streaming": True, "model": "m", "temperature": 0.5, "max_tokens": 9, "dialog_id": dialog_id}
        return await self.http.put(CONFIG_PATH, json=body | changed, headers=self.headers)

    async def set_variables(self, dialog_id: str, **values: Any) -> httpx.Response:
        body = {"variables": [{"name": name, "value": value} for name, value in values.items()]}
        return await self.http.post(f"/api/v2/bot/dialog/{dialog_id}/variables", json=body, headers=self.headers)

    def open(self, **options: Any) -> connect:
        url = str(self.http.base_url).replace("http", "ws", 1).rstrip("/") + STREAM_PATH
        headers = {"Accept": "application/json", **self.headers}
        return connect(url, additional_headers=headers, compression=None, max_size=None, **options)

    async def ask(self, first: object = None) -> Reply:
        async with self.open() as socket:
            if first is not None:
                await socket.send(json.dumps(first))
            return await whole(socket)


async def whole(socket: ClientConnection) -> Reply:
    messages: list[str] = []
    try:
        while True:
            messages.append((await socket.recv(decode=False)).decode("utf-8", "replace"))
    except ConnectionClosed as end:
        return Reply(messages, end.rcvd.code if end.rcvd else 1006)


def with_gateway(
    test: Callable[[SimulatedCognigy, Client], Coroutine[Any, Any, None]],
    corpus: Corpus | None = ABC,
    *,
    ready: bool = True,
    **options: Any,
) -> None:
    async def main() -> None:
        options.setdefault("speed", 0)
        async with (
            SimulatedCognigy(corpus, **options) as gateway,
            httpx.AsyncClient(base_url=gateway.url, timeout=10) as http,
        ):
            client = Client(http)
            if ready:
                assert (await client.login()).status_code == 200
                assert (await client.configure()).status_code == 200
            await test(gateway, client)

    asyncio.run(main())


# What the contract says


def test_a_token_is_granted_for_the_right_fields_only() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        assert (await client.login(client_secret="wrong")).status_code == 401
        assert (await client.login(grant_type="password")).status_code == 400
        assert (await client.login(scope="other")).status_code == 403
        assert (await client.http.post(TOKEN_PATH, data={"grant_type": "client_credentials"})).status_code == 415
        assert (await client.http.post(TOKEN_PATH, content=b"{", headers=JSON)).status_code == 400
        assert (await client.http.get(TOKEN_PATH)).status_code == 405
        granted = (await client.login()).json()
        assert granted["expires_in"] == 3600
        assert set(granted["scope"].split()) == set(SCOPES)

    with_gateway(test, ready=False)


JSON = {"Content-Type": "application/json"}


def test_a_configuration_is_answered_with_itself() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        answer = await client.configure("d-1", model="gpt-5")
        wanted = {"streaming": True, "model": "gpt-5", "temperature": 0.5, "max_tokens": 9, "dialog_id": "d-1"}
        assert answer.json() == wanted
        assert gateway.configurations["d-1"] == wanted
        assert (await client.configure(streaming=False)).status_code == 400
        assert (await client.configure(max_tokens="many")).status_code == 400
        assert (await client.http.post(CONFIG_PATH, json={}, headers=client.headers)).status_code == 405
        client.headers.clear()
        assert (await client.configure()).status_code == 401

    with_gateway(test)


def test_a_stream_is_tokens_then_done_with_usage_then_a_close() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        reply = await client.ask()
        assert reply.parsed[:10] == [{"tokens": [letter], "done": False} for letter in "abcdefghij"]
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 10, "total_tokens": PROMPT_TOKENS + 10}
        assert reply.parsed[10:] == [{"tokens": [], "done": True, "usage": usage}]
        assert reply.code == 1000
        assert gateway.counts["finished"] == 1
        assert (gateway.requests[-1].dialog_id, gateway.requests[-1].ended) == ("d", "finished")

    with_gateway(test)


def test_an_aiohttp_client_gets_the_same() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        headers = {**client.headers, "Accept": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(gateway.url + STREAM_PATH, headers=headers) as socket,
        ):
            assert "".join([t async for m in socket for t in json.loads(m.data)["tokens"]]) == "abcdefghij"

    with_gateway(test)


def test_every_builtin_stream_comes_by_the_name_of_its_dialog() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        for stream in BUILTIN:
            await client.configure(stream.name)
            assert tuple((await client.ask()).tokens) == stream.tokens

    with_gateway(test, BUILTIN)


def test_prompts_name_streams_by_dialog_too() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        await client.configure("d-7")
        await client.ask()
        assert gateway.requests[-1].stream == BUILTIN.names[3]

    with_gateway(test, BUILTIN, prompts={"d-7": BUILTIN.names[3]})


def test_a_first_message_decides_where_it_is_waited_for() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        name = BUILTIN.names[5]
        reply = await client.ask({"prompt": f"stream {name} with drop=1011@2", "dialog_id": "d-9"})
        assert (tuple(reply.tokens), reply.code) == (BUILTIN[name].tokens[:2], 1011)
        assert gateway.requests[-1].dialog_id == "d-9"
        assert (await client.ask({"prompt": "stream none-such"})).messages == []

    with_gateway(test, BUILTIN, first_message=True)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Authorization": "Bearer no"}, 401),
        ({"Accept": "text/html"}, 406),
        ({"Upgrade": "h2c"}, 426),
        ({"Sec-WebSocket-Version": "8"}, 400),
    ],
)
def test_a_hand_shake_against_the_contract_is_refused(changed: dict[str, str], status: int) -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        headers = {
            **client.headers,
            "Accept": "application/json",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        assert (await client.http.get(STREAM_PATH, headers=headers | changed)).status_code == status

    with_gateway(test)


def test_a_stream_before_any_configuration_is_refused() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        await client.login()
        with pytest.raises(InvalidStatus, match="409"):
            await client.ask()

    with_gateway(test, ready=False)


def test_variables_are_kept_for_every_dialog() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        assert (await client.set_variables("a%2Fb", llm_response="x", llm_total_tokens=3)).status_code == 201
        assert (await client.set_variables("a%2Fb", llm_response="y")).status_code == 200
        assert gateway.variables == {"a/b": [{"llm_response": "x", "llm_total_tokens": 3}, {"llm_response": "y"}]}
        assert (await client.set_variables("a/b")).status_code == 404
        client.headers.clear()
        assert (await client.set_variables("d")).status_code == 401

    with_gateway(test)


def test_what_is_no_part_of_it_is_not_there() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        answer = await client.http.get("/")
        assert answer.status_code == 404
        assert STREAM_PATH in answer.json()["message"]

    with_gateway(test)


# Faults


@pytest.mark.parametrize(
    ("fault", "code"),
    [("1000", 1000), ("1001", 1001), ("1011", 1011), ("1006", 1006), ("fin", 1006), ("rst", 1006), ("end", 1000)],
)
def test_a_drop_ends_the_stream_in_its_way_and_once(fault: str, code: int) -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        reply = await client.ask()
        assert ("".join(reply.tokens), reply.code) == ("abcd", code)
        await gateway.until(lambda gateway: gateway.requests[-1].ended == fault)
        assert gateway.requests[-1].tokens == 4
        assert gateway.counts[f"drop_{fault}"] == 1

    with_gateway(test, faults=f"drop={fault}@4")


def test_a_drop_before_the_first_token_leaves_the_turn_to_the_next_start() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        assert (await client.ask()).tokens == []
        assert "".join((await client.ask()).tokens) == "abcdefghij"
        assert [r.turn for r in gateway.requests if r.path == STREAM_PATH] == [0, 0]

    with_gateway(test, faults="drop=1011@0")


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_a_drop_at_any_byte_gives_whole_messages_only(at: int) -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        try:
            reply = await client.ask()
        except (InvalidMessage, ConnectionResetError):
            return
        assert reply.code == 1006
        assert "abcdefghij".startswith("".join(reply.tokens))
        await gateway.until(lambda gateway: bool(gateway.requests[-1].ended))
        assert gateway.requests[-1].tokens == len(reply.tokens)

    with_gateway(test, faults=f"drop=fin@{at}b")


def test_an_error_is_a_message() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        reply = await client.ask()
        assert reply.parsed[-1] == {"tokens": [], "done": False, "error": "overloaded"}
        assert ("".join(reply.tokens), reply.code) == ("abc", 1011)

    with_gateway(test, faults="drop=error@3:code=overloaded")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("place", ["start", "config", "dialog", "token"])
def test_any_request_can_be_refused_so_many_times(status: int, place: str) -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        async def ask() -> int:
            if place == "start":
                try:
                    await client.ask()
                except InvalidStatus as refused:
                    return refused.response.status_code
                return 101
            if place == "token":
                return (await client.login()).status_code
            if place == "config":
                return (await client.configure()).status_code
            return (await client.set_variables("d", a=1)).status_code

        if place != "token":
            await client.login()
        if place == "start":
            await client.configure()
        assert await ask() == status
        if status == 401:
            await client.login()
        assert await ask() in (101, 200, 201)

    with_gateway(test, faults=f"{status}=1:on={place}", ready=False)


def test_a_refusal_says_how_long_to_wait_in_seconds_or_by_a_date() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await client.ask()
        assert refused.value.response.headers["Retry-After"] == "7"
        answer = await client.set_variables("d", a=1)
        date = email.utils.parsedate_to_datetime(answer.headers["retry-after"]).timestamp()
        assert 0 < date - time.time() <= 100

    with_gateway(test, faults="429=1:on=start:retry-after=7,429=1:on=dialog:retry-date=100")


@pytest.mark.parametrize(("pack", "sizes"), [(3, [3, 3, 3, 1]), (100, [10])])
def test_tokens_can_share_a_message(pack: int, sizes: list[int]) -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        reply = await client.ask()
        assert [len(message["tokens"]) for message in reply.parsed] == [*sizes, 0]

    with_gateway(test, faults=f"pack={pack}")


@pytest.mark.parametrize(("how", "reported"), [("done", [10]), ("each", [*range(1, 11), 10]), ("none", [])])
def test_usage_comes_at_the_end_always_or_never(how: str, reported: list[int]) -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        reply = await client.ask()
        usages = [message["usage"] for message in reply.parsed if "usage" in message]
        assert [usage["completion_tokens"] for usage in usages] == reported

    with_gateway(test, faults=f"usage={how}")


def test_done_can_come_with_the_last_token() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        reply = await client.ask()
        assert (reply.parsed[-1]["tokens"], reply.parsed[-1]["done"], len(reply.messages)) == (["j"], True, 10)

    with_gateway(test, faults="finish=last")


@pytest.mark.parametrize("how", ["garbage", "truncated", "type", "utf8"])
def test_a_malformed_message_is_one_too_many(how: str) -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        messages = (await client.ask()).messages
        odd = messages.pop(4)
        assert "".join(Reply(messages, 0).tokens) == "abcdefghij"
        try:
            assert json.loads(odd)["tokens"] == [7]
        except ValueError:
            assert how != "type"

    with_gateway(test, faults=f"malformed={how}@4")


def test_a_message_can_be_big_and_come_in_frames_and_over_several() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        messages = (await client.ask()).messages
        assert len(messages) == 11 * 3
        whole_ones = ["".join(messages[at : at + 3]) for at in range(0, 33, 3)]
        assert "".join(Reply(whole_ones, 0).tokens) == "abcdefghij"
        assert len(whole_ones[1]) > 100_000

    with_gateway(test, faults="big=100000@2,split=3,pieces=5000")


def test_a_stall_lasts_until_the_client_goes_and_pings_keep_it_alive() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        async with client.open() as socket:
            for _ in range(4):
                await socket.recv()
            pong = await socket.ping()  # a pong comes only if both sides still read
            await pong
            assert gateway.requests[-1].ended == ""
        await gateway.until(lambda gateway: gateway.requests[-1].ended == "gone")
        assert gateway.counts["gone"] == 1

    with_gateway(test, faults="stall=inf@4,heartbeat=0.01")


def test_streams_are_played_at_their_own_pace() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        began = time.monotonic()
        await client.ask()
        assert time.monotonic() - began >= 0.18

    with_gateway(test, speed=1, token_interval=0.02)


def test_a_configuration_may_be_declined() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        assert (await client.configure()).json()["streaming"] is False

    with_gateway(test, streaming=False)


# Life


def test_hundreds_of_streams_run_at_once_and_mix_nothing_up() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        prompts = [f"stream {name}" for name in BUILTIN.names] * (200 // len(BUILTIN) + 1)
        replies = await asyncio.gather(*(client.ask({"prompt": prompt}) for prompt in prompts))
        for prompt, reply in zip(prompts, replies, strict=True):
            assert tuple(reply.tokens) == BUILTIN[prompt.removeprefix("stream ")].tokens

    with_gateway(test, BUILTIN, first_message=True)


def test_clients_that_hang_up_leave_nothing_running() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        sockets = [await client.open() for _ in range(50)]
        for socket in sockets[:25]:
            socket.transport.abort()
        await asyncio.gather(*(socket.close() for socket in sockets[25:]))
        await gateway.until(lambda gateway: gateway.counts["gone"] == 50)

    with_gateway(test, faults="stall=inf@1")


def test_it_is_remembered_without_secrets_and_to_a_bound() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        for _ in range(5):
            await client.ask()
        assert len(gateway.requests) == 3
        assert CLIENT_SECRET not in repr(gateway.requests)

    with_gateway(test, max_requests=3)


def test_refusing_connections_is_felt_at_once_and_ends() -> None:
    async def test(gateway: SimulatedCognigy, client: Client) -> None:
        gateway.refuse()
        with pytest.raises(ConnectionRefusedError):
            await client.ask()
        await gateway.start()
        assert (await client.ask()).code == 1000

    with_gateway(test)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(SettingsError, match="speed"):
        SimulatedCognigy(speed=-1)
    with pytest.raises(SettingsError, match="how is one of fin, rst, end, error, 1000, 1001, 1006, 1011"):
        SimulatedCognigy(faults="drop=1005@3")


@pytest.mark.parametrize("text", ["drop=1011@3", "503=2:on=dialog", "usage=each", "429=1:on=config:retry-after=2"])
def test_its_faults_have_a_text_form(text: str) -> None:
    assert Faults.parse(str(Faults.parse(text))) == Faults.parse(text)
