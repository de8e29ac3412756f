"""Pairs as a torch dataset: decoded once, moved as a whole."""

import numpy as np
import pytest
import torch

from mien.data.pair_images import PairImages, decode_sequences


def faces(n: int = 5, frames: int = 2, side: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, frames, side, side, 1), dtype=np.uint8)


def decoded(size: int = 12, num_frames: int = 2, **options) -> torch.Tensor:
    return decode_sequences(faces(**options), [3, 0], num_frames=num_frames, size=size, mean=0.5, std=0.25)


def test_pixels_are_normalised_and_the_onset_comes_first():
    expected = (faces()[[3, 0], :, :, :, 0] / 255 - 0.5) / 0.25
    np.testing.assert_allclose(decoded().numpy(), expected, atol=1e-6)


def test_frames_are_taken_evenly_from_the_onset_to_the_apex():
    sequences = decode_sequences(faces(frames=7), [1], num_frames=3, size=12, mean=0.0, std=1 / 255)
    np.testing.assert_allclose(sequences[0].numpy(), faces(frames=7)[1, [0, 3, 6], :, :, 0], atol=1e-3)


def test_without_movement_the_middle_is_cut_out():
    images = PairImages(decoded(), [1, 0], image_size=8)
    (frames,), target = images[1]
    assert torch.equal(frames, decoded()[1, :, 2:10, 2:10])
    assert target == 0


def test_both_images_are_moved_alike():
    same = decoded()[:, :1].expand(-1, 2, -1, -1)
    images = PairImages(same, [1, 0], image_size=8, shift=2, flip=0.5, rotate_degrees=10, seed=3)
    seen = [images[key][0][0] for key in range(20)]
    assert all(torch.equal(frames[0], frames[1]) for frames in seen)
    assert len({tuple(frames.flatten().tolist()) for frames in seen}) > 15


def test_a_key_decides_what_is_seen():
    def again(seed: int) -> torch.Tensor:
        images = PairImages(decoded(), [1, 0], image_size=8, shift=2, flip=0.5, seed=seed)
        return torch.stack([images[key][0][0] for key in range(12)])

    assert torch.equal(again(0), again(0))
    assert not torch.equal(again(0), again(1))


def test_sequences_are_shared_and_not_copied():
    sequences = decoded()
    first, second = (PairImages(sequences, [1, 0], image_size=8) for _ in range(2))
    assert first.sequences.data_ptr() == second.sequences.data_ptr()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decoded(num_frames=3), "hold no 3 grey frames per sample"),
        (lambda: decode_sequences(faces(), [5], num_frames=2, size=8, mean=0, std=1), "the packed file has 5"),
        (lambda: PairImages(decoded(), [1], image_size=8), "2 sequences but 1 targets"),
        (lambda: PairImages(decoded(), [1, 0], image_size=8, shift=3), "leave no room"),
        (lambda: PairImages(decoded(), [1, 0], image_size=13), "leave no room"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
