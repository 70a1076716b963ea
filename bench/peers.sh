#!/bin/sh
# Prints the Python that has the peers' modules: the system's if it has those named, else one in ~/.cache/starblend-bench with pinned versions.
set -eu
has() { "$1" -c "import scipy, astropy, photutils$([ $# -lt 2 ] || printf ', %s' "$2")" 2>/dev/null; }
python=python3
if ! has "$python" "$@"; then
    venv=${XDG_CACHE_HOME:-$HOME/.cache}/starblend-bench
    python=$venv/bin/python3
    if ! has "$python" "$@"; then
        echo "peers.sh: installing the Python peers in $venv" >&2
        python3 -m venv "$venv"
        "$python" -m pip install --quiet numpy==2.4.6 scipy==1.17.1 astropy==8.0.2 photutils==3.0.0 >&2
        # Without what it declares: TensorFlow and more, of which fitting an image imports nothing.
        "$python" -m pip install --quiet --no-deps crowdsourcephoto==0.5.9 >&2
    fi
fi
echo "$python"
