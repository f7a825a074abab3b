#!/usr/bin/env bash
# Looks for what the tests need besides Go, says what is missing and which tests
# are left out because of it, and writes the answers to .cache/testenv.
#
# On a person's machine it installs nothing but npm packages, into .cache/npm of
# this checkout. As root with CI=true it installs system packages too, and then
# a missing one is a failure: nothing is left out there.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=$PWD/.cache
mkdir -p "$cache"
out=$cache/testenv
: >"$out.new"

ci=no
if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then ci=yes; fi
missing=0

left_out() { # what, which tests, how to get it
  missing=1
  printf 'LEFT OUT  %s: %s is not here. %s\n' "$2" "$1" "$3" >&2
}

apt_updated=no
install_apt() { # package...
  [ "$ci" = yes ] || return 1
  command -v apt-get >/dev/null || return 1
  if [ "$apt_updated" = no ]; then apt-get update -qq >"$cache/apt.log" 2>&1 || return 1; apt_updated=yes; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >>"$cache/apt.log" 2>&1
}

# A C compiler, for the race detector. The programs themselves use no C.
if command -v "$(go env CC)" >/dev/null || install_apt gcc libc6-dev; then
  echo "COATCHECK_RACE=-race" >>"$out.new"
else
  left_out "a C compiler" "the race detector (tests still run, without it)" "Install gcc or clang."
fi

# Chromium, for the tests of the sign-in pages.
chromium=
for name in "${COATCHECK_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable \
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
  if [ -n "$name" ] && command -v "$name" >/dev/null; then chromium=$(command -v "$name"); break; fi
done
if [ -z "$chromium" ] && install_apt chromium; then chromium=$(command -v chromium); fi
if [ -n "$chromium" ]; then
  echo "COATCHECK_CHROMIUM=$chromium" >>"$out.new"
else
  left_out "Chromium" "the tests of the sign-in pages in a real browser" "Install Chromium or Chrome, or set COATCHECK_CHROMIUM to its program."
fi

# PostgreSQL, for the tests of the store that many vaults share. The tests start
# servers of their own and need only the programs, which Debian keeps off the path.
postgres=
find_postgres() {
  for dir in "${COATCHECK_POSTGRES:-}" "$(dirname "$(readlink -f "$(command -v postgres || echo /none/postgres)")")" /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ -x "$dir/psql" ] && [ -x "$dir/pg_dump" ]; then postgres=$dir; fi
  done
}
find_postgres
if [ -z "$postgres" ] && install_apt postgresql; then find_postgres; fi
if [ -n "$postgres" ]; then
  echo "COATCHECK_POSTGRES=$postgres" >>"$out.new"
else
  left_out "PostgreSQL" "the tests of the store and of many vaults on PostgreSQL" "Install postgresql, or set COATCHECK_POSTGRES to the folder with initdb, postgres, psql and pg_dump."
fi

# Node and npm, for the MCP Inspector and the TypeScript SDK as clients, and for
# an identity provider.
if ! command -v npm >/dev/null; then install_apt nodejs npm || true; fi
if command -v npm >/dev/null && command -v node >/dev/null; then
  mkdir -p "$cache/npm"
  if ! cmp -s internal/testenv/package.json "$cache/npm/package.json" || [ ! -d "$cache/npm/node_modules/oidc-provider" ] ||
    [ ! -d "$cache/npm/node_modules/@modelcontextprotocol/conformance" ]; then
    cp internal/testenv/package.json "$cache/npm/package.json"
    if ! (cd "$cache/npm" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error) >"$cache/npm.log" 2>&1; then
      rm -f "$cache/npm/package.json"
    fi
  fi
fi
if [ -d "$cache/npm/node_modules/@modelcontextprotocol/inspector" ] && [ -d "$cache/npm/node_modules/oidc-provider" ]; then
  echo "COATCHECK_NPM=$cache/npm" >>"$out.new"
else
  left_out "npm packages (MCP Inspector, TypeScript SDK, oidc-provider)" "the tests with third-party MCP clients and a third-party identity provider" "Install Node 20 or later with npm, and be online once."
fi

# A Node that runs the conformance suite of MCP, which wants a newer one than the
# clients above: what came with the packages, else the system's.
node22=
for name in "${COATCHECK_NODE:-}" "$cache"/npm/node_modules/node-linux-*/bin/node node; do
  if [ -n "$name" ] && [ "$("$name" -p 'Number(process.versions.node.split(".")[0]) >= 22' 2>/dev/null)" = true ]; then node22=$(command -v "$name"); break; fi
done
if [ -n "$node22" ] && [ -d "$cache/npm/node_modules/@modelcontextprotocol/conformance" ]; then
  echo "COATCHECK_NODE=$node22" >>"$out.new"
else
  left_out "the conformance suite of MCP (an npm package), or Node 22 to run it" "the conformance of shim and vault with MCP" "Install Node 22 or later with npm, or set COATCHECK_NODE to its program, and be online once."
fi

# Atlassian's published API descriptions; the project does not contain them.
openapi=${COATCHECK_OPENAPI:-$PWD/../shared/reference/openapi}
if [ -f "$openapi/confluence-v2.json" ]; then
  echo "COATCHECK_OPENAPI=$openapi" >>"$out.new"
else
  left_out "Atlassian's OpenAPI files" "the comparison with Atlassian's API descriptions" "Set COATCHECK_OPENAPI to a folder with confluence-v1.json and confluence-v2.json."
fi

if [ "$ci" = yes ]; then
  echo "COATCHECK_REQUIRE_ALL=1" >>"$out.new"
  if [ $missing = 1 ]; then
    echo "testenv: on CI nothing may be left out; see .cache/apt.log and .cache/npm.log" >&2
    exit 1
  fi
fi
mv "$out.new" "$out"
