"""Names of a run: a mistyped one is refused before anything runs, with the known one that it stands for."""

import pytest
from kedro.pipeline import Pipeline, node

from mien.names import DEFAULT_PIPELINE, check_run_names, did_you_mean, likeness, nearest


def step(name: str, entry: str, result: str, **kind) -> Pipeline:
    return Pipeline([node(len, entry, result, name=name, **kind)])


SOURCE = step("provide", "raw", "table")
SYSTEM = Pipeline([node(len, "table", "network", name="train"), node(len, "network", "metrics", name="evaluate")])
NAMED = Pipeline(SYSTEM, namespace="sae", inputs={"table": "table"})
PIPELINES = {"data_raf_db": SOURCE, "sae": SOURCE + NAMED, "report": step("draw", "x", "y", tags="synthetic")}


@pytest.mark.parametrize(
    ("given", "known", "near"),
    [
        ("epochs", ["spos", "max_epochs"], "max_epochs"),  # by letters alone it would be spos
        ("SAE", ["spos", "sae"], "sae"),
        ("sea", ["spos", "sae"], "sae"),
        ("learning_rate", ["drop_rate", "lr"], "lr"),
        ("dropout", ["drop_path_rate", "drop_rate"], "drop_rate"),
        ("maxEpochs", ["epochs_max_of", "max_epochs"], "max_epochs"),
        ("max-epoch", ["max_epochs", "shrink_epochs"], "max_epochs"),
        ("batch", ["batch_norm_of_all", "batch_size"], "batch_size"),
        ("train", ["sae.evaluate", "sae.train"], "sae.train"),
        ("trian", ["sae.evaluate", "sae.train"], "sae.train"),
        ("nonsense", ["sae", "spos", "report"], None),
        ("x", [], None),
    ],
)
def test_a_name_is_near_by_letters_by_words_or_by_meaning(given, known, near):
    assert nearest(given, known) == near
    assert did_you_mean(given, known) == (f"Did you mean {near}? " if near else "")


def test_likeness_is_whole_for_the_same_words_alone():
    assert likeness("SAE_FERPlus", "sae_ferplus") == 1
    assert likeness("rate", "keep_rate") < 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"pipelines": ["SAE"]},
            r"--pipelines names 'SAE'.*\nDid you mean sae\? Pipelines are: data_raf_db, report, sae\.",
        ),
        (
            {"from_nodes": ["sae.trian"]},
            r"--from-nodes names 'sae\.trian', and sae has no such node.\nDid you mean sae\.train\?",
        ),
        ({"to_nodes": ["train"]}, r"--to-nodes names 'train'.*\nDid you mean sae\.train\?"),
        ({"node_names": ["SAE.evaluate"]}, r"--nodes names .*\nDid you mean sae\.evaluate\?"),
        ({"pipelines": ["report"], "node_names": ["sae.train"]}, "It is one of the pipeline sae: add --pipelines=sae."),
        ({"from_inputs": ["tabel"]}, r"--from-inputs names 'tabel'.*\nDid you mean table\?"),
        ({"to_outputs": ["sae.metric"]}, r"--to-outputs names .*\nDid you mean sae\.metrics\?"),
        ({"namespaces": ["sea"]}, r"--namespaces names .*\nDid you mean sae\?"),
        ({"tags": ["nightly"]}, "There is no tag at all"),
        ({"pipelines": ["report"], "tags": ["syntetic"]}, r"Did you mean synthetic\?"),
    ],
)
def test_every_name_that_a_run_takes_is_checked(options, said):
    with pytest.raises(ValueError, match=said):
        check_run_names(options, PIPELINES | {"__default__": PIPELINES[DEFAULT_PIPELINE]})


def test_known_names_pass():
    check_run_names({}, PIPELINES)
    check_run_names(
        {"pipelines": ["sae", "report"], "from_nodes": ("sae.train", "draw"), "tags": ("synthetic",)}, PIPELINES
    )
    check_run_names({"from_inputs": ["table"], "to_outputs": ["sae.metrics"], "namespaces": ["sae"]}, PIPELINES)
