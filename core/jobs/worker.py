"""The worker: claims a job, does it under a lease that a thread renews, and says how it ended.

The same code runs a job in a process of its own (`python -m core worker`), in a command that waits for it, and in the
caller (`run_here`, for tests). A stop takes effect at the job's next `check`; a job that does not come to one is ended
by force, with its process.
"""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from core.database import Database
from core.errors import GenrescopeError, JobFailed, JobStopped, sentence
from core.files import sweep, sweep_dead
from core.jobs.context import JobContext
from core.jobs.kinds import KINDS, Kind
from core.jobs.queue import MAIN, SIDE_LANES, Job, Queue
from core.settings import Settings

log = logging.getLogger(__name__)

POLL_S = 0.5
FORCED_EXIT = 75
"""Exit code of a worker that ended itself because its job ignored a stop."""


def run_job(context: JobContext, *, force: bool, kinds: dict[str, Kind] = KINDS) -> None:
    """Do a claimed job to its end, and record it. With `force`, end this process if the job ignores a stop."""
    queue, job, worker = context.queue, context.job, context.worker
    over = threading.Event()
    if job.stop_requested:  # of a worker that died before it could stop: this one tidies up after it
        context.stop.set()
    renewing = threading.Thread(target=_keep_lease, args=(context, over, force), daemon=True)
    renewing.start()
    try:
        result = kinds[job.kind](context)
        queue.finish(job, worker, "done", result=result)
    except JobStopped as stop:
        queue.finish(job, worker, "stopped", message=str(stop))
    except GenrescopeError as error:
        queue.finish(job, worker, "failed", message=str(error), traceback=traceback.format_exc())
    except KeyboardInterrupt:
        queue.finish(job, worker, "stopped", message="Stopped.")
        raise
    except Exception as error:
        if not sentence(error):
            log.exception("job %s (%s) failed", job.id, job.kind)
        message = sentence(error) or (
            f"An unexpected error: {type(error).__name__}: {error}. The details tell where; please report it."
        )
        queue.finish(job, worker, "failed", message=message, traceback=traceback.format_exc())
    finally:
        over.set()
        renewing.join()


def _keep_lease(context: JobContext, over: threading.Event, force: bool) -> None:
    settings, stop_seen_at = context.settings, None
    every_s = min(settings.lease_s / 3, 1.0)
    while not over.wait(every_s):
        try:
            ours, stop = context.queue.renew(context.job, context.worker)
        except Exception:
            log.exception("the lease of job %s could not be renewed", context.job.id)
            continue
        if not ours:
            context.lost.set()
        if stop:
            context.stop.set()
            stop_seen_at = stop_seen_at or time.monotonic()
            if force and time.monotonic() - stop_seen_at > settings.force_stop_s and not over.is_set():
                _end_by_force(context)


def _end_by_force(context: JobContext) -> None:
    log.warning("job %s ignored a stop and is ended by force", context.job.id)
    if context.job.kind == "train":
        from core.library.runs import Runs

        runs = Runs(context.database)
        run = runs.find(context.job.parameters["name"])
        if run and run.state == "running":
            runs.end(run, "stopped", message="Stopped by force; the last checkpoint is kept.")
    context.queue.finish(context.job, context.worker, "stopped", message="Stopped by force.")
    logging.shutdown()
    os._exit(FORCED_EXIT)


def open_queue(settings: Settings, database: Database) -> Queue:
    """The workspace's queue."""
    return Queue(database, lease_s=settings.lease_s)


def _identity() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def run_here(
    settings: Settings,
    database: Database,
    job: Job,
    *,
    force: bool = False,
    on_report: Callable[[int, int | None, str, float | None], None] = lambda done, total, message, left: None,
) -> Job:
    """Do `job` in this process, or follow it while another does; returns the row when it has ended.

    `force` as in `run_job`. Raises `JobFailed` if it failed, `JobStopped` if it was stopped.
    """
    queue, worker = open_queue(settings, database), _identity()
    told = None
    while job.unfinished:
        claimed = queue.claim(worker, job_id=job.id)
        if claimed:
            run_job(JobContext(settings, database, claimed, queue, worker, on_report), force=force)
        else:
            time.sleep(POLL_S)
        job = queue.get(job.id)
        if (job.done, job.message) != told and job.unfinished:
            told = job.done, job.message
            on_report(job.done, job.total, job.message, job.seconds_left)
    if job.state == "failed":
        raise JobFailed(job.message)
    if job.state == "stopped":
        raise JobStopped(job.message or "Stopped.")
    return job


def lock_of(settings: Settings, lane: str = MAIN) -> FileLock:
    """Held by the worker of a lane; the system frees it however the worker ends."""
    return FileLock(settings.data / ("worker.lock" if lane == MAIN else f"worker-{lane}.lock"))


def work(settings: Settings, *, lane: str = MAIN, until_empty: bool = False) -> bool:
    """Be the worker of a lane until there has been nothing to do for a while; False if there is one already."""
    settings.data.mkdir(parents=True, exist_ok=True)
    lock = lock_of(settings, lane)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        return False
    with held:
        database = Database(settings.database)
        queue, worker = open_queue(settings, database), _identity()
        log.info("worker %s (%s) begins", worker, lane)
        if lane == MAIN:
            for folder in (
                settings.spectrograms,
                settings.audio,
                settings.runs,
                settings.models,
                settings.data / "backups",
            ):
                sweep(folder)
            sweep_dead(settings.data, ".partial-restore-")
            sweep_dead(settings.data / "backups", ".partial-backup-")
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < settings.worker_idle_s:
            job = queue.claim(worker, lane=lane)
            if job is None:
                if until_empty and not queue.unfinished(lane=lane):
                    break
                time.sleep(POLL_S)
                continue
            log.info("job %s (%s), attempt %s", job.id, job.kind, job.attempt)
            run_job(JobContext(settings, database, job, queue, worker), force=True)
            log.info("job %s is %s", job.id, queue.get(job.id).state)
            idle_since = time.monotonic()
        log.info("worker %s ends", worker)
    return True


def ensure_worker(settings: Settings, queue: Queue) -> bool:
    """Start a worker process for each lane with work and no worker; True if one was started. It outlives this process."""
    started = [_start_worker(settings, lane) for lane in (MAIN, *SIDE_LANES) if queue.claimable(lane=lane)]
    return any(started)


def _start_worker(settings: Settings, lane: str) -> bool:
    lock = lock_of(settings, lane)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    settings.logs.mkdir(parents=True, exist_ok=True)
    log_file = settings.logs / ("worker.log" if lane == MAIN else f"worker-{lane}.log")
    if log_file.exists() and log_file.stat().st_size > 5_000_000:
        log_file.replace(log_file.with_suffix(".log.1"))
    with log_file.open("ab") as out:
        subprocess.Popen(
            [sys.executable, "-m", "core", "worker", "--lane", lane, "--home", str(settings.home)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=Path(__file__).resolve().parent.parent.parent,
            start_new_session=True,
        )
    return True
