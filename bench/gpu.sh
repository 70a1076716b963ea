#!/usr/bin/env bash
# Everything that needs a GPU, in one go: the tests of the kernels, their speed against a large matrix product, training and
# detection beside torchvision's. Needs the built tree, Python with PyTorch and torchvision, nothing else.
#   bench/gpu.sh [folder for results]        each part stops after five minutes; a part that fails doesn't stop the others
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
results=${1:-$here/bench/results}
mkdir -p "$results"
stamp=$(date -u +%Y-%m-%d)
# cuBLAS, for the ceiling, and cuDNN, to compare with, are where PyTorch keeps them
library=$(python3 -c 'import glob, os, torch
home = os.path.dirname(os.path.dirname(torch.__file__))
print(":".join(sorted({os.path.dirname(f) for name in ("libcublas.so*", "libcudnn.so*")
                       for f in glob.glob(home + "/nvidia/**/" + name, recursive=True)})))' || true)
export LD_LIBRARY_PATH=$library:${LD_LIBRARY_PATH:-}
failed=()
part() {
  local name=$1
  shift
  echo "== $name: $*"
  timeout 300 "$@" || failed+=("$name (exit $?)")
}
# What the results of this day were made with.
python3 - "$results/gpu-$stamp.json" <<END || failed+=("the device's description")
import json, subprocess, sys
name, driver, memory = subprocess.check_output(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"], text=True).splitlines()[0].split(", ")
commit = subprocess.run(["git", "-C", "$here", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
json.dump({"device": name, "driver": driver, "memory": memory, "commit": commit, "date": "$stamp"}, open(sys.argv[1], "w"), indent=1)
print(name, driver, memory, commit)
END
part tests "$here/build/test_cuda"
part kernels "$here/build/bench_kernels" --device cuda --type bf16 --batch 8 --seconds 0.05 --json "$results/kernels-cuda-$stamp.json"
part network "$here/build/bench_network" --device cuda --json "$results/network-cuda-$stamp.json"
part simulator "$here/build/bench_sim" --device cuda --json "$results/simulator-cuda-$stamp.json"
part torch-layers python3 "$here/bench/torch_layers.py" "$results/kernels-cuda-$stamp.json" --json "$results/torch-layers-$stamp.json"
part torch-network python3 "$here/bench/torch_network.py" --device cuda --ours "$results/network-cuda-$stamp.json" --json "$results/torch-network-$stamp.json"
part torch-compiled python3 "$here/bench/torch_network.py" --device cuda --compile --ours "$results/network-cuda-$stamp.json" --json "$results/torch-compiled-$stamp.json"
if ((${#failed[@]})); then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
