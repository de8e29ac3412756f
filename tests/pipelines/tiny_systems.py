"""Parameters with which each system runs in a second or two. A new system joins the tests with one row of ``TINY``."""

from typing import Any

TINY_SAE: dict[str, Any] = {
    "image_size": 32,
    "embed_dim": 16,
    "depth": 1,
    "num_heads": 2,
    "prune_blocks": [0],
    "keep_rate": 0.5,
    "backbone_widths": [4, 4, 8],
    "backbone_units": [1, 1, 1],
    "landmark_widths": [4, 4, 4, 16],
    "landmark_units": [1, 1, 1],
}

CPU = {"accelerator": "cpu", "devices": 1, "precision": "32-true", "num_workers": 0, "threads": 1}

TINY: dict[str, dict[str, Any]] = {
    "sae": {
        "model": TINY_SAE,
        "training": {"max_epochs": 1, "batch_size": 8, "device": CPU},
        "prediction": {"device": CPU},
        "evaluation": {"resamples": 100},
    },
    "softmax_regression": {
        "model": {"image_size": 8},
        "training": {"max_epochs": 2, "batch_size": 8, "device": CPU},
        "prediction": {"device": CPU},
        "evaluation": {"resamples": 100},
    },
}

TINY_DATA: dict[str, dict[str, Any]] = {
    "raf_db": {
        "twin": {"draw": True, "num_train": 42, "num_test": 21, "image_size": 64},
        "reader": {"source": "aligned"},
        "alignment": {"method": "given", "workers": 1},
    },
    "sfew": {
        "twin": {"draw": True, "num_train": 28, "num_val": 14, "num_unlabelled": 4, "image_size": [96, 120]},
        "reader": {"source": "aligned"},
        "alignment": {"method": "given", "workers": 1},
    },
}
"""Parameters with which each dataset is drawn and prepared in a second or two."""
