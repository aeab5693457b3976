"""The analysts' file, as DuckDB clients older than ours read it: each from the registry, where it can be installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from analytics import query
from connectors.metrics import open_metrics
from connectors.metrics.database import FILE
from connectors.metrics.script import FILES, FOLDER
from tests.analytics_data import by_hand, landed

CLIENTS = ["1.0.0", "1.5.0", "1.5.3"]
"""The oldest that docs/analytics.md promises, and those between which a view with an UNPIVOT cannot be bound."""

DOCS = (Path(__file__).parents[1] / "docs" / "analytics.md").read_text(encoding="utf-8")

ASK = """
import json, sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("SET TimeZone = 'UTC'")
answers = {}
for sql in json.load(sys.stdin):
    try:
        answers[sql] = sorted(map(repr, connection.execute(sql).fetchall()))
    except Exception as error:
        answers[sql] = f"{type(error).__name__}: {error}"
json.dump([duckdb.__version__, answers], sys.stdout)
"""


def ask(database: Path, questions: list[str], *, client: Path | None = None) -> tuple[str, dict[str, list[str] | str]]:
    """The version of a client in that folder (None: ours), and its answers, each row in its own words."""
    environment = {**os.environ, **({"PYTHONPATH": str(client)} if client else {})}
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(database)],
        input=json.dumps(questions), capture_output=True, text=True, check=False, timeout=120, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    version, answers = json.loads(done.stdout)
    return version, answers


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Path:
    """A folder that holds the client as pip installs it, kept from run to run."""
    kept = request.config.cache.mkdir("duckdb")
    folder = kept / f"{request.param}-{sys.version_info.major}.{sys.version_info.minor}"
    if folder.exists():
        return folder
    with tempfile.TemporaryDirectory(dir=kept) as name:
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--retries", "0"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", f"{name}/site"]
        done = subprocess.run([*command, f"duckdb=={request.param}"], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"pip cannot install duckdb {request.param} here: {done.stderr.strip().splitlines()[-1]}")
        Path(name, "site").rename(folder)
    return folder


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_an_older_client_gets_the_same_answers(client: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    landed(tmp_path, by_hand())
    with open_metrics(tmp_path) as connection:
        named = query.catalogue(connection)
    calls = [f"{name}{'()' if kind == 'macro' else ''}" for name, kind in named.select("name", "kind").iter_rows()]
    # As text, for old clients want another package to make a moment with its zone a Python object.
    questions = [f"SELECT COLUMNS(*)::VARCHAR FROM {call}" for call in calls]
    questions += [sql for sql in re.findall(r"```sql\n(.*?)```", DOCS, re.DOTALL) if "COPY" not in sql]
    version, answers = ask(tmp_path / FILE, questions, client=client)
    assert f"[{version}]" in request.node.name
    ours = ask(tmp_path / FILE, questions)[1]
    assert [sql for sql, rows in ours.items() if isinstance(rows, str)] == []
    assert answers == ours


def test_no_view_holds_what_some_clients_cannot_bind() -> None:
    assert [name for name in FILES if "UNPIVOT" in (FOLDER / f"{name}.sql").read_text(encoding="utf-8").upper()] == []
