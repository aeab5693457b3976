"""Settings as a command has them: the file's and the environment's, and the data directory that an option names."""

from __future__ import annotations

from pathlib import Path

import msgspec

from flows.settings import Settings, load


def load_with(path: Path | None, data_dir: Path | None, vendor: str = "") -> Settings:
    """The settings, with this data directory where there is one. Raises SettingsError."""
    settings = load(path, vendor=vendor)
    if data_dir is None:
        return settings
    return msgspec.structs.replace(settings, job=msgspec.structs.replace(settings.job, data_dir=data_dir))
