// Counts what a warp's asynchronous copies cost: sectors of global memory, conflicts between banks of shared memory.
#pragma once
#include <vector>

#include "kernels/simt.h"

namespace star::simt {

/// How often the 32 banks of 4 bytes are passed over for 16 bytes at each of `count` offsets (equal ones are read
/// once).
int bank_passes(const std::size_t* offsets, int count);

/// Lanes run one after the other, so a warp's request is put together from calls of copy_async at one place.
class Traffic {
public:
    void copy(const Where&, int lane, const void* from, std::size_t offset, Counters&);  // null: nothing is read
    void finish(Counters&);  // requests that not all lanes took part in

private:
    struct Request {
        Where where;
        unsigned lanes = 0;
        const void* from[32];
        std::size_t offset[32];
        void count(Counters&) const;
    };
    std::vector<Request> open_;
};

}  // namespace star::simt
