"""Runs a part of Zerg that may be struck: ``python -m tests.faults.inside FOLDER ROLE MODULE [ARGUMENT …]``.

Whoever makes a file in FOLDER with the name of a point arms it: the first process of its role to get there takes the
file away and is gone, as with ``kill -9``.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.faults.points import POINTS, Point

STRUCK = ".struck"
Function = Callable[..., Any]


class Wrapping(MetaPathFinder):
    """Finds modules as always, and wraps the functions at the points of ``role`` once a module is loaded."""

    def __init__(self, folder: Path, role: str) -> None:
        self._folder = folder
        self._points = {name: point for name, point in POINTS.items() if role in point.roles}
        self._at_work = threading.local()
        self._modules = {place.partition(":")[0] for place in self._places()}

    def _places(self) -> set[str]:
        points = self._points.values()
        return {point.place for point in points} | {point.within for point in points if point.within}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._modules:
            return None
        self._modules.remove(fullname)  # the next line looks for it with everybody else
        spec = importlib.util.find_spec(fullname)
        assert spec is not None, f"{fullname} is no module"
        assert spec.loader is not None, f"{fullname} has no source"
        spec.loader = Loading(spec.loader, self._wrap_all)
        return spec

    def _wrap_all(self, module: ModuleType) -> None:
        for place in sorted(self._places()):
            name, _, path = place.partition(":")
            if name != module.__name__:
                continue
            *owners, attribute = path.split(".")
            owner = functools.reduce(getattr, owners, module)
            setattr(owner, attribute, self._wrapped(place, getattr(owner, attribute)))

    def _wrapped(self, place: str, function: Function) -> Function:
        here = {name: point for name, point in self._points.items() if point.place == place}

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._strike(here, "before")
            inside: list[str] = self._at_work.__dict__.setdefault("places", [])
            inside.append(place)
            try:
                result = function(*args, **kwargs)
            finally:
                inside.pop()
            self._strike(here, "after")
            return result

        return wrapper

    def _strike(self, here: dict[str, Point], when: str) -> None:
        for name, point in here.items():
            if point.when == when and (not point.within or point.within in self._at_work.__dict__.get("places", [])):
                armed = self._folder / name
                try:
                    armed.rename(armed.with_name(f"{name}{STRUCK}"))
                except FileNotFoundError:
                    continue
                os.kill(os.getpid(), signal.SIGKILL)


class Loading(Loader):
    """Loads as ``loader`` does, and tells when it is done."""

    def __init__(self, loader: Loader, when_done: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._when_done = when_done

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._when_done(module)


def main() -> None:
    folder, role, module, *arguments = sys.argv[1:]
    sys.meta_path.insert(0, Wrapping(Path(folder), role))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
