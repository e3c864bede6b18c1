"""`tessellar serve`: offer a folder of TESS files as an archive."""

from __future__ import annotations

from pathlib import Path

import click

from tessellar.cli.main import Globals


@click.command("serve")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 picks a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.pass_obj
def command(settings: Globals, folder: Path, port: int, host: str) -> None:
    """Offer the TESS files under DIR as an archive that speaks MAST's protocol, and DIR/exofop as ExoFOP.

    Nothing in DIR is changed. Only this machine can reach it, unless --host says otherwise.
    """
    from tessellar.server import serve

    serve(folder, host=host, port=port, on_ready=lambda url: click.echo(f"listening on {url}"))
