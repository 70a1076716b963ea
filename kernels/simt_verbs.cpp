// The emulator's memory and matrix verbs.
#include "kernels/simt_core.h"

namespace star::simt {

/// Throws unless 16 aligned bytes lie in the block's shared memory; returns where in it.
static std::size_t shared_offset(const Core& c, const void* p, const Where& where, const char* what) {
    const auto at = reinterpret_cast<std::uintptr_t>(p), start = reinterpret_cast<std::uintptr_t>(c.shared.get());
    if (at < start || at + 16 > start + c.shared_bytes) stop(where, what, " isn't within shared memory");
    if (at % 16) stop(where, what, " isn't 16-byte aligned");
    return at - start;
}

void copy_begin(void* to, const void* from, bool valid, Where where) {
    Core& c = running(where);
    const std::size_t offset = shared_offset(c, to, where, "copy_async's destination");
    if (reinterpret_cast<std::uintptr_t>(from) % 16) stop(where, "copy_async's source isn't 16-byte aligned");
    if (valid) {
        const auto* source = static_cast<const volatile unsigned char*>(from);
        for (int i = 0; i < 16; ++i) (void)source[i];  // AddressSanitizer sees a bad source here, at the kernel's line
    }
    c.warps[std::size_t(c.current / 32)].traffic.copy(where, c.current % 32, valid ? from : nullptr, offset,
                                                      c.counters);
    std::memset(to, 0xff, 16);
    c.self().copies.push_back({to, from, valid, c.self().group});
}

void plain_access(const void* place, std::uintptr_t at, int bytes, bool write) {
    Core& c = core();
    if (!c.running || c.counting) return;  // the launcher's own, or of what is called here
    c.counting = true;
    const auto shared = reinterpret_cast<std::uintptr_t>(c.shared.get());
    const bool in_shared = at >= shared && at + std::uintptr_t(bytes) <= shared + c.shared_bytes;
    if (in_shared || in_device_memory(at, bytes)) {
        auto& traffic = c.warps[std::size_t(c.current / 32)].traffic;
        auto part = reinterpret_cast<std::uintptr_t>(place) * 64;  // hardware moves at most 16 bytes, aligned
        for (int left = bytes, step; left > 0; left -= step, at += std::uintptr_t(step)) {
            for (step = 16; step > left || at % std::uintptr_t(step); step /= 2) {
            }
            traffic.plain(part++, c.current % 32, at, step, write, in_shared, c.counters);
        }
    }
    c.counting = false;
}

void copy_commit() { ++core().self().group; }

void copy_wait(int pending) {
    Thread& me = core().self();
    std::erase_if(me.copies, [&](const Copy& c) {
        if (c.group >= me.group - pending) return false;
        if (c.valid)
            std::memcpy(c.to, c.from, 16);
        else
            std::memset(c.to, 0, 16);
        return true;
    });
}

void load_matrices(const bf16* mine, int matrices, bool turned, bf16* out, Where where) {
    struct Operand {
        const bf16* row;
        int matrices;
        bool turned;
        std::size_t offset;
        bf16* out;
        Counters* counters;
    };
    Core& c = running(where);
    if (matrices * 8 <= lane()) mine = reinterpret_cast<const bf16*>(c.shared.get());  // hardware ignores it
    Operand op{mine, matrices, turned, shared_offset(c, mine, where, "the row of a matrix load"), out, &c.counters};
    collective(
        &op,
        [](void* const lanes[32]) {
            const auto at = [&](int l) -> Operand& { return *static_cast<Operand*>(lanes[l]); };
            for (int j = 0; j < at(0).matrices; ++j) {
                std::size_t offsets[8];
                for (int r = 0; r < 8; ++r) offsets[r] = at(8 * j + r).offset;
                at(0).counters->bank_conflicts += bank_passes(offsets, 8) - 1;
                for (int l = 0; l < 32; ++l)
                    for (int i = 0; i < 2; ++i) {
                        const int along = l % 4 * 2 + i, across = l / 4;
                        at(l).out[2 * j + i] =
                            at(0).turned ? at(8 * j + along).row[across] : at(8 * j + across).row[along];
                    }
            }
            ++at(0).counters->matrix_loads;
        },
        where);
}

void multiply(FragC& c, const FragA& a, const FragB& b, Where where) {
    struct Operand {
        FragC& c;
        const FragA& a;
        const FragB& b;
    } op{c, a, b};
    collective(
        &op,
        [](void* const lanes[32]) {
            const auto at = [&](int l) -> Operand& { return *static_cast<Operand*>(lanes[l]); };
            float left[16][16], right[16][8], sum[16][8] = {};
            for (int l = 0; l < 32; ++l) {
                for (int i = 0; i < 8; ++i) left[a_row(l, i)][a_col(l, i)] = widen(at(l).a.x[i]);
                for (int i = 0; i < 4; ++i) right[b_row(l, i)][b_col(l, i)] = widen(at(l).b.x[i]);
            }
            for (int m = 0; m < 16; ++m)
                for (int k = 0; k < 16; ++k)
                    for (int n = 0; n < 8; ++n) sum[m][n] += left[m][k] * right[k][n];
            for (int l = 0; l < 32; ++l)
                for (int i = 0; i < 4; ++i) at(l).c.x[i] += sum[c_row(l, i)][c_col(l, i)];
        },
        where);
}

}  // namespace star::simt
