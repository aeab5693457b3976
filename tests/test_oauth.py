"""Client credentials against a token endpoint of our own on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from connectors.errors import CredentialsError, SettingsError, UpstreamError
from connectors.http import Client, ConnectError, HttpError, HttpSettings, RequestTimeoutError, StatusError
from connectors.secret import Secret
from connectors.vendors.oauth import DEFAULT_LIFE, ClientCredentials, Grant

SECRET = "s&cr+t =/%ü"


class Vendor:
    """POST /token gives token-1, token-2 …; everything else wants a token that was not revoked."""

    def __init__(self) -> None:
        self.url = ""
        self.expires_in: object = 3600
        self.refuse: tuple[int, bytes] | None = None
        self.extra_headers = b""
        self.hold = asyncio.Event()
        self.hold.set()
        self.calls: list[tuple[bytes, bytes]] = []
        self.revoked: set[bytes] = set()
        self.served: list[bytes] = []
        self.now = 0.0

    def grant(self, **changes: Any) -> Grant:
        fields: dict[str, Any] = {
            "url": self.url + "/token",
            "client_id": "me",
            "client_secret": Secret(SECRET),
            "scope": "ai:llm:stream",
            "url_setting": "CXONE_BASE_URL",
            "id_setting": "CXONE_CLIENT_ID",
            "secret_setting": "CXONE_CLIENT_SECRET",
        }
        return Grant(**fields | changes)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
                status, answer = await self.answer(head, fields, body)
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n" % (status, len(answer)))
                writer.write(self.extra_headers + b"\r\n" + answer)
        writer.close()

    async def answer(self, head: bytes, fields: dict[bytes, bytes], body: bytes) -> tuple[int, bytes]:
        if not head.startswith(b"post /token "):
            token = fields[b"authorization"].removeprefix(b"bearer ")
            self.served.append(token)
            return (401, b"no") if token in self.revoked else (200, b"ok")
        self.calls.append((fields[b"content-type"], body))
        await self.hold.wait()
        if self.refuse:
            return self.refuse
        answer = {"access_token": f"token-{len(self.calls)}", "token_type": "Bearer", "expires_in": self.expires_in}
        return 200, msgspec.json.encode({k: v for k, v in answer.items() if v is not None})


@contextlib.asynccontextmanager
async def vendor() -> AsyncIterator[tuple[Vendor, Client]]:
    self = Vendor()
    async with await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=500) as server:
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            async with Client() as client:
                yield self, client
        finally:
            self.hold.set()  # from Python 3.12 on, a server's end waits for its handlers


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def test_the_form_body_holds_any_secret() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            auth = ClientCredentials(client, it.grant())
            assert await auth.token() == "token-1"
            kind, body = it.calls[0]
            assert kind == b"application/x-www-form-urlencoded"
            assert dict(parse_qsl(body.decode(), strict_parsing=True)) == {
                "grant_type": "client_credentials",
                "client_id": "me",
                "client_secret": SECRET,
                "scope": "ai:llm:stream",
            }

    run(main())


def test_the_json_body_holds_any_secret() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            auth = ClientCredentials(client, it.grant(body="json", scope="llm:stream api:access"))
            await auth.token()
            kind, body = it.calls[0]
            assert kind == b"application/json"
            assert msgspec.json.decode(body) == {
                "grant_type": "client_credentials",
                "client_id": "me",
                "client_secret": SECRET,
                "scope": "llm:stream api:access",
            }

    run(main())


def test_a_hundred_cold_starts_make_one_call() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            auth = ClientCredentials(client, it.grant())
            answers = await asyncio.gather(*(client.request("GET", it.url + "/x", auth=auth) for _ in range(100)))
            assert {answer.status for answer in answers} == {200}
            assert len(it.calls) == 1
            assert it.served == [b"token-1"] * 100

    run(main())


def test_one_that_gives_up_does_not_take_the_call_from_the_others() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.hold.clear()
            auth = ClientCredentials(client, it.grant())
            first = asyncio.create_task(auth.token())
            second = asyncio.create_task(auth.token())
            while not it.calls:
                await asyncio.sleep(0)
            first.cancel()
            it.hold.set()
            assert await second == "token-1"
            assert first.cancelled()
            assert len(it.calls) == 1

    run(main())


def test_a_call_that_nobody_waits_for_any_more_fails_quietly() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.hold.clear()
            it.refuse = 500, b""
            auth = ClientCredentials(client, it.grant())
            waiter = asyncio.create_task(auth.token())
            while not it.calls:
                await asyncio.sleep(0)
            waiter.cancel()
            it.hold.set()
            with pytest.raises(StatusError):
                await auth.token()
            assert len(it.calls) == 1

    run(main())


@pytest.mark.parametrize(
    ("expires_in", "early", "refreshed_at"),
    [
        (3600, 30.0, 3570.0),
        (3600, 60.0, 3540.0),
        ("3600", 30.0, 3570.0),
        (31, 30.0, 15.5),
        (30, 30.0, 15.0),
        (20, 60.0, 10.0),
        (None, 30.0, DEFAULT_LIFE - 30.0),
        (0, 30.0, 0.0),
        (-5, 30.0, 0.0),
    ],
)
def test_the_token_is_refreshed_early_and_a_short_one_at_half_its_life(
    expires_in: object, early: float, refreshed_at: float
) -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.expires_in = expires_in
            auth = ClientCredentials(client, it.grant(early=early), clock=lambda: it.now)
            it.now = 100.0
            await auth.token()
            it.now = 100.0 + refreshed_at - 0.01
            if refreshed_at:
                assert await auth.token() == "token-1"
            it.now = 100.0 + refreshed_at
            assert await auth.token() == "token-2"

    run(main())


def test_a_token_that_is_still_good_is_used_while_the_endpoint_fails() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            auth = ClientCredentials(client, it.grant(), clock=lambda: it.now)
            await auth.token()
            it.refuse = 503, b""
            it.now = 3599.0
            assert await auth.token() == "token-1"
            it.now = 3601.0
            with pytest.raises(StatusError, match="answered with status 503"):
                await auth.token()

    run(main())


def test_a_failed_call_is_not_repeated_at_once() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.refuse = 503, b""
            auth = ClientCredentials(client, it.grant(pause=1.0), clock=lambda: it.now)
            for _ in range(20):
                with pytest.raises(StatusError):
                    await auth.token()
            assert len(it.calls) == 1
            it.refuse = None
            it.now = 1.0
            assert await auth.token() == "token-2"

    run(main())


def test_a_refused_token_is_refreshed_once_for_all_who_hold_it() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            auth = ClientCredentials(client, it.grant())
            await client.request("GET", it.url + "/x", auth=auth)
            it.revoked.add(b"token-1")
            answers = await asyncio.gather(
                *(client.request("POST", it.url + "/x", json=n, auth=auth) for n in range(50))
            )
            assert {answer.status for answer in answers} == {200}
            assert len(it.calls) == 2
            assert it.served.count(b"token-2") == 50

    run(main())


def test_a_refusal_that_comes_late_does_not_throw_away_the_new_token() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            auth = ClientCredentials(client, it.grant())
            old = await auth.token()
            new = await auth.renew(old)
            assert await auth.renew(old) == new
            assert len(it.calls) == 2

    run(main())


def test_a_second_refusal_is_given_to_the_caller() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.revoked |= {b"token-1", b"token-2", b"token-3"}
            auth = ClientCredentials(client, it.grant())
            assert (await client.request("GET", it.url + "/x", auth=auth)).status == 401
            assert it.served == [b"token-1", b"token-2"]

    run(main())


def test_a_stream_is_refreshed_after_a_refusal_too() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.revoked.add(b"token-1")
            auth = ClientCredentials(client, it.grant())
            async with client.stream("POST", it.url + "/x", json={"a": 1}, auth=auth) as stream:
                assert stream.status == 200
                assert [piece async for piece in stream.chunks()] == [b"ok"]

    run(main())


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"", ["client id or secret", "401", "CXONE_CLIENT_ID", "CXONE_CLIENT_SECRET"]),
        (400, b'{"error":"invalid_client"}', ["client id or secret", "400"]),
        (400, b"\xff not json", ["client id or secret", "400"]),
        (403, b"", ["'ai:llm:stream'", "403", "granted"]),
        (400, b'{"error":"invalid_scope"}', ["'ai:llm:stream'", "400"]),
    ],
)
def test_a_refusal_says_what_to_mend_and_no_secret(status: int, body: bytes, words: list[str]) -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.refuse = status, body
            with pytest.raises(CredentialsError) as caught:
                await client.request("GET", it.url + "/x", auth=ClientCredentials(client, it.grant()))
            assert all(word in str(caught.value) for word in words)
            assert SECRET not in repr(caught.value)
            assert "\n" not in str(caught.value)

    run(main())


@pytest.mark.parametrize(("status", "word"), [(404, "CXONE_BASE_URL"), (302, "CXONE_BASE_URL"), (500, "500")])
def test_another_status_is_the_vendors_fault_or_the_urls(status: int, word: str) -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.refuse = status, b"secret words"
            with pytest.raises(UpstreamError, match=word) as caught:
                await ClientCredentials(client, it.grant()).token()
            assert "secret words" not in str(caught.value)

    run(main())


def test_a_limited_token_endpoint_says_when_to_come_back() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.refuse = 429, b""
            it.extra_headers = b"Retry-After: 7\r\n"
            with pytest.raises(StatusError) as caught:
                await ClientCredentials(client, it.grant()).token()
            assert (caught.value.status, caught.value.retry_after) == (429, "7")

    run(main())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"token":"x"}',
        b'{"access_token":""}',
        b'{"access_token":"a\\r\\nX-Evil: 1"}',
        b'{"access_token":"x","expires_in":[]}',
        b"\xff",
        b"[" * 5_000,
        b'{"access_token":"\\ud83d"}',
    ],
)
def test_an_answer_without_a_usable_token_names_the_url_setting(body: bytes) -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.refuse = 200, body
            with pytest.raises(HttpError, match="no usable access_token: check CXONE_BASE_URL"):
                await ClientCredentials(client, it.grant()).token()

    run(main())


@pytest.mark.parametrize("life", [b"60", b'"60"'])
def test_what_else_an_answer_holds_costs_no_token(life: bytes) -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.refuse = 200, b'{"scope":"\\ud83d","access_token":"t","expires_in":%b}' % life
            assert await ClientCredentials(client, it.grant()).token() == "t"

    run(main())


def test_an_endpoint_that_is_not_there_names_the_url_setting() -> None:
    async def main() -> None:
        async with Client(HttpSettings(connect_timeout=5)) as client:
            it = Vendor()
            it.url = "http://127.0.0.1:1"
            with pytest.raises(ConnectError, match=r"127\.0\.0\.1:1: Connection refused \(check CXONE_BASE_URL\)"):
                await ClientCredentials(client, it.grant()).token()

    run(main())


def test_an_endpoint_that_is_slow_is_timed_out() -> None:
    async def main() -> None:
        async with vendor() as (it, client):
            it.hold.clear()
            with pytest.raises(RequestTimeoutError, match=r"within 0\.1 s \(check CXONE_BASE_URL\)"):
                await ClientCredentials(client, it.grant(timeout=0.1)).token()

    run(main())


def test_an_endpoint_that_is_no_url_names_the_setting_at_once() -> None:
    async def main() -> None:
        async with Client() as client:
            with pytest.raises(SettingsError, match="CXONE_BASE_URL is not an address"):
                ClientCredentials(client, Vendor().grant(url="api.example.com/token"))

    run(main())


def test_a_grant_prints_without_its_secret() -> None:
    assert SECRET not in repr(Vendor().grant())
