"""Pictures of kept patches: what is dropped is pale and the rest as it was, shares stand in their place."""

import numpy as np
import pytest
from tests.figures.test_mistakes import laid_out  # noqa: F401  # a fixture

from mien import figures
from mien.figures.mistakes import TILE, face_tile

NAMES = ("happy", "sad")


def faces(n: int, size: int = TILE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (n, size, size, 3), dtype=np.uint8)


def first(side: int, n: int, stages: tuple[int, ...]) -> np.ndarray:
    """Alive patches (n, S, N): the first few of the grid after each stage."""
    alive = np.zeros((n, len(stages), side**2))
    for stage, count in enumerate(stages):
        alive[:, stage, :count] = 1
    return alive


@pytest.mark.parametrize("side", [2, 7, 14])
def test_a_dropped_patch_is_pale_and_a_kept_one_as_in_the_face(laid_out, side):  # noqa: F811
    given = faces(1)
    alive = np.zeros((1, 1, side**2))
    alive[0, 0, side + 1] = 1  # second row, second column
    figures.tokens_sheet(given, np.array([0]), alive, NAMES[:1], ["block 0"], "SAE")
    whole, pruned = laid_out["tiles"]
    np.testing.assert_array_equal(whole, given[0])
    patch = TILE // side
    kept = np.zeros((TILE, TILE), bool)
    kept[patch : 2 * patch, patch : 2 * patch] = True
    np.testing.assert_array_equal(pruned[kept], whole[kept])
    np.testing.assert_allclose(pruned[~kept], 255 - 0.2 * (255 - whole[~kept].astype(float)), atol=0.51)


def test_three_by_three_patches_share_the_pixels_of_a_tile_without_a_gap(laid_out):  # noqa: F811
    figures.tokens_sheet(faces(1), np.array([0]), first(3, 1, (3,)), NAMES[:1], ["block 1"], "SAE")
    whole, pruned = laid_out["tiles"]
    same = (whole == pruned).all(axis=(1, 2))
    assert same.tolist() == [row * 3 // TILE == 0 for row in range(TILE)]


def test_a_class_is_a_row_of_faces_each_followed_by_its_stages_with_what_is_kept(laid_out):  # noqa: F811
    labels = np.array([1, 0, 1])
    given = faces(3, size=48)
    sheet = figures.tokens_sheet(given, labels, first(3, 3, (6, 2)), NAMES, ["block 0", "block 2"], "SAE")
    assert laid_out["columns"] == 6
    captions = laid_out["captions"]
    assert captions[0] == ["happy", ""]
    assert captions[1:3] == [["block 0", "6 of 9 kept"], ["block 2", "2 of 9 kept"]]
    assert captions[3:6] == [["", ""]] * 3, "happy has one face, sad has two"
    assert [lines[0] for lines in captions[6:]] == ["sad", "block 0", "block 2"] * 2
    for place, row in ((0, 1), (6, 0), (9, 2)):
        np.testing.assert_array_equal(laid_out["tiles"][place], face_tile(given[row]))
    assert (laid_out["tiles"][4] == 255).all()
    assert sheet.dtype == np.uint8


def test_a_sheet_without_a_pruning_stage_shows_the_faces_plain(laid_out):  # noqa: F811
    figures.tokens_sheet(faces(2), np.array([0, 1]), np.zeros((2, 0, 49)), NAMES, [], "SAE", synthetic=True)
    assert laid_out["columns"] == 1
    assert laid_out["heading"] == "SAE (synthetic faces)"
    np.testing.assert_array_equal(laid_out["tiles"], faces(2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alive": np.zeros((2, 1, 8))}, "8 patches are no square grid: give all patches"),
        ({"alive": np.zeros((3, 1, 9))}, r"Patches have shape \(3, 1, 9\) for 2 faces: give"),
        ({"stage_names": []}, "1 stages and 0 names of stages: give"),
        ({"faces": faces(3)}, "given 3 faces, 2 rows of patches"),
        ({"labels": np.zeros(0, int), "alive": np.zeros((0, 1, 9)), "faces": faces(0)}, "at least one face"),
    ],
)
def test_a_sheets_mistake_is_named(change, message):
    given = {"faces": faces(2), "labels": np.array([0, 1]), "alive": first(3, 2, (4,)), "stage_names": ["block 0"]}
    with pytest.raises(ValueError, match=message):
        figures.tokens_sheet(**given | change, class_names=NAMES, title="SAE")


SHARES = np.array([[0, 0.25, 0.5, 1], [np.nan] * 4])
ARGUMENTS = {
    "frequency": SHARES,
    "sizes": [4, 0],
    "class_names": NAMES,
    "mean_face": faces(1)[0],
    "title": "SAE",
}


def test_shares_stand_in_raster_order_in_per_cent_on_one_scale_for_all_classes():
    plot = figures.kept_frequency_plot(**ARGUMENTS)
    face, happy, sad, *_ = plot.axes
    assert [axes.get_title() for axes in (face, happy, sad)] == ["mean face", "happy\n(n = 4)", "sad\n(n = 0)"]
    np.testing.assert_array_equal(happy.images[0].get_array(), [[0, 25], [50, 100]])
    assert happy.images[0].get_clim() == sad.images[0].get_clim() == (0, 100)
    assert [text.get_text() for text in sad.texts] == ["none"]
    assert face.images[0].get_extent() == [-0.5, 1.5, 1.5, -0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [4]}, r"shape \(2, 4\) for 1 sizes and 2 class names: give \(M, N\)"),
        ({"frequency": SHARES[:, :3]}, "3 patches are no square grid"),
        ({"frequency": SHARES * 1.5}, "A kept frequency is 1.5 in class 0: give shares from 0 to 1"),
    ],
)
def test_a_maps_mistake_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        figures.kept_frequency_plot(**ARGUMENTS | change)
