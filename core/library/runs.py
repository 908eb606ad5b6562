"""The history of trainings: runs, their epochs and last answers. Speaks SQL, as `store` does, about nothing else."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.database import Database, now
from core.errors import LibraryError
from core.music import FloatArray
from core.recipes import TrainingRecipe


@dataclass(frozen=True)
class Run:
    """One training. `plan` is fixed before its first step; `result` is there when it has finished; `note` is a person's."""

    id: int
    name: str
    state: str
    recipe: TrainingRecipe
    request: dict[str, Any]
    plan: dict[str, Any] | None
    result: dict[str, Any] | None
    message: str
    created_at: str
    finished_at: str | None
    note: str = ""


@dataclass(frozen=True)
class Answers:
    """What a network said of its validation songs: `spectra` (n_songs, n_genres) in the plan's order.

    `epoch` is the one they were given after; 0 if by the finished model.
    """

    epoch: int
    spectra: FloatArray


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. `confusion` (n_genres, n_genres) counts validation songs, rows true."""

    epoch: int
    step: int
    train_loss: float
    validation_loss: float
    crop_accuracy: float
    song_accuracy: float
    confusion: list[list[int]]
    learning_rate: float
    crops_per_second: float
    seconds: float
    seconds_left: float
    best: bool


class Runs:
    """All runs of a workspace. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def begin(self, name: str, recipe: TrainingRecipe, request: dict[str, Any]) -> Run:
        """Make the run `name`, or take up an unfinished one that asked for the same."""
        with self._database.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO runs (name, state, recipe, request, created_at) VALUES (?, 'running', ?, ?, ?)",
                (name, recipe.model_dump_json(), json.dumps(request), now()),
            )
            row = db.execute("SELECT * FROM runs WHERE name = ?", (name,)).fetchone()
            run = _run(row)
            if (run.recipe, run.request) != (recipe, request):
                raise LibraryError(f"There is a run {name!r} already, with other settings. Choose another name.")
            if run.state != "finished":
                db.execute("UPDATE runs SET state = 'running', message = '' WHERE id = ?", (run.id,))
        return self.get(name)

    def plan(self, run: Run, plan: dict[str, Any]) -> None:
        """Fix what the run will do."""
        with self._database.write() as db:
            db.execute("UPDATE runs SET plan = ? WHERE id = ? AND plan IS NULL", (json.dumps(plan), run.id))

    def add_epoch(self, run: Run, epoch: Epoch, spectra: FloatArray | None = None) -> None:
        """Write an epoch's row; an epoch done again after a crash replaces its row, which said the same.

        `spectra` (n_songs, n_genres) are its answers about the validation songs; only the latest are kept.
        """
        columns = {**vars(epoch), "confusion": json.dumps(epoch.confusion), "run_id": run.id, "created_at": now()}
        with self._database.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO epochs (run_id, epoch, step, train_loss, validation_loss, crop_accuracy, "
                "song_accuracy, confusion, learning_rate, crops_per_second, seconds, seconds_left, best, created_at) "
                "VALUES (:run_id, :epoch, :step, :train_loss, :validation_loss, :crop_accuracy, :song_accuracy, "
                ":confusion, :learning_rate, :crops_per_second, :seconds, :seconds_left, :best, :created_at)",
                columns,
            )
            if spectra is not None:
                _keep_answers(db, run, epoch.epoch, spectra)

    def keep_answers(self, run: Run, spectra: FloatArray) -> None:
        """What the finished model says of the validation songs, (n_songs, n_genres)."""
        with self._database.write() as db:
            _keep_answers(db, run, 0, spectra)

    def answers(self, run: Run) -> Answers | None:
        """The latest answers about the validation songs; None of a run that kept none."""
        genres = len(run.plan["genres"]) if run.plan else 0
        with self._database.read() as db:
            row = db.execute("SELECT epoch, spectra FROM run_answers WHERE run_id = ?", (run.id,)).fetchone()
        return (
            Answers(row["epoch"], np.frombuffer(row["spectra"], "<f4").reshape(-1, genres)) if row and genres else None
        )

    def note(self, name: str, text: str) -> None:
        """Write a person's note on a run; '' takes it away."""
        with self._database.write() as db:
            if not db.execute("UPDATE runs SET note = ? WHERE name = ?", (text.strip(), name)).rowcount:
                raise LibraryError(f"There is no run named {name!r}.")

    def rename(self, name: str, new_name: str) -> None:
        """Give a run another name. The model that it published keeps its own."""
        with self._database.write() as db:
            if db.execute("SELECT 1 FROM runs WHERE name = ?", (new_name,)).fetchone():
                raise LibraryError(f"There is a run named {new_name!r} already. Choose another name.")
            if not db.execute("UPDATE runs SET name = ? WHERE name = ?", (new_name, name)).rowcount:
                raise LibraryError(f"There is no run named {name!r}.")

    @contextmanager
    def taken_out(self, name: str) -> Iterator[tuple[Run, dict[str, Any]]]:
        """Take a run out of the history, with all that hangs on it: (the run, what `put_back` needs).

        It is out when the block ends well; an error in it leaves the run where it is.
        """
        with self._database.write() as db:
            row = db.execute("SELECT * FROM runs WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise LibraryError(f"There is no run named {name!r}.")
            epochs = db.execute("SELECT * FROM epochs WHERE run_id = ? ORDER BY epoch", (row["id"],)).fetchall()
            answers = db.execute(
                "SELECT epoch, hex(spectra) AS spectra FROM run_answers WHERE run_id = ?", (row["id"],)
            )
            rows = {
                "run": dict(row),
                "epochs": [dict(one) for one in epochs],
                "answers": [dict(one) for one in answers],
            }
            db.execute("DELETE FROM runs WHERE id = ?", (row["id"],))
            yield _run(row), rows

    @contextmanager
    def put_back(self, rows: dict[str, Any]) -> Iterator[Run]:
        """Undo `taken_out`; of a new number where another run has its old one by now."""
        with self._database.write() as db:
            told = dict(rows["run"])
            if db.execute("SELECT 1 FROM runs WHERE name = ?", (told["name"],)).fetchone():
                raise LibraryError(f"There is another run named {told['name']!r} by now. Rename it, then undo.")
            if db.execute("SELECT 1 FROM runs WHERE id = ?", (told["id"],)).fetchone():
                told["id"] = None
            told["id"] = _insert(db, "runs", told)
            for epoch in rows["epochs"]:
                _insert(db, "epochs", {**epoch, "run_id": told["id"]})
            for one in rows["answers"]:
                _insert(
                    db,
                    "run_answers",
                    {"run_id": told["id"], "epoch": one["epoch"], "spectra": bytes.fromhex(one["spectra"])},
                )
            yield _run(db.execute("SELECT * FROM runs WHERE id = ?", (told["id"],)).fetchone())

    def stop_all(self, message: str) -> None:
        """No run is being trained: those that are said to be have stopped. Of a library that came from elsewhere."""
        with self._database.write() as db:
            db.execute("UPDATE runs SET state = 'stopped', message = ? WHERE state = 'running'", (message,))

    def epochs(self, run: Run) -> list[Epoch]:
        """The run's epochs so far, in order."""
        with self._database.read() as db:
            rows = db.execute("SELECT * FROM epochs WHERE run_id = ? ORDER BY epoch", (run.id,)).fetchall()
        return [_epoch(row) for row in rows]

    def end(self, run: Run, state: str, *, message: str = "", result: dict[str, Any] | None = None) -> None:
        """The run is `finished`, `stopped` or `failed`."""
        with self._database.write() as db:
            db.execute(
                "UPDATE runs SET state = ?, message = ?, result = ?, finished_at = ? WHERE id = ?",
                (state, message, None if result is None else json.dumps(result), now(), run.id),
            )

    def get(self, name: str) -> Run:
        """The run of this name. `LibraryError` if there is none."""
        run = self.find(name)
        if run is None:
            raise LibraryError(f"There is no run named {name!r}.")
        return run

    def find(self, name: str) -> Run | None:
        """The run of this name, if there is one."""
        with self._database.read() as db:
            row = db.execute("SELECT * FROM runs WHERE name = ?", (name,)).fetchone()
        return _run(row) if row else None

    def states(self) -> dict[str, str]:
        """How every run stands, by its name, newest first."""
        with self._database.read() as db:
            rows = db.execute("SELECT name, state FROM runs ORDER BY id DESC").fetchall()
        return {row["name"]: row["state"] for row in rows}

    def results(self) -> Sequence[dict[str, Any]]:
        """What every finished run came to, newest first."""
        with self._database.read() as db:
            rows = db.execute("SELECT result FROM runs WHERE result IS NOT NULL ORDER BY id DESC").fetchall()
        return [json.loads(row["result"]) for row in rows]

    def list(self) -> list[Run]:
        """All runs, newest first."""
        with self._database.read() as db:
            rows = db.execute("SELECT * FROM runs ORDER BY id DESC").fetchall()
        return [_run(row) for row in rows]


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        name=row["name"],
        state=row["state"],
        recipe=TrainingRecipe.model_validate_json(row["recipe"]),
        request=json.loads(row["request"]),
        plan=json.loads(row["plan"]) if row["plan"] else None,
        result=json.loads(row["result"]) if row["result"] else None,
        message=row["message"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        note=row["note"],
    )


def _keep_answers(db: sqlite3.Connection, run: Run, epoch: int, spectra: FloatArray) -> None:
    db.execute(
        "INSERT OR REPLACE INTO run_answers VALUES (?, ?, ?)", (run.id, epoch, np.asarray(spectra, "<f4").tobytes())
    )


def _insert(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    """Put a row that was read from `table` back into it. `LibraryError` if the library is built otherwise by now."""
    known = {column["name"] for column in db.execute(f"PRAGMA table_info({table})")}
    if not set(row) <= known:
        raise LibraryError("This was deleted by another version of Genrescope and cannot be brought back.")
    names, places = ", ".join(row), ", ".join("?" * len(row))
    return db.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(row.values())).lastrowid or 0  # noqa: S608


def _epoch(row: sqlite3.Row) -> Epoch:
    known = {name: row[name] for name in Epoch.__dataclass_fields__}
    return Epoch(**{**known, "confusion": json.loads(row["confusion"]), "best": bool(row["best"])})
