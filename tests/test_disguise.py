"""flows.recordings: customers' data replaced by fakes, and recordings kept with their manifests."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import InputError
from connectors.log.files import LogReader
from connectors.log.records import CLOSE, FRAME, OPEN, Header, Record
from connectors.log.writer import write_recording
from connectors.vendors.registry import known
from flows.moderation import Moderator, Policy
from flows.moderation.detectors.card import luhn
from flows.recordings.captures import from_lines
from flows.recordings.fakes import Fakes
from flows.recordings.imports import About
from flows.recordings.outcome import outcome
from flows.recordings.recorder import KeepOptions, is_sampled, keep
from flows.recordings.vendor import vendor_of
from flows.settings import Settings, load

FOLDER = Path("recordings")
SECRETS = ("maria.lindqvist", "202-555-0143", "1111 1111", "5555-4444", "NWBK", "192.0.2.44")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
HEADER = Header("tokenweir", 1, "cxone", "2026-11-20T12:00:00Z")
SAID = {"role": "user", "content": "I am maria.lindqvist@example.com"}
OPENED = Record(0, "s", 0, OPEN, d={"prompt": "p", "system": "Card 4111 1111 1111 1111.", "history": [SAID]})


def settings_of(path: Path) -> Settings:
    return load(FOLDER / "settings.toml", {}, vendor=vendor_of(path).name)


def disguised(path: Path, folder: Path) -> Path:
    return keep(path, folder / path.name, settings_of(path), KeepOptions(fake_pii=True), now=NOW)[0]


@pytest.mark.parametrize("name", [path.stem for path in sorted(FOLDER.glob("*.jsonl"))])
def test_a_disguised_recording_comes_to_the_same_messages_findings_and_times(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.jsonl"
    made = disguised(path, tmp_path)
    before, after = outcome(path, settings_of(path)), outcome(made, settings_of(path))
    assert after.page == before.page
    assert after.findings == before.findings
    assert lengths(made) == lengths(path)


def lengths(path: Path) -> list[int]:
    """Of the records' lines."""
    return [len(line) for line in path.read_text(encoding="utf-8").split("\n")][1:]


@pytest.mark.parametrize("name", ["pii", "cognigy", "restarted", "revoked-token"])
def test_no_value_is_left_however_it_was_cut_or_repeated(name: str, tmp_path: Path) -> None:
    made = disguised(FOLDER / f"{name}.jsonl", tmp_path)
    vendor = vendor_of(made)
    said = {}
    for record, _ in LogReader(made).read():
        decoder = said.setdefault((record.s, record.n), [vendor.decoder(), ""])
        if record.k == FRAME:
            decoder[1] += "".join(token for delta in decoder[0].feed(record.d, record.id) for token in delta.tokens)
    assert not [secret for secret in SECRETS for _, text in said.values() if secret in text]


def test_prompts_other_fields_and_broken_json_are_disguised_too(tmp_path: Path) -> None:
    card = "4111 1111 1111 1111"
    frames = [
        json.dumps({"token": "Thanks.", "finished": False, "data": {"note": [f"card {card}"]}}),
        f'{{"token": "your card {card} ',
    ]
    said = [{"role": "assistant", "content": f"{card}?"}]
    asked = {"prompt": f"My card is {card}.", "system": f"Not {card}.", "history": said, "options": {"stop": card}}
    records = [
        Record(0, "s", 0, OPEN, d=asked),
        *(Record(t, "s", 0, FRAME, d=text) for t, text in enumerate(frames, 1)),
        Record(9, "s", 0, CLOSE, d={"reason": "interrupted"}),
    ]
    write_recording(tmp_path / "raw.jsonl", HEADER, records)
    made = keep(tmp_path / "raw.jsonl", tmp_path / "out.jsonl", Settings(), KeepOptions(fake_pii=True), now=NOW)
    assert card not in made[0].read_text()
    assert len(re.findall(r"4111 \d{4} \d{4} \d{4}", made[0].read_text())) == 5, "without the options"


VALUES = {
    "EMAIL_ADDRESS": "jo.smith@corp-mail.co.uk",
    "PHONE_NUMBER": "+44 20 7946 0958",
    "CREDIT_CARD": "5555-5555-5555-4444",
    "IBAN_CODE": "DE89 3704 0044 0532 0130 00",
    "IP_ADDRESS": "10.20.30.4",
    "US_SSN": "536-90-4399",
    "UK_NHS": "943 476 5919",
    "FR_NIR": "1 80 12 75 123 456 42",
    "PL_PESEL": "44051401359",
}


@pytest.mark.parametrize("category", VALUES)
def test_a_fake_is_valid_of_its_kind_and_as_long(category: str) -> None:
    value = VALUES[category]
    policy = Policy(pii=(category,))
    text = f"My number or address: {value} "

    def found(text: str) -> list[tuple[int, int, str]]:
        moderator = Moderator(policy)
        moderator.push(text)
        moderator.finish()
        return [(each.start, each.end, each.category) for each in moderator.findings]

    before = found(text)
    if not before:
        pytest.skip("the sample is no finding by itself")
    start, end, _ = before[0]
    fake = Fakes().of(category, text[start:end], lambda fake: found(text[:start] + fake + text[end:]) == before)
    assert fake is not None
    assert fake != text[start:end]
    assert len(fake) == end - start


def test_a_value_has_one_fake_and_another_recording_another() -> None:
    fakes, others = Fakes("a"), Fakes("b")
    card = VALUES["CREDIT_CARD"]
    first = fakes.of("CREDIT_CARD", card)
    assert first == fakes.of("CREDIT_CARD", card)
    assert first != others.of("CREDIT_CARD", card)
    assert luhn(re.sub(r"\D", "", first or ""))


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_seams_stay_wherever_they_are(cuts: list[int]) -> None:
    from flows.engine.policies import Policies
    from flows.recordings.disguise import disguise

    text, tokens = "Pay 4111 1111 1111 1111 or write to a.b@example.org, thanks.", []
    for size in cuts:
        tokens.append(text[:size])
        text = text[size:]
    line = json.dumps({"tokens": [token for token in (*tokens, text) if token]}).encode()
    records = from_lines([line], About(session="s")).records
    vendor = vendor_of(FOLDER / "clean.jsonl")
    made = list(disguise(records, vendor, Policies(Settings(), Path("none")), Fakes()))
    assert [len(str(record.d)) for record in made] == [len(str(record.d)) for record in records]
    assert "4111 1111" not in "".join(json.loads(r.d)["token"] for r in made if r.k == FRAME and isinstance(r.d, str))


def test_a_manifest_lies_beside_and_a_folder_gets_a_file_a_session(tmp_path: Path) -> None:
    made = keep(FOLDER / "pii.jsonl", tmp_path / "out", Settings(), KeepOptions(why="a test"), now=NOW)
    assert sorted(path.name for path in made) == ["broken.jsonl", "whole.jsonl"]
    manifest = json.loads((tmp_path / "out" / "whole.manifest.json").read_text())
    assert (manifest["vendor"], manifest["turns"], manifest["why"]) == ("cxone", 1, "a test")
    assert manifest["recorded"] == "2026-11-21T00:00:00Z"


def test_a_manifest_leaves_out_what_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytewax, beyond Python 3.12."""
    monkeypatch.setattr("flows.recordings.recorder.PACKAGES", ("msgspec", "nothing-of-that-name"))
    keep(FOLDER / "clean.jsonl", tmp_path / "kept.jsonl", Settings(), KeepOptions(), now=NOW)
    manifest = json.loads((tmp_path / "kept.manifest.json").read_text())
    assert manifest["versions"].keys() == {"msgspec", "python"}


@given(session=st.text(max_size=20), small=st.floats(0.01, 1), large=st.floats(0.01, 1))
def test_a_smaller_sample_is_part_of_a_larger_one(session: str, small: float, large: float) -> None:
    if is_sampled(session, min(small, large)):
        assert is_sampled(session, max(small, large))
    assert is_sampled(session, 1.0)


def test_a_sample_is_about_its_share() -> None:
    assert 800 < sum(is_sampled(f"s-{number}", 0.1) for number in range(10_000)) < 1_200
    with pytest.raises(InputError, match="--sample"):
        KeepOptions(sample=0)


@pytest.mark.parametrize("name", list(known()))
def test_every_vendors_frames_can_be_disguised(name: str, tmp_path: Path) -> None:
    vendor = known()[name]
    pieces = ("Write to ma", "ria.lindqvist", "@example", ".com, and pay with 4111 11", "11 1111 1111. ", "Thanks!")
    frames = [Record(place, "s", 0, FRAME, d=vendor.frame(piece, False)) for place, piece in enumerate(pieces)]
    ends = [Record(9, "s", 0, FRAME, d=vendor.frame("", True)), Record(9, "s", 0, CLOSE, d={"reason": "finished"})]
    write_recording(tmp_path / "a.jsonl", Header("tokenweir", 1, name, HEADER.created), [OPENED, *frames, *ends])
    made = keep(tmp_path / "a.jsonl", tmp_path / "b.jsonl", Settings(), KeepOptions(fake_pii=True), now=NOW)[0]
    assert outcome(made, Settings()).page == outcome(tmp_path / "a.jsonl", Settings()).page
    kept = made.read_text("utf-8")
    assert not any(secret in kept for secret in ("ria.lindqvist", "4111 11", "1111"))
