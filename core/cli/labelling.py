"""`labels ...`: which of them a machine doubts, what a person says of one, and recordings that are there twice."""

from typing import Annotated, Any

import typer

from core.cli.frame import Home, Json, answer, app, command, progress
from core.database import Database
from core.errors import LibraryError
from core.library.genres import Genres
from core.library.label_reviews import LabelReviews
from core.recipes import SpectrogramRecipe

labels_app = typer.Typer(no_args_is_help=True, help="Labels: doubted by a machine, settled by hand.")
app.add_typer(labels_app, name="labels")

Who = Annotated[str, typer.Option(help="Whose word it is.")]
TrackId = Annotated[int, typer.Argument(help="Number of the track, as `tracks` lists it.")]


@labels_app.command("issues")
def issues(
    order: Annotated[
        str, typer.Option(help="suspicion, or uncertainty (those the machine is least sure of).")
    ] = "suspicion",
    genre: Annotated[str | None, typer.Option(help="Only songs with this genre in their label or answer.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default="all")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List songs that were not looked at: by suspicion, suspected ones first. New songs, without an answer, come last.

    The answers are those of the latest `crossvalidate` by artists.
    """
    with command(as_json, home) as settings:
        if order not in ("suspicion", "uncertainty"):
            raise typer.BadParameter("--order may be: suspicion, uncertainty.")
        from core.library.evaluations import Evaluations
        from core.library.store import Library
        from core.quality.asked import require_asked
        from core.quality.queue import genres_of, ranked

        database = Database(settings.database)
        tracks = Library(database).tracks(SpectrogramRecipe().fingerprint)
        found = require_asked(tracks, Evaluations(database), LabelReviews(database))
        left = [entry for entry in found.stock.entries if entry.review is None and not entry.track.set_aside]
        if genre is not None:
            name = Genres(database).canonical(genre)
            left = [entry for entry in left if name in genres_of(entry)]
        by_suspicion = order == "suspicion"
        rows = [_entry_json(entry) for entry in ranked(left, "suspicion" if by_suspicion else "uncertainty")[:limit]]
        stock = found.stock
        document = {
            "evaluation": found.evaluation.id,
            "suspected": len(stock.suspects),
            "looked_at": stock.looked_at,
            "changed_since": stock.changed,
            "added_since": stock.added,
            "agreement": {
                name: {"songs": songs, "agreed": agreed}
                for name, (agreed, songs) in zip(("before", "now"), stock.agreement, strict=True)
            },
            "songs": rows,
        }
        lines = [
            f"{stock.looked_at} of {len(stock.suspects)} suspected songs looked at; {stock.added} songs are new and "
            f"{stock.changed} labels were changed since the machine was asked",
            *(_line(row) for row in rows),
        ]
        answer(as_json, document, lines)


@labels_app.command("set")
def set_label(
    track_id: TrackId,
    genres: Annotated[list[str], typer.Argument(metavar="GENRE[=WEIGHT]...", help="What it is.")],
    who: Who = "you",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Give a track its genres by hand. Only hand votes count then, whatever playlists and tags say."""
    with command(as_json, home) as settings:
        from core.library.playlists import parse_weights

        database = Database(settings.database)
        LabelReviews(database).change(track_id, parse_weights(genres), who=who)
        _tell(database, track_id, as_json)


@labels_app.command("confirm")
def confirm(track_id: TrackId, who: Who = "you", home: Home = None, as_json: Json = False) -> None:
    """Say that the label of a track is right: it is not doubted again, and no playlist changes it."""
    with command(as_json, home) as settings:
        database = Database(settings.database)
        LabelReviews(database).confirm(track_id, who=who)
        _tell(database, track_id, as_json)


@labels_app.command("duplicates")
def duplicates(home: Home = None, as_json: Json = False) -> None:
    """List pairs of songs that sound like one recording, whatever they are called. The app merges them or keeps them apart."""
    with command(as_json, home) as settings:
        from core.audio.store import SpectrogramStore
        from core.library.catalogue import Catalogue
        from core.library.likenesses import alike
        from core.library.store import Library
        from core.quality.duplicates import twins

        database, recipe = Database(settings.database), SpectrogramRecipe()
        tracks = Library(database).tracks(recipe.fingerprint)
        sounds = [track.sha256 for track in tracks if track.state == "ready" and not track.set_aside]
        store = SpectrogramStore(settings.spectrograms, recipe.fingerprint)
        with progress() as report:
            pairs = alike(
                sounds, store, on_progress=lambda done, total: report(done, total, "Listening for likeness", None)
            )
        result: list[dict[str, Any]] = [
            {
                "likeness": round(pair.likeness, 4),
                "tracks": [
                    {"id": track.id, "artist": track.artist, "title": track.title, "path": track.path}
                    for track in (pair.one, pair.other)
                ],
            }
            for pair in twins(tracks, pairs, Catalogue(database).kept_apart())
        ]
        lines = [
            f"{row['likeness']:.0%}  " + "  =  ".join(f"{t['id']} {t['artist']} – {t['title']}" for t in row["tracks"])
            for row in result
        ]
        answer(as_json, result, lines or ["No two songs sound like one recording."])


def _tell(database: Database, track_id: int, as_json: bool) -> None:
    """What a track is labelled now."""
    from core.library.store import Library

    rows = Library(database).tracks(SpectrogramRecipe().fingerprint, track_id=track_id)
    if not rows:
        raise LibraryError(f"There is no track number {track_id}.")
    label = _label_json(rows[0])
    told = ", ".join(f"{genre} {share:.0%}" for genre, share in label.items())
    answer(as_json, {"id": track_id, "title": rows[0].title, "label": label}, [f"{rows[0].title}: {told}"])


def _entry_json(entry: Any) -> dict[str, Any]:
    judgement = entry.judgement
    return {
        "id": entry.track.id,
        "artist": entry.track.artist,
        "title": entry.track.title,
        "path": entry.track.path,
        "label": _label_json(entry.track),
        "suspicion": None if judgement is None else round(judgement.suspicion, 4),
        "is_issue": judgement is not None and judgement.is_issue,
        "suggested": [] if judgement is None else list(judgement.suggested),
        "uncertainty": None if judgement is None else round(judgement.uncertainty, 4),
        "agrees": None if judgement is None else judgement.agrees,
    }


def _label_json(track: Any) -> dict[str, float]:
    return {genre: round(share, 6) for genre, share in track.label.weights} if track.label else {}


def _line(row: dict[str, Any]) -> str:
    told = f"{row['id']:6d}  {row['artist']} – {row['title']}: {' + '.join(row['label'])}"
    if row["suspicion"] is None:
        return f"{told}; not asked about yet"
    mark = "suspected, " if row["is_issue"] else ""
    return f"{told}; the machine says {' + '.join(row['suggested'])} ({mark}suspicion {row['suspicion']:.2f})"
