"""The demo, and at `?count=` how often what follows lives in the server's memory, long objects only."""

import gc
import runpy
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import ui
from app.server import Guard

app = st.App(__file__, middleware=[Middleware(Guard)], on_script_error=ui.tell_uncaught)
LONG = 50_000  # bytes of an object that is looked into: a song, but not what else mentions a few of its bytes

if get_script_run_ctx():  # not while the server imports it
    wanted = bytes.fromhex(st.query_params.get("count", ""))
    if wanted:
        gc.collect()
        held = {
            id(one): one for holder in gc.get_objects() for one in gc.get_referents(holder) if isinstance(one, bytes)
        }
        st.text(f"{sum(len(one) >= LONG and wanted in one for one in held.values())} copies")
    else:
        runpy.run_path(str(Path("app/frame.py").resolve()), run_name="__main__")
