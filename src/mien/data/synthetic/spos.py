"""A synthetic version of SPOS: pairs of seven people by a manifest.

In the published proportion of posed to spontaneous.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from mien.data.onset_apex import Pair, write_manifest
from mien.data.spos import NUM_SUBJECTS, PUBLISHED_COUNTS
from mien.data.synthetic.folder import check_range, synthesize_each, synthesize_folder
from mien.data.synthetic.pairs import IMAGE_SIZES, NUM_FRAMES, SyntheticPair, render_pair, sample_person
from mien.labels import EMOTIONS


def synthesize_spos(root: Path, *, share: float, seed: int, image_size: int = 112, num_frames: int = 2) -> None:
    """Draw a folder of pairs with a manifest: seven people, six emotions, 84 posed and 150 spontaneous at full share.

    Pairs go round people and emotions evenly. Each depends on ``seed`` and what it is of alone. Processes are started
    afresh, one per core, so a script of your own calls this below ``if __name__ == "__main__":``.
    ``mien.data.synthetic.folder.synthesize_folder`` says what becomes of files that are there.

    Args:
        root: Becomes ``root/<subject>/<kind>/...``, ``root/manifest.csv`` and ``root/synthetic.json``.
        share: Of the published number of pairs, 0.1 to 1.
        seed: 0 or more.
        image_size: Height and width in pixels.
        num_frames: Images of each expression, from its onset to its apex. More than 2 add a folder of frames, which the
            manifest names, to each pair.

    Raises:
        MienError: An argument is out of range, or ``root`` holds files that were not made here.

    Source: ours, because SPOS may not be passed on; how the kinds differ says ``mien.data.synthetic.pairs``.
    """
    arguments = {"share": share, "seed": seed, "image_size": image_size, "num_frames": num_frames}
    ranges = {"share": (0.1, 1.0), "seed": (0, 2**63), "image_size": IMAGE_SIZES, "num_frames": NUM_FRAMES}
    for name, value in arguments.items():
        check_range(name, value, *ranges[name], "SPOS")
    synthesize_folder(root, arguments, _write_files)


def _write_files(folder: Path, share: float, seed: int, image_size: int, num_frames: int) -> None:
    pairs = list(_pairs(share, seed, image_size, num_frames))
    for subject in range(1, NUM_SUBJECTS + 1):
        for kind in PUBLISHED_COUNTS["folds"]:
            (folder / f"{subject}" / kind).mkdir(parents=True)
    synthesize_each(functools.partial(_write_pair, folder), pairs)
    write_manifest(folder, [_listed(pair) for pair in pairs])


def _pairs(share: float, seed: int, image_size: int, num_frames: int = 2) -> Iterator[SyntheticPair]:
    for kind, published in PUBLISHED_COUNTS["folds"].items():
        for number in range(round(share * published)):
            round_, subject = divmod(number, NUM_SUBJECTS)
            take, turn = divmod(round_, len(EMOTIONS))
            # In a round that is not full everyone shows another emotion.
            expression = EMOTIONS[(turn + subject) % len(EMOTIONS)]
            yield SyntheticPair("spos", seed, subject + 1, kind, expression, take, image_size, num_frames)


def _listed(pair: SyntheticPair) -> Pair:
    name = f"{pair.expression}_{pair.take + 1}"
    return Pair(
        sample_id=f"{pair.subject}_{pair.kind}_{name}",
        subject=f"{pair.subject}",
        kind=pair.kind,
        expression=pair.expression,
        illumination=None,
        glasses=sample_person(pair.dataset, pair.seed, pair.subject).glasses.kind > 0,
        onset=f"{pair.subject}/{pair.kind}/{name}_onset.bmp",
        apex=f"{pair.subject}/{pair.kind}/{name}_apex.bmp",
        frames=f"{pair.subject}/{pair.kind}/{name}" if pair.num_frames > 2 else None,
    )


def _write_pair(folder: Path, pair: SyntheticPair) -> None:
    listed, contents = _listed(pair), render_pair(pair)
    for path, content in ((listed.onset, contents[0]), (listed.apex, contents[-1])):
        (folder / path).write_bytes(content)
    if listed.frames:
        (folder / listed.frames).mkdir()
        for number, content in enumerate(contents):
            (folder / listed.frames / f"{number}.bmp").write_bytes(content)
