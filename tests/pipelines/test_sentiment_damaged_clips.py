"""A folder in which each kind of clip is damaged in its own way goes the whole way; what is missing is said."""

import wave
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.temporary_project import copy_project, open_catalog, run_session
from tests.pipelines.tiny_systems import TINY, TINY_SOURCES

from mien.data.synthetic.ravdess import synthesize_ravdess
from mien.data.video import write_video
from mien.mlflow_run import MlflowRun

pytestmark = pytest.mark.slow

SYNTHETIC = {"num_actors": 3, "clips_per_actor": 8, "seed": 0, "image_size": 96, "fps": 3}
WITHOUT = {
    "03": ("no video", 0, True),
    "04": ("a video without sound", 1, False),
    "05": ("a sound of 8 bits, two channels and 96 kHz", 1, True),
    "06": ("a silent sound", 1, False),
    "07": ("a sound with samples that are no numbers", 1, False),
    "08": ("a video that shows nobody", 0, True),
    "02": ("an empty video file", 0, True),
    "01": ("nothing wrong", 1, True),
}
"""By emotion code: what is done to its files, and whether it is then seen and heard."""


def write_pcm(path: Path, samples: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(samples.dtype.itemsize)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def write_floats(path: Path, samples: np.ndarray, rate: int) -> None:
    """A WAV file of 32-bit floats, which Python's own module does not write."""
    data = samples.astype("<f4").tobytes()
    chunk = np.array([3 + (1 << 16), rate, 4 * rate, 4 + (32 << 16)], "<u4").tobytes()
    sizes = [np.array([each], "<u4").tobytes() for each in (36 + len(data), 16, len(data))]
    path.write_bytes(b"RIFF" + sizes[0] + b"WAVEfmt " + sizes[1] + chunk + b"data" + sizes[2] + data)


def damage(folder: Path) -> None:
    rng = np.random.default_rng(0)
    noise = np.clip(rng.normal(128, 20, (96_000, 2)), 0, 255).astype(np.uint8)
    no_labels = np.full((4, 96, 96, 3), 90, np.uint8)
    for sound in sorted(folder.rglob("03-01-*.wav")):
        video = sound.with_name(f"01{sound.stem[2:]}.mp4")
        emotion = sound.stem.split("-")[2]
        if emotion == "03":
            video.unlink()
        elif emotion == "04":
            from mien.data.video import VideoFrames, frame_times

            frames = VideoFrames(video)
            pictures = np.stack([frames.read(number) for number in range(len(frame_times(video)))])
            write_video(video.with_name(f"02{video.stem[2:]}.mp4"), pictures, SYNTHETIC["fps"])
            video.unlink()
            sound.unlink()
        elif emotion == "05":
            write_pcm(sound, noise, 96_000)
        elif emotion == "06":
            write_pcm(sound, np.zeros((16_000, 1), np.int16), 16_000)
        elif emotion == "07":
            write_floats(sound, np.full(16_000, np.nan), 16_000)
        elif emotion == "08":
            write_video(video, no_labels, SYNTHETIC["fps"])
        elif emotion == "02":
            video.write_bytes(b"")


def test_damaged_clips_are_evaluated_by_what_is_left_of_them(tmp_path, mlflow_store, monkeypatch):
    monkeypatch.setattr(MlflowRun, "log_network", lambda run, network: None)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    project = copy_project(tmp_path / "project", mlflow_store)
    monkeypatch.chdir(project)
    synthesize_ravdess(project / "data" / "demo" / "01_raw" / "ravdess", **SYNTHETIC)
    damage(project / "data" / "demo" / "01_raw" / "ravdess")
    ravdess = {**TINY_SOURCES["ravdess"], "synthetic": {"generate": False}}
    ravdess["alignment"] = {"method": "mtcnn", "min_face_size": 30, "workers": 1}
    ravdess["reader"] = {**ravdess["reader"], "max_passed_over": 1.0}
    params = {**TINY, **TINY_SOURCES, "ravdess": ravdess}
    run_session(project, "sentiment", params=params)
    catalog = open_catalog(project, params=params)
    samples = catalog.load("sentiment.samples").set_index("sample_id")
    predictions = catalog.load("sentiment.predictions")
    assert len(samples) == 24
    for sample_id, clip in samples.iterrows():
        what, seen, heard = WITHOUT[str(sample_id).split("-")[1]]
        assert (min(clip["num_faces"], 1), clip["heard"]) == (seen, heard), f"{sample_id}, {what}"
    fused = predictions[predictions["model"] == "fused"].set_index("sample_id")["senses"]
    expected = {(1, True): "both", (1, False): "face", (0, True): "voice"}
    assert len(fused) == (samples["split"] != "train").sum()
    for sample_id, senses in fused.items():
        assert senses == expected[WITHOUT[str(sample_id).split("-")[1]][1:]], sample_id
    metrics = catalog.load("sentiment.metrics")
    assert metrics["test/face_mean/lacking"] == pytest.approx(3 / 8)
    assert metrics["test/fused/lacking"] == 0
