"""HTTP for callers and browsers: what they ask for, and the moderated text as Server-Sent Events.

hub.py (core) keeps what was shown and who reads along; sink.py brings it the flow's messages; stream.py sends one
caller its share; ids.py and tickets.py (cores) name places in a stream and sign its URLs; access.py says who may
call; server.py has the routes.
"""

from connectors.frontend.server import Frontend
from connectors.frontend.settings import FrontendSettings
from connectors.frontend.sink import CallerSink

__all__ = ["CallerSink", "Frontend", "FrontendSettings"]
