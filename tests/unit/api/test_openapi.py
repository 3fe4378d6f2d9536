"""The document that the dashboard's client is generated from."""

import json
from pathlib import Path

from api.openapi import openapi_document

FRONTEND = Path(__file__).parents[3] / "frontend"


def test_the_committed_document_is_fresh() -> None:
    committed = json.loads((FRONTEND / "openapi.json").read_text())

    remedy = "run python -m api.openapi > frontend/openapi.json, then npm run client in frontend"
    assert committed == openapi_document(), remedy


def test_every_answer_may_be_a_problem() -> None:
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            reply = operation["responses"]["4XX"]["content"]["application/json"]["schema"]
            assert reply == {"$ref": "#/components/schemas/Problem"}, f"{method} {path}"


def test_money_is_text_everywhere() -> None:
    order = openapi_document()["components"]["schemas"]["Order"]["properties"]

    assert order["quantity"]["type"] == "string"
    assert order["quantity"]["format"] == "decimal"
