#!/usr/bin/env bash
# Installs what building and testing need, from Debian's own packages; with the argument fuzz what tools/fuzz.sh needs too.
# Does nothing if all of it is there.
set -euo pipefail
packages=(g++ cmake ninja-build git ca-certificates libcfitsio-dev wcslib-dev libbz2-dev zlib1g-dev libcli11-dev libfmt-dev
          libtomlplusplus-dev nlohmann-json3-dev doctest-dev fitsverify qemu-user)
[[ ${1-} == fuzz ]] && packages+=(clang-16 libclang-rt-16-dev)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
if ((${#missing[@]})); then
  as_root=()
  ((EUID == 0)) || as_root=(sudo)
  echo "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
