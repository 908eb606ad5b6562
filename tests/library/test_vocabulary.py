"""Names of genres compared, and the list of well-known ones."""

import csv
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LibraryError
from core.library.vocabulary import GENRES_FILE, Seed, check, genre_key, genres_in, seeds
from core.names import clean


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hip-Hop", "hip hop"),
        ("HipHop", "hip hop"),
        ("R&B", "r and b"),
        ("Drum & Bass", "drum and bass"),
        ("Drum'n'Bass", "drum and bass"),
        ("Rock ’n’ Roll", "rock and roll"),
        ("Reggaetón", "reggaeton"),
        ("Lo‐Fi", "lofi"),
        ("ТЕХНО", "tekhno"),
        ("  K-Pop\n", "kpop"),
    ],
)
def test_names_that_are_one_genre(one: str, other: str) -> None:
    assert genre_key(one) == genre_key(other) != ""


def test_names_that_differ() -> None:
    names = ["house", "tech house", "r&b", "rb", "techno", "???", "+", "🎸", "東京", "京都"]
    assert len({genre_key(name) for name in names}) == len(names)


@given(st.text())
def test_a_visible_name_has_a_key(name: str) -> None:
    assert bool(genre_key(name)) == bool(clean(name))
    assert genre_key(genre_key(name)) == genre_key(name) or not name.isascii()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("DnB", "drum and bass"),
        ("d&b", "drum and bass"),
        ("Drum & Bass", "drum and bass"),
        ("drum n bass", "drum and bass"),
        ("drum'n'bass", "drum and bass"),
        ("Liquid DnB", "liquid drum and bass"),
        ("liquid funk", "liquid drum and bass"),
        ("hiphop", "hip hop"),
        ("rap", "hip hop"),
        ("RnB", "r&b"),
        ("EDM", "edm"),
        ("House Classic", "house classics"),
        ("Psytrance", "psytrance"),
        ("Future Rave", "future rave"),
        ("kpop", "k-pop"),
        ("Murga", "murga"),
        ("Bollywood Music", "bollywood"),
    ],
)
def test_aliases_lead_to_their_genre(said: str, meant: str) -> None:
    assert seeds()[genre_key(said)].name == meant


@pytest.mark.parametrize(
    ("genre", "parent"),
    [
        ("tech house", "house"),
        ("liquid drum and bass", "drum and bass"),
        ("psytrance", "trance"),
        ("medieval", "early music"),
        ("rock", None),
    ],
)
def test_parents(genre: str, parent: str | None) -> None:
    assert seeds()[genre_key(genre)].parent == parent


def test_the_list_is_sorted_lower_case_and_without_contradictions() -> None:
    content = yaml.safe_load(GENRES_FILE.read_text(encoding="utf-8"))
    assert list(content) == sorted(content) and 120 <= len(content) <= 250
    found = list({seed.name: seed for seed in seeds().values()}.values())
    assert list(check(found)) == []
    assert all(name == name.lower() for seed in found for name in (seed.name, *seed.aliases))
    assert len(seeds()) == sum(1 + len(seed.aliases) for seed in found), "every name has a key of its own"


def test_all_genres_of_real_playlists_are_known(shared_data: Path) -> None:
    with (shared_data / "playlists" / "index.csv").open(encoding="utf-8", newline="") as file:
        said = {row["suggested_genre"] for row in csv.DictReader(file)} - {""}
    assert len(said) == 29
    assert [name for name in sorted(said) if genre_key(name) not in seeds()] == []


def test_contradictions_are_told() -> None:
    found = [
        Seed("a", "b", ()),
        Seed("b", "c", ("bee",)),
        Seed("c", "a", ("BEE",)),
        Seed("d", "nowhere", ()),
        Seed("e", "a", ()),
        Seed("f", "f", ("F!",)),
    ]
    assert list(check(found)) == [
        "'BEE' of 'c' compares as a name of 'b'",
        "'F!' of 'f' compares as a name of 'f'",
        "'a' is a kind of itself",
        "'b' is a kind of itself",
        "'c' is a kind of itself",
        "'nowhere', the parent of 'd', is not listed",
        "'f' is a kind of itself",
    ]


def test_without_a_list_no_genre_is_known(tmp_path: Path) -> None:
    assert dict(seeds(tmp_path / "none.yaml")) == {}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("- house\n", "must hold a mapping"),
        ("", "must hold a mapping"),
        ("house: [\n", "cannot be read"),
        ("house: {aliases: hut}\n", "wrong entry, 'house'"),
        ("house: {aliases: [1]}\n", "wrong entry, 'house'"),
        ("house: {colour: red}\n", "wrong entry, 'house'"),
        ("7: {}\n", "wrong entry, 7"),
        ("house: {parent: 3}\n", "wrong entry, 'house'"),
        ("house: {parent: music}\n", "'music', the parent of 'house', is not listed"),
        (f"{'x' * 61}: {{}}\n", "wrong entry"),
        ("house: {}\ntechno: {aliases: [House]}\n", "compares as a name of 'house'"),
        ("!!python/object/apply:os.system ['true']\n", "cannot be read"),
    ],
)
def test_a_damaged_list_is_refused_in_a_sentence(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "genres.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LibraryError, match=told):
        seeds(path)


def test_entries_may_be_short(tmp_path: Path) -> None:
    path = tmp_path / "genres.yaml"
    path.write_text("house:\ntech house: {parent: house}\n", encoding="utf-8")
    assert dict(seeds(path)) == {"house": Seed("house", None, ()), "techhouse": Seed("tech house", "house", ())}


@pytest.mark.parametrize(
    ("values", "genres"),
    [
        (["Rock; Shoegaze"], ("Rock", "Shoegaze")),
        (["Rock", "rock", "ROCK"], ("Rock",)),
        (["Hip-Hop/Rap", "R&B/Soul"], ("Hip-Hop/Rap", "R&B/Soul")),
        (["80s;; 2 Step ;"], ("80s", "2 Step")),
        (["Unknown", "Jazz"], ("Jazz",)),
        (["", " ", "?", "---", "N/A", "<unknown>", "(None)", "Misc.", "other", "MUSIC"], ()),
        (["Unbekannt", "Неизвестно", "その他", "Övrigt", "Autre"], ()),
        (["Unknown Pleasures", "Otherworld", "Musical"], ("Unknown Pleasures", "Otherworld", "Musical")),
    ],
)
def test_genres_of_a_tag(values: list[str], genres: tuple[str, ...]) -> None:
    assert genres_in(values) == genres


@pytest.mark.parametrize(
    ("said", "genre"),
    [
        ("Hip-Hop/Rap", "hip hop"),
        ("Rap/Hip Hop", "hip hop"),
        ("HipHop / Rap", "hip hop"),
        ("Rap & Hip-Hop", "hip hop"),
        ("R&B/Soul", "r&b"),
        ("Soul / R&B", "r&b"),
        ("RnB/Soul", "r&b"),
        ("Electronica/Dance", "electronic"),
        ("Christian & Gospel", "christian"),
        ("Singer/Songwriter", "singer-songwriter"),
    ],
)
def test_names_that_shops_join_find_their_genre(said: str, genre: str) -> None:
    assert seeds()[genre_key(said)].name == genre
