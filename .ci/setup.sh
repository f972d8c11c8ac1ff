#!/bin/sh
# Brings what is missing, says what, and is quick when nothing is: npm packages, the build, and for `tests` Debian's packages.
# Runs on any Node and npm; what follows it runs on the Node of node_modules/.bin.
set -eu
cd "$(dirname "$0")/.."
if ! [ -x node_modules/.bin/node ] || ! cmp -s package-lock.json node_modules/.setup-lock.json; then
  echo 'setup: installing the npm packages of package-lock.json' >&2
  # Not `npm ci`: it refuses the lock file where the registry does not offer every other platform's binaries.
  npm install --no-audit --no-fund --no-save --loglevel=error >&2
  cp package-lock.json node_modules/.setup-lock.json
fi
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
tsc -b
if [ "${1-}" = tests ]; then node test/services/src/install.ts; fi
