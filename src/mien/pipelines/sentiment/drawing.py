"""Node functions of ``sentiment`` that draw: the fused row as any classifier, the table's rows, one clip over time."""

from typing import Any

import numpy as np
import pandas as pd

from mien import figures
from mien.nodes import plots
from mien.nodes.prediction import SCORE_PREFIX
from mien.pipelines.sentiment.clips import ClipInputs
from mien.pipelines.sentiment.evaluation import NAMES, class_names_of, fused_of, of_row, primary_row, scores_of
from mien.pipelines.sentiment.fusion import fuse
from mien.pipelines.sentiment.members import ABLATED

WEIGHTS = np.linspace(0, 1, 21)
"""On the curve of the fusion's weight."""


def plot(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> dict[str, Any]:
    """Draw what any classifier has of the primary row, and three figures of the whole table.

    Args:
        predictions: The table of ``predict``.
        metrics: Of ``evaluate``.
        history: One row per epoch.

    Returns:
        Figures by name.
    """
    return plots.plot_classes(*_of_primary(predictions, metrics, history)) | _table(predictions, metrics)


def _of_primary(
    predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    shown = [column for column in history if "/" in column and "_" not in column.partition("/")[2]]
    shown += [column for column in history if column.endswith(("/face_accuracy", "/voice_loss"))]
    return of_row(predictions, primary_row(predictions)), metrics, history[["epoch", *shown, "lr"]]


def _table(predictions: pd.DataFrame, metrics: dict[str, Any]) -> dict[str, Any]:
    synthetic = bool(predictions["synthetic"].any())
    rows = list(dict.fromkeys(predictions["model"]))
    n = int((of_row(predictions, rows[0])["split"] == "test").sum())
    points = figures.intervals_plot
    models = points(
        [NAMES[row] for row in rows],
        *_with_ends(metrics, [f"test/{row}/accuracy" for row in rows]),
        f"Test clips (n = {n:,})",
        quantity="accuracy",
        synthetic=synthetic,
    )
    steps = [row for row in ABLATED if f"test/face_mean_minus_{row}/accuracy" in metrics]
    losses = _with_ends(metrics, [f"test/face_mean_minus_{row}/accuracy" for row in steps])
    drawn_steps = (
        points(
            [row.removeprefix("without_") for row in steps],
            *losses,
            f"What each of Lopes' steps adds, test clips (n = {n:,})",
            quantity="accuracy with the step, less without",
            reference=0.0,
            synthetic=synthetic,
        )
        if steps
        else points(
            ["no step left out"], [0.0], [None], [None], "Lopes' steps", quantity="accuracy", synthetic=synthetic
        )
    )
    return {"models": models, "lopes_steps": drawn_steps, "fusion_weight": _weight_curve(predictions, synthetic)}


def _with_ends(metrics: dict[str, Any], keys: list[str]) -> list[list[float | None]]:
    return [[metrics[f"{key}{end}"] for key in keys] for end in ("", "_low", "_high")]


def _weight_curve(predictions: pd.DataFrame, synthetic: bool) -> Any:
    face, voice = fused_of(predictions)
    rows = set(predictions["model"])
    curves, chosen = {}, 0.5
    weights = predictions["weight"].dropna()
    if face in rows and voice in rows and len(weights):
        chosen = float(weights.iloc[0])
        for split in ("val", "test"):
            some = predictions[predictions["split"] == split]
            first, second = of_row(some, str(face)), of_row(some, str(voice))
            target = first["target"].to_numpy()
            curves[split] = np.array(
                [
                    (fuse(_known(first), _known(second), weight).argmax(axis=1) == target).mean()
                    for weight in WEIGHTS.tolist()
                ]
            )
    title = f"Weighted sum of {NAMES.get(str(face), 'face')} and {NAMES.get(str(voice), 'voice')}"
    drawn = curves or {"no weighted sum": np.full(len(WEIGHTS), np.nan)}
    return figures.fusion_weight_plot(WEIGHTS, drawn, chosen, title, synthetic=synthetic)


def _known(rows: pd.DataFrame) -> np.ndarray:
    """Scores, NaN where the row's sense is missing."""
    return np.where((rows["senses"] == "none").to_numpy()[:, None], np.nan, scores_of(rows))


def render_clip(predictions: pd.DataFrame, scores_over_time: pd.DataFrame, inputs: ClipInputs) -> Any:
    """Draw one test clip over time: its frames, scores of face and voice, and what they come to.

    The clip is the one with both senses that the fusion has right while most of its parts are wrong, of equals the one
    that it is surest of.

    Args:
        predictions: The table of ``predict``.
        scores_over_time: The table of ``score_over_time``.
        inputs: With the pictures.
    """
    test = predictions[predictions["split"] == "test"]
    names = class_names_of(predictions)
    chosen, rows = _telling_clip(test)
    reported = test[test["sample_id"] == chosen].set_index("model")
    moments = scores_over_time[scores_over_time["sample_id"] == chosen].sort_values("time_seconds")
    face, voice = (moments[moments["sense"] == sense] for sense in ("face", "voice"))
    columns = [SCORE_PREFIX + name for name in names]
    timeline = figures.Timeline(
        pictures=np.asarray(inputs.pictures[face["face_index"].to_numpy()]),
        face_times=face["time_seconds"].to_numpy(),
        face_scores=face[columns].to_numpy(),
        voice_times=voice["time_seconds"].to_numpy(),
        voice_scores=voice[columns].to_numpy(),
        totals={label: reported.loc[row, columns].to_numpy(float) for label, row in rows.items()},
        target=int(reported["target"].iloc[0]),
        class_names=names,
    )
    title = f"Clip {chosen}, {names[timeline.target]}"
    synthetic = bool(reported["synthetic"].any())
    return figures.timeline_plot(timeline, title, synthetic=synthetic)


def _telling_clip(test: pd.DataFrame) -> tuple[str, dict[str, str]]:
    """The clip that is drawn, and the rows that evaluate it as a whole, by the name that the figure gives them."""
    primary = primary_row(test)
    face, voice = fused_of(test)
    rows = {"face": face, "voice": voice} if primary.startswith("fused") else {}
    present = {label: row for label, row in rows.items() if row in set(test["model"])} | {NAMES[primary]: primary}
    fused = of_row(test, primary)
    target, scores = fused["target"].to_numpy(), scores_of(fused)
    right = scores.argmax(axis=1) == target
    wrong = sum(
        (scores_of(of_row(test, row)).argmax(axis=1) != target).astype(int)
        for row in present.values()
        if row != primary
    )
    full = ((fused["senses"] == "both") | (not primary.startswith("fused"))).to_numpy()
    surest = scores[np.arange(len(target)), target]
    best = np.lexsort([surest, wrong * np.ones(len(target)), right, full])[-1]
    return str(fused["sample_id"].iloc[best]), present


def draw_cues(predictions: pd.DataFrame, scores_over_time: pd.DataFrame) -> Any:
    """Draw how far each of Matsugu et al.'s cues speaks for a smile, by the clip's true expression.

    Args:
        predictions: The table of ``predict``, for the classes of the clips.
        scores_over_time: The table of ``score_over_time``.

    Returns:
        A figure of the means over test clips, of each clip its largest value over time.
    """
    from mien.data.smile_cues import CUES

    names = class_names_of(predictions)
    target = predictions.drop_duplicates("sample_id").set_index("sample_id")["target"]
    faces = scores_over_time[scores_over_time["sense"] == "face"]
    columns = [*CUES, "smile", "laugh"]
    of_clip = faces.groupby("sample_id")[columns].max()
    means = of_clip.groupby(target.loc[of_clip.index].to_numpy()).mean().reindex(range(len(names)))
    synthetic = bool(predictions["synthetic"].any())
    shown = (means.to_numpy(float), names, columns, f"Cues of a smile, test clips (n = {len(of_clip):,})")
    return figures.cues_plot(*shown, synthetic=synthetic)


def show_mistakes(predictions: pd.DataFrame, inputs: ClipInputs) -> np.ndarray:
    """Sheet of mislabelled test clips by their middle frame, the most confident mistakes first.

    Args:
        predictions: The table of ``predict``.
        inputs: With the pictures.

    Returns:
        (H, W, 3) uint8 RGB; a clip without a face is grey.
    """
    rows = of_row(predictions[predictions["split"] == "test"], primary_row(predictions))
    frames = inputs.frames_of(rows)
    pictures = np.full((len(rows), *inputs.pictures.shape[1:]), 200, np.uint8)
    for place, each in frames.groupby("place")["face_index"]:
        pictures[place] = inputs.pictures[each.iloc[len(each) // 2]]
    scores = scores_of(rows)
    return figures.mistakes_sheet(
        pictures,
        rows["target"].to_numpy(),
        scores.argmax(axis=1),
        scores.max(axis=1),
        class_names_of(predictions),
        "Mislabelled test clips",
        synthetic=bool(rows["synthetic"].any()),
    )
