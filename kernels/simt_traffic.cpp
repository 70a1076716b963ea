// Sectors and banks, counted as the hardware's profiler does.
#include "kernels/simt_traffic.h"

#include <algorithm>
#include <cstring>

namespace star::simt {

int bank_passes(const std::size_t* offsets, int count) {
    int groups[8] = {};  // 16 bytes cover four neighbouring banks: one of eight groups
    int most = 1;
    for (int i = 0; i < count; ++i)
        if (std::find(offsets, offsets + i, offsets[i]) == offsets + i)
            most = std::max(most, ++groups[offsets[i] / 16 % 8]);
    return most;
}

void Traffic::Request::count(Counters& c) const {
    std::uintptr_t sectors[32];
    int used = 0;
    for (int l = 0; l < 32; ++l)
        if (lanes >> l & 1 && from[l]) sectors[used++] = reinterpret_cast<std::uintptr_t>(from[l]) / 32;
    c.copy_bytes += 16 * used;
    std::sort(sectors, sectors + used);
    c.copy_sectors += std::unique(sectors, sectors + used) - sectors;
    ++c.copy_requests;
    for (int phase = 0; phase < 4; ++phase) {
        std::size_t offsets[8];
        int n = 0;
        for (int l = 8 * phase; l < 8 * phase + 8; ++l)
            if (lanes >> l & 1) offsets[n++] = offset[l];
        c.copy_conflicts += bank_passes(offsets, n) - 1;
    }
}

void Traffic::copy(const Where& where, int lane, const void* from, std::size_t offset, Counters& counters) {
    auto r = std::find_if(open_.begin(), open_.end(), [&](const Request& q) {
        return !(q.lanes >> lane & 1) && q.where.line() == where.line() && q.where.column() == where.column() &&
               !std::strcmp(q.where.file_name(), where.file_name());
    });
    if (r == open_.end()) r = open_.insert(open_.end(), Request{where, 0, {}, {}});
    r->lanes |= 1u << lane;
    r->from[lane] = from;
    r->offset[lane] = offset;
    if (r->lanes != ~0u) return;
    r->count(counters);
    open_.erase(r);
}

void Traffic::finish(Counters& counters) {
    for (const Request& r : open_) r.count(counters);
    open_.clear();
}

}  // namespace star::simt
