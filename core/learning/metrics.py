"""Song-level metrics. Pure, in numpy alone: no reading, no writing, and quick to import.

Conventions: truth and answers are class indices or distributions in the order of `genres`; a confusion matrix has the
true genres as rows. A song counts for its top genre.
"""

from math import exp, fsum, lgamma, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from core.music import FloatArray

BINS = 10
"""Bins of confidence, equally wide, for calibration."""
Z_95 = 1.959963984540054
"""Deviations of a normal distribution that 95 % lie within."""
SIGNIFICANT = 0.05

BoolArray = npt.NDArray[np.bool_]


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of `correct` in `n` (Wilson 1927); (0, 1) for no trials."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = correct / n, Z_95**2 / n
    middle, reach = share + z2 / 2, Z_95 * sqrt(share * (1 - share) / n + z2 / (4 * n))
    low, high = (middle - reach) / (1 + z2), (middle + reach) / (1 + z2)
    return (0.0 if correct == 0 else low), (1.0 if correct == n else high)


def cross_entropy(truth: FloatArray, spectra: FloatArray) -> FloatArray:
    """For each song -sum(truth * log(spectrum)), (n_songs,); both (n_songs, n_genres), rows summing to 1."""
    return np.asarray(-(truth * np.log(np.maximum(spectra, 1e-7))).sum(axis=1), np.float32)


def clearly_worse(losses: FloatArray, than: FloatArray) -> bool:
    """Whether losses are larger on the same songs, (n_songs,) each, by more than chance would explain at 95 %.

    The mean difference, song by song, is held against 1.96 of its standard errors.
    """
    differences = losses - than
    return bool(differences.mean() > 1.96 * differences.std() / np.sqrt(len(differences)))


def right(truth: FloatArray, spectra: FloatArray) -> BoolArray:
    """Whether each song's top genre was answered, (n_songs,); both (n_songs, n_genres)."""
    return np.asarray(truth.argmax(axis=1) == spectra.argmax(axis=1))


def reliability(truth: FloatArray, spectra: FloatArray) -> list[dict[str, Any]]:
    """A reliability diagram: for each of BINS equally wide bins of the answer's probability, what came of it.

    A bin has `from` and `to` (what is at `to` belongs to it), `songs`, and their mean `confidence` and `accuracy` (None
    without songs).
    """
    confidence, hits = spectra.max(axis=1).astype(np.float32), right(truth, spectra)
    bins = np.searchsorted(np.arange(1, BINS, dtype=np.float32) / np.float32(BINS), confidence, side="left")
    rows: list[dict[str, Any]] = []
    for number in range(BINS):
        inside = bins == number
        row: dict[str, Any] = {"from": number / BINS, "to": (number + 1) / BINS, "songs": int(inside.sum())}
        for name, values in (("confidence", confidence), ("accuracy", hits)):
            row[name] = float(values[inside].mean(dtype=np.float64)) if inside.any() else None
        rows.append(row)
    return rows


def calibration_error(bins: list[dict[str, Any]]) -> float:
    """Expected calibration error, in [0, 1], of what `reliability` gave (Naeini et al. 2015; Guo et al. 2017).

    The mean over songs of how far their bin's accuracy is from its confidence. Of few songs it is above 0 even for a
    perfectly calibrated answer, for the accuracy of a bin is then partly luck.
    """
    apart = sum(bin["songs"] * abs(bin["confidence"] - bin["accuracy"]) for bin in bins if bin["songs"])
    return float(apart / sum(bin["songs"] for bin in bins))


def report(truth: FloatArray, spectra: FloatArray, genres: tuple[str, ...]) -> dict[str, Any]:
    """All song-level figures of `spectra` against `truth`, both (n_songs, n_genres).

    `macro_f1` is the mean over the genres that have songs; an answer that is a genre without songs still counts against
    the song's own. `nll` is the mean cross-entropy (nats), `brier` the mean squared distance of spectrum and label
    (Brier 1950, in [0, 2]), `ece` the calibration error of the bins in `reliability`.
    """
    true, answer = truth.argmax(axis=1), spectra.argmax(axis=1)
    confusion = np.zeros((len(genres), len(genres)), np.int64)
    np.add.at(confusion, (true, answer), 1)
    hits, support, answered = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = hits / np.maximum(answered, 1), hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + answered, 1)
    correct, n = int(hits.sum()), len(true)
    top_two = np.argsort(-spectra, axis=1)[:, :2]
    bins = reliability(truth, spectra)
    return {
        "songs": n,
        "accuracy": correct / n,
        "interval_95": list(wilson_interval(correct, n)),
        "macro_f1": float(f1[support > 0].mean()),
        "top_2_accuracy": float((top_two == true[:, None]).any(axis=1).mean()),
        "ece": calibration_error(bins),
        "nll": float(-(truth * np.log(np.maximum(spectra, 1e-7))).sum(axis=1).mean()),
        "brier": float(((spectra - truth) ** 2).sum(axis=1).mean()),
        "genres": list(genres),
        "per_genre": {
            genre: {"precision": float(p), "recall": float(r), "f1": float(f), "songs": int(s)}
            for genre, p, r, f, s in zip(genres, precision, recall, f1, support, strict=True)
        },
        "confusion": confusion.tolist(),
        "reliability": bins,
    }


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value of the exact McNemar test (1947): a binomial test of the songs that only one had right.

    The chance that so uneven a division, or a more uneven one, comes of tossing a coin for each of them.
    """
    n = only_first + only_second
    tail = fsum(  # by logarithms: whole numbers of thousands of digits take minutes
        exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2))
        for k in range(min(only_first, only_second) + 1)
    )
    return min(1.0, 2 * tail)


def compare(first: BoolArray, second: BoolArray) -> dict[str, Any]:
    """What can be said of a first answer beside a second one to the same songs; whether each was `right`, (n_songs,).

    `verdict` is "better", "worse", or "cannot be told apart on 80 songs"; the former where McNemar's test says so at 5 %.
    """
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    p_value, n = mcnemar(only_first, only_second), len(first)
    if p_value >= SIGNIFICANT:
        verdict = f"cannot be told apart on {n:,} song{'s' * (n != 1)}"
    else:
        verdict = "better" if only_first > only_second else "worse"
    return {
        "songs": n,
        "accuracy": [float(first.mean()), float(second.mean())] if n else [0.0, 0.0],
        "both_right": int((first & second).sum()),
        "only_first_right": only_first,
        "only_second_right": only_second,
        "both_wrong": int((~first & ~second).sum()),
        "p_value": p_value,
        "verdict": verdict,
    }
