# Genrescope as an image: Predict for guests, or with --build-arg FLAVOUR=full the whole app. See docs/demo.md.
ARG FLAVOUR=demo

FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none
WORKDIR /srv/genrescope
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin genrescope
COPY pyproject.toml README.md LICENSE ./
COPY .streamlit/config.toml .streamlit/config.toml
COPY data/genres.yaml data/starter_playlists.yaml data/
COPY models models
COPY core core
COPY app app
COPY pages pages

# Guests: nothing is written, so it may run with a read-only file system.
FROM base AS demo
ENV GENRESCOPE_MODE=demo \
    STREAMLIT_SERVER_ALLOWED_HOSTS="*" \
    STREAMLIT_SERVER_MAX_UPLOAD_SIZE=30
COPY requirements-demo.txt constraints.txt ./
RUN pip install -r requirements-demo.txt -c constraints.txt

# The whole app: it opens only if told, with GENRESCOPE_ALLOW_OUTSIDE=yes, that others may reach it.
FROM base AS full
# Where pip may also look, such as for PyTorch's smaller CPU builds: --build-arg PIP_EXTRA_INDEX_URL=...
ARG PIP_EXTRA_INDEX_URL=""
ENV GENRESCOPE_HOME=/workspace
COPY requirements.txt constraints.txt ./
RUN pip install -r requirements.txt -c constraints.txt && python -m core doctor --repair
RUN install --directory --owner=genrescope --group=genrescope /workspace
VOLUME /workspace

# hadolint ignore=DL3006
FROM ${FLAVOUR}
USER genrescope
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"STREAMLIT_SERVER_PORT\"]}/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app/main.py"]
