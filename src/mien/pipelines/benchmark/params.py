"""Parameters of ``benchmark``."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mien.errors import MienError
from mien.nodes.params import MOST, MOST_PIXELS, Count, NotNegative, Params, Positive, Seed
from mien.pipelines.benchmark.network_modes import BenchmarkPrecision, Mode

WHOLE = "whole"
"""The part of a network that is all of it."""


class DetectorBenchmark(Params):
    """What the detector is timed on.

    Attributes:
        image_sizes: Sides of the synthetic square scenes, in pixels.
        batch_sizes: Images detected together. As many scenes are rendered as the largest holds.
        threads: Threads that torch and OpenCV compute on.
        repeats: Times that everything is timed, all ways in turn.
        min_face_size: Smallest face looked for, in pixels.
        seed: Of the scenes.
    """

    image_sizes: tuple[Annotated[int, Field(ge=64, le=2048)], ...] = Field(min_length=1)
    batch_sizes: tuple[Count, ...] = Field(min_length=1)
    threads: tuple[Count, ...] = Field(min_length=1)
    repeats: Count
    min_face_size: int = Field(ge=12, le=MOST_PIXELS)
    seed: Seed


class NetworkWay(Params):
    """A network that is measured.

    Attributes:
        name: Stands in the table.
        architecture: One of ``mien.models.list_models()``.
        config: Its arguments, less ``num_classes``; what is not given is the architecture's own default.
    """

    name: str
    architecture: str
    config: dict[str, Any]


class Aim(Params):
    """What the time of one network is to be beside another's, for one part of both.

    Attributes:
        way: Name of the network.
        of: Name of the one that it is compared with.
        part: Which part; ``whole`` for all.
        batch_size: Images at once.
        at_most: The ratio that is aimed at.
    """

    way: str
    of: str
    part: str
    batch_size: Count
    at_most: Positive


class NetworksBenchmark(Params):
    """Which networks are measured, and how.

    Attributes:
        ways: The networks. A new architecture or setting is a row more.
        only: Names of those that are measured; none names all.
        baseline: Name of the one that all others are compared with.
        parts: By architecture, the modules that are also timed alone: name in the table and attribute of the model.
        num_classes: M.
        batch_sizes: Images at once.
        modes: ``eager``, ``compiled`` by ``torch.compile``, which takes about a minute per network, part and batch
            size, and on a GPU ``graph``, without the time that a processor takes to start each kernel.
        precision: Fabric's word for it.
        threads: Threads that torch computes on.
        repeats: Times that everything is timed, all ways in turn.
        seconds: After so long no further round begins, but for the first three of each batch size.
        memory_batch_size: Images at once where peak memory is measured.
        training: Names of the networks whose training step is timed; all their optimisers are held at once.
        train_batch_size: Images of a training step.
        sam_rho: Radius of SAM in that step, which makes it two passes; 0 for none.
        accelerator: ``auto`` takes a GPU if there is one.
        channels_last: Memory layout of images and convolutions.
        aims: Ratios that are aimed at.
        seed: Of weights and images; no time depends on them.
    """

    ways: tuple[NetworkWay, ...] = Field(min_length=1)
    only: tuple[str, ...]
    baseline: str
    parts: dict[str, dict[str, str]]
    num_classes: int = Field(ge=2, le=MOST)
    batch_sizes: tuple[Count, ...] = Field(min_length=1)
    modes: tuple[Mode, ...] = Field(min_length=1)
    precision: BenchmarkPrecision
    threads: tuple[Count, ...] = Field(min_length=1)
    repeats: Count
    seconds: Positive
    memory_batch_size: Count
    training: tuple[str, ...]
    train_batch_size: int = Field(ge=2, le=MOST)
    sam_rho: NotNegative
    accelerator: Literal["auto", "cpu", "cuda"]
    channels_last: bool
    aims: tuple[Aim, ...]
    seed: Seed

    @model_validator(mode="after")
    def _names_are_known(self) -> "NetworksBenchmark":
        names = [way.name for way in self.ways]
        if len(set(names)) < len(names):
            raise MienError(f"two ways have the same name among {names}. Give each a name of its own.")
        named = [*self.only, self.baseline, *self.training, *(name for aim in self.aims for name in (aim.way, aim.of))]
        unknown = sorted(set(named) - set(names))
        if unknown:
            raise MienError(
                f"{', '.join(unknown)} of only, baseline, training or aims is none of the ways {', '.join(names)}. "
                "Correct the name, or add a row to ways."
            )
        if self.only and self.baseline not in self.only:
            raise MienError(
                f"baseline {self.baseline} is not among only, {', '.join(self.only)}, and nothing could be compared "
                "with it. Add it to only."
            )
        return self

    @property
    def measured(self) -> tuple[NetworkWay, ...]:
        """The ways that are measured."""
        return tuple(way for way in self.ways if not self.only or way.name in self.only)
