"""Clips as torch datasets: neighbours take turns by epoch, stacks stay within their clip, sounds are masked."""

import numpy as np
import pytest
import torch

from mien.data.clip_samples import ArraySamples, FrameDifferences, NeighbourFaces, SoundSamples, stacked_rows


def faces(n: int = 3, k: int = 4) -> np.ndarray:
    """Faces whose pixels say which row and which neighbour they are."""
    numbers = 10 * np.arange(n)[:, None] + np.arange(k)
    return np.broadcast_to(numbers[:, :, None, None, None], (n, k, 2, 2, 1)).astype(np.uint8)


def test_over_the_epochs_each_neighbour_of_a_face_comes_up_and_none_of_another():
    samples = NeighbourFaces(faces(), [2, 0], [1, 5], mean=0.0, std=1 / 255)
    seen = {round(float(samples[epoch * 2 + 1][0][0].mean())) for epoch in range(60)}
    assert seen == {0, 1, 2, 3}
    assert {round(float(samples[epoch * 2][0][0].mean())) for epoch in range(60)} == {20, 21, 22, 23}
    assert samples[1][1] == 5
    assert samples[0][0][0].shape == (1, 2, 2)


def test_the_same_key_gives_the_same_neighbour_and_another_seed_other_ones():
    def drawn(seed: int) -> list[float]:
        samples = NeighbourFaces(faces(), [0, 1, 2], [0, 0, 0], mean=0.5, std=0.25, seed=seed)
        return [float(samples[key][0][0].mean()) for key in range(30)]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_pixels_are_normalised():
    white = np.full((1, 1, 2, 2, 1), 255, np.uint8)
    (image,), _ = NeighbourFaces(white, [0], [0], mean=0.5, std=0.25)[0]
    assert torch.equal(image, torch.full((1, 2, 2), 2.0))


def test_stacks_are_differences_in_order_of_time_and_still_at_the_ends_of_a_clip():
    pixels = np.array([0, 10, 30, 60], np.uint8)[:, None, None, None] * np.ones((1, 1, 1, 1), np.uint8)
    rows = stacked_rows(np.arange(4), 2)
    samples = FrameDifferences(pixels, rows, [0] * 4, std=1 / 255)
    stacks = [samples[i][0][0].flatten().round().tolist() for i in range(4)]
    assert stacks == [[0, 10], [10, 20], [20, 30], [30, 0]]


def test_a_clip_of_one_frame_stands_still():
    assert stacked_rows(np.array([7]), 3).tolist() == [[7, 7, 7, 7]]


def test_sounds_are_padded_cut_and_masked():
    contours = np.arange(10, dtype=np.float16).reshape(5, 2)
    samples = SoundSamples(contours, np.array([0, 1]), np.array([1, 4]), np.zeros((2, 3), np.float32), [4, 6], steps=3)
    (sound, mask, prosody), target = samples[0]
    assert sound.tolist() == [[0, 1], [0, 0], [0, 0]]
    assert mask.tolist() == [1, 0, 0]
    assert prosody.shape == (3,)
    assert target == 4
    assert samples[1][0][0].tolist() == [[2, 3], [4, 5], [6, 7]]


def test_noise_moves_a_whole_sound_and_nothing_beyond_it():
    contours = np.zeros((4, 2), np.float16)
    one = SoundSamples(
        contours, np.array([0]), np.array([2]), np.zeros((1, 1), np.float32), [0], steps=4, noise=np.array([1.0, 0.0])
    )
    sound = one[0][0][0]
    assert sound[0, 0] == sound[1, 0] != 0
    assert sound[:, 1].abs().sum() == 0
    assert sound[2:].abs().sum() == 0
    assert torch.equal(one[0][0][0], sound)
    assert not torch.equal(one[1][0][0], sound), "another epoch, another loudness"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NeighbourFaces(faces(), [0, 1], [0], mean=0, std=1), "2 rows but 1 targets"),
        (lambda: NeighbourFaces(faces(), [3], [0], mean=0, std=1), "face rows 3 to 3, the packed file has 3"),
        (lambda: FrameDifferences(faces()[:, 0], np.array([[0, -1]]), [0], std=1), "face rows -1 to 0"),
        (lambda: ArraySamples((np.zeros((2, 1)),), [0]), r"\[1, 2\] rows"),
        (
            lambda: SoundSamples(np.zeros((2, 1)), np.array([0]), np.array([0]), np.zeros((1, 1)), [0], steps=2),
            "leave clips without sound out",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
