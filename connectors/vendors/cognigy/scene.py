"""What the demo plays of Cognigy.AI."""

from __future__ import annotations

from typing import Any, Final

from connectors.vendors.base import Scene


def _told(simulator: Any, stream: str) -> list[str]:
    return [values["llm_response"] for values in simulator.variables.get(stream, [])]


SCENE: Final = Scene(
    {
        "account": "429=1:retry-after=1:on=start",
        "blocked": "usage=done",
        "code": "pack=3",
        "hindi": "",
        "refund": "drop=1006@30",
    },
    cut_short=frozenset({"refund"}),  # no continuation exists
    options={"first_message": True},
    settings={"cognigy": {"template": {"prompt": "{prompt}", "dialog_id": "{dialog_id}"}}},
    told=_told,
)
