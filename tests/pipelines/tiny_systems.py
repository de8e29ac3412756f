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

PREDICTION_CPU = {"accelerator": "cpu", "precision": "32-true", "num_workers": 0, "threads": 1}
CPU = {**PREDICTION_CPU, "devices": 1}

TINY_SAE_RUN: dict[str, Any] = {
    "model": TINY_SAE,
    "training": {"max_epochs": 1, "batch_size": 8, "device": CPU},
    "prediction": {"device": PREDICTION_CPU},
    "evaluation": {"resamples": 100},
}

TINY_FER_FORMER: dict[str, Any] = {
    "model": {
        "image_size": 24,
        "embed_dim": 16,
        "depth": 2,
        "num_heads": 2,
        "patch_projection": "pooled",
        "backbone_widths": [4, 8],
        "backbone_units": [1, 1],
        "text_vocab_size": 24,
        "text_context_length": 16,
        "text_width": 8,
        "text_depth": 1,
        "text_heads": 2,
        "text_embed_dim": 8,
    },
    "training": {"max_epochs": 1, "batch_size": 8, "device": CPU},
    "prediction": {"device": PREDICTION_CPU},
    "evaluation": {"resamples": 100},
}

TINY_LANDMARKS: dict[str, Any] = {
    "synthetic_faces": {
        "num_faces": 60,
        "faces_per_person": 1,
        "validation_fraction": 0.17,
        "test_fraction": 0.17,
        "crops": {"size": 32},
        "workers": 1,
    },
    "model": {"image_size": 32, "widths": [4, 4, 4, 16], "units": [1, 1, 1]},
    "training": {"max_epochs": 2, "batch_size": 8, "device": CPU},
    "prediction": {"device": PREDICTION_CPU},
    "evaluation": {"resamples": 100},
}
"""A source that systems read; its sizes are those of TINY_SAE's landmark stream."""

TINY_COMP_CNN: dict[str, Any] = {
    "model": {"widths": [2, 2, 2], "hidden": [4, 4], "members": ["comb_svm"]},
    "training": {
        "max_epochs": 2,
        "batch_size": 8,
        "num_seeds": 1,
        "workers": 1,
        "svm": {"costs": [1.0], "num_folds": 2},
        "device": CPU,
    },
    "prediction": {"device": PREDICTION_CPU},
    "evaluation": {"resamples": 100},
}

TINY_PART = {"max_epochs": 1, "batch_size": 8}

TINY_SENTIMENT: dict[str, Any] = {
    "voice": {"max_seconds": 1.0},
    "model": {
        "face": {"widths": [2, 3], "hidden": 4},
        "ward": {"image_size": 24, "widths": [2, 2, 2, 2]},
        "motion": {"length": 2},
        "lstm": {"hidden": 4},
        "voice": {"widths": [4, 4]},
    },
    "training": {
        **TINY_PART,
        **dict.fromkeys(("ward", "motion", "lstm", "voice"), TINY_PART),
        "linear": {"regularisation": [0.1]},
        "device": CPU,
    },
    "prediction": {"device": PREDICTION_CPU},
    "evaluation": {"resamples": 100},
}

TINY_SENTIMENT_RUN = {
    **TINY_SENTIMENT,
    # of every kind one: each step of Lopes' that is left out reads all clips once more
    "model": TINY_SENTIMENT["model"]
    | {"members": ["face_mean", "face_motion", "face_two_stream", "without_crop", "rules", "voice", "fused"]},
}

TINY_DENSE: dict[str, Any] = {"hidden": [8, 4], "dropout": [0.1]}
TINY_STAGES: dict[str, Any] = {"channels": [2, 2], "conv_dropout": [0.1]}

TINY_ATTRIBUTES: dict[str, Any] = {
    "model": {
        "image_size": 16,
        "num_components": 6,
        "members": ["age_cnn", "gender_dnn_fixed", "ethnicity_pca_dnn", "gender_linear"],
        "networks": {
            "age_cnn": {**TINY_STAGES, **TINY_DENSE},
            "gender_dnn_fixed": TINY_DENSE,
            "ethnicity_pca_dnn": TINY_DENSE,
            "gender_cnn": {**TINY_STAGES, "hidden": [4]},
            "ethnicity_cnn": {**TINY_STAGES, "hidden": [4]},
            "multi_task": {**TINY_STAGES, "hidden": [4]},
        },
    },
    "training": {"max_epochs": 2, "batch_size": 8, "penalties": [100.0], "device": CPU},
    "prediction": {"device": PREDICTION_CPU},
    "evaluation": {"resamples": 100},
}

TINY_FACE_AGING: dict[str, Any] = {
    "model": {
        "image_size": 16,
        "noise_dim": 4,
        "widths": [4, 4],
        "critic_widths": [4, 4],
        "encoder": True,
        "estimator": "age_cnn",
    },
    "training": {"max_epochs": 2, "batch_size": 8, "device": CPU},
    "prediction": {"device": PREDICTION_CPU},
    "evaluation": {"resamples": 100},
}

TINY: dict[str, dict[str, Any]] = {
    "comp_cnn": {**TINY_COMP_CNN, "protocol": {"curve": {"train_subjects": [4], "test_folds": [0]}}},
    "comp_cnn_spos": TINY_COMP_CNN,
    "age_gender_ethnicity": TINY_ATTRIBUTES,
    "face_aging": TINY_FACE_AGING,
    "fer_former": TINY_FER_FORMER,
    "fer_former_ferplus": TINY_FER_FORMER,
    "fer_former_sfew": TINY_FER_FORMER,
    "sae": TINY_SAE_RUN,
    "sae_ferplus": TINY_SAE_RUN,
    "sentiment": TINY_SENTIMENT_RUN,
    "sentiment_crema_d": TINY_SENTIMENT_RUN,
    "sentiment_cross": {
        **TINY_SENTIMENT_RUN,
        "model": TINY_SENTIMENT["model"]
        | {"members": ["face_mean", "voice", "fused"], "fusion": {"face": "face_mean"}},
    },
    "softmax_regression": {
        "model": {"image_size": 8},
        "training": {"max_epochs": 2, "batch_size": 8, "device": CPU},
        "prediction": {"device": PREDICTION_CPU},
        "evaluation": {"resamples": 100},
    },
}

TINY_DATA: dict[str, dict[str, Any]] = {
    "raf_db": {
        "synthetic": {"generate": True, "num_train": 42, "num_test": 21, "image_size": 64},
        "reader": {"source": "aligned"},
        "alignment": {"method": "given", "workers": 1},
    },
    "sfew": {
        "synthetic": {"generate": True, "num_train": 28, "num_val": 14, "num_unlabelled": 4, "image_size": [96, 120]},
        "reader": {"source": "aligned"},
        "alignment": {"method": "given", "workers": 1},
    },
    "nvie": {
        "synthetic": {"generate": True, "num_subjects": 10, "num_emotions": 1, "image_size": 96},
        "reader": {"num_folds": 3, "max_passed_over": 0.5},
        "alignment": {"method": "given", "workers": 1},
    },
    "spos": {
        "synthetic": {"generate": True, "share": 0.1, "image_size": 96},
        "alignment": {"method": "given", "workers": 1},
    },
    "ferplus": {
        "synthetic": {"generate": True, "num_train": 24, "num_val": 16, "num_test": 16},
        "alignment": {"method": "given", "workers": 1},
    },
    "age_csv": {"synthetic": {"generate": True, "num_samples": 40}, "alignment": {"workers": 1}},
    "ravdess": {
        "synthetic": {"generate": True, "num_actors": 3, "clips_per_actor": 8, "image_size": 64, "fps": 1},
        "reader": {"validation_fraction": 0.3, "test_fraction": 0.3},
        "audio": {"workers": 1},
        "lopes": {"num_synthetic": 2, "workers": 1},
        "alignment": {"method": "given", "workers": 1},
    },
    "crema_d": {
        "synthetic": {"generate": True, "num_actors": 3, "clips_per_actor": 6, "image_size": 64, "fps": 1},
        "reader": {"validation_fraction": 0.3, "test_fraction": 0.3},
        "audio": {"workers": 1},
        "lopes": {"num_synthetic": 2, "workers": 1},
        "alignment": {"method": "given", "workers": 1},
    },
}
"""Parameters with which each dataset is drawn and prepared in a second or two."""

TINY_SOURCES = {**TINY_DATA, "landmarks": TINY_LANDMARKS}
"""What systems read."""
