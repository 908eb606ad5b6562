"""`playlists ...`: read them, say what they stand for, search for them, and keep the mapping in a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.files import Force, source, target
from core.cli.frame import Home, Json, answer, app, command, do_job
from core.database import Database
from core.errors import GenrescopeError
from core.jobs import kinds
from core.library.genres import Genres

playlists_app = typer.Typer(no_args_is_help=True, help="Playlists: read, mapped to genres, searched for.")
app.add_typer(playlists_app, name="playlists")


@playlists_app.command("add")
def playlists_add(
    refs: Annotated[
        list[str], typer.Argument(metavar="REF...", help="Addresses, URIs or ids of playlists; files; folders.")
    ],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read playlists and take them in. One that is known already is brought up to date."""
    with command(as_json, home) as settings:
        asked = [_whole(ref) for ref in refs]
        result = do_job(settings, lambda queue: kinds.submit_read(queue, asked, take_in=True))["playlists"]
        given = dict(zip(asked, refs, strict=True))
        told = [{**row, "ref": given[row["ref"]]} for row in result]  # a file may hold several playlists
        lines = [
            f"{row['title']} ({row['source']}): {row['tracks']} tracks, {row['new']} of them new"
            + (f", {row['removed']} not listed any more" if row["removed"] else "")
            + "".join(f", {n} skipped ({reason})" for reason, n in row["skipped"].items())
            + (f"; read as {row['encoding']}, a guess" if "encoding" in row else "")
            for row in told
            if not row["error"]
        ]
        answer(as_json, told, lines, [{"path": row["ref"], "reason": row["error"]} for row in told if row["error"]])


@playlists_app.command("map")
def playlists_map(
    ref: Annotated[str, typer.Argument(help="A playlist: as given to `add`, or its title or number in `list`.")],
    genres: Annotated[
        list[str] | None, typer.Argument(metavar="GENRE[=WEIGHT]...", help="What it stands for; none: nothing.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say which genres a playlist stands for."""
    with command(as_json, home) as settings:
        from core.collecting.playlists import map_playlist
        from core.library.playlists import parse_weights
        from core.sources.registry import sources

        row = map_playlist(Database(settings.database), sources(settings), ref, parse_weights(genres or []))
        told = ", ".join(f"{genre}={weight:g}" for genre, weight in row.genres.items()) or "no genre"
        answer(as_json, _playlist_json(row), [f"{row.title}: {told}"])


@playlists_app.command("list")
def playlists_list(home: Home = None, as_json: Json = False) -> None:
    """Say which playlists there are, and what they stand for."""
    with command(as_json, home) as settings:
        from core.library.playlists import Playlists

        rows = Playlists(Database(settings.database)).all()
        lines = [
            f"{row.id:4d}  {row.title} ({row.source}): {row.tracks} tracks; "
            + (", ".join(f"{genre}={weight:g}" for genre, weight in row.genres.items()) or "no genre yet")
            for row in rows
        ]
        answer(as_json, [_playlist_json(row) for row in rows], lines or ["There are no playlists yet."])


@playlists_app.command("search")
def playlists_search(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORDS...", help="What to search for.")] = None,
    genre: Annotated[
        list[str] | None, typer.Option(help="Search for this genre instead, and judge what is found; may be repeated.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Search the sources for playlists. With --genre, what is found waits on the Playlists page too.

    If a source could not be searched, the exit code is 1, and --json names it: {"error", "found", "failed"}.
    """
    with command(as_json, home) as settings:
        if words and genre:
            raise typer.BadParameter("Use search words or --genre, not both.")
        if not words and not genre:
            raise typer.BadParameter("Give words to search for, or --genre.")
        from core.collecting.playlists import search_words
        from core.library.playlists import Playlists
        from core.sources.registry import sources

        if words:
            hits, failed = search_words(" ".join(words), sources(settings))
            result = [vars(hit) for hit in hits]
            lines = [f"{hit.title} ({hit.source} {hit.reference}), {hit.n_tracks or '?'} tracks" for hit in hits]
        else:
            asked = genre or []
            failed = do_job(settings, lambda queue: kinds.submit_search(queue, asked))["failed"]
            names = {Genres(Database(settings.database)).canonical(name) for name in asked}
            waiting = Playlists(Database(settings.database)).readings(searched=True)
            result = [_reading_json(reading) for reading in waiting if reading.genre in names]
            lines = [
                f"{row['genre']}: {row['title']} ({row['source']} {row['reference']}), score {row['score']:.2f} ("
                + ", ".join(f"{reason} {value:.2f}" for reason, value in row["reasons"].items())
                + ")"
                for row in result
            ]
        if not failed:
            answer(as_json, result, lines or ["Nothing was found."])
            return
        names_failed = ", ".join(dict.fromkeys(item["path"] for item in failed))
        document = {"error": f"Some sources could not be searched: {names_failed}.", "found": result, "failed": failed}
        answer(as_json, document, lines, failed)


@playlists_app.command("export")
def playlists_export(
    file: Annotated[Path, typer.Argument(help="Ends in .yaml (all of it), or .csv (playlists and genres alone).")],
    force: Force = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write which playlist stands for which genre to a file, to read, keep and share."""
    with command(as_json, home) as settings:
        from core.library import mapping

        written = target(file, settings, force=force)
        found = mapping.current(Database(settings.database))
        written.write(mapping.as_csv(found) if file.suffix.lower() == ".csv" else mapping.as_yaml(found))
        result = {"file": str(file), "playlists": len(found.playlists), "genres": len(found.genres)}
        answer(as_json, result, [f"{file}: {result['playlists']} playlists, {result['genres']} genres"])


@playlists_app.command("import")
def playlists_import(
    file: Annotated[Path, typer.Argument(help="As `export` writes it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take over which playlist stands for which genre from a file; it says what changes."""
    with command(as_json, home) as settings:
        from core.library import mapping

        database = Database(settings.database)
        try:
            wanted = mapping.parse(file.name, source(file).read_bytes())
        except OSError as error:
            raise GenrescopeError(f"{file} cannot be read: {error.strerror}.") from error
        changes = mapping.differences(database, wanted)
        if changes and not dry_run:
            mapping.take_over(database, wanted)
        lines = [f"{change.what}: {change.before} -> {change.after}" for change in changes]
        answer(as_json, [vars(change) for change in changes], lines or ["Nothing changes."])


def _is_there(ref: str) -> bool:
    try:
        return ref.strip() != "" and Path(ref).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long for a path, or with a NUL in it, or in nobody's home
        return False


def _whole(ref: str) -> str:
    """A file or folder by its whole path: a worker that takes the job may stand in another folder."""
    if not _is_there(ref):
        return ref
    path = Path(ref).expanduser().resolve()
    return str(path if path.is_dir() else source(path))


def _playlist_json(row: Any) -> dict[str, Any]:
    names = ("id", "source", "reference", "title", "owner", "tracks", "genres", "skipped", "read_at")
    return {name: getattr(row, name) for name in names}


def _reading_json(reading: Any) -> dict[str, Any]:
    playlist = reading.playlist
    return {
        **{name: getattr(playlist, name) for name in ("source", "reference", "title", "owner", "url")},
        "tracks": playlist.n_listed if playlist.n_listed is not None else len(playlist.tracks),
        **{name: getattr(reading, name) for name in ("genre", "score", "reasons", "error")},
    }
