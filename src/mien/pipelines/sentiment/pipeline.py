"""The pipelines ``sentiment``, ``sentiment_crema_d`` and ``sentiment_cross``."""

from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from mien.nodes.system import system_pipeline
from mien.pipelines.sentiment.clips import (
    describe_voices,
    find_cues,
    gather,
    gather_faces,
    gather_whole_faces,
    join_clips,
    join_inputs,
    leave_steps_out,
    select_clips,
)
from mien.pipelines.sentiment.drawing import draw_cues, plot, render_clip, show_mistakes
from mien.pipelines.sentiment.evaluation import evaluate, tabulate
from mien.pipelines.sentiment.nodes import initialise, predict, score_over_time, train

INPUTS = "clip_faces_and_voices"
LANDMARKS = "landmark_network"
"""Trained by the pipeline ``landmarks``; the rules measure by it."""

CROSS = ("ravdess", "crema_d")
"""Which dataset ``sentiment_cross`` learns from, and which it is tested on."""


def create_pipelines() -> dict[str, Pipeline]:
    """Clips → networks of face and voice → a row per clip and network → metrics, comparisons and figures.

    On RAVDESS, on CREMA-D, and trained on the one and tested on the other.
    """
    return {
        "sentiment": _on_one("sentiment", "ravdess"),
        "sentiment_crema_d": _on_one("sentiment_crema_d", "crema_d"),
        "sentiment_cross": _across("sentiment_cross", *CROSS),
    }


def _on_one(system: str, dataset: str) -> Pipeline:
    faces = ["faces_48", "faces_lopes", "jittered_lopes"]
    ablated = ["ablated_faces", "ablated_jittered"]
    prepare = [
        node(leave_steps_out, ["frames", "raw", "params:lopes"], ablated, name="leave_steps_out"),
        node(gather_faces, [*faces, *ablated], "gathered_faces", name="gather_faces"),
        *_gathering(clips="samples", inputs=INPUTS),
    ]
    return _system(
        system,
        dataset,
        prepare,
        inputs={LANDMARKS: LANDMARKS, "raw": f"{dataset}.raw", **_read_of(dataset)},
        parameters={"params:lopes": f"params:{dataset}.lopes"},
    )


def _across(system: str, trained: str, evaluated: str) -> Pipeline:
    prepare: list[Node] = []
    inputs = {LANDMARKS: LANDMARKS}
    for part, dataset in (("trained", trained), ("evaluated", evaluated)):
        faces = [f"{part}_{name}" for name in ("faces_48", "faces_lopes", "jittered_lopes")]
        gathered = f"{part}_gathered_faces"
        prepare += [
            node(gather_whole_faces, faces, gathered, name=f"gather_{part}_faces"),
            *_gathering(clips=f"{part}_selected", inputs=f"{part}_inputs", part=f"{part}_"),
        ]
        inputs |= {f"{part}_{name}": entry for name, entry in _read_of(dataset).items()}
    prepare += [
        node(join_clips, ["trained_selected", "evaluated_selected", "trained_clips"], "samples", name="join_clips"),
        node(join_inputs, ["trained_inputs", "evaluated_inputs"], INPUTS, name="join_inputs"),
    ]
    return _system(system, trained, prepare, inputs=inputs)


def _gathering(*, clips: str, inputs: str, part: str = "") -> list[Node]:
    """From a dataset's tables and packed files to its clips and what is to be seen and heard of them."""
    frames, cues, voices = f"{part}frames", f"{part}cues", f"{part}voices"
    measured = [frames, f"{part}faces_48", LANDMARKS, "params:prediction"]
    heard = [f"{part}clips", f"{part}audio", "params:voice", "params:model.voice_svm"]
    seen = [frames, f"{part}gathered_faces", cues, voices]
    return [
        node(select_clips, [f"{part}clips", frames, "params:classes"], clips, name=f"select_{part}clips"),
        node(describe_voices, heard, voices, name=f"describe_{part}voices"),
        node(find_cues, measured, cues, name=f"find_{part}cues"),
        node(gather, seen, inputs, name=f"gather_{part}inputs"),
    ]


def _read_of(dataset: str) -> dict[str, str]:
    """What is read of a dataset, by the names that the nodes give it."""
    packed = ("clips", "audio", "faces_48", "faces_lopes", "jittered_lopes")
    return {"frames": f"{dataset}_samples", **{name: f"{dataset}_{name}" for name in packed}}


def _system(
    system: str, dataset: str, prepare: list[Node], inputs: dict[str, str], parameters: dict[str, str] | None = None
) -> Pipeline:
    over_time = ["samples", INPUTS, "network", "params:prediction"]
    plotted_from = ["predictions", "metrics", "history"]
    moments = ["predictions", "scores_over_time", INPUTS]
    figures = [
        node(score_over_time, over_time, "scores_over_time", name="score_over_time"),
        node(plot, plotted_from, "figures", name="plot"),
        node(tabulate, plotted_from[:2], ["models", "model_comparisons"], name="tabulate"),
        node(show_mistakes, ["predictions", INPUTS], "mistakes_sheet", name="show_mistakes"),
        node(render_clip, moments, "timeline_plot", name="render_clip"),
        node(draw_cues, moments[:2], "cues_plot", name="draw_cues"),
    ]
    return system_pipeline(
        system,
        initialise=initialise,
        dataset=dataset,
        train=train,
        predict=predict,
        evaluate=evaluate,
        packed=INPUTS,
        prepare=prepare,
        inputs=inputs,
        parameters=parameters,
        figures=figures,
    )
