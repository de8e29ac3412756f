import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from mien.layers.principal_components import PrincipalComponents


def vectors(n: int = 60, width: int = 12) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy((rng.normal(size=(n, width)) * np.arange(1, width + 1) + 5).astype(np.float32))


def fitted(count: int) -> PrincipalComponents:
    components = PrincipalComponents(12, count)
    components.fit(vectors())
    return components


def test_coordinates_and_shares_are_scikit_learns():
    x, components = vectors(), fitted(4)
    theirs = PCA(4, random_state=0).fit(x.double().numpy())
    np.testing.assert_allclose(components(x).numpy(), theirs.transform(x.double().numpy()), atol=1e-3)
    np.testing.assert_allclose(components.explained.numpy(), theirs.explained_variance_ratio_, rtol=1e-5)


def test_all_components_restore_the_vectors_and_fewer_miss_the_unexplained_share():
    x, components = vectors(), fitted(12)
    z = components(x)
    torch.testing.assert_close(components.restore(z), x, atol=1e-3, rtol=1e-3)
    left = (components.restore(z[:, :5]) - x).square().sum() / (x - x.mean(dim=0)).square().sum()
    assert left.item() == pytest.approx(1 - components.explained[:5].sum().item(), abs=1e-4)


def test_fewer_samples_than_components_are_refused_with_what_to_set():
    with pytest.raises(ValueError, match=r"5 training samples for 8 .* model.num_components lower"):
        PrincipalComponents(12, 8).fit(vectors(5))


@pytest.mark.parametrize("count", [0, 13])
def test_no_components_or_more_than_inputs_are_refused(count):
    with pytest.raises(ValueError, match="from 1 to as many as there are inputs"):
        PrincipalComponents(12, count)
