-- The library of music, the history of trainings, and the queue of jobs.
-- Times are UTC, ISO 8601. JSON columns hold whole documents that are read and written as one.

CREATE TABLE genres (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE
) STRICT;

CREATE TABLE tracks (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    artist TEXT NOT NULL,                 -- '' where unknown
    album TEXT NOT NULL,
    duration_s REAL,                      -- as the container says, until the sound is decoded
    isrc TEXT,
    created_by_job INTEGER,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE playlists (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,                 -- 'folder' today
    reference TEXT NOT NULL,              -- the folder's path
    title TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (source, reference)
) STRICT;

CREATE TABLE playlist_tracks (
    playlist_id INTEGER NOT NULL REFERENCES playlists ON DELETE CASCADE,
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    PRIMARY KEY (playlist_id, track_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX playlist_tracks_of_track ON playlist_tracks (track_id);

-- Hand votes come in edits: all votes a person gave in one action, undone as one.
CREATE TABLE edits (
    id INTEGER PRIMARY KEY,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    undone_at TEXT
) STRICT;

CREATE TABLE votes (
    id INTEGER PRIMARY KEY,
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    genre_id INTEGER NOT NULL REFERENCES genres,
    source TEXT NOT NULL CHECK (source IN ('folder', 'tag', 'csv', 'hand')),
    reference TEXT NOT NULL,              -- which folder or file; for a hand vote, who
    weight REAL NOT NULL CHECK (weight > 0),
    edit_id INTEGER REFERENCES edits,     -- the edit that gave this vote
    withdrawn_by INTEGER REFERENCES edits,-- the later edit that replaced it
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_vote_a_source ON votes (track_id, genre_id, source, reference) WHERE edit_id IS NULL;
CREATE INDEX votes_of_track ON votes (track_id);

CREATE TABLE audio_files (
    id INTEGER PRIMARY KEY,
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    sha256 TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    copied INTEGER NOT NULL CHECK (copied IN (0, 1)),
    container TEXT NOT NULL,
    codec TEXT NOT NULL,
    sample_rate INTEGER NOT NULL,         -- Hz, of the file
    channels INTEGER NOT NULL,
    duration_s REAL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ok', 'truncated', 'damaged', 'unusable', 'missing')),
    reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audio_files_of_track ON audio_files (track_id);
CREATE INDEX audio_files_at ON audio_files (path);

CREATE TABLE spectrograms (
    audio_id INTEGER NOT NULL REFERENCES audio_files ON DELETE CASCADE,
    fingerprint TEXT NOT NULL,            -- of the recipe
    state TEXT NOT NULL CHECK (state IN ('done', 'failed')),
    reason TEXT NOT NULL DEFAULT '',
    n_frames INTEGER,
    band_mean BLOB,                       -- float32 (n_mels,), dB, over the song's frames
    band_std BLOB,
    made_by_job INTEGER,
    created_at TEXT NOT NULL,
    PRIMARY KEY (audio_id, fingerprint),
    CHECK (state = 'failed' OR (n_frames IS NOT NULL AND band_mean IS NOT NULL AND band_std IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'failed', 'finished')),
    recipe TEXT NOT NULL,                 -- JSON: TrainingRecipe as asked for
    request TEXT NOT NULL,                -- JSON: genres to learn and artists to hold out, as asked for
    plan TEXT,                            -- JSON: genres, split, steps, data fingerprint; fixed before step one
    result TEXT,                          -- JSON: what `train` answers
    message TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    finished_at TEXT
) STRICT;

CREATE TABLE epochs (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    epoch INTEGER NOT NULL,               -- from 1
    step INTEGER NOT NULL,                -- optimiser steps so far
    train_loss REAL NOT NULL,
    validation_loss REAL NOT NULL,
    crop_accuracy REAL NOT NULL,
    song_accuracy REAL NOT NULL,
    confusion TEXT NOT NULL,              -- JSON (n_genres, n_genres), rows true
    learning_rate REAL NOT NULL,
    crops_per_second REAL NOT NULL,
    seconds REAL NOT NULL,
    seconds_left REAL NOT NULL,
    best INTEGER NOT NULL CHECK (best IN (0, 1)),
    created_at TEXT NOT NULL,
    PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,                    -- the same key asked twice is the same job while it is unfinished
    parameters TEXT NOT NULL,             -- JSON
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'stopped')),
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER,
    least_left INTEGER,                   -- the least ever left to do: only less than that is progress
    seconds_left REAL,
    message TEXT NOT NULL DEFAULT '',
    worker TEXT,
    lease_until REAL,                     -- seconds since 1970
    attempt INTEGER NOT NULL DEFAULT 0,
    stop_requested_at TEXT,
    result TEXT,                          -- JSON
    traceback TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT
) STRICT;
CREATE UNIQUE INDEX one_unfinished_job_a_key ON jobs (key) WHERE state IN ('queued', 'running');
