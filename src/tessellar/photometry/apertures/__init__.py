"""Aperture photometry: which pixels are added up, whose light is in them, and their sum."""
