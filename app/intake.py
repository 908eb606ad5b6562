"""Where songs are given: dropped, recorded, chosen from examples, and what else a page offers. Knows no library."""

from collections.abc import Callable, Mapping

import streamlit as st

from app import answers, session, ui
from core.audio.waveform import SUFFIXES
from core.files import size_in_words

DROP, RECORD, EXAMPLES = "Drop songs", "Record", "Examples"


def boxes(others: Mapping[str, Callable[[], object]]) -> None:
    """The ways to give songs, each under a title; `others` are ways of a page's own."""
    ways = {DROP: _drop, RECORD: _record, **others}
    for tab, way in zip(st.tabs(list(ways)), ways.values(), strict=True):
        with tab:
            way()
    with st.container():  # always there, so that what comes after keeps its place
        for told in session.take(answers.REFUSED) or ():
            st.warning(ui.plain(told), icon=":material/block:")


def _drop() -> None:
    limits = session.settings()
    st.file_uploader(
        "Drop songs here",
        sorted(suffix[1:] for suffix in SUFFIXES),
        accept_multiple_files=True,
        key=answers.box(answers.DROPPED),
        on_change=answers.keep_uploads,
        args=(answers.DROPPED,),
        max_upload_size=max(1, limits.guest_upload_bytes // 1_000_000) if session.is_guest() else None,
    )
    if session.is_guest():
        st.caption(
            f"Up to {size_in_words(limits.guest_upload_bytes)} and {limits.guest_sound_s / 60:.0f} minutes a song. "
            "It is listened to, never stored, and gone when you close the page."
        )


def _record() -> None:
    st.audio_input(
        "Play a song to the microphone, ten seconds or more",
        key=answers.box(answers.MICROPHONE),
        on_change=answers.keep_uploads,
        args=(answers.MICROPHONE,),
    )
