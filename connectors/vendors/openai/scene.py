"""What the demo plays of a server of chat completions."""

from __future__ import annotations

from typing import Final

from connectors.vendors.base import Scene

SCENE: Final = Scene(
    {
        "account": "503=1",
        "blocked": "pieces=7,eol=crlf,comments=3",
        "german": "finish=last",
        "refund": "drop=rst@30",
    },
    cut_short=frozenset({"refund"}),  # no continuation exists
)
