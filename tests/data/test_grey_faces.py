import numpy as np
import pytest
import torch

from mien.data.grey_faces import GreyFaces, Vectors

FACES = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)


def faces(**changes) -> GreyFaces:
    return GreyFaces(FACES, [3, 1], np.array([30, 40]), image_size=4, **changes)


def test_an_image_is_the_mean_of_its_channels_over_255():
    (image,), target = faces()[0]
    np.testing.assert_allclose(image.numpy()[0], FACES[3].mean(axis=2) / 255, atol=1e-6)
    assert target == 30


def test_a_key_of_a_later_epoch_is_the_same_face_mirrored_or_not():
    mirrored = faces(flip=0.5)
    plain, turned = faces()[0][0][0], faces()[0][0][0].flip(2)
    seen = [mirrored[2 * epoch][0][0] for epoch in range(20)]
    kinds = [torch.equal(image, plain) for image in seen]
    assert all(torch.equal(image, plain) or torch.equal(image, turned) for image in seen)
    assert 0 < sum(kinds) < 20
    assert torch.equal(mirrored[6][0][0], faces(flip=0.5)[6][0][0])


def test_all_images_come_as_they_are_whatever_is_mirrored():
    assert torch.equal(faces(flip=1.0).images(), torch.stack([faces()[index][0][0] for index in range(2)]))


def test_rows_without_a_face_or_a_target_are_refused():
    with pytest.raises(ValueError, match="2 rows but 1 targets"):
        GreyFaces(FACES, [0, 1], np.array([1]), image_size=4)
    with pytest.raises(ValueError, match="rows 0 to 5, the packed file has 5"):
        GreyFaces(FACES, [0, 5], np.array([1, 2]), image_size=4)


def test_vectors_go_with_their_targets_in_every_epoch():
    vectors = Vectors(torch.arange(6.0).view(3, 2), np.array([7, 8, 9]))
    (vector,), target = vectors[3 * 4 + 1]
    assert (vector.tolist(), int(target)) == ([2.0, 3.0], 8)
