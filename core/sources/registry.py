"""All sources by name, and which of them a text belongs to."""

from collections.abc import Mapping

from core.errors import SourceError
from core.music import LISTS
from core.settings import Settings
from core.sources import cleaning
from core.sources.contract import PlaylistSource
from core.sources.deezer import DeezerSource
from core.sources.lists import FileSource
from core.sources.sites import SITES, SiteSource
from core.sources.spotify import SpotifySource
from core.sources.tracklists import spotify_tracks, spotify_tracks_unreadable


def sources(settings: Settings) -> dict[str, PlaylistSource]:
    """Every source, those of the web before those of files. Nothing is asked or opened yet."""
    sites: list[PlaylistSource] = [SiteSource(site, settings) for site in SITES]
    files: list[PlaylistSource] = [FileSource(kind) for kind in LISTS]
    youtube, *others = sites
    all_of_them = [SpotifySource(settings), youtube, DeezerSource(settings), *others, *files]
    return {source.name: source for source in all_of_them}


def recognise(text: str, sources: Mapping[str, PlaylistSource]) -> tuple[str, str]:
    """The name of the source that a text belongs to, and its reference there; 22 bare letters and digits are Spotify's.

    Raises `SourceError`, which says what is understood, if it belongs to none. A link to a Spotify track gets its own answer.
    """
    for name, source in sources.items():
        if reference := source.recognise(text):
            return name, reference
    if tracks := spotify_tracks(text):
        raise spotify_tracks_unreadable(tracks)
    titles = ", ".join(source.title for source in sources.values() if source.name not in LISTS)
    raise SourceError(
        f"“{cleaning.name(text)[:100]}” is no playlist that is known here. What is understood: the address of a playlist "
        f"of {titles}, or the path of a CSV, M3U, XSPF or text file that is there. Short links must be opened in a "
        "browser first, and their address copied from there."
    )
