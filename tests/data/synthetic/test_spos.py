"""The synthetic version is an SPOS to the reader: seven people, the published proportion of the kinds.

Every emotion.
"""

from pathlib import Path

import pandas as pd
import pytest

from mien.data.file_account import count_deviations, count_table
from mien.data.images import read_image
from mien.data.spos import NUM_SUBJECTS, PUBLISHED_COUNTS, read_spos
from mien.data.synthetic import spos as synthetic_spos
from mien.data.synthetic.pairs import SyntheticPair, render_pair
from mien.data.synthetic.spos import synthesize_spos
from mien.labels import EMOTIONS

SMALL = {"share": 0.1, "seed": 3, "image_size": 96}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "spos"
    synthesize_spos(root, **SMALL)
    return root


def write_its_name(pair: SyntheticPair) -> tuple[bytes, bytes]:
    return f"onset of {pair}".encode(), f"apex of {pair}".encode()


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> pd.DataFrame:
    """The samples table at full share, of images that hold their parameters instead of faces."""
    root = tmp_path_factory.mktemp("full") / "spos"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(synthetic_spos, "render_pair", write_its_name)
        monkeypatch.setattr("mien.data.synthetic.folder.SERIAL_ITEMS", 10**6)
        synthesize_spos(root, share=1.0, seed=0)
    samples = read_spos(root)
    return samples.assign(content=[(root / name).read_bytes() for name in samples["apex"]])


def test_the_reader_reads_it_with_nothing_dropped(drawn, caplog):
    samples = read_spos(drawn)
    assert caplog.messages == []
    assert samples["kind"].value_counts().to_dict() == {"spontaneous": 15, "posed": 8}
    assert samples["subject"].unique().tolist() == list("1234567")
    assert samples["fold"].tolist() == [int(subject) - 1 for subject in samples["subject"]]
    images = [read_image(drawn / name) for name in [*samples["onset"], *samples["apex"]]]
    assert {image.shape for image in images} == {(96, 96, 3)}
    assert len({image.tobytes() for image in images}) == 2 * len(samples)


def test_an_image_depends_on_what_it_is_of_alone(drawn):
    row = read_spos(drawn).iloc[-1]
    pair = SyntheticPair("spos", 3, int(row["subject"]), row["kind"], row["expression"], 0, 96)
    assert render_pair(pair) == tuple((drawn / row[role]).read_bytes() for role in ("onset", "apex"))


def test_the_full_share_has_the_published_counts(full):
    assert count_deviations(count_table(full, PUBLISHED_COUNTS, "kind")) == []
    assert full["subject"].nunique() == NUM_SUBJECTS
    assert full["content"].nunique() == len(full)


def test_seven_people_pose_six_emotions_twice_each(full):
    posed = full[full["kind"] == "posed"].groupby(["subject", "expression"]).size()
    assert len(posed) == NUM_SUBJECTS * len(EMOTIONS)
    assert posed.eq(2).all()


def test_spontaneous_expressions_are_spread_evenly_over_people_and_emotions(full):
    spontaneous = full[full["kind"] == "spontaneous"]
    for column in ("subject", "expression"):
        counts = spontaneous[column].value_counts()
        assert counts.max() - counts.min() <= 1 + (column == "expression")
    assert spontaneous.groupby(["subject", "expression"]).size().between(3, 4).all()


def test_a_smaller_share_is_a_part_of_a_larger_one():
    some, more = (set(synthetic_spos._pairs(share, 0, 112)) for share in (0.3, 0.7))
    assert some < more


def test_a_sequence_of_every_pair_is_read_and_onset_and_apex_are_its_ends(tmp_path):
    synthesize_spos(tmp_path / "spos", **SMALL, num_frames=3)
    samples = read_spos(tmp_path / "spos", num_frames=3)
    assert len(samples) == 23
    folder = Path(samples.loc[0, "frame_1"]).parent
    ends = [(tmp_path / "spos" / folder / f"{number}.bmp").read_bytes() for number in (0, 2)]
    assert ends == [(tmp_path / "spos" / samples.loc[0, role]).read_bytes() for role in ("onset", "apex")]
    assert samples["frame_1"].str.endswith("/1.bmp").all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 0.05}, "share of the synthetic SPOS is 0.05: give a number from 0.1 to 1.0"),
        ({"share": 1.5}, "share .* from 0.1 to 1.0"),
        ({"seed": -1}, "seed .* from 0"),
        ({"seed": 0.5}, "seed .* whole number"),
        ({"image_size": 2000}, "image_size .* from 96 to 1024"),
    ],
)
def test_an_argument_out_of_range_is_named_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        synthesize_spos(tmp_path / "spos", **SMALL | change)
    assert list(tmp_path.iterdir()) == []
