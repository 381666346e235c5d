"""The engine is plain Python: quick to import, and without Django."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import engine

ROOT = Path(engine.__file__).parent


def test_importing_the_engine_imports_neither_django_nor_openai() -> None:
    code = "import sys, engine; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)

    assert "'django'" not in done.stdout
    assert "'openai'" not in done.stdout  # 0.9 s: only who makes a client pays it


def test_the_engine_imports_nothing_of_ours() -> None:
    ours = {path.name for path in ROOT.parent.iterdir() if (path / "__init__.py").exists()} - {"engine"}
    for file in ROOT.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            assert not {name.split(".")[0] for name in names} & ours, file


def test_every_public_name_is_there() -> None:
    for name in engine.__all__:
        assert getattr(engine, name) is not None
