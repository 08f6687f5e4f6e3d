#!/usr/bin/env bash
# Renew what is generated in the documentation: the modules' inputs and outputs, the cost tables,
# the settings of deploy/kubernetes' overlays.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
cd "$tools"
../.venv-infra/bin/python -m tfkit.docs
TFKIT_CACHE=$tools/../.venv-infra/cache ../.venv-infra/bin/python -m pytest -q -c pytest.ini \
  tests/renew_costs.py tests/renew_settings.py
