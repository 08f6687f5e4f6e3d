#!/usr/bin/env bash
# Everything about deploy/ that can be proven on one machine; arguments go to pytest. Building the control plane
# takes minutes on a cold machine: only OMS_DEPLOY_TEST=1 does it; what is built is used.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$tools/../.." && pwd)
python=$root/.venv/bin/python
started=$SECONDS

if ! command -v kubectl > /dev/null; then
  echo "deploy: SKIPPED, all of it: no kubectl on this machine" >&2
  exit 0
fi
if [ "${OMS_DEPLOY_TEST:-}" = 1 ]; then
  "$python" "$tools/controlplane.py" build
fi
"$python" -m pytest -q -c "$root/deploy/tests/pytest.ini" "$root/deploy/tests" "$@"
echo "deploy: $((SECONDS - started)) s in all"
