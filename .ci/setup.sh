#!/bin/sh
# Brings what is missing, says what, and is quick when nothing is: npm packages, the build, and for `tests` Debian's packages.
# Runs on any Node and npm; what follows it runs on the Node of node_modules/.bin.
set -eu
export TURBO_TELEMETRY_DISABLED=1
cd "$(dirname "$0")/.."
if ! [ -x node_modules/.bin/node ] || ! cmp -s package-lock.json node_modules/.setup-lock.json; then
  echo 'setup: installing the npm packages of package-lock.json' >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json node_modules/.setup-lock.json
fi
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
# Says nothing when all is well.
built=$(turbo run build --output-logs=errors-only --no-color 2>&1) || { echo "$built" >&2; exit 1; }
if [ "${1-}" = tests ]; then node test/services/src/install.ts; fi
