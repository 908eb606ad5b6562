"""Sound: from files to samples, from samples to spectrograms, from spectrograms to crops."""
