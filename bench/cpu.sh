#!/usr/bin/env bash
# Our speed on this CPU beside PyTorch's and torchvision's, as JSON. Needs the built tree and Python with torch and torchvision
# from PyPI (PYTHON names it; without, they are installed in ~/.cache/starblend-bench-torch).
#   bench/cpu.sh [folder for results] [threads]      a part that fails doesn't stop the others
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
results=${1:-$here/bench/results}
threads=${2:-$(nproc)}
cache=$HOME/.cache/starblend-bench-torch
mkdir -p "$results"
if [ -z "${PYTHON:-}" ]; then
  [ -x "$cache/bin/python" ] || { python3 -m venv "$cache" && "$cache/bin/pip" install -q torch torchvision numpy; } || exit 1
  PYTHON=$cache/bin/python
fi
# Threads that wait would count as busy in processor time.
export GOMP_SPINCOUNT=0 OMP_WAIT_POLICY=passive
failed=()
part() {
  local name=$1
  shift
  echo "== $name: $*"
  "$@" || failed+=("$name (exit $?)")
}
part kernels "$here/build/bench_kernels" --threads "$threads" --json "$results/kernels-cpu.json"
part network "$here/build/bench_network" --threads "$threads" --parts --json "$results/network-cpu.json"
part torch-layers "$PYTHON" "$here/bench/torch_layers.py" "$results/kernels-cpu.json" --threads "$threads" --json "$results/torch-layers-cpu.json"
part torch-network "$PYTHON" "$here/bench/torch_network.py" --threads "$threads" --ours "$results/network-cpu.json" --json "$results/torch-network-cpu.json"
if ((${#failed[@]})); then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
