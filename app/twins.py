"""The same recording twice, by its sound: both are heard side by side, and a person decides."""

import streamlit as st

from app import sounds, state, ui
from core.audio.store import SpectrogramStore
from core.files import duration_in_words
from core.library.likenesses import Pair, alike
from core.library.store import TrackRow
from core.quality.duplicates import Twins, twins

SHOWN = 10
SONG_S = 0.02
"""About how long it takes to listen to a song for this, seconds."""


def section(tracks: list[TrackRow]) -> None:
    """A button to listen for them, then each pair."""
    sounds = {track.sha256 for track in tracks if track.state == "ready" and not track.set_aside}
    heard, pairs = state.get(state.ALIKE) or (frozenset[str](), ())
    if not sounds:
        ui.empty("No song has a spectrogram yet.", go_to="library", label="Make spectrograms")
        return
    if new := len(sounds - heard):
        st.markdown(
            "Recordings are compared by their sound, whatever they are called: another encoding, a louder copy, a trimmed "
            "one. The same song sung again is no such thing."
        )
        told = f"Listen to {ui.counted(new, 'new song')}" if heard else f"Listen to {ui.counted(new, 'song')}"
        if st.button(told, type="primary", icon=":material/hearing:"):
            _listen(sounds)
        st.caption(f"This takes about {duration_in_words(max(1.0, SONG_S * len(sounds)))}.")
        if not heard:
            return
    found = twins(tracks, pairs, state.catalogue().kept_apart())
    if not found:
        st.info("No two songs sound like one recording.", icon=":material/check:")
    else:
        st.caption(
            "*Keep* makes both one track, with the votes of both; the other sound is set aside and its file stays where it "
            "is. The keys are those of the first pair."
        )
    for number, pair in enumerate(found[:SHOWN]):
        _pair(pair, is_first=number == 0)
    if len(found) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(found):,}.")
    ui.undo_button(shortcut="z")


def _listen(sounds: set[str]) -> None:
    """Compare all sounds; what is alike is remembered for this session."""
    bar = st.progress(0.0, "Listening …")

    def show(done: int, total: int) -> None:
        bar.progress(done / total, "Listening …")

    with ui.told_errors():
        store = SpectrogramStore(state.settings().spectrograms, state.RECIPE.fingerprint)
        pairs: list[Pair] = alike(sorted(sounds), store, on_progress=show)
        state.put(state.ALIKE, (frozenset(sounds), pairs))
        st.rerun()


def _pair(pair: Twins, *, is_first: bool) -> None:
    one, other = pair.ids
    with st.container(border=True):
        st.markdown(f"**{pair.likeness:.0%} alike**")
        for column, track in zip(st.columns(2), (pair.one, pair.other), strict=True):
            with column:
                _track(track)
        with st.container(horizontal=True):
            catalogue, who = state.catalogue(), state.who()
            keys = ("1", "2", "x") if is_first else (None, None, None)
            if st.button("Keep the first", icon=":material/looks_one:", shortcut=keys[0], key=f"one-{one}-{other}"):
                ui.do(lambda: catalogue.merge([(one, other)], who=who), "They are one track now.")
            if st.button("Keep the second", icon=":material/looks_two:", shortcut=keys[1], key=f"two-{one}-{other}"):
                ui.do(lambda: catalogue.merge([(other, one)], who=who), "They are one track now.")
            if st.button("Two recordings", icon=":material/call_split:", shortcut=keys[2], key=f"apart-{one}-{other}"):
                ui.do(lambda: catalogue.keep_apart([pair.ids]), "They are kept apart.")


def _track(track: TrackRow) -> None:
    st.markdown(f"**{ui.plain(track.title)}**")
    st.markdown(ui.plain(track.artist) or "(artist unknown)")
    label = ui.plain(ui.label_in_words(track.label)) or "no genre yet"
    st.caption(f"{label} · {ui.clock(track.duration_s)} · {ui.plain(track.codec)}, {track.sample_rate:,} Hz")
    sounds.player(track, key=f"twin-{track.id}")
    st.caption(ui.plain(track.path))
