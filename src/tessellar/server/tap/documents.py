"""The documents of the protocol: UWS jobs, and VOSI's capabilities, availability and tables; examples for people.

UWS 1.1; VOSI 1.1 (Graham et al. 2017); TAPRegExt 1.0 (Demleitner et al. 2012); DALI 1.1 for the examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape as html
from xml.sax.saxutils import escape, quoteattr

from tessellar import __version__
from tessellar.server.tap.engine import ASYNC_SECONDS, MOST_ROWS, SYNC_SECONDS
from tessellar.server.tap.formats import FORMATS
from tessellar.server.tap.grammar import GEOMETRY
from tessellar.server.tap.jobs import Job
from tessellar.server.tap.model import Catalogue, Column, Table
from tessellar.server.tap.uploads import MOST_ROWS as MOST_UPLOADED
from tessellar.server.tap.votable import printable

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_UWS = f'xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" xmlns:xlink="http://www.w3.org/1999/xlink" {_XSI}'
_STANDARD = "ivo://ivoa.net/std"
#: Questions to begin with: name, what it asks, and the query.
EXAMPLES = (
    ("footprint", "The footprint of one CCD in one sector",
     "SELECT TOP 1 obs_id, s_region FROM dbo.caomobservation JOIN ivoa.obscore\n"
     "ON dbo.caomobservation.observationID = ivoa.obscore.obs_id\n"
     "WHERE collection = 'TESS' AND trgType = 'FIELD' AND sequenceNumber = 1\n"
     "AND observationID LIKE 'tess%-s0001-1-2-%-s'"),
    ("light-curves-in-a-cone", "Light curves of all stars within half a degree",
     "SELECT target_name, s_ra, s_dec, t_exptime, access_url FROM ivoa.obscore\n"
     "WHERE dataproduct_type = 'timeseries' AND access_url LIKE '%lc.fits'\n"
     "AND 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 84.29, -80.47, 0.5))"),
    ("files-of-a-target", "All files of one star, with their sizes and checksums",
     "SELECT a.productFileName, a.contentLength, a.contentChecksum FROM dbo.obspointing AS o\n"
     "JOIN dbo.caomplane AS p ON p.planeTID = o.objID JOIN dbo.caomartifact AS a ON a.planeTID = p.planeTID\n"
     "WHERE o.target_name = '261136679' ORDER BY productFileName"),
    ("sectors-of-a-run", "Which observations the multi-sector runs of a star were made of",
     "SELECT d.obs_id, s.obs_id AS made_of FROM dbo.caommembers AS m\n"
     "JOIN dbo.obspointing AS d ON d.obsid = m.derivedTID\n"
     "JOIN dbo.obspointing AS s ON s.obsid = m.simpleTID WHERE d.target_name = '261136679'"),
    ("stars-near-a-star", "Stars of the TIC within 2 arcmin",
     "SELECT ID, ra, dec, Tmag, DISTANCE(POINT('ICRS', ra, dec), POINT('ICRS', 84.29, -80.47)) * 3600 AS arcsec\n"
     "FROM dbo.tic WHERE DISTANCE(POINT('ICRS', ra, dec), POINT('ICRS', 84.29, -80.47)) < 2.0 / 60 ORDER BY arcsec"),
)  # fmt: skip


def job_document(job: Job, base: str) -> str:
    """Describe a job."""
    message = f"<uws:message>{_text(job.message)}</uws:message>"
    error = f'<uws:errorSummary type="fatal" hasDetail="true">{message}</uws:errorSummary>'
    return (
        f'{_XML}<uws:job version="1.1" {_UWS}>\n'
        f"<uws:jobId>{job.id}</uws:jobId>\n{_maybe('runId', job.run_id or None)}{_nil('ownerId')}"
        f"<uws:phase>{job.phase}</uws:phase>\n{_nil('quote')}"
        f"<uws:creationTime>{instant(job.created)}</uws:creationTime>\n"
        f"{_time('startTime', job.started)}{_time('endTime', job.ended)}"
        f"<uws:executionDuration>{job.seconds:.0f}</uws:executionDuration>\n"
        f"<uws:destruction>{instant(job.destruction)}</uws:destruction>\n"
        f"{parameters_document(job, inside=True)}{results_document(job, base, inside=True)}"
        f"{error if job.phase == 'ERROR' else ''}\n</uws:job>\n"
    )


def job_list(jobs: Iterable[Job], base: str) -> str:
    """List jobs."""
    entries = "".join(
        f'<uws:jobref id="{job.id}" xlink:href={quoteattr(f"{base}/async/{job.id}")} xlink:type="simple">'
        f"<uws:phase>{job.phase}</uws:phase>{_maybe('runId', job.run_id or None)}{_nil('ownerId')}"
        f"<uws:creationTime>{instant(job.created)}</uws:creationTime></uws:jobref>\n"
        for job in jobs
    )
    return f'{_XML}<uws:jobs version="1.1" {_UWS}>\n{entries}</uws:jobs>\n'


def parameters_document(job: Job, *, inside: bool = False) -> str:
    """List the parameters of a job."""
    listed = "".join(
        f"<uws:parameter id={quoteattr(printable(name))}>{_text(value)}</uws:parameter>\n"
        for name, value in job.parameters.items()
    )
    return _whole("parameters", listed, inside)


def results_document(job: Job, base: str, *, inside: bool = False) -> str:
    """List the results of a job: one, or none yet."""
    listed = ""
    if job.phase == "COMPLETED":
        address = quoteattr(f"{base}/async/{job.id}/results/result")
        listed = (
            f'<uws:result id="result" xlink:href={address} xlink:type="simple" '
            f"mime-type={quoteattr(job.media_type)}/>\n"
        )
    return _whole("results", listed, inside)


def instant(when: datetime) -> str:
    """Write a time as DALI does."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def capabilities(base: str) -> str:
    """Say what the service can do."""
    formats = "".join(
        f"<outputFormat><mime>{_text(form.media_type)}</mime>"
        f"{''.join(f'<alias>{_text(name)}</alias>' for name in form.names if '/' not in name or 'votable/' in name)}"
        "</outputFormat>\n"
        for form in FORMATS
    )
    features = "".join(f"<feature><form>{name}</form></feature>" for name in GEOMETRY)
    interfaces = "".join(
        f'<capability standardID="{_STANDARD}/VOSI#{name}">'
        f'<interface xsi:type="vs:ParamHTTP" role="std" version="{version}">'
        f'<accessURL use="full">{_text(f"{base}/{name}")}</accessURL></interface></capability>\n'
        for name, version in (("capabilities", "1.0"), ("availability", "1.0"), ("tables", "1.1"))
    )
    return (
        f'{_XML}<vosi:capabilities xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0" {_XSI} '
        'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0" '
        'xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0">\n'
        f'{interfaces}<capability standardID="{_STANDARD}/DALI#examples">'
        f'<interface xsi:type="vr:WebBrowser"><accessURL use="full">{_text(f"{base}/examples")}</accessURL></interface>'
        "</capability>\n"
        f'<capability standardID="{_STANDARD}/TAP" xsi:type="tr:TableAccess">'
        f'<interface xsi:type="vs:ParamHTTP" role="std" version="1.1"><accessURL use="base">{_text(base)}</accessURL>'
        "</interface>\n"
        f'<dataModel ivo-id="{_STANDARD}/ObsCore#core-1.1">ObsCore-1.1</dataModel>\n'
        f'<language><name>ADQL</name><version ivo-id="{_STANDARD}/ADQL#v2.0">2.0</version>'
        "<description>ADQL 2.0, with much of 2.1</description>\n"
        f'<languageFeatures type="{_STANDARD}/TAPRegExt#features-adqlgeo">{features}</languageFeatures></language>\n'
        f"{formats}"
        f'<uploadMethod ivo-id="{_STANDARD}/TAPRegExt#upload-inline"/>\n'
        f'<uploadMethod ivo-id="{_STANDARD}/TAPRegExt#upload-http"/>\n'
        f'<uploadMethod ivo-id="{_STANDARD}/TAPRegExt#upload-https"/>\n'
        "<retentionPeriod><default>604800</default><hard>31622400</hard></retentionPeriod>\n"
        f"<executionDuration><default>{ASYNC_SECONDS:.0f}</default><hard>{ASYNC_SECONDS:.0f}</hard></executionDuration>\n"
        f'<outputLimit><default unit="row">{MOST_ROWS}</default><hard unit="row">{MOST_ROWS}</hard></outputLimit>\n'
        f'<uploadLimit><hard unit="row">{MOST_UPLOADED}</hard></uploadLimit>\n'
        "</capability>\n</vosi:capabilities>\n"
    )


def availability() -> str:
    """Say that the service is there."""
    return (
        f'{_XML}<vosi:availability xmlns:vosi="http://www.ivoa.net/xml/VOSIAvailability/v1.0">'
        f"<vosi:available>true</vosi:available><vosi:note>tessellar {__version__}; "
        f"a query may take {SYNC_SECONDS:.0f} s, a job {ASYNC_SECONDS:.0f} s</vosi:note></vosi:availability>\n"
    )


def table_set(catalogue: Catalogue, *, columns: bool) -> str:
    """List the tables, with or without their columns."""
    schemas: dict[str, list[Table]] = {}
    for table in catalogue:
        schemas.setdefault(table.schema, []).append(table)
    listed = "".join(
        f"<schema><name>{_text(name)}</name><description>{_text(catalogue.schemas.get(name, ''))}</description>\n"
        f"{''.join(_table(table, catalogue, columns=columns) for table in tables)}</schema>\n"
        for name, tables in schemas.items()
    )
    return f"{_XML}<vosi:tableset {_VODATA}>\n{listed}</vosi:tableset>\n"


def one_table(table: Table, catalogue: Catalogue) -> str:
    """Describe one table."""
    return f"{_XML}<vosi:table {_VODATA}>{_inside(table, catalogue)}</vosi:table>\n"


def examples_page(base: str) -> str:
    """Show questions to begin with, marked up so that clients find them."""
    listed = "".join(
        f'<div typeof="example" id="{name}" resource="#{name}"><h2 property="name">{html(title)}</h2>'
        f'<pre property="query">{html(query)}</pre></div>\n'
        for name, title, query in EXAMPLES
    )
    return (
        '<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8"/>'
        "<title>Examples of queries</title></head>\n"
        '<body vocab="http://www.ivoa.net/rdf/examples#"><h1>Examples of queries</h1>\n'
        f"<p>For <code>{html(base)}</code></p>\n"
        f"{listed}</body></html>\n"
    )


_VODATA = (
    f'xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0" {_XSI} xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1"'
)


def _table(table: Table, catalogue: Catalogue, *, columns: bool) -> str:
    head = f"<name>{_text(table.full_name)}</name><description>{_text(table.description)}</description>"
    return f'<table type="view">{_inside(table, catalogue) if columns else head}</table>\n'


def _inside(table: Table, catalogue: Catalogue) -> str:
    head = f"<name>{_text(table.full_name)}</name><description>{_text(table.description)}</description>"
    utype = f"<utype>{_text(table.utype)}</utype>" if table.utype else ""
    keys = "".join(
        f"<foreignKey><targetTable>{key.target_table}</targetTable><fkColumn><fromColumn>{key.from_column}</fromColumn>"
        f"<targetColumn>{key.target_column}</targetColumn></fkColumn><description>{_text(key.description)}</description>"
        "</foreignKey>\n"
        for key in catalogue.keys
        if key.from_table == table.full_name
    )
    return head + utype + "\n" + "".join(map(_column, table.columns)) + keys


def _column(column: Column) -> str:
    told: Mapping[str, str] = {
        "name": column.written, "description": column.description, "unit": column.unit, "ucd": column.ucd,
        "utype": column.utype,
    }  # fmt: skip
    inside = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in told.items() if value)
    size = ' arraysize="*"' if column.datatype == "char" else ""
    extended = f" extendedType={quoteattr(column.xtype)}" if column.xtype else ""
    held = (("indexed", column.indexed), ("principal", column.principal))
    flags = "".join(f"<flag>{name}</flag>" for name, is_so in held if is_so)
    std = ' std="true"' if column.std else ""
    kind = f'<dataType xsi:type="vs:VOTableType"{size}{extended}>{column.datatype}</dataType>'
    return f"<column{std}>{inside}{kind}{flags}</column>\n"


def _whole(name: str, inside_text: str, inside: bool) -> str:
    return (
        f"<uws:{name}>\n{inside_text}</uws:{name}>\n"
        if inside
        else f"{_XML}<uws:{name} {_UWS}>\n{inside_text}</uws:{name}>\n"
    )


def _nil(name: str) -> str:
    return f'<uws:{name} xsi:nil="true"/>\n'


def _maybe(name: str, value: str | None) -> str:
    return f"<uws:{name}>{_text(value)}</uws:{name}>\n" if value else ""


def _time(name: str, when: datetime | None) -> str:
    return f"<uws:{name}>{instant(when)}</uws:{name}>\n" if when else _nil(name)


def _text(text: str) -> str:
    return escape(printable(text))
