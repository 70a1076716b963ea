#!/bin/sh
# How good the fluxes of PSF fits are, beside the Cramer-Rao bound, and crowdsource's and Photutils' on the same stars, and how fast:
# bench/photometry.py. One thread for everyone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/peers.sh" crowdsource)
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec "$python" "$here/photometry.py" "$@"
