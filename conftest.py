"""Fixtures of the whole suite: a data folder of its own, and the real servers where they exist."""

import os
import tempfile

# Before Django reads its settings: tests never touch the data of somebody's running product.
os.environ["OMS_DATA_DIR"] = tempfile.mkdtemp(prefix="oms-test-")  # noqa: TID251
os.environ.setdefault("OMS_SECRET_KEY", "only-for-tests-" + "0" * 40)  # noqa: TID251

pytest_plugins = ["oms_project.tests.servers"]
