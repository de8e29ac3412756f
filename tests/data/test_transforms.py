"""The published augmentation: how often and how strongly it changes an image, and that its seed alone decides.

Of each recipe that the configuration has, the steps are independent of each other: the joint table of what was done.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.augmentation_states import FILL, PICTURE, Seen, augmented_picture, due_shares, look_at, recipes
from tests.project.association import dependent_pairs, joint_faults, joint_table
from torch.utils.data import DataLoader

from mien.data.face_images import FaceImages
from mien.data.transforms import ExpressionAugmentation
from mien.engine.sampling import EpochBatches

RECIPES = recipes(Path(__file__).resolve().parents[2] / "conf")
NUM_SEEDS = 4_000

OFF: dict[str, Any] = {
    "flip": 0.0,
    "flip_or_noise": 0.0,
    "noise_variance": 30.0,
    "erase": 0.0,
    "erase_area": (0.02, 0.1),
    "erase_aspect": (0.3, 3.3),
    "erase_fill": (10.0, 20.0, 30.0),
}
FACE = np.random.default_rng(0).integers(60, 200, (32, 32, 3), dtype=np.uint8)
MIRRORED = FACE[:, ::-1]


def augmented(num: int = 1, image: np.ndarray = FACE, **on: Any) -> list[np.ndarray]:
    augment = ExpressionAugmentation(**{**OFF, **on})
    return [augment(image, seed) for seed in range(num)]


def share(images: list[np.ndarray], like: np.ndarray) -> float:
    return float(np.mean([np.array_equal(image, like) for image in images]))


def test_with_everything_off_nothing_changes():
    (image,) = augmented()
    np.testing.assert_array_equal(image, FACE)


def test_equal_seeds_give_equal_images_and_shape_and_type_stay():
    everything = {"flip": 0.5, "flip_or_noise": 0.5, "erase": 0.5, "rotate_degrees": 10.0, "scale": 0.1, "shift": 0.1}
    augment = ExpressionAugmentation(**{**OFF, **everything})
    first = [augment(FACE, seed) for seed in range(20)]
    backwards = [augment(FACE, seed) for seed in reversed(range(20))][::-1]
    for one, other in zip(first, backwards, strict=True):
        np.testing.assert_array_equal(one, other)
        assert (one.shape, one.dtype) == (FACE.shape, np.uint8)
    assert len({image.tobytes() for image in first}) > 15


def test_the_image_given_is_not_changed():
    before = FACE.copy()
    augmented(5, flip=1.0, flip_or_noise=1.0, erase=1.0)
    np.testing.assert_array_equal(FACE, before)


def test_flips_come_as_often_as_requested():
    assert share(augmented(flip=1.0), MIRRORED) == 1
    assert share(augmented(200, flip=0.5), MIRRORED) == pytest.approx(0.5, abs=0.12)  # 3.4 standard errors


def test_the_first_step_is_a_flip_or_noise_as_likely_as_each_other():
    images = augmented(200, flip_or_noise=1.0)
    assert share(images, FACE) == 0
    assert share(images, MIRRORED) == pytest.approx(0.5, abs=0.12)


def test_noise_has_the_published_variance_in_grey_levels_and_no_bias():
    grey = np.full((64, 64, 3), 128, np.uint8)
    noisy = [image for image in augmented(40, grey, flip_or_noise=1.0) if not np.array_equal(image, grey)]
    change = np.stack(noisy).astype(float) - 128
    assert change.var() == pytest.approx(30 + 1 / 12, rel=0.02)  # rounding adds 1/12; 7 standard errors
    assert abs(change.mean()) < 0.1


def test_noise_stays_within_the_levels_of_white_and_of_black():
    for level in (0, 255):
        plain = np.full((32, 32, 3), level, np.uint8)
        for image in augmented(10, plain, flip_or_noise=1.0):
            assert abs(image.astype(int) - level).max() < 40


def test_one_rectangle_is_erased_within_the_published_area_and_filled_with_the_mean_colour():
    white = np.full((100, 100, 3), 255, np.uint8)
    for image in augmented(60, white, erase=1.0):
        erased = (image == (10, 20, 30)).all(axis=2)
        rows, columns = np.flatnonzero(erased.any(axis=1)), np.flatnonzero(erased.any(axis=0))
        height, width = len(rows), len(columns)
        assert erased.sum() == height * width == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        assert 0.015 <= erased.mean() <= 0.11
        assert 0.25 <= height / width <= 4
        assert (image[~erased] == 255).all()


def test_erasing_comes_as_often_as_requested():
    assert share(augmented(200, erase=0.5), FACE) == pytest.approx(0.5, abs=0.12)


def test_the_affine_change_stays_within_its_bounds_and_shows_no_black_corners():
    dot = np.full((64, 64, 3), 50, np.uint8)
    dot[30:34, 30:34] = 250
    for image in augmented(40, dot, rotate_degrees=20.0, scale=0.1, shift=0.1):
        assert image.min() >= 45
        y, x = np.argwhere(image[..., 0] > 150).mean(axis=0)
        assert max(abs(x - 31.5), abs(y - 31.5)) <= 0.1 * 64 + 2
    turned = np.stack(augmented(40, dot, shift=0.2))
    assert len({np.argwhere(image[..., 0] > 150)[0].tobytes() for image in turned}) > 10


def test_grey_images_keep_their_shape_and_come_as_often_as_requested():
    images = augmented(200, grayscale=0.3)
    grey = [(image == image[..., :1]).all() for image in images]
    assert np.mean(grey) == pytest.approx(0.3, abs=0.11)  # 3.4 standard errors
    weighted = (FACE @ np.array([0.299, 0.587, 0.114])).astype(int)  # ITU-R BT.601, as PIL's grey images
    assert abs(images[grey.index(True)][..., 0].astype(int) - weighted).max() <= 1


def test_a_step_of_probability_0_takes_no_random_number_from_the_others():
    on = {"flip": 0.5, "erase": 1.0, "flip_or_noise": 0.5}
    for one, other in zip(augmented(5, **on), augmented(5, **on, grayscale=0.0), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module", params=RECIPES)
def seen(request) -> tuple[dict[str, Any], Seen]:
    recipe = RECIPES[request.param]
    return recipe, look_at(augmented_picture(recipe, NUM_SEEDS), recipe)


def test_the_recipes_are_those_of_every_expression_system_the_demo_and_the_sweeps():
    assert {name.split()[0] for name in RECIPES} >= {"base", "demo", "sae_ferplus_medium"}
    assert {name.split()[1] for name in RECIPES if name.startswith("base")} == {
        "fer_former",
        "sae",
        "softmax_regression",
    }
    assert {recipe["grayscale"] for recipe in RECIPES.values()} == {0.0, 0.3}
    assert {bool(recipe["rotate_degrees"]) for recipe in RECIPES.values()} == {False, True}


def test_every_combination_of_steps_comes_as_often_as_if_each_were_drawn_by_itself(seen):
    recipe, found = seen
    assert joint_faults(found.states, due_shares(recipe)) == []


def test_how_much_a_step_changes_tells_nothing_of_the_other_steps(seen):
    _, found = seen
    at_work = {name: state for name, state in found.states.items() if state.any() and not state.all()}
    amounts = {name: amount for name, amount in found.amounts.items() if np.isfinite(amount).any()}
    assert dependent_pairs({name: {"": values} for name, values in {**at_work, **amounts}.items()}) == []


def test_the_amounts_that_are_read_off_pictures_are_those_that_were_requested():
    recipe = RECIPES["base sae"] | {"flip_or_noise": 0.0, "rotate_degrees": 10.0, "scale": 0.1, "shift": 0.04}
    amounts = look_at(augmented_picture(recipe, 400), recipe).amounts
    for name, most in {"rotation": np.deg2rad(10), "width": 0.1, "height": 0.1}.items():
        change = amounts[name] - (name != "rotation")
        assert 0.9 * most < abs(change).max() < 1.1 * most
    assert {0.0, 1.0, -1.0} == set(amounts["shift right"]) == set(amounts["shift down"])
    low, high = recipe["erase_area"]
    area = amounts["erased area"]
    assert 0.8 * low < np.nanmin(area) < np.nanmax(area) < 1.1 * high


def _one_number_for_all(augment: ExpressionAugmentation, image: np.ndarray, seed: int) -> np.ndarray:
    """As the project did at first: albumentations seeds every step alike."""
    augment._chain.set_random_seed(seed)
    return augment._chain(image=image)["image"]


@pytest.mark.parametrize("name", ["base sae", "base fer_former"])
def test_the_joint_table_finds_steps_that_share_one_random_number(monkeypatch, name):
    monkeypatch.setattr(ExpressionAugmentation, "__call__", _one_number_for_all)
    recipe = RECIPES[name]
    states = look_at(augmented_picture(recipe, 1_200), recipe).states
    assert len(joint_faults(states, due_shares(recipe))) > 4
    # Each step by itself comes as often as it should: only together do they show the fault
    assert states["erased"].mean() == pytest.approx(0.5, abs=0.05)
    assert sum(count > 0 for count in joint_table(states).values()) <= 3


@pytest.mark.parametrize("name", RECIPES)
def test_equal_seeds_give_equal_images_whatever_was_augmented_before(name):
    augment = ExpressionAugmentation(**RECIPES[name], erase_fill=FILL)
    first = [augment(PICTURE, seed) for seed in range(60)]
    again = ExpressionAugmentation(**RECIPES[name], erase_fill=FILL)
    for seed in reversed(range(60)):
        np.testing.assert_array_equal(again(PICTURE, seed), first[seed])
    assert len({image.tobytes() for image in first}) > 1


def test_epochs_are_the_same_with_0_1_and_2_workers_and_differ_from_each_other():
    recipe = RECIPES["sae_ferplus_medium sae_ferplus"]
    samples = FaceImages(
        np.broadcast_to(PICTURE, (20, *PICTURE.shape)),
        np.arange(20),
        np.arange(20),
        image_size=len(PICTURE),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        augment=ExpressionAugmentation(**recipe, erase_fill=FILL),
        seed=3,
    )
    batches = EpochBatches(len(samples), batch_size=8, seed=3)
    epochs = []
    for workers in (0, 1, 2):
        loader = DataLoader(samples, batch_sampler=batches, num_workers=workers, persistent_workers=workers > 0)
        for epoch in (0, 1):
            batches.epoch = epoch
            images = {int(t): x for (xs,), ts in loader for x, t in zip(xs.numpy(), ts, strict=True)}
            assert len(images) == 20
            epochs.append(np.stack([images[target] for target in range(20)]))
    for workers in (1, 2):
        np.testing.assert_array_equal(epochs[2 * workers], epochs[0])
        np.testing.assert_array_equal(epochs[2 * workers + 1], epochs[1])
    # The faces are all one picture, so equal images are equal random numbers
    assert len({image.tobytes() for epoch in epochs[:2] for image in epoch}) == 40
