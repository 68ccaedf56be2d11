"""Imports run one way, libraries stay at home, and the pure packages stay pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What each layer may import beside itself: cli → app → web → services → {cmi5 → xapi, adapters, store}.
BASE = {"errors", "resources"}
SERVICES = BASE | {"cmi5", "xapi", "adapters", "store", "settings"}
WEB = SERVICES | {"services", "keys", "web", "logs"}
MAY_IMPORT: dict[str, set[str]] = {
    "gateway": set(),
    "demo": set(),
    "adapters": set(),
    "errors": set(),
    "resources": {"errors"},
    "yaml_source": {"errors"},
    "settings": BASE | {"yaml_source"},
    "xapi": {"errors"},
    "cmi5": {"errors", "xapi"},
    "store": {"errors"},
    "logs": BASE | {"settings"},
    "services": SERVICES | {"logs"},
    "keys": WEB - {"web"},
    "web": WEB,
    "app": WEB,
    "cli": WEB | {"app", "demo", "yaml_source"},
    "__main__": {"cli"},
}

STORE = ("gateway/store/",)
HOMES = {
    "pymongo": STORE,
    "bson": STORE,
    "gridfs": STORE,
    "aiohttp": ("gateway/web/", "gateway/app.py", "gateway/keys.py", "gateway/cli/demo.py"),
    "yaml": ("gateway/yaml_source.py", "adapters/loading/yaml_source.py"),
}

PURE = ("adapters/", "gateway/xapi/", "gateway/cmi5/")
IMPURE_MODULES = {
    "asyncio",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "urllib.request",
}
IMPURE_CALLS = {"open", "uuid1", "uuid4", "uuid.uuid1", "uuid.uuid4"}
IMPURE_CALLS |= {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "os.urandom"}


def violations(path: str, source: str) -> list[str]:
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt | ast.expr)]
    found = sorted((node.lineno, reason) for node in nodes for reason in reasons(path, node))
    return [f"{path}:{line}: {reason}" for line, reason in found]


def reasons(path: str, node: ast.AST) -> Iterator[str]:
    pure = path.startswith(PURE)
    if pure and isinstance(node, ast.AsyncFunctionDef):
        yield f"async def {node.name} in a pure package"
    if pure and isinstance(node, ast.Call) and ast.unparse(node.func) in IMPURE_CALLS:
        yield f"{ast.unparse(node.func)}() in a pure package"
    for module in imported(node):
        here, there = (
            layer(path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")),
            layer(module),
        )
        ours = module.split(".")[0] in {"gateway", "adapters", ""}
        if ours and there != here and there not in MAY_IMPORT.get(here, ()):
            yield f"{here} must not import {module}"
        if not path.startswith(HOMES.get(module.split(".")[0], ("",))):
            yield f"{module} has no home here"
        if pure and IMPURE_MODULES & {module, module.split(".")[0]}:
            yield f"{module} in a pure package"


def layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "gateway" and len(parts) > 1 else parts[0]


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module == "gateway":
        yield from (f"gateway.{alias.name}" for alias in node.names if alias.name != "__version__")
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")


def test_every_module_keeps_to_its_layer() -> None:
    files = sorted(file for package in ("gateway", "adapters") for file in (ROOT / package).rglob("*.py"))
    paths = {file.relative_to(ROOT).as_posix(): file for file in files}
    assert [found for path, file in paths.items() for found in violations(path, file.read_text())] == []


def test_every_layer_has_a_rule() -> None:
    layers = {
        layer(file.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))
        for file in (ROOT / "gateway").rglob("*.py")
        if file != ROOT / "gateway/__init__.py"
    }
    assert layers - set(MAY_IMPORT) == set()


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("adapters/rules.py", "import gateway.errors", "adapters must not import gateway.errors"),
        ("adapters/rules.py", "from gateway import settings", "adapters must not import gateway.settings"),
        ("gateway/xapi/verbs.py", "from adapters.x import y", "xapi must not import adapters.x"),
        ("gateway/xapi/verbs.py", "import gateway.cmi5.urls", "xapi must not import gateway.cmi5.urls"),
        ("gateway/store/x.py", "from gateway.xapi import x", "store must not import gateway.xapi"),
        ("gateway/services/x.py", "from gateway.web.x import y", "services must not import gateway.web.x"),
        ("gateway/web/x.py", "import gateway.app", "web must not import gateway.app"),
        ("gateway/errors.py", "from . import settings", "errors must not import ."),
        ("gateway/services/x.py", "from bson import ObjectId", "bson has no home here"),
        ("gateway/services/x.py", "import pymongo.errors", "pymongo.errors has no home here"),
        ("gateway/cli/serve.py", "from aiohttp import web", "aiohttp has no home here"),
        ("gateway/settings/x.py", "import yaml", "yaml has no home here"),
        ("gateway/cmi5/x.py", "async def f(): pass", "async def f in a pure package"),
        ("gateway/cmi5/x.py", "import secrets", "secrets in a pure package"),
        (
            "adapters/x.py",
            "from datetime import datetime\nx = datetime.now(UTC)",
            "datetime.now() in a pure package",
        ),
    ],
)
def test_a_planted_violation_is_found_with_its_line(path: str, source: str, expected: str) -> None:
    planted = f"def innocent():\n    import json\n    return json\n\n{source}\n"
    line = 5 + source.count("\n")
    assert violations(path, planted) == [f"{path}:{line}: {expected}"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "gateway/cmi5/x.py",
            "from gateway.xapi.datatypes import is_iri\nfrom gateway.errors import Problem",
        ),
        ("gateway/services/x.py", "from gateway.store.store import Store\nimport adapters.rules"),
        ("gateway/web/x.py", "from aiohttp import web\nfrom gateway.services import statements"),
        ("gateway/store/x.py", "from bson import encode\nimport gridfs"),
        ("gateway/cli/demo.py", "import aiohttp\nfrom gateway import __version__, app"),
        ("gateway/yaml_source.py", "import yaml"),
    ],
)
def test_what_the_layers_allow_is_left_alone(path: str, source: str) -> None:
    assert violations(path, source) == []
