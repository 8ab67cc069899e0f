"""`retrieval serve`."""

from __future__ import annotations

import logging
import threading
from typing import Any

import click

from retrieval.cli.common import common_options, model_options, note
from retrieval.cli.moved import tell_of_photos
from retrieval.errors import ServerError
from retrieval.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256))
@click.option(
    "--trusted-proxy", metavar="ADDRESS", help="A proxy before it, which says who its clients are."
)
@model_options
@common_options
def serve(
    settings: Settings,
    as_json: bool,  # noqa: ARG001 - every command has it
    host: str,
    port: int,
    threads: int,
    trusted_proxy: str | None,
) -> None:
    """Serve the site and the HTTP interface, until it is stopped.

    It listens on this machine alone unless --host says otherwise. New generations are taken up as
    they are published. Stopped, it finishes what it is answering.
    """
    import waitress

    from retrieval_web import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    # A page of photos is more requests than threads: that some wait is no event.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = create_app(settings)
    tell_of_photos(app.extensions["site"].searcher)
    try:
        server = waitress.create_server(
            app,
            host=host,
            port=port,
            threads=threads,
            ident=None,
            clear_untrusted_proxy_headers=True,
            **_proxy(trusted_proxy),
            # Else it would write a gigabyte to disk before the application could refuse it.
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"] + 65_536,
        )
    except OSError as error:
        raise ServerError(
            f"cannot listen at {host} port {port} ({error.strerror}); give another --port or --host"
        ) from None
    # A name with several addresses makes a server of several sockets.
    listens = getattr(server, "effective_listen", None) or [(host, server.effective_port)]
    address = listens[0][0]
    host = f"[{address}]" if ":" in address else address
    note(f"http://{host}:{listens[0][1]}/ (Ctrl-C stops it)")
    # Answers health checks with 503 while the model loads, rather than nothing at all.
    threading.Thread(target=app.extensions["site"].warm, name="warm", daemon=True).start()
    server.run()
    note("stopped")


def _proxy(address: str | None) -> dict[str, Any]:
    if address is None:
        return {}
    headers = {"x-forwarded-for", "x-forwarded-proto"}
    return {"trusted_proxy": address, "trusted_proxy_headers": headers}
