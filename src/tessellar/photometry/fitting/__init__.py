"""Photometry by the pixel response: the linear fit of all stars, and the fit of places and fluxes of a few."""
