"""`models ...`: which there are; handed on as a file, taken in from a file or from the web, brought up to date."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.files import Force, source, target
from core.cli.frame import Home, Json, answer, app, command, do_job
from core.files import size_in_words
from core.jobs import kinds
from core.settings import Settings

models_app = typer.Typer(help="Models: listed, shared as a file, fetched, brought up to date.")
app.add_typer(models_app, name="models")

Name = Annotated[str | None, typer.Option(help="What it is to be called here.", show_default="as the file")]


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, home: Home = None, as_json: Json = False) -> None:
    """Say which models there are, what they know, and how well they did; or, with a command, share them."""
    if context.invoked_subcommand is None:
        models_list(home, as_json)


@models_app.command("list")
def models_list(home: Home = None, as_json: Json = False) -> None:
    """Say which models there are, what they know, and how well they did on songs by artists they had not heard."""
    with command(as_json, home) as settings:
        from core.learning.model import list_models

        rows = [_row(entry) for entry in list_models(settings)]
        lines = [_line(row) for row in rows] or ["There is no model yet."]
        answer(as_json, rows, lines)


@models_app.command("export")
def models_export(
    name: Annotated[str, typer.Argument(help="Name of a model, or path of its folder.")],
    file: Annotated[Path, typer.Argument(help="The zip file to write.")],
    force: Force = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write a model to one zip file, to hand on. Its SHA-256 is told: give it along."""
    with command(as_json, home) as settings:
        from core.learning import model, sharing

        folder = model.find(settings, name)
        written = target(file, settings, force=force, inputs=[folder])
        data = sharing.as_zip(folder)
        written.write(data)
        sha256 = hashlib.sha256(data).hexdigest()
        lines = [f"{written.path} ({size_in_words(len(data))})", f"SHA-256 {sha256}"]
        answer(as_json, {"file": str(written.path), "bytes": len(data), "sha256": sha256}, lines)


@models_app.command("import")
def models_import(
    file: Annotated[Path, typer.Argument(help="A zip file as `models export` writes it.")],
    name: Name = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take in a model from a zip file. It is checked before it is used."""
    with command(as_json, home) as settings:
        from core.learning import sharing

        folder = sharing.import_zip(source(file), settings, name=name)
        answer(as_json, *_taken_in(settings, folder.name))


@models_app.command("fetch")
def models_fetch(
    url: Annotated[str, typer.Argument(help="Address of a model's zip file; https.")],
    sha256: Annotated[str, typer.Option(help="The SHA-256 of that file, as told by who shares it.")],
    name: Name = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Fetch a model from the web. A file with another SHA-256 is not opened."""
    with command(as_json, home) as settings:
        from core.learning import sharing

        sharing.check_sha256(sha256)
        result = do_job(settings, lambda queue: kinds.submit_fetch_model(queue, url, sha256, name=name))
        answer(as_json, *_taken_in(settings, result["name"]))


@models_app.command("upgrade")
def models_upgrade(
    name: Annotated[str, typer.Argument(help="Name of a model, or path of its folder.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Bring a model that an older Genrescope made up to date."""
    with command(as_json, home) as settings:
        from core.learning import model
        from core.learning.export import upgrade  # torch: only where it is needed

        folder = model.find(settings, name)
        upgraded = upgrade(folder)
        told = f"{folder.name} is up to date{' now' if upgraded else ' already'}."
        answer(as_json, {"name": folder.name, "upgraded": upgraded}, [told])


def _taken_in(settings: Settings, name: str) -> tuple[dict[str, Any], list[str]]:
    from core.learning.model import list_models

    row = next(_row(entry) for entry in list_models(settings) if entry.name == name)
    return row, [f"taken in: {_line(row)}"]


def _row(entry: Any) -> dict[str, Any]:
    card = entry.card
    tested = card.tested if card else None
    return {
        "name": entry.name,
        "title": card.title if card else "",
        "genres": list(card.genres) if card else [],
        "accuracy": tested.accuracy if tested else None,
        "interval_95": [tested.low, tested.high] if tested else None,
        "songs": tested.songs if tested else None,
        "folder": str(entry.folder),
        "shipped": not entry.own,
        "created_at": card.created_at if card else None,
        "problem": entry.problem,
    }


def _line(row: dict[str, Any]) -> str:
    if row["problem"]:
        return f"{row['name']}: cannot be used. {row['problem']}"
    tested = "not tested"
    if row["songs"]:
        low, high = row["interval_95"]
        tested = f"{row['accuracy']:.1%} of {row['songs']} test songs right (95 % interval {low:.1%} to {high:.1%})"
    where = ", came with Genrescope" if row["shipped"] else ""
    return f"{row['name']}: {', '.join(row['genres'])}; {tested}{where}"
