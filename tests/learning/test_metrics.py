"""Metrics: numbers worked out by hand, and intervals from the literature."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.learning.metrics import clearly_worse, cross_entropy, report, wilson_interval

GENRES = ("a", "b", "c")


def spectra(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [  # the first four from Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (8, 10, 0.4902, 0.9433),
        (10, 10, 0.7225, 1.0000),
    ],
)
def test_wilson_interval(correct: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(correct, n) == pytest.approx((low, high), abs=5e-5)


def test_nothing_is_known_without_trials() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(n=st.integers(1, 500), data=st.data())
def test_an_interval_holds_its_share_and_mirrors(n: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, n))
    low, high = wilson_interval(correct, n)
    assert 0 <= low <= correct / n + 1e-12 and correct / n - 1e-12 <= high <= 1
    mirrored = wilson_interval(n - correct, n)
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_cross_entropy_of_each_song_by_hand() -> None:
    truth = spectra((1, 0), (0.5, 0.5), (1, 0))
    answers = spectra((0.25, 0.75), (0.5, 0.5), (0, 1))
    certain, blend, wrong = cross_entropy(truth, answers)
    assert (certain, blend) == pytest.approx((math.log(4), math.log(2)))
    assert 10 < wrong < 20, "a certain wrong answer is dear, not infinite"


@pytest.mark.parametrize(
    ("losses", "than", "worse"),
    [
        ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], True),
        ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], False),
        ([1.0, 1.0], [1.0, 1.0], False),  # the same is not worse
        ([4.0, 0.0], [1.0, 1.0], False),  # differences 3 and -1: mean 1, standard error 2 / sqrt(2)
        ([4.0, 0.0] * 7, [1.0] * 14, False),  # 14 songs: 1.96 * 2 / sqrt(14) = 1.05
        ([4.0, 0.0] * 8, [1.0] * 16, True),  # 16 songs: 1.96 * 2 / sqrt(16) = 0.98
    ],
)
def test_clearly_worse_is_by_more_than_chance_explains(losses: list[float], than: list[float], worse: bool) -> None:
    assert clearly_worse(np.array(losses, np.float32), np.array(than, np.float32)) is worse


def test_a_report_by_hand() -> None:
    truth = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 2]]
    answers = spectra(
        (0.7, 0.2, 0.1),  # a: right
        (0.6, 0.3, 0.1),  # a: right
        (0.3, 0.5, 0.2),  # a: said b, a second
        (0.1, 0.8, 0.1),  # b: right
        (0.5, 0.1, 0.4),  # b: said a, b third
        (0.4, 0.25, 0.35),  # c: said a, c second
    )
    told = report(truth, answers, GENRES)
    assert (told["songs"], told["genres"]) == (6, ["a", "b", "c"])
    assert told["confusion"] == [[2, 1, 0], [1, 1, 0], [1, 0, 0]], "rows are the true genres"
    assert told["accuracy"] == pytest.approx(3 / 6)
    assert told["top_2_accuracy"] == pytest.approx(5 / 6)
    assert told["interval_95"] == pytest.approx([0.1876, 0.8124], abs=5e-5)
    assert told["per_genre"] == {
        "a": pytest.approx({"precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7, "songs": 3}),
        "b": pytest.approx({"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "songs": 2}),
        "c": pytest.approx({"precision": 0, "recall": 0, "f1": 0, "songs": 1}),
    }
    assert told["macro_f1"] == pytest.approx((4 / 7 + 1 / 2 + 0) / 3)


def test_a_genre_without_songs_is_no_part_of_macro_f1_but_answers_of_it_are_wrong() -> None:
    truth = np.eye(3, dtype=np.float32)[[0, 0, 1, 1]]
    answers = np.eye(3, dtype=np.float32)[[0, 2, 1, 1]]
    told = report(truth, answers, GENRES)
    assert told["accuracy"] == 0.75
    assert told["confusion"] == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]
    assert told["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert told["per_genre"]["c"]["songs"] == 0


def test_a_song_counts_for_its_top_genre() -> None:
    told = report(spectra((0.4, 0.6, 0), (0.7, 0.3, 0)), spectra((0.1, 0.8, 0.1), (0.1, 0.8, 0.1)), GENRES)
    assert (told["accuracy"], told["confusion"]) == (0.5, [[0, 1, 0], [0, 1, 0], [0, 0, 0]])


@given(
    pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30),
    order=st.permutations(range(3)),
)
def test_figures_do_not_depend_on_the_order_of_the_genres(pairs: list[tuple[int, int]], order: list[int]) -> None:
    eye = np.eye(3, dtype=np.float32)
    true, answer = np.array(pairs).T
    told = report(eye[true], eye[answer], GENRES)
    turned = report(eye[np.array(order)[true]], eye[np.array(order)[answer]], GENRES)
    assert told["accuracy"] == turned["accuracy"]
    assert told["macro_f1"] == pytest.approx(turned["macro_f1"])
    assert sum(map(sum, told["confusion"])) == len(pairs)
    matrix, other = np.array(told["confusion"]), np.array(turned["confusion"])
    assert np.array_equal(matrix, other[np.ix_(order, order)])
