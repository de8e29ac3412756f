"""What the project draws at random besides augmentation, sampled without drawing a picture: the table of factors.

Each entry of ``FACTORS`` returns the parts of one random thing, over many of it. Parts of different groups must tell
nothing of each other; those of one group may, as a person's gender and beard do.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
import yaml
from tests.project.augmentation_factors import CONF, Groups, one_by_one

from mien.data.folds import fold_trials, subject_folds
from mien.data.landmarks import LandmarkCrops, place_landmark_face
from mien.data.splits import stratified_split, stratified_validation
from mien.data.synthetic import FaceParameters, Identity
from mien.data.synthetic import age_csv as synthetic_age_csv
from mien.data.synthetic import clips as synthetic_clips
from mien.data.synthetic import crema_d as synthetic_crema_d
from mien.data.synthetic import ferplus as synthetic_ferplus
from mien.data.synthetic import pairs as synthetic_pairs
from mien.data.synthetic import raf_db as synthetic_raf_db
from mien.data.synthetic import ravdess as synthetic_ravdess
from mien.data.synthetic import sfew as synthetic_sfew
from mien.data.synthetic.pairs import SyntheticPair
from mien.data.synthetic.voice import Syllable, sample_prosody, sample_speaker
from mien.engine.sampling import EpochBatches
from mien.engine.seed import derive_seed, seed_everything
from mien.labels import EMOTIONS, KINDS

CROPS = LandmarkCrops(48, 0.7, 30.0, 0.15, 0.08, 14.0, 8.0, 0.3)


class PlacedError(Exception):
    """A face is about to be drawn: what decides it is known."""

    def __init__(self, parameters: FaceParameters) -> None:
        super().__init__()
        self.parameters = parameters


def _stop(parameters: FaceParameters, *args: Any, **kwargs: Any) -> None:
    raise PlacedError(parameters)


def parameters_of(module: Any, draw: Callable[..., Any], *args: Any) -> FaceParameters:
    """What a dataset's synthetic would draw."""
    name = "render_scene" if hasattr(module, "render_scene") else "render_face"
    with patch.object(module, name, _stop):
        try:
            draw(*args)
        except PlacedError as placed:
            return placed.parameters
    raise AssertionError(f"{draw} draws nothing")


def face_groups(faces: list[FaceParameters], *, with_person: bool = True) -> dict[str, dict[str, np.ndarray]]:
    """Parts of faces: who, where the head turns, the light, the surroundings, the camera, the framing."""

    def column(read: Callable[[FaceParameters], Any]) -> np.ndarray:
        return np.array([read(face) for face in faces])

    groups = {
        "pose": {
            "yaw": column(lambda f: f.pose.yaw),
            "pitch": column(lambda f: f.pose.pitch),
            "roll": column(lambda f: f.pose.roll),
            "gaze": column(lambda f: f.pose.gaze[0]),
        },
        "light": {
            "azimuth": column(lambda f: f.light.azimuth),
            "elevation": column(lambda f: f.light.elevation),
            "strength": column(lambda f: f.light.strength),
            "colour": column(lambda f: f.light.key[0]),
        },
        "backdrop": {
            "kind": column(lambda f: f.backdrop.kind),
            "tone": column(lambda f: f.backdrop.near[0]),
            "clothes": column(lambda f: f.backdrop.clothes[0]),
            "shapes": column(lambda f: f.backdrop.texture_seed),
        },
        "camera": {
            "noise": column(lambda f: f.camera.noise),
            "noise seed": column(lambda f: f.camera.noise_seed),
            "exposure": column(lambda f: f.camera.exposure),
            "blur": column(lambda f: f.camera.blur),
        },
        "framing": {"x": column(lambda f: f.framing.x), "size": column(lambda f: f.framing.scale)},
    }
    person = {
        "gender": column(lambda f: f.identity.gender),
        "ethnicity": column(lambda f: f.identity.ethnicity),
        "age": column(lambda f: f.identity.age),
        "skin": column(lambda f: f.identity.melanin),
        "face": column(lambda f: f.identity.face_width),
        "mouth": column(lambda f: f.identity.mouth_width),
        "hair": column(lambda f: f.identity.hair_style),
        "texture": column(lambda f: f.identity.texture_seed),
        "glasses": column(lambda f: f.glasses.kind),
    }
    return {"person": person, **groups} if with_person else groups


def halves(n: int) -> dict[str, np.ndarray]:
    """Where a thing lies in its file: the first half or the second, at an even or an odd place."""
    return {"half": np.arange(n) * 2 // n, "parity": np.arange(n) % 2}


def raf_db_factors() -> Groups:
    """Class, split, validation and all of a face."""
    arguments = {"num_train": 900, "num_test": 400, "seed": 0, "image_size": 96}
    images = list(synthetic_raf_db._images(arguments))
    faces = [parameters_of(synthetic_raf_db, synthetic_raf_db._write_image, Path(), image) for image in images]
    train = np.array([image.name.startswith("train") for image in images])
    table = pd.DataFrame(
        {
            "sample_id": [image.name for image in images],
            "label": [image.label for image in images],
            "split": np.where(train, "train", "test"),
        }
    )
    split = stratified_validation(table, 0.2, seed=0)["split"].to_numpy()
    file = {"split": train, **halves(len(images))}
    groups = {"class": {"": table["label"].to_numpy()}, "file": file, **face_groups(faces)}
    return {**groups, "validation": {"": np.where(train, split == "val", np.nan)}}


def ferplus_factors() -> Groups:
    """Class, votes for the unknown and all of a face; rows that show an earlier one's face are left out."""
    rows = list(synthetic_ferplus._rows({"train": 700, "val": 300, "test": 300}, seed=0))
    own = {row.image_seed: row for row in reversed(rows) if row.name and not row.clear}
    kept = list(own.values())
    faces = [parameters_of(synthetic_ferplus, synthetic_ferplus._render_line, row) for row in kept]
    votes = np.array([max(synthetic_ferplus._sample_votes(row)) for row in kept])
    label = {"expression": np.array([row.expression for row in kept]), "votes": votes}
    return {"class": label, "split": {"": np.array([row.usage for row in kept])}, **face_groups(faces)}


def sfew_factors() -> Groups:
    """Class and all of a face, one frame of each subject."""
    frames = [frame for split in (0, 1) for frame in synthetic_sfew._frames(0, split, 3_000)]
    kept = list({(frame.split_id, frame.movie, frame.subject): frame for frame in frames}.values())
    faces = [parameters_of(synthetic_sfew, synthetic_sfew._scene, 0, (128, 160), frame) for frame in kept]
    expressions = np.array([frame.expression for frame in kept])
    return {"class": {"": expressions}, "split": {"": np.array([f.split_id for f in kept])}, **face_groups(faces)}


def age_csv_factors() -> Groups:
    """Age, gender, ethnicity, split and all of a face but what shows these three."""
    rows = [row for row in synthetic_age_csv._faces(1_300, 0) if not row.name.endswith("99.jpg.chip.jpg")]
    faces = [parameters_of(synthetic_age_csv, synthetic_age_csv._render_pixels, row) for row in rows]
    table = pd.DataFrame(
        {
            "sample_id": [row.name for row in rows],
            "age": [row.age for row in rows],
            "gender": [row.gender for row in rows],
            "ethnicity": [row.ethnicity for row in rows],
        }
    )
    split = stratified_split(table.assign(one=0), ["one"], 0.2, 0.2, seed=0)["split"].to_numpy()
    labels = {name: {"": table[name].to_numpy()} for name in ("age", "gender", "ethnicity")}
    smile = {"smile": {"": np.array([face.expression for face in faces])}}
    chance = {"cheeks": np.array([face.identity.cheek_fullness for face in faces])}
    parts = {"person": chance, **face_groups(faces, with_person=False)}
    return {**labels, **smile, "split": {"": split}, "place": halves(len(rows)), **parts}


def synthetic_pair_faces() -> Groups:
    """Kind, expression, and all of a scene; of another person each time."""
    pairs = [
        SyntheticPair("spos", 0, number, KINDS[number % 2], EMOTIONS[number // 2 % len(EMOTIONS)], 0, 48)
        for number in range(700)
    ]
    onsets, apexes = zip(*(synthetic_pairs.sample_pair(pair) for pair in pairs), strict=True)
    lamps = np.array([synthetic_pairs.sample_illumination(pair) for pair in pairs])
    groups = face_groups(list(onsets))
    groups["light"] = {"lamp": lamps, "elevation": groups["light"]["elevation"]}
    moved = {
        "yaw": np.array([b.pose.yaw - a.pose.yaw for a, b in zip(onsets, apexes, strict=True)]),
        "noise seed": np.array([face.camera.noise_seed for face in apexes]),
    }
    kinds = {"kind": {"": np.array([pair.kind for pair in pairs])}}
    return {**kinds, "expression": {"": np.array([pair.expression for pair in pairs])}, **groups, "apex": moved}


def landmark_faces() -> Groups:
    """Expression, alignment and all of a face whose landmarks are known."""
    placed = [place_landmark_face(CROPS, 0, number, number) for number in range(600)]
    cuts = np.stack([face.cut for face in placed])
    across = cuts[:, 1] - cuts[:, 0]
    roll = np.rad2deg(np.arctan2(across[:, 1], across[:, 0])) - [face.parameters.pose.roll for face in placed]
    own = {
        "expression": {"": np.array([face.expression for face in placed])},
        "aligned": {"": np.array([face.aligned for face in placed])},
        "turn of the crop": {"": np.where([face.aligned for face in placed], roll, np.nan)},
    }
    return {**own, **face_groups([face.parameters for face in placed])}


@contextmanager
def _no_sound() -> Iterator[list[Any]]:
    """Let clips be acted without a sound; what is said how is noted."""
    said: list[Any] = []

    class Said:
        seconds, syllables = 1.0, (Syllable("a", 0.1, 0.9, 1.0),)

        def mouth_opening(self, time: float) -> float:
            return 0.0

    def note(rng: Any, speaker: Any, prosody: Any, *args: Any, **kwargs: Any) -> Said:
        said.append(prosody)
        rng.random(100)
        return Said()

    with patch.object(synthetic_clips, "speak", note):
        yield said


def synthetic_clip_parts() -> Groups:
    """How loud, high and fast a clip is said, how it is shown, how the head sways."""
    actor = synthetic_clips.sample_actor(np.random.default_rng(0), "female", age=30.0, studio="white")
    faces = []
    seeds = []

    def stop(parameters: FaceParameters, *args: Any, seed: int, **kwargs: Any) -> None:
        seeds.append(seed)
        raise PlacedError(parameters)

    with _no_sound() as said, patch.object(synthetic_clips, "render_scene", stop):
        for number in range(700):
            try:
                synthetic_clips.render_clip(np.random.default_rng(number), actor, "happy", ("a",), image_size=64, fps=4)
            except PlacedError as placed:
                faces.append(placed.parameters)
    smile = np.array([face.action_units[12] for face in faces])
    return {
        "voice": {name: np.array([getattr(each, name) for each in said]) for name in ("pitch", "rate", "loudness")},
        "face": {"smile": smile.mean(axis=1), "one-sided": smile[:, 0] - smile[:, 1]},
        "head": {name: np.array([getattr(face.pose, name) for face in faces]) for name in ("roll", "yaw", "pitch")},
        "noise": {"seed": np.array(seeds)},
    }


def ravdess_clips() -> Groups:
    """Emotion, statement, repetition and who."""
    clips = list(
        synthetic_ravdess._clips({"num_actors": 24, "clips_per_actor": 40, "seed": 0, "image_size": 64, "fps": 4})
    )
    codes = {name: np.array([getattr(clip, name) for clip in clips]) for name in ("statement", "repetition")}
    gender = {"": np.array([clip.actor % 2 for clip in clips])}
    return {"emotion": {"": np.array([clip.emotion for clip in clips])}, **one_by_one(codes), "gender": gender}


def crema_d_clips() -> Groups:
    """An actor's first emotion, and who it is."""
    clips = list(
        synthetic_crema_d._clips({"num_actors": 500, "clips_per_actor": 1, "seed": 0, "image_size": 64, "fps": 4})
    )
    actors = {clip.actor: synthetic_crema_d._actor(0, clip.actor) for clip in clips}
    ages = {"": np.array([actors[clip.actor].face.identity.age > 40 for clip in clips])}
    return {
        "emotion": {"": np.array([clip.emotion for clip in clips])},
        "gender": {"": np.array([clip.actor % 2 for clip in clips])},
        "age": ages,
    }


def voices() -> Groups:
    """Every number of a voice."""
    made = [sample_speaker(np.random.default_rng(number), "male") for number in range(1_200)]
    return one_by_one({each.name: np.array([getattr(one, each.name) for one in made]) for each in fields(made[0])})


def prosodies() -> Groups:
    """Every number of how something is said, in an emotion that sounds like no other."""
    made = [sample_prosody(np.random.default_rng(number), "calm") for number in range(1_200)]
    return one_by_one({each.name: np.array([getattr(one, each.name) for one in made]) for each in fields(made[0])})


def lopes_jitter() -> Groups:
    """Both coordinates of both eyes, of a face's first two neighbours and of the next face."""
    from mien.data import lopes
    from mien.nodes.lopes import LopesParams, _prepare_one

    text = yaml.safe_load((CONF / "base" / "parameters_datasets.yml").read_text())
    settings = text["ravdess"]["lopes"] | {"normalise": False, "num_synthetic": 2}
    params, jitter = LopesParams(**settings), lopes.jitter_eyes
    image, eyes, moved = np.zeros((40, 40), np.uint8), np.array([[10.0, 20.0], [30.0, 20.0]]), []

    def note(*args: Any) -> np.ndarray:
        moved.append(jitter(*args))
        return moved[-1]

    with patch.object(lopes, "jitter_eyes", note):
        for number in range(900):
            _prepare_one([image], f"image_{number}.jpg", "points", eyes, params, 2)
    found = np.stack(moved)  # (n, 2 neighbours, 2 eyes, 2)
    parts = {
        f"{eye} eye's {axis} of neighbour {k + 1}": found[:-1, k, e, a]
        for k in (0, 1)
        for e, eye in enumerate(("left", "right"))
        for a, axis in enumerate("xy")
    }
    return one_by_one({**parts, "left eye's x of the next face": found[1:, 0, 0, 0]})


class _Noted(torch.nn.Module):
    """A network of noise or image and label that notes its noise and labels."""

    def __init__(self, outputs: int, notes: list[tuple[np.ndarray, np.ndarray]] | None) -> None:
        super().__init__()
        self.layer, self.notes = torch.nn.LazyLinear(outputs), notes

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.notes is not None:
            self.notes.append((x.detach().numpy().copy(), labels.numpy().copy()))
        return self.layer(x.flatten(1))


class _Pair(torch.nn.Module):
    noise_dim = 2

    def __init__(self, notes: list[tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__()
        self.generator, self.critic, self.encoder = _Noted(4, notes), _Noted(1, None), None
        self.critic(self.generator(torch.zeros(2, 2), torch.zeros(2)), torch.zeros(2))
        notes.clear()


def ageing_noise() -> Groups:
    """The noise of the two steps of a batch, of the next batch and of the next epoch, beside the ages."""
    from torch.utils.data import TensorDataset

    from mien.engine.adversarial import AdversarialRecipe, fit_adversaries
    from mien.engine.checkpoint import Checkpoints
    from mien.engine.device import make_fabric

    n, batch = 512, 64
    ages = np.random.default_rng(0).integers(1, 100, n)

    class Faces(TensorDataset):
        def __getitem__(self, key: int) -> Any:
            return (torch.zeros(1, 2, 2),), torch.tensor(ages[key % n])

    notes: list[tuple[np.ndarray, np.ndarray]] = []
    model = _Pair(notes)
    recipe = AdversarialRecipe(3, batch, 0, partial(torch.optim.SGD, lr=1e-6), least_diversity=0.0)
    with TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), "same")
        observe = lambda epoch: ({"val/score": 1 / epoch}, {})  # noqa: E731
        fit_adversaries(make_fabric("cpu"), model, Faces(torch.zeros(n)), recipe, checkpoints, observe, "val/score")
    noise, labels = (np.stack(each) for each in zip(*notes, strict=True))  # (epochs * batches * 2, batch, ...)
    steps = noise.reshape(3, n // batch, 2, batch, 2)
    age = labels.reshape(3, n // batch, 2, batch)[:, :, 0]
    now = steps[:2, :-1]
    factors = {
        "age": age[:2, :-1],
        "critic's noise": now[:, :, 0, :, 0],
        "its second number": now[:, :, 0, :, 1],
        "generator's noise": now[:, :, 1, :, 0],
        "the next batch's": steps[:2, 1:, 0, :, 0],
        "the next epoch's": steps[1:, :-1, 0, :, 0],
        "the next epoch's age": age[1:, :-1],
    }
    return one_by_one({name: values.ravel() for name, values in factors.items()})


def dropped_paths() -> Groups:
    """Whether a sample's branch is dropped: beside the next sample, block, batch, epoch and rank."""
    from mien.layers.drop_path import DropPath

    blocks = [DropPath(0.4).train() for _ in range(2)]

    def masks(epoch: int, rank: int) -> np.ndarray:
        seed_everything(0, epoch, rank)
        return np.stack([[block(torch.ones(16, 1))[:, 0].numpy() > 0 for block in blocks] for _ in range(6)])

    # (epoch, rank, batch, block, sample)
    drawn = np.stack([[masks(epoch, rank) for rank in (0, 1)] for epoch in range(1, 22)])
    factors = {
        "this": drawn[:-1, 0, :-1, 0, :-1],
        "the next sample": drawn[:-1, 0, :-1, 0, 1:],
        "the next block": drawn[:-1, 0, :-1, 1, :-1],
        "the next batch": drawn[:-1, 0, 1:, 0, :-1],
        "the next epoch": drawn[1:, 0, :-1, 0, :-1],
        "the next rank": drawn[:-1, 1, :-1, 0, :-1],
    }
    return one_by_one({name: values.ravel() for name, values in factors.items()})


def resamples() -> Groups:
    """How often a unit is drawn: beside its neighbour and the next resample."""
    from mien.metrics.bootstrap import _unit_weights

    weights = _unit_weights(np.random.default_rng(0), 2_000, 3)
    factors = {"this": weights[:-1, 0], "the next unit": weights[1:, 0], "the next resample": weights[:-1, 1]}
    return one_by_one(factors)


def validation_of_trials() -> Groups:
    """Whether a subject chooses the epoch of a trial, beside three other trials; NaN where it is tested in one."""
    chosen = []
    for seed in range(25):
        table = pd.DataFrame({"subject": [f"s{number // 2:03d}" for number in range(120)], "label": [0, 1] * 60})
        table = subject_folds(table, 10, seed).assign(face_index=0, split="folds", sample_id=range(120))
        trials = fold_trials(table, validation_fraction=0.1, seed=seed)
        roles = trials.pivot_table(index="subject", columns="trial", values="split", aggfunc="first")
        chosen.append(np.where(roles == "test", np.nan, roles == "val"))
    columns = np.concatenate(chosen)
    return one_by_one({f"fold {fold}": columns[:, fold] for fold in (0, 1, 4, 9)})


def data_order() -> Groups:
    """Where a sample comes in an epoch, beside its augmentation, the next sample, the next epoch and the next seed."""
    from mien.data.face_images import FaceImages

    n = 1_200
    seeds: list[int] = []

    def note(image: np.ndarray, seed: int) -> np.ndarray:
        seeds.append(seed)
        return image

    how = {"image_size": 1, "mean": (0.0,) * 3, "std": (1.0,) * 3, "augment": note, "seed": 0}
    samples = FaceImages(np.zeros((n, 1, 1, 3), np.uint8), range(n), np.zeros(n), **how)

    def places(seed: int, epoch: int) -> np.ndarray:
        batches = EpochBatches(n, 30, seed)
        batches.epoch = epoch
        return np.argsort([key % n for batch in batches for key in batch])

    for key in range(n):
        samples[key]
    factors = {
        "place": places(0, 0),
        "sample": np.arange(n),
        "augmentation": np.array(seeds),
        "place in the next epoch": places(0, 1),
        "place in another run": places(1, 0),
        "place of the next sample": np.roll(places(0, 0), -1),
    }
    return one_by_one(factors)


FACTORS: dict[str, Callable[[], Groups]] = {
    "RAF-DB's synthetic faces": raf_db_factors,
    "FERPlus' synthetic faces": ferplus_factors,
    "SFEW's synthetic faces": sfew_factors,
    "the age CSV's synthetic faces": age_csv_factors,
    "synthetic pairs": synthetic_pair_faces,
    "synthetic faces with landmarks": landmark_faces,
    "synthetic clips": synthetic_clip_parts,
    "RAVDESS' synthetic clips": ravdess_clips,
    "CREMA-D's synthetic clips": crema_d_clips,
    "voices": voices,
    "prosodies": prosodies,
    "Lopes' jittered eyes": lopes_jitter,
    "noise of face ageing": ageing_noise,
    "dropped paths": dropped_paths,
    "bootstrap": resamples,
    "validation of a trial": validation_of_trials,
    "data order": data_order,
}
"""Random thing → its parts. One that is new and built of parts gets an entry."""


def persons_of_datasets(number: int = 60) -> dict[str, list[Identity]]:
    """Who the first faces of each synthetic dataset show, all drawn with seed 0."""
    raf = {"num_train": number, "num_test": number, "seed": 0, "image_size": 96}
    rows = [row for row in synthetic_ferplus._rows(dict.fromkeys(("train", "val", "test"), number), 0) if row.name]
    frames = {(f.movie, f.subject): f for f in synthetic_sfew._frames(0, 0, 20 * number)}
    clips = {"num_actors": 24, "clips_per_actor": 8, "seed": 0, "image_size": 64, "fps": 4}
    actors = {clip.actor: clip for clip in synthetic_ravdess._clips(clips)}
    found = {
        "raf_db": [
            parameters_of(synthetic_raf_db, synthetic_raf_db._write_image, Path(), i)
            for i in synthetic_raf_db._images(raf)
        ],
        "ferplus": [parameters_of(synthetic_ferplus, synthetic_ferplus._render_line, row) for row in rows],
        "sfew": [
            parameters_of(synthetic_sfew, synthetic_sfew._scene, 0, (128, 160), frame) for frame in frames.values()
        ],
        "age_csv": [
            parameters_of(synthetic_age_csv, synthetic_age_csv._render_pixels, row)
            for row in synthetic_age_csv._faces(number, 0)
        ],
        "landmarks": [place_landmark_face(CROPS, 0, person, person).parameters for person in range(number)],
        "ravdess": [_actor_of_ravdess(clip) for clip in actors.values()],
        "crema_d": [synthetic_crema_d._actor(0, 1001 + actor).face for actor in range(number)],
        "nvie": [
            synthetic_pairs.sample_pair(SyntheticPair("nvie", 0, s, "posed", "happy", 0, 48))[0] for s in range(number)
        ],
        "spos": [
            synthetic_pairs.sample_pair(SyntheticPair("spos", 0, s, "posed", "happy", 0, 48))[0] for s in range(number)
        ],
    }
    return {name: [face.identity for face in faces] for name, faces in found.items()}


def _actor_of_ravdess(clip: Any) -> FaceParameters:
    def stop(rng: Any, actor: Any, *args: Any, **kwargs: Any) -> None:
        raise PlacedError(actor.face)

    with patch.object(synthetic_ravdess, "render_clip", stop):
        try:
            synthetic_ravdess._write_clip(Path(), clip)
        except PlacedError as placed:
            return placed.parameters
    raise AssertionError("RAVDESS' synthetic draws no clip")


def seeds_of_purposes(seed: int, num: int = 300) -> dict[str, np.ndarray]:
    """Every 32-bit seed that a run of ``num`` epochs derives from its own: order, epoch and rank, augmentation."""
    keys = [int(np.random.SeedSequence((seed, key)).generate_state(1)[0]) for key in range(num)]
    return {
        "order of an epoch": np.array([derive_seed(seed, epoch) for epoch in range(num)]),
        "an epoch's dropout, by rank": np.array([derive_seed(seed, e, rank) for e in range(1, num) for rank in (0, 1)]),
        "augmentation of a sample": np.array(keys),
    }
