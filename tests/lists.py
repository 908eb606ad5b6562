"""Playlists made for tests, and the whole content of a library to compare."""

from typing import Any

from hypothesis import strategies as st

from core.database import Database
from core.library.edits import KEYS, latest_edit, undo
from core.library.vocabulary import genre_key
from core.music import ListedTrack, Playlist
from core.names import MAX_GENRE, clean


def listed(number: int, **changes: Any) -> ListedTrack:
    """A track that is no other number's: another artist, another title, another length."""
    told: dict[str, Any] = {
        "title": f"Song {WORDS[number % len(WORDS)]} {number}",
        "artists": (f"Artist {WORDS[number % len(WORDS)]} {number}",),
        "duration_s": 100.0 + 20 * number,
    }
    return ListedTrack(**{**told, **changes})


WORDS = ("Amber", "Birch", "Cobalt", "Dune", "Ember", "Fjord", "Granite", "Harbour")


def playlist(reference: str, *tracks: ListedTrack, **changes: Any) -> Playlist:
    """A playlist of the source `spotify`, titled like its reference."""
    told: dict[str, Any] = {"source": "spotify", "reference": reference, "title": f"List {reference}"}
    return Playlist(**{**told, "tracks": tracks, **changes})


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that edits change."""
    with database.read() as db:
        return {
            table: [tuple(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY {', '.join(keys)}")]
            for table, keys in KEYS.items()
        }


def undo_latest(database: Database) -> str:
    """Take the latest edit back; what it was."""
    edit = latest_edit(database)
    assert edit is not None
    undo(database, edit.id)
    return edit.description


AWKWARD = (
    "<script>alert(1)</script>",
    "<b>bold</b>",
    "🎸🔥",
    "موسيقى عربية",
    "שירים",
    "=HYPERLINK(1)",
    "'quoted'",
    'say "hi"',
    "東京事変",
    "'; DROP TABLE genres; --",
    "%s {0} \\n",
    "🏳️ pride",
    "…",
    "1990",
    "null",
    "no",
    "~",
    "*alias",
    "&anchor",
    "- item",
    "a: b",
    "#hash",
)
"""Names that break what was written carelessly."""

names = st.one_of(st.sampled_from(AWKWARD), st.text(max_size=80)).map(clean).filter(bool)
"""Names of anything, as every source gives them: cleaned, not empty."""
genre_names = names.map(lambda name: clean(name, limit=MAX_GENRE)).filter(bool)
weights = st.one_of(st.integers(1, 5).map(float), st.floats(0.001, 1000, allow_nan=False))


def distinct(found: list[str]) -> list[str]:
    """Of names that compare as one, the first."""
    return list({genre_key(name): name for name in reversed(found)}.values())
