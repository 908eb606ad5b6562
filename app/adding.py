"""The ways to name playlists to read: links, files, lines of text, starters, one's own at Spotify."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app import session, state, ui
from core.errors import SourceError
from core.jobs import kinds
from core.library.starters import starters
from core.sources import lists, spotify, tables, tracklists


def section() -> None:
    """Five ways to name playlists."""
    ways = {
        "Links": paste_links,
        "Files": drop_files,
        "Song list": paste_songs,
        "Starters": tick_starters,
        "My Spotify": own_spotify,
    }
    way = st.segmented_control("Add playlists from", list(ways), default="Links", required=True)
    ways[way]()


def read(refs: Sequence[str | tuple[str, str]]) -> None:
    """Have playlists read by a job; they then wait for a person. As `kinds.submit_read`."""
    state.begin(kinds.submit_read(state.queue(), refs, take_in=False))
    st.rerun()


def paste_links() -> None:
    """Addresses, one a line."""
    with st.form("links", border=False, clear_on_submit=True):
        text = st.text_area(
            "Links of playlists, one a line",
            placeholder="https://www.youtube.com/playlist?list=…\nhttps://www.deezer.com/playlist/…",
            help="YouTube and YouTube Music, Deezer, SoundCloud, Bandcamp, Jamendo, Audius, archive.org, Spotify; "
            "or the path of a list or a folder on this computer.",
        )
        if st.form_submit_button("Read", type="primary", icon=":material/playlist_add:"):
            tracks = tracklists.spotify_tracks(text)
            refs = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
            refs = [ref for ref in refs if ref not in tracks]
            if tracks:  # one answer for all of them
                _complain_of_spotify_tracks(tracks)
            if refs:
                read(refs)
            elif not tracks:
                st.warning("Paste at least one link.")


def drop_files() -> None:
    """Lists as files: Exportify, any table, M3U, XSPF, text."""
    box = f"{state.DROPPED}-{state.get(state.DROPPED, 0)}"
    files = st.file_uploader(
        "Playlist files: CSV (Exportify or any table), M3U, XSPF, or text",
        type=["csv", "tsv", "m3u", "m3u8", "xspf", "txt"],
        accept_multiple_files=True,
        key=box,
        help="Exportify (exportify.net) saves any Spotify playlist as CSV: also those that Spotify lets no app read.",
    )
    if not files:
        return
    ready = True
    columns: dict[str, Mapping[str, str]] = {}
    for file in files:
        with ui.told_errors():
            data = file.getvalue()
            if encoding := lists.guessed_encoding(file.name, data):
                st.caption(
                    f"**{ui.plain(file.name)}** is read as {encoding}: a guess. Garbled names? Save it as UTF-8."
                )
            if lists.looks_like(file.name, data) == "csv":
                header, _ = tables.preview_table(data)
                columns[file.name] = tables.guess_columns(header)
                if not _is_exportify(header):
                    columns[file.name] = confirm_columns(file.name, data)
                    ready = ready and "title" in columns[file.name]
    if st.button(
        f"Read {ui.counted(len(files), 'file')}",
        type="primary",
        icon=":material/playlist_add:",
        disabled=not ready,
    ):
        failed = []
        bar = st.progress(0.0, "Reading files …")
        for number, file in enumerate(files):
            bar.progress(number / len(files), f"Reading {ui.plain(file.name)} …")
            try:
                for playlist in lists.read_lists(file.name, file.getvalue(), columns=columns.get(file.name)):
                    state.playlists().keep_reading(playlist)
            except SourceError as error:
                failed.append(f"**{ui.plain(file.name)}**: {ui.plain(str(error))}")
        bar.empty()
        state.put(state.FAILED_FILES, failed)
        state.put(state.DROPPED, state.get(state.DROPPED, 0) + 1)
        st.rerun()


def confirm_columns(name: str, data: bytes) -> dict[str, str]:
    """Which column of a table is what: guessed, and shown to the person, who can change it."""
    with st.expander(f"Which column is what in {ui.plain(name)}?", expanded=True):
        header, rows = tables.preview_table(data)
        found = not tables.is_without_header(header)
        has_header = st.checkbox("The table names its columns", found, key=f"{name}-header")
        if has_header != found:
            header, rows = tables.preview_table(data, has_header=has_header)
        guessed = tables.guess_columns(header)
        names = [f"{place}. {column}" for place, column in enumerate(header, start=1)]  # two may be called alike
        cells = [(*row, *[""] * len(header))[: len(header)] for row in rows]
        st.dataframe(pd.DataFrame(cells, columns=names), hide_index=True)
        chosen: dict[str, str] = {}
        for place, field in zip(st.columns(4) * 2, tables.FIELDS, strict=False):
            options = ["–", *dict.fromkeys(header)]
            first = options.index(guessed[field]) if field in guessed else 0
            column = place.selectbox(field, options, first, key=f"{name}-{field}-{has_header}")
            if column != "–":
                chosen[field] = column
        if "title" not in chosen:
            st.warning("Say which column holds the titles.")
    return chosen


def paste_songs() -> None:
    """Songs as text, one a line."""
    with st.form(f"songs-{state.get(state.DROPPED, 0)}", border=False):  # emptied when read, kept when refused
        title = st.text_input("Name of the list", placeholder="Warehouse nights")
        text = st.text_area("Songs, one a line", placeholder="Artist - Title\nArtist - Title")
        if st.form_submit_button("Read", type="primary", icon=":material/playlist_add:"):
            with ui.told_errors():
                playlist = lists.read_text(title, text)
                if not playlist.tracks:
                    raise SourceError("There is no line such as `Artist - Title` in it.")
                if tracks := tracklists.spotify_tracks(text):
                    _complain_of_spotify_tracks(tracks)
                state.playlists().keep_reading(playlist)
                state.put(state.DROPPED, state.get(state.DROPPED, 0) + 1)
                st.rerun()


def _complain_of_spotify_tracks(links: Sequence[str]) -> None:
    state.put(state.FAILED_FILES, [ui.plain(str(tracklists.spotify_tracks_unreadable(links)))])


def tick_starters() -> None:
    """Playlists that others began with."""
    with ui.told_errors():
        found = starters()
        read_at = state.playlists().read_times()
        st.caption(
            "The 17 Spotify playlists of the study that Genrescope follows. Spotify lets an app read only playlists of "
            "who is signed in: copy one to your account, or save it with Exportify and drop the file."
        )
        table = pd.DataFrame(
            {
                "genre": [starter.genre for starter in found],
                "title": [starter.title for starter in found],
                "at Spotify": [f"https://open.spotify.com/playlist/{starter.reference}" for starter in found],
                "read": [ui.day(read_at.get((starter.source, starter.reference))) for starter in found],
            }
        )
        read_ticked("starters", table, [(starter.source, starter.reference) for starter in found])


def read_ticked(key: str, table: pd.DataFrame, playlists: Sequence[tuple[str, str]]) -> None:
    """A table of playlists, (source, reference) each, and a button that reads the ticked ones."""
    ticked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"at Spotify": st.column_config.LinkColumn(display_text="open")},
        key=key,
    )
    rows = ticked["selection"]["rows"]
    if st.button(
        f"Read {len(rows)} ticked" if rows else "Read ticked",
        type="primary",
        icon=":material/playlist_add:",
        disabled=not rows,
    ):
        read([playlists[i] for i in rows])


def own_spotify() -> None:
    """Sign in, and tick one's own playlists."""
    st.caption(spotify.POLICY)
    sign_in = state.sign_in()
    with ui.told_errors():
        name = sign_in.signed_in_as()
        if name is None:
            st.link_button(
                "Sign in to Spotify", state.begin_sign_in(_redirect_uri()), type="primary", icon=":material/login:"
            )
            st.caption(f"Your app's redirect address at developer.spotify.com must be {ui.plain(_redirect_uri())}")
            return
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(f"Signed in as **{ui.plain(name)}**.")
        if right.button("Sign out", icon=":material/logout:", width="stretch"):
            sign_in.sign_out()
            st.rerun()
        own = state.own_spotify_playlists()
        table = pd.DataFrame(
            {
                "title": [hit.title for hit in own],
                "owner": [hit.owner for hit in own],
                "tracks": [hit.n_tracks for hit in own],
            }
        )
        read_ticked("own", table, [(hit.source, hit.reference) for hit in own])


def come_back_from_spotify() -> None:
    """Spotify has sent the browser back here, in a session of its own."""
    told = st.query_params
    if "state" not in told or not ({"code", "error"} & set(told)):
        return
    with ui.told_errors():
        if "error" in told:
            raise SourceError(
                "You did not let Genrescope in at Spotify. Nothing was changed; sign in again when you like."
            )
        if not state.finish_sign_in(told["code"], told["state"]):
            raise SourceError("This sign-in was not begun here, or is too old. Press *Sign in to Spotify* again.")
        state.tell(f"Signed in to Spotify as {state.sign_in().signed_in_as()}")
    st.query_params.clear()
    if state.get(session.TOLD):
        st.rerun()


def _redirect_uri() -> str:
    return f"http://127.0.0.1:{st.get_option('server.port')}/playlists"


def _is_exportify(header: Sequence[str]) -> bool:
    return bool({"Track URI", "Spotify ID"} & set(header)) and "Track Name" in header
