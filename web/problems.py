"""Every error as an answer: `application/problem+json` for programs, a page for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, render_template, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from retrieval.errors import (
    EncoderError,
    ImageError,
    IndexDamaged,
    IndexLocked,
    IndexMismatch,
    IndexMissing,
    NotFound,
    Overtime,
    QueryError,
    RetrievalError,
)

from .wording import in_words

# In the environment of a request that the server could not read: why not.
REFUSED = "retrieval.refused"
TYPE = "application/problem+json"
TYPES = "urn:retrieval:error:"
PROGRAMS = ("/api/", "/healthz", "/metrics", "/openapi")
_STATUS: tuple[tuple[type[RetrievalError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (QueryError, HTTPStatus.BAD_REQUEST),
    (ImageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Overtime, HTTPStatus.SERVICE_UNAVAILABLE),
    (EncoderError, HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexLocked, HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexMissing, HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexDamaged, HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexMismatch, HTTPStatus.SERVICE_UNAVAILABLE),
)


class ProblemDetails(BaseModel):
    """RFC 9457; `type` ends with the name of the engine's error where it is one of those."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def register(app: Flask) -> None:
    app.before_request(_unread)
    app.register_error_handler(RetrievalError, _of_engine)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _unexpected)


def of_validation(error: ValidationError) -> Response:
    """What flask-openapi3 answers where a parameter is of the wrong form."""
    detail = in_words(error)
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, detail, machine=True, kind=QueryError)


def answer(
    status: HTTPStatus,
    detail: str,
    *,
    machine: bool | None = None,
    kind: type[RetrievalError] | None = None,
) -> Response:
    """A problem document, or a page where a person asked."""
    if machine is None:
        machine = request.path.startswith(PROGRAMS)
    told = "about:blank" if kind is None else TYPES + kind.__name__
    problem = ProblemDetails(type=told, title=status.phrase, status=int(status), detail=detail)
    if machine:
        body = problem.model_dump_json()
        return Response(body, status=int(status), content_type=TYPE)
    page = render_template("problem.html", problem=problem, back=_came_from())
    return Response(page, status=int(status))


def _came_from() -> str | None:
    """The page of ours that led here, with what was chosen on it."""
    came = request.referrer or ""
    return came if came.startswith(request.host_url) and came != request.url else None


def _of_engine(error: RetrievalError) -> Response:
    status = next((s for kind, s in _STATUS if isinstance(error, kind)), None)
    if status is None:
        return _unexpected(error)
    response = answer(status, str(error), kind=type(error))
    if isinstance(error, Overtime | IndexLocked):
        response.headers["Retry-After"] = "5"
    return response


def _unread() -> Response | None:
    """What the server could not read is told as all other errors are."""
    error = request.environ.get(REFUSED)
    if error is None:
        return None
    status = HTTPStatus(error.code)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return answer(status, _too_large())
    if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return answer(status, "the address and the headers are too long; ask for less")
    return answer(status, f"this is not HTTP as it should be: {error.body}")


def _too_large() -> str:
    most = current_app.extensions["site"].settings.upload_bytes
    return f"this is too large: photos of up to {most:,} bytes are taken; send a smaller photo"


def _of_http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    status = HTTPStatus(error.code)
    told = error.description or status.phrase
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        told = _too_large()
    response = answer(status, told)
    # What a status demands beside the body: Allow, Retry-After.
    kept: Any = error.get_response().headers
    for name, value in kept.items():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    current_app.logger.exception("unexpected", exc_info=error)
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; it was logged")
