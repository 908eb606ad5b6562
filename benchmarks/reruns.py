"""A page of the app, run again and again as Streamlit runs it, without a browser."""

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.settings import PROJECT


class Reruns(NamedTuple):
    """Milliseconds of a page: its first run; median and 95th percentile of its reruns."""

    first: float
    median: float
    p95: float


def rerun(home: Path, page: str, view: str | None = None, *, reruns: int) -> Reruns:
    """Run a page with a workspace, again and again."""
    os.environ["GENRESCOPE_HOME"] = str(home)
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    from app import state

    keys = {
        "genres": state.VIEW,
        "explore": state.EXPLORE_VIEW,
        "collect": state.COLLECT_VIEW,
        "label": state.LABEL_VIEW,
        "evaluate": state.EVALUATE_VIEW,
        "map": state.MAP_KIND,
    }
    st.cache_resource.clear()
    st.cache_data.clear()
    app = AppTest.from_file(str(PROJECT / "pages" / f"{page}.py"), default_timeout=600)
    if view:
        app.session_state[keys[page]] = view
    times, main = [], sys.modules["__main__"]
    try:
        for _ in range(reruns + 1):
            begun = time.perf_counter()
            app.run()
            times.append((time.perf_counter() - begun) * 1000)
            if app.exception:
                raise RuntimeError(f"{page}: {app.exception[0].message}")
    finally:
        sys.modules["__main__"] = main  # which Streamlit replaces; processes that are started would run the page
    return Reruns(times[0], *np.percentile(times[1:], [50, 95]).tolist())
