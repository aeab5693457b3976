"""What is not delivered can be seen: in /health?verbose, in rows, by `doctor`, and in the log."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.delivery.journal import Journal
from connectors.delivery.ledger import Ledger
from connectors.delivery.outbox import Outbox
from connectors.delivery.presence import Presence
from connectors.job.requests import SessionRequest
from connectors.log.records import Message
from connectors.metrics import open_metrics
from flows import cxone
from flows.engine.examination import examine
from tests.callers import Service, serving, until
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import invoke

Start = Callable[..., OtherSide]
TEXT = ["The parcel left. "] * 30


def begin(service: Service, name: str, **more: str) -> None:
    answer = service.ask("POST", "/sessions", json={"session_id": name, "prompt": "stream s", **more})
    assert answer.status_code == 202, answer.text


def health(service: Service) -> Any:
    answer = service.ask("GET", "/health?verbose")
    assert answer.status_code == 200
    return answer.json()


def notes(data_dir: Path, desktops: set[str] | None = None) -> list[tuple[str, str]]:
    found = [each for each in examine(data_dir, desktops) if "desktop" in each.what]
    return [(each.level, each.what) for each in found]


def test_a_desktop_that_is_away_is_seen_while_it_is_and_gets_what_waited_after_a_restart(
    other_side: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    side = other_side(corpus_of(TEXT))
    desktops = {"default": {"url": side.desktop.url, "queue": 8, "drain_timeout": 0.0}}

    async def die() -> None:
        side.desktop.die()

    with serving(side, tmp_path, desktops=desktops) as service:
        assert health(service)["desktops"]["default"]["error"] == "not connected yet"
        begin(service, "s-1")
        until(lambda: health(service)["desktops"]["default"]["connected"])
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-1")))
        until(lambda: not health(service)["desktops"]["default"]["waiting"])
        side.reactor.run(die())
        begin(service, "s-2")
        until(lambda: health(service)["desktops"]["default"]["waiting"] == len(TEXT))
        until(lambda: not health(service)["desktops"]["default"]["connected"])
        told = health(service)
        assert (told["status"], told["desktops"]["default"]["dropped"]) == ("ok", 0)
        assert told["desktops"]["default"]["since"].endswith("Z")
        assert "parcel" not in str(told)
        assert "127.0.0.1" not in str(told)
        assert service.ask("GET", "/health").text == "OK"
        until(lambda: "is away" in caplog.text)
    [(level, what)] = notes(tmp_path)
    assert level == "note"
    assert what.startswith(f"{len(TEXT)} messages wait for the desktop 'default', the oldest since 20")
    side.reactor.run(side.desktop.revive())
    with serving(side, tmp_path, desktops=desktops):
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-2")))
    assert notes(tmp_path) == []


def test_messages_for_a_desktop_that_left_the_settings_are_seen(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(TEXT), behaviour="dead")
    away = {"url": side.desktop.url, "drain_timeout": 0.0}
    data_dir = tmp_path / "data"
    with serving(side, data_dir, desktops={"old": away}) as service:
        begin(service, "s-1", desktop="old")
        until(lambda: health(service)["desktops"]["old"]["waiting"] == len(TEXT))
    side.reactor.run(side.desktop.revive())
    with serving(side, data_dir) as service:
        begin(service, "s-2")
        until(lambda: "old" in health(service)["desktops"])
        told = health(service)["desktops"]["old"]
        assert (told["connected"], told["error"], told["waiting"]) == (False, "not in the settings", len(TEXT))
    [(level, what)] = notes(data_dir, {"default"})
    assert level == "error"
    assert "wait for the desktop 'old'" in what
    assert "the settings have no such desktop: add [desktops.old]" in what
    [(level, what)] = notes(data_dir)
    assert level == "note"
    (tmp_path / "tokenweir.toml").write_text('[desktops.other]\nurl = "ws://desk:1/"\n')
    result = invoke({}, "doctor", data_dir, "--settings", tmp_path / "tokenweir.toml")
    assert result.exit_code == 8
    assert "add [desktops.old]" in result.stdout


def test_messages_for_an_unknown_desktop_are_rows_of_their_own_kind_once(
    other_side: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    side = other_side(corpus_of(TEXT))
    settings = side.settings(tmp_path, desktops={"other": {"url": side.desktop.url}})
    del settings.desktops["default"]
    job = cxone.job(settings, requests=[SessionRequest(session_id="s-1", prompt="stream s")])
    job.run()
    assert job.desktops.unknown_desktop == len(TEXT)
    shutil.rmtree(tmp_path / "recovery")  # the whole log is read, and said, again
    cxone.job(settings).run()
    with closing(open_metrics(tmp_path)) as database:
        rows = database.sql("SELECT seq, desktop, how, sent_at FROM deliveries ORDER BY seq").fetchall()
        took = set(database.sql("SELECT delivery_ms FROM first_sentences").fetchall())
    assert rows == [(seq, "default", "unknown", None) for seq in range(len(TEXT))]
    assert took == {(None,)}, "it reached nobody"
    told = [each.getMessage() for each in caplog.records if "'default'" in each.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("messages for the desktop 'default' are lost from here on: the settings lack it; give")


def test_what_waits_is_counted_by_what_a_start_would_send_where_segments_were_removed(tmp_path: Path) -> None:
    """The lines that settled what an old segment holds may be gone: then the newest's marks tell it."""
    with closing(Ledger(Journal(tmp_path / "delivery", "w00", segment_bytes=2_000), {"default": Outbox()})) as memory:
        late = None
        for seq in range(100):
            memory.offer([("default", Message("s-1", 0, seq, "The parcel left. ", "sentence", False, False, seq))])
            entry = memory.take("default")
            assert entry is not None
            if seq == 2:
                late = entry
            elif seq >= 8:
                memory.settle("default", entry, "pong")
            if seq == 30 and late is not None:
                memory.settle("default", late, "pong")
        assert memory.pending == {"default": 7}
    assert len(list((tmp_path / "delivery").glob("*.jsonl"))) > 1
    assert not (tmp_path / "delivery" / "delivery-w00-00000002.jsonl").exists()
    [found] = [each.what for each in examine(tmp_path) if "messages to send" in each.what]
    assert found.endswith(" 7 messages to send")


# Presence


def test_a_desktop_that_flaps_without_taking_anything_is_away_once(caplog: pytest.LogCaptureFixture) -> None:
    now, waiting = [0.0], [3]
    caplog.set_level(logging.WARNING)
    here = Presence("d", "ws://d/", lambda: waiting[0], clock=lambda: 7, monotonic=lambda: now[0])
    for _ in range(100):
        now[0] += 1
        here.begin()
        here.connect()
        here.stand()
        here.fail("connection lost (code 1006)")
        here.disconnect()
    [told] = [each.getMessage() for each in caplog.records]
    assert told.startswith("desktop 'd' at ws://d/ is away: connection lost (code 1006); ")
    assert told.endswith(", and 3 messages wait")
    here.begin()
    here.connect()
    waiting[0] = 0
    now[0] += 1
    here.stand()
    assert caplog.records[-1].getMessage() == "desktop 'd' at ws://d/ is back after 100.0 s; 0 messages wait"
    here.fail("connection lost (code 1006)")
    assert len(caplog.records) == 2, "it was there: whether it is away the next attempt tells"
