"""Ranking: a score that is the mean of what it names, each part in tiny exact tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.ranking import ARTISTS, GOOD_SIZE, PRIOR, WEIGHTS, score
from core.music import GenreDistribution
from tests.library.test_catalogue import alike
from tests.lists import listed, names, playlist

TECHNO, HOUSE = GenreDistribution((("techno", 1.0),)), GenreDistribution((("house", 1.0),))
HALF = GenreDistribution((("house", 0.5), ("techno", 0.5)))


@pytest.mark.parametrize(
    ("title", "genre_names", "expected"),
    [
        ("Drum and Bass Essentials", ["drum and bass"], 1.0),
        ("DnB Essentials", ["drum and bass", "dnb"], 1.0),
        ("Drum & Bass", ["drum and bass"], 1.0),
        ("Drums and Bass", ["drum and bass"], 1 / 3),  # two of three words, halved
        ("Bass Boosted", ["drum and bass"], 1 / 6),
        ("Chill", ["drum and bass", "dnb"], 0.0),
        ("TÉCHNO!", ["techno"], 1.0),
        ("Technoid", ["techno"], 0.0),
        ("", ["techno"], 0.0),
        ("Techno", [], 0.0),
        ("Techno", ["", "…"], 0.0),
        ("Шансон 2020", ["шансон"], 1.0),
    ],
)
def test_the_title(title: str, genre_names: list[str], expected: float) -> None:
    assert score(playlist("x", title=title), genre_names, [], []).reasons["title"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], 0.5),
        ([TECHNO], 2 / 3),
        ([HOUSE], 1 / 3),
        ([HALF], 0.5),
        ([TECHNO] * 8, 0.9),
        ([TECHNO, HOUSE], 0.5),
        ([TECHNO, TECHNO, HALF], 3.5 / 5),
    ],
)
def test_purity_is_what_known_tracks_say_and_one_proves_little(known: list[GenreDistribution], expected: float) -> None:
    assert PRIOR == 2
    told = score(playlist("x", *map(listed, range(9))), ["techno"], known, ["techno", "minimal techno"])
    assert told.reasons["purity"] == pytest.approx(expected)


def test_genres_below_count_as_the_one_looked_for() -> None:
    label = GenreDistribution((("minimal techno", 0.75), ("house", 0.25)))
    told = score(playlist("x", listed(1)), ["techno"], [label], {"techno", "minimal techno"})
    assert told.reasons["purity"] == pytest.approx(1.75 / 3)


@pytest.mark.parametrize(("n_artists", "expected"), [(10, 1.0), (6, 1.0), (3, 0.5), (1, 1 / 6)])
def test_variety_of_artists(n_artists: int, expected: float) -> None:
    assert ARTISTS == 0.6
    tracks = [listed(number, artists=(f"Artist {number % n_artists}", "Guest")) for number in range(10)]
    assert score(playlist("x", *tracks), [], [], []).reasons["artists"] == pytest.approx(expected)


@pytest.mark.parametrize(("n", "expected"), [(15, 0.5), (30, 1.0), (500, 1.0), (1000, 0.5), (1, 1 / 30)])
def test_size(n: int, expected: float) -> None:
    assert GOOD_SIZE == (30, 500)
    assert score(playlist("x", n_listed=n), [], [], []).reasons["size"] == pytest.approx(expected)
    if n <= 500:
        tracks = [listed(number) for number in range(n)]
        assert score(playlist("x", *tracks), [], [], []).reasons["size"] == pytest.approx(expected)
    assert score(playlist("x", listed(1), n_listed=n), [], [], []).reasons["size"] == pytest.approx(expected)


def test_what_is_not_known_is_not_judged_but_for_purity() -> None:
    assert set(score(playlist("x"), ["techno"], [], []).reasons) == {"title", "purity"}
    assert set(score(playlist("x", n_listed=40), ["techno"], [], []).reasons) == {"title", "purity", "size"}
    assert set(score(playlist("x", listed(1)), ["techno"], [], []).reasons) == set(WEIGHTS)
    assert score(playlist("x"), ["techno"], [], []).reasons["purity"] == 0.5
    assert score(playlist("x", n_listed=0), ["techno"], [], []).reasons["size"] == 0


def test_the_total_is_the_weighted_mean_of_what_it_names() -> None:
    told = score(playlist("techno", *map(listed, range(15))), ["techno"], [TECHNO] * 8, ["techno"])
    assert told.reasons == pytest.approx({"title": 1.0, "purity": 0.9, "artists": 1.0, "size": 0.5})
    assert told.total == pytest.approx(0.35 + 0.35 * 0.9 + 0.15 + 0.15 * 0.5)
    assert score(playlist("techno", n_listed=15), ["techno"], [], []).total == pytest.approx(
        (0.35 + 0.175 + 0.075) / 0.85
    )
    assert sum(WEIGHTS.values()) == pytest.approx(1)


labels = st.sampled_from([TECHNO, HOUSE, HALF])


@given(st.lists(alike, max_size=8), st.lists(labels, max_size=8), names, names, st.none() | st.integers(0, 10**6))
def test_a_score_and_all_its_parts_are_shares(tracks, known, title: str, genre: str, n_listed: int | None) -> None:
    known = known[: len(tracks)]
    told = score(playlist("x", *tracks, title=title, n_listed=n_listed), [genre], known, ["techno"])
    assert all(0 <= share <= 1 for share in [told.total, *told.reasons.values()])
    assert set(told.reasons) <= set(WEIGHTS)
    assert min(told.reasons.values()) - 1e-9 <= told.total <= max(told.reasons.values()) + 1e-9


@given(st.lists(labels, max_size=8))
def test_one_more_track_of_the_genre_never_lowers_the_purity(known: list[GenreDistribution]) -> None:
    told = playlist("x", *map(listed, range(10)))
    one, more, less = (
        score(told, [], [*known, *another], ["techno"]).reasons["purity"] for another in ([], [TECHNO], [HOUSE])
    )
    assert less < one < more
