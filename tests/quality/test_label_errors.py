"""The experiment of the benchmark, in small: swapped labels come first in the queue. A cheap machine stands in."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.label_errors import experiment, measure, outcome, stand_in, swapped_labels, table
from core.database import Database
from core.jobs import kinds, worker
from core.settings import Settings
from tests.lists import contents
from tests.quality.songs import track


@pytest.fixture
def database(settings: Settings, songs_folder: Path) -> Database:
    database = Database(settings.database)
    queue = worker.open_queue(settings, database)
    worker.run_here(settings, database, kinds.submit_import(queue, songs_folder, "folder"))
    worker.run_here(settings, database, kinds.submit_preprocess(queue))
    return database


@pytest.mark.slow
def test_swapped_labels_are_found_and_put_back(settings: Settings, database: Database) -> None:
    before = contents(database)
    came = experiment(database, settings, ("drone", "hiss"), stand_in, seed=1)
    assert (came.songs, came.swapped) == (24, 5)
    assert came.hits >= 4, "by chance it would be one"
    assert contents(database) == before
    rows = table(("drone", "hiss"), came)
    assert rows[0][1].startswith(f"precision {came.hits / 5:.2f}, recall {came.hits / 5:.2f}")
    assert rows[0][3] == pytest.approx(came.hits / 5 / (5 / 24))


def test_a_share_of_the_pair_is_swapped_by_the_seed() -> None:
    tracks = [track(n, {("jazz", "rock", "techno")[n % 3]: 1.0}) for n in range(1, 31)]
    swapped = swapped_labels(tracks, ("jazz", "rock"), np.random.default_rng(0))
    assert len(swapped) == 4 and swapped == swapped_labels(tracks, ("jazz", "rock"), np.random.default_rng(0))
    assert swapped != swapped_labels(tracks, ("jazz", "rock"), np.random.default_rng(1))
    for number, genre in swapped.items():
        assert genre == {0: "rock", 1: "jazz"}[number % 3]


def test_what_a_queue_came_to() -> None:
    came = outcome([*range(1, 31)], {1, 2, 40}, {2, 3, 25, 29})
    assert (came.songs, came.swapped, came.hits, came.hits_first, came.suspected, came.found) == (30, 4, 2, 2, 3, 1)


def test_without_the_songs_nothing_is_measured(tmp_path: Path) -> None:
    assert measure(tmp_path) == []
