"""The page that a browser gets: what is here, and how to point a client to it."""

from __future__ import annotations

from html import escape

from tessellar.products.exofopfolder import FOLDER
from tessellar.server.index import Index

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.15rem .8rem .15rem 0;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}
pre{background:#f4f4f4;padding:.6rem;overflow-x:auto}h2{font-size:1.1rem;margin-top:1.6rem}"""


def page(index: Index, base: str) -> str:
    """Write the page.

    Parameters
    ----------
    index : Index
        What is here.
    base : str
        The URL of this archive, without a path.
    """
    report = index.report
    with index.reading() as reader:
        kinds = reader.known(
            """SELECT project, description, sum(files), sum(bytes) FROM artifact_kinds JOIN (SELECT kind, count(*) AS
               files, sum(size) AS bytes FROM artifacts GROUP BY kind) ON kind = row
               GROUP BY project, description ORDER BY project, description"""
        )
        sectors = [
            sector
            for (sector,) in reader.known("SELECT DISTINCT sequence_number FROM observations ORDER BY 1")
            if sector
        ]
    rows = "".join(
        f"<tr><td>{escape(str(author))}</td><td>{escape(str(what))}</td><td class=n>{count}</td>"
        f"<td class=n>{_size(size)}</td></tr>"
        for author, what, count, size in kinds
    )
    url = escape(base)
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>tessellar archive</title>
<style>{_STYLE}</style><h1>A TESS archive</h1>
<p>{report.products} files ({_size(report.size)}) in {report.observations} observations of {report.targets} stars,
sectors {escape(_ranges(sectors)) or "none"}; the catalogue has {report.stars} stars.
{report.foreign} other files are not served, {report.damaged} are damaged, {report.duplicates} stand twice.</p>
<table><tr><th>author<th>what<th>files<th>size</tr>{rows}</table>
<h2>tessellar</h2><pre>tessellar --archive {url} find "TIC 25155310"</pre>
<h2>astroquery, lightkurve</h2><p>Write this into <code>astroquery.cfg</code> in a folder, set
<code>ASTROPY_CONFIG_DIR</code> to that folder, and start Python:</p>
<pre>[mast]
server = {url}</pre>
<p>For names other than TIC ids, also set <code>HTTP_PROXY={url}</code> and
<code>NO_PROXY=127.0.0.1,localhost</code>: this archive then answers in place of the name resolver.</p>
<h2>curl</h2><pre>curl -OJ "{url}/api/v0.1/Download/file?uri=mast:TESS/product/NAME"</pre>
{_exofop(index, url)}</html>"""


def _exofop(index: Index, url: str) -> str:
    if not (index.root / FOLDER).is_dir():
        return ""
    return f"""<h2>ExoFOP</h2><p>There are <a href="/tess/">follow-up data</a> as well.</p>
<pre>tessellar --archive {url} exofop toi</pre>"""


def _size(size: int | None) -> str:
    value = float(size or 0)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _ranges(numbers: list[int]) -> str:
    """Write ``1-3, 7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
