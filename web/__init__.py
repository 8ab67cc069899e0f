"""The site and the HTTP interface over one index, which they know by Searcher and entities."""

from __future__ import annotations

import io
from typing import Any

from flask import Flask, Request, Response, request
from flask_compress import Compress
from flask_limiter import Limiter
from flask_openapi3 import OpenAPI

from retrieval.common.asker import Asker, asked_by
from retrieval.common.deadline import time_limit
from retrieval.settings import Settings, load_settings

from . import api, caching, docs, monitoring, pages, pictures, problems, security
from .clients import client_of
from .site import Site

MAX_FORM_BYTES = 1_000_000


class InMemoryRequest(Request):
    """Keeps uploads in memory, where the limit on a request keeps them small.

    A temporary file would stay open, and on the disk, where a request is refused half-way.
    """

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - werkzeug names it
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> io.BytesIO:
        return io.BytesIO()


def create_app(settings: Settings | None = None) -> OpenAPI:
    """The WSGI application for the index that the settings name.

    Raises:
        IndexMissing, IndexDamaged: there is nothing to serve.
    """
    settings = settings or load_settings()
    site = Site(settings)
    app = OpenAPI(
        __name__,
        info=docs.INFO,
        security_schemes=docs.SECURITY,
        doc_prefix="/docs",
        validation_error_status=422,
        validation_error_model=problems.ProblemDetails,
        validation_error_callback=problems.of_validation,
    )
    app.request_class = InMemoryRequest
    app.url_map.merge_slashes = False  # the id of a product may hold two in a row
    app.extensions["site"] = site
    app.config["MAX_CONTENT_LENGTH"] = settings.upload_bytes + MAX_FORM_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FORM_BYTES
    app.config["RATELIMIT_HEADERS_ENABLED"] = True
    app.after_request(caching.send_no_version_twice)  # before what squeezes, and so after it
    Compress(app)
    app.after_request(caching.name_version)
    app.after_request(_wait_only_where_told)  # before the limiter's own, and so after it
    limiter = Limiter(
        lambda: client_of(request.remote_addr),
        app=app,
        default_limits=[settings.rate_limit],
        storage_uri="memory://",
    )
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(pictures.blueprint)
    app.register_api(api.blueprint)
    docs.register(app)
    _limit_time(app, settings.request_seconds)
    monitoring.register(app)
    for name in ("healthz", "metrics"):
        limiter.exempt(app.view_functions[name])
    problems.register(app)
    security.register(app, settings)
    return app


def _wait_only_where_told(response: Response) -> Response:
    """The limiter tells how long to wait with every answer, as if each were a refusal."""
    if response.status_code not in (429, 503):
        response.headers.pop("Retry-After", None)
    return response


def _limit_time(app: Flask, seconds: float) -> None:
    answer: Any = app.wsgi_app

    def limited(environ: Any, start_response: Any) -> Any:
        key = client_of(environ.get("REMOTE_ADDR"))
        is_gone = environ.get("waitress.client_disconnected", lambda: False)
        with time_limit(seconds), asked_by(Asker(key, is_gone)):
            return answer(environ, start_response)

    app.wsgi_app = limited  # type: ignore[method-assign]
