"""What a request says that it wants: its fields, its body, its place in a stream.

Rules
- What can be read in two ways is refused, and an error names the field and never quotes what it was given.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from connectors.errors import InputError
from connectors.frontend.answers import BodyTooLargeError
from connectors.frontend.ids import Place, parse_event_id
from connectors.job.requests import MissingError
from connectors.log.records import SESSION_ID


async def body_of(request: Request, max_bytes: int) -> bytes:
    """The whole body; for how long it may be on its way, the protocol knows. Raises BodyTooLargeError."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > max_bytes:
                raise BodyTooLargeError(f"the body is larger than {max_bytes} bytes (frontend.max_request_bytes)")
    except ClientDisconnect:
        raise HTTPException(400, "the body did not come whole") from None
    return bytes(body)


def fields_of(request: Request) -> dict[str, str]:
    """The query's fields. Raises InputError for one that is there twice: who stands before us may go by the other."""
    query = request.query_params
    if len(query.multi_items()) > len(query):
        raise InputError("the query has a field twice; leave one out")
    return dict(query)


def path_session(request: Request) -> str:
    """The session that the path names. Raises InputError."""
    session_id: str = request.path_params["session_id"]
    if SESSION_ID.fullmatch(session_id) is None:
        raise InputError("session_id: letters, digits and . _ : @ - only, at most 128")
    return session_id


def last_place(request: Request, session_id: str, turn: int | None = None) -> Place | None:
    """What Last-Event-ID says, if it is there and of this session and turn. Raises InputError."""
    text = request.headers.get("last-event-id")
    if not text:
        return None
    place = parse_event_id(text)
    if place.key[0] != session_id or turn not in (None, place.key[1]):
        raise InputError("Last-Event-ID: of another session; leave it out to begin this one's next turn")
    return place


def require(query: Mapping[str, str], *names: str) -> None:
    if missing := [name for name in names if not query.get(name)]:
        raise MissingError(missing)
