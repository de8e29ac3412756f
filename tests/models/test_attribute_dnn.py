import torch

from mien.models.attribute_dnn import AttributeDNN


def test_without_hidden_layers_it_is_linear():
    model = AttributeDNN(num_inputs=3, num_outputs=2).eval()
    with torch.no_grad():
        model.output.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]))
        model.output.bias.copy_(torch.tensor([0.5, -1.0]))
        assert model(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [[7.5, 1.0]]


def test_an_image_is_read_as_its_pixels():
    model = AttributeDNN(num_inputs=6, num_outputs=2, hidden=(4,)).eval()
    x = torch.rand(2, 1, 2, 3)
    assert torch.equal(model(x), model(x.flatten(1)))


def test_only_inputs_that_are_to_be_normalised_are():
    x = 100 * torch.rand(8, 2)
    model = AttributeDNN(num_inputs=2, num_outputs=2, hidden=(4,), batch_norm=True, normalise_inputs=True).train()
    torch.testing.assert_close(model.normalise(x).mean(dim=0), torch.zeros(2), atol=1e-4, rtol=0)
    assert torch.equal(AttributeDNN(num_inputs=2, num_outputs=2, hidden=(4,), batch_norm=True).normalise(x), x)


def test_a_number_is_scaled_and_class_scores_are_not():
    number, classes = AttributeDNN(2, 1), AttributeDNN(2, 2)
    assert hasattr(number.scaled, "start_from")
    assert not hasattr(classes.scaled, "start_from")
