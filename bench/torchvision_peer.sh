#!/bin/sh
# torchvision's RetinaNet trained as a peer: bench/torchvision_peer.py. Python with torch, torchvision and astropy: the one that PYTHON names,
# else one in ~/.cache/starblend-bench-torch. One thread.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${PYTHON:-}" ]; then
    venv=$HOME/.cache/starblend-bench-torch
    PYTHON=$venv/bin/python
    if ! "$PYTHON" -c "import torch, torchvision, numpy, astropy" 2>/dev/null; then
        echo "torchvision_peer.sh: installing torch, torchvision and astropy in $venv" >&2
        python3 -m venv "$venv"
        "$PYTHON" -m pip install --quiet torch torchvision numpy astropy >&2
    fi
fi
# Threads that wait would count as busy in processor time.
OMP_NUM_THREADS=1 GOMP_SPINCOUNT=0 OMP_WAIT_POLICY=passive exec "$PYTHON" "$here/torchvision_peer.py" "$@"
