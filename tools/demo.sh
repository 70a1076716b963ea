#!/usr/bin/env bash
# Installs what is needed, builds the program and runs the main job: a catalogue of blending units from an image.
#   tools/demo.sh [image.fits]     without an image: a crowded field is simulated first
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
image=${1:-}
[[ -z $image || -f ${image%%\[*} ]] || { echo "$image: no such file" >&2; exit 3; }
"$here/tools/install_packages.sh"
cmake -S "$here" -B "$here/build" -G Ninja >/dev/null
cmake --build "$here/build" --target starblend
starblend=$here/build/starblend
if [[ -z $image ]]; then
  image=demo-field.fits
  "$starblend" simulate -o "$image" --config "$here/tools/demo.toml" --preset hst-acs-f475w-drz --width 300 \
    --png demo-field.png --overwrite
fi
name=$(basename "${image%%\[*}")
name=${name%%.*}
"$starblend" detect "$image" -o "$name-catalogue.fits" --regions "$name-boxes.reg" --overwrite
[[ $image != demo-field.fits ]] || "$starblend" evaluate "$name-catalogue.fits" --truth "$image"
cat <<EOF

Done. In this folder:
  $name-catalogue.fits   the catalogue: BLENDS, a row per blending unit, and SOURCES, a row per star (README, "The catalogue")
  $name-boxes.reg        its boxes for DS9:  ds9 $image -regions $name-boxes.reg
EOF
[[ $image != demo-field.fits ]] || echo "  demo-field.fits, .png     the simulated field with its truth, and a picture of it"
