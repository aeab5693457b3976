"""Secrets and URLs with credentials: opt-ins, each a shape (RE2) that its maker made unmistakable."""

from __future__ import annotations

SHAPES: dict[str, tuple[str, int]] = {
    "SECRET": (
        "|".join(
            (
                r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|or)[-_][0-9A-Za-z_-]{16,200}",
                r"\bsk-[0-9A-Za-z]{20,64}",
                r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b",
                r"\bAIza[0-9A-Za-z_-]{35}",
                r"\bya29\.[0-9A-Za-z_-]{20,200}",
                r"\bgh[opsur]_[0-9A-Za-z]{36,200}",
                r"\bgithub_pat_[0-9A-Za-z_]{22,100}",
                r"\bglpat-[0-9A-Za-z_-]{20,40}",
                r"\bxox[abeoprs]-[0-9A-Za-z-]{10,200}",
                r"\bhf_[0-9A-Za-z]{30,40}",
                r"\bnpm_[0-9A-Za-z]{36}",
                r"\bSG\.[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{32,64}",
                r"\beyJ[0-9A-Za-z_-]{10,400}\.[0-9A-Za-z_-]{10,400}\.[0-9A-Za-z_-]{10,400}",
                r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[0-9A-Za-z+/=\s]{0,800}(?:-----END [A-Z ]{0,20}KEY-----)?",
            )
        ),
        1024,
    ),
    "URL_CREDENTIALS": (
        r"\b[A-Za-z][0-9A-Za-z+.-]{1,15}://[^\s/:@?#]{1,64}:[^\s/@?#]{1,128}@[0-9A-Za-z.-]{1,128}",
        352,
    ),
}
"""By type: the shape, and the most characters of a match."""
