"""Songs: `import` them, make some up (`sample`), list them (`tracks`), ask for genres (`genre-votes`), make spectrograms (`preprocess`)."""

from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.files import folder, source
from core.cli.frame import Home, Json, answer, app, command, do_job
from core.database import Database
from core.files import duration_in_words
from core.jobs import kinds
from core.library.genres import Genres
from core.library.importing import GenreFrom
from core.recipes import SpectrogramRecipe


@app.command("import")
def import_(
    directory: Annotated[Path, typer.Argument(help="Folder of songs; its subfolders are searched too.")],
    genre_from: Annotated[
        GenreFrom,
        typer.Option(
            help="Where a song's genre comes from: its folder's name, the first folder below DIRECTORY, its tag, or a CSV."
        ),
    ],
    csv: Annotated[Path | None, typer.Option(help="Table with the columns path and genre.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files into the workspace.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take in a folder of songs. Doing it twice changes nothing."""
    with command(as_json, home) as settings:
        if (genre_from == "csv") != (csv is not None):
            raise typer.BadParameter("--genre-from csv and --csv FILE belong together.")
        directory, csv = folder(directory), csv and source(csv).resolve()
        result = do_job(
            settings, lambda queue: kinds.submit_import(queue, directory, genre_from, csv_file=csv, copy=copy)
        )
        told = "{imported} new, {already_known} known already, {duplicates} the same file again".format(**result)
        skipped = [f"  {item['path']}: {item['reason']}" for item in result.get("skipped", ())]
        guessed = result.get("encodings", {}).items()
        if result["without_genre"]:
            told += f", {result['without_genre']:,} without a genre"
        if skipped:
            told += f", {len(skipped)} skipped"
        lines = [
            told,
            *skipped,
            *_unmatched(result),
            *(f"  probably the same recording: {a} and {b}" for a, b in result["probable_duplicates"]),
            *(f"  tags of {n} file{'s' * (n > 1)} read as {encoding}: a guess" for encoding, n in guessed),
            *(f"  the tags of {path} could not be read" for path in result.get("unreadable_tags", ())),
        ]
        answer(as_json, result, lines, result["failed"])


@app.command()
def sample(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove it: songs, votes, spectrograms, files. Models that learned stay.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a sample library of made-up songs, to try everything with; or remove it."""
    with command(as_json, home) as settings:
        if remove:
            from core.jobs.worker import open_queue
            from core.library import sample as samples

            database = Database(settings.database)
            removed = samples.remove(database, settings, open_queue(settings, database))
            told = {"removed": removed.tracks, "genres": list(removed.genres)}
            answer(as_json, told, [f"{removed.tracks} made-up songs removed, and {len(removed.genres)} genres"])
            return
        result = do_job(settings, kinds.submit_sample)
        lines = ["{songs} made-up songs are there, {imported} of them new; they are synthetic".format(**result)]
        answer(as_json, result, [*lines, "to remove them: sample --remove"], result["failed"])


@app.command()
def tracks(
    genre: Annotated[str | None, typer.Option(help="Only tracks with this genre in their label.")] = None,
    search: Annotated[str | None, typer.Option(help="Only tracks with these words in title, artist, album.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default="all")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List tracks with their labels, and where each vote comes from."""
    with command(as_json, home) as settings:
        from core.library.store import Library
        from core.library.summary import matching

        database = Database(settings.database)
        rows = matching(Library(database).tracks(SpectrogramRecipe().fingerprint), search or "")
        if genre:
            name = Genres(database).canonical(genre)
            rows = [row for row in rows if row.label and name in dict(row.label.weights)]
        rows = rows[:limit]
        result = [_track_json(row) for row in rows]
        lines = [
            f"{row['id']:6d}  {', '.join(row['artists'])} – {row['title']}: "
            + (", ".join(f"{name} {share:.0%}" for name, share in row["label"].items()) or "no genre")
            for row in result
        ]
        answer(as_json, result, lines or ["There are no such tracks."])


@app.command("genre-votes")
def genre_votes(home: Home = None, as_json: Json = False) -> None:
    """Ask MusicBrainz for the genres of your tracks: one request a second, low weight. Goes on where it was."""
    with command(as_json, home) as settings:
        result = do_job(settings, kinds.submit_genre_votes)
        answer(as_json, result, [f"{result['asked']} tracks asked about, genres found for {result['found']}"])


@app.command()
def preprocess(home: Home = None, as_json: Json = False) -> None:
    """Make the spectrograms that are missing."""
    with command(as_json, home) as settings:
        result = do_job(settings, kinds.submit_preprocess)
        lines = [
            f"{result['done']} made, {result['skipped']} were there already "
            f"({duration_in_words(result['audio_seconds'])} of audio in {duration_in_words(result['seconds'])})"
        ]
        answer(as_json, result, lines, result["failed"])


def _unmatched(result: dict[str, Any]) -> list[str]:
    """The rows of a table that were used for no file, as lines."""
    n, shown = result["unmatched_rows"], result["unmatched"][:20]
    if not n:
        return []
    more = [f"  … and {n - len(shown):,} more (--json lists them)"] if n > len(shown) else []
    head = f"{n:,} {'row' if n == 1 else 'rows'} of the table used for no file:"
    return [head, *(f"  {row['path'] or '(empty)'}: {row['reason']}" for row in shown), *more]


def _track_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "artists": [name for name in row.artist.split("; ") if name],
        "isrc": row.isrc,
        "label": {genre: round(share, 6) for genre, share in row.label.weights} if row.label else {},
        "votes": [{"genre": vote.genre, "source": vote.source, "weight": vote.weight} for vote in row.votes],
    }
