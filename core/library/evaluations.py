"""Evaluations: what networks answered about songs they had not learned from, song by song. Speaks SQL."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.database import Database, now
from core.errors import LibraryError
from core.music import FloatArray


@dataclass(frozen=True)
class Evaluation:
    """One evaluation; `kind` is `test`, `folder` or `crossvalidation`; `report` is there when it has finished."""

    id: int
    name: str
    kind: str
    about: dict[str, Any]
    genres: tuple[str, ...]
    report: dict[str, Any] | None
    job_id: int | None
    created_at: str
    finished_at: str | None


@dataclass(frozen=True)
class EvaluatedSong:
    """A song, its label at that time, and the answer; `truth` and `spectrum` (n_genres,) sum to 1."""

    sha256: str
    path: str
    title: str
    artist: str
    fold: int
    truth: FloatArray
    spectrum: FloatArray


class Evaluations:
    """All evaluations of a workspace. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def begin(
        self, name: str, kind: str, about: dict[str, Any], genres: tuple[str, ...], *, job_id: int | None = None
    ) -> Evaluation:
        """Begin an evaluation, or take up the unfinished one of this name and kind that is about the same."""
        with self._database.write() as db:
            for row in db.execute(
                "SELECT * FROM evaluations WHERE name = ? AND kind = ? AND report IS NULL ORDER BY id DESC",
                (name, kind),
            ).fetchall():
                found = _evaluation(row)
                if (found.about, found.genres) == (about, genres):
                    return found
            row = db.execute(
                "INSERT INTO evaluations (name, kind, about, genres, job_id, created_at) VALUES (?, ?, ?, ?, ?, ?) "
                "RETURNING *",
                (name, kind, json.dumps(about), json.dumps(genres), job_id, now()),
            ).fetchone()
        return _evaluation(row)

    def add_songs(self, evaluation: Evaluation, songs: Iterable[EvaluatedSong]) -> None:
        """Keep answers, all or none; an answer given again replaces the earlier one."""
        with self._database.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO evaluation_songs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        evaluation.id,
                        song.sha256,
                        song.path,
                        song.title,
                        song.artist,
                        song.fold,
                        song.truth.astype(np.float32).tobytes(),
                        song.spectrum.astype(np.float32).tobytes(),
                    )
                    for song in songs
                ],
            )

    def finish(self, evaluation: Evaluation, report: dict[str, Any]) -> None:
        """Its figures are there."""
        with self._database.write() as db:
            db.execute(
                "UPDATE evaluations SET report = ?, finished_at = ? WHERE id = ?",
                (json.dumps(report), now(), evaluation.id),
            )

    def songs(self, evaluation: Evaluation) -> list[EvaluatedSong]:
        """Its songs so far, in the order of their SHA-256."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT sha256, path, title, artist, fold, truth, spectrum FROM evaluation_songs "
                "WHERE evaluation_id = ? ORDER BY sha256",
                (evaluation.id,),
            ).fetchall()
        return [_song(row) for row in rows]

    def finished(self, *, kind: str | None = None) -> list[Evaluation]:
        """All that have finished (of one kind), newest first."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT * FROM evaluations WHERE report IS NOT NULL AND (? IS NULL OR kind = ?) ORDER BY id DESC",
                (kind, kind),
            ).fetchall()
        return [_evaluation(row) for row in rows]

    def get(self, evaluation_id: int) -> Evaluation:
        """The evaluation with this id. `LibraryError` if there is none."""
        with self._database.read() as db:
            row = db.execute("SELECT * FROM evaluations WHERE id = ?", (evaluation_id,)).fetchone()
        if row is None:
            raise LibraryError(f"There is no evaluation number {evaluation_id}.")
        return _evaluation(row)


def _evaluation(row: sqlite3.Row) -> Evaluation:
    return Evaluation(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        about=json.loads(row["about"]),
        genres=tuple(json.loads(row["genres"])),
        report=json.loads(row["report"]) if row["report"] else None,
        job_id=row["job_id"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )


def _song(row: sqlite3.Row) -> EvaluatedSong:
    vectors = {name: np.frombuffer(row[name], np.float32) for name in ("truth", "spectrum")}
    return EvaluatedSong(**{**dict(row), **vectors})
