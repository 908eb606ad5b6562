"""What may be claimed: sure, mixed, none of these, no music; of a song and of its stretches."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.inference.unknown import NAMED_FROM, Verdict, claim, refusal, stretches

GENRES = ("drone", "hiss", "jazz", "rock", "pop", "folk", "ska")
LIMITS = np.array([5.0, -1.0], np.float32)


def spectrum(**shares: float) -> np.ndarray:
    return np.array([shares.get(genre, 0.0) for genre in GENRES], np.float32)


@pytest.mark.parametrize(
    ("shares", "kind", "genres", "sentence"),
    [
        ({"jazz": 0.7, "ska": 0.3}, "confident", ("jazz",), "This is jazz."),
        ({"jazz": 0.5, "ska": 0.4, "pop": 0.1}, "mixed", ("jazz", "ska"), "This is a mixture of jazz and ska."),
        (
            {"jazz": 0.4, "ska": 0.4, "pop": 0.2},
            "mixed",
            ("jazz", "ska", "pop"),
            "This is a mixture of jazz, ska and pop.",
        ),
        ({"jazz": 0.65, **dict.fromkeys(("ska", "pop", "rock"), 0.1)}, "mixed", ("jazz",), "This is nearest to jazz."),
        (dict.fromkeys(GENRES, 1 / 7), "mixed", ("drone",), "This is nearest to drone."),
    ],
)
def test_a_spectrum_speaks_for_a_genre_or_for_a_mixture(
    shares: dict[str, float], kind: str, genres: tuple[str, ...], sentence: str
) -> None:
    told = claim(spectrum(**shares), GENRES)
    assert (told.kind, told.genres, told.sentence, told.refused) == (kind, genres, sentence, False)


@pytest.mark.parametrize(
    ("measures", "kind"),
    [((5, -1), None), ((5.1, -1), "none of these"), ((5, -0.9), "not music"), ((9, 9), "not music"), ((0, -9), None)],
)
def test_above_a_limit_no_genre_is_claimed(measures: tuple[float, float], kind: str | None) -> None:
    told = refusal(np.array(measures, np.float32), LIMITS)
    assert (told.kind if told else None) == kind
    assert told is None or (told.refused and told.genres == () and told.sentence)


@given(arrays(np.float32, 7, elements=st.floats(0.0625, 1, width=32)))
def test_the_likeliest_genre_is_always_named_first(shares: np.ndarray) -> None:
    shares = shares / shares.sum()
    told = claim(shares, GENRES)
    assert shares[GENRES.index(told.genres[0])] == shares.max()
    assert all(shares[GENRES.index(genre)] >= NAMED_FROM for genre in told.genres[1:])


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=12))
def test_stretches_cover_the_song_once_and_differ_from_their_neighbours(said: list[str]) -> None:
    verdicts = [Verdict("confident", (one,)) for one in said]
    starts = np.arange(len(said)) * 4.0
    joined = stretches(verdicts, starts, 8.0, starts[-1] + 8.0)
    assert joined[0].start_s == 0 and joined[-1].end_s == starts[-1] + 8
    for before, after in pairwise(joined):
        assert before.end_s == after.start_s and before.verdict != after.verdict
    for one, start in zip(said, starts, strict=True):
        (held,) = [part for part in joined if part.start_s <= start + 4 < part.end_s]
        assert held.verdict.genres == (one,)
