"""So that `python -m tessellar` is the command."""

from __future__ import annotations

from tessellar.cli import main

if __name__ == "__main__":
    main()
