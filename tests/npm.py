"""Vendors' own clients for node, as npm installs them, kept in pytest's cache from run to run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def installed(request: pytest.FixtureRequest, package: str, version: str) -> Path:
    """A folder with the package in it. Skips the test where node, npm or a registry is missing."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node is not installed: apt-get install nodejs npm")
    kept = Path(request.config.cache.mkdir("node"))
    folder = kept / f"{package.removeprefix('@').replace('/', '-')}-{version}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=kept) as name:
            site = Path(name, "site")
            site.mkdir()
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "0"]
            done = subprocess.run(
                [*command, "--prefix", str(site), f"{package}@{version}"],
                capture_output=True, text=True, check=False, timeout=120, cwd=site,
            )  # fmt: skip
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
                pytest.skip(f"npm cannot install {package} {version} here: {last}")
            site.rename(folder)
    return folder
