import pytest
import torch
from tests.models.test_all_models import SMALL

from mien.models.attribute_networks import AttributeNetworks

CONFIG = SMALL["attribute_networks"].config


def networks() -> AttributeNetworks:
    torch.manual_seed(0)
    model = AttributeNetworks(**CONFIG).eval()
    model.components.fit(torch.rand(20, 64))
    return model


def test_each_members_outputs_stand_in_its_columns():
    model = networks()
    images = torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        together = model(images)
        assert [model.columns(name) for name in model.members] == [slice(0, 1), slice(1, 3), slice(3, 5)]
        for name, member in model.members.items():
            torch.testing.assert_close(together[:, model.columns(name)], member(model.inputs(images, name)))


def test_a_member_reads_the_image_its_pixels_or_their_components():
    model = networks()
    images = torch.rand(3, 3, 8, 8)
    grey = images.mean(dim=1, keepdim=True)
    assert torch.equal(model.inputs(images, "age_cnn"), grey)
    assert torch.equal(model.inputs(images, "gender_dnn"), grey.flatten(1))
    assert torch.equal(model.inputs(images, "gender_pca_dnn"), model.components(grey.flatten(1)))


def test_components_that_are_not_there_and_members_without_outputs_are_refused():
    with pytest.raises(ValueError, match="gender_pca_dnn reads 'components'"):
        AttributeNetworks(**{**CONFIG, "num_components": None})
    with pytest.raises(ValueError, match="give both for each"):
        AttributeNetworks(members=CONFIG["members"], num_outputs={"age_cnn": 1})
