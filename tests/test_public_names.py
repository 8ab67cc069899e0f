"""What people script against: a name that is gone breaks somebody's night run.

Names may be added freely; one that is taken from these lists is a promise broken.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import pytest

import retrieval
from retrieval import errors
from retrieval.adaptation.adapting import AdaptReport
from retrieval.cli import cli
from retrieval.client import Client
from retrieval.indexing.maintenance import RebuildReport, VerifyReport
from retrieval.indexing.tally import IndexReport
from retrieval.searching.query import SearchOptions
from retrieval.searching.results import Hit, Matched, Product
from retrieval.searching.searcher import Searcher
from retrieval.settings import Settings

COMMANDS = {
    "index": "source --backend --debug --device --dry-run --index --json --map --model --prune "
    "--rejects",
    "search": "words --backend --debug --device --image --in --index --json --like --limit --minus "
    "--mode --no-pictures --offset --pictures --text --unlike --weights --where",
    "evaluate": "pairs --backend --compare --debug --device --index --json --judgements --model "
    "--queries --read-run --report --templates --topics --write-qrels --write-run",
    "adapt": "pairs --debug --dry-run --elsewhere --force --index --json --remove",
    "quantize": "out --debug --index --json --keep",
    "rebuild": "--debug --index --index-type --json",
    "verify": "--debug --index --json --repair",
    "remove": "ids --debug --index --json",
    "generations": "--debug --index --json",
    "rollback": "number --debug --index --json",
    "serve": "--backend --debug --device --host --index --json --port --threads --trusted-proxy",
    "models": "--debug --index --json",
    "bench": "suites --backend --count --debug --device --index --json --model --out --peer "
    "--photos --sizes",
}
ERRORS = (
    "CatalogError EncoderError ImageError IndexDamaged IndexLocked IndexMismatch IndexMissing "
    "NotFound Overtime QueryError RetrievalError ServerError SettingsError SourceError"
)
SETTINGS = (
    "index model device backend precision cache fit index_type batch_size decode_workers "
    "max_image_pixels max_image_bytes max_cell_characters keep_generations exact_limit "
    "index_memory_mb recall_goal upload_bytes upload_pixels rate_limit request_seconds "
    "cors_origins token lock_timeout upload_store_bytes connections client_connections stop_seconds"
)
ROUTES = {
    "/": "GET POST",
    "/api/v1/products/<path:product_id>": "GET DELETE",
    "/api/v1/products/<path:product_id>/similar": "GET",
    "/api/v1/search": "GET POST",
    "/api/v1/uploads/<photo_id>": "DELETE",
    "/catalog": "GET",
    "/docs/": "GET",
    "/healthz": "GET",
    "/metrics": "GET",
    "/openapi.json": "GET",
    "/photos/<int:size>/<int:position>/<path:key>": "GET",
    "/products/<path:key>": "GET",
    "/uploads/<photo_id>": "GET",
}
SEARCH_PARAMETERS = (
    "attribute balance brand category crop in like limit max_price min_price minus mode offset q "
    "unlike weights where"
)
OPTIONS = "image like minus unlike weights where scope mode limit offset"
ANSWER = "query mode took_ms stages_ms total generation results"
KEYS: dict[Any, str] = {
    Hit: "rank id title score image matched category brand price description attributes images "
    "strength weak",
    Matched: "kind image field text cosine",
    Product: "id title description category brand price attributes images words",
    IndexReport: "products images texts embedded reused rejected removed seconds images_per_second "
    "generation model",
    RebuildReport: "products vectors index_type recall seconds generation",
    AdaptReport: "before after held_out seconds adopted",
}
METHODS = {
    Searcher: "search answer similar product catalog_map warm",
    Client: "search similar product health forget_upload close",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_keep_their_arguments_and_options(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    names = {
        option
        for parameter in command.params
        for option in (
            [str(parameter.name)]
            if isinstance(parameter, click.Argument)
            else [*parameter.opts, *parameter.secondary_opts]
        )
    }
    assert set(COMMANDS[name].split()) <= names


def test_python_keeps_its_names() -> None:
    assert {"open", "build", "__version__", "RetrievalError"} <= vars(retrieval).keys()
    for name in ERRORS.split():
        assert issubclass(getattr(errors, name), errors.RetrievalError), name
    for kind, methods in METHODS.items():
        assert [name for name in methods.split() if not hasattr(kind, name)] == []
    assert set(OPTIONS.split()) <= SearchOptions.__annotations__.keys()
    assert set(SETTINGS.split()) <= Settings.model_fields.keys()


@pytest.mark.parametrize("kind", KEYS, ids=lambda kind: kind.__name__)
def test_answers_keep_their_keys(kind: Any) -> None:
    assert set(KEYS[kind].split()) <= {field.name for field in dataclasses.fields(kind)}


def test_an_answer_keeps_its_keys(catalog: Any) -> None:
    answer = catalog.search("mug", limit=1).as_dict()
    assert set(ANSWER.split()) == answer.keys()
    assert set(KEYS[Hit].split()) == answer["results"][0].keys()
    assert {"ok", "problems", "repaired"} == VerifyReport(()).as_dict().keys()


def test_an_unknown_option_of_a_search_is_an_error(catalog: Any) -> None:
    """Passed over, a misspelt filter would keep nothing out."""
    with pytest.raises(TypeError, match="wehre"):
        catalog.search("mug", wehre={"category": "mugs"})


def test_files_of_an_index_keep_their_names(index: Path) -> None:
    assert {"catalog.db", "CURRENT", "generations"} <= {path.name for path in index.iterdir()}
    assert (index / "CURRENT").read_text() == "1\n"
    files = {path.name for path in (index / "generations" / "1").iterdir()}
    galleries = {
        f"{side}.{part}"
        for side in ("images", "texts")
        for part in ("faiss", "vectors.npy", "ids.npy", "products.npy")
    }
    assert files == {"manifest.json", "snapshot.db", "map.ids.npy", "map.places.npy", *galleries}


def test_routes_and_their_parameters_stay(index: Path) -> None:
    from retrieval.settings import load_settings
    from retrieval_web import create_app

    app = create_app(load_settings(index=index))
    methods: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        methods.setdefault(rule.rule, set()).update(rule.methods or ())
    for route, expected in ROUTES.items():
        assert set(expected.split()) <= methods.get(route, set()), route
    search = app.test_client().get("/openapi.json").get_json()["paths"]["/api/v1/search"]["get"]
    named = {parameter["name"] for parameter in search["parameters"]}
    assert set(SEARCH_PARAMETERS.split()) <= named
