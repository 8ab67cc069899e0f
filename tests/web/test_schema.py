"""Whatever is sent, the interface answers as it says it does: no 5xx, no status of its own.

`RETRIEVAL_CASES` sets how many cases an operation gets; the scheduled run takes thousands.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import retrieval
from retrieval.settings import load_settings
from retrieval_web import create_app
from tests.support.shop import COLOURS, SHAPES, Shop

CASES = int(os.environ.get("RETRIEVAL_CASES", "40"))
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Any:
    folder: Path = tmp_path_factory.mktemp("schema")
    shop = Shop(folder / "shop")
    for number, shape in enumerate(SHAPES):
        shop.add(f"P-{number}", shape, list(COLOURS)[number])
    retrieval.build(shop.write(), folder / "index", model=tiny_model)
    app = create_app(load_settings(index=folder / "index", rate_limit="1000000/minute", token="t"))
    app.extensions["site"].warm()
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/v1/search", "GET"),
        ("/api/v1/search", "POST"),
        ("/api/v1/products/{product_id}", "GET"),
        ("/api/v1/products/{product_id}/similar", "GET"),
        ("/api/v1/products/{product_id}", "DELETE"),
        ("/api/v1/product", "GET"),
        ("/api/v1/product/similar", "GET"),
        ("/api/v1/uploads/{photo_id}", "DELETE"),
        ("/healthz", "GET"),
        ("/metrics", "GET"),
    ],
)
def test_it_answers_as_described(described: Any, path: str, method: str) -> None:
    @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy())
    def answers(case: Any) -> None:
        response = case.call(headers={"Accept-Encoding": "identity"})
        case.validate_response(response, checks=CHECKS)

    answers()
