-- Where songs lie in the feature space of a model, and on a map of it. Can be made again at any time.

CREATE TABLE embeddings (
    network TEXT NOT NULL,                -- SHA-256 of the model's graph
    audio_id INTEGER NOT NULL REFERENCES audio_files ON DELETE CASCADE,
    vector BLOB NOT NULL,                 -- float32 (n_dimensions,): the mean over a song's crops
    PRIMARY KEY (network, audio_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE map_places (
    network TEXT NOT NULL,
    audio_id INTEGER NOT NULL,
    x REAL NOT NULL,
    y REAL NOT NULL,
    PRIMARY KEY (network, audio_id),
    FOREIGN KEY (network, audio_id) REFERENCES embeddings ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
