#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz with clang-16 and its sanitizers and runs them, one after the other, each on its
# corpus and then on mutants of it. Nothing is written into the tree but build-fuzz. Fails on the first finding.
# Usage: tools/fuzz.sh [SECONDS for each target: 10 if not given; 0: the corpus alone] [TARGET...: all if none is named]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=10
if [[ ${1-} =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
fi
targets=("$@")
((${#targets[@]})) || for source in tests/fuzz/*.cpp; do targets+=("$(basename "$source" .cpp)"); done
for target in "${targets[@]}"; do
    [[ -f tests/fuzz/$target.cpp ]] || { echo "tools/fuzz.sh: $target: no such target" >&2; exit 2; }
done

cmake -S . -B build-fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++-16 -DSTARBLEND_CUDA=OFF -DSTARBLEND_FUZZ=ON
cmake --build build-fuzz --target "${targets[@]/#/fuzz_}"

findings=$PWD/build-fuzz/findings
mkdir -p "$findings"
scratch=$(mktemp -d -p "$([[ -w /dev/shm ]] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" starblend-fuzz-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
# The readers' promise for 16 KiB: no allocation beyond 512 MiB, and 10 s at the most on a slow machine.
limits=(-max_len=16384 -malloc_limit_mb=512 -rss_limit_mb=2048 -timeout=10)

for target in "${targets[@]}"; do
    program=build-fuzz/fuzz_$target log=$scratch/$target.log
    run() {
        "$program" "${limits[@]}" "-artifact_prefix=$findings/$target-" -print_final_stats=1 "$@" >"$log" 2>&1 && return
        tail -n 60 "$log" >&2
        echo "tools/fuzz.sh: $target: a finding. If it wrote a reproducer, it lies in $findings;" \
            "$program FILE runs it again" >&2
        exit 1
    }
    run tests/fuzz/corpus/"$target"/*
    if ((seconds)); then
        mkdir "$scratch/$target"
        run "-max_total_time=$seconds" "$scratch/$target" "tests/fuzz/corpus/$target"
    fi
    echo "fuzz_$target: no finding, $(sed -n 's/^stat::number_of_executed_units: //p' "$log") inputs"
done
