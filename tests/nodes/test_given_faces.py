"""Images that are called aligned are looked at before they are taken whole."""

import logging

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.nodes.located import alignment

from mien.data.synthetic.raf_db import synthesize_raf_db
from mien.nodes.given_faces import check_given_faces


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> list[np.ndarray]:
    root = tmp_path_factory.mktemp("synthetic") / "raf_db"
    synthesize_raf_db(root, num_train=20, num_test=14, seed=0, image_size=100)
    return [cv2.imread(str(path)) for path in sorted((root / "basic/Image/aligned").glob("*.jpg"))]


def written(folder, images) -> pd.DataFrame:
    names = [f"{number}.png" for number in range(len(images))]
    for name, image in zip(names, images, strict=True):
        cv2.imwrite(str(folder / name), image)
    return pd.DataFrame({"image": names})


def test_aligned_faces_pass_and_the_log_says_how_they_fill_their_images(tmp_path, faces, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        check_given_faces(written(tmp_path, faces), tmp_path, "image", alignment(method="given"))
    assert "they fill" in caplog.text


def test_square_photographs_under_the_names_of_aligned_faces_are_refused(tmp_path, faces):
    photographs = [
        cv2.copyMakeBorder(face, 120, 120, 120, 120, cv2.BORDER_REFLECT_101)[70:-70, 70:-70] for face in faces
    ]
    photographs = [cv2.GaussianBlur(photograph, (0, 0), 9) for photograph in photographs]
    for photograph, face in zip(photographs, faces, strict=True):
        photograph[50:-50, 50:-50] = face
    photographs = [cv2.copyMakeBorder(face, 80, 80, 80, 80, cv2.BORDER_CONSTANT, value=(120,) * 3) for face in faces]
    with pytest.raises(ValueError, match=r"called aligned and are photographs: .* fills [234][0-9]%") as refused:
        check_given_faces(written(tmp_path, photographs), tmp_path, "image", alignment(method="given"))
    assert "Set alignment.method to mtcnn" in str(refused.value)


def test_where_no_face_is_found_nothing_is_claimed(tmp_path, caplog):
    listed = written(tmp_path, [np.zeros((48, 48, 3), np.uint8)] * 30)
    with caplog.at_level(logging.INFO, "mien"):
        check_given_faces(listed, tmp_path, "image", alignment(method="given"))
        check_given_faces(listed[:0], tmp_path, "image", alignment(method="given"))
    assert "a face was found in 0 of 24" in caplog.text
