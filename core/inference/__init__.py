"""Inference: what a trained model says of a song. The network is passed in; nothing here knows what it is made with."""
