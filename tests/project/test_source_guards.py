"""Every guard on the repository's files finds the project without fault, and finds a fault that is planted."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.project.augmentation_factors import JOINT_TESTS
from tests.project.source_guards import (
    MAX_BINARY_BYTES,
    MAX_FILE_LINES,
    MAX_FUNCTION_LINES,
    MAX_MODEL_LINES,
    augmentation_faults,
    content_faults,
    import_contract_faults,
    kept_files,
    length_faults,
    name_faults,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git clone: the guards look at the files that git keeps")
    return kept_files(ROOT)


def test_import_contracts_are_kept():
    assert import_contract_faults(ROOT, ROOT / "src") == []


@pytest.mark.parametrize(
    ("file", "planted", "broken"),
    [
        ("labels.py", "import mien.metrics", "mien.labels -> mien.metrics"),
        ("models/network.py", "from mien.data import splits", "mien.models.network -> mien.data.splits"),
        ("engine/seed.py", "import pydantic", "mien.engine.seed -> pydantic"),
        ("pipelines/data_raf_db/nodes.py", "from mien.pipelines import sae", "mien.pipelines.data_raf_db.nodes"),
        ("nodes/plots.py", "import albumentations", "mien.nodes.plots -> albumentations"),
    ],
)
def test_the_contracts_break_where_a_module_imports_upwards_or_sideways(tmp_path, file, planted, broken):
    shutil.copytree(ROOT / "src" / "mien", tmp_path / "mien", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "mien" / file).open("a") as module:
        module.write(f"\n{planted}\n")
    (fault,) = import_contract_faults(ROOT, tmp_path)
    assert broken in fault


def test_files_and_functions_of_the_package_can_be_read_at_once():
    assert length_faults(sorted((ROOT / "src").rglob("*.py"))) == []


def test_the_length_guard_finds_a_long_file_and_a_long_method(tmp_path):
    body = "        x = 1\n"
    fits, long = tmp_path / "fits.py", tmp_path / "long.py"
    fits.write_text("class A:\n    def f(self):\n" + body * (MAX_FUNCTION_LINES - 1))
    assert length_faults([fits]) == []
    long.write_text("class A:\n    def f(self):\n" + body * MAX_FUNCTION_LINES)
    (fault,) = length_faults([long])
    assert f"line 2: f has {MAX_FUNCTION_LINES + 1} lines" in fault
    long.write_text("x = 1\n" * (MAX_FILE_LINES + 1))
    (fault,) = length_faults([long])
    assert f"{MAX_FILE_LINES + 1} lines" in fault
    model = tmp_path / "models" / "sae.py"
    model.parent.mkdir()
    model.write_text("x = 1\n" * MAX_MODEL_LINES)
    assert length_faults([model]) == []
    model.write_text("x = 1\n" * (MAX_MODEL_LINES + 1))
    (fault,) = length_faults([model])
    assert f"{MAX_MODEL_LINES + 1} lines" in fault


def test_every_file_is_named_after_its_subject(files):
    assert name_faults(file for file in files if file.parts[0] in ("src", "tests", "conf")) == []


@pytest.mark.parametrize("path", ["src/utils.py", "tests/helpers/test_a.py", "conf/base/common.yml", "src/Misc.py"])
def test_the_name_guard_finds_names_that_say_nothing(path):
    (fault,) = name_faults([Path(path), Path("src/mien/miscellany.py")])
    assert path in fault


def test_every_augmentation_has_a_test_of_what_its_parts_draw_together():
    assert augmentation_faults(sorted((ROOT / "src" / "mien").rglob("*.py")), JOINT_TESTS) == []


@pytest.mark.parametrize(
    "planted",
    [
        "class Blur:\n    def __call__(self, image, seed):\n        return image\n",
        "class Blur:\n    def __call__(self, image, *, seed):\n        return image\n",
        "class Blur(A.ImageOnlyTransform):\n    def apply(self, img, **params):\n        return img\n",
        "class Blur:\n    def __init__(self, faces, *, seed=0):\n        self.seed = seed\n"
        "    def __getitem__(self, key):\n        return key\n",
    ],
)
def test_the_augmentation_guard_finds_a_class_without_a_joint_test(tmp_path, planted):
    file = tmp_path / "blur.py"
    file.write_text(planted)
    (fault,) = augmentation_faults([file], [])
    assert "blur.py, line 1: Blur" in fault
    assert "JOINT_TESTS" in fault
    assert augmentation_faults([file], ["Blur"]) == []


def test_the_augmentation_guard_passes_protocols_and_what_takes_no_seed_and_finds_an_entry_without_a_class(tmp_path):
    file = tmp_path / "plain.py"
    call = "    def __call__(self, image, seed):\n        return image\n"
    plain = "class Plain:\n    def __getitem__(self, key):\n        return key\n"
    file.write_text(f"class Augment(Protocol):\n{call}{plain}")
    assert augmentation_faults([file], []) == []
    (fault,) = augmentation_faults([file], ["Blur"])
    assert "tests Blur" in fault


def test_no_file_holds_absolute_paths_credentials_unfinished_work_or_large_binaries(files):
    assert content_faults(ROOT, files) == []


SLASH = "/"  # keeps the planted lines of this file from being faults themselves


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (f'path = "{SLASH}home/anna/raf_db"', "home/anna"),
        (f"root: {SLASH}mnt/disk/faces", "mnt/disk"),
        (f"open('C:{chr(92)}Users')", "Users"),
        ("# TO" + "DO: later", "unfinished"),
        ("raise NotImplementedError  # FIX" + "ME", "unfinished"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "credential"),
        ("pass" + "word = 'correct-horse'", "credential"),
        (f"url = https:{SLASH}{SLASH}anna:horse@host", "credential"),
        ("AKIA" + "ABCDEFGHIJKLMNOP", "credential"),
    ],
)
def test_the_content_guard_finds_planted_lines(tmp_path, line, named):
    (tmp_path / "planted.py").write_text(f"x = 1\n{line}\n")
    (fault,) = content_faults(tmp_path, [Path("planted.py")])
    assert "planted.py, line 2" in fault
    assert named in fault


def test_the_content_guard_passes_what_only_looks_alike(tmp_path):
    harmless = "https://example.org/home/page\nreshape(-1, 5, 2)\ntokens: 3\nTodos los datos\npath/tmp/x\n"
    (tmp_path / "harmless.py").write_text(harmless)
    assert content_faults(tmp_path, [Path("harmless.py")]) == []


def test_the_content_guard_finds_a_large_binary_that_git_would_keep(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("ignored.bin\n")
    for name, size in (("large.bin", MAX_BINARY_BYTES + 1), ("small.bin", MAX_BINARY_BYTES), ("ignored.bin", 10**6)):
        (tmp_path / name).write_bytes(bytes(size))
    (fault,) = content_faults(tmp_path, kept_files(tmp_path))
    assert "large.bin" in fault
    assert "dvc add" in fault
