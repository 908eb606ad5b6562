"""Genrescope's library: from a folder of songs to a genre spectrum, without a screen.

Floors, low to high; a module imports only from floors below its own:

1. `errors` `files` `settings` `music` `recipes` `database`
2. `audio` (waveform, spectrogram, crops, store) and `jobs` (queue, compute)
3. `library` (store, runs, importing, preprocessing, labels)
4. `learning` (splits, dataset, networks, training, model, ...) and `inference` (prediction)
5. `doctor` and `jobs` (context, kinds, worker)
6. `cli`

Conventions everywhere: `_s` is seconds, `_bytes` is bytes; `y` is mono float32 at 16,000 Hz; `S` is a
log-mel spectrogram, time-major, (n_frames, n_mels), in dB or as uint8 codes of 0.5 dB.
"""
