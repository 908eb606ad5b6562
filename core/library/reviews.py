"""What a person decides of what was found: yes, no, another one, from there, once more. Speaks SQL.

Each decision is an edit and can be undone; what is only tried again is none.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from core.database import Database
from core.errors import LibraryError
from core.library import candidates, catalogue
from core.library.candidates import Found
from core.library.collection import ANEW, put
from core.library.edits import editing
from core.music import ListedTrack


@dataclass(frozen=True)
class Review:
    """A doubtful track with what was found for it: the one in front first, then by score."""

    track_id: int
    track: ListedTrack
    message: str
    found: tuple[Found, ...]


class Reviews:
    """A person's decisions on the sound of tracks."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def review(self, track_id: int) -> Review | None:
        """A doubtful track with what was found for it; None if it is not doubtful (any more)."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT title, artist, album, isrc, tracks.duration_s, "
                "message, url FROM collecting JOIN tracks ON tracks.id = track_id "
                "WHERE track_id = ? AND collecting.state = 'doubtful'",
                (track_id,),
            ).fetchone()
            if row is None:
                return None
            found = [one for one in candidates.found_for(db, track_id) if one.state != "rejected"]
        found.sort(key=lambda one: one.candidate.url != row["url"])
        return Review(track_id, catalogue.as_listed(row), row["message"], tuple(found))

    def accept(self, track_id: int, url: str) -> bool:
        """The candidate at `url` is the track. True if its sound is here already, else it is to be fetched and taken."""
        with editing(self._database, f"accepted a match for {self._name(track_id)}") as db:
            one = candidates.found_at(db, track_id, url)
            if one.sound is None:
                put(db, track_id, **(ANEW | {"wish": "take"}), state="waiting", url=url)
                return False
            if other := candidates.owner_of_sound(db, track_id, one.sound):
                raise LibraryError(
                    f"{other['artist']} – {other['title']} has this very sound already. If both are the same song, make "
                    "them one under Genres, Same song twice?; else choose another candidate."
                )
            candidates.add_sound(db, track_id, one.sound)
            put(db, track_id, **ANEW, state="fetched", url=url)
        return True

    def hear(self, track_id: int, url: str) -> None:
        """The candidate at `url` is to be heard: put in front, and fetched if it is not here yet. One edit."""
        with editing(self._database, f"put another match for {self._name(track_id)} in front") as db:
            here = candidates.found_at(db, track_id, url).sound is not None
            stands = {"state": "doubtful"} if here else {"state": "waiting", "wish": "hear"}
            put(db, track_id, **(ANEW | stands), url=url)
            candidates.note(db, track_id, url, state="open")

    def paste(self, track_id: int, url: str) -> None:
        """A person says that the track is at `url`: it is fetched and taken. One edit."""
        with editing(self._database, f"pasted a link for {self._name(track_id)}") as db:
            candidates.note(db, track_id, url, state="open")
            put(db, track_id, **(ANEW | {"wish": "take"}), state="waiting", url=url)

    def reject(self, track_id: int, urls: Iterable[str]) -> None:
        """These candidates are not the track. The next one comes in front; if none is left, the track failed. One edit."""
        with editing(self._database, f"rejected matches for {self._name(track_id)}") as db:
            for url in urls:
                candidates.reject(db, track_id, url)
            left = [one for one in candidates.found_for(db, track_id) if one.state == "open"]
            if left:
                put(db, track_id, state="doubtful", url=left[0].candidate.url)
            else:
                told = {"reason": "rejected", "message": "You have rejected what was found."}
                put(db, track_id, state="failed", **told, url=None, wish=None, retry_at=None)

    def reject_sound(self, track_id: int) -> None:
        """The sound that was fetched for a track is another song: it loses it, and is searched for on. One edit."""
        with editing(self._database, f"rejected the sound of {self._name(track_id)}") as db:
            if not send_back(db, track_id):
                raise LibraryError("Only sound that was collected can be rejected here.")

    def retry(self, *, reasons: Iterable[str] | None = None, track_ids: Iterable[int] | None = None) -> int:
        """Try failed tracks again: of all reasons, or of some. Returns how many. What a person rejected stays so."""
        asked = {
            "reasons": None if reasons is None else json.dumps(list(reasons)),
            "ids": None if track_ids is None else json.dumps(list(track_ids)),
        }
        with self._database.write() as db:
            ids = [
                row[0]
                for row in db.execute(
                    "SELECT track_id FROM collecting WHERE state = 'failed' "
                    "AND (:reasons IS NULL OR reason IN (SELECT value FROM json_each(:reasons))) "
                    "AND (:ids IS NULL OR track_id IN (SELECT value FROM json_each(:ids)))",
                    asked,
                )
            ]
            chosen = json.dumps(ids)
            db.execute(
                "UPDATE candidates SET state = 'open', reason = '', message = '' WHERE state = 'failed' "
                "AND track_id IN (SELECT value FROM json_each(?))",
                (chosen,),
            )
            db.execute(
                "UPDATE collecting SET state = 'waiting', tries = 0, retry_at = NULL, message = '', "
                "searched_at = iif(reason IN ('no match', 'rejected'), NULL, searched_at), reason = '' "
                "WHERE track_id IN (SELECT value FROM json_each(?))",
                (chosen,),
            )
        return len(ids)

    def search_elsewhere(self, *, reasons: Iterable[str]) -> int:
        """Tracks that failed where their own address leads are searched for as if they had none. Returns how many."""
        with self._database.write() as db:
            asked = (json.dumps(list(reasons)),)
            some = (
                "SELECT track_id FROM collecting WHERE state = 'failed' AND reason IN (SELECT value FROM json_each(?))"
            )
            ids = [row[0] for row in db.execute(some, asked)]
            chosen = json.dumps(ids)
            db.execute(
                "INSERT INTO candidates (track_id, url, candidate, state) "  # also those that were never asked
                "SELECT track_id, url, json_object('url', url, 'source_id', '', 'title', '', 'artists', json_array()), "
                "'rejected' FROM track_urls WHERE track_id IN (SELECT value FROM json_each(?)) "
                "ON CONFLICT DO UPDATE SET state = 'rejected'",
                (chosen,),
            )
            db.execute(
                "UPDATE collecting SET state = 'waiting', tries = 0, retry_at = NULL, message = '', reason = '', "
                "searched_at = NULL, url = NULL, wish = NULL WHERE track_id IN (SELECT value FROM json_each(?))",
                (chosen,),
            )
        return len(ids)

    def _name(self, track_id: int) -> str:
        with self._database.read() as db:
            row = db.execute("SELECT title FROM tracks WHERE id = ?", (track_id,)).fetchone()
        if row is None:
            raise LibraryError("This track is not in the library any more. Load the page again.")
        return str(row["title"])


def send_back(db: sqlite3.Connection, track_id: int) -> bool:
    """The sound that was fetched for a track is another song: it loses it, and is searched for on. False if none was."""
    row = db.execute("SELECT url FROM collecting WHERE track_id = ? AND state = 'fetched'", (track_id,)).fetchone()
    if row is None:
        return False
    candidates.reject(db, track_id, row["url"])
    put(db, track_id, **ANEW, state="waiting", url=None)
    return True
