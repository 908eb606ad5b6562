"""The frame of every command: the app, the options they share, and how work is done, told and refused.

A command is a function below `@app.command()`; its docstring is its help. It takes `home: Home = None` and
`as_json: Json = False` last, does its work inside `with command(as_json, home) as settings:`, and ends with `answer`.
Long work is a job, done with `do_job`; other work that takes a while reports to `progress`. What is slow to import
(torch, spotipy, yt-dlp) is imported inside the command that needs it. Wrong usage is a `typer.BadParameter`.
"""

import _thread
import errno
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer.core import TyperGroup
from typer.exceptions import TyperException

from core.database import Database, damage
from core.errors import STOPPED, sentence
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


class Commands(TyperGroup):
    """Commands in `ORDER`, whichever module was imported first. Whatever happens, each answers once."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, as `--help` lists them."""
        return sorted(super().list_commands(ctx), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def main(self, args: Sequence[str] | None = None, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command and leave with its exit code. Wrong usage is a sentence too, or `{"error"}`, and exit code 2."""
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given
        _state.answered, _state.interrupted, _state.out = False, False, None
        if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, signal.default_int_handler, None):
            signal.signal(signal.SIGINT, _interrupt)
            sys.unraisablehook = _interrupt_again
        try:
            code = super().main(given, standalone_mode=False, **extra)
            if code == _CTRL_C:  # outside of a command's own work
                fail(as_json, STOPPED)
        except typer.Exit as left:
            code = left.exit_code
        except (TyperException, typer.Abort) as error:
            code = _refuse(as_json, error)
        except KeyboardInterrupt:  # a second one, while the first was answered
            code = 1
        except Exception as error:  # noqa: BLE001 - outside of a command's own work; it answers, too
            traceback.print_exc(file=sys.stderr)
            _say_error(as_json, f"An unexpected error: {type(error).__name__}: {error}")
            code = 1
        if signal.getsignal(signal.SIGINT) is _interrupt:  # all is said; only the process's own end is left
            signal.signal(signal.SIGINT, lambda number, frame: os._exit(code or 0))
        if standalone_mode:
            sys.exit(code or 0)
        return code


@dataclass
class _State:
    """Of the command that this process does."""

    answered: bool = False
    interrupted: bool = False
    out: TextIO | None = None


_state = _State()
_CTRL_C = 130
"""What Typer makes of a KeyboardInterrupt."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C: an exception, and a note of it for where a library swallows the exception or makes another of it."""
    _state.interrupted = True
    raise KeyboardInterrupt


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """A KeyboardInterrupt that was ignored, in a destructor or a callback, comes again a moment later."""
    if unraisable.exc_type is KeyboardInterrupt:
        threading.Timer(0.05, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def _refuse(as_json: bool, error: Exception) -> int:
    """Say what was wrong with how a command was called; its exit code."""
    if isinstance(error, typer.Abort):
        text = STOPPED
    elif type(error).__name__ == "NoArgsIsHelpError" and not as_json:
        error.show()  # type: ignore[attr-defined]
        return int(error.exit_code)  # type: ignore[attr-defined]
    else:
        context = getattr(error, "ctx", None)
        text = " ".join(getattr(error, "format_message", lambda: str(error))().split())
        if type(error).__name__ == "NoArgsIsHelpError":
            text = "A command is missing."
        text = text if text.endswith((".", "?", "!")) else f"{text}."
        text += f" See `{context.command_path if context else 'python -m core'} --help`."
    _say_error(as_json, text)
    return int(getattr(error, "exit_code", 1))


app = typer.Typer(
    cls=Commands,
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
    """Settings for a command; errors become a sentence (or `{"error"}`) and exit code 1.

    With `as_json`, what libraries print goes to standard error. Commands that do not open the library report a
    damaged one, too.
    """
    library: Path | None = None
    try:
        with _stdout_for_answers(as_json):
            settings = Settings.read(home=home) if home else Settings.read()
            library = settings.database
            _complete_restore(settings)
            yield settings
            if fault := damage(library):
                _print(stderr, f"Note: {fault}")
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        fail(as_json, STOPPED)
    except Exception as error:  # noqa: BLE001 - the rim: every error is told, and none escapes as a traceback on stdout
        if _state.interrupted:  # inside an import, say, where it became an ImportError
            fail(as_json, STOPPED)
        if text := sentence(error):
            fail(as_json, text)
        if library and (fault := damage(library, thorough=True)):
            fail(as_json, fault)
        traceback.print_exc(file=sys.stderr)
        fail(as_json, f"An unexpected error: {type(error).__name__}: {error}")


def _complete_restore(settings: Settings) -> None:
    """Complete a restore that was killed, and say so."""
    if settings.restoring.exists():
        from core.keeping.restoring import complete

        if told := complete(settings):
            _print(stderr, told)


@contextmanager
def _stdout_for_answers(as_json: bool) -> Iterator[None]:
    """While a command works: `print` goes to standard error where the answer is JSON."""
    _state.out = sys.stdout
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield


def fail(as_json: bool, text: str) -> NoReturn:
    """Say why a command could not be done, and leave with 1."""
    _say_error(as_json, text)
    raise typer.Exit(1)


def _say_error(as_json: bool, text: str) -> None:
    if _state.answered:
        return
    if as_json:
        _write_json({"error": text})
    else:
        _print(stderr, f"Error: {text}")
        _state.answered = True


def _write_json(document: Any) -> None:
    """Write the one JSON document of a command to standard output, as valid UTF-8."""
    _state.answered = True
    _print(_state.out or sys.stdout, json.dumps(document, ensure_ascii=False))


def _print(to: Console | TextIO, line: str) -> None:
    """Print a line of valid UTF-8: bytes of a name that are none are escaped. `typer.Exit` if nobody takes it."""
    line = line.encode("utf-8", "backslashreplace").decode()
    try:
        if isinstance(to, Console):
            to.print(line)
            to.file.flush()
        else:
            to.write(line + "\n")
            to.flush()
    except OSError as error:
        if to is stderr:
            return
        with suppress(OSError):  # not a file in tests: what is still buffered must not fail again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), (to.file if isinstance(to, Console) else to).fileno())
        if error.errno != errno.EPIPE:
            _print(stderr, f"Error: The answer cannot be written to standard output: {error.strerror}.")
        raise typer.Exit(1) from None


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
    if _state.interrupted:  # and a library swallowed it
        fail(as_json, STOPPED)
    if as_json:
        _write_json(document)
    else:
        _state.answered = True
        for line in lines:
            _print(stdout, line)
        for item in failed or ():
            _print(stderr, f"failed: {item['path']}: {item['reason']}")
    if failed:
        raise typer.Exit(1)


@contextmanager
def progress() -> Iterator[Callable[[int, int | None, str, float | None], None]]:
    """A bar on standard error, where that is a terminal. Report (done, total if known, message, seconds left)."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task("Waiting", total=None)

        def report(done: int, total: int | None, message: str, seconds_left: float | None) -> None:
            bar.update(task, completed=done, total=total, description=message or "Working")

        yield report
