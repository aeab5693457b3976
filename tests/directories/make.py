"""How bd86b48.tar.zst was made: two jobs of that commit over simulated vendors, each killed half way.

    git worktree add /tmp/old bd86b48 && cd /tmp/old && python …/tests/directories/make.py OUT.tar.zst

It runs with that commit's own modules. Left out is what every start makes again, and metrics.duckdb, in which nothing
was landed yet. What each desktop had received by then lies in the archive, too, as received.json.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import zstandard

sys.path.insert(0, os.getcwd())

from connectors.reactor import Reactor  # of that commit, which is the working directory
from connectors.simulator import AgentDesktop, Corpus, CXoneGateway, SimulatedCognigy, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET

WHOLE = ["The ", "parcel ", "left. ", "It ", "arrives ", "at ", "noon."]
HALF = ["It ", "left ", "on ", "Monday. ", "Mail ", "jane@", "example.com ", "or ", "wait. ", "It ", "comes ", "soon."]
STREAMS = {"whole": WHOLE, "half": HALF, "waits": WHOLE}
SESSIONS = [
    {"session_id": "whole", "prompt": "stream whole", "dialog_id": "whole"},
    {"session_id": "half", "prompt": "stream half", "dialog_id": "half"},
    {"session_id": "waits", "prompt": "stream waits", "dialog_id": "waits", "desktop": "away"},
]
LEFT_OUT = ("metrics.duckdb", "metrics.gate", "reserve")
TOML = """
[job]
data_dir = {data}
lane = "{lane}"
epoch = 1.0
[{vendor}]
base_url = "{url}"
client_id = "{id}"
client_secret = "{secret}"
{more}
[desktops.default]
url = "{desktop}"
[desktops.away]
url = "ws://127.0.0.1:9/"
"""


def main(target: Path) -> None:
    reactor, corpus = Reactor(), Corpus(TokenStream(name, tuple(tokens)) for name, tokens in STREAMS.items())
    received: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sessions.jsonl").write_text("\n".join(map(json.dumps, SESSIONS)))
        for lane, (vendor, kind) in enumerate((("cxone", CXoneGateway), ("cognigy", SimulatedCognigy))):
            gateway, desktop = kind(corpus, faults={"half": "stall=inf@7"}, speed=0), AgentDesktop()
            reactor.run(gateway.start())
            reactor.run(desktop.start())
            settings = folder / f"{vendor}.toml"
            fields = {
                "vendor": vendor,
                "lane": f"w0{lane}",
                "url": gateway.url,
                "id": CLIENT_ID,
                "secret": CLIENT_SECRET,
            }
            fields["more"] = "one_at_a_time = true" if vendor == "cognigy" else ""
            settings.write_text(TOML.format(data=json.dumps(str(folder / "data")), desktop=desktop.url, **fields))
            command = [sys.executable, "-m", "tokenweir", "run", vendor, "--settings", str(settings), "--sessions"]
            job = subprocess.Popen([*command, str(folder / "sessions.jsonl")])
            while len(desktop.received) < 3:
                time.sleep(0.1)
            time.sleep(3)  # all that can be said is said, confirmed, and in a snapshot
            job.send_signal(signal.SIGKILL)
            job.wait()
            received[vendor] = [each.raw for each in desktop.received]
            reactor.run(gateway.close())
            reactor.run(desktop.close())
        for path in (folder / "data").rglob("*"):
            if path.name in LEFT_OUT or path.name.endswith((".schema.parquet", "lock")):
                path.unlink()
        (folder / "data" / "received.json").write_text(json.dumps(received))
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(folder / "data", arcname="data")
        target.write_bytes(zstandard.ZstdCompressor(level=22).compress(archive.getvalue()))
    print(target.stat().st_size)  # noqa: T201  # run by hand, to say how large it is


if __name__ == "__main__":
    main(Path(sys.argv[1]))
