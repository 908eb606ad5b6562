"""Metrics: numbers worked out by hand, and intervals from the literature."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support, top_k_accuracy_score

from core.learning.metrics import (
    calibration_error,
    clearly_worse,
    compare,
    cross_entropy,
    mcnemar,
    reliability,
    report,
    wilson_interval,
)

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


# -- held against others' arithmetic -----------------------------------------------------------------------------------


@given(n=st.integers(1, 2000), data=st.data())
def test_wilson_interval_is_scipys(n: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, n))
    expected = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(correct, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), n_genres=st.integers(3, 6))
def test_figures_are_scikit_learns(seed: int, n: int, n_genres: int) -> None:
    rng = np.random.default_rng(seed)
    genres, labels = tuple("abcdef"[:n_genres]), np.arange(n_genres)
    truth = np.eye(n_genres, dtype=np.float32)[rng.integers(0, n_genres, n)]
    answers = rng.dirichlet(np.full(n_genres, 0.5), n).astype(np.float32)
    true, answer = truth.argmax(axis=1), answers.argmax(axis=1)
    told = report(truth, answers, genres)
    assert told["confusion"] == confusion_matrix(true, answer, labels=labels).tolist()
    expected = precision_recall_fscore_support(true, answer, labels=labels, zero_division=0.0)
    for place, name in enumerate(("precision", "recall", "f1", "songs")):
        assert [told["per_genre"][genre][name] for genre in genres] == pytest.approx(expected[place].tolist())
    assert told["macro_f1"] == pytest.approx(expected[2][expected[3] > 0].mean())
    assert told["top_2_accuracy"] == pytest.approx(top_k_accuracy_score(true, answers, k=2, labels=labels))
    exact = np.clip(answers.astype(np.float64), 1e-7, 1)
    expected_loss = log_loss(true, exact / exact.sum(axis=1, keepdims=True), labels=labels)
    assert told["nll"] == pytest.approx(expected_loss, rel=1e-3, abs=1e-4)
    assert told["brier"] == pytest.approx(sum(((truth - answers) ** 2).sum(axis=1)) / n, rel=1e-4)
    assert sum(row["songs"] for row in told["reliability"]) == n
    assert 0 <= told["ece"] <= 1


@given(only_first=st.integers(0, 300), only_second=st.integers(0, 300))
def test_mcnemar_is_scipys_binomial_test(only_first: int, only_second: int) -> None:
    n = only_first + only_second
    expected = binomtest(only_first, n, 0.5).pvalue if n else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected)
    assert mcnemar(only_second, only_first) == mcnemar(only_first, only_second)


# -- calibration and comparison, by hand -------------------------------------------------------------------------------


def test_reliability_by_hand() -> None:
    truth = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    answers = spectra((0.9, 0.1), (0.85, 0.15), (0.4, 0.6), (0.45, 0.55))  # right, right, wrong, right
    bins = reliability(truth, answers)
    assert [row["songs"] for row in bins] == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0], "0.9 belongs to what ends there"
    assert bins[5]["confidence"] == pytest.approx(0.575) and bins[5]["accuracy"] == 0.5
    assert bins[8]["confidence"] == pytest.approx(0.875) and bins[8]["accuracy"] == 1.0
    assert bins[0]["confidence"] is None and bins[0]["accuracy"] is None
    assert calibration_error(bins) == pytest.approx((0.075 * 2 + 0.125 * 2) / 4)


def test_boasting_is_seen_and_honesty_rewarded() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 4000)
    hits = rng.random(4000) < confidence
    truth = np.eye(2, dtype=np.float32)[np.where(hits, 0, 1)]
    honest = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    boast = np.tile(np.array([[0.99, 0.01]], np.float32), (4000, 1))
    assert report(truth, honest, ("a", "b"))["ece"] < 0.03
    assert report(truth, boast, ("a", "b"))["ece"] == pytest.approx(0.99 - hits.mean(), abs=1e-6)


def test_a_comparison_in_words() -> None:
    first = np.array([True] * 40 + [False] * 40)
    assert compare(first, first)["verdict"] == "cannot be told apart on 80 songs"
    worse = first.copy()
    worse[:5] = False  # five against none: 2 / 2 ** 5 = 0.0625
    assert compare(first, worse)["verdict"] == "cannot be told apart on 80 songs"
    worse[5] = False  # six against none: 0.03125
    told = compare(first, worse)
    assert told["p_value"] == pytest.approx(0.03125)
    assert (told["verdict"], compare(worse, first)["verdict"]) == ("better", "worse")
    assert (told["both_right"], told["only_first_right"], told["only_second_right"], told["both_wrong"]) == (
        34,
        6,
        0,
        40,
    )
    assert told["accuracy"] == [40 / 80, 34 / 80]


def test_many_songs_are_no_trouble_for_an_exact_test() -> None:
    assert 0 < mcnemar(4000, 4300) < 0.05 < mcnemar(4000, 4100)


def test_two_answers_to_many_songs_are_compared_at_once() -> None:
    """Summed term by term in whole numbers, this took minutes."""
    assert mcnemar(60_000, 60_000) == pytest.approx(1.0)
    assert 0 < mcnemar(60_000, 60_700) < 0.05
    assert mcnemar(70_000, 50_000) < 1e-100
