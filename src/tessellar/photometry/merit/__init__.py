"""How good a light curve is, and how good it could be: noise of pixels, figures of merit, reasons to doubt."""
