"""The history of trainings: runs and their epochs. Speaks SQL, as `store` does, about nothing else."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from core.database import Database, now
from core.errors import LibraryError
from core.recipes import TrainingRecipe


@dataclass(frozen=True)
class Run:
    """One training. `plan` is fixed before its first step; `result` is there when it has finished."""

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

    def add_epoch(self, run: Run, epoch: Epoch) -> None:
        """Write an epoch's row; an epoch done again after a crash replaces its row, which said the same."""
        columns = {**vars(epoch), "confusion": json.dumps(epoch.confusion), "run_id": run.id, "created_at": now()}
        with self._database.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO epochs (run_id, epoch, step, train_loss, validation_loss, crop_accuracy, "
                "song_accuracy, confusion, learning_rate, crops_per_second, seconds, seconds_left, best, created_at) "
                "VALUES (:run_id, :epoch, :step, :train_loss, :validation_loss, :crop_accuracy, :song_accuracy, "
                ":confusion, :learning_rate, :crops_per_second, :seconds, :seconds_left, :best, :created_at)",
                columns,
            )

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
    )


def _epoch(row: sqlite3.Row) -> Epoch:
    known = {name: row[name] for name in Epoch.__dataclass_fields__}
    return Epoch(**{**known, "confusion": json.loads(row["confusion"]), "best": bool(row["best"])})
