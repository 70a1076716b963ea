// Asks the processor what it can do.
#include "kernels/isa.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace star {
namespace {

#if defined(__x86_64__) && defined(__linux__)
// Tiles are 8 KB more for each thread that the kernel may have to save: it wants to be asked, once for the process.
bool have_tiles() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    constexpr unsigned bf16_tiles = 1u << 22, tiles = 1u << 24;
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return (d & bf16_tiles) && (d & tiles) && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#else
bool have_tiles() { return false; }
#endif

Isa find_best() {
#if defined(__x86_64__)
    __builtin_cpu_init();  // also checks that the operating system saves the wide registers
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        return have_tiles() ? Isa::amx : Isa::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
    return Isa::baseline;
}

}  // namespace

Isa best_isa() {
    static const Isa best = find_best();
    return best;
}

const char* isa_name(Isa isa) {
    switch (isa) {
        case Isa::amx:
            return "amx";
        case Isa::avx512:
            return "avx512";
        case Isa::avx2:
            return "avx2";
        case Isa::baseline:
            break;
    }
    return "sse4.2";
}

}  // namespace star
