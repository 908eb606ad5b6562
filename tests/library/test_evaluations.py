"""Evaluations: answers kept song by song."""

import numpy as np
import pytest

from core.database import Database
from core.errors import LibraryError
from core.library.evaluations import EvaluatedSong, Evaluations

GENRES = ("a", "b")


@pytest.fixture
def evaluations(database: Database) -> Evaluations:
    return Evaluations(database)


def song(sha256: str, share: float = 0.75, fold: int = 0) -> EvaluatedSong:
    return EvaluatedSong(
        sha256,
        f"/x/{sha256}.mp3",
        sha256,
        "A",
        fold,
        np.array([1, 0], np.float32),
        np.array([share, 1 - share], np.float32),
    )


def test_what_is_kept_comes_back(evaluations: Evaluations) -> None:
    one = evaluations.begin("cv", "crossvalidation", {"seed": 0}, GENRES, job_id=3)
    evaluations.add_songs(one, [song("2", 0.25, fold=1), song("1")])
    evaluations.add_songs(one, [song("2", 0.5, fold=1)])
    kept = evaluations.songs(one)
    assert [(each.sha256, each.fold, each.spectrum.tolist()) for each in kept] == [
        ("1", 0, [0.75, 0.25]),
        ("2", 1, [0.5, 0.5]),
    ]
    assert kept[0].truth.tolist() == [1, 0] and kept[0].path == "/x/1.mp3"
    assert evaluations.finished() == []
    evaluations.finish(one, {"accuracy": 0.5})
    assert [each.report for each in evaluations.finished(kind="crossvalidation")] == [{"accuracy": 0.5}]
    assert evaluations.finished(kind="test") == []
    assert evaluations.get(one.id).finished_at


def test_an_unfinished_one_about_the_same_is_taken_up(evaluations: Evaluations) -> None:
    one = evaluations.begin("cv", "crossvalidation", {"seed": 0}, GENRES)
    assert evaluations.begin("cv", "crossvalidation", {"seed": 0}, GENRES).id == one.id
    assert evaluations.begin("cv", "crossvalidation", {"seed": 1}, GENRES).id != one.id
    evaluations.finish(one, {})
    assert evaluations.begin("cv", "crossvalidation", {"seed": 0}, GENRES).id != one.id


def test_one_that_is_not_there_is_told(evaluations: Evaluations) -> None:
    with pytest.raises(LibraryError, match="no evaluation number 7"):
        evaluations.get(7)
