"""What a person says of a label that was doubted: it is right, it is another, it is no music, it is the wrong song.

Speaks SQL. Each decision is one edit and can be undone; it is kept with who and when.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.database import Database, now
from core.errors import LibraryError
from core.library import labels, reviews
from core.library.edits import editing
from core.library.genres import checked_weights
from core.library.store import vote_by_hand, votes_of

Decision = Literal["confirmed", "changed", "not music", "wrong song", "duplicate"]
OUT: tuple[Decision, ...] = ("not music", "wrong song")
"""Decisions that set a song aside for good: balancing genres does not bring it back."""


@dataclass(frozen=True)
class LabelReview:
    """What was said of a track, by whom, and when (as the library keeps times)."""

    decision: Decision
    who: str
    decided_at: str


class LabelReviews:
    """A person's decisions on labels."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def all(self) -> dict[int, LabelReview]:
        """The latest decision on every track that was looked at, by its id."""
        with self._database.read() as db:
            rows = db.execute("SELECT track_id, decision, who, decided_at FROM label_reviews").fetchall()
        return {row["track_id"]: LabelReview(row["decision"], row["who"], row["decided_at"]) for row in rows}

    def hand_votes_at(self, track_id: int) -> str | None:
        """When a person last gave a track its genres; None if nobody did."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT max(created_at) FROM votes WHERE track_id = ? AND source = 'hand'", (track_id,)
            ).fetchone()
        return None if row[0] is None else str(row[0])

    def confirm(self, track_id: int, *, who: str) -> None:
        """The label of a track is right: it becomes hand votes, so that no playlist changes it any more. One edit."""
        with editing(self._database, f"confirmed the genre of {self._title(track_id)}") as db:
            label = labels.resolve(votes_of(db, track_id).get(track_id, ()))
            if label is None:
                raise LibraryError("This song has no genre yet that could be confirmed. Give it one.")
            vote_by_hand(db, [track_id], dict(label.weights), who=who)
            _note(db, track_id, "confirmed", who)

    def change(self, track_id: int, genres: Mapping[str, float], *, who: str) -> None:
        """The label of a track is this one: genres with weights. One edit."""
        genres = checked_weights(genres)
        if not genres:
            raise LibraryError("Choose at least one genre.")
        with editing(self._database, f"{' + '.join(genres)} for {self._title(track_id)}") as db:
            vote_by_hand(db, [track_id], genres, who=who)
            _note(db, track_id, "changed", who)

    def not_music(self, track_id: int, *, who: str) -> None:
        """What sounds is no music (speech, noise, silence): the track is set aside. One edit."""
        with editing(self._database, f"{self._title(track_id)} is not music") as db:
            _set_aside(db, track_id)
            _note(db, track_id, "not music", who)

    def wrong_song(self, track_id: int, *, who: str) -> bool:
        """What sounds is another song than the track. One edit.

        True: its sound was collected; it loses it, and is searched for on. False: the sound is a file of the person's
        own, which is left where it is; the track is set aside.
        """
        with editing(self._database, f"{self._title(track_id)} has the sound of another song") as db:
            is_back = reviews.send_back(db, track_id)
            if not is_back:
                _set_aside(db, track_id)
            _note(db, track_id, "wrong song", who)
        return is_back

    def use_again(self, track_ids: Sequence[int]) -> None:
        """These tracks were set aside for what they sound like, and are learned from after all. One edit."""
        n = len(track_ids)
        with editing(self._database, f"{n:,} song{'s' * (n != 1)} used again") as db:
            asked = json.dumps(list(track_ids)), json.dumps(OUT)
            some = (
                "SELECT track_id FROM label_reviews WHERE track_id IN (SELECT value FROM json_each(?)) "
                "AND decision IN (SELECT value FROM json_each(?))"
            )
            db.execute(f"UPDATE tracks SET set_aside = 0 WHERE id IN ({some})", asked)  # noqa: S608 - written above
            db.execute(f"DELETE FROM label_reviews WHERE track_id IN ({some})", asked)  # noqa: S608

    def _title(self, track_id: int) -> str:
        with self._database.read() as db:
            row = db.execute("SELECT title FROM tracks WHERE id = ?", (track_id,)).fetchone()
        if row is None:
            raise LibraryError("This track is not in the library any more. Load the page again.")
        return str(row["title"])


def _note(db: sqlite3.Connection, track_id: int, decision: Decision, who: str) -> None:
    db.execute(
        "INSERT INTO label_reviews VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "decision = excluded.decision, who = excluded.who, decided_at = excluded.decided_at",
        (track_id, decision, who, now()),
    )


def _set_aside(db: sqlite3.Connection, track_id: int) -> None:
    db.execute("UPDATE tracks SET set_aside = 1 WHERE id = ?", (track_id,))
