"""Halo photometry of bright stars: weights of least total variation."""
