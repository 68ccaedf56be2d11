"""A mapping to start from, guessed from samples of what a vendor sends."""
