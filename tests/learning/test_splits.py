"""Splits: no artist and no recording on two sides, whatever the library looks like."""

import itertools
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from core.errors import TrainingRefused
from core.learning import leaks
from core.learning.folds import artist_folds
from core.learning.splits import MIN_SONGS, Split, artist_groups, choose, split_by_artist, unknown_artists
from core.library.identity import credits, main_artist, shared_artist_keys
from core.library.names import artist_key, comparable
from core.music import GenreDistribution, ListedTrack, Song

GENRES = ("drone", "hiss", "jazz", "polka")


def song(
    number: int, genre: str | dict[str, float], artist: str, *, title: str = "", duration_s: float = 200.0
) -> Song:
    weights = genre if isinstance(genre, dict) else {genre: 1.0}
    label = GenreDistribution(tuple(sorted(weights.items(), key=lambda share: -share[1])))
    return Song(number, title or f"song {number}", artist, duration_s, f"{number:064x}", 400, label)


def library(genres: Iterable[str] = GENRES[:2], *, artists: int = 6, each: int = 3) -> list[Song]:
    """`each` songs by every one of `artists` artists of every genre."""
    names = [(genre, f"{genre} artist {n // each}") for genre in genres for n in range(artists * each)]
    return [song(number, genre, artist) for number, (genre, artist) in enumerate(names)]


def sides(split: Split) -> dict[str, tuple[Song, ...]]:
    return {"train": split.train, "validation": split.validation, "test": split.test}


def assert_honest(split: Split, songs: list[Song]) -> None:
    """Every song in one place; no artist and no recording on two sides."""
    everything = [*split.train, *split.validation, *split.test, *split.left_out]
    assert sorted(s.track_id for s in everything) == sorted(s.track_id for s in songs)
    by_artist: dict[str, set[str]] = {}
    recordings = []
    for side, members in sides(split).items():
        for member in members:
            recordings.append((comparable(member.title), member.duration_s, side))
            for artist in shared_artist_keys(member.artist, member.title):
                by_artist.setdefault(artist, set()).add(side)
    assert {artist for artist, found in by_artist.items() if len(found) > 1} == set()
    for title, duration_s, side in recordings:
        for other_title, other_s, other_side in recordings:
            assert side == other_side or title != other_title or abs(duration_s - other_s) > 1


@st.composite
def libraries(draw: st.DrawFn) -> tuple[list[Song], tuple[str, ...]]:
    """Libraries with guests, with artists of several genres, with unknown artists and with duplicate recordings."""
    genres = GENRES[: draw(st.integers(2, 4))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    guests = draw(st.sampled_from([0.0, 0.05, 0.3]))
    titles = draw(st.sampled_from([30, 1000]))
    songs = []
    for genre in genres:
        artists = draw(st.integers(1, 12))
        for _ in range(draw(st.integers(MIN_SONGS, 40))):
            artist = f"{genre[0]}-{rng.integers(artists)}"
            if rng.random() < guests:
                joiner = str(rng.choice([" feat. ", " & ", ", ", " vs. "]))
                artist += f"{joiner}{rng.choice(genres)[0]}-{rng.integers(12)}"
            if rng.random() < 0.05:
                artist = str(rng.choice(["", "Unknown Artist", artist.upper()]))
            title, duration_s = f"Title {rng.integers(titles)}", float(rng.uniform(1, 4))
            songs.append(song(len(songs), genre, artist, title=title, duration_s=duration_s))
    return songs, genres


@given(made=libraries(), seed=st.integers(0, 2**32 - 1))
def test_a_split_is_honest_or_refused(made: tuple[list[Song], tuple[str, ...]], seed: int) -> None:
    songs, genres = made
    try:
        split = split_by_artist(songs, genres, seed=seed)
    except TrainingRefused as refusal:
        assert "artist" in str(refusal)
        return
    assert_honest(split, songs)
    assert split.left_out == ()
    for side, members in sides(split).items():
        assert {member.label.top for member in members} == set(genres), side
    assert split_by_artist(songs, genres, seed=seed) == split


@given(made=libraries(), seed=st.integers(0, 1000), data=st.data())
def test_artists_held_out_are_exactly_the_test_side(
    made: tuple[list[Song], tuple[str, ...]], seed: int, data: st.DataObject
) -> None:
    songs, genres = made
    everyone = sorted({s.artist for s in songs if artist_key(s.artist)})
    held_out = data.draw(st.lists(st.sampled_from(everyone), min_size=1, max_size=3))
    try:
        split = split_by_artist(songs, genres, seed=seed, holdout_artists=[name.upper() for name in held_out])
    except TrainingRefused:
        return
    assert_honest(split, songs)
    wanted = {artist_key(name) for name in held_out}
    assert {s.track_id for s in split.test} == {s.track_id for s in songs if artist_key(s.artist) in wanted}
    for side in (split.train, split.validation):
        assert {s.label.top for s in side} == set(genres)
    groups = dict(zip((s.track_id for s in songs), artist_groups(songs), strict=True))
    tested = {groups[s.track_id] for s in split.test}
    assert {groups[s.track_id] for s in split.left_out} <= tested, "nothing is left out without a reason"


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_library_is_never_refused_and_its_shares_are_about_a_fifth(seed: int) -> None:
    songs = library(GENRES, artists=10, each=4)
    split = split_by_artist(songs, GENRES, seed=seed)
    assert_honest(split, songs)
    for genre in GENRES:
        counts = {side: sum(s.label.top == genre for s in members) for side, members in sides(split).items()}
        assert counts["test"] == 8 and counts["validation"] in (4, 8) and sum(counts.values()) == 40, counts


def test_another_seed_gives_another_split() -> None:
    songs = library(artists=10)
    tests = {split_by_artist(songs, GENRES[:2], seed=seed).test for seed in range(5)}
    assert len(tests) > 1


def test_songs_with_a_held_out_guest_are_left_out() -> None:
    songs = library()
    duet = song(100, "drone", "drone artist 0 feat. drone artist 5")
    copy = song(101, "hiss", "Someone Else", title=songs[0].title, duration_s=songs[0].duration_s + 0.9)
    split = split_by_artist([*songs, duet, copy], GENRES[:2], seed=0, holdout_artists=["Drone Artist 0"])
    assert {s.artist for s in split.test} == {"drone artist 0"} and len(split.test) == 3
    left = {s.track_id for s in split.left_out}
    assert {100, 101} <= left
    assert {s.artist for s in split.left_out if s.track_id < 100} == {"drone artist 5"}, "joined by the duet"


# -- groups ------------------------------------------------------------------------------------------------------------


def test_groups_follow_chains_of_artists_and_recordings() -> None:
    songs = [
        song(0, "drone", "A"),
        song(1, "drone", "B feat. A"),
        song(2, "drone", "B"),
        song(3, "drone", "C", title="the same", duration_s=100.0),
        song(4, "drone", "D", title="The Same!", duration_s=100.9),
        song(5, "drone", "E", title="the same", duration_s=103.0),
    ]
    groups = artist_groups(songs)
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4]
    assert len({groups[0], groups[3], groups[5]}) == 3


@given(first=st.floats(0, 1000), apart=st.floats(0, 1))
def test_the_same_title_within_a_second_is_the_same_recording_at_any_length(first: float, apart: float) -> None:
    a, b = (song(n, "drone", f"artist {n}", title="t", duration_s=s) for n, s in enumerate((first, first + apart)))
    assert len(set(artist_groups([a, b]))) == 1


def test_songs_of_unknown_artists_are_each_alone_and_counted() -> None:
    songs = [song(0, "drone", ""), song(1, "drone", "Unknown Artist"), song(2, "drone", "A"), song(3, "drone", "VA")]
    assert len(set(artist_groups(songs))) == 4
    assert unknown_artists(songs) == 3


SPELLINGS = [
    ("The Beatles", "Beatles", "Beatles, The", "THE BEATLES - Topic"),
    ("AC/DC", "ACDC", "ac-dc"),
    ("Кино", "Kino", "КИНО"),
    ("A$AP Rocky", "ASAP Rocky", "A$AP ROCKY feat. Drake"),
    ("P!nk", "Pink", "PinkVEVO"),
    ("R.E.M.", "REM", "rem"),
    ("H.E.R.", "HER", "h.e.r."),
    ("Her", "her", "The Her"),
    ("Tyler, The Creator", "Tyler, the creator", "Tyler & The Creator"),
    ("Earth, Wind & Fire", "Earth; Wind & Fire", "Earth, Wind and Fire"),
    ("Simon & Garfunkel", "Simon and Garfunkel", "Simon + Garfunkel"),
    ("!!!", "!!! - Topic", " !!! "),
    ("Beyoncé", "BEYONCE", "Beyoncé × Shakira"),
    ("will.i.am", "Will I Am", "WILL.I.AM"),
    ("Тату", "t.A.T.u.", "Tatu"),
    ("Lil Nas X & Jack Harlow", "Lil Nas X", "Lil Nas X x Billy Ray"),
]
NOBODY = ["", "Various Artists", "VA", "Unknown Artist", "Разные исполнители", "-", "[unknown]"]


def is_one_artist(one: str, other: str) -> bool:
    """Whether the catalogue calls somebody in two credits one artist."""
    tracks = [ListedTrack("", tuple(credit.split("; "))) for credit in (one, other)]
    return bool(credits(tracks[0]) & credits(tracks[1]))


@given(data=st.data(), seed=st.integers(0, 1000))
def test_whoever_the_catalogue_calls_one_artist_is_on_one_side(data: st.DataObject, seed: int) -> None:
    known = data.draw(st.permutations(SPELLINGS))
    credit = st.one_of(*(st.sampled_from(spellings) for spellings in known[:14]))
    names = [
        data.draw(st.sampled_from(NOBODY) if number % 9 == 0 else st.sampled_from(known[number % 14]))
        for number in range(42)
    ]
    names += data.draw(
        st.lists(st.builds("{}{}{}".format, credit, st.sampled_from([" & ", "; ", " x "]), credit), max_size=1)
    )
    songs = [song(number, GENRES[number % 14 % 2], name) for number, name in enumerate(names)]
    try:
        divisions = [
            split_by_artist(songs, GENRES[:2], seed=seed),
            *artist_folds(songs, GENRES[:2], folds=2, seed=seed),
        ]
    except TrainingRefused as refusal:
        event(str(refusal)[:20])
        return
    event("split")
    for split in divisions:
        side = {s.track_id: name for name, members in sides(split).items() for s in members}
        for one, other in itertools.combinations(sorted(side), 2):
            assert side[one] == side[other] or not is_one_artist(names[one], names[other]), (names[one], names[other])
        assert leaks.find(split) == []


names_of_artists = st.sampled_from([name for spellings in SPELLINGS for name in spellings] + NOBODY) | st.text(
    max_size=8
)
joiners = st.sampled_from([" & ", ", ", "; ", " feat. ", " x ", " vs. ", " / ", "/", " and ", " (with "])
joined_names = st.builds("{}{}{}".format, names_of_artists, joiners, names_of_artists)


@given(
    one=names_of_artists | joined_names,
    other=names_of_artists | joined_names,
    title=st.sampled_from(["", "T (ft. Her)"]),
)
def test_one_artist_of_the_catalogue_on_two_sides_is_never_unnoticed(one: str, other: str, title: str) -> None:
    songs = [song(0, "drone", one, title=title), song(1, "drone", other)]
    tracks = [ListedTrack(s.title, tuple(s.artist.split("; "))) for s in songs]
    found = leaks.find(Split(train=(songs[0],), validation=(), test=(songs[1],)))
    is_one = (
        bool(credits(tracks[0]) & credits(tracks[1]))
        or main_artist(tracks[0].artists) == main_artist(tracks[1].artists) != ""
    )
    event(f"one artist: {is_one}")
    assert found or not is_one
    assert bool(found) == (len(set(artist_groups(songs))) == 1), "the check and the split agree"


def test_artists_who_only_look_alike_are_not_joined() -> None:
    names = ["H.E.R.", "Her", "M.I.A.", "Mia", "will.i.am", "William", "!!!", "???", "Bob", "B.o.B", "Her's"]
    assert len(set(artist_groups([song(n, "drone", name) for n, name in enumerate(names)]))) == len(names)


def test_a_guest_in_a_title_joins_and_nobody_joins_no_one() -> None:
    songs = [
        song(0, "drone", "A", title="One (feat. B)"),
        song(1, "drone", "B"),
        *(song(2 + n, "drone", name) for n, name in enumerate(NOBODY)),
        song(20, "drone", "Glenn Miller & His Orchestra"),
        song(21, "drone", "Duke Ellington & His Orchestra"),
        song(22, "drone", "Beatles, The"),
        song(23, "drone", "Fall, The"),
    ]
    groups = artist_groups(songs)
    assert groups[0] == groups[1] and len(set(groups)) == len(songs) - 1


def test_held_out_artists_are_found_in_any_spelling() -> None:
    songs = [
        *library(),
        *(song(200 + n, GENRES[n % 2], name) for n, name in enumerate(("The Beatles", "Beatles, The"))),
    ]
    split = split_by_artist(songs, GENRES[:2], seed=0, holdout_artists=["BEATLES", "drone artist 1", "hiss artist 1"])
    assert {200, 201} <= {s.track_id for s in split.test}


# -- choosing ----------------------------------------------------------------------------------------------------------


def test_all_genres_are_taken_by_name_unless_some_are_chosen() -> None:
    songs = [song(0, "hiss", "a"), song(1, "Drone", "b"), song(2, "ambient", "c")]
    assert choose(songs, None) == (songs, ("ambient", "Drone", "hiss"))
    assert choose(songs, ["hiss", "ambient"]) == ([songs[0], songs[2]], ("ambient", "hiss"))


def test_labels_are_narrowed_to_the_chosen_genres() -> None:
    both = song(0, {"drone": 0.5, "hiss": 0.25, "jazz": 0.25}, "a")
    [narrowed], genres = choose([both, song(1, "ambient", "b")], ["hiss", "jazz"])
    assert genres == ("hiss", "jazz")
    assert narrowed.label.weights == (("hiss", 0.5), ("jazz", 0.5))
    assert (narrowed.sha256, narrowed.artist) == (both.sha256, both.artist)


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_genre_nobody_has_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="No song with a spectrogram is labelled waltz"):
        choose(library(), ["drone", "waltz"])


def test_one_genre_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="at least two are needed"):
        split_by_artist(library(["drone"]), ("drone",), seed=0)


def test_too_few_songs_are_refused_with_their_numbers() -> None:
    songs = [s for s in library() if s.label.top == "drone" or s.track_id % 2]
    assert Counter(s.label.top for s in songs) == {"drone": 18, "hiss": 9}
    with pytest.raises(TrainingRefused, match=r"at least 10 songs .* Too few: hiss \(9\)\."):
        split_by_artist(songs, ("drone", "hiss"), seed=0)


@pytest.mark.parametrize("artists", [1, 2])
def test_too_few_artists_are_refused(artists: int) -> None:
    songs = [*library(["drone"]), *(song(100 + n, "hiss", f"hiss artist {n % artists}") for n in range(20))]
    with pytest.raises(TrainingRefused, match=r"hiss .* artist"):
        split_by_artist(songs, ("drone", "hiss"), seed=0)


def test_an_artist_who_has_most_of_two_genres_is_no_crash() -> None:
    songs = [song(n, GENRES[n % 2], "Everyone" if n % 20 else f"artist {n}") for n in range(60)]
    try:
        assert_honest(split_by_artist(songs, GENRES[:2], seed=0), songs)
    except TrainingRefused as refusal:
        assert "artist" in str(refusal)


def test_holding_out_artists_nobody_knows_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="None of the artists to hold out is in the library"):
        split_by_artist(library(), GENRES[:2], seed=0, holdout_artists=["Nobody", "", "???"])


def test_holding_out_all_artists_of_a_genre_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="drone has no artists left"):
        split_by_artist(library(), GENRES[:2], seed=0, holdout_artists=[f"drone artist {n}" for n in range(6)])
