#!/bin/sh
# Scores SExtractor and Photutils, and our catalogue if one is given (--starblend FILE), on the M31 image: bench/m31.py.
# `m31.sh scene` compares the image with the simulated scene m31-cluster instead: bench/m31_scene.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/peers.sh")
script=m31.py
if [ "${1-}" = scene ]; then
    script=m31_scene.py
    shift
fi
exec "$python" "$here/$script" "$@"
