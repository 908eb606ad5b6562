-- Evaluations: what networks answered about songs that they had not learned from.

CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,                   -- as a person sees it
    kind TEXT NOT NULL CHECK (kind IN ('test', 'folder', 'crossvalidation')),
    about TEXT NOT NULL,                  -- JSON: model, or recipe, protocol and folds; whatever it takes to do it again
    genres TEXT NOT NULL,                 -- JSON: the vocabulary, in class order
    report TEXT,                          -- JSON: its figures; NULL while it is not finished
    job_id INTEGER,
    created_at TEXT NOT NULL,
    finished_at TEXT
) STRICT;

CREATE TABLE evaluation_songs (
    evaluation_id INTEGER NOT NULL REFERENCES evaluations ON DELETE CASCADE,
    sha256 TEXT NOT NULL,                 -- of the audio file
    path TEXT NOT NULL,
    title TEXT NOT NULL,
    artist TEXT NOT NULL,
    fold INTEGER NOT NULL,                -- 0 where there are no folds
    truth BLOB NOT NULL,                  -- float32 (n_genres,): the label at that time
    spectrum BLOB NOT NULL,               -- float32 (n_genres,): the answer
    PRIMARY KEY (evaluation_id, sha256)
) STRICT, WITHOUT ROWID;
