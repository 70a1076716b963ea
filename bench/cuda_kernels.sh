#!/bin/sh
# What nvcc made of every kernel: registers, shared memory, spills, tensor-core instructions: bench/cuda_kernels.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/starblend-bench-cuda
if [ ! -x "$venv/bin/python3" ]; then
    echo "cuda_kernels.sh: installing cuobjdump and nvdisasm in $venv" >&2
    python3 -m venv "$venv"
    "$venv/bin/python3" -m pip install --quiet nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm
fi
exec "$venv/bin/python3" "$here/cuda_kernels.py" "$@"
