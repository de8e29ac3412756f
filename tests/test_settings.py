import shutil
from pathlib import Path

import pytest

from mien import settings
from mien.settings import log_as_the_project

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("found", "chosen", "applied"), [(None, False, 1), ("here", False, 0), (None, True, 0)])
def test_from_another_folder_the_log_is_the_projects_unless_the_user_chose_one(
    tmp_path, monkeypatch, found, chosen, applied
):
    (tmp_path / "conf").mkdir()
    shutil.copy(ROOT / "conf" / "logging.yml", tmp_path / "conf")
    configured: list[dict] = []
    monkeypatch.setattr(settings.LOGGING, "configure", configured.append)
    monkeypatch.setattr(settings, "find_config_file", lambda name: found)
    monkeypatch.delenv("KEDRO_LOGGING_CONFIG", raising=False)
    if chosen:
        monkeypatch.setenv("KEDRO_LOGGING_CONFIG", "mine.yml")
    log_as_the_project(tmp_path)
    assert [each["loggers"]["mien"]["level"] for each in configured] == ["INFO"] * applied
    log_as_the_project(tmp_path / "elsewhere")
    assert len(configured) == applied
