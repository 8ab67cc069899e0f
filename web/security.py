"""Who may do what: other sites' scripts, clients without a token, and a browser on our pages."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from http import HTTPStatus

from flask import Flask, Response, request
from flask_cors import CORS
from pydantic import SecretStr

from retrieval.errors import SettingsError
from retrieval.settings import Settings

from .problems import answer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The page that tries out the interface comes with scripts and styles in its HTML.
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'"
)


READING = ("GET", "HEAD", "OPTIONS")
# Searches by a photo are sent, and yet only read; the first keeps the photo for its address.
SEARCHES = ("pages.upload", "api.search_by_photo")


def register(app: Flask, settings: Settings) -> None:
    origins = _origins(settings.cors_origins)
    app.before_request(lambda: _refuse_other_sites(origins))
    app.before_request(lambda: _refuse(settings.token))
    app.after_request(_add_headers)
    if origins:
        # Photos, too: what another site finds it wants to show.
        policy = {"origins": origins, "methods": ["GET", "HEAD", "POST", "OPTIONS"]}
        CORS(app, resources={r"/(api/|openapi|photos/).*": policy}, send_wildcard=True)
        app.after_request(_let_photos_be_shown)


def _origins(text: str) -> list[str]:
    """Raises SettingsError where one could never match."""
    origins = [origin.strip().rstrip("/") for origin in text.split(",") if origin.strip()]
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[^/\s]+", origin):
            raise SettingsError(
                f"cors_origins: {origin!r} is no origin; give it as https://shop.example, or *"
            )
    return origins


def _let_photos_be_shown(response: Response) -> Response:
    # A picture in a page is asked for without an origin: nothing tells who shows it.
    if request.endpoint == "pictures.photo":
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _refuse_other_sites(allowed: Sequence[str]) -> Response | None:
    """What another site's page makes a visitor's browser send would be done in the visitor's name.

    A browser says whose page it was: by Sec-Fetch-Site where the site has TLS, by Origin, by
    Referer where it is old. A program says nothing, and has no visitor to act for.
    """
    if request.method in READING or "*" in allowed:
        return None
    came_from = request.headers.get("Origin") or _origin_of(request.headers.get("Referer", ""))
    if came_from in allowed:
        return None
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        ours = site in ("same-origin", "none")
    else:
        ours = not came_from or _host_of(came_from) == _host_of(f"//{request.host}")
    if ours:
        return None
    return answer(
        HTTPStatus.FORBIDDEN,
        "a page of another site sent this; that site is not among the server's cors_origins. If "
        "it is this site, its proxy must pass on the name it is asked by, as Host",
    )


def _origin_of(address: str) -> str:
    scheme, found, rest = address.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0]}" if found else ""


def _host_of(origin: str) -> str:
    """Host and port of an origin, in lower case; the ports that need not be written left out."""
    host = origin.rpartition("//")[2].rpartition("@")[2].lower()
    return re.sub(r":(80|443)?$", "", host)


def _refuse(token: SecretStr | None) -> Response | None:
    """Whatever is neither reading nor a search needs the token: new routes, too."""
    if request.method in READING or request.endpoint in (None, *SEARCHES):
        return None
    if token is None:
        return answer(
            HTTPStatus.FORBIDDEN, "nobody may: the server was started without RETRIEVAL_TOKEN"
        )
    authorization = request.authorization
    if authorization is not None and authorization.type == "bearer":
        sent = (authorization.token or "").encode("utf-8", "surrogateescape")
        if hmac.compare_digest(sent, token.get_secret_value().encode()):
            return None
    refused = answer(HTTPStatus.UNAUTHORIZED, "send the server's token as Authorization: Bearer")
    refused.headers["WWW-Authenticate"] = "Bearer"
    return refused


def _add_headers(response: Response) -> Response:
    docs = request.path.startswith("/docs")
    response.headers.setdefault("Content-Security-Policy", DOCS_POLICY if docs else POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    allowed = "cross-origin" if "Access-Control-Allow-Origin" in response.headers else "same-origin"
    response.headers.setdefault("Cross-Origin-Resource-Policy", allowed)
    return response
