"""Song-level metrics. Pure: no reading, no writing.

Conventions: truth and answers are class indices or distributions in the order of `genres`; a confusion matrix has the
true genres as rows.
"""

from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from core.music import FloatArray


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of `correct` in `n` (Wilson 1927); (0, 1) for no trials."""
    if n == 0:
        return 0.0, 1.0
    interval = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def cross_entropy(truth: FloatArray, spectra: FloatArray) -> FloatArray:
    """For each song -sum(truth * log(spectrum)), (n_songs,); both (n_songs, n_genres), rows summing to 1."""
    return np.asarray(-(truth * np.log(np.maximum(spectra, 1e-7))).sum(axis=1), np.float32)


def clearly_worse(losses: FloatArray, than: FloatArray) -> bool:
    """Whether losses are larger on the same songs, (n_songs,) each, by more than chance would explain at 95 %.

    The mean difference, song by song, is held against 1.96 of its standard errors.
    """
    differences = losses - than
    return bool(differences.mean() > 1.96 * differences.std() / np.sqrt(len(differences)))


def report(truth: FloatArray, spectra: FloatArray, genres: tuple[str, ...]) -> dict[str, Any]:
    """All song-level figures of `spectra` against `truth`, both (n_songs, n_genres).

    A song counts for its top genre. `macro_f1` is the mean over the genres that have songs; an answer that is a genre
    without songs still counts against the song's own.
    """
    true, answer = truth.argmax(axis=1), spectra.argmax(axis=1)
    labels = np.arange(len(genres))
    correct = int((true == answer).sum())
    precision, recall, f1, support = precision_recall_fscore_support(true, answer, labels=labels, zero_division=0.0)
    top_two = np.argsort(-spectra, axis=1)[:, :2]
    return {
        "songs": len(true),
        "accuracy": correct / len(true),
        "interval_95": list(wilson_interval(correct, len(true))),
        "macro_f1": float(f1[support > 0].mean()),
        "top_2_accuracy": float((top_two == true[:, None]).any(axis=1).mean()),
        "genres": list(genres),
        "per_genre": {
            genre: {"precision": float(p), "recall": float(r), "f1": float(f), "songs": int(n)}
            for genre, p, r, f, n in zip(genres, precision, recall, f1, support, strict=True)
        },
        "confusion": confusion_matrix(true, answer, labels=labels).tolist(),
    }
