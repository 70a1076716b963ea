// Convolution forward on a GPU: bf16 on tensor cores, float with plain FMAs as an exact second opinion.
// y is seen as a matrix of pixels (of all images, one after the other) by channels k; its element is a sum over the
// depth d = (r*S + s)*C + c, which is the order of w's rows. Every element is summed in order of depth, in steps that
// depend on nothing else: neither the tile's shape nor its place nor N changes any bit.
#include "kernels/conv.h"
#include "kernels/simt.h"

namespace star::cuda {
namespace {

constexpr int threads = 256, warps = threads / 32;

template <class T>
struct Problem {
    View<const T> x, w;
    const float* bias;
    Conv how;
    View<T> y;
};

/// A place in the depth, and the walk along it.
struct Depth {
    int r, s, c;
    __device__ Depth(int d, Shape w) : r(d / w.c / w.w), s(d / w.c % w.w), c(d % w.c) {}
    __device__ void advance(int by, Shape w) {
        c += by;
        while (c >= w.c) {
            c -= w.c;
            if (++s == w.w) s = 0, ++r;
        }
    }
};

/// The window of an output pixel: its image and top-left input pixel.
struct Window {
    int n, h, w;
};
__device__ Window window(std::int64_t pixel, Shape y, Conv how) {
    const std::int64_t line = pixel / y.w;
    if (line >= std::int64_t{y.n} * y.h) return {0, -(1 << 30), 0};  // past the end: never within the image
    return {int(line / y.h), int(line % y.h) * how.stride - how.pad, int(pixel % y.w) * how.stride - how.pad};
}

/// The input under a window at a depth; false where it is outside the image or the depth is past its end.
__device__ bool within(Window at, Depth d, Shape x, Shape w) {
    return d.r < w.h && unsigned(at.h + d.r) < unsigned(x.h) && unsigned(at.w + d.s) < unsigned(x.w);
}
__device__ std::int64_t index(Window at, Depth d, Shape x) {
    return ((std::int64_t{at.n} * x.h + at.h + d.r) * x.w + at.w + d.s) * x.c + d.c;
}

template <class T>
__device__ T finish(float sum, int k, const Problem<T>& q) {
    if (q.bias) sum += q.bias[k];
    return narrow<T>(q.how.relu && sum < 0 ? 0.0f : sum);  // NaN stays
}

// ---- bf16: a block computes 128 pixels by 128 or 64 channels. The depth is walked in slices of 32, of which four are
// in flight or in use. 16 bytes, a piece, are what a thread copies at a time.
namespace tensor {

constexpr int tile_pixels = 128, slice = 32, stages = 4, piece = 8, pieces = slice / piece;

struct alignas(16) Piece {
    bf16 x[piece];
};

/// Rows of a slice. A row is 64 bytes, so two rows span all banks; pieces change places within a row so that the same
/// piece of eight rows in sequence falls in different banks, as do eight pieces in sequence.
template <int rows>
struct Slice {
    Piece data[rows * pieces];
    __device__ Piece& at(int row, int p) { return data[row * pieces + (p ^ row / 2 % pieces)]; }
    __device__ const bf16* mine(int row, Element e, int k) { return at(row + e.row, (k + e.k) / piece).x; }
};

template <int channels>
struct Shared {
    struct Stage {
        Slice<tile_pixels> x;
        Slice<channels> w;
    };
    union {
        Stage stage[stages];
        bf16 y[tile_pixels][channels + piece];  // the finished tile; rows 16 bytes longer than a pass over the banks
    };
};

/// What one thread fetches: piece t % 4 of the rows t / 4, t / 4 + 64... of both operands.
template <int channels, bool whole_pieces>
struct Fetch {
    static constexpr int step = threads / pieces;
    const Problem<bf16>& q;
    const int row, column;
    const std::int64_t first_k;
    Depth depth;
    Window at[tile_pixels / step];

    __device__ Fetch(const Problem<bf16>& q, std::int64_t first_pixel, int first_k)
        : q(q),
          row(int(threadIdx.x) / pieces),
          column(int(threadIdx.x) % pieces),
          first_k(first_k),
          depth(column * piece, q.w.shape) {
#pragma unroll
        for (int i = 0; i < tile_pixels / step; ++i) at[i] = window(first_pixel + row + i * step, q.y.shape, q.how);
    }

    /// Fetches this thread's pieces of the next slice; past the end of the depth they are zero.
    __device__ void next(typename Shared<channels>::Stage& to) {
        const Shape x = q.x.shape, w = q.w.shape;
        const int size = w.h * w.w * w.c;
        const int d = (depth.r * w.w + depth.s) * w.c + depth.c;
#pragma unroll
        for (int i = 0; i < tile_pixels / step; ++i) {
            Piece& put = to.x.at(row + i * step, column);
            if constexpr (whole_pieces) {
                const bool in = within(at[i], depth, x, w);
                copy_async(&put, in ? q.x.data + index(at[i], depth, x) : q.x.data, in);
            } else {
                Depth e = depth;
                for (int j = 0; j < piece; ++j, e.advance(1, w))
                    put.x[j] = within(at[i], e, x, w) ? q.x.data[index(at[i], e, x)] : bf16{0};
            }
        }
#pragma unroll
        for (int i = 0; i < channels / step; ++i) {
            Piece& put = to.w.at(row + i * step, column);
            const std::int64_t k = first_k + row + i * step;
            const bf16* from = q.w.data + k * size + d;
            if constexpr (whole_pieces) {
                const bool in = k < w.n && d < size;
                copy_async(&put, in ? from : q.w.data, in);
            } else {
                for (int j = 0; j < piece; ++j) put.x[j] = k < w.n && d + j < size ? from[j] : bf16{0};
            }
        }
        depth.advance(slice, w);
    }
};

/// channels: 128 or 64 of y per block. whole_pieces: C is a multiple of 8 and the data is 16-byte aligned.
template <int channels, bool whole_pieces>
__global__ void __launch_bounds__(threads, 2) conv_tile(Problem<bf16> q) {
    auto& s = shared_memory<Shared<channels>>();
    // Warps side by side along the channels, then along the pixels; each owns 64 or 32 pixels by 32 channels.
    constexpr int across = channels / 32, m_count = tile_pixels / (warps / across) / 16, n_count = 4;
    const int warp = int(threadIdx.x) / 32;
    const int m0 = warp / across * m_count * 16, n0 = warp % across * 32;
    const int tiles_k = ceil_div(q.w.shape.n, channels);
    const std::int64_t first_pixel = std::int64_t(blockIdx.x / unsigned(tiles_k)) * tile_pixels;
    const int first_k = int(blockIdx.x % unsigned(tiles_k)) * channels;  // neighbours share pixels, through L2

    Fetch<channels, whole_pieces> fetch(q, first_pixel, first_k);
    const int slices = ceil_div(q.w.shape.h * q.w.shape.w * q.w.shape.c, slice);
    FragC sum[m_count][n_count] = {};
    for (int i = 0; i < stages - 1; ++i) {
        if (i < slices) fetch.next(s.stage[i]);
        copy_commit();
    }
    for (int i = 0; i < slices; ++i) {
        copy_wait<stages - 2>();
        sync_block();  // slice i is there for all, and nobody reads slice i - 1 any more, whose place is filled next
        if (i + stages - 1 < slices) fetch.next(s.stage[(i + stages - 1) % stages]);
        copy_commit();
        auto& now = s.stage[i % stages];
#pragma unroll
        for (int k = 0; k < slice; k += 16) {
            FragA a[m_count];
#pragma unroll
            for (int m = 0; m < m_count; ++m) a[m] = load_a(now.x.mine(m0 + 16 * m, a_source(lane()), k));
#pragma unroll
            for (int n = 0; n < n_count; n += 2) {
                const FragB2 b = load_b2(now.w.mine(n0 + 8 * n, b2_source(lane()), k));
#pragma unroll
                for (int m = 0; m < m_count; ++m) {
                    mma(sum[m][n], a[m], b.n[0]);
                    mma(sum[m][n + 1], a[m], b.n[1]);
                }
            }
        }
    }

    sync_block();  // the last slice is read: its memory becomes the finished tile
#pragma unroll
    for (int m = 0; m < m_count; ++m)
#pragma unroll
        for (int n = 0; n < n_count; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int column = n0 + 8 * n + c_col(lane(), i);
                const bool in = first_k + column < q.w.shape.n;
                s.y[m0 + 16 * m + c_row(lane(), i)][column] =
                    in ? finish(sum[m][n].x[i], first_k + column, q) : bf16{0};
            }
    sync_block();  // the tile is whole
    const std::int64_t pixels = std::int64_t{q.y.shape.n} * q.y.shape.h * q.y.shape.w;
    const int K = q.y.shape.c;
    const bool whole_y = K % piece == 0 && reinterpret_cast<std::uintptr_t>(q.y.data) % sizeof(Piece) == 0;
    for (int j = int(threadIdx.x); j < tile_pixels * channels / piece; j += threads) {
        const int row = j / (channels / piece), column = j % (channels / piece) * piece;
        if (first_pixel + row >= pixels) break;
        bf16* to = q.y.data + (first_pixel + row) * K + first_k + column;
        if (whole_y && first_k + column < K)
            *reinterpret_cast<Piece*>(to) = *reinterpret_cast<const Piece*>(&s.y[row][column]);
        else
            for (int i = 0; i < piece && first_k + column + i < K; ++i) to[i] = s.y[row][column + i];
    }
}

}  // namespace tensor

// ---- float: a block computes 64 pixels by 64 channels, a thread every 16th of both. Slices of 16 deep.
namespace plain {

constexpr int tile = 64, slice = 16, each = 4;

struct Shared {
    float x[slice][tile + 1], w[slice][tile + 1];  // odd rows: a column's elements fall in different banks
};

__global__ void __launch_bounds__(threads) conv_tile(Problem<float> q) {
    auto& s = shared_memory<Shared>();
    const Shape x = q.x.shape, w = q.w.shape;
    const int size = w.h * w.w * w.c, tiles_k = ceil_div(w.n, tile);
    const std::int64_t first_pixel = std::int64_t(blockIdx.x / unsigned(tiles_k)) * tile;
    const int first_k = int(blockIdx.x % unsigned(tiles_k)) * tile;
    const int row = int(threadIdx.x) / 16, column = int(threadIdx.x) % 16;

    Window at[each];
    for (int i = 0; i < each; ++i) at[i] = window(first_pixel + row + 16 * i, q.y.shape, q.how);
    Depth depth(column, w);
    float sum[each][each] = {};
    for (int first = 0; first < size; first += slice, depth.advance(slice, w)) {
        for (int i = 0; i < each; ++i) {
            const std::int64_t k = first_k + row + 16 * i;
            s.x[column][row + 16 * i] = within(at[i], depth, x, w) ? q.x.data[index(at[i], depth, x)] : 0;
            s.w[column][row + 16 * i] = k < w.n && first + column < size ? q.w.data[k * size + first + column] : 0;
        }
        sync_block();  // the slice is there
        for (int d = 0; d < slice && first + d < size; ++d)
#pragma unroll
            for (int i = 0; i < each; ++i)
#pragma unroll
                for (int j = 0; j < each; ++j)
                    sum[i][j] = fmaf(s.x[d][row + 16 * i], s.w[d][column + 16 * j], sum[i][j]);
        sync_block();  // and read
    }
#pragma unroll
    for (int i = 0; i < each; ++i)
#pragma unroll
        for (int j = 0; j < each; ++j) {
            const std::int64_t p = first_pixel + row + 16 * i;
            const int k = first_k + column + 16 * j;
            if (p < std::int64_t{q.y.shape.n} * q.y.shape.h * q.y.shape.w && k < w.n)
                q.y.data[p * w.n + k] = finish(sum[i][j], k, q);
        }
}

}  // namespace plain

/// Blocks for tiles of y of `pixels` by `channels`.
unsigned tiles(Shape y, int pixels, int channels) {
    const std::int64_t count = ceil_div(std::int64_t{y.n} * y.h * y.w, std::int64_t{pixels}) *
                               ceil_div(std::int64_t{y.c}, std::int64_t{channels});
    require(count <= INT32_MAX, "conv_forward: ", count, " tiles are more than a launch takes");
    return unsigned(count);
}

template <int channels>
void launch_tensor(Stream stream, const Problem<bf16>& q) {
    const auto aligned = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % sizeof(tensor::Piece) == 0; };
    const bool whole = q.x.shape.c % tensor::piece == 0 && aligned(q.x.data) && aligned(q.w.data);
    const Grid grid{{tiles(q.y.shape, tensor::tile_pixels, channels)}, threads, sizeof(tensor::Shared<channels>)};
    launch(stream, grid, whole ? tensor::conv_tile<channels, true> : tensor::conv_tile<channels, false>, q);
}

/// Whether 64 channels per block serve an image better than 128: where 128 would compute more padding, or leave most of
/// an A100's 108 processors without work.
bool narrow_tiles(Shape y) {
    const std::int64_t blocks =
        ceil_div(std::int64_t{y.h} * y.w, std::int64_t{tensor::tile_pixels}) * ceil_div(y.c, 128);
    return round_up(y.c, 64) < round_up(y.c, 128) || blocks < 108;
}

}  // namespace

template <class T>
void conv_forward(Stream stream, View<const T> x, View<const T> w, const float* bias, Conv how, View<T> y, std::byte*) {
    const Problem<T> q{x, w, bias, how, y};
    if constexpr (std::is_same_v<T, float>)
        launch(stream, {{tiles(y.shape, plain::tile, plain::tile)}, threads, sizeof(plain::Shared)}, plain::conv_tile,
               q);
    else if (narrow_tiles(y.shape))
        launch_tensor<64>(stream, q);
    else
        launch_tensor<128>(stream, q);
}
template void conv_forward(Stream, View<const float>, View<const float>, const float*, Conv, View<float>, std::byte*);
template void conv_forward(Stream, View<const bf16>, View<const bf16>, const float*, Conv, View<bf16>, std::byte*);

std::int64_t conv_forward_workspace(Stream, Shape, Shape, Conv) { return 0; }

}  // namespace star::cuda
