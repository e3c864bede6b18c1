"""Every star of a sector: the to-do list, running it here or on a cluster, and what came of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar.survey.exporting import Subset, export, not_exported, not_stored
    from tessellar.survey.folder import SurveyFolder
    from tessellar.survey.ledger import Ledger
    from tessellar.survey.pages import write_page
    from tessellar.survey.planning import Choices, describe, plan
    from tessellar.survey.running import Finished, run
    from tessellar.survey.summary import Summary, results, summaries

_WHERE = {
    "Choices": "planning",
    "Finished": "running",
    "Ledger": "ledger",
    "Subset": "exporting",
    "Summary": "summary",
    "SurveyFolder": "folder",
    "describe": "planning",
    "export": "exporting",
    "not_exported": "exporting",
    "not_stored": "exporting",
    "plan": "planning",
    "results": "summary",
    "run": "running",
    "summaries": "summary",
    "write_page": "pages",
}

__all__ = [
    "Choices",
    "Finished",
    "Ledger",
    "Subset",
    "Summary",
    "SurveyFolder",
    "describe",
    "export",
    "not_exported",
    "not_stored",
    "plan",
    "results",
    "run",
    "summaries",
    "write_page",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
