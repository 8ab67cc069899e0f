"""`retrieval serve`."""

from __future__ import annotations

import logging
import threading

import click

from retrieval.cli.common import common_options, note
from retrieval.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256))
@click.option("--model", metavar="NAME", hidden=True)
@click.option("--device", metavar="NAME", help="auto, cpu, cuda or mps.")
@common_options
def serve(settings: Settings, as_json: bool, host: str, port: int, threads: int) -> None:  # noqa: ARG001
    """Serve the site and the HTTP interface, until it is stopped.

    It listens on this machine alone unless --host says otherwise. New generations are taken up as
    they are published. Stopped, it finishes what it is answering.
    """
    import waitress

    from web import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    app = create_app(settings)
    server = waitress.create_server(app, host=host, port=port, threads=threads, ident=None)
    shown = f"[{host}]" if ":" in host else host
    note(f"http://{shown}:{server.effective_port}/ (Ctrl-C stops it)")
    # Answers health checks with 503 while the model loads, rather than nothing at all.
    threading.Thread(target=app.extensions["site"].warm, name="warm", daemon=True).start()
    server.run()
    note("stopped")
