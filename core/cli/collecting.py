"""Sound for tracks: `match` (which of these recordings is it?), and `collect`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.files import source
from core.cli.frame import Home, Json, answer, app, command, do_job
from core.database import Database
from core.errors import GenrescopeError
from core.files import duration_in_words
from core.jobs import kinds
from core.library.genres import Genres
from core.library.reviews import Reviews
from core.music import Candidate, ListedTrack

PATIENCE_S = 300.0
"""With nothing else to do, the command waits so long for a pause to end; then it says how many tracks wait."""


@app.command()
def match(
    file: Annotated[Path, typer.Argument(help="JSON lines: a track (`query`) with its `candidates` each.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say of recordings that a search found which one, if any, is the wanted track, and why."""
    with command(as_json, home):
        from core.collecting.matching import rank

        result: list[dict[str, Any]] = []
        for row in _rows(file):
            ranked = rank(_track(row["query"]), [_candidate(one) for one in row["candidates"]])
            first = ranked[0] if ranked else None
            accepted = first.candidate.source_id if first and first.is_sure else None
            told = {"score": first.score if first else None, "reasons": dict(first.reasons) if first else {}}
            result.append({"id": row["id"], "accepted": accepted, **told})
        lines = [
            f"{row['id']}: {row['accepted'] or 'none'}; the best has a score of {row['score']} ("
            + ", ".join(f"{name} {value:+.2f}" for name, value in row["reasons"].items())
            + ")"
            if row["reasons"]
            else f"{row['id']}: none"
            for row in result
        ]
        answer(as_json, result, lines)


@app.command()
def collect(
    limit: Annotated[int | None, typer.Option(min=1, help="Try at most so many tracks.", show_default="all")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try those that failed again, too.")] = False,
    reason: Annotated[
        list[str] | None, typer.Option(help="With --retry-failed: only those of this reason; may be repeated.")
    ] = None,
    genre: Annotated[
        list[str] | None, typer.Option(help="Only tracks of this genre; may be repeated.", show_default="all")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=4, help="Songs fetched side by side.")] = 2,
    spectrograms: Annotated[bool, typer.Option(help="Make each song's spectrogram, too.")] = True,
    keep_sound: Annotated[
        bool,
        typer.Option(help="Keep the sound; without it you cannot listen, nor make spectrograms by another recipe."),
    ] = True,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Find sound for the tracks that have none, and fetch it. The same command goes on where it was cut off.

    Fetch only what you may lawfully download.
    """
    with command(as_json, home) as settings:
        if not (keep_sound or spectrograms):
            raise typer.BadParameter("--no-keep-sound needs the spectrograms: else nothing would be left.")
        if reason and not retry_failed:
            raise typer.BadParameter("--reason belongs to --retry-failed.")
        database = Database(settings.database)
        if retry_failed:
            Reviews(database).retry(reasons=reason)
        genres = [Genres(database).canonical(name) for name in genre] if genre else None
        options: dict[str, Any] = {
            "limit": limit,
            "genres": genres,
            "at_once": at_once,
            "make_spectrograms": spectrograms,
        }
        options |= {"keep_sound": keep_sound, "patience_s": PATIENCE_S}
        result = do_job(settings, lambda queue: kinds.submit_collect(queue, **options))
        lines = [
            f"{result['fetched']:,} songs fetched in {duration_in_words(result['seconds'])}; "
            f"{result['doubtful']:,} doubtful (listen to them on the Collect page), {result['waiting']:,} wait"
        ]
        answer(as_json, result, lines, _failures(result["failed"]))


def _failures(failed: dict[str, int]) -> list[dict[str, str]]:
    """Each reason, how often, what it means and what to do."""
    from core.collecting.failures import remedy

    return [
        {"path": f"{reason} ({n:,})", "reason": f"{remedy(reason).meaning} {remedy(reason).what_to_do}"}
        for reason, n in failed.items()
    ]


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a file of JSON lines that each hold `id`, `query` and `candidates`."""
    try:
        text = source(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GenrescopeError(f"{file} cannot be read as text in UTF-8: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: names may hold other line ends
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield {"id": row["id"], "query": dict(row["query"]), "candidates": [dict(one) for one in row["candidates"]]}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise GenrescopeError(
                f"Line {number} of {file} is no row of `id`, `query` and `candidates`: {type(error).__name__} {error}"
            ) from error


def _track(query: dict[str, Any]) -> ListedTrack:
    return ListedTrack(
        title=_text(query.get("title")),
        artists=_texts(query.get("artists")),
        album=_text(query.get("album")),
        duration_s=_number(query.get("duration_s")),
        isrc=_text(query.get("isrc")) or None,
    )


def _candidate(said: dict[str, Any]) -> Candidate:
    kind, views = said.get("result_type"), _number(said.get("views"))
    video_id = _text(said.get("video_id"))
    return Candidate(
        url=video_id,
        source_id=video_id,
        title=_text(said.get("title")),
        channel=_text(said.get("channel")),
        artists=_texts(said.get("artists")),
        album=_text(said.get("album")),
        duration_s=_number(said.get("duration_s")),
        views=int(views) if views else None,
        is_song=kind == "song" if isinstance(kind, str) else None,
    )


def _text(said: Any) -> str:
    return said if isinstance(said, str) else ""


def _texts(said: Any) -> tuple[str, ...]:
    return tuple(one for one in said if isinstance(one, str)) if isinstance(said, list) else ()


def _number(said: Any) -> float | None:
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) else None
