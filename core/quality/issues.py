"""Suspected label errors, from what a machine answered about songs that it had not learned from. Pure.

Confident learning (Northcutt, Jiang & Chuang 2021) by cleanlab: a song is suspected where the machine is surer of another
genre than it usually is of that genre's own songs, and more than its errors between the two genres explain.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.music import FloatArray

ALSO = 0.5
"""A genre is suggested beside the strongest one if its share is at least so much of that one's, and `LEAST`."""
LEAST = 0.25


@dataclass(frozen=True)
class Judgement:
    """What is to be said of a song's label.

    `suspicion` in [0, 1]: above 0.5 the machine gives another genre more than the label's. `is_issue`: it stands out
    even if one takes into account how well the machine tells these genres apart. `suggested`: its answer, strongest
    first. `uncertainty` in [0, 1]: the entropy of its answer, 1 where all genres are equally likely. `agrees`: its
    strongest genre is the label's.
    """

    suspicion: float
    is_issue: bool
    suggested: tuple[str, ...]
    uncertainty: float
    agrees: bool


def judge(labels: FloatArray, spectra: FloatArray, genres: Sequence[str]) -> list[Judgement]:
    """A judgement on each song.

    `labels` (n_songs, n_genres): weights of the label's genres, none below 0, in every row one above 0. `spectra`
    (n_songs, n_genres): rows summing to 1, of a machine that has not learned from that song. ValueError for others.

    A song of several genres is judged against all of them: what the machine gives to any of them counts for the
    strongest. So an answer within its genres is no reason for suspicion, whatever their weights.
    """
    if labels.shape != spectra.shape or labels.ndim != 2 or labels.shape[1] != len(genres):
        raise ValueError(f"labels {labels.shape} and spectra {spectra.shape} are not (n_songs, {len(genres)}) both")
    if not len(labels):
        return []
    own = labels > 0
    if not own.any(axis=1).all() or not np.isfinite(spectra).all() or (spectra < 0).any():
        raise ValueError("a label without a genre, or an answer that is no distribution")
    top = labels.argmax(axis=1)
    folded = np.where(own, 0.0, spectra.astype(np.float64))
    folded[np.arange(len(top)), top] = np.where(own, spectra, 0.0).sum(axis=1)
    folded /= folded.sum(axis=1, keepdims=True)
    quality, is_issue = _confident_learning(top, folded)
    entropy = uncertainty(spectra)
    answers = spectra.argmax(axis=1)
    return [
        Judgement(
            suspicion=float(np.clip(1 - quality[i], 0.0, 1.0)),
            is_issue=bool(is_issue[i]),
            suggested=suggested(spectra[i], genres),
            uncertainty=float(entropy[i]),
            agrees=bool(answers[i] == top[i]),
        )
        for i in range(len(top))
    ]


def uncertainty(spectra: FloatArray) -> FloatArray:
    """Entropy of each row of (n_songs, n_genres), divided by that of equal shares: (n_songs,), in [0, 1]."""
    if spectra.shape[1] < 2:
        return np.zeros(len(spectra), np.float32)
    entropy = -(spectra * np.log(np.maximum(spectra, 1e-12))).sum(axis=1) / np.log(spectra.shape[1])
    return np.asarray(np.clip(entropy, 0.0, 1.0), np.float32)


def suggested(spectrum: FloatArray, genres: Sequence[str]) -> tuple[str, ...]:
    """The genres that an answer, (n_genres,), comes to: the strongest, and those that are nearly as strong."""
    order = np.argsort(-spectrum, kind="stable")
    most = spectrum[order[0]]
    return tuple(genres[i] for i in order if i == order[0] or (spectrum[i] >= ALSO * most and spectrum[i] >= LEAST))


def _confident_learning(
    given: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """(label quality by normalised margin, whether it is an issue) of each song; `given` (n_songs,) class indices."""
    from cleanlab.filter import find_label_issues  # slow to import (3 s)
    from cleanlab.rank import get_label_quality_scores

    if probabilities.shape[1] < 2:
        return np.ones(len(given)), np.zeros(len(given), np.bool_)
    quality = get_label_quality_scores(given, probabilities, method="normalized_margin")
    if len(set(given.tolist())) < 2:  # nothing to compare with
        return quality, np.zeros(len(given), np.bool_)
    with warnings.catch_warnings():  # of genres with very few songs: nothing of theirs is an issue then, which is right
        warnings.simplefilter("ignore", UserWarning)
        is_issue = find_label_issues(given, probabilities, filter_by="both", n_jobs=1)
    return quality, np.asarray(is_issue, np.bool_)
