"""Every star of a sector: the to-do list, running it here or on a cluster, and what came of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar.survey.folder import SurveyFolder
    from tessellar.survey.ledger import Ledger
    from tessellar.survey.planning import Choices, plan
    from tessellar.survey.running import Finished, run

_WHERE = {
    "Choices": "planning",
    "Finished": "running",
    "Ledger": "ledger",
    "SurveyFolder": "folder",
    "plan": "planning",
    "run": "running",
}

__all__ = ["Choices", "Finished", "Ledger", "SurveyFolder", "plan", "run"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
