#!/usr/bin/env bash
# Installs what is needed, builds everything, runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/install_packages.sh fuzz
cmake -S . -B build -G Ninja
cmake --build build
ctest --test-dir build --output-on-failure
tools/fuzz.sh 8  # eight targets: a minute in all; their ten minutes each are tools/fuzz.sh 600
