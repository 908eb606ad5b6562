"""The playlists offered to begin with."""

import re
from collections import Counter
from pathlib import Path

import pytest

from core.errors import LibraryError
from core.library.starters import Starter, starters
from core.library.vocabulary import genre_key, seeds

ENTRY = "{genre: techno, source: spotify, reference: abc, title: Techno 1}"


def test_the_starters_are_17_playlists_of_8_known_genres() -> None:
    found = starters()
    assert (
        len(found) == len({starter.reference for starter in found}) == len({starter.title for starter in found}) == 17
    )
    assert Counter(starter.genre for starter in found) == {
        "techno": 2,
        "tech house": 2,
        "house classics": 2,
        "deep house": 2,
        "drum and bass": 1,
        "liquid drum and bass": 2,
        "future rave": 3,
        "psytrance": 3,
    }
    for starter in found:
        assert starter.source == "spotify" and re.fullmatch(r"[A-Za-z0-9]{22}", starter.reference), starter
        assert seeds()[genre_key(starter.genre)].name == starter.genre
    assert found[0] == Starter("techno", "spotify", "18vUeZ9BdtMRNV6gI8RnR6", "Techno 1")
    assert found[-1] == Starter("psytrance", "spotify", "3ZG1CAQ811cCiSce3J0uz5", "Psytrance 3")


def test_without_a_list_there_are_no_starters(tmp_path: Path) -> None:
    assert starters(tmp_path / "none.yaml") == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "must hold a list"),
        ("genre: techno\n", "must hold a list"),
        (f"- {ENTRY}\n- [\n", "cannot be read .*line 3"),
        (f"- {ENTRY}\n- techno\n", "Entry 2 .* must hold genre, source, reference, title, and nothing else"),
        ("- {genre: techno, source: spotify, reference: abc}\n", "Entry 1 .* must hold"),
        (f"- {ENTRY[:-1]}, colour: red}}\n", "Entry 1 .* and nothing else"),
        ("- {genre: techno, source: spotify, reference: 123, title: T}\n", "Entry 1 .* wrong reference, 123"),
        ("- {genre: techno, source: '', reference: abc, title: T}\n", "Entry 1 .* wrong source, ''"),
        (f"- {{genre: {'x' * 61}, source: s, reference: r, title: T}}\n", "wrong genre, .* at most 60"),
        (f"- {ENTRY}\n- {ENTRY}\n", "Entry 2 .* lists the playlist abc again"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_damaged_list_is_refused_and_the_place_told(tmp_path: Path, content: str | bytes, told: str) -> None:
    path = tmp_path / "starters.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LibraryError, match=f"(?s){told}"):
        starters(path)
