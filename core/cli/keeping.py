"""Keeping the workspace: `backup` and `restore` it as one file, and see what takes how much `disk`."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli.files import Force, source, target
from core.cli.frame import Home, Json, answer, app, command, do_job, progress
from core.database import Database
from core.files import size_in_words
from core.jobs import kinds


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The zip file to write.")],
    holds: Annotated[
        str,
        typer.Option("--with", help="How much: labels (with models), spectrograms (too), or everything (songs too)."),
    ] = "labels",
    force: Force = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write the library as one file, also while jobs run. It holds no secrets."""
    with command(as_json, home) as settings:
        from core.keeping.backup import HOLDS

        if holds not in HOLDS:
            raise typer.BadParameter(f"--with may be: {', '.join(HOLDS)}.")
        to = target(file, settings, force=force)
        result = do_job(
            settings, lambda queue: kinds.submit_backup(queue, settings, holds, to=to.path, replace=to.replace)
        )
        lines = [f"{result['path']}: {result['told']}"]
        if result["left_out"]:
            lines.append(f"{result['left_out']} files that were to go along were not there any more.")
        answer(as_json, result, lines)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a library that is not empty; it is backed up first.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make the library what a backup holds, whole or not at all."""
    with command(as_json, home) as settings:
        from core.keeping.restoring import restore as take_in

        settings.data.mkdir(parents=True, exist_ok=True)
        with progress() as report:
            result = take_in(
                source(file),
                settings,
                replace=replace,
                on_progress=lambda done, total: report(done // 1_000_000, total // 1_000_000, "Megabytes", None),
            )
        lines = [
            f"Restored the library of {result['made'][:16].replace('T', ' ')} UTC: {result['rows']['tracks']:,} tracks."
        ]
        if result["kept"]:
            lines.append(f"The library of before is in {result['kept']}.")
        if result["not_in_it"]:
            lines.append(f"The sound of {result['not_in_it']:,} songs is not on this computer.")
        answer(as_json, result, lines)


@app.command()
def disk(
    clean: Annotated[
        str | None, typer.Option(help="Remove what nothing needs of a kind: the first word of each line.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say what of the workspace takes how much disk, and what of it may go."""
    with command(as_json, home) as settings:
        from core.keeping import disk as room

        database = Database(settings.database)
        if clean is not None:
            freed, files = room.clean(database, settings, clean)
            answer(
                as_json,
                {"freed_bytes": freed, "files": files},
                [f"{size_in_words(freed)} freed; {files:,} files removed."],
            )
            return
        uses = room.measure(database, settings)
        lines = [
            f"{use.kind:13} {size_in_words(use.size_bytes):>9}"
            + (f", {size_in_words(use.free_bytes)} may go: {use.what_may_go}" if use.free_bytes else "")
            + (" (a link to elsewhere: left alone)" if use.linked else "")
            for use in uses
        ]
        answer(as_json, [vars(use) for use in uses], lines)
