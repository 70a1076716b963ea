// Sectors and banks, counted as the hardware's profiler does.
#include "kernels/simt_traffic.h"

#include <algorithm>
#include <cstring>

namespace star::simt {

namespace {
constexpr std::int64_t Counters::*all_counters[] = {
    &Counters::launches,        &Counters::blocks,          &Counters::copy_requests,  &Counters::copy_bytes,
    &Counters::copy_sectors,    &Counters::copy_conflicts,  &Counters::matrix_loads,   &Counters::bank_conflicts,
    &Counters::read_requests,   &Counters::read_sectors,    &Counters::write_requests, &Counters::write_sectors,
    &Counters::shared_requests, &Counters::shared_conflicts};
static_assert(sizeof(Counters) == sizeof(all_counters) / sizeof(*all_counters) * sizeof(std::int64_t));
}  // namespace

Counters& Counters::operator+=(const Counters& o) {
    for (auto counter : all_counters) this->*counter += o.*counter;
    return *this;
}

Counters Counters::operator-(const Counters& o) const {
    Counters out = *this;
    for (auto counter : all_counters) out.*counter -= o.*counter;
    return out;
}

Watch::Watch() { ++watches; }
Watch::~Watch() { --watches; }

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

void Traffic::Access::count(Counters& c) const {
    if (!shared) {
        std::vector<std::uintptr_t> sectors;
        for (int l = 0; l < 32; ++l)
            if (lanes >> l & 1)
                for (std::uintptr_t s = at[l] / 32; s <= (at[l] + std::uintptr_t(bytes) - 1) / 32; ++s)
                    sectors.push_back(s);
        std::sort(sectors.begin(), sectors.end());
        (write ? c.write_sectors : c.read_sectors) += std::unique(sectors.begin(), sectors.end()) - sectors.begin();
        ++(write ? c.write_requests : c.read_requests);
        return;
    }
    // Words of 4 bytes, each in one of 32 banks; so many lanes at a time as 128 bytes hold.
    const int words = std::max(bytes / 4, 1), lanes_at_once = 32 / words;
    for (int first = 0; first < 32; first += lanes_at_once) {
        std::vector<std::uintptr_t> banks[32];
        for (int l = first; l < first + lanes_at_once; ++l)
            if (lanes >> l & 1)
                for (int w = 0; w < words; ++w)
                    banks[(at[l] / 4 + std::uintptr_t(w)) % 32].push_back(at[l] / 4 + std::uintptr_t(w));
        std::int64_t passes = 1;
        for (auto& bank : banks) {
            std::sort(bank.begin(), bank.end());
            passes = std::max<std::int64_t>(passes, std::unique(bank.begin(), bank.end()) - bank.begin());
        }
        c.shared_conflicts += passes - 1;
    }
    ++c.shared_requests;
}

void Traffic::plain(std::uintptr_t place, int lane, std::uintptr_t at, int bytes, bool write, bool shared,
                    Counters& counters) {
    Place& p = places_[place];
    const auto which = std::size_t(p.runs[lane]++ - p.first);
    if (which == p.open.size()) p.open.push_back({write, shared, bytes, 0, {}});
    Access& a = p.open[which];
    a.lanes |= 1u << lane, a.at[lane] = at;
    for (; !p.open.empty() && p.open.front().lanes == ~0u; ++p.first) {
        p.open.front().count(counters);
        p.open.pop_front();
    }
}

void Traffic::finish(Counters& counters) {
    for (const Request& r : open_) r.count(counters);
    open_.clear();
    for (const auto& [_, place] : places_)
        for (const Access& a : place.open) a.count(counters);
    places_.clear();
}

}  // namespace star::simt
