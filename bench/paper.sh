#!/bin/sh
# The peers beside us on the same fields through the same scorer, and the paper's Figures 6-12: bench/paper.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/peers.sh" crowdsource)
OMP_NUM_THREADS=1 exec "$python" "$here/paper.py" "$@"
