"""Neighbours: the most alike first, by any brute force; names, and who is left out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.inference.neighbours import Neighbourhood, similar
from core.library.store import TrackRow
from core.music import GenreDistribution


def row(number: int, artist: str = "Ada", **changes: object) -> TrackRow:
    label = GenreDistribution((("jazz", 1.0),))
    told = TrackRow(
        number, f"t{number}", artist, "", 3.0, None, f"/{number}.mp3", f"{number:064d}", "mp3", 44_100, False, (), label,
        "ready", "", True,
    )  # fmt: skip
    return replace(told, **changes)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_the_ranking_is_that_of_a_brute_force(seed: int, n_songs: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, asked = rng.normal(size=(n_songs, 8)).astype(np.float32), rng.normal(size=8).astype(np.float32)
    told = list(Neighbourhood(range(n_songs), vectors).ranked(asked))
    cosines = [float(v @ asked / np.linalg.norm(v) / np.linalg.norm(asked)) for v in vectors]
    assert [one.track_id for one in told] == sorted(range(n_songs), key=lambda i: -cosines[i])
    assert [one.likeness for one in told] == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)


def test_a_library_of_none_and_a_sound_of_no_direction() -> None:
    none = Neighbourhood([], np.zeros((0, 0), np.float32))
    assert len(none) == 0 and list(none.ranked(np.ones(4, np.float32))) == []
    told = list(Neighbourhood([2, 1], np.array([[0, 0], [1, 0]], np.float32)).ranked(np.zeros(2, np.float32)))
    assert [(one.track_id, one.likeness) for one in told] == [(1, 0.0), (2, 0.0)]


def test_itself_its_artists_and_what_is_set_aside_are_left_out() -> None:
    rows = [
        row(1),
        row(2, "Bob; Ada"),
        row(3, "Bob"),
        row(4, "Cy", set_aside=True),
        row(5, "Dee", label=None),
        row(6, "Eve"),
    ]
    tracks = {one.id: one for one in rows}
    hood = Neighbourhood([*tracks, 99], np.ones((7, 2), np.float32))  # 99 was deleted meanwhile
    asked = np.ones(2, np.float32)
    assert [one.track_id for one in similar(hood, tracks, asked)] == [1, 2, 3, 5, 6]
    assert [one.track_id for one in similar(hood, tracks, asked, sha256=rows[0].sha256)] == [2, 3, 5, 6]
    told = similar(hood, tracks, asked, not_by="ada")
    assert [(one.track_id, one.label) for one in told] == [(3, "jazz"), (5, ""), (6, "jazz")]
    assert [one.track_id for one in similar(hood, tracks, asked, n=2)] == [1, 2]


@pytest.mark.parametrize(
    ("not_by", "left"),
    [
        ("Beatles", [3, 4, 5, 6]),
        ("THE BEATLES - Topic", [3, 4, 5, 6]),
        ("Кино", [1, 2, 4, 5, 6]),
        ("Her", [1, 2, 3, 4, 6]),
        ("H.E.R.", [1, 2, 3, 5, 6]),
        ("Billy Preston", [1, 3, 4, 5, 6]),
        ("Various Artists", [1, 2, 3, 4, 5, 6]),
        ("", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_an_artist_is_left_out_in_every_spelling(not_by: str, left: list[int]) -> None:
    rows = [
        row(1, "The Beatles"),
        row(2, "Beatles, The", title="Get Back (feat. Billy Preston)"),
        row(3, "Kino"),
        row(4, "H.E.R."),
        row(5, "Her"),
        row(6, "Various Artists"),
    ]
    hood = Neighbourhood([one.id for one in rows], np.ones((6, 2), np.float32))
    found = similar(hood, {one.id: one for one in rows}, np.ones(2, np.float32), not_by=not_by)
    assert [one.track_id for one in found] == left
