"""The frame of every command: the app, the options they share, and how work is done, told and refused.

A command is a function below `@app.command()`; its docstring is its help. It takes `home: Home = None` and
`as_json: Json = False` last, does its work inside `with command(as_json, home) as settings:`, and ends with `answer`.
Long work is a job, done with `do_job`; other work that takes a while reports to `progress`. What is slow to import
(torch, spotipy, yt-dlp) is imported inside the command that needs it. Wrong usage is a `typer.BadParameter`.
"""

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer.core import TyperGroup

from core.database import Database
from core.errors import GenrescopeError, disk_trouble
from core.files import whole
from core.jobs import worker as jobs
from core.jobs.queue import Job, Queue
from core.settings import Settings

ORDER = (
    "import",
    "playlists",
    "sample",
    "tracks",
    "genre-votes",
    "match",
    "collect",
    "preprocess",
    "train",
    "evaluate",
    "crossvalidate",
    "compare",
    "report",
    "labels",
    "predict",
    "why",
    "embed",
    "models",
    "status",
    "backup",
    "restore",
    "disk",
    "doctor",
    "worker",
)
"""The order of use, in which `--help` lists the commands. One that is not named here comes last."""


class InOrder(TyperGroup):
    """Commands in `ORDER`, whichever room was imported first."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, as `--help` lists them."""
        return sorted(super().list_commands(ctx), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


app = typer.Typer(
    cls=InOrder,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Genrescope without a screen: from a folder of songs to a genre spectrum.",
)

Home = Annotated[
    Path | None,
    typer.Option("--home", help="The workspace: a folder that holds data/ and models/.", show_default="the project's"),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output, and nothing else.")]

stdout = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
stderr = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


@contextmanager
def command(as_json: bool, home: Path | None) -> Iterator[Settings]:
    """Settings for a command; errors become a sentence (or `{"error"}`) and exit code 1."""
    try:
        yield Settings(home=home) if home else Settings()
    except GenrescopeError as error:
        fail(as_json, str(error))
    except KeyboardInterrupt:
        fail(as_json, "Stopped. The same command goes on from here.")
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except OSError as error:
        if (trouble := disk_trouble(error)) is None:
            _unexpected(as_json, error)
        fail(as_json, str(trouble))
    except Exception as error:  # noqa: BLE001 - the rim: every error is told, and none escapes as a traceback on stdout
        _unexpected(as_json, error)


def _unexpected(as_json: bool, error: Exception) -> NoReturn:
    traceback.print_exc(file=sys.stderr)
    fail(as_json, f"An unexpected error: {type(error).__name__}: {error}")


def fail(as_json: bool, text: str) -> NoReturn:
    """Tell why a command could not be done, and leave with 1."""
    if as_json:
        sys.stdout.write(json.dumps({"error": text}, ensure_ascii=False) + "\n")
    else:
        stderr.print(f"Error: {text}")
    raise typer.Exit(1)


def do_job(settings: Settings, submit: Callable[[Queue], Job]) -> dict[str, Any]:
    """Do a job here under its lease, or follow it where another process has it. Returns its result."""
    database = Database(settings.database)
    job = submit(jobs.open_queue(settings, database))
    with progress() as report:
        return jobs.run_here(settings, database, job, force=True, on_report=report).result or {}


def answer(as_json: bool, document: Any, lines: list[str], failed: list[dict[str, str]] | None = None) -> None:
    """Print the outcome, as `document` to a script or as `lines` to people; leave with 1 if items `failed`.

    An item that failed has a `path` and a `reason`. People are told of it here; for a script, put it into the document.
    """
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        for line in lines:
            stdout.print(line)
        for item in failed or ():
            stderr.print(f"failed: {item['path']}: {item['reason']}")
    if failed:
        raise typer.Exit(1)


def write(path: Path, text: str) -> None:
    """Write a file that was asked for, whole; `GenrescopeError` if it cannot be."""
    try:
        with whole(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise GenrescopeError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def progress() -> Iterator[Callable[[int, int | None, str, float | None], None]]:
    """A bar on standard error, where that is a terminal. Report (done, total if known, message, seconds left)."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task("Waiting", total=None)

        def report(done: int, total: int | None, message: str, seconds_left: float | None) -> None:
            bar.update(task, completed=done, total=total, description=message or "Working")

        yield report
