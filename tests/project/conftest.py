"""Clones that the slow tests of one file share."""

from pathlib import Path

import pytest
from tests.project.cloned_project import make_clone, run, sae


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone of the working tree with git, without data, its demo made tiny."""
    return make_clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def ran(clone) -> Path:
    """The clone after one run."""
    log = run(sae(3), clone)
    assert "sae: test accuracy" in log
    assert "mlflow ui" in log
    assert "kedro viz run" in log
    return clone
