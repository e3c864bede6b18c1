"""Data sets that can be rebuilt: a recipe is locked to bytes, synced anywhere, verified offline, and cited.

    recipe.toml ──lock──► recipe.lock ──sync──► a folder ──verify──► proof

A recipe says what is wanted; a lock says which bytes that was on one day. The
lock is what goes into version control and to colleagues.
"""

from __future__ import annotations

from tessellar.access.dataset.citing import Citation, cite
from tessellar.access.dataset.lockfile import Lock, LockedFile, Query, parse_lock, read_lock, write_lock
from tessellar.access.dataset.locking import Change, Locked, lock, update
from tessellar.access.dataset.recipe import Recipe, Selection, parse_recipe, read_recipe
from tessellar.access.dataset.syncing import Synced, sync, verify

__all__ = [
    "Change",
    "Citation",
    "Lock",
    "Locked",
    "LockedFile",
    "Query",
    "Recipe",
    "Selection",
    "Synced",
    "cite",
    "lock",
    "parse_lock",
    "parse_recipe",
    "read_lock",
    "read_recipe",
    "sync",
    "update",
    "verify",
    "write_lock",
]
