#!/bin/sh
# Scores SExtractor and Photutils, and our catalogue if one is given (--starblend FILE), on the M31 image: bench/m31.py.
# `m31.sh scene` compares the image with the simulated scene m31-cluster instead: bench/m31_scene.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=python3
if ! "$python" -c 'import scipy, astropy, photutils' 2>/dev/null; then
    venv=${XDG_CACHE_HOME:-$HOME/.cache}/starblend-bench
    python=$venv/bin/python3
    if ! "$python" -c 'import scipy, astropy, photutils' 2>/dev/null; then
        echo "m31.sh: installing the Python peers in $venv" >&2
        python3 -m venv "$venv"
        "$python" -m pip install --quiet numpy==2.4.6 scipy==1.17.1 astropy==8.0.2 photutils==3.0.0
    fi
fi
script=m31.py
if [ "${1-}" = scene ]; then
    script=m31_scene.py
    shift
fi
exec "$python" "$here/$script" "$@"
