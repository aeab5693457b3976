"""HTTP/1.1 as uvicorn speaks it, for callers that never say what they want."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol


class PatientProtocol(H11Protocol):
    """Closes a connection on which no whole request head came within `request_timeout` seconds."""

    request_timeout: float

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        super().connection_made(transport)
        self._asking = self.loop.call_later(self.request_timeout, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._asking.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.cycle is None:
            self.transport.close()


def protocol(request_timeout: float) -> type[PatientProtocol]:
    return type("Protocol", (PatientProtocol,), {"request_timeout": request_timeout})
