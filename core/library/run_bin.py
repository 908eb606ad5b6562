"""Deleted trainings: put into the bin with their checkpoints, whole, and taken out of it again.

A run that is being trained, or waits for it, stays as it is. The model that a run has published is none of its own: it stays.
"""

import json
import shutil
from pathlib import Path

from core.database import now
from core.errors import LibraryError
from core.files import write_json
from core.jobs.queue import Queue
from core.library.runs import Runs
from core.settings import Settings

ROWS, CHECKPOINT = "run.json", "checkpoint"


def folder_of(settings: Settings) -> Path:
    """Where deleted runs lie, a folder each."""
    return settings.data / "bin" / "runs"


def refuse_while_trained(queue: Queue, name: str) -> None:
    """Raise `LibraryError` if a run is being trained, or is about to be."""
    if any(job.kind == "train" and job.parameters.get("name") == name for job in queue.unfinished()):
        raise LibraryError(f"{name!r} is being trained. Stop the training first, or wait for its end.")


def delete(runs: Runs, queue: Queue, settings: Settings, name: str) -> Path:
    """Put a run into the bin; returns where it lies there, for `restore`."""
    refuse_while_trained(queue, name)
    place = folder_of(settings) / now().replace(":", "").replace("+", "_")
    place.mkdir(parents=True)
    try:
        with runs.taken_out(name) as (run, rows):
            write_json(place / ROWS, rows)
            checkpoint = settings.runs / str(run.id)
            if checkpoint.is_dir() and not checkpoint.is_symlink():
                checkpoint.rename(place / CHECKPOINT)
    except BaseException:
        if (place / CHECKPOINT).is_dir():  # the row stays, so must its checkpoint
            (place / CHECKPOINT).rename(checkpoint)
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place


def restore(runs: Runs, settings: Settings, place: Path) -> str:
    """Undo `delete`; returns the run's name."""
    try:
        rows = json.loads((place / ROWS).read_text(encoding="utf-8"))
        with runs.put_back(rows) as run:
            checkpoint = place / CHECKPOINT
            if checkpoint.is_dir():
                target = settings.runs / str(run.id)
                target.parent.mkdir(parents=True, exist_ok=True)
                checkpoint.rename(target)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise LibraryError(f"What lies in {place} cannot be brought back: {error}.") from error
    shutil.rmtree(place, ignore_errors=True)
    return run.name


def binned(settings: Settings) -> list[tuple[Path, str]]:
    """Deleted runs that can be restored, (where it lies, its name), the latest first."""
    found = []
    for place in sorted(folder_of(settings).glob(f"*/{ROWS}"), reverse=True):
        try:
            found.append((place.parent, str(json.loads(place.read_text(encoding="utf-8"))["run"]["name"])))
        except (OSError, ValueError, LookupError, TypeError):
            continue  # half-written, or not ours: nothing to bring back
    return found


def rename(runs: Runs, queue: Queue, name: str, new_name: str) -> None:
    """Give a run another name; the model that it published keeps its own."""
    refuse_while_trained(queue, name)
    runs.rename(name, new_name)
