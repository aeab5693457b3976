"""The settings that the vendors of model APIs have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from connectors.fields import FieldError
from connectors.secret import Secret
from connectors.vendors.sse_settings import SSESettings


class ModelSettings(SSESettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What such a vendor's section has beside those of every stream.

    ASKED  fields of a request's body that are a turn's own
    """

    ASKED: ClassVar[frozenset[str]] = frozenset()

    api_key: Secret = Secret("")
    system: str = ""
    extra: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if taken := self.extra.keys() & self.ASKED:
            raise FieldError("extra", f"should not have {min(taken)}, which is what a turn asks")
