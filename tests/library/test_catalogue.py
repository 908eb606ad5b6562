"""One track from many lists: found by address, ISRC or identity, never made one on a doubt."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from core.errors import LibraryError
from core.library import catalogue
from core.library.catalogue import Catalogue, find, find_or_add, recognise
from core.library.edits import latest_edit
from core.library.identity import CERTAIN, DOUBTFUL, identity_key, sameness
from core.library.playlists import Playlists
from core.library.store import Library
from core.music import ListedTrack, Vote
from tests.library.test_store import add, found, labels
from tests.lists import contents, listed, playlist, undo_latest

ISRC, OTHER_ISRC = "GBAYE0601498", "USRC17607839"


def take(database: Database, *tracks: ListedTrack) -> tuple[list[int], int]:
    with database.write() as db:
        return find_or_add(db, tracks, job_id=None)


def rows(database: Database) -> list[ListedTrack]:
    """The library's tracks, as they could be listed."""
    return [
        ListedTrack(row.title, tuple(row.artist.split("; ")) if row.artist else (), row.album, row.duration_s, row.isrc)
        for row in Library(database).tracks("any")
    ]


# -- one or two? -------------------------------------------------------------------------------------------------------

SONG = ListedTrack("Blue Monday", ("New Order",), "Substance", 449.0)


@pytest.mark.parametrize("part", ["Earth", "Wind", "Earth, Wind", "Earth & Fire"])
def test_a_part_of_a_joined_name_is_another_artist(database: Database, part: str) -> None:
    whole = ListedTrack("Boogie", ("Earth, Wind & Fire",))
    ids, new = take(database, whole, ListedTrack("Boogie", (part,)), ListedTrack("Boogie", ("Earth", "Wind", "Fire")))
    assert new == 2 and ids[0] == ids[2] != ids[1]


def test_identities_made_by_earlier_rules_are_made_anew(database: Database) -> None:
    one, other = ListedTrack("Best Part", ("H.E.R.",)), ListedTrack("Best Part", ("Her",))
    (first,), _ = take(database, one)
    with database.write() as db:
        db.execute("UPDATE tracks SET identity = '1|her|best part|'")
    with database.read() as db:
        assert recognise(db, [one])[0] == first
    (again, second), new = take(database, one, other)
    assert (again, new) == (first, 1) and second != first
    with database.read() as db:
        kept = [row["identity"] for row in db.execute("SELECT identity FROM tracks ORDER BY id")]
    assert kept == [identity_key(track.artists, track.title) for track in (one, other)]


@pytest.mark.parametrize(
    ("again", "same"),
    [
        (SONG, True),
        (ListedTrack("BLUE MONDAY (2011 Remaster)", ("new order",), duration_s=450.5), True),
        (ListedTrack("Blue Monday", ("New Order",)), True),
        (ListedTrack("Blue Monday", ("New Order",), duration_s=455.0), False),
        (ListedTrack("Blue Monday", ("New Order",), duration_s=700.0), False),
        (ListedTrack("Blue Monday (Live)", ("New Order",), duration_s=449.0), False),
        (ListedTrack("Blue Monday", ("Orgy",), duration_s=449.0), False),
        (ListedTrack("Blue Monday", (), duration_s=449.0), False),
        (ListedTrack("Blue Mondays", ("New Order",), duration_s=449.0), False),
    ],
)
def test_tracks_are_one_by_identity(database: Database, again: ListedTrack, same: bool) -> None:
    ids, new = take(database, SONG, again)
    assert (len(set(ids)), new) == ((1, 1) if same else (2, 2))


def test_the_same_isrc_is_the_same_track_whatever_it_is_called(database: Database) -> None:
    one = listed(1, isrc=ISRC)
    other = listed(2, isrc=ISRC)
    ids, new = take(database, one, other, listed(2, isrc=OTHER_ISRC))
    assert (ids, new) == ([1, 1, 2], 2)
    assert take(database, listed(9, isrc=OTHER_ISRC)) == ([2], 0)


def test_the_same_address_is_the_same_track_whatever_it_is_called(database: Database) -> None:
    here = "https://open.example/track/1"
    ids, _ = take(database, listed(1, url=here), listed(2, url=here, isrc=ISRC), listed(3))
    assert ids == [1, 1, 2]
    assert take(database, listed(4, url=here)) == ([1], 0)
    assert Library(database).urls(1) == [here]


def test_every_address_of_a_track_leads_to_it(database: Database) -> None:
    take(database, listed(1, url="https://a.example/1"), listed(1, url="https://b.example/1"))
    assert take(database, listed(5, url="https://b.example/1"), listed(6, url="https://a.example/1")) == ([1, 1], 0)


def test_what_was_lacking_is_filled_in_and_nothing_is_overwritten(database: Database) -> None:
    bare = ListedTrack("Blue Monday", ("New Order",))
    take(database, bare)
    take(database, ListedTrack("BLUE MONDAY", ("New Order",), "Substance", 449.0, ISRC))
    full = ListedTrack("Blue Monday", ("New Order",), "Substance", 449.0, ISRC)
    assert rows(database) == [full]
    take(database, ListedTrack("Blue Monday", ("New Order",), "Another album", 450.0, ISRC))
    assert rows(database) == [full]
    assert take(database, ListedTrack("Any name", ("Anybody",), isrc=ISRC)) == ([1], 0)


def test_a_track_found_by_its_address_is_filled_in_too(database: Database) -> None:
    here = "https://open.example/track/1"
    take(database, listed(1, url=here))
    take(database, listed(2, url=here, isrc=ISRC))
    assert rows(database) == [listed(1, isrc=ISRC)]


def test_what_is_filled_in_counts_within_the_same_list(database: Database) -> None:
    bare = listed(1, isrc=None)
    ids, _ = take(database, bare, listed(1, isrc=ISRC), listed(2, isrc=ISRC))
    assert ids == [1, 1, 1]


def test_of_several_that_fit_the_surest_is_taken_and_of_equals_the_first(database: Database) -> None:
    take(database, listed(1, duration_s=100.0), listed(1, duration_s=200.0))
    assert take(database, listed(1, duration_s=201.0)) == ([2], 0)
    assert take(database, listed(1, duration_s=None)) == ([1], 0)


def test_finding_changes_nothing(database: Database) -> None:
    take(database, listed(1, url="https://a.example/1"))
    before = contents(database)
    with database.read() as db:
        asked = [
            listed(2),
            listed(1, album="new", isrc=ISRC),
            listed(3, isrc=ISRC),
            listed(2, url="https://b.example/2"),
        ]
        assert find(db, asked) == [None, 1, 1, None]
        assert [number < catalogue.UNKNOWN for number in recognise(db, asked)] == [False, True, True, False]
        assert recognise(db, asked)[0] == recognise(db, asked)[3]
    assert contents(database) == before


def test_long_lists_are_taken_in_by_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = [listed(number % 7, isrc=None) for number in range(20)]
    monkeypatch.setattr(catalogue, "BATCH", 3)
    ids, new = take(database, *tracks)
    assert (ids, new) == ([number % 7 + 1 for number in range(20)], 7)


@pytest.mark.parametrize(
    "awkward",
    [
        ListedTrack("", ()),
        ListedTrack("<b>x</b>", ("<i>y</i>",), duration_s=1.0),
        ListedTrack("+", ("???",)),
        ListedTrack("🎵", ("🎸",)),
        ListedTrack("a|b", ("c|d",)),
        ListedTrack("100%_", ("A; B", "C"), "'; DROP TABLE tracks; --"),
        ListedTrack("x" * 300, ("y" * 300,), duration_s=0.0),
        ListedTrack("z}", ("}",), duration_s=5.0),
    ],
)
def test_any_track_is_found_again(database: Database, awkward: ListedTrack) -> None:
    take(database, listed(1), listed(2))
    ids, new = take(database, awkward)
    again, new_again = take(database, awkward)
    if sameness(awkward, awkward).certainty >= CERTAIN:
        assert (again, new, new_again) == (ids, 1, 0)
    else:  # nobody's song without a name: kept apart, and put before a person
        assert (len(set(ids + again)), new_again) == (2, 1)


# -- laws --------------------------------------------------------------------------------------------------------------

recordings = st.lists(st.integers(0, 5), min_size=2, max_size=14)


def spellings(number: int) -> list[ListedTrack]:
    """How lists write one recording: certainly the same, each with any other."""
    song = listed(number, isrc=f"AAAAA000000{number}", url=f"https://a.example/{number}")
    return [
        song,
        listed(number, title=song.title.upper(), duration_s=(song.duration_s or 0) + 1),
        listed(number, title=f"{song.title} (Remastered 2011)", album="Best of", url=f"https://b.example/{number}"),
        listed(number, title=f"{song.title} - Official Video", artists=(song.artists[0].lower(),)),
    ]


@given(recordings, st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_the_order_of_lists_does_not_change_which_tracks_are_one(
    fresh_library: Callable[[], Database], numbers: list[int], choose: random.Random, shuffle: random.Random
) -> None:
    tracks = [(number, choose.choice(spellings(number))) for number in numbers]
    for again in range(2):
        database = fresh_library()
        for start in range(0, len(tracks), 3):
            take(database, *(track for _, track in tracks[start : start + 3]))
        ids, new = take(database, *(track for _, track in tracks))
        assert new == 0
        assert len(set(ids)) == len(rows(database)) == len(set(numbers))
        assert len(set(zip(ids, (number for number, _ in tracks), strict=True))) == len(set(numbers)), again
        assert Catalogue(database).pairs() == ([], 0)
        shuffle.shuffle(tracks)


alike = st.builds(
    ListedTrack,
    title=st.sampled_from(["Song", "Song (Live)", "Song - Radio Edit", "Song (feat. X)", "Sing", "Songs of Songs", ""]),
    artists=st.sampled_from([("A",), ("A", "B"), ("B",), (), ("A & B",), ("The A",)]),
    duration_s=st.sampled_from([None, 100.0, 101.0, 102.5, 104.0, 111.0, 300.0]),
    isrc=st.sampled_from([None, None, None, ISRC, OTHER_ISRC]),
    url=st.sampled_from(["", "", "https://a.example/1", "https://a.example/2"]),
)


@given(st.lists(alike, min_size=1, max_size=10))
def test_nothing_is_made_one_on_a_doubt_and_every_doubt_is_told(
    fresh_library: Callable[[], Database], tracks: list[ListedTrack]
) -> None:
    database = fresh_library()
    pairs_before: set[tuple[int, int]] = set()
    for track in tracks:
        before = {row.id: known for row, known in zip(Library(database).tracks("any"), rows(database), strict=True)}
        urls = {url: number for number in before for url in Library(database).urls(number)}
        with database.read() as db:
            foretold = recognise(db, [track])[0]
        (track_id,), new = take(database, track)
        pairs = {(pair.track_id, pair.other_id): pair for pair in Catalogue(database).pairs()[0]}
        if new:
            assert foretold >= catalogue.UNKNOWN
            assert track_id not in before
            doubtful = {
                (number, track_id) for number, known in before.items() if sameness(known, track).certainty >= DOUBTFUL
                and identity_key(known.artists, known.title) == identity_key(track.artists, track.title)
            }  # fmt: skip
            assert doubtful <= set(pairs)
            assert all(sameness(known, track).certainty < CERTAIN for known in before.values())
            for number, other in set(pairs) - pairs_before:
                said = sameness(before[number], track)
                assert other == track_id
                assert (pairs[number, other].certainty, pairs[number, other].reasons) == (said.certainty, said.reasons)
                assert DOUBTFUL <= said.certainty < CERTAIN
        else:
            assert foretold == track_id
            assert urls.get(track.url) == track_id or sameness(before[track_id], track).certainty >= CERTAIN
            assert set(pairs) == pairs_before
        pairs_before = set(pairs)


@given(st.lists(alike, max_size=8), st.lists(alike, max_size=12), st.integers(1, 4))
def test_recognising_foretells_what_adding_does(
    fresh_library: Callable[[], Database], known: list[ListedTrack], asked: list[ListedTrack], batch: int
) -> None:
    database = fresh_library()
    take(database, *known)
    with database.read() as db:
        foretold = recognise(db, asked)
    ids, new = take(database, *asked)
    unknown = [number for number in foretold if number >= catalogue.UNKNOWN]
    assert len(set(unknown)) == new
    assert [number if number < catalogue.UNKNOWN else None for number in foretold] == [
        number if number not in {i for i, n in zip(ids, foretold, strict=True) if n >= catalogue.UNKNOWN} else None
        for number in ids
    ]
    assert len(set(zip(foretold, ids, strict=True))) == len(set(ids))


# -- doubtful pairs ----------------------------------------------------------------------------------------------------


def twins(database: Database, **changes: Any) -> tuple[int, int]:
    """Two tracks that may be one."""
    ids, _ = take(database, listed(1), listed(1, **{"duration_s": 125.0, **changes}))
    return ids[0], ids[1]


def test_a_doubtful_pair_is_listed_with_its_reasons(database: Database) -> None:
    pair = twins(database)
    (listed_pair,), total = Catalogue(database).pairs()
    assert total == 1
    assert (listed_pair.track_id, listed_pair.other_id) == pair
    assert listed_pair.names == ("Artist Birch 1 – Song Birch 1",) * 2
    assert listed_pair.durations_s == (120.0, 125.0)
    assert listed_pair.reasons == ("lengths differ by some seconds",)
    assert DOUBTFUL <= listed_pair.certainty < CERTAIN


def test_another_spelling_at_the_same_length_is_a_doubt(database: Database) -> None:
    take(database, listed(1, title="Metamorphosis of a Song"), listed(1, title="Metamorphosys of a Song"))
    (pair,), _ = Catalogue(database).pairs()
    assert pair.reasons == ("spelled a little differently",)


def test_the_surest_pairs_come_first_and_all_are_counted(database: Database) -> None:
    take(database, *(listed(1, duration_s=120.0 + 9 * number) for number in range(6)))
    take(database, listed(2, isrc=ISRC), listed(2, isrc=OTHER_ISRC))
    pairs, total = Catalogue(database).pairs(limit=3)
    assert (len(pairs), total) == (3, 6)
    assert pairs[0].reasons == ("different ISRCs",)
    assert [pair.certainty for pair in pairs] == sorted((pair.certainty for pair in pairs), reverse=True)


def test_a_pair_kept_apart_is_asked_about_no_more(database: Database) -> None:
    pair = twins(database)
    Catalogue(database).keep_apart([pair])
    assert Catalogue(database).pairs() == ([], 0)
    take(database, listed(1), listed(1, duration_s=125.0))
    assert Catalogue(database).pairs() == ([], 0)
    undo_latest(database)
    assert Catalogue(database).pairs()[1] == 1


def test_merging_moves_votes_playlists_addresses_and_what_is_known(database: Database) -> None:
    library, playlists = Library(database), Playlists(database)
    one = playlists.take_in(playlist("one", listed(1, duration_s=None, url="https://a.example/1")), {"techno": 1.0})
    add(library, found(5, title="Elsewhere"))  # a number between
    two = playlists.take_in(playlist("two", listed(1, title="Song Birch 1 (Live)")), {"house": 1.0})
    with database.write() as db:
        db.execute("INSERT INTO track_pairs VALUES (1, 3, 0.6, '[]', 0)")
    library.looked_up(3, [Vote("ambient", "musicbrainz", 2.0, "x"), Vote("dub", "musicbrainz", 1.0, "x")], "{}")
    library.looked_up(1, [Vote("ambient", "musicbrainz", 1.0, "x")], "{}")
    library.label_by_hand([3], {"jazz": 1.0}, who="me")
    with database.write() as db:
        db.execute("UPDATE tracks SET isrc = ?, album = 'Live!' WHERE id = 3", (ISRC,))
        db.execute("INSERT INTO track_urls VALUES ('https://b.example/1', 3)")
    before = contents(database)
    assert Catalogue(database).merge([(1, 3)]) == 1
    (row,) = library.tracks("any", track_id=1)
    assert (row.title, row.duration_s, row.isrc, row.album) == ("Song Birch 1", 120.0, ISRC, "Live!")
    votes = {(vote.genre, vote.source, vote.weight) for vote in row.votes}
    assert votes == {
        ("techno", "playlist", 1.0),
        ("house", "playlist", 1.0),
        ("ambient", "musicbrainz", 1.0),
        ("dub", "musicbrainz", 1.0),
        ("jazz", "hand", 1.0),
    }
    assert library.urls(1) == ["https://a.example/1", "https://b.example/1"]
    assert library.tracks("any", track_id=3) == []
    assert [playlists.get(number.playlist_id).tracks for number in (one, two)] == [1, 1]
    undo_latest(database)
    assert contents(database) == before


def test_of_two_in_one_playlist_one_remains(database: Database) -> None:
    taken = Playlists(database).take_in(playlist("one", listed(1), listed(1, duration_s=125.0)), {"techno": 1.0})
    Catalogue(database).merge([(1, 2)])
    assert Playlists(database).get(taken.playlist_id).tracks == 1
    assert labels(Library(database)) == {1: {"techno": 1.0}}


@pytest.mark.parametrize("with_sound", [1, 2])
def test_the_track_with_sound_is_kept(database: Database, with_sound: int) -> None:
    pair = twins(database)
    length = (120.0, 125.0)[with_sound - 1]
    song = listed(1)
    add(Library(database), found(1, title=song.title, artist=song.artists[0], duration_s=length))
    assert Catalogue(database).merge([pair]) == 1
    (row,) = Library(database).tracks("any")
    assert (row.id, row.state, row.duration_s) == (with_sound, "waiting", length)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_that_both_have_sound_the_second_keeps_its_sound_aside(
    database: Database, order: tuple[int, int]
) -> None:
    pair = twins(database)
    kept, gone = (pair[place] for place in order)
    library, song = Library(database), listed(1)
    for number, length in enumerate((120.0, 125.0)):
        add(library, found(number, title=song.title, artist=song.artists[0], duration_s=length))
    library.label_by_hand([gone], {"jazz": 1.0}, who="me")
    before = contents(database)
    assert Catalogue(database).merge([(kept, gone)], who="me") == 1
    rows = {row.id: row for row in library.tracks("any")}
    label = rows[kept].label
    assert label and (rows[kept].set_aside, label.top) == (False, "jazz")
    assert (rows[gone].set_aside, rows[gone].votes, rows[gone].has_sound) == (True, (), True)
    with database.read() as db:
        listings = [listed(1), listed(1, duration_s=125.0)]
        assert gone not in recognise(db, listings), "what is listed is never the row that only holds a sound"
    with pytest.raises(LibraryError, match="Nothing was merged"):
        Catalogue(database).merge([(kept, gone), (gone, kept)])
    undo_latest(database)
    assert contents(database) == before


def test_a_second_sound_stays_aside_when_all_songs_are_used(database: Database) -> None:
    pair, library, song = twins(database), Library(database), listed(1)
    for number, length in enumerate((120.0, 125.0)):
        add(library, found(number, title=song.title, artist=song.artists[0], duration_s=length))
    Catalogue(database).merge([pair])
    library.set_aside([pair[0]])
    library.set_aside([])
    assert {row.id: row.set_aside for row in library.tracks("any")} == {pair[0]: False, pair[1]: True}


def test_merging_nothing_is_told(database: Database) -> None:
    before = contents(database)
    with pytest.raises(LibraryError, match="Nothing was merged"):
        Catalogue(database).merge([])
    assert contents(database) == before and latest_edit(database) is None


def test_any_two_tracks_can_be_kept_apart(database: Database) -> None:
    take(database, *(listed(number) for number in (1, 2, 3)))
    catalogue = Catalogue(database)
    catalogue.keep_apart([(3, 1), (2, 2), (1, 99)])
    assert catalogue.kept_apart() == {(1, 3)} and catalogue.pairs() == ([], 0)
    undo_latest(database)
    assert catalogue.kept_apart() == set()


def test_several_pairs_of_one_track_become_one_track(database: Database) -> None:
    ids, _ = take(database, *(listed(1, duration_s=120.0 + 5 * number) for number in range(3)))
    taken = Playlists(database).take_in(playlist("one", listed(1, duration_s=130.0)), {"techno": 1.0})
    pairs, _ = Catalogue(database).pairs()
    assert Catalogue(database).merge([(pair.track_id, pair.other_id) for pair in pairs]) == 2
    assert [row.id for row in Library(database).tracks("any")] == ids[:1]
    assert Playlists(database).get(taken.playlist_id).tracks == 1
    assert Catalogue(database).pairs() == ([], 0)


@pytest.mark.parametrize("chain", [[(1, 2), (2, 3)], [(2, 3), (1, 2)], [(2, 3), (1, 3)], [(1, 3), (2, 3)]])
def test_a_chain_of_pairs_becomes_one_track(database: Database, chain: list[tuple[int, int]]) -> None:
    take(database, *(listed(1, duration_s=120.0 + 5 * number) for number in range(3)))
    song = listed(1)
    add(Library(database), found(1, title=song.title, artist=song.artists[0], duration_s=125.0))
    assert Catalogue(database).merge(chain) == 2
    assert [row.id for row in Library(database).tracks("any")] == [2]  # the one with sound


def test_a_doubt_about_the_track_that_went_is_now_about_the_one_that_stayed(database: Database) -> None:
    take(database, *(listed(1, duration_s=120.0 + 6 * number) for number in range(3)))
    first, second = sorted((pair.track_id, pair.other_id) for pair in Catalogue(database).pairs()[0])
    assert (first, second) == ((1, 2), (2, 3))
    Catalogue(database).merge([first])
    assert [(pair.track_id, pair.other_id) for pair in Catalogue(database).pairs()[0]] == [(1, 3)]


def test_merging_what_is_gone_does_nothing(database: Database) -> None:
    pair = twins(database)
    assert Catalogue(database).merge([pair, pair, (pair[0], 99), (5, 5)]) == 1
