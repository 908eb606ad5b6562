"""The commands: everything the app does, without a screen.

With `--json`, standard output is one JSON document and nothing else; progress is told on standard error, to people.
Exit codes: 0 done; 1 some items failed (each told), or the command failed (`{"error": text}`); 2 wrong usage.
"""

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from core.database import Database
from core.errors import GenrescopeError
from core.files import duration_in_words, whole
from core.jobs import kinds
from core.jobs import worker as jobs
from core.jobs.queue import Job, Queue
from core.library.genres import Genres
from core.library.importing import GenreFrom
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

app = typer.Typer(
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

playlists_app = typer.Typer(no_args_is_help=True, help="Playlists: read, mapped to genres, searched for.")
app.add_typer(playlists_app, name="playlists")

_stdout = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
_stderr = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


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
    with _command(as_json, home) as settings:
        directory, csv = directory.expanduser().resolve(), csv and csv.expanduser().resolve()
        if not directory.is_dir():
            raise GenrescopeError(f"{directory} is not a folder on this computer.")
        if (genre_from == "csv") != (csv is not None):
            raise typer.BadParameter("--genre-from csv and --csv FILE belong together.")
        result = _do(settings, lambda queue: kinds.submit_import(queue, directory, genre_from, csv_file=csv, copy=copy))
        told = "{imported} new, {already_known} known already, {duplicates} the same file again".format(**result)
        lines = [told, *(f"  probably the same recording: {a} and {b}" for a, b in result["probable_duplicates"])]
        _answer(as_json, result, lines, result["failed"])


@playlists_app.command("add")
def playlists_add(
    refs: Annotated[
        list[str], typer.Argument(metavar="REF...", help="Addresses, URIs or ids of playlists; files; folders.")
    ],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read playlists and take them in. One that is known already is brought up to date."""
    with _command(as_json, home) as settings:
        asked = [_whole(ref) for ref in refs]
        result = _do(settings, lambda queue: kinds.submit_read(queue, asked, take_in=True))["playlists"]
        told = [{**answer, "ref": ref} for ref, answer in zip(refs, result, strict=True)]
        lines = [
            f"{row['title']} ({row['source']}): {row['tracks']} tracks, {row['new']} of them new"
            + (f", {row['removed']} not listed any more" if row["removed"] else "")
            + "".join(f", {n} skipped ({reason})" for reason, n in row["skipped"].items())
            for row in told
            if not row["error"]
        ]
        _answer(as_json, told, lines, [{"path": row["ref"], "reason": row["error"]} for row in told if row["error"]])


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
    with _command(as_json, home) as settings:
        from core.collecting.playlists import map_playlist
        from core.library.playlists import parse_weights
        from core.sources.registry import sources

        row = map_playlist(Database(settings.database), sources(settings), ref, parse_weights(genres or []))
        told = ", ".join(f"{genre}={weight:g}" for genre, weight in row.genres.items()) or "no genre"
        _answer(as_json, _playlist_json(row), [f"{row.title}: {told}"])


@playlists_app.command("list")
def playlists_list(home: Home = None, as_json: Json = False) -> None:
    """Say which playlists there are, and what they stand for."""
    with _command(as_json, home) as settings:
        from core.library.playlists import Playlists

        rows = Playlists(Database(settings.database)).all()
        lines = [
            f"{row.id:4d}  {row.title} ({row.source}): {row.tracks} tracks; "
            + (", ".join(f"{genre}={weight:g}" for genre, weight in row.genres.items()) or "no genre yet")
            for row in rows
        ]
        _answer(as_json, [_playlist_json(row) for row in rows], lines or ["There are no playlists yet."])


@playlists_app.command("search")
def playlists_search(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORDS...", help="What to search for.")] = None,
    genre: Annotated[
        list[str] | None, typer.Option(help="Search for this genre instead, and judge what is found; may be repeated.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Search the sources for playlists. With --genre, what is found waits on the Playlists page too."""
    with _command(as_json, home) as settings:
        if bool(words) == bool(genre):
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
            failed = _do(settings, lambda queue: kinds.submit_search(queue, asked))["failed"]
            names = {Genres(Database(settings.database)).canonical(name) for name in asked}
            waiting = Playlists(Database(settings.database)).readings(searched=True)
            result = [_reading_json(reading) for reading in waiting if reading.genre in names]
            lines = [
                f"{row['genre']}: {row['title']} ({row['source']} {row['reference']}), score {row['score']:.2f} ("
                + ", ".join(f"{reason} {value:.2f}" for reason, value in row["reasons"].items())
                + ")"
                for row in result
            ]
        _answer(as_json, result, lines or ["Nothing was found."], failed)


@playlists_app.command("export")
def playlists_export(
    file: Annotated[Path, typer.Argument(help="Ends in .yaml (all of it), or .csv (playlists and genres alone).")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write which playlist stands for which genre to a file, to read, keep and share."""
    with _command(as_json, home) as settings:
        from core.library import mapping

        found = mapping.current(Database(settings.database))
        text = mapping.as_csv(found) if file.suffix.lower() == ".csv" else mapping.as_yaml(found)
        try:
            with whole(file.expanduser().resolve()) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError as error:
            raise GenrescopeError(f"{file} cannot be written: {error.strerror}.") from error
        result = {"file": str(file), "playlists": len(found.playlists), "genres": len(found.genres)}
        _answer(as_json, result, [f"{file}: {result['playlists']} playlists, {result['genres']} genres"])


@playlists_app.command("import")
def playlists_import(
    file: Annotated[Path, typer.Argument(help="As `export` writes it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take over which playlist stands for which genre from a file; it says what changes."""
    with _command(as_json, home) as settings:
        from core.library import mapping

        database = Database(settings.database)
        try:
            wanted = mapping.parse(file.name, file.read_bytes())
        except OSError as error:
            raise GenrescopeError(f"{file} cannot be read: {error.strerror}.") from error
        changes = mapping.differences(database, wanted)
        if changes and not dry_run:
            mapping.take_over(database, wanted)
        lines = [f"{change.what}: {change.before} -> {change.after}" for change in changes]
        _answer(as_json, [vars(change) for change in changes], lines or ["Nothing changes."])


@app.command()
def tracks(
    genre: Annotated[str | None, typer.Option(help="Only tracks with this genre in their label.")] = None,
    search: Annotated[str | None, typer.Option(help="Only tracks with these words in title, artist, album.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default="all")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List tracks with their labels, and where each vote comes from."""
    with _command(as_json, home) as settings:
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
        _answer(as_json, result, lines or ["There are no such tracks."])


@app.command("genre-votes")
def genre_votes(home: Home = None, as_json: Json = False) -> None:
    """Ask MusicBrainz for the genres of your tracks: one request a second, low weight. Goes on where it was."""
    with _command(as_json, home) as settings:
        result = _do(settings, kinds.submit_genre_votes)
        _answer(as_json, result, [f"{result['asked']} tracks asked about, genres found for {result['found']}"])


@app.command()
def preprocess(home: Home = None, as_json: Json = False) -> None:
    """Make the spectrograms that are missing."""
    with _command(as_json, home) as settings:
        result = _do(settings, kinds.submit_preprocess)
        lines = [
            f"{result['done']} made, {result['skipped']} were there already "
            f"({duration_in_words(result['audio_seconds'])} of audio in {duration_in_words(result['seconds'])})"
        ]
        _answer(as_json, result, lines, result["failed"])


@app.command()
def train(
    name: Annotated[str, typer.Option(help="Name of the run, and of the model it publishes.")],
    network: Annotated[str, typer.Option(help="Which network.")] = "small_resnet",
    epochs: Annotated[int | None, typer.Option(min=1, help="Rounds through the songs.", show_default="24")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps, instead of epochs.")] = None,
    max_minutes: Annotated[float | None, typer.Option(min=0.01, help="About how long, instead of epochs.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same songs, same machine: same numbers.")] = 0,
    holdout_artists: Annotated[
        Path | None, typer.Option(help="Text file, an artist a line: their songs are the test songs.")
    ] = None,
    genre: Annotated[
        list[str] | None, typer.Option(help="A genre to learn; may be repeated.", show_default="all")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Train a network and publish it as a model. The same command goes on with a run that was cut off."""
    with _command(as_json, home) as settings:
        if sum(limit is not None for limit in (epochs, steps, max_minutes)) > 1:
            raise typer.BadParameter("Give only one of --epochs, --steps and --max-minutes.")
        from core.learning.networks import NETWORKS
        from core.learning.plan import Request, make_plan
        from core.learning.training import check_name_free
        from core.library.runs import Runs
        from core.library.store import Library

        if network not in NETWORKS:
            raise typer.BadParameter(f"--network may be: {', '.join(NETWORKS)}.")
        try:
            recipe = TrainingRecipe(epochs=epochs, steps=steps, max_minutes=max_minutes, seed=seed, network=network)
        except ValidationError as error:
            raise typer.BadParameter("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())) from error
        request = Request(tuple(genre) if genre else None, _artists(holdout_artists))
        database = Database(settings.database)
        check_name_free(Runs(database), settings, name, recipe, request)
        run = Runs(database).find(name)
        if not (run and run.plan):
            spectrogram = SpectrogramRecipe()
            make_plan(Library(database).songs(spectrogram.fingerprint), recipe, request, spectrogram)
        result = _do(settings, lambda queue: kinds.submit_train(queue, name, recipe, request.as_json()))
        lines = [
            f"{result['name']}: {result['epochs']} epochs, {result['steps']} steps in "
            f"{duration_in_words(result['seconds'])} ({result['crops_per_second']:.0f} crops a second)"
        ]
        _answer(as_json, result, lines + (_report_lines(result["test"]) if result["test"] else []))


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Name of a model, or path of its folder.")],
    folder: Annotated[Path | None, typer.Option(help="A labelled folder of audio; it is not imported.")] = None,
    genre_from: Annotated[
        str, typer.Option(help="With --folder: where the true genre comes from (folder).")
    ] = "folder",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Test a model on its own test songs, or on any labelled folder."""
    with _command(as_json, home) as settings:
        if genre_from != "folder":
            raise typer.BadParameter("--genre-from may only be: folder.")
        directory = folder.expanduser().resolve() if folder else None
        if directory and not directory.is_dir():
            raise GenrescopeError(f"{directory} is not a folder on this computer.")
        from core.learning import model as models

        found = str(models.find(settings, model))  # whole: a worker that takes the job may stand in another folder
        result = _do(settings, lambda queue: kinds.submit_evaluate(queue, found, directory))
        lines = _report_lines(result)
        skipped = result["skipped"]
        lines += [f"left out: {file['path']}: {file['reason']}" for file in skipped]
        _answer(as_json, result, lines)


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Songs.")],
    model: Annotated[str | None, typer.Option(help="Name of a model.", show_default="the newest")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say which genres songs are made of, and where in the song."""
    with _command(as_json, home) as settings:
        from core.inference import prediction
        from core.learning import model as models

        loaded = models.load(models.find(settings, model))
        answers: list[dict[str, Any]] = []
        with _progress() as report:
            for number, file in enumerate(files):
                report(number, len(files), file.name, None)
                answers.append(_predict(prediction.predict, file, loaded, settings))
        failed = [{"path": row["file"], "reason": row["error"]} for row in answers if row["error"]]
        lines = []
        for row in answers:
            if row["error"] is None:
                best = sorted(row["spectrum"].items(), key=lambda share: -share[1])
                told = ", ".join(f"{genre} {share:.0%}" for genre, share in best if share >= 0.005)
                lines.append(f"{row['file']}: {'(unsure) ' if row['unsure'] else ''}{told}")
        _answer(as_json, answers, lines, failed)


@app.command()
def status(home: Home = None, as_json: Json = False) -> None:
    """Say where the workspace stands: songs, jobs, runs and models."""
    with _command(as_json, home) as settings:
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
        _answer(as_json, result, lines)


@app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended on the spot.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say what is there and what is missing, and what to do about it."""
    with _command(as_json, home) as settings:
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
        _answer(as_json, result, lines)
        if not result["ok"]:
            raise typer.Exit(1)


@app.command()
def worker(
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when no job is left.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Do the jobs that wait. The app starts this by itself."""
    with _command(as_json, home) as settings:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        worked = jobs.work(settings, until_empty=until_empty)
        told = "No work is left." if worked else "Another worker is busy in this workspace already."
        _answer(as_json, {"worked": worked, "message": told}, [told])


def _is_there(ref: str) -> bool:
    try:
        return ref.strip() != "" and Path(ref).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long for a path, or with a NUL in it, or in nobody's home
        return False


def _whole(ref: str) -> str:
    """A file or folder by its whole path: a worker that takes the job may stand in another folder."""
    return str(Path(ref).expanduser().resolve()) if _is_there(ref) else ref


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


def _track_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "artists": [name for name in row.artist.split("; ") if name],
        "isrc": row.isrc,
        "label": {genre: round(share, 6) for genre, share in row.label.weights} if row.label else {},
        "votes": [{"genre": vote.genre, "source": vote.source, "weight": vote.weight} for vote in row.votes],
    }


@contextmanager
def _command(as_json: bool, home: Path | None) -> Iterator[Settings]:
    """Settings for a command; errors become a sentence (or `{"error"}`) and exit code 1."""
    try:
        yield Settings(home=home) if home else Settings()
    except GenrescopeError as error:
        _fail(as_json, str(error))
    except KeyboardInterrupt:
        _fail(as_json, "Stopped. The same command goes on from here.")
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:  # noqa: BLE001 - the rim: every error is told, and none escapes as a traceback on stdout
        traceback.print_exc(file=sys.stderr)
        _fail(as_json, f"An unexpected error: {type(error).__name__}: {error}")


def _fail(as_json: bool, text: str) -> NoReturn:
    if as_json:
        sys.stdout.write(json.dumps({"error": text}, ensure_ascii=False) + "\n")
    else:
        _stderr.print(f"Error: {text}")
    raise typer.Exit(1)


def _do(settings: Settings, submit: Callable[[Queue], Job]) -> dict[str, Any]:
    """Do a job here under its lease, or follow it where another process has it."""
    database = Database(settings.database)
    job = submit(jobs.open_queue(settings, database))
    with _progress() as report:
        return jobs.run_here(settings, database, job, force=True, on_report=report).result or {}


def _answer(as_json: bool, document: Any, lines: list[str], failed: list[dict[str, str]] | None = None) -> None:
    """Print the outcome; leave with 1 if items failed."""
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        for line in lines:
            _stdout.print(line)
        for item in failed or ():
            _stderr.print(f"failed: {item['path']}: {item['reason']}")
    if failed:
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None, str, float | None], None]]:
    """A bar on standard error, where that is a terminal."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=_stderr, transient=True, disable=not _stderr.is_terminal) as bar:
        task = bar.add_task("Waiting", total=None)

        def report(done: int, total: int | None, message: str, seconds_left: float | None) -> None:
            bar.update(task, completed=done, total=total, description=message or "Working")

        yield report


def _artists(file: Path | None) -> tuple[str, ...] | None:
    if file is None:
        return None
    try:
        return tuple(line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise GenrescopeError(f"{file} cannot be read as a list of artists, one a line, in UTF-8: {error}") from error


def _predict(predict_file: Callable[..., Any], file: Path, model: Any, settings: Settings) -> dict[str, Any]:
    row: dict[str, Any] = {"file": str(file), "duration_s": None, "spectrum": None, "top": None, "unsure": True}
    row |= {"doubts": [], "over_time": None, "error": None}
    try:
        answer = predict_file(file, model, max_s=settings.max_audio_s, max_bytes=settings.max_audio_bytes)
    except GenrescopeError as error:
        return {**row, "error": str(error)}
    return {
        **row,
        "duration_s": round(answer.duration_s, 3),
        "spectrum": {genre: float(share) for genre, share in zip(answer.genres, answer.spectrum, strict=True)},
        "top": answer.top,
        "unsure": answer.unsure,
        "doubts": list(answer.doubts),
        "over_time": {
            "starts_s": [round(float(start), 3) for start in answer.crop_starts_s],
            "spectrum": {genre: answer.taggram[:, i].tolist() for i, genre in enumerate(answer.genres)},
        },
    }


def _report_lines(report: dict[str, Any]) -> list[str]:
    low, high = report["interval_95"]
    width = max(len(genre) for genre in report["genres"])
    return [
        f"{report['songs']} songs: {report['accuracy']:.1%} right (95 % interval {low:.1%} to {high:.1%}), "
        f"macro F1 {report['macro_f1']:.3f}",
        "confusion (rows: true genre)",
        *(
            f"  {genre:<{width}} " + " ".join(f"{count:4d}" for count in row)
            for genre, row in zip(report["genres"], report["confusion"], strict=True)
        ),
    ]
