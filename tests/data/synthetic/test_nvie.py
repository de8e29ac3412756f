"""The synthetic version is a USTC-NVIE to the reader, with the faults that the reader has to count."""

import csv
import logging
import shutil
from pathlib import Path

import pandas as pd
import pytest
from tests.data.small_datasets import lenient

from mien.data.images import read_image
from mien.data.nvie import SEQUENCES, find_spontaneous_pairs, read_nvie
from mien.data.onset_apex import FRAMES_COLUMN, MANIFEST
from mien.data.synthetic import nvie as synthetic_nvie
from mien.data.synthetic.folder import MARKER
from mien.data.synthetic.nvie import FAULTS, INFRARED_SUBJECT, UPPER_CASE_SUBJECT, synthesize_nvie
from mien.data.synthetic.pairs import SyntheticPair, render_pair, sample_person

SMALL = {"num_subjects": 10, "num_emotions": 1, "seed": 3, "image_size": 96}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "nvie"
    synthesize_nvie(root, **SMALL)
    return root


def write_its_name(pair: SyntheticPair) -> tuple[bytes, bytes]:
    return f"onset of {pair}".encode(), f"apex of {pair}".encode()


@pytest.fixture
def undrawn(tmp_path, monkeypatch) -> Path:
    """Where a synthetic dataset goes whose images hold their parameters, for what does not look at faces."""
    monkeypatch.setattr(synthetic_nvie, "render_pair", write_its_name)
    monkeypatch.setattr("mien.data.synthetic.folder.SERIAL_ITEMS", 10**6)
    return tmp_path / "nvie"


def test_the_reader_finds_both_halves_and_counts_the_faults_by_reason(drawn, caplog):
    with caplog.at_level(logging.WARNING, "mien"):
        samples = read_nvie(drawn, account=lenient(drawn))
    assert samples["kind"].value_counts().to_dict() == {"posed": 9, "spontaneous": 8}
    assert samples["fold"].nunique() == 10
    lines = [message.split(",")[0] for message in caplog.messages if "dropped as" in message]
    assert sorted(lines) == sorted(f"USTC-NVIE: 1 dropped as {reason}" for reason in FAULTS)
    present = set(zip(samples["subject"], samples["kind"], strict=True))
    assert not {(subject, kind) for subject, kind, _ in FAULTS.values()} & present


def test_images_are_whole_and_of_the_requested_size(drawn):
    samples = read_nvie(drawn, account=lenient(drawn))
    images = [read_image(drawn / name) for name in [*samples["onset"], *samples["apex"]]]
    assert {image.shape for image in images} == {(96, 96, 3)}
    assert len({image.tobytes() for image in images}) == 2 * len(samples)


def test_an_image_depends_on_what_it_is_of_alone(drawn):
    samples = read_nvie(drawn, account=lenient(drawn)).set_index(["subject", "kind"])
    for subject, kind in (("009", "posed"), ("007", "spontaneous")):
        row = samples.loc[(subject, kind)]
        pair = SyntheticPair("nvie", 3, int(subject), kind, row["expression"], 0, 96)
        assert render_pair(pair) == tuple((drawn / row[role]).read_bytes() for role in ("onset", "apex"))


def test_folders_are_laid_out_as_the_database_s(drawn):
    pairs, dropped = find_spontaneous_pairs(drawn)
    assert dict(dropped) == {"empty_file": 1, "no_apex": 1}
    for pair in pairs:
        number = SEQUENCES.index(pair.expression) + 1
        case = str.upper if pair.subject == UPPER_CASE_SUBJECT else str
        inner = case(f"visible/onset/sequence{number}.bmp")
        assert pair.onset == f"{pair.subject}/{inner}"
        frame = drawn / pair.subject / case(f"visible/sequence{number}/1.bmp")
        assert frame.read_bytes() == (drawn / pair.apex).read_bytes()
    infrared = {path.relative_to(drawn).parts[0] for path in drawn.rglob("infrared/*/*")}
    assert infrared == {INFRARED_SUBJECT}
    empty = [path for path in drawn.rglob("*.bmp") if path.stat().st_size == 0]
    assert [path.parts[-4] for path in empty] == [FAULTS["empty_file"][0]]


def test_the_manifest_lists_the_posed_half_with_who_wears_glasses(drawn):
    with (drawn / MANIFEST).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert {row["kind"] for row in rows} == {"posed"}
    assert {row["illumination"] for row in rows} <= {"front", "left", "right"}
    for row in rows:
        wears = sample_person("nvie", 3, int(row["subject"])).glasses.kind > 0
        assert row["glasses"] == ("yes" if wears else "no")


def test_neither_person_nor_emotion_tells_the_kind(undrawn):
    synthesize_nvie(undrawn, num_subjects=12, num_emotions=3, seed=0)
    for path in undrawn.rglob("*.bmp"):  # so that no pair is dropped
        if path.stat().st_size == 0:
            path.write_bytes(b"onset")
    samples = read_nvie(undrawn, account=lenient(undrawn))
    by_kind = samples.groupby(["subject", "kind"])["expression"].apply(frozenset).unstack()
    whole = by_kind.drop(index=[subject for subject, _, _ in FAULTS.values()])
    pd.testing.assert_series_equal(whole["posed"], whole["spontaneous"], check_names=False)
    assert whole["posed"].map(len).eq(3).all()
    complete = pd.Series([emotion for subject in range(1, 13) for emotion in synthetic_nvie._emotions(subject, 3)])
    assert complete.value_counts().eq(6).all()


@pytest.mark.parametrize("num_emotions", [1, 6])
def test_there_are_three_incomplete_pairs_however_many_emotions(undrawn, num_emotions):
    synthesize_nvie(undrawn, num_subjects=10, num_emotions=num_emotions, seed=0)
    assert len(read_nvie(undrawn, account=lenient(undrawn))) == 2 * 10 * num_emotions - len(FAULTS)


def test_more_people_leave_the_images_of_the_first_as_they_are(undrawn):
    synthesize_nvie(undrawn, num_subjects=10, num_emotions=1, seed=0)
    before = {path.relative_to(undrawn): path.read_bytes() for path in undrawn.rglob("*.bmp")}
    shutil.rmtree(undrawn)
    synthesize_nvie(undrawn, num_subjects=11, num_emotions=2, seed=0)
    assert {name: (undrawn / name).read_bytes() for name in before} == before


def test_sequences_are_read_from_the_synthetic_folder_in_their_order(undrawn, monkeypatch):
    monkeypatch.setattr(
        synthetic_nvie, "render_pair", lambda pair: tuple(b"%d of %r" % (n, repr(pair)) for n in range(pair.num_frames))
    )
    synthesize_nvie(undrawn, num_subjects=10, num_emotions=2, seed=0, num_frames=5)
    samples = read_nvie(undrawn, num_frames=3, account=lenient(undrawn))
    assert len(samples) == 2 * 10 * 2 - len(FAULTS)
    for row in samples.to_dict("records"):
        images = [(undrawn / row[name]).read_bytes() for name in ("onset", "frame_1", "apex")]
        assert [content[:1] for content in images] == [b"0", b"2", b"4"]
        assert len({content[1:] for content in images}) == 1
    assert read_nvie(undrawn, account=lenient(undrawn)).equals(samples.drop(columns="frame_1"))


def test_the_folder_of_pairs_is_as_if_there_were_no_sequences(undrawn):
    synthesize_nvie(undrawn, num_subjects=10, num_emotions=1, seed=0)
    assert FRAMES_COLUMN not in (undrawn / MANIFEST).read_text()
    assert {path.name for path in undrawn.rglob("sequence[1-6]/*")} == {"0.bmp", "1.bmp"}
    assert all(path.is_file() for path in undrawn.glob("posed/*/*"))


def test_an_interruption_leaves_nothing(undrawn, monkeypatch):
    def stop(root: Path, pairs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic_nvie, "write_manifest", stop)
    with pytest.raises(KeyboardInterrupt):
        synthesize_nvie(undrawn, **SMALL)
    assert list(undrawn.parent.iterdir()) == []


def test_a_folder_of_the_users_own_is_not_drawn_over(undrawn):
    (undrawn / "013/visible/onset").mkdir(parents=True)
    (undrawn / "013/visible/onset/1.bmp").write_bytes(b"BM")
    with pytest.raises(ValueError, match=f"has no {MARKER}"):
        synthesize_nvie(undrawn, **SMALL)
    assert (undrawn / "013/visible/onset/1.bmp").read_bytes() == b"BM"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_subjects": 9}, "num_subjects of the synthetic USTC-NVIE is 9: give a whole number from 10 to 999"),
        ({"num_subjects": 1000}, "num_subjects .* to 999"),
        ({"num_emotions": 0}, "num_emotions .* from 1 to 6"),
        ({"num_emotions": 7}, "num_emotions .* from 1 to 6"),
        ({"num_emotions": 1.5}, "num_emotions .* whole number"),
        ({"seed": -1}, "seed .* from 0"),
        ({"num_frames": 1}, "num_frames .* from 2 to 100"),
        ({"image_size": 95}, "image_size .* from 96 to 1024"),
    ],
)
def test_an_argument_out_of_range_is_named_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        synthesize_nvie(tmp_path / "nvie", **SMALL | change)
    assert list(tmp_path.iterdir()) == []
