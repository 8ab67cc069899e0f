"""`/openapi.json` and `/docs`: the interface described, for programs and for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, jsonify, redirect, request, url_for
from flask_openapi3 import Info, OpenAPI
from flask_openapi3.models import License
from flask_openapi3_swagger.templates import swagger_html_string

import retrieval

METHODS = ("get", "post", "put", "delete", "patch")
INFO = Info(
    title="Retrieval",
    version=retrieval.__version__,
    description="Search a product catalog by words, by photos, or by both. Errors are problem "
    "documents (RFC 9457).",
    license=License(name="Apache 2.0", url="https://www.apache.org/licenses/LICENSE-2.0.html"),
)
SECURITY: Any = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The server's RETRIEVAL_TOKEN, for what changes something. Searches and "
        "products need none.",
    }
}


@dataclass(frozen=True)
class Operation:
    """What can be asked at an address; `fields` are its parameters with what each is."""

    method: str
    path: str
    summary: str
    description: str
    fields: dict[str, str]


def register(app: OpenAPI) -> None:
    # Without scripts the library's page is blank; and its address of the description knows nothing
    # of a path that the server is served below.
    app.config["SWAGGER_HTML_STRING"] = (
        swagger_html_string.replace("{{doc_url}}", "{{ url_for('openapi') }}")
        .replace("<title>Swagger UI", "<title>The interface for programs")
        .replace("<body>", '<body>\n<noscript>{% include "operations.html" %}</noscript>')
    )
    app.add_template_global(operations)
    # The library's own page lists the ways to show the description, of which there is one.
    app.before_request(_straight_to_docs)
    app.add_url_rule("/openapi.json", "openapi", _description)


def operations() -> list[Operation]:
    """All of them, in the order of the description."""
    described: dict[str, Any] = current_app.api_doc  # type: ignore[attr-defined]
    return [
        Operation(
            method.upper(),
            path,
            operation.get("summary", ""),
            operation.get("description", ""),
            _fields(described, operation),
        )
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def _fields(described: dict[str, Any], operation: dict[str, Any]) -> dict[str, str]:
    fields = {
        parameter["name"]: parameter.get("description", "")
        for parameter in operation.get("parameters", [])
    }
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content.get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        schema = described["components"]["schemas"].get(name, schema)
        for field, about in schema.get("properties", {}).items():
            fields[field] = about.get("description", "")
    return fields


def _description() -> Response:
    described: dict[str, Any] = current_app.api_doc  # type: ignore[attr-defined]
    if request.script_root:
        described = {**described, "servers": [{"url": request.script_root}]}
    return jsonify(described)


def _straight_to_docs() -> Any:
    if request.path in ("/docs", "/docs/"):
        return redirect(url_for("swagger.swagger"))
    return None
