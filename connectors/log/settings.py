"""[log] of the settings."""

from __future__ import annotations

import msgspec

from connectors.fields import check_range


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[log] of the settings.

    rotate_bytes  a file that would grow past this is followed by a new one
    keep_bytes    old files are removed while more than this remains; 0 keeps only what recovery needs
    max_waiting   records logged that the flow has not taken, past which sockets are not read
    reserve_bytes disk space kept back, so that running sessions can end when the disk is full (0: none)
    """

    rotate_bytes: int = 32 << 20
    keep_bytes: int = 1 << 30
    max_waiting: int = 50_000
    reserve_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        check_range(self, "rotate_bytes", least=1)
        check_range(self, "keep_bytes", "reserve_bytes", least=0)
        check_range(self, "max_waiting", least=2)
