import subprocess
import sys

import pytest

from mien.models import create_model, list_models
from mien.models.sae import SAE


def test_models_are_listed_in_order_and_built_by_name():
    assert "sae" in list_models()
    assert list_models() == sorted(list_models())
    model = create_model("sae", num_classes=5, image_size=32, embed_dim=32, depth=1, prune_blocks=[0])
    assert isinstance(model, SAE)
    assert model.head.out_features == 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: create_model("sea"), r"unknown architecture 'sea'. Did you mean sae\?"),
        (lambda: create_model("zzzzzz"), "unknown architecture 'zzzzzz'. Choose from: .*sae"),
        (
            lambda: create_model("sae", num_classes=7, keep_rates=0.5),
            r"no argument 'keep_rates'. Did you mean keep_rate[?]",
        ),
        (lambda: create_model("sae"), "model 'sae' needs num_classes"),
        (lambda: create_model("sae", num_classes=7, keep_rate=0), "keep_rate 0 is outside"),
    ],
)
def test_a_wrong_name_is_refused_with_the_near_ones(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_importing_the_registry_imports_no_architecture():
    code = "import sys, mien.models; print([m for m in sys.modules if m == 'torch' or m.startswith('mien.models.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
