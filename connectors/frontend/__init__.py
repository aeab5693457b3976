"""HTTP for callers and browsers: what they ask for, and the moderated text as Server-Sent Events.

hub.py (core) keeps what was shown and who reads along, sink.py brings it the flow's messages, stream.py sends one
caller its share, tickets.py (core) signs URLs for browsers, and server.py has the routes. docs/frontend.md is for
those who call it.
"""

from connectors.frontend.server import Frontend
from connectors.frontend.settings import FrontendSettings
from connectors.frontend.sink import CallerSink

__all__ = ["CallerSink", "Frontend", "FrontendSettings"]
