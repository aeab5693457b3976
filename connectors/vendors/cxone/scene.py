"""What the demo plays of CXone."""

from __future__ import annotations

from typing import Final

from connectors.vendors.base import Scene

SCENE: Final = Scene(
    {
        "refund": "",
        "account": "drop=rst@40,repeat=4",
        "blocked": "drop=end@12:revoke,repeat=3:ids=new",
        "code": "429=1:retry-after=1:on=start",
        "abbreviations": "eol=crlf,comments=3,lines",
        "japanese": "pack=3",
        "bytes": "split=2,drop=fin@9",
        "slow": "",
        "emoji": "ids=stream,drop=fin@10,repeat=5",
        "german": "503=1",
        "chinese": "",
    },
    options={"token_ttl": 3.0, "declared_ttl": 3_600.0},
    settings={"cxone": {"resumes": "repeats"}},  # some of these do, under other ids
)
