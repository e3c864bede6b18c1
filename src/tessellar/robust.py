"""Scatter that a few outliers do not change, told as the standard deviation of a normal distribution."""

from __future__ import annotations

#: Standard deviation over median absolute deviation of normal noise: 1 / Phi^-1(3/4), Phi^-1 being the quantiles of the
#: normal distribution (Rousseeuw & Croux 1993, J. Am. Stat. Assoc. 88, 1273).
MAD_TO_SIGMA = 1.482602218505602
