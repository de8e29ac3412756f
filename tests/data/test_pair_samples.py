"""The frames between an onset and an apex: where they are looked for, which are taken, why there may be none."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.data.onset_apex import COLUMNS, FRAMES_COLUMN, MANIFEST, REASONS, Pair, read_manifest
from mien.data.pair_samples import evenly_spaced, pairs_table, take_frames


def put(root: Path, **content: bytes) -> None:
    for name, each in content.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".bmp").write_bytes(each)


def frame(number: int) -> bytes:
    return b"BM frame %d" % number


def sequence(root: Path, n: int = 12) -> Path:
    """Frames 0 to n - 1 in ``f``, of which the second and the last but one were picked."""
    put(root, **{f"f__{number}": frame(number) for number in range(n)}, onset=frame(1), apex=frame(n - 2))
    return root


def pair(**changes: str | None) -> Pair:
    kept = {"onset": "onset.bmp", "apex": "apex.bmp", "frames": "f", **changes}
    return Pair("p1", "013", "posed", "happy", None, None, **kept)


def taken(root: Path, num_frames: int, **changes: str | None) -> tuple[str, ...] | dict[str, int]:
    """The frames between, or the reason."""
    kept, dropped = take_frames(root, [pair(**changes)], num_frames)
    assert set(dropped) <= set(REASONS)
    return kept[0].between if kept else dict(dropped)


def test_frames_are_evenly_spaced_from_the_onset_to_the_apex_by_their_numbers(tmp_path):
    sequence(tmp_path)
    assert taken(tmp_path, 4) == ("f/4.bmp", "f/7.bmp")
    assert taken(tmp_path, 10) == tuple(f"f/{number}.bmp" for number in range(2, 10))


def test_two_frames_are_the_pair_itself_and_nothing_is_looked_for(tmp_path):
    pairs = [pair(frames=None), pair(frames="nowhere")]
    assert take_frames(tmp_path, pairs, 2) == (pairs, Counter())
    with pytest.raises(ValueError, match=r"reader\.num_frames is 1: give 2"):
        take_frames(tmp_path, pairs, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"frames": None}, "no_frames"),
        ({"frames": "nowhere"}, "no_frames"),
        ({"onset": "apex.bmp", "apex": "onset.bmp"}, "apex_not_later"),
        ({"apex": "onset.bmp"}, "apex_not_later"),
        ({"apex": "other.bmp"}, "unplaced_image"),
    ],
)
def test_a_sequence_without_such_frames_is_dropped_by_reason(tmp_path, change, reason):
    put(sequence(tmp_path), other=b"BM something else")
    assert taken(tmp_path, 3, **change) == {reason: 1}


def test_a_sequence_of_fewer_frames_is_dropped_and_the_others_are_kept(tmp_path):
    sequence(tmp_path, 6)
    assert taken(tmp_path, 4) == ("f/2.bmp", "f/3.bmp")
    put(tmp_path, short__1=frame(1), short__4=frame(4), short__3=frame(3))
    kept, dropped = take_frames(tmp_path, [pair(frames="short"), pair()], 4)
    assert [each.frames for each in kept] == ["f"]
    assert dropped == {"too_few_frames": 1}


def test_an_empty_frame_is_passed_over_and_keeps_its_place_in_time(tmp_path):
    sequence(tmp_path)
    (tmp_path / "f/4.bmp").write_bytes(b"")
    between = taken(tmp_path, 4)
    assert between in (("f/3.bmp", "f/7.bmp"), ("f/5.bmp", "f/7.bmp"))
    assert taken(tmp_path, 10) == {"too_few_frames": 1}


def test_a_link_out_of_the_folder_is_a_frame_as_the_files_of_a_cache_are(tmp_path):
    root = sequence(tmp_path / "root", 5)
    put(tmp_path, outside=frame(2))
    (root / "f/2.bmp").unlink()
    (root / "f/2.bmp").symlink_to(tmp_path / "outside.bmp")
    assert taken(root, 3) == ("f/2.bmp",)


def test_a_picked_image_that_was_saved_anew_is_reported_by_its_name_unless_that_may_name_the_sequence(tmp_path):
    sequence(tmp_path)
    put(tmp_path, picked__7=b"BM saved anew", picked__4=b"BM saved anew")
    assert taken(tmp_path, 3, apex="picked/7.bmp") == ("f/4.bmp",)
    # 4.bmp may be the picked image of sequence 4.
    assert taken(tmp_path, 3, apex="picked/4.bmp") == {"unplaced_image": 1}


def test_content_counts_before_the_name(tmp_path):
    sequence(tmp_path)
    put(tmp_path, picked__9=frame(5))
    assert taken(tmp_path, 3, apex="picked/9.bmp") == ("f/3.bmp",)


def test_a_picked_image_may_be_one_of_the_frames(tmp_path):
    assert taken(sequence(tmp_path), 3, onset="f/0.bmp", apex="f/8.bmp") == ("f/4.bmp",)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=40, unique=True).map(sorted), st.data())
def test_chosen_places_rise_from_the_first_to_the_last_and_all_are_chosen_where_none_can_spare(times, data):
    num = data.draw(st.integers(2, len(times)))
    chosen = evenly_spaced(times, num)
    assert len(chosen) == num
    assert chosen == sorted(set(chosen))
    assert (chosen[0], chosen[-1]) == (0, len(times) - 1)
    assert evenly_spaced(times, len(times)) == list(range(len(times)))


@given(st.integers(2, 30), st.integers(1, 9))
def test_of_frames_without_a_gap_the_spaces_are_equal_where_they_can_be(num, step):
    assert evenly_spaced(range((num - 1) * step + 1), num) == list(range(0, (num - 1) * step + 1, step))


def write(root: Path, header: str, *lines: str) -> Path:
    (root / MANIFEST).write_text("\n".join([header, *lines]))
    return root


def test_a_manifest_may_name_the_folder_of_the_frames_and_leave_it_empty(tmp_path):
    header = ",".join((*COLUMNS, FRAMES_COLUMN))
    write(tmp_path, header, "a,1,posed,happy,,,on.bmp,ap.bmp,f/", "b,1,spontaneous,happy,,,on2.bmp,ap2.bmp,")
    assert [each.frames for each in read_manifest(tmp_path, "SPOS")] == ["f", None]
    write(tmp_path, header, "a,1,posed,happy,,,on.bmp,ap.bmp,../f")
    with pytest.raises(ValueError, match=r"outside its folder: line 2 of .*'\.\./f'"):
        read_manifest(tmp_path, "SPOS")
    write(tmp_path, header, "a,1,posed,happy,,,on.bmp,ap.bmp")
    with pytest.raises(ValueError, match=r"line 2 of .* has 8 fields instead of 9"):
        read_manifest(tmp_path, "SPOS")


def test_the_table_has_a_column_per_frame_between_and_none_for_pairs(tmp_path):
    pairs = [pair(), Pair("p2", "013", "spontaneous", "sad", None, None, "on.bmp", "ap.bmp")]
    sequences = [
        Pair(**{**vars(each), "between": (f"{each.sample_id}/1.bmp", f"{each.sample_id}/2.bmp")}) for each in pairs
    ]
    plain, table = pairs_table(pairs, "SPOS", tmp_path), pairs_table(sequences, "SPOS", tmp_path)
    assert table[["frame_1", "frame_2"]].to_numpy().tolist() == [
        ["p1/1.bmp", "p1/2.bmp"],
        ["p2/1.bmp", "p2/2.bmp"],
    ]
    assert not [name for name in plain if name.startswith("frame")]
    assert table.drop(columns=["frame_1", "frame_2"]).equals(plain)
