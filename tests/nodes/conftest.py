"""The folder of known images that tests of the preparation's steps read."""

from pathlib import Path

import pytest
from tests.nodes.located import KnowingDetector, write_images

from mien.models import face_detector
from mien.nodes import alignment as node


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(face_detector, "FaceDetector", KnowingDetector)
    node._face_search.cache_clear()
    (tmp_path / "unfinished").mkdir()
    yield write_images(tmp_path)
    node._face_search.cache_clear()
