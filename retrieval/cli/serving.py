"""`retrieval serve`."""

from __future__ import annotations

import copy
import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType

import click

from retrieval.cli.common import common_options, model_options, note
from retrieval.cli.moved import tell_of_photos
from retrieval.common.text import printable
from retrieval.errors import ServerError, one_line
from retrieval.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256))
@click.option(
    "--trusted-proxy",
    metavar="ADDRESS",
    help="A proxy before it, which says who its clients are; or a network: 10.0.0.0/8.",
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
    they are published. Stopped, it answers what it has accepted.
    """
    from retrieval_web import create_app
    from retrieval_web.server import Server, raise_open_files

    logging.basicConfig(level=logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(OneLine("%(asctime)s %(name)s %(message)s"))
    # A page of photos is more requests than threads: that some wait is no event.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    if low := raise_open_files(settings.connections):
        note(low)
    app = create_app(settings)
    tell_of_photos(app.extensions["site"].searcher)
    try:
        server = Server(
            app, settings, host=host, port=port, threads=threads, trusted_proxy=trusted_proxy
        )
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else one_line(error)
        raise ServerError(
            f"cannot listen at {host} port {port} ({told}); give another --port or --host"
        ) from None
    # A name with several addresses makes a server of several sockets.
    address, port = server.listens[0]
    host = f"[{address}]" if ":" in address else address
    _stop_by_signals(server.stop)
    note(f"http://{host}:{port}/ (Ctrl-C stops it)")
    # Answers health checks with 503 while the model loads, rather than nothing at all.
    threading.Thread(target=app.extensions["site"].warm, name="warm", daemon=True).start()
    left = server.run()
    note(f"stopped; {left} requests were not answered in time" if left else "stopped")


class OneLine(logging.Formatter):
    """What visitors send and suppliers write makes no line of its own, nor colours the log."""

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        record.msg, record.args = record.getMessage().replace("\n", "\\n"), None
        return printable(super().format(record))


def _stop_by_signals(stop: Callable[[], None]) -> None:
    """The first of either signal asks for a clean end; the second ends it there and then."""

    def told(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.default_int_handler)
        stop()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, told)
