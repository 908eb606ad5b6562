"""The pretrained encoder: sound to tags and embeddings."""
