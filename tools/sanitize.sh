#!/usr/bin/env bash
# Builds with sanitizers and runs the tests they are for: build-asan (addresses, leaks, undefined behaviour) and
# build-tsan (data races). Usage: tools/sanitize.sh [address] [thread]; both if none is named.
set -euo pipefail
cd "$(dirname "$0")/.."
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

build() {  # folder, kind, targets...
    local folder=$1 kind=$2
    shift 2
    cmake -S . -B "$folder" -G Ninja -DSTARBLEND_CUDA=OFF -DSTARBLEND_SANITIZE="$kind"
    cmake --build "$folder" --target "$@"
}

run() {  # program, filters...
    echo "== $*"
    "$@"
}

# Of test_nn, what trains at length or checks numbers alone is left out. A race shows with any numbers: the threads' run
# takes the cases that share something between threads.
address() {
    build build-asan address test_kernels test_emulated test_io test_nn
    run build-asan/test_kernels
    # Each fibre of the emulator would get a fake stack of its own, more than 20 GB in all.
    run env ASAN_OPTIONS=detect_stack_use_after_return=0:quarantine_size_mb=64 build-asan/test_emulated
    run build-asan/test_io
    run build-asan/test_nn -tce='head outputs*,*seams*,*learnt by heart*,the gradient is*'
}

thread() {
    build build-tsan thread test_kernels test_nn
    run build-tsan/test_kernels -sf='*thread_pool*'
    run build-tsan/test_nn -tc='detect: several*,detect: equal bits*,two runs give*'
}

for kind in "${@:-address thread}"; do
    for one in $kind; do
        case $one in
            address | thread) "$one" ;;
            *) echo "tools/sanitize.sh: $one: address or thread" >&2; exit 2 ;;
        esac
    done
done
