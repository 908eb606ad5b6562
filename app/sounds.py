"""How songs of the library are heard: tracks and files, drawn by the player, or as one line in lists."""

from pathlib import Path

import streamlit as st

from app import state, ui
from app.player import LARGEST_BYTES, Picture, draw_player
from core.audio.waveform import PLAYABLE
from core.library.store import TrackRow


def player(track: TrackRow, *, key: str, autoplay: bool = False, picture: Picture | None = None) -> None:
    """The sound of a track, drawn; or why it cannot be heard. `key` is its place on the page."""
    if path := _file_of(track):
        with ui.told_errors():
            file_player(path, key=key, sha256=track.sha256, autoplay=autoplay, picture=picture)


def file_player(path: Path, *, key: str, sha256: str, autoplay: bool = False, picture: Picture | None = None) -> None:
    """The sound of a file that is there, drawn. `AudioError` if it cannot be read."""
    kind = PLAYABLE.get(path.suffix.lower())
    if path.stat().st_size > LARGEST_BYTES:  # the browser's own player asks for what it plays
        st.audio(str(path) if kind else state.wav(str(path), sha256), format=kind or "audio/wav", autoplay=autoplay)
        return
    sound = path.read_bytes() if kind else state.wav(str(path), sha256)
    draw_player(sound, kind or "audio/wav", key=key, autoplay=autoplay, picture=picture)


def small_player(track: TrackRow) -> None:
    """The sound of a track, as one line, for lists of them."""
    if path := _file_of(track):
        kind = PLAYABLE.get(path.suffix.lower())
        with ui.told_errors():
            st.audio(str(path) if kind else state.wav(track.path, track.sha256), format=kind or "audio/wav")


def _file_of(track: TrackRow) -> Path | None:
    """Where a track's sound lies; None, and a word on why, if it cannot be heard."""
    path = Path(track.path)
    if not track.path:
        told = "This song has no sound yet. Collect it, or import a folder."
        if track.sha256:
            told = "Its sound was deleted after its spectrogram was made."
        st.info(told, icon=":material/volume_off:")
        return None
    if not path.exists():
        st.warning(
            f"The file is not at {ui.plain(track.path)} any more. Put it back, or import the folder it is in now.",
            icon=":material/link_off:",
        )
        return None
    return path
