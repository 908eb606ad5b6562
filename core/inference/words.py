"""A genre spectrum and its course as one sentence: "Mostly drum & bass, with some techno after 2:10". Pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from core.audio.crops import smoothed
from core.inference.prediction import UNSURE_BELOW, Prediction
from core.inference.unknown import NAMED_FROM

ALMOST_ALL = 0.85
"""Share of a genre from which no other is worth a word, unless it leads for a while."""
HALF = 0.4
"""Share of the second genre from which it is half of the song as well as the first."""
HEARD_FROM = 0.35
"""Share from which a genre is heard in a part of a song: well above its fair share, and it need not lead."""
LEADS_FROM = 0.5
"""Share from which a genre that is rare in the whole song is worth a word where it sounds."""
SHORTEST_S = 8.0
"""A part shorter than this is not worth a time, and a gap shorter than this is none."""
THROUGHOUT = 0.8
"""Share of a song from which a genre is heard throughout: then no time is told."""
MOST_PARTS = 2
"""More parts than these are told as "now and then"."""
MOST_IN_TURN, IN_TURN_FROM = 4, 0.1
"""Genres that are named where they take turns, and the share of the song that each must have."""
MOST_OTHERS = 2
"""Genres that are named beside the first."""

Part = tuple[float, float]
"""From, to: seconds."""


def in_words(answer: Prediction) -> str:
    """What a song is, and where in it the genre changes, as a sentence without a full stop. Plain text."""
    if answer.verdict.kind == "not music":
        return "Not music, as far as the model can tell"
    if answer.verdict.kind == "none of these":
        return "None of these genres"
    order = [int(i) for i in np.argsort(-answer.spectrum, kind="stable")]
    first, most = order[0], float(answer.spectrum[order[0]])
    if (most < UNSURE_BELOW or answer.spectrum[order[:2][-1]] >= HALF) and (in_turn := _in_turn(answer, order)):
        return f"No single genre: {in_turn}"
    if most < UNSURE_BELOW:
        return f"No clear genre; nearest to {' and '.join(answer.genres[i] for i in order[:2])}"
    others = [(i, parts(answer, i)) for i in order[1:]]
    worth = [
        f"{answer.genres[i]}{_when(heard, answer.duration_s)}"
        for i, heard in others
        if answer.spectrum[i] >= NAMED_FROM or _leads(answer, i, heard)
    ]
    also = f", with some {' and '.join(worth[:MOST_OTHERS])}" if worth else ""
    much = "Almost all" if most >= ALMOST_ALL else "Mostly"
    return f"{much} {answer.genres[first]}{also}"


def _in_turn(answer: Prediction, order: Sequence[int]) -> str:
    """Several genres that come one after the other; '' for a blend."""
    heard = {i: parts(answer, i) for i in order[:MOST_IN_TURN] if answer.spectrum[i] >= IN_TURN_FROM}
    when = {i: _when(found, answer.duration_s) for i, found in heard.items()}
    if len(when) < 2 or not all(when.values()):
        return ""
    *first, last = [f"{answer.genres[i]}{when[i]}" for i in sorted(when, key=lambda i: heard[i][0])]
    return f"{', '.join(first)} and {last}"


def parts(answer: Prediction, column: int) -> list[Part]:
    """Where in a song the genre of a `column` is heard: parts in order, none shorter than SHORTEST_S, nor nearer than that."""
    shares = smoothed(answer.taggram)[:, column]
    middles = answer.crop_starts_s + answer.crop_s / 2
    borders = [0.0, *((middles[:-1] + middles[1:]) / 2).tolist(), answer.duration_s]
    joined: list[Part] = []
    for start_s, end_s in _runs(shares >= HEARD_FROM, borders):
        if joined and start_s - joined[-1][1] < SHORTEST_S:
            joined[-1] = (joined[-1][0], end_s)
        else:
            joined.append((start_s, end_s))
    return [(start_s, end_s) for start_s, end_s in joined if end_s - start_s >= SHORTEST_S]


def _runs(heard: npt.NDArray[np.bool_], borders: Sequence[float]) -> Iterator[Part]:
    for is_heard, numbers in groupby(range(len(heard)), key=lambda number: bool(heard[number])):
        if is_heard:
            run = list(numbers)
            yield borders[run[0]], borders[run[-1] + 1]


def _leads(answer: Prediction, column: int, heard: Sequence[Part]) -> bool:
    """Whether a genre has at least half of one of the parts that it is `heard` in."""
    middles = answer.crop_starts_s + answer.crop_s / 2
    shares = answer.taggram[:, column]
    inside = [shares[(middles >= start_s) & (middles <= end_s)] for start_s, end_s in heard]
    return any(len(part) > 0 and float(part.mean()) >= LEADS_FROM for part in inside)


def _when(heard: Sequence[Part], duration_s: float) -> str:
    """` after 2:10`, ` until 1:05`, ` from 0:30 to 1:00`; '' where it is throughout, or nowhere for long."""
    total = sum(end_s - start_s for start_s, end_s in heard)
    if not heard or total >= THROUGHOUT * duration_s:
        return ""
    if len(heard) > MOST_PARTS:
        return " now and then"
    return " " + " and ".join(_told(part, duration_s) for part in heard)


def _told(part: Part, duration_s: float) -> str:
    start_s, end_s = part
    if start_s < SHORTEST_S:
        return f"until {_clock(end_s)}"
    if end_s > duration_s - SHORTEST_S:
        return f"after {_clock(start_s)}"
    return f"from {_clock(start_s)} to {_clock(end_s)}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
