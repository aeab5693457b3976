"""connectors.vendors.cxone.gateway: the real client against the simulated vendor, with every fault of the contract."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.errors import CredentialsError, SettingsError, UpstreamError
from connectors.log.files import LogReader
from connectors.log.records import Record, error
from connectors.metrics import open_metrics
from connectors.vendors.attempts import MAX_RESUMED, AttemptError, TurnAttempts
from flows.live import LiveJob
from tests.conftest import OtherSide, corpus_of
from tests.plain_client import BUILTIN

SENTENCE = "The parcel left our warehouse this morning and will be with you before noon tomorrow ."
WORDS = [f"{word} " for word in SENTENCE.split()]
Start = Callable[..., OtherSide]


def logged(job: LiveJob, *kinds: str) -> list[Record]:
    return [record for record, _ in LogReader(job.source.folder).read() if record.k in kinds]


def errors(job: LiveJob) -> list[tuple[str, int | None]]:
    return [(record.d["kind"], record.d["status"]) for record in logged(job, "error") if isinstance(record.d, dict)]


def turns_of(job: LiveJob, columns: str) -> list[tuple[Any, ...]]:
    with open_metrics(job.settings.job.data_dir) as metrics:
        return metrics.execute(f"SELECT {columns} FROM turns").fetchall()


def close_of(job: LiveJob) -> str:
    [record] = logged(job, "close")
    assert isinstance(record.d, dict)
    return str(record.d["reason"])


WHOLE = [
    "",
    "eol=crlf,comments=2,bom,retry=3000",
    "eol=cr,lines",
    "split=3",
    "pack=4",
    "pieces=3",
    "finish=last",
    "ids=data",
    "ids=clash",
    "drop=fin@6",
    "drop=rst@6",
    "drop=end@6",
    "drop=end@last",
    "drop=rst@300b",
    "drop=fin@6,ids=event:every=2",
    "drop=fin@6,repeat=4",
    "drop=fin@6,repeat=4,ids=data",
    "drop=fin@6,ids=stream",
    "drop=fin@6,ids=event:named=unique",
    "drop=fin@6,repeat=4,ids=event:named=unique",
    "drop=end@+5:times=3,repeat=4,ids=event:named=unique",
    "drop=fin@6,ids=event:named=shared",
    "drop=fin@6,repeat=4,ids=event:named=shared",
    "drop=fin@6,repeat=4,ids=data:odd",
    "drop=fin@6,repeat=3,pack=4",
    "drop=fin@8,ids=event:every=3",
    "drop=end@+2:times=3,repeat=3",
    "drop=fin@6:revoke",
    "401=1:on=start",
    "401=1:on=continue,drop=fin@6",
    "429=2",
    "429=1:retry-after=0",
    "429=1:retry-date=0",
    "503=2",
    "drop=fin@0",
    "big=1500000@3",
    "malformed=garbage@5",
    "malformed=truncated@5",
    "malformed=type@5",
    "malformed=utf8@5",
    "slow=0.001,heartbeat=0.1",
]


OPEN_TO_DOUBT = [
    "drop=fin@6,repeat=4:ids=new",
    "drop=fin@6,repeat=4:ids=new,ids=event:named=unique",
    "drop=fin@6,repeat=4,ids=stream",
    "drop=fin@8,ids=event:named=shared:again",
]


@pytest.mark.parametrize("faults", OPEN_TO_DOUBT)
def test_what_no_id_tells_is_shown_and_counted_unless_the_vendor_is_set_to_repeat(
    faults: str, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS), faults)
    doubtful = turns_of(side.run(tmp_path / "auto", "s"), "tokens_repeated, tokens_doubtful")
    count = 2 if "again" in faults else 4
    begin = 8 if "again" in faults else 6
    assert doubtful == [(0, count)]
    doubled = [*WORDS[:begin], *WORDS[begin - count :]]
    assert side.desktop.transcript("s") == "".join(doubled)
    told = other_side(corpus_of(WORDS), faults)
    job = told.run(tmp_path / "set", "s", cxone={"resumes": "repeats"})
    assert told.desktop.transcript("s") == "".join(WORDS)
    assert turns_of(job, "tokens_repeated, tokens_doubtful") == [(count, 0)]


REPETITIVE = ["|---", "|---", "|---", "|---", "|---", "|---", "|\n", "1", "1", "1", "1", "1", "1", "1", "1", "1"]
KINDS = ["ids=event", "ids=event:named=unique", "ids=event:named=shared", "ids=event:named=shared:size=5", "ids=stream"]


@pytest.mark.parametrize("ids", KINDS)
@pytest.mark.parametrize("drops", ["drop=fin@4", "drop=end@+3:times=4", "drop=fin@1,drop=fin@12"])
def test_repetitive_text_of_a_vendor_that_resumes_exactly_is_never_dropped(
    ids: str, drops: str, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(REPETITIVE), f"{drops},{ids}")
    job = side.run(tmp_path, "s")
    assert side.desktop.transcript("s") == "".join(REPETITIVE)
    assert turns_of(job, "tokens_received, tokens_repeated") == [(len(REPETITIVE), 0)]


def test_a_continuation_says_what_is_set_and_what_its_account_has_shown(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "drop=fin@6,drop=fin@9,repeat=2,ids=event:named=unique")
    job = side.run(tmp_path, "s")
    first, once, twice = (record.d for record in logged(job, "open") if isinstance(record.d, dict))
    assert "resumes" not in first
    assert (once["resumes"], once["learnt"]) == ("auto", ["own_ids"])
    assert (twice["resumes"], twice["learnt"]) == ("auto", ["own_ids", "same_ids"])


def test_an_id_that_is_half_a_surrogate_pair_is_kept_and_sent_again_after_a_restart_too(
    other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS), "ids=data:odd")
    log_open_turn(side, tmp_path)
    job = side.run(tmp_path, log={"rotate_bytes": 1})  # a fold beside each file knows it, too
    assert job.outcomes == {"finished": 1}
    assert side.gateway.counts["continuations"] == 1
    assert side.desktop.transcript("s") == "".join(WORDS)
    ids = [record.id for record in logged(job, "frame")]
    assert all(each and each.endswith("\ud83d\0\n") for each in ids)


def test_bytes_of_a_character_in_several_events_come_out_as_the_character(other_side: Start, tmp_path: Path) -> None:
    side = other_side(None, "raw,drop=rst@47")
    job = side.run(tmp_path, "bytes")
    assert side.desktop.transcript("bytes") == BUILTIN.text("bytes")
    assert any(record.b for record in logged(job, "frame"))


def test_progress_begins_the_back_off_anew_and_the_number_of_restarts_stays_bounded(
    other_side: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    judge = TurnAttempts._judge

    def noting(self: TurnAttempts, problem: AttemptError) -> tuple[float, str]:
        wait, reason = judge(self, problem)
        waits.append(wait)
        return wait, reason

    monkeypatch.setattr(TurnAttempts, "_judge", noting)
    monkeypatch.setattr("random.random", lambda: 1.0)
    side = other_side(corpus_of(WORDS), "drop=end@+2:times=99")
    job = side.run(tmp_path, "s", cxone={"max_restarts": 4})
    assert waits == [0.02, 0.02, 0.02, 0.02, 0]
    assert job.outcomes == {"interrupted": 1}
    waits.clear()
    stuck = other_side(corpus_of(WORDS), "drop=end@0:times=99")
    stuck.run(tmp_path / "stuck", "s", cxone={"max_restarts": 3})
    assert waits == [0.02, 0.04, 0.08, 0]


@pytest.mark.parametrize("faults", WHOLE)
def test_the_whole_text_arrives_once_in_spite_of(faults: str, other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), faults)
    job = side.run(tmp_path, "s")
    assert job.outcomes == {"finished": 1}
    assert side.desktop.transcript("s") == "".join(WORDS)
    assert side.desktop.is_whole("s")
    assert job.faults == []


@pytest.mark.parametrize(
    ("faults", "reason", "shown"),
    [
        ("429=9", "rate_limited", 0),
        ("403=9", "refused", 0),
        ("404=9", "refused", 0),
        ("200=9", "refused", 0),
        ("503=99", "interrupted", 0),
        ("503=1:retry-after=86400", "interrupted", 0),
        ("drop=error@6:code=overloaded", "vendor_error", 6),
        ("drop=end@+1:times=99", "interrupted", 3),
        ("drop=fin@6,ids=none", "interrupted", 6),
        ("stall=inf@6,ids=none", "timeout", 6),
        ("big=200000@6", "malformed", 5),
    ],
)
def test_a_turn_that_cannot_be_whole_ends_with_what_came_and_says_why(
    faults: str, reason: str, shown: int, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS), faults)
    limits = {"max_restarts": 2, "max_retries": 2, "idle_timeout": 0.3, "max_event_bytes": 100_000}
    job = side.run(tmp_path, "s", cxone=limits)
    assert job.outcomes == {reason: 1}
    assert close_of(job) == reason
    assert side.desktop.is_whole("s")
    assert side.desktop.transcript("s") == "".join(WORDS[:shown])
    assert len(job.faults) == 1


def test_a_stream_that_falls_silent_is_continued(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@6")
    job = side.run(tmp_path, "s", cxone={"idle_timeout": 0.3})
    assert side.desktop.transcript("s") == "".join(WORDS)
    assert errors(job) == [("idle_timeout", None)]


def test_what_went_wrong_is_in_the_log(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "429=1:on=start,drop=rst@6")
    job = side.run(tmp_path, "s")
    assert errors(job) == [("rate_limited", 429), ("disconnected", None)]
    *_, again = logged(job, "open")
    assert isinstance(again.d, dict)
    assert again.d["continuation_id"]


def log_open_turn(side: OtherSide, data_dir: Path, *records: Record) -> None:
    """What a job that was killed leaves: a turn with three frames, then these."""
    side.run(data_dir, "s")
    folder = data_dir / "log" / "w00"
    lines = next(folder.glob("*.jsonl")).read_bytes().splitlines(keepends=True)
    shutil.rmtree(data_dir)
    folder.mkdir(parents=True, mode=0o700)
    kept = [line for line in lines[1:] if b'"mark"' not in line][:4]
    noted = [msgspec.json.encode(msgspec.structs.replace(record, t=9_000_000)) + b"\n" for record in records]
    (folder / "000000000001.jsonl").write_bytes(b"".join([lines[0], *kept, *noted]))


def test_restarts_of_the_job_leave_the_vendors_drops_their_number(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "drop=fin@+6:times=9")
    log_open_turn(side, tmp_path, *[error("s", 0, "restarted", None, 0)] * 20)
    job = side.run(tmp_path, cxone={"max_restarts": 3})
    assert job.outcomes == {"finished": 1}
    assert [kind for kind, _ in errors(job)][-4:] == ["restarted", *["disconnected"] * 3]


def test_a_turn_of_which_nothing_comes_through_many_restarts_of_the_job_is_given_up(
    other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS))
    log_open_turn(side, tmp_path, *[error("s", 0, "restarted", None, 0)] * MAX_RESUMED)
    job = side.run(tmp_path)
    assert job.outcomes == {"interrupted": 1}


def test_an_open_is_logged_before_its_request(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "drop=fin@0:times=9")
    job = side.run(tmp_path, "s", cxone={"max_restarts": 1})
    assert len(logged(job, "open")) == 2
    assert side.gateway.counts["starts"] == 2


def test_a_refused_connection_is_tried_again(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "drop=fin@6:refuse=0.2")
    job = side.run(tmp_path, "s", cxone={"max_restarts": 20, "retry_base": 0.05})
    assert side.desktop.transcript("s") == "".join(WORDS)
    assert ("connect", None) in errors(job)


def test_an_expired_token_is_renewed_in_the_middle(other_side: Start, tmp_path: Path) -> None:
    side = other_side(
        corpus_of(WORDS), "drop=fin@6:times=2", token_ttl=0.2, declared_ttl=3600, token_interval=0.05, speed=1
    )
    side.run(tmp_path, "s")
    assert side.desktop.transcript("s") == "".join(WORDS)
    assert side.gateway.counts["token_requests"] >= 2


def test_many_sessions_at_once_fetch_one_token(other_side: Start, tmp_path: Path) -> None:
    names = [f"s{i}" for i in range(50)]
    side = other_side(corpus_of(dict.fromkeys(names, WORDS)))
    job = side.run(tmp_path, *names)
    assert job.outcomes == {"finished": 50}
    assert side.gateway.counts["token_requests"] == 1


@pytest.mark.parametrize(
    ("cxone", "options", "error", "says"),
    [
        ({"client_id": ""}, {}, SettingsError, "CXONE_CLIENT_ID"),
        ({"client_secret": "wrong"}, {}, CredentialsError, "CXONE_CLIENT_SECRET"),
        ({"base_url": "http://127.0.0.1:9"}, {}, UpstreamError, "CXONE_BASE_URL"),
        ({}, {"scopes": ()}, CredentialsError, "ai:llm:stream"),
        ({}, {"faults": "403=9:on=token"}, CredentialsError, "ai:llm:stream"),
    ],
)
def test_a_vendor_that_cannot_be_used_ends_the_job_with_one_line(
    cxone: dict[str, Any], options: dict[str, Any], error: type[Exception], says: str, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS), **options)
    with pytest.raises(error, match=says) as caught:
        side.run(tmp_path, "s", cxone=cxone)
    assert "\n" not in str(caught.value)
    assert "wrong" not in str(caught.value)
