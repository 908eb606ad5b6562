"""The queue: one table, and the only room that speaks SQL about jobs.

A job is `queued`, then `running` under a lease that its worker renews, then `done`, `failed` or `stopped`. A lease that
ran out means a dead worker: the job can be claimed again, and goes on, because jobs are idempotent.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.database import Database, now
from core.errors import LibraryError

MAX_ATTEMPTS = 10
"""A job that takes its worker down this often without getting further is given up."""
GIVEN_UP = "The worker was ended again and again at the same place (out of memory?). See the worker's log."

MAIN, SIDE_LANES = "main", ("collect", "musicbrainz", "fetch_model", "backup")
"""Kinds of job that may last for days are each a lane of their own, so that others need not wait for them; so is what only
waits for the web or the disk, so that it need not wait for a training. All other kinds are the main lane. The jobs of a lane are done
one after another."""
_DEAD = "(state = 'running' AND lease_until NOT BETWEEN ? AND ?)"
"""A lease that ran out, or that reaches far into the future: then the clock was put back after its worker died."""
FUTURE_S = 3600.0
_IN_LANE = "(? IS NULL OR iif(kind IN (SELECT value FROM json_each(?)), kind, ?) = ?)"


@dataclass(frozen=True)
class Job:
    """One row of the queue."""

    id: int
    kind: str
    key: str
    parameters: dict[str, Any]
    state: str
    done: int
    total: int | None
    seconds_left: float | None
    message: str
    attempt: int
    stop_requested: bool
    result: dict[str, Any] | None
    traceback: str | None
    created_at: str
    finished_at: str | None

    @property
    def hopeless(self) -> bool:
        """Whether it took its workers down too often."""
        return self.attempt > MAX_ATTEMPTS

    @property
    def lane(self) -> str:
        """Where it waits its turn."""
        return self.kind if self.kind in SIDE_LANES else MAIN

    @property
    def unfinished(self) -> bool:
        """Queued or running."""
        return self.state in ("queued", "running")


class Queue:
    """The jobs of a workspace. `clock` is seconds since 1970."""

    def __init__(self, database: Database, *, lease_s: float, clock: Callable[[], float] = time.time) -> None:
        """Jobs lie in `database`; a worker silent for `lease_s` counts as dead."""
        self._database = database
        self._lease_s = lease_s
        self._clock = clock

    def submit(self, kind: str, parameters: dict[str, Any], *, key: str, replace: bool = False) -> Job:
        """Ask for a job; if one with this `key` is unfinished, that one is the answer.

        With `replace` it then gets these `parameters`, unless a worker is doing it.
        """
        key = _storable(key)
        with self._database.write() as db:
            if replace:
                db.execute(
                    "UPDATE jobs SET parameters = ?, stop_requested_at = NULL WHERE key = ? "  # noqa: S608
                    f"AND (state = 'queued' OR {_DEAD})",
                    (json.dumps(parameters), key, *self._alive()),
                )
            db.execute(
                "INSERT OR IGNORE INTO jobs (kind, key, parameters, state, created_at) VALUES (?, ?, ?, 'queued', ?)",
                (kind, key, json.dumps(parameters), now()),
            )
            row = db.execute("SELECT * FROM jobs WHERE key = ? AND state IN ('queued', 'running')", (key,)).fetchone()
        return _job(row)

    def claim(self, worker: str, *, job_id: int | None = None, lane: str | None = None) -> Job | None:
        """Take the oldest job that waits or whose worker is dead: of all, of a lane, or just `job_id` if it is such a one."""
        with self._database.write() as db:
            at = self._clock()
            row = db.execute(
                "UPDATE jobs SET state = 'running', worker = ?, lease_until = ?, attempt = attempt + 1, "  # noqa: S608
                "started_at = coalesce(started_at, ?) WHERE id = ("
                f"SELECT id FROM jobs WHERE (state = 'queued' OR {_DEAD}) "
                f"AND (? IS NULL OR id = ?) AND {_IN_LANE} ORDER BY id LIMIT 1) RETURNING *",
                (worker, at + self._lease_s, now(), *self._alive(), job_id, job_id, *_lane(lane)),
            ).fetchone()
        return _job(row) if row else None

    def _alive(self) -> tuple[float, float]:
        """Between which times the lease of a worker that lives ends."""
        at = self._clock()
        return at, at + self._lease_s + FUTURE_S

    def renew(self, job: Job, worker: str) -> tuple[bool, bool]:
        """Renew the lease: (still ours, a stop was asked for)."""
        with self._database.write() as db:
            row = db.execute(
                "UPDATE jobs SET lease_until = ? WHERE id = ? AND worker = ? AND state = 'running' "
                "RETURNING stop_requested_at",
                (self._clock() + self._lease_s, job.id, worker),
            ).fetchone()
        return row is not None, row is not None and row["stop_requested_at"] is not None

    def report(
        self, job: Job, worker: str, *, done: int, total: int | None, message: str, seconds_left: float | None
    ) -> None:
        """Tell how far a job is. Having less left than ever forgives earlier crashes."""
        left = None if total is None else total - done
        with self._database.write() as db:
            db.execute(
                "UPDATE jobs SET attempt = iif(:left < coalesce(least_left, :left + 1), 1, attempt), "
                "least_left = min(coalesce(least_left, :left), coalesce(:left, least_left)), "
                "done = :done, total = :total, message = :message, seconds_left = :seconds_left "
                "WHERE id = :id AND worker = :worker AND state = 'running'",
                {
                    "left": left,
                    "done": done,
                    "total": total,
                    "message": _storable(message),
                    "seconds_left": seconds_left,
                    "id": job.id,
                    "worker": worker,
                },
            )

    def finish(
        self,
        job: Job,
        worker: str,
        state: str,
        *,
        message: str = "",
        result: dict[str, Any] | None = None,
        traceback: str | None = None,
    ) -> None:
        """End a job as `done`, `failed` or `stopped`, if it is still this worker's."""
        message, traceback = _storable(message), traceback and _storable(traceback)
        with self._database.write() as db:
            db.execute(
                "UPDATE jobs SET state = ?, message = ?, result = ?, traceback = ?, finished_at = ?, lease_until = NULL, "
                "seconds_left = NULL WHERE id = ? AND worker = ? AND state = 'running'",
                (state, message, None if result is None else json.dumps(result), traceback, now(), job.id, worker),
            )

    def request_stop(self, job_id: int) -> None:
        """Ask a job to stop: at once if it waits, else noted for its worker."""
        with self._database.write() as db:
            db.execute(
                "UPDATE jobs SET state = iif(state = 'queued', 'stopped', state), "
                "finished_at = iif(state = 'queued', :now, NULL), "
                "message = iif(state = 'queued', 'Stopped before it began.', message), "
                "stop_requested_at = coalesce(stop_requested_at, :now) "
                "WHERE id = :id AND state IN ('queued', 'running')",
                {"now": now(), "id": job_id},
            )

    def get(self, job_id: int) -> Job:
        """The row now. `LibraryError` if there is none."""
        with self._database.read() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise LibraryError(f"There is no job {job_id} in this workspace.")
        return _job(row)

    def latest(self, *kinds: str) -> Job | None:
        """The newest job of these kinds (of any, if none is named)."""
        jobs = self.history(*kinds, limit=1)
        return jobs[0] if jobs else None

    def history(self, *kinds: str, limit: int = 50) -> list[Job]:
        """Jobs of these kinds (or all), newest first."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT * FROM jobs WHERE ? = '[]' OR kind IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?",
                (json.dumps(kinds), json.dumps(kinds), limit),
            ).fetchall()
        return [_job(row) for row in rows]

    def unfinished(self, *, lane: str | None = None) -> list[Job]:
        """Jobs that are running or waiting (of a lane, or all), oldest first."""
        with self._database.read() as db:
            rows = db.execute(
                f"SELECT * FROM jobs WHERE state IN ('queued', 'running') AND {_IN_LANE} ORDER BY id",  # noqa: S608
                _lane(lane),
            ).fetchall()
        return [_job(row) for row in rows]

    def at_work(self) -> list[Job]:
        """Jobs that wait, or that a living worker is doing, oldest first."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT * FROM jobs WHERE state = 'queued' OR (state = 'running' AND lease_until >= ?) ORDER BY id",
                (self._clock(),),
            ).fetchall()
        return [_job(row) for row in rows]

    def stop_all(self, message: str) -> None:
        """Nothing is being done: jobs that are said to be, or wait, have stopped. Of a library that came from elsewhere."""
        with self._database.write() as db:
            db.execute(
                "UPDATE jobs SET state = 'stopped', message = ?, finished_at = ?, lease_until = NULL, seconds_left = NULL "
                "WHERE state IN ('queued', 'running')",
                (message, now()),
            )

    def claimable(self, *, lane: str | None = None) -> bool:
        """Whether a job (of a lane, or any) waits, or its worker is dead."""
        with self._database.read() as db:
            row = db.execute(
                f"SELECT 1 FROM jobs WHERE (state = 'queued' OR {_DEAD}) AND {_IN_LANE} LIMIT 1",  # noqa: S608
                (*self._alive(), *_lane(lane)),
            ).fetchone()
        return row is not None


def _storable(text: str) -> str:
    """`text` as SQLite can store it: bytes of a file name that are not UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _lane(lane: str | None) -> tuple[str | None, ...]:
    """What fills `_IN_LANE`; None for all lanes."""
    return lane, json.dumps(SIDE_LANES), MAIN, lane


def _job(row: sqlite3.Row) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        key=row["key"],
        parameters=json.loads(row["parameters"]),
        state=row["state"],
        done=row["done"],
        total=row["total"],
        seconds_left=row["seconds_left"],
        message=row["message"],
        attempt=row["attempt"],
        stop_requested=row["stop_requested_at"] is not None,
        result=json.loads(row["result"]) if row["result"] else None,
        traceback=row["traceback"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
