"""What the sentiment systems gather of clips: classes, senses that are missing, sounds, joined datasets."""

import logging
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.pipelines.synthetic_clip_inputs import clip_inputs, clip_table

from mien.data.voice_features import NUM_EGEMAPS, PROSODY
from mien.io.packed_audio import Waveforms
from mien.io.schemas import ClipSamples
from mien.pipelines.sentiment import clips as sources
from mien.pipelines.sentiment.clips import describe_voices, gather, join_clips, join_inputs, select_clips
from mien.pipelines.sentiment.evaluation import sentiment_of, sentiment_target
from mien.pipelines.sentiment.params import ClassParams, RuleParams, VoiceFeatureParams, VoiceSVMParams

ALL = ClassParams(keep=("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"))
OURS = VoiceSVMParams(functionals="prosody_and_bands")
EGEMAPS = partial(VoiceSVMParams, functionals="egemaps")


def clips(**columns: list) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c", "d"],
            "split": ["train", "val", "test", "test"],
            "synthetic": True,
            "subject": ["1", "2", "3", "3"],
            "gender": "male",
            "intensity": "normal",
            "expression": ["neutral", "happy", "happy", "sad"],
            "audio_reason": "read",
            "audio_samples": 100,
        }
    )
    return table.assign(**columns)


def frames(names: list[str], reason: str = "aligned") -> pd.DataFrame:
    return pd.DataFrame({"clip": names, "face_index": range(len(names)), "reason": reason, "time_seconds": 0.0})


def test_classes_are_numbered_in_the_projects_order_and_others_left_out():
    selected = select_clips(clips(), frames(["a", "b", "c", "d"]), ClassParams(keep=("sad", "happy", "fear")))
    ClipSamples.validate(selected)
    assert selected["sample_id"].tolist() == ["b", "c", "d"]
    assert selected["label"].tolist() == [0, 0, 1], "happy comes before sad; no clip is of fear"
    assert selected["face_index"].tolist() == [1, 2, 3], "the place among all clips, by which sounds are found"


def test_a_clip_without_a_sense_is_kept_and_one_with_neither_has_no_row(caplog):
    table = clips(audio_reason=["read", "silent", "not_finite", "read"])
    seen = pd.concat([frames(["a", "b", "b"]), frames(["c"], "no_face").assign(face_index=3)])
    with caplog.at_level(logging.WARNING, "mien"):
        selected = select_clips(table, seen, ALL)
    assert selected["num_faces"].tolist() == [1, 2, 0, 0]
    assert selected["heard"].tolist() == [True, False, False, True]
    assert selected["face_index"].tolist() == [0, 1, -1, 3]
    assert "1 clips have no face, the first d" in caplog.text
    assert "1 clips have no voice, the first b" in caplog.text
    assert "1 clips have neither, the first c" in caplog.text


def test_clips_that_leave_nothing_to_tell_apart_are_refused():
    with pytest.raises(ValueError, match=r"the dataset has happy: there is nothing to tell apart. Set classes.keep"):
        select_clips(clips(), frames(["a"]), ClassParams(keep=("happy", "fear")))
    with pytest.raises(ValueError, match="None of the 4 clips has a face or a voice"):
        select_clips(clips(audio_reason=["silent"] * 4), frames(["a"], "no_face"), ALL)
    with pytest.raises(ValueError, match="not different names"):
        ClassParams(keep=("happy", "joy"))


def test_sounds_lie_one_after_the_other_and_a_clip_without_one_has_none():
    rng = np.random.default_rng(0)
    lengths = np.array([8000, 0, 24000])
    samples = rng.normal(0, 3000, lengths.sum()).astype(np.int16)
    audio = Waveforms(samples, np.cumsum(lengths) - lengths, lengths, np.array(["read", "silent", "read"]), 16_000)
    table = pd.DataFrame({"audio_reason": ["read", "silent", "read"]})
    voices = describe_voices(table, audio, VoiceFeatureParams(num_mels=8, max_seconds=1.0), OURS)
    assert voices["length"].tolist() == [50, 0, 100], "the third loses its ends"
    assert voices["contours"].shape == (150, 11)
    assert voices["functionals"].shape == (3, len(PROSODY) + 16)
    assert not voices["functionals"][1].any()
    assert voices["functionals"][2, PROSODY.index("seconds")] == pytest.approx(1.5), (
        "functionals are of the whole sound"
    )


def test_egemaps_are_kept_beside_prosody_and_only_where_they_are_requested():
    pytest.importorskip("opensmile", reason="the extra opensmile is not installed")
    lengths = np.array([8000, 0])
    samples = np.random.default_rng(0).normal(0, 3000, lengths.sum()).astype(np.int16)
    audio = Waveforms(samples, np.cumsum(lengths) - lengths, lengths, np.array(["read", "silent"]), 16_000)
    table, voice = pd.DataFrame({"audio_reason": ["read", "silent"]}), VoiceFeatureParams(num_mels=8, max_seconds=1.0)
    ours = describe_voices(table, audio, voice, OURS)
    both = describe_voices(table, audio, voice, EGEMAPS())
    assert list(ours) == ["contours", "length", "functionals"]
    for name, array in ours.items():
        np.testing.assert_array_equal(both[name], array)
    assert both["egemaps"].shape == (2, NUM_EGEMAPS)
    assert np.isfinite(both["egemaps"]).all()
    assert both["egemaps"][0].any()
    assert not both["egemaps"][1].any(), "nothing is heard"
    faces = {"pictures": np.zeros((0, 48, 48, 3), np.uint8), "faces": {}, "jittered": {}}
    cues = {"cues": np.zeros((0, 6))}
    nothing_seen = frames([]).assign(split=[])
    for described, taken in ((ours, "functionals"), (both, "egemaps")):
        inputs = gather(nothing_seen, faces, cues, described)
        np.testing.assert_array_equal(inputs.functionals, described[taken])
        np.testing.assert_array_equal(inputs.prosody, ours["functionals"][:, : len(PROSODY)])


def test_egemaps_without_opensmile_are_refused_with_the_parameters(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    assert VoiceSVMParams(functionals="prosody_and_bands") == OURS
    with pytest.raises(ValueError, match=r"not installed here.*pip install 'mien\[opensmile\]'.*prosody_and_bands"):
        EGEMAPS()


def test_datasets_are_joined_by_their_shared_classes_and_the_second_is_tested_whole():
    trained, evaluated = clip_table({"train": 2, "val": 1, "test": 1}), clip_table({"train": 1, "test": 1})
    evaluated = evaluated[evaluated["expression"] != "fear"].assign(sample_id=lambda t: "other_" + t["sample_id"])
    both = join_clips(trained, evaluated, trained)
    assert sorted(set(both["expression"])) == ["happy", "sad"]
    assert both["label"].tolist() == [["happy", "sad"].index(name) for name in both["expression"]]
    assert (both.loc[both["sample_id"].str.startswith("other_"), "split"] == "test").all()
    assert not both.loc[~both["sample_id"].str.startswith("other_"), "split"].eq("test").any()
    first, second = clip_inputs(trained), clip_inputs(evaluated.assign(sample_id=evaluated["sample_id"]), seed=1)
    joined = join_inputs(first, second)
    moved = joined.frames_of(both[both["split"] == "test"].reset_index(drop=True))
    np.testing.assert_array_equal(
        joined.faces["full"][moved["face_index"].iloc[0]], second.faces["full"][second.frames["face_index"].iloc[0]]
    )
    assert (moved["jittered_face_index"] == -1).all()
    place = len(trained)
    np.testing.assert_array_equal(
        joined.contours[joined.start[place] : joined.start[place] + joined.length[place]],
        second.contours[: second.length[0]],
    )


def test_datasets_without_two_shared_classes_cannot_be_joined():
    one = clip_table({"train": 1})
    with pytest.raises(ValueError, match="share the classes happy: give them two"):
        join_clips(one, one[one["expression"] == "happy"], one)


def test_sentiment_follows_from_the_emotions():
    names = ("surprise", "fear", "happy", "neutral")
    scores = np.array([[0.1, 0.2, 0.3, 0.4], [0.3, 0.0, 0.35, 0.35], [0.0, 0.6, 0.4, 0.0], [0.1, 0.1, 0.8, 0.0]])
    valence, sentiment = sentiment_of(scores, names)
    np.testing.assert_allclose(valence, [0.1, 0.35, -0.2, 0.7])
    assert sentiment == ["neutral", "neutral", "negative", "positive"]
    assert sentiment_target(np.arange(4), names).tolist() == [1, 0, 2, 1]


def test_rules_need_a_threshold_for_each_cue():
    with pytest.raises(ValueError, match="give one above 0 for each of eye_lip_distance"):
        RuleParams(neutral="first_frame", thresholds={"teeth": 0.1})


def test_faces_whose_eyes_fall_together_have_no_cues_and_frames_without_a_face_are_not_looked_at(monkeypatch, caplog):
    found = np.random.default_rng(0).uniform(0.2, 0.8, (2, 68, 2))
    found[1, 36:48] = 0.5
    monkeypatch.setattr(sources, "apply_to_images", lambda *given: found.reshape(2, -1))
    network = SimpleNamespace(model=SimpleNamespace(image_size=48))
    table = pd.concat([frames(["a", "b"]), frames(["c"], "no_face").assign(face_index=2)], ignore_index=True)
    faces = np.random.default_rng(1).integers(0, 256, (3, 48, 48, 3), np.uint8)
    with caplog.at_level(logging.WARNING, "mien"):
        reported = sources.find_cues(table, faces, network, None)
    assert np.isfinite(reported["cues"]).all(axis=1).tolist() == [True, False, False]
    assert "both eyes of 1 of 2 faces were found in one place" in caplog.text
