#!/usr/bin/env bash
# setup.sh FOLDER: PostGraphile and the Node that it wants, installed into FOLDER. Nothing is kept in the repository.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
mkdir -p "$1"
cp "$here/package.json" "$here/server.mjs" "$1"
cd "$1"
npm install --no-audit --no-fund --no-package-lock --loglevel=error
