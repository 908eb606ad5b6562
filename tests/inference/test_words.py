"""An answer as a sentence, with the times at which the genre changes."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.inference.prediction import Prediction, coarse
from core.inference.unknown import Verdict, claim
from core.inference.words import SHORTEST_S, in_words, parts

GENRES = ("drum & bass", "techno", "house", "ambient")
CROP_S = 4.0


def song(*stretches: tuple[float, Sequence[float]], verdict: Verdict | None = None) -> Prediction:
    """An answer about stretches, (seconds, shares of GENRES) each; crops are half over each other, as when it is asked."""
    rows = np.concatenate([np.tile(shares, (round(seconds / (CROP_S / 2)), 1)) for seconds, shares in stretches])
    taggram = rows.astype(np.float32)
    starts = np.arange(len(rows)) * CROP_S / 2
    spectrum = taggram.mean(axis=0)
    sure = claim(spectrum, GENRES)
    return Prediction(
        GENRES, float(len(rows) * CROP_S / 2), spectrum, taggram, starts, CROP_S, (), verdict or sure, (sure,) * len(rows), None
    )  # fmt: skip


DNB, TECHNO, HOUSE = (0.94, 0.02, 0.02, 0.02), (0.02, 0.94, 0.02, 0.02), (0.02, 0.02, 0.94, 0.02)
BLEND = (0.6, 0.36, 0.02, 0.02)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (song((200, DNB)), "Almost all drum & bass"),
        (song((130, DNB), (70, TECHNO)), "Mostly drum & bass, with some techno after 2:11"),
        (song((70, TECHNO), (130, DNB)), "Mostly drum & bass, with some techno until 1:11"),
        (song((60, DNB), (60, TECHNO), (80, DNB)), "Mostly drum & bass, with some techno from 1:01 to 2:01"),
        (song((95, TECHNO), (105, HOUSE)), "No single genre: techno until 1:37 and house after 1:37"),
        (song((200, BLEND)), "Mostly drum & bass, with some techno"),
        (
            song((40, DNB), (20, TECHNO), (40, DNB), (20, TECHNO), (40, DNB)),
            "Mostly drum & bass, with some techno from 0:41 to 1:01 and from 1:41 to 2:01",
        ),
        (
            song(*[(20, DNB), (12, TECHNO)] * 4, (20, DNB)),
            "Mostly drum & bass, with some techno now and then",
        ),
        (song((280, DNB), (20, HOUSE)), "Almost all drum & bass, with some house after 4:41"),
        (song((296, DNB), (4, HOUSE)), "Almost all drum & bass"),
        (
            song((110, DNB), (50, TECHNO), (40, HOUSE)),
            "Mostly drum & bass, with some techno from 1:51 to 2:41 and house after 2:41",
        ),
        (song((90, TECHNO), (100, HOUSE), (12, DNB)), "No single genre: techno until 1:31 and house from 1:31 to 3:11"),
        (
            song((50, TECHNO), (60, HOUSE), (40, DNB)),
            "No single genre: techno until 0:51, house from 0:51 to 1:51 and drum & bass after 1:51",
        ),
        (song((100, (0.4, 0.3, 0.2, 0.1))), "No clear genre; nearest to drum & bass and techno"),
        (song((100, DNB), verdict=Verdict("not music")), "Not music, as far as the model can tell"),
        (song((100, DNB), verdict=Verdict("none of these")), "None of these genres"),
        (song((6, DNB), (4, TECHNO)), "Mostly drum & bass, with some techno"),
        (song((2, DNB)), "Almost all drum & bass"),
    ],
)  # fmt: skip
def test_an_answer_is_told(answer: Prediction, told: str) -> None:
    assert in_words(answer) == told


def test_a_coarse_answer_is_told_by_its_genres() -> None:
    answer = song((130, DNB), (70, TECHNO))
    told = in_words(coarse(answer, {"techno": "electronic", "house": "electronic"}))
    assert told == "Mostly drum & bass, with some electronic after 2:11"


@given(
    st.lists(
        st.tuples(st.sampled_from([4.0, 10.0, 30.0, 100.0]), st.lists(st.floats(0.01, 1), min_size=4, max_size=4)),
        min_size=1,
        max_size=8,
    )
)
def test_parts_are_in_order_within_the_song_and_long_enough(stretches: list[tuple[float, list[float]]]) -> None:
    answer = song(*[(seconds, np.divide(shares, sum(shares))) for seconds, shares in stretches])
    for column in range(len(GENRES)):
        found = parts(answer, column)
        flat = [edge for part in found for edge in part]
        assert flat == sorted(flat) and all(0 <= edge <= answer.duration_s for edge in flat)
        assert all(end - start >= SHORTEST_S for start, end in found)
        assert all(later[0] - earlier[1] >= SHORTEST_S for earlier, later in pairwise(found))
    assert any(genre in in_words(answer) for genre in GENRES)
