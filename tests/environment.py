"""A place of their own for the tests, before Django reads its settings (loaded with ``-p tests.environment``)."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

# Workers of pytest-xdist inherit the environment, and with it the folder that their parent made.
if "ZERG_DATA_DIR" not in os.environ:
    os.environ["ZERG_DATA_DIR"] = tempfile.mkdtemp(prefix="zerg-tests-")
    atexit.register(shutil.rmtree, os.environ["ZERG_DATA_DIR"], ignore_errors=True)

for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "ZERG_DEFAULT_MODEL", "ZERG_LOCAL_MODEL_URL"):
    os.environ.pop(name, None)
# No broker in the tests of one process: nobody listens on port 1, and a real server nearby is left alone.
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
