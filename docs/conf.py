"""Sphinx settings."""

from tessellar import __version__

project = "tessellar"
author = "The tessellar maintainers"
project_copyright = "2026, the tessellar maintainers"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "tessellar"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False


def _write_flags(app: object) -> None:
    """Write the tables of quality flags out of the registries that the code decodes with."""
    from pathlib import Path

    from tessellar.mission.flags import MASKS, registries

    lines: list[str] = []
    for flags, authors in registries().items():
        lines += [f"## {', '.join(authors)}", "", (flags.__doc__ or "").split("\n")[0], ""]
        lines += ["| bit | value | name | meaning |", "|---|---|---|---|"]
        lines += [f"| {flag.bit_length()} | {flag.value} | `{flag.name}` | {flag.description} |" for flag in flags]
        lines.append("")
    lines += ["## Named masks", "", "| mask | bits of SPOC that it leaves out |", "|---|---|"]
    for name, mask in MASKS.items():
        bits = [str(1 << n) for n in range(31) if mask >> n & 1]
        lines.append(f"| `{name}` | {'all' if len(bits) == 31 else ', '.join(bits) or 'none'} |")
    folder = Path(__file__).parent / "api" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flags.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def setup(app: object) -> None:
    """Sphinx calls this."""
    app.connect("builder-inited", _write_flags)  # type: ignore[attr-defined]
