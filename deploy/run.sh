#!/usr/bin/env bash
# Installs what is missing, builds, and runs the shop in one host on the local bus with SQLite.
# Usage: deploy/run.sh [topology file]      stop it with Ctrl-C
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/install.sh
if [ ! -f build/release/build.ninja ]; then
  cmake --preset release -DGANTRY_BUILD_TESTS=OFF -DGANTRY_BUILD_BENCH=OFF >build.log 2>&1 || { cat build.log; exit 1; }
  rm -f build.log
fi
cmake --build --preset release --target gantry all
exec build/release/bin/gantry run -t "${1:-config/topology.yaml}"
