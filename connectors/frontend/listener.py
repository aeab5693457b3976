"""The socket that callers connect to."""

from __future__ import annotations

import contextlib
import socket

from connectors.errors import SettingsError
from connectors.frontend.settings import FrontendSettings


def listening(settings: FrontendSettings) -> socket.socket:
    """Raises SettingsError where the address cannot be had."""
    host, port = settings.host, settings.port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1_024)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "set FRONTEND_HOST and FRONTEND_PORT to an address that is free"
        ) from None
    with contextlib.suppress(AttributeError):  # Linux has it; accepted sockets inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.send_timeout * 1_000))
    return listener
