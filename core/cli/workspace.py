"""The workspace: where it stands (`status`), what is missing (`doctor`), and who does its jobs (`worker`)."""

import logging
import sys
from typing import Annotated, Any

import typer

from core.cli.frame import Home, Json, answer, app, command
from core.database import Database
from core.jobs import worker as jobs
from core.jobs.queue import MAIN, SIDE_LANES
from core.recipes import SpectrogramRecipe


@app.command()
def status(home: Home = None, as_json: Json = False) -> None:
    """Say where the workspace stands: songs, jobs, runs and models."""
    with command(as_json, home) as settings:
        from core.learning.model import list_models
        from core.library.runs import Runs
        from core.library.store import Library

        database = Database(settings.database)
        counts = Library(database).counts(SpectrogramRecipe().fingerprint)
        unfinished = jobs.open_queue(settings, database).unfinished()
        result: dict[str, Any] = {
            "home": str(settings.home),
            **counts,
            "jobs": [
                {name: getattr(job, name) for name in ("id", "kind", "state", "done", "total", "message")}
                for job in unfinished
            ],
            "runs": [
                {"name": run.name, "state": run.state, "epochs": len(Runs(database).epochs(run))}
                for run in Runs(database).list()
            ],
            "models": [entry.name for entry in list_models(settings) if entry.card],
        }
        lines = [
            f"workspace: {settings.home}",
            "{tracks} tracks by {artists} artists, {labelled} labelled with {genres} genres".format(**counts),
            "{ready} spectrograms ready, {failed} failed".format(**counts),
            *(
                f"job {job['id']}: {job['kind']} is {job['state']}, {job['done']} of {job['total']}"
                for job in result["jobs"]
            ),
            *(f"run {run['name']}: {run['state']} after {run['epochs']} epochs" for run in result["runs"]),
            f"models: {', '.join(result['models']) or 'none yet'}",
        ]
        answer(as_json, result, lines)


@app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended on the spot.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say what is there and what is missing, and what to do about it."""
    with command(as_json, home) as settings:
        from core import doctor as diagnosis

        if repair:
            diagnosis.repair_torchaudio()
        findings = diagnosis.examine(settings)
        result = {
            "ok": all(finding.ok or not finding.needed for finding in findings),
            "checks": [vars(f) for f in findings],
        }
        lines = []
        for finding in findings:
            mark = "ok     " if finding.ok else ("MISSING" if finding.needed else "absent ")
            lines.append(f"{mark} {finding.name}: {finding.found}")
            if finding.remedy:
                lines.append(f"        -> {finding.remedy}")
        answer(as_json, result, lines)
        if not result["ok"]:
            raise typer.Exit(1)


@app.command()
def worker(
    lane: Annotated[
        str, typer.Option(help=f"Which jobs: {MAIN}, or those that last for days: {', '.join(SIDE_LANES)}.")
    ] = MAIN,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when no job is left.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Do the jobs that wait. The app starts this by itself."""
    with command(as_json, home) as settings:
        if lane not in (MAIN, *SIDE_LANES):
            raise typer.BadParameter(f"--lane may be: {', '.join((MAIN, *SIDE_LANES))}.")
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        worked = jobs.work(settings, lane=lane, until_empty=until_empty)
        told = "No work is left." if worked else "Another worker is busy in this workspace already."
        answer(as_json, {"worked": worked, "message": told}, [told])
