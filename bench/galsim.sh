#!/bin/sh
# Compares our rendering and noise with GalSim's, pixel by pixel and in speed, on one core each: bench/galsim.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/starblend-bench-galsim
python=$venv/bin/python3
if ! "$python" -c 'import galsim, scipy, astropy' 2>/dev/null; then
    echo "galsim.sh: installing GalSim in $venv" >&2
    python3 -m venv "$venv"
    "$python" -m pip install --quiet numpy==2.4.6 scipy==1.17.1 astropy==8.0.2 galsim==2.8.5
fi
export OMP_NUM_THREADS=1
exec "$python" "$here/galsim.py" "$@"
