import pytest
import torch

from mien.models.multi_task_cnn import MultiTaskCNN


def test_only_the_number_is_scaled():
    model = MultiTaskCNN(outputs=(1, 2), channels=(2,), hidden=(3,), image_size=4).eval()
    x = torch.rand(2, 1, 4, 4)
    with torch.no_grad():
        before = model(x)
        model.scaled[0].start_from(mean=30.0, std=10.0)
        after = model(x)
    torch.testing.assert_close(after[:, 0], 30 + 10 * before[:, 0])
    assert torch.equal(after[:, 1:], before[:, 1:])


@pytest.mark.parametrize(("outputs", "hidden"), [((1,), (4,)), ((1, 2), ())])
def test_one_head_or_nothing_shared_is_refused(outputs, hidden):
    with pytest.raises(ValueError, match="two heads at least"):
        MultiTaskCNN(outputs=outputs, channels=(2,), hidden=hidden, image_size=4)
