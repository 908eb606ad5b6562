"""The vocabulary: one genre whatever it is called, and a person's word over the list of well-known ones."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from core.errors import LibraryError
from core.library.edits import latest_edit
from core.library.genres import Genre, Genres, Names, checked_weights
from core.library.playlists import Playlists
from core.library.store import Library
from core.music import Vote
from tests.library.test_store import add, found, labels
from tests.lists import AWKWARD, contents, genre_names, listed, playlist, undo_latest


@pytest.fixture
def genres(database: Database) -> Genres:
    return Genres(database)


def make(database: Database, *names: str) -> None:
    """Name genres as an import does: that is no edit."""
    with database.write() as db:
        for name in names:
            Names(db).id_of(name)


def told(genres: Genres) -> dict[str, Genre]:
    return {genre.name: genre for genre in genres.all()}


# -- what a name stands for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "genre"),
    [
        ("dnb", "drum and bass"),
        ("DNB", "drum and bass"),
        ("D&B", "drum and bass"),
        ("drum & bass", "drum & bass"),  # compares as the genre's own name: the spelling is kept
        ("Drum'n'Bass", "Drum'n'Bass"),
        ("hiphop", "hiphop"),
        ("Rap", "hip hop"),
        ("RnB", "r&b"),
        ("electronica", "electronic"),
        ("ukg", "uk garage"),
        ("  no such\ngenre ", "no such genre"),
        ("x" * 300, "x" * 60),
    ],
)
def test_a_name_is_made_canonical_before_anything_is_there(genres: Genres, name: str, genre: str) -> None:
    assert genres.canonical(name) == genre
    assert genres.all() == []


@pytest.mark.parametrize("name", ["dnb", "drum & bass", "Drum and Bass", "drumnbass", "d&b", "DRUM'N'BASS"])
def test_all_names_of_a_genre_are_one_genre(database: Database, genres: Genres, name: str) -> None:
    make(database, "Drum & Bass", name, "dnb")
    assert [genre.name for genre in genres.all()] == ["Drum & Bass", "electronic"]
    assert genres.canonical(name) == "Drum & Bass"


def test_what_is_named_by_an_alias_first_gets_its_usual_name(database: Database, genres: Genres) -> None:
    make(database, "dnb")
    assert told(genres)["drum and bass"].parent == "electronic"
    assert set(told(genres)["drum and bass"].aliases) == {"drum n bass", "dnb", "d&b"}


def test_parents_come_along(database: Database, genres: Genres) -> None:
    make(database, "minimal")
    assert genres.parents() == {"minimal techno": "techno", "techno": "electronic"}


def test_a_persons_removal_of_an_alias_stays(database: Database, genres: Genres) -> None:
    make(database, "drum and bass")
    genres.change("drum and bass", aliases=["dnb"])
    assert genres.canonical("d&b") == "d&b"
    assert genres.guess("my d&b mix") is None
    make(database, "d&b", "dnb", "drum and bass")
    assert set(told(genres)) == {"drum and bass", "d&b", "electronic"}
    assert told(genres)["drum and bass"].aliases == ("dnb",)


def test_a_persons_removal_of_a_parent_stays(database: Database, genres: Genres) -> None:
    make(database, "techno")
    genres.change("techno", no_parent=True)
    make(database, "techno", "tech house")
    assert genres.parents() == {"tech house": "house", "house": "electronic"}


def test_a_well_known_genre_does_not_take_an_alias_that_is_another_genre(database: Database, genres: Genres) -> None:
    make(database, "drum and bass")
    genres.change("drum and bass", aliases=[])
    make(database, "liquid dnb", "dnb")
    genres.merge(["dnb"], "jungle")
    genres.remove("drum and bass")
    make(database, "drum and bass")
    assert "dnb" not in told(genres)["drum and bass"].aliases
    assert genres.canonical("dnb") == "jungle"


def test_a_name_that_became_an_alias_of_another_stays_one(database: Database, genres: Genres) -> None:
    make(database, "drum and bass", "jungle")
    genres.merge(["drum and bass"], "jungle")
    assert genres.canonical("drum & bass") == genres.canonical("dnb") == "jungle"
    genres.change("jungle", aliases=["drum and bass"])
    assert genres.canonical("dnb") == genres.canonical(genres.canonical("dnb"))


def test_each_vote_by_an_alias_is_for_the_genre(database: Database) -> None:
    library = Library(database)
    votes = tuple(Vote(name, source) for name, source in (("dnb", "tag"), ("Drum & Bass", "folder"), ("jazz", "csv")))
    add(library, found(1, votes=votes))
    assert labels(library) == {1: {"drum and bass": 2 / 3, "jazz": 1 / 3}}


NAMED = ["dnb", "Drum & Bass", "jungle", "techno", "Minimal", "hip-hop", "rap", "liquid", *AWKWARD[:6], "x" * 70]


@given(
    st.lists(st.sampled_from(NAMED), max_size=6),
    st.lists(st.tuples(st.sampled_from(["merge", "aliases", "rename", "remove"]), st.data()), max_size=4),
    st.one_of(genre_names, st.text(max_size=100), st.sampled_from(NAMED)),
)
def test_canonical_again_changes_nothing_and_naming_a_genre_agrees(
    fresh_library: Callable[[], Database], named: list[str], deeds: list, asked: str
) -> None:
    database = fresh_library()
    genres = Genres(database)
    make(database, *named)
    for deed, data in deeds:
        there = [genre.name for genre in genres.all()]
        if not there:
            break
        one, other = data.draw(st.sampled_from(there)), data.draw(st.sampled_from([*there, "new"]))
        try:
            if deed == "merge":
                genres.merge([one], other)
            elif deed == "aliases":
                genres.change(one, aliases=[other, "dnb"][: data.draw(st.integers(0, 2))])
            elif deed == "rename":
                genres.change(one, rename=other + "x")
            else:
                genres.remove(one)
        except LibraryError:
            pass
    for name in (asked, *named):
        canonical = genres.canonical(name)
        assert genres.canonical(canonical) == canonical
        if canonical:
            make(database, name)
            assert genres.canonical(name) == canonical
            assert canonical in told(genres)
    no_circles(genres)


def no_circles(genres: Genres) -> None:
    parents = genres.parents()
    for name in parents:
        line = [name]
        while line[-1] in parents:
            line.append(parents[line[-1]])
            assert len(set(line)) == len(line), f"{line} comes round"


@pytest.mark.parametrize("name", [*AWKWARD, "g" * 300, "  spaces  ", "new\nline", "\u202eesrever", "a\x00b"])
def test_a_genre_may_have_any_name(genres: Genres, name: str) -> None:
    genres.add(name)
    (genre,) = (genre for genre in genres.all() if genre.parent is None or genre.name == name)
    assert genre.name == genres.canonical(name)
    assert len(genre.name) <= 60
    assert "\n" not in genre.name
    genres.change(name, parent="above it all", aliases=["called otherwise", *AWKWARD[:1]][:1], colour="#00ff00")
    assert genres.parents()[genre.name] == "above it all"
    genres.merge([name], "another")
    assert genres.canonical(name) == genres.canonical("called otherwise") == "another"


@pytest.mark.parametrize("name", ["", " ", "\n", "\u200b", "\x00"])
def test_a_genre_needs_a_name(genres: Genres, name: str) -> None:
    genres.add("techno")
    for deed in (
        genres.add,
        lambda name: genres.merge(["techno"], name),
        lambda name: genres.split("techno", name, []),
    ):
        with pytest.raises(LibraryError, match="needs a name"):
            deed(name)
    with pytest.raises(LibraryError, match="needs a name"):
        checked_weights({name: 1.0})
    assert [genre.name for genre in genres.all()] == ["electronic", "techno"]


# -- changing ----------------------------------------------------------------------------------------------------------


def test_a_genre_is_added_once(genres: Genres) -> None:
    genres.add("drum & bass")
    for name in ("Drum and Bass", "dnb", "drum & bass"):
        with pytest.raises(LibraryError, match="there already"):
            genres.add(name)


def test_unknown_genres_are_told(genres: Genres) -> None:
    for deed in (
        lambda: genres.change("nothing", rename="x"),
        lambda: genres.remove("nothing"),
        lambda: genres.merge(["nothing"], "x"),
        lambda: genres.order(["nothing"]),
        lambda: genres.split("nothing", "x", [1]),
    ):
        with pytest.raises(LibraryError, match="There is no genre 'nothing'"):
            deed()
    assert genres.all() == []


def test_renaming_keeps_everything_else(database: Database, genres: Genres) -> None:
    Playlists(database).take_in(playlist("one", listed(1)), {"techno": 1.0})
    genres.change("techno", rename="<b>Tekkno</b>", colour="#abcdef")
    assert told(genres)["<b>Tekkno</b>"] == Genre(
        told(genres)["<b>Tekkno</b>"].id, "<b>Tekkno</b>", "electronic", "#ABCDEF", ("techno music",), 1, True
    )
    assert labels(Library(database)) == {1: {"<b>Tekkno</b>": 1.0}}


def test_only_the_spelling_may_change(database: Database, genres: Genres) -> None:
    make(database, "techno")
    genres.change("techno", rename="TECHNO")
    assert "TECHNO" in told(genres)
    assert genres.canonical("techno") == "TECHNO"


def test_a_name_that_is_taken_is_refused(database: Database, genres: Genres) -> None:
    make(database, "techno", "drum and bass")
    before = contents(database)
    for taken in ("Drum & Bass", "dnb"):
        with pytest.raises(LibraryError, match=r"is drum and bass already.*merge"):
            genres.change("techno", rename=taken)
        with pytest.raises(LibraryError, match=r"means drum and bass already.*merge"):
            genres.change("techno", aliases=["tekno", taken])
    assert contents(database) == before
    assert latest_edit(database) is None


def test_a_genre_may_take_the_name_of_its_own_alias(database: Database, genres: Genres) -> None:
    make(database, "drum and bass")
    genres.change("drum and bass", rename="DnB")
    assert "dnb" not in told(genres)["DnB"].aliases
    assert genres.canonical("d&b") == "DnB"


def test_aliases_are_cleaned_and_its_own_name_is_none(genres: Genres) -> None:
    genres.add("polka")
    genres.change("polka", aliases=[" Polka ", "polca", "POLCA", "", "\u200b", "p" * 90])
    assert told(genres)["polka"].aliases == ("POLCA", "p" * 60)
    assert genres.canonical("p" * 90) == "polka"


def test_parents_never_go_in_a_circle(database: Database, genres: Genres) -> None:
    make(database, "minimal techno")
    before = contents(database)
    for name, parent in (
        ("techno", "techno"),
        ("techno", "minimal"),
        ("electronic", "minimal techno"),
        ("electronic", "Techno"),
    ):
        with pytest.raises(LibraryError, match="its own parent"):
            genres.change(name, parent=parent)
    assert contents(database) == before
    genres.change("minimal techno", parent="electronic")
    genres.change("techno", parent="minimal techno")
    assert genres.parents() == {"minimal techno": "electronic", "techno": "minimal techno"}


def test_a_new_parent_is_made(genres: Genres) -> None:
    genres.add("polka")
    genres.change("polka", parent="folk")
    assert genres.parents() == {"polka": "folk"}


@pytest.mark.parametrize("colour", ["red", "#12345", "#1234567", "#12345g", "123456#", "", "#12345\n", "<script>"])
def test_a_colour_is_a_colour(genres: Genres, colour: str) -> None:
    genres.add("polka")
    with pytest.raises(LibraryError, match="#0072B2"):
        genres.change("polka", colour=colour)
    genres.change("polka", colour="#0072b2")
    assert told(genres)["polka"].colour == "#0072B2"


def test_genres_come_in_the_order_given_and_the_rest_by_name(database: Database, genres: Genres) -> None:
    make(database, "jazz", "Blues", "classical", "folk")
    assert list(told(genres)) == ["Blues", "classical", "folk", "jazz"]
    genres.order(["jazz", "classical music"])
    assert list(told(genres)) == ["jazz", "classical", "Blues", "folk"]
    genres.order([])
    assert list(told(genres)) == ["Blues", "classical", "folk", "jazz"]
    undo_latest(database)
    assert list(told(genres)) == ["jazz", "classical", "Blues", "folk"]


def test_merging_gives_all_that_spoke_for_one_to_the_other(database: Database, genres: Genres) -> None:
    library, playlists = Library(database), Playlists(database)
    add(library, found(1, votes=(Vote("jungle", "tag", 2.0, "a"), Vote("techno", "tag", 1.0, "b"))))
    taken = playlists.take_in(playlist("one", listed(1)), {"jungle": 0.5, "dnb": 0.25, "techno": 1.0})
    genres.change("jungle", aliases=["junglist"])
    genres.merge(["jungle"], "dnb")
    assert playlists.get(taken.playlist_id).genres == {"techno": 1.0, "drum and bass": 0.5}
    assert labels(library)[1] == {"drum and bass": 2 / 3, "techno": 1 / 3}
    assert set(told(genres)["drum and bass"].aliases) >= {"jungle", "junglist", "dnb"}
    assert genres.canonical("Jungle") == "drum and bass"


def test_merging_where_one_source_said_both_keeps_one_vote(database: Database, genres: Genres) -> None:
    library = Library(database)
    library_votes = {"techno": 1.0, "house": 3.0}
    add(library, found(1))
    library.label_by_hand([1], library_votes, who="me")
    genres.merge(["techno"], "house")
    assert labels(library)[1] == {"house": 1.0}
    undo_latest(database)
    assert labels(library)[1] == {"house": 0.75, "techno": 0.25}


def test_merging_into_a_new_genre_or_oneself(database: Database, genres: Genres) -> None:
    make(database, "techno", "house")
    genres.merge(["techno", "house", "techno music"][:2], "four to the floor")
    assert set(told(genres)) == {"electronic", "four to the floor"}
    assert genres.canonical("tech no") == "four to the floor"
    before = contents(database)
    genres.merge(["four to the floor", "house"], "four to the floor")
    assert contents(database) == before


def test_children_go_along_in_a_merge(database: Database, genres: Genres) -> None:
    make(database, "minimal techno", "house")
    genres.merge(["techno"], "house")
    assert genres.parents() == {"minimal techno": "house", "house": "electronic"}


@pytest.mark.parametrize(
    ("merged", "into", "parents"),
    [
        (["electronic"], "techno", {"minimal techno": "techno"}),
        (["electronic"], "minimal techno", {"techno": "minimal techno"}),
        (["electronic", "techno"], "minimal techno", {}),
        (["techno", "electronic"], "minimal techno", {}),
        (["minimal techno"], "electronic", {"techno": "electronic"}),
    ],
)
def test_a_genre_may_be_merged_with_one_above_or_below(
    database: Database, genres: Genres, merged: list[str], into: str, parents: dict[str, str]
) -> None:
    make(database, "minimal techno")
    before = contents(database)
    genres.merge(merged, into)
    assert genres.parents() == parents
    undo_latest(database)
    assert contents(database) == before


def test_splitting_moves_the_playlists_chosen(database: Database, genres: Genres) -> None:
    playlists = Playlists(database)
    one = playlists.take_in(playlist("one", listed(1)), {"house": 0.5}).playlist_id
    two = playlists.take_in(playlist("two", listed(2)), {"house": 2.0, "jazz": 1.0}).playlist_id
    three = playlists.take_in(playlist("three", listed(3)), {"jazz": 1.0}).playlist_id
    genres.split("house", "deep house", [two, three, 999])
    assert [playlists.get(number).genres for number in (one, two, three)] == [
        {"house": 0.5},
        {"deep house": 2.0, "jazz": 1.0},
        {"jazz": 1.0},
    ]
    assert labels(Library(database)) == {1: {"house": 1.0}, 2: {"deep house": 2 / 3, "jazz": 1 / 3}, 3: {"jazz": 1.0}}


def test_a_split_that_would_do_nothing_is_refused_whole(database: Database, genres: Genres) -> None:
    playlists = Playlists(database)
    one = playlists.take_in(playlist("one", listed(1)), {"house": 0.5}).playlist_id
    other = playlists.take_in(playlist("two", listed(2)), {"jazz": 0.5}).playlist_id
    before = contents(database)
    for new, chosen, sentence in (
        ("House Music", [one], "another name of house"),
        ("deep house", [other], "Choose playlists"),
        ("deep house", [], "Choose playlists"),
    ):
        with pytest.raises(LibraryError, match=sentence):
            genres.split("house", new, chosen)
    assert contents(database) == before


def test_a_removed_genre_is_gone_with_its_votes_and_comes_back(database: Database, genres: Genres) -> None:
    library = Library(database)
    add(library, found(1, votes=(Vote("techno", "tag"),)))
    Playlists(database).take_in(playlist("one", listed(1)), {"techno": 1.0, "minimal": 1.0})
    before = contents(database)
    genres.remove("techno")
    assert set(told(genres)) == {"electronic", "minimal techno"}
    assert genres.parents() == {}
    assert labels(library) == {1: {}, 2: {"minimal techno": 1.0}}
    undo_latest(database)
    assert contents(database) == before


def test_what_a_search_found_goes_with_its_genre_and_is_shown_for_no_other(database: Database, genres: Genres) -> None:
    playlists = Playlists(database)
    playlists.keep_reading(playlist("hit"), genre="polka", score=0.5)
    playlists.keep_reading(playlist("miss"), genre="polka", score=0.5)
    miss = next(reading for reading in playlists.readings() if reading.playlist.reference == "miss")
    playlists.judge([miss.id], rejected=True)
    genres.remove("polka")
    make(database, "salsa", "tango", "waltz")  # would have taken its number
    assert playlists.readings() == []
    assert playlists.rejected() == set()
    while latest_edit(database):
        undo_latest(database)
    assert [reading.genre for reading in playlists.readings()] == ["polka"]
    assert playlists.rejected() == {("polka", "spotify", "miss")}
    genres.merge(["polka"], "waltz")
    assert [reading.genre for reading in playlists.readings()] == ["waltz"]
    assert playlists.rejected() == {("waltz", "spotify", "miss")}


# -- guessing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "genre"),
    [
        ("Chill DnB", "drum and bass"),
        ("Drum & Bass Essentials", "drum and bass"),
        ("Deep House & Folk", "deep house"),
        ("Rock & Folk", "folk"),
        ("TECHNO!!", "techno"),
        ("(Hip-Hop) 2021", "hip hop"),
        ("90s Hip Hop", "hip hop"),
        ("best liquid drum and bass of all", "liquid drum and bass"),
        ("My Favourites", None),
        ("", None),
        ("<script>alert('jazz')</script>", None),
        ("<b> jazz </b>", "jazz"),
        ("🎷 jazz 🎷", "jazz"),
        ("Rocket science", None),
        ("word " * 5000 + "techno", "techno"),
    ],
)
def test_a_title_names_a_genre(genres: Genres, title: str, genre: str | None) -> None:
    assert genres.guess(title) == genre
    assert genres.all() == []


def test_a_title_names_the_workspaces_own_genres_first(database: Database, genres: Genres) -> None:
    make(database, "Zeuhl", "DRUM & BASS")
    genres.change("Zeuhl", aliases=["magma style"])
    assert genres.guess("All Zeuhl all day") == "Zeuhl"
    assert genres.guess("in magma style!") == "Zeuhl"
    assert genres.guess("dnb") == "DRUM & BASS"
    genres.change("DRUM & BASS", rename="bass things")
    assert genres.guess("the dnb list") == "bass things"


@given(st.text(max_size=120))
def test_what_is_guessed_is_a_genre(genres: Genres, title: str) -> None:
    guessed = genres.guess(title)
    assert guessed is None or genres.canonical(guessed) == guessed
