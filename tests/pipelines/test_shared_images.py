"""One image, one split: what training has seen is marked in every image dataset, from its files to the report."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.nodes.located import alignment

from mien.io.schemas import Samples
from mien.nodes.alignment import locate_faces
from mien.nodes.data_report import summarise_faces
from mien.pipelines.data_raf_db.nodes import provide_raf_db
from mien.pipelines.data_raf_db.nodes import read_listed as read_raf_db
from mien.pipelines.data_raf_db.params import RafDbReader, SyntheticRafDb
from mien.pipelines.data_sfew.nodes import provide_sfew
from mien.pipelines.data_sfew.nodes import read_listed as read_sfew
from mien.pipelines.data_sfew.params import SfewReader, SyntheticSfew


def synthesize_raf_db(folder: Path) -> None:
    provide_raf_db(SyntheticRafDb(generate=True, num_train=28, num_test=14, image_size=64, seed=1))(folder)


def list_raf_db(folder: Path) -> pd.DataFrame:
    reader = RafDbReader(max_passed_over=0.01, source="aligned", layout="auto", validation_fraction=0.25, seed=0)
    return read_raf_db(folder, reader)[0]


def synthesize_sfew(folder: Path) -> None:
    provide_sfew(
        SyntheticSfew(generate=True, num_train=42, num_val=14, num_unlabelled=3, image_size=(96, 120), seed=1)
    )(folder)


def list_sfew(folder: Path) -> pd.DataFrame:
    reader = SfewReader(max_passed_over=0.01, source="aligned", hold_out="movies", validation_fraction=0.3, seed=0)
    return read_sfew(folder, reader)[0]


DATASETS = {"raf_db": (synthesize_raf_db, list_raf_db), "sfew": (synthesize_sfew, list_sfew)}


@pytest.fixture(params=DATASETS)
def dataset(request, tmp_path_factory, tmp_path):
    """A copy of a dataset's folder, and how it is listed."""
    draw, read = DATASETS[request.param]
    drawn = tmp_path_factory.getbasetemp() / f"shared_{request.param}"
    if not drawn.exists():
        draw(drawn)
    return Path(shutil.copytree(drawn, tmp_path / "raw")), read


def located(raw: Path, listed: pd.DataFrame) -> pd.DataFrame:
    samples = locate_faces(listed, raw, raw.parent / "unfinished", alignment(method="given"))
    Samples.validate(samples)
    return samples


def first_of(listed: pd.DataFrame, split: str) -> tuple[str, str]:
    row = listed[listed["split"] == split].iloc[0]
    return row["sample_id"], row["image"]


def test_a_clean_dataset_shares_nothing(dataset):
    raw, read = dataset
    summary = summarise_faces(located(raw, read(raw)))
    assert (summary["leaks"], summary["near_duplicates"]) == (0, 0)


def test_a_test_image_with_a_training_images_pixels_is_marked_whatever_its_file(dataset, caplog):
    raw, read = dataset
    listed = read(raw)
    (original, trained), (copy, tested) = first_of(listed, "train"), first_of(listed, "test")
    pixels = cv2.imread(str(raw / trained))
    (raw / tested).write_bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())
    samples = located(raw, read(raw)).set_index("sample_id")
    assert samples.index[samples["leaks"]].tolist() == [copy]
    pair = {original, copy}
    assert {str(samples.loc[name, "duplicate_of"]) for name in pair} - {"<NA>"} < pair
    assert "1 test images are in the training split too, pixel for pixel" in caplog.text
    summary = summarise_faces(samples.reset_index())
    assert (summary["leaks"], summary["near_duplicates"]) == (1, 0)


def test_a_test_image_that_is_a_training_image_saved_anew_is_counted_as_near(dataset, caplog):
    raw, read = dataset
    listed = read(raw)
    (_, trained), (_, tested) = first_of(listed, "train"), first_of(listed, "test")
    pixels = cv2.imread(str(raw / trained))
    brighter = np.clip(pixels.astype(int) + 6, 0, 255).astype(np.uint8)
    (raw / tested).write_bytes(cv2.imencode(".jpg", brighter, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes())
    summary = summarise_faces(located(raw, read(raw)))
    assert (summary["leaks"], summary["near_duplicates"]) == (0, 1)
    assert "1 further images of other splits are near-duplicates of training images" in caplog.text


def test_an_image_under_two_peoples_names_is_reported(tmp_path, caplog):
    for name, value in (("a.png", 50), ("b.png", 50), ("c.png", 90)):
        cv2.imwrite(str(tmp_path / name), np.full((48, 48, 3), value, np.uint8))
    listed = pd.DataFrame(
        {
            "sample_id": ["s0", "s1", "s2"],
            "image": ["a.png", "b.png", "c.png"],
            "split": "folds",
            "subject": list("xyz"),
        }
    )
    samples = locate_faces(listed, tmp_path, tmp_path / "unfinished", alignment(method="given"))
    assert samples["duplicate_of"].fillna("-").tolist() == ["-", "s0", "-"]
    assert not samples["leaks"].any()
    assert "1 images are of several people by their names, the first s0 and s1" in caplog.text
