// Counts what a warp's copies, reads and writes cost: sectors of global memory, conflicts between banks of shared
// memory.
#pragma once
#include <atomic>
#include <deque>
#include <unordered_map>
#include <vector>

#include "kernels/simt.h"

namespace star::simt {

inline std::atomic<int> watches{0};  ///< that live

/// How often the 32 banks of 4 bytes are passed over for 16 bytes at each of `count` offsets (equal ones are read
/// once).
int bank_passes(const std::size_t* offsets, int count);

/// Lanes run one after the other, so a warp's request is put together from what its lanes do at one place.
class Traffic {
public:
    void copy(const Where&, int lane, const void* from, std::size_t offset, Counters&);  // null: nothing is read
    /// A plain read or write of 1, 2, 4, 8 or 16 bytes at an address of global or shared memory.
    void plain(std::uintptr_t place, int lane, std::uintptr_t at, int bytes, bool write, bool shared, Counters&);
    void finish(Counters&);  // requests that not all lanes took part in

private:
    struct Request {
        Where where;
        unsigned lanes = 0;
        const void* from[32];
        std::size_t offset[32];
        void count(Counters&) const;
    };
    struct Access {
        bool write, shared;
        int bytes;
        unsigned lanes = 0;
        std::uintptr_t at[32];
        void count(Counters&) const;
    };
    /// A place in the code: what its n-th run in each lane asks for, from the first n that a lane has yet to come to.
    struct Place {
        std::int64_t runs[32] = {};
        std::int64_t first = 0;
        std::deque<Access> open;
    };
    std::vector<Request> open_;
    std::unordered_map<std::uintptr_t, Place> places_;
};

}  // namespace star::simt
