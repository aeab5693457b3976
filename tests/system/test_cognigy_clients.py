"""Cognigy's own socket clients, as npm has them, against the simulated endpoint: to them it is one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.reactor import Reactor
from connectors.simulator import Corpus, TokenStream
from connectors.simulator.vendor import CLIENT_SECRET
from connectors.vendors.cognigy_endpoint.simulator import SimulatedCognigyEndpoint
from tests import npm

WITHIN = 60
TOKENS = ("Thanks for waiting. ", "Your order ", "is on its way.")
OLD, NEW = "4.9.2", "5.0.0-beta.26"

PROGRAM = """
const { SocketClient } = require("@cognigy/socket-client");
const [address, token, options, prompt] = process.argv.slice(2);
console.log = () => {};
console.error = () => {};
const out = { texts: [], ids: [], reasons: [], typing: [], errors: [], pings: 0 };
const client = new SocketClient(address, token, {
  userId: "user@x", sessionId: "session-1/a b", forceWebsockets: true, interval: 50, ...JSON.parse(options),
});
const late = setTimeout(() => end("nothing"), 20000);
const end = (why) => {
  if (out.why) return;
  out.why = why;
  clearTimeout(late);
  client.disconnect();
  process.stdout.write(JSON.stringify(out));
};
client.on("output", (output) => {
  out.texts.push(output.text);
  const marks = output.data?._cognigy ?? {};
  out.ids.push(marks._messageId ?? null);
  if (marks._finishReason) out.reasons.push(marks._finishReason);
});
client.on("typingStatus", (said) => out.typing.push(said.status));
client.on("error", (error) => { out.errors.push(error?.message ?? String(error)); end("error"); });
client.on("socket/error", (error) => { if (!out.texts.length) end("refused"); });
client.on("socket/connect_error", () => { if (!out.texts.length) end("refused"); });
client.on("finalPing", () => end("finalPing"));
client.connect().then(() => client.sendMessage(prompt, { k: 1 })).catch(() => end("refused"));
"""


@pytest.fixture(scope="module")
def packages(request: pytest.FixtureRequest) -> dict[str, Path]:
    """Folders with both clients as npm installs them, kept from run to run."""
    return {version: _installed(request, version) for version in (OLD, NEW)}


def _installed(request: pytest.FixtureRequest, version: str) -> Path:
    folder = npm.installed(request, "@cognigy/socket-client", version)
    (folder / "program.cjs").write_text(PROGRAM, encoding="utf-8")
    return folder


@contextmanager
def simulated(faults: str = "", **options: Any) -> Iterator[SimulatedCognigyEndpoint]:
    reactor = Reactor()
    vendor = SimulatedCognigyEndpoint(Corpus([TokenStream("s", TOKENS)]), faults=faults, speed=0, **options)
    try:
        reactor.run(vendor.start())
        yield vendor
    finally:
        reactor.run(vendor.close())
        reactor.close()


def converse(folder: Path, vendor: SimulatedCognigyEndpoint, token: str = CLIENT_SECRET, **options: Any) -> Any:
    done = subprocess.run(
        ["node", "program.cjs", vendor.url, token, json.dumps(options), "stream s"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=WITHIN,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("more", [{}, {"emitWithAck": False}, {"enableInnerSocketHandshake": True}])
def test_the_real_client_hears_a_turn(version: str, more: dict[str, Any], packages: dict[str, Path]) -> None:
    with simulated() as vendor:
        out = converse(packages[version], vendor, **more)
        assert vendor.users == {"session-1/a b": "user@x"}
        assert vendor.counts["starts"] == 1
        acknowledged = 0 if more.get("emitWithAck") is False else len(TOKENS) + 1
        assert vendor.counts["acknowledged"] >= acknowledged
    assert out["texts"] == [*TOKENS, ""]
    assert (out["reasons"], out["why"], out["errors"]) == (["stop"], "finalPing", [])
    assert out["ids"] == ["message-0"] * 4


@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_real_client_comes_back_after_a_drop_and_hears_the_rest(version: str, packages: dict[str, Path]) -> None:
    with simulated("drop=rst@2") as vendor:
        out = converse(packages[version], vendor)
        assert vendor.counts["connections"] == 2
    assert "".join(dict.fromkeys(out["texts"])) == "".join(TOKENS)
    assert out["why"] == "finalPing"


@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_real_client_shows_twice_what_comes_twice(version: str, packages: dict[str, Path]) -> None:
    with simulated("drop=fin@2:repeat=2") as vendor:
        out = converse(packages[version], vendor)
    assert out["texts"].count(TOKENS[1]) == 2


@pytest.mark.parametrize(
    ("version", "protocol", "why"),
    [(OLD, "3", "finalPing"), (OLD, "4", "refused"), (NEW, "4", "finalPing"), (NEW, "3", "refused")],
)
def test_the_real_client_finds_each_version_as_it_is(
    version: str, protocol: Any, why: str, packages: dict[str, Path]
) -> None:
    with simulated(protocol=protocol, ping_interval=0.5, ping_timeout=0.5) as vendor:
        assert converse(packages[version], vendor)["why"] == why


@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_real_client_is_refused_with_a_wrong_token_and_told_of_a_failure(
    version: str, packages: dict[str, Path]
) -> None:
    with simulated() as vendor:
        assert converse(packages[version], vendor, "wrong")["why"] == "refused"
    with simulated("drop=error@1") as vendor:
        out = converse(packages[version], vendor)
        assert (out["texts"], out["errors"]) == ([TOKENS[0]], ["The simulator was told to fail here."])
