// The forward convolution of bf16 on a processor's matrix tiles (Intel's AMX): products of bf16 pairs, summed in float.
// conv_tiles.cpp cuts the work into items of one thread; conv_tiles_amx.cpp does them.
#pragma once
#include "kernels/conv_plan.h"
#include "kernels/conv_tiles_amx.h"

namespace star {

/// Whether conv_forward of bf16 goes this way: on Isa::amx, for an even depth (R S C).
bool conv_tiles_serve(Isa isa, const ConvGrid& grid);
void conv_forward_tiles(Stream, const ConvGrid&, const bf16* x, const bf16* w, const ConvEnd<bf16>&, bool relu, bf16* y,
                        std::byte* workspace);
std::int64_t conv_forward_tiles_workspace(Stream, const ConvGrid&);

}  // namespace star
