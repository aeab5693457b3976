"""[cognigy_endpoint] of the settings."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from connectors.fields import FieldError, check_range
from connectors.secret import Secret

_URL_TOKEN: Final = re.compile(r"/[0-9a-fA-F]{32,}(/|\Z)")


class CognigyEndpointSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach a Socket endpoint of Cognigy.AI.

    url                      COGNIGY_ENDPOINT_URL; of `https://endpoint-x.cognigy.ai/TOKEN` the part before the token
    token                    COGNIGY_ENDPOINT_TOKEN; that last part, the URL token
    protocol                 of Engine.IO: 4, as their newest client; 3, as `@cognigy/socket-client` 4 and older
                             clients. A server that turns out to speak 3 only is understood with either
    inner_handshake          the ids and the token are said when the server asks for them, and so are in no URL
    user_id                  of the person whom the session belongs to; empty: the session's id
    channel                  what Flows are told that we are
    model                    of sessions that name none, in rows and prices: an endpoint does not say what it uses
    connect_timeout          seconds for a handshake with its connection
    ready_timeout            seconds from there until the endpoint is ready
    settle                   seconds of silence before a question, where an earlier turn of the session may be owed its
                             rest still (it ended without a `finalPing`, or this job did not see how)
    idle_timeout             seconds without an event after which a turn ends (0: never)
    final_timeout            the same, once an answer was whole: other answers may follow, up to the `finalPing`
    resume_timeout           the same, of a new connection in the middle of a turn on which nothing came yet
    overall_timeout          seconds for a turn, waits and new attempts included (0: no limit)
    max_reconnects           new attempts of one turn, in total
    max_retries              429 answers in a row to one turn before it is given up
    retry_base, retry_cap    seconds: the back-off's first and longest step
    retry_total              seconds of refusals in a row, Retry-After included, after which a turn is given up
    max_message_bytes        the largest message that is read
    max_sessions             of which it is remembered that nothing is owed
    """

    url: str = ""
    token: Secret = Secret("")
    protocol: Literal[3, 4] = 4
    inner_handshake: bool = False
    user_id: str = ""
    channel: str = "socket-client"
    model: str = "cognigy-flow"
    connect_timeout: float = 10.0
    ready_timeout: float = 10.0
    settle: float = 0.5
    idle_timeout: float = 60.0
    final_timeout: float = 30.0
    resume_timeout: float = 10.0
    overall_timeout: float = 300.0
    max_reconnects: int = 3
    max_retries: int = 3
    retry_base: float = 1.0
    retry_cap: float = 30.0
    retry_total: float = 300.0
    max_message_bytes: int = 16 << 20
    max_sessions: int = 100_000

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise FieldError("url", "should begin with https:// or http://")
        if _URL_TOKEN.search(self.url):
            raise FieldError("url", "should end before the URL token, which goes to COGNIGY_ENDPOINT_TOKEN")
        for name in ("connect_timeout", "ready_timeout", "final_timeout", "resume_timeout"):
            check_range(self, name, above=0, unit="seconds")
        check_range(self, "retry_base", "retry_cap", "retry_total", above=0, unit="seconds")
        check_range(self, "settle", "idle_timeout", "overall_timeout", least=0, unit="seconds")
        check_range(self, "max_reconnects", "max_retries", least=0)
        check_range(self, "max_message_bytes", "max_sessions", least=1)
