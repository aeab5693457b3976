"""What an agent reads when the model's answer failed: a text by the kind of the failure, never by its wording.

Rules
- A turn that ends without its answer gets one last message, marked as a fallback; what was shown stays.
- A turn that its caller cancelled gets none.
- The texts are the vendor's contract's (docs/vendors.md) unless the settings say others, per language.
"""

from __future__ import annotations

import re

import msgspec

from connectors.fallback import BUILT_IN, Texts, What
from connectors.fields import FieldError
from connectors.vendors.base import Vendor

CODE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")
FINISHED = "finished"
CANCELLED = "cancelled"


class FallbackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[fallback] of the settings.

    vendors  whose failed turns get a fallback; unset: of those whose contract asks for it
    texts    by language code; `default` is for all others. So too in the `error` of a caller's stream
    """

    vendors: tuple[str, ...] | None = None
    texts: dict[str, Texts] = {}

    def __post_init__(self) -> None:
        for code in self.texts:
            if CODE.fullmatch(code) is None:  # `text` would never find it
                what = 'should be named by a language, in small letters and with a dash, such as de-at; or "default"'
                raise FieldError(f"texts.{code}", what)

    def serves(self, vendor: Vendor) -> bool:
        """Whether a vendor's failed turns get one."""
        return vendor.fallback if self.vendors is None else vendor.name in self.vendors

    def text(self, reason: str, language: str | None) -> str:
        """The fallback for a turn that closed with `reason`; empty where there is none."""
        if reason in (FINISHED, CANCELLED):
            return ""
        texts = self._own(language) or self.texts.get("default") or BUILT_IN
        return {"timeout": texts.timeout, "rate_limited": texts.rate_limit}.get(reason, texts.other)

    def to_callers(self, what: What, language: str | None, otherwise: str) -> str:
        """What an `error` of a caller's stream says: the first text that was set, and was not as it is built in.

        otherwise  as [frontend] has it, for all languages that are not named here
        """
        built_in: str = getattr(BUILT_IN, what)
        set_here = (self._own(language), self.texts.get("default"))
        own, default = (getattr(texts, what) if texts else built_in for texts in set_here)
        return next((text for text in (own, otherwise, default) if text != built_in), built_in)

    def _own(self, language: str | None) -> Texts | None:
        code = (language or "").replace("_", "-").lower()
        return self.texts.get(code) or self.texts.get(code.partition("-")[0])
