"""The mapping as a file: read back as written, taken over as told beforehand, refused whole where it is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from core.errors import LibraryError
from core.library.edits import latest_edit
from core.library.genres import Genres
from core.library.mapping import (
    COLUMNS,
    GenreEntry,
    GenreMapping,
    PlaylistEntry,
    as_csv,
    as_yaml,
    current,
    differences,
    parse,
    take_over,
)
from core.library.playlists import Playlists
from core.library.store import Library
from core.music import Vote
from tests.library.test_store import add, found
from tests.lists import AWKWARD, contents, distinct, genre_names, listed, names, playlist, undo_latest, weights

colours = st.integers(0, 0xFFFFFF).map("#{:06X}".format)


@st.composite
def mappings(draw: st.DrawFn) -> GenreMapping:
    """A mapping as a workspace could have it: every name means one genre, parents go in no circle."""
    known = st.sampled_from(["techno", "dnb", "Drum & Bass", "liquid", "Electronic", "rap", "house music"])
    pool = distinct(draw(st.lists(st.one_of(genre_names, known), max_size=10)))
    n = draw(st.integers(0, len(pool)))
    genres, aliases = pool[:n], pool[n:]
    entries = {
        name: GenreEntry(
            parent=draw(st.sampled_from([None, *genres[:place]])), colour=draw(st.one_of(st.none(), colours))
        )
        for place, name in enumerate(genres)
    }
    for alias in aliases if genres else ():
        entries[draw(st.sampled_from(genres))].aliases.append(alias)
    for entry in entries.values():
        entry.aliases.sort(key=str.casefold)
    identities = draw(st.lists(st.tuples(st.sampled_from(["spotify", "csv"]), names), unique=True, max_size=5))
    playlists = [
        PlaylistEntry(
            source=source,
            reference=reference,
            title=draw(names),
            genres=draw(st.dictionaries(st.sampled_from(genres), weights, max_size=3)) if genres else {},
        )
        for source, reference in identities
    ]
    return GenreMapping(genres=entries, playlists=playlists)


def refused(database: Database, name: str, data: bytes, sentence: str = "") -> None:
    """The file is refused in a sentence that names it, when it is read or when it is taken over; nothing is changed."""
    before = contents(database)
    with pytest.raises(LibraryError, match=sentence):
        take_over(database, parse(name, data))
    assert contents(database) == before
    assert latest_edit(database) is None


@pytest.fixture
def full(database: Database) -> Database:
    playlists = Playlists(database)
    playlists.take_in(playlist("one", listed(1), title="=SUM(1)"), {"dnb": 1.0, "techno": 0.5})
    playlists.take_in(playlist("two", listed(2), title='"Two", the\tsecond'), {"house": 1.0})
    playlists.take_in(playlist("three", listed(3)))
    add(Library(database), found(1, votes=(Vote("jazz", "folder"),)))
    return database


# -- round trips -------------------------------------------------------------------------------------------------------


@given(mappings())
def test_a_mapping_is_read_from_yaml_as_it_was_written(mapping: GenreMapping) -> None:
    text = as_yaml(mapping)
    assert text.isprintable() or "\n" in text
    again = parse("mapping.yaml", text.encode())
    assert again == mapping
    assert list(again.genres) == list(mapping.genres)


@given(mappings())
def test_playlists_are_read_from_csv_as_they_were_written(mapping: GenreMapping) -> None:
    again = parse("Mapping.CSV", as_csv(mapping).encode())
    assert again == GenreMapping(playlists=mapping.playlists)


@pytest.mark.parametrize(
    "title", [*AWKWARD, "+1", "-1", "@me", "=1", "'=1", "''", "'", "a,b;c", "two\nlines", "a\r\nb", "c\rd"]
)
def test_a_table_runs_nothing_in_a_spreadsheet_and_loses_nothing(title: str) -> None:
    mapping = GenreMapping(playlists=[PlaylistEntry(source="csv", reference=title, title=title, genres={title: 0.5})])
    text = as_csv(mapping)
    assert parse("a.csv", text.encode()) == mapping
    for start in ("=", "+", "-", "@"):
        assert f",{start}" not in text
        assert f'"{start}' not in text


def test_a_table_that_a_spreadsheet_saved_is_read(database: Database) -> None:
    text = "\ufeffTitle,Source, REFERENCE ,genre,extra\r\nOne,spotify,abc,techno,?\r\n\r\n,spotify,abc,house\r\nTwo,csv,d,,\r\n"
    mapping = parse("a.csv", text.encode())
    assert mapping.playlists == [
        PlaylistEntry(source="spotify", reference="abc", title="One", genres={"techno": 1.0, "house": 1.0}),
        PlaylistEntry(source="csv", reference="d", title="Two"),
    ]


@given(mappings())
def test_a_workspace_becomes_as_another_was(fresh_library: Callable[[], Database], mapping: GenreMapping) -> None:
    one, other = (fresh_library() for _ in range(2))
    take_over(one, mapping)
    exported = current(one)
    take_over(other, parse("a.yaml", as_yaml(exported).encode()))
    again = current(other)
    assert again == exported
    assert list(again.genres) == list(exported.genres)
    assert {name: entry.colour for name, entry in exported.genres.items()} == {
        name: entry.colour for name, entry in mapping.genres.items()
    }


@given(mappings(), mappings())
def test_what_was_taken_over_differs_no_more_and_can_be_undone(
    fresh_library: Callable[[], Database], there: GenreMapping, wanted: GenreMapping
) -> None:
    database = fresh_library()
    take_over(database, there)
    assert differences(database, there) == []
    before = contents(database)
    told = differences(database, wanted)
    try:
        take_over(database, wanted)
    except LibraryError:  # an alias of one is a genre of the other, or their parents go in a circle together
        assert contents(database) == before
        return
    assert differences(database, wanted) == []
    if contents(database) != before:
        undo_latest(database)
        assert contents(database) == before
    assert differences(database, wanted) == told


# -- taking over -------------------------------------------------------------------------------------------------------


def test_the_mapping_of_a_workspace_is_told_without_its_folders(full: Database) -> None:
    mapping = current(full)
    assert [(entry.reference, entry.title, entry.genres) for entry in mapping.playlists] == [
        ("one", "=SUM(1)", {"drum and bass": 1.0, "techno": 0.5}),
        ("two", '"Two", the\tsecond', {"house": 1.0}),
        ("three", "List three", {}),
    ]
    assert mapping.genres["techno"] == GenreEntry(parent="electronic", aliases=["techno music"])
    assert "jazz" in mapping.genres
    assert differences(full, mapping) == []


def test_a_file_of_a_person_is_taken_over(full: Database) -> None:
    text = """
genres:
  Drum & Bass: {aliases: [dnb, drumnbass], colour: '#00ff00'}
  techno: {parent: electronic music}
  new one: {parent: dnb}
playlists:
- {source: spotify, reference: one, genres: {dnb: 1, techno: 2}}
- {source: spotify, reference: unread, title: "Unread, as yet", genres: {new one: 0.5}}
- {source: spotify, reference: two}
"""
    wanted = parse("mine.yml", text.encode())
    changes = {change.what: (change.before, change.after) for change in differences(full, wanted)}
    assert changes == {
        "genre Drum & Bass": ("under electronic, also d&b, dnb, drum n bass", "#00ff00, also dnb, drumnbass"),
        "genre techno": ("under electronic, also techno music", "under electronic"),
        "genre new one": ("not there", "under drum and bass"),
        "=SUM(1)": ("drum and bass, techno=0.5", "drum and bass, techno=2"),
        "Unread, as yet": ("not there", "new one=0.5"),
        '"Two", the\tsecond': ("house", "no genre"),
    }
    take_over(full, wanted)
    assert differences(full, wanted) == []
    genres = {genre.name: genre for genre in Genres(full).all()}
    assert (genres["drum and bass"].parent, genres["drum and bass"].colour) == (None, "#00FF00")
    assert genres["drum and bass"].aliases == ("dnb", "drumnbass")
    assert genres["new one"].parent == "drum and bass"
    assert "jazz" in genres
    rows = {row.reference: row for row in Playlists(full).all()}
    assert (rows["unread"].title, rows["unread"].read_at, rows["unread"].tracks) == ("Unread, as yet", None, 0)
    assert (rows["one"].title, rows["one"].tracks) == ("=SUM(1)", 1)


def test_a_genre_of_the_file_is_a_genre_even_where_it_was_an_alias(full: Database) -> None:
    wanted = parse("a.yaml", b"genres: {liquid: {}, dnb: {parent: liquid}, drum and bass: {aliases: [d&b]}}")
    take_over(full, wanted)
    genres = Genres(full)
    assert genres.parents()["dnb"] == "liquid"
    assert genres.canonical("d&b") == "drum and bass"
    assert genres.canonical("DNB") == "dnb"
    assert differences(full, wanted) == []


def test_an_alias_may_move_from_one_genre_to_another(full: Database) -> None:
    wanted = parse("a.yaml", b"genres: {techno: {aliases: [dnb]}, drum and bass: {aliases: [techno music]}}")
    take_over(full, wanted)
    assert Genres(full).canonical("dnb") == "techno"
    assert Genres(full).canonical("techno music") == "drum and bass"


def test_genres_keep_the_order_of_the_file(database: Database) -> None:
    take_over(database, parse("a.yaml", b"genres: {zouk: {}, ambient: {}, polka: {}}"))
    assert [genre.name for genre in Genres(database).all()] == ["zouk", "ambient", "polka"]


def test_a_file_that_says_nothing_changes_nothing(full: Database) -> None:
    before = contents(full)
    for name, text in (
        ("a.yaml", ""),
        ("a.yaml", "{}"),
        ("a.yaml", "genres: {}\nplaylists: []"),
        ("a.csv", ",".join(COLUMNS)),
    ):
        mapping = parse(name, text.encode())
        assert differences(full, mapping) == []
        take_over(full, mapping)
    assert contents(full) == before


def test_a_mapped_folder_is_compared_as_it_is(full: Database) -> None:
    wanted = GenreMapping(playlists=[PlaylistEntry(source="folder", reference="/music")])
    assert differences(full, wanted) == []
    wanted.playlists[0].genres["jazz"] = 2.0
    assert [change.before for change in differences(full, wanted)] == ["no genre"]
    take_over(full, wanted)
    assert differences(full, wanted) == []
    assert wanted.playlists[0] in [entry.model_copy(update={"title": ""}) for entry in current(full).playlists]


def test_two_spellings_of_a_genre_are_one_with_the_larger_weight(full: Database) -> None:
    wanted = parse("a.csv", b"source,reference,genre,weight\nspotify,one,dnb,3\nspotify,one,Drum & Bass,2\n")
    take_over(full, wanted)
    assert Playlists(full).all()[0].genres == {"drum and bass": 3.0}
    assert differences(full, wanted) == []


# -- what is wrong -----------------------------------------------------------------------------------------------------

LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ngenres: {}\n"
BAD = {
    "binary": ("a.yaml", b"\xff\xfe\x00\x01\x89PNG", "not text in UTF-8"),
    "UTF-16": ("a.csv", "source,reference,genre".encode("utf-16"), "not text in UTF-8"),
    "NUL": ("a.yaml", b"genres: {a\x00b: {}}", "cannot be read as YAML"),
    "6 MB": ("a.yaml", b"#" * 5_000_001, "too large"),
    "6 MB table": ("a.csv", b"x" * 5_000_001, "too large"),
    "no YAML": ("a.yaml", b"genres: {techno: [", "cannot be read as YAML"),
    "tabs": ("a.yaml", b"genres:\n\ttechno: {}", "cannot be read as YAML"),
    "aliases": ("a.yaml", LAUGHS.encode(), "YAML aliases"),
    "merge key": ("a.yaml", b"genres:\n  a: &a {colour: '#000000'}\n  b: {<<: *a}\n", "YAML aliases"),
    "an object": ("a.yaml", b"genres: !!python/object/apply:os.system ['true']", "cannot be read as YAML"),
    "another tag": ("a.yaml", b"genres: !thing {}", "cannot be read as YAML"),
    "two documents": ("a.yaml", b"genres: {}\n---\ngenres: {}\n", "cannot be read as YAML"),
    "deep": ("a.yaml", b"[" * 1_000_000, "nested more deeply"),
    "deep in another way": ("a.yaml", b"- " * 100_000, "nested more deeply"),
    "a list": ("a.yaml", b"- techno\n- house\n", "no mapping of playlists to genres: the whole file"),
    "a word": ("a.yaml", b"techno", "the whole file"),
    "a date": ("a.yaml", b"2020-13-45", r"cannot be read as YAML|the whole file"),
    "unknown key": ("a.yaml", b"genre: {techno: {}}", "genre: Extra inputs"),
    "unknown key of a genre": ("a.yaml", b"genres: {techno: {color: red}}", "techno → color"),
    "unknown key of a playlist": ("a.yaml", b"playlists: [{source: a, reference: b, genre: c}]", "playlists → 0 → genre"),
    "no reference": ("a.yaml", b"playlists: [{source: a}]", "reference: Field required"),
    "empty source": ("a.yaml", b"playlists: [{source: '', reference: b}]", "source"),
    "long reference": ("a.yaml", f"playlists: [{{source: a, reference: {'b' * 2001}}}]".encode(), "reference"),
    "colour": ("a.yaml", b"genres: {techno: {colour: red}}", "techno → colour"),
    "aliases that are no list": ("a.yaml", b"genres: {techno: {aliases: dnb}}", "techno → aliases"),
    "a number for a name": ("a.yaml", b"genres: {1990: {}}", "genres"),
    "weight 0": ("a.yaml", b"playlists: [{source: a, reference: b, genres: {techno: 0}}]", "weight of techno"),
    "weight below 0": ("a.yaml", b"playlists: [{source: a, reference: b, genres: {techno: -1}}]", "weight of techno"),
    "weight nan": ("a.yaml", b"playlists: [{source: a, reference: b, genres: {techno: .nan}}]", "weight of techno"),
    "weight inf": ("a.yaml", b"playlists: [{source: a, reference: b, genres: {techno: .inf}}]", "weight of techno"),
    "weight word": ("a.yaml", b"playlists: [{source: a, reference: b, genres: {techno: much}}]", "techno"),
    "nameless genre": ("a.yaml", b"genres: {'': {}}", "needs a name"),
    "invisible genre": ("a.yaml", b'{"genres": {"\\u200b": {}}}', "needs a name"),
    "nameless genre of a playlist": ("a.yaml", b"playlists: [{source: a, reference: b, genres: {' ': 1}}]", "needs a name"),
    "its own parent": ("a.yaml", b"genres: {techno: {parent: Techno}}", "above itself"),
    "parents in a circle": ("a.yaml", b"genres: {a: {parent: b}, b: {parent: c}, c: {parent: a}}", "above itself"),
    "a circle with what is there": ("a.yaml", b"genres: {electronic: {parent: techno}}", "above itself"),
    "an alias that is a genre of the file": ("a.yaml", b"genres: {a: {aliases: [b]}, b: {}}", "means b already"),
    "an alias of two": ("a.yaml", b"genres: {a: {aliases: [c]}, b: {aliases: [C]}}", "means a already"),
    "an alias that is there": ("a.yaml", b"genres: {a: {aliases: [house]}}", "means house already"),
    "the last of many is wrong": (
        "a.yaml",
        b"genres: {a: {}}\nplaylists: [{source: a, reference: b, genres: {techno: 1}}, {source: a, reference: c, genres: {'': 1}}]",
        "needs a name",
    ),
    "empty table": ("a.csv", b"", "lacks the column genre and reference and source"),
    "no columns": ("a.csv", b"a,b\n1,2\n", "lacks the column genre and reference and source"),
    "one column missing": ("a.csv", b"source,reference,weight\na,b,1\n", "lacks the column genre"),
    "weight in a table": ("a.csv", b"source,reference,genre,weight\na,b,techno,much\n", "line 2: the weight 'much'"),
    "weight 0 in a table": ("a.csv", b"source,reference,genre,weight\na,b,techno,0\n", "weight of techno"),
    "a row without a source": ("a.csv", b"source,reference,genre\n,b,techno\n", "source"),
    "a short row": ("a.csv", b"source,reference,genre\na\n", "reference"),
    "a huge cell": ("a.csv", b'source,reference,genre\na,b,"' + b"x" * 200_000 + b'"\n', "CSV table"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_a_sentence_and_changes_nothing(full: Database, name: str) -> None:
    refused(full, *BAD[name])


@given(st.binary(max_size=200), st.sampled_from(["a.yaml", "a.csv"]))
def test_no_bytes_do_any_harm(database: Database, data: bytes, name: str) -> None:
    try:
        mapping = parse(name, data)
    except LibraryError as error:
        assert name in str(error)
    else:
        assert isinstance(mapping, GenreMapping)


yamlish: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from(["genres", "playlists", "techno", ""])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["genres", "playlists", "techno", "source", "reference", "aliases"]), inner, max_size=3
        ),
    ),
    max_leaves=8,
)


@given(yamlish)
def test_any_structure_is_a_mapping_or_refused(database: Database, content: Any) -> None:
    try:
        mapping = parse("a.yaml", yaml.safe_dump(content).encode())
    except LibraryError as error:
        assert "a.yaml" in str(error) or "weight" in str(error)
    else:
        assert isinstance(mapping, GenreMapping)


def test_a_file_of_an_editor_that_marks_utf_8_is_read(tmp_path: Path, full: Database) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(as_yaml(current(full)), encoding="utf-8-sig")
    assert parse(path.name, path.read_bytes()) == current(full)


def test_a_genre_of_which_nothing_is_told() -> None:
    assert parse("a.yaml", b"genres:\n  techno:\n  house: {parent: electronic}\n").genres == {
        "techno": GenreEntry(),
        "house": GenreEntry(parent="electronic"),
    }
