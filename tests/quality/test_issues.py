"""Suspected label errors."""

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from core.quality.issues import judge, suggested, uncertainty
from tests.quality.songs import GENRES, shares


def one_hot(classes: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    return np.eye(len(GENRES), dtype=np.float32)[classes]


def clear(n_each: int = 10) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Labels, and answers that agree with them: songs of each genre in turn."""
    labels = one_hot(np.arange(3 * n_each) % 3)
    return labels, (labels * 0.7 + 0.1).astype(np.float32)


def test_a_song_of_which_the_machine_is_sure_that_it_is_another_is_an_issue() -> None:
    labels, spectra = clear()
    spectra[4] = shares(jazz=0.9, rock=0.05, techno=0.05)  # labelled rock
    judged = judge(labels, spectra, GENRES)
    assert [number for number, one in enumerate(judged) if one.is_issue] == [4]
    assert max(range(30), key=lambda number: judged[number].suspicion) == 4
    assert judged[4].suspicion == pytest.approx((1 + 0.9 - 0.05) / 2)
    assert (judged[4].suggested, judged[4].agrees) == (("jazz",), False)
    assert judged[0].suspicion == pytest.approx((1 - (0.8 - 0.1)) / 2) and judged[0].agrees


def test_an_answer_within_the_genres_of_a_song_is_not_suspicious() -> None:
    labels, spectra = clear()
    spectra[4] = shares(jazz=0.9, rock=0.05, techno=0.05)
    before = judge(labels, spectra, GENRES)[4]
    labels[4] = shares(jazz=0.2, rock=0.8)
    after = judge(labels, spectra, GENRES)[4]
    assert before.is_issue and not after.is_issue
    assert after.suspicion == pytest.approx((1 - (0.95 - 0.05)) / 2)
    spectra[4] = shares(techno=0.9, rock=0.05, jazz=0.05)
    assert judge(labels, spectra, GENRES)[4].is_issue, "but one outside of them is"


def test_swapped_labels_come_first() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(150) % 3
    features = rng.normal(size=(150, 6)) + 2.4 * np.eye(3)[truth].repeat(2, axis=1)
    told, swapped = truth.copy(), rng.choice(150, 15, replace=False)
    told[swapped] = (truth[swapped] + 1) % 3
    spectra = cross_val_predict(LogisticRegression(), features, told, cv=5, method="predict_proba").astype(np.float32)
    judged = judge(one_hot(told), spectra, GENRES)
    first = sorted(range(150), key=lambda number: -judged[number].suspicion)[:15]
    assert len(set(first) & set(swapped.tolist())) >= 10, "chance would find one or two"
    issues = {number for number, one in enumerate(judged) if one.is_issue}
    assert len(issues & set(swapped.tolist())) >= 10 and len(issues) <= 30


def test_a_genre_that_the_machine_always_takes_for_another_is_no_heap_of_issues() -> None:
    labels, spectra = clear(20)
    rock = np.flatnonzero(labels[:, 1])
    spectra[rock] = shares(jazz=0.5, rock=0.45, techno=0.05)  # as a rule: rock sounds like jazz to it
    spectra[rock[0]] = shares(techno=0.95, rock=0.04, jazz=0.01)
    judged = judge(labels, spectra, GENRES)
    assert sum(one.is_issue for one in judged) <= 2 and judged[rock[0]].is_issue


@pytest.mark.parametrize(
    ("spectrum", "genres"),
    [
        (shares(jazz=0.9, rock=0.1), ("jazz",)),
        (shares(techno=0.55, rock=0.45), ("techno", "rock")),
        (shares(jazz=0.34, rock=0.33, techno=0.33), ("jazz", "rock", "techno")),
        (shares(jazz=0.5, rock=0.24, techno=0.26), ("jazz", "techno")),
        (shares(jazz=0.7, rock=0.3), ("jazz",)),
    ],
)
def test_what_is_suggested(spectrum: npt.NDArray[np.float32], genres: tuple[str, ...]) -> None:
    assert suggested(spectrum, GENRES) == genres


def test_uncertainty_goes_from_sure_to_no_idea() -> None:
    rows = np.stack([shares(jazz=1.0), shares(jazz=0.5, rock=0.5), np.full(3, 1 / 3, np.float32)])
    assert uncertainty(rows) == pytest.approx([0.0, np.log(2) / np.log(3), 1.0], abs=1e-6)
    assert uncertainty(np.ones((2, 1), np.float32)).tolist() == [0.0, 0.0]


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 5))
def test_any_library_is_judged(seed: int, n_songs: int, n_genres: int) -> None:
    rng = np.random.default_rng(seed)
    spectra = rng.dirichlet(np.full(n_genres, 0.3), n_songs).astype(np.float32)
    labels = (rng.random((n_songs, n_genres)) < 0.3).astype(np.float32)
    labels[np.arange(n_songs), rng.integers(0, n_genres, n_songs)] = 1.0
    for one in judge(labels, spectra, [str(genre) for genre in range(n_genres)]):
        assert 0 <= one.suspicion <= 1 and 0 <= one.uncertainty <= 1 and one.suggested


@pytest.mark.parametrize(
    ("labels", "spectra"),
    [
        (np.ones((2, 3)), np.ones((3, 3)) / 3),
        (np.ones((2, 2)), np.ones((2, 2)) / 2),
        (np.zeros((2, 3)), np.ones((2, 3)) / 3),
        (np.ones((2, 3)), np.full((2, 3), np.nan)),
        (np.ones((2, 3)), np.array([[2.0, -1.0, 0.0]] * 2)),
    ],
)
def test_what_is_no_label_and_no_answer_is_refused(
    labels: npt.NDArray[np.float32], spectra: npt.NDArray[np.float32]
) -> None:
    with pytest.raises(ValueError, match=r"labels|label"):
        judge(labels, spectra, GENRES)
    assert judge(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), GENRES) == []


def test_cleanlab_is_imported_only_when_labels_are_judged() -> None:
    told = "import sys, core.quality.queue, core.quality.duplicates; sys.exit('cleanlab' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0
