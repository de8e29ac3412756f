import sys

import pytest

from mien.engine import progress
from mien.engine.progress import EpochClock, batch_bar

RECORD = {
    "epoch": 3,
    "train/loss": 1.23456,
    "val/accuracy": 0.5,
    "lr": 4e-5,
    "images_per_second": 120.4,
}
BEST = {"epoch": 2, "val/accuracy": 0.75}


@pytest.fixture
def clock(monkeypatch) -> EpochClock:
    """A clock on which the first two epochs took 10 and 20 seconds."""
    ticks = iter([100.0, 110.0, 200.0, 220.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(ticks))
    return EpochClock(done=1, max_epochs=7)


def test_an_epoch_is_timed_with_its_images(clock):
    clock.start()
    assert clock.stop(images=500) == {"seconds": 10.0, "images_per_second": 50.0}


def test_the_line_tells_epoch_loss_metric_best_rate_speed_and_time_left(clock):
    for _ in range(2):
        clock.start()
        clock.stop(images=500)
    line = clock.line(RECORD, BEST, "val/accuracy")
    assert line == (
        "epoch 3/7  train/loss 1.2346  val/accuracy 0.5000 (best 0.7500 in 2)  lr 4.00e-05  "
        "120 images/s  1 min 00 s left"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 min 00 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (3600, "1 h 00 min"), (90_000, "25 h 00 min")],
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert progress._duration(seconds) == said


def test_no_bar_where_nobody_looks(monkeypatch):
    batches = [1, 2, 3]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert batch_bar(batches, 1) is batches


def test_a_bar_on_a_terminal_passes_every_batch(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(batch_bar([1, 2, 3], epoch=4)) == [1, 2, 3]
    assert "epoch 4" in capsys.readouterr().err
