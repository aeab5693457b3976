"""connectors.job.blocklists, flows.engine.policies: block lists from files, reloaded, replayed exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from connectors.errors import InputError, SettingsError
from connectors.job.blocklists import Blocklists, keep_terms, kept_terms, parse_terms
from connectors.job.requests import SessionRequest
from connectors.log.clock import Clock
from connectors.log.files import LogReader, lists_beside
from connectors.log.lane import Lane
from connectors.log.records import Message, Record
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter
from flows import cxone
from flows.engine.policies import Policies
from flows.replay import replay
from flows.settings import parse
from tests.conftest import OtherSide, corpus_of

Start = Callable[..., OtherSide]
WORDS = ["Never ", "frob", "nicate ", "or ", "twiddle ", "it. ", "Thanks."]


def test_terms_are_lines_without_blanks_and_comments() -> None:
    assert parse_terms(b"# ours\none\n\n two words \r\n", Path("f")) == ("one", "two words")


@pytest.mark.parametrize("content", [b"ok\n\xff\n", b"ok\n---\n"])
def test_a_bad_line_is_named(content: bytes) -> None:
    with pytest.raises(SettingsError, match="line 2"):
        parse_terms(content, Path("f"))


def test_a_list_that_is_not_kept_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="block list"):
        kept_terms(tmp_path, "0" * 64)


def test_a_file_that_is_not_there_ends_the_job_at_once(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    settings = msgspec.structs.replace(side.settings(tmp_path / "data"), blocklist_file=tmp_path / "none.txt")
    job = cxone.job(settings, requests=[SessionRequest(session_id="s", prompt="stream s")])
    with pytest.raises(SettingsError, match=r"none\.txt"):
        job.run()


def test_a_list_changes_without_a_restart_and_a_turn_keeps_the_one_it_began_with(
    other_side: Start, tmp_path: Path
) -> None:
    terms = tmp_path / "terms.txt"
    terms.write_text("frobnicate\n")
    side = other_side(corpus_of(WORDS))
    settings = msgspec.structs.replace(side.settings(tmp_path / "data"), blocklist_file=terms)

    def requests() -> Iterator[SessionRequest]:
        yield SessionRequest(session_id="before", prompt="stream s")
        terms.write_text("twiddle\n")
        while sum(record.k == "policy" for record, _ in LogReader(job.source.folder).read()) < 2:
            yield SessionRequest(session_id="between", prompt="stream s")
        yield SessionRequest(session_id="after", prompt="stream s")

    job = cxone.job(settings, requests=requests())
    job.run()
    assert side.desktop.transcript("before") == "Never [REDACTED] or twiddle it. Thanks."
    assert side.desktop.transcript("after") == "Never frobnicate or [REDACTED] it. Thanks."
    policies = [record.d for record, _ in LogReader(job.source.folder).read() if record.k == "policy"]
    assert [policy["terms"] for policy in policies if isinstance(policy, dict)] == [1, 1]

    recording = tmp_path / "r.jsonl"
    job.source.record(recording)
    assert len(list(lists_beside(recording).iterdir())) == 2
    shown: list[Message] = []
    replay(recording, settings, shown.append)
    live = {json.dumps(json.loads(each.raw), sort_keys=True) for each in side.desktop.received}
    assert {json.dumps(msgspec.to_builtins(message), sort_keys=True) for message in shown} == live


def test_a_tenants_policy_is_everybodys_with_its_own_fields_instead() -> None:
    settings = parse(
        {
            "moderation": {"blocklist": ["frobnicate"], "mark": "[X]"},
            "tenants": {"acme": {"moderation": {"mark": "[Y]"}}},
        }
    )
    assert settings.tenants["acme"].moderation.blocklist == ("frobnicate",)
    assert (settings.moderation.mark, settings.tenants["acme"].moderation.mark) == ("[X]", "[Y]")


def test_a_tenants_sessions_get_its_policy(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    settings = side.settings(
        tmp_path, moderation={"blocklist": ["frobnicate"]}, tenants={"acme": {"moderation": {"mark": "***"}}}
    )
    job = cxone.job(settings, requests=[SessionRequest(session_id="s", prompt="stream s", tenant="acme")])
    job.run()
    assert side.desktop.transcript("s") == "Never *** or twiddle it. Thanks."


def test_tenants_without_settings_of_their_own_share_a_policy(tmp_path: Path) -> None:
    """Callers name tenants: each name with a list of its own in memory would cost its terms again."""
    keep_terms(tmp_path, "0" * 64, ("one",))
    policies = Policies(parse({}), tmp_path)
    first, second = (
        policies.of(Record(0, "s", 0, "open", d={"tenant": name, "blocklist": "0" * 64})) for name in ("a", "b")
    )
    assert first is second


def test_a_list_that_could_not_be_kept_is_tried_again(tmp_path: Path) -> None:
    terms, folder = tmp_path / "terms.txt", tmp_path / "log" / "lists"
    terms.write_text("one\n")
    (tmp_path / "log").mkdir()
    folder.write_text("no folder can be made here")
    writer = LogWriter(tmp_path / "lane", "cxone")
    lane = Lane(writer, Clock(LogReader(tmp_path / "lane").created, None), Turns())
    lists = Blocklists({"": terms}, folder)
    with pytest.raises(OSError):  # noqa: PT011  # which one is the system's choice
        lists.load(lane)
    folder.unlink()
    lists.load(lane)
    assert lists.current(None) is not None
    lane.close()


@pytest.mark.parametrize("named", ["../secret", "/tmp/x", "", "a" * 63, "A" * 64, "a" * 64 + "\n", 7, ["x"], {"a": 1}])
def test_a_list_that_a_log_names_by_no_hash_is_not_looked_for(named: object, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("frobnicate")
    (tmp_path / "lists").mkdir()
    for tenant in ("a", ["a"], {}):
        opened = Record(0, "s", 0, "open", d={"tenant": tenant, "blocklist": named})
        with pytest.raises(InputError, match="no SHA-256"):
            Policies(parse({}), tmp_path / "lists").of(opened)
