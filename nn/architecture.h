// What a network looks like, as plain data: read from TOML or a model file, checked once, handed to everything.
#pragma once
#include <string>
#include <vector>

#include "kernels/anchors.h"
#include "kernels/background.h"
#include "kernels/normalise.h"

namespace star {

/// A ResNet-50 RetinaNet (He et al. 2016; Lin et al. 2017, 2020): bottlenecks, feature pyramid, two heads.
struct Architecture {
    struct StemConv {
        int size = 7, stride = 2, width = 64;
        bool operator==(const StemConv&) const = default;
    };
    int in_channels = 1;  ///< 1 (the sky) or 3 (torchvision's weights)
    std::vector<StemConv> stem{{7, 2, 64}};
    bool stem_pool = true;                       ///< 3x3/2 max pool after the stem
    std::vector<int> blocks{3, 4, 6, 3};         ///< bottlenecks per stage
    std::vector<int> widths{64, 128, 256, 512};  ///< of the 3x3 convolutions; a stage's output is 4 times as wide
    std::vector<int> strides{1, 2, 2, 2};        ///< of each stage
    float norm_epsilon = 1e-5f;                  ///< of batch norm; 0 for torchvision's COCO_V1 weights
    int pyramid_width = 256;
    int pyramid_first = 1;   ///< first stage the pyramid takes (0 = C2)
    int pyramid_levels = 3;  ///< levels that heads look at, from the finest; the rest only feeds down
    int pyramid_extra = 2;   ///< stride-2 convolutions after the coarsest (P6, P7)
    int head_depth = 4;
    int head_width = 256;
    int classes = 5;
    float prior = 0.01f;  ///< starting probability of each class (Lin et al. 2020, 4.1)
    std::vector<std::vector<float>> anchor_sizes{
        {32, 40, 50}, {64, 80, 101}, {128, 161, 203}, {256, 322, 406}, {512, 645, 812}};
    ///< per head level: side of a square of the anchor's area, input pixels
    std::vector<float> anchor_ratios{0.5f, 1, 2};  ///< height / width
    bool anchors_centred =
        false;  ///< on the cell's middle; else on its corner and rounded to integers, as torchvision does

    bool operator==(const Architecture&) const = default;
    int per_cell() const { return int(anchor_sizes.at(0).size() * anchor_ratios.size()); }
    int head_levels() const { return pyramid_levels + pyramid_extra; }
    int largest_stride() const;
};

/// Throws Error (Fault::usage) naming the field that makes no sense. Every extent is bounded, so that a hostile model
/// file can't ask for a network of terabytes.
void check(const Architecture&);

/// How an image becomes the network's input, in which pieces, and how its output becomes a catalogue.
struct Procedure {
    int input_scale = 1;  ///< each sky pixel becomes so many input pixels, bilinear (paper: 8)
    Normalise normalise{};
    Mesh mesh{};
    int core = 224, halo = 16;    ///< tiles: core + 2 halo sky pixels a side, origins on multiples of core
    float box_half_width = 2.5f;  ///< pixels around each star: what truth boxes were made with
    float psf_fwhm = 2;           ///< pixels, of the training
    bool suppress_by_centre = true;
    float suppress = 0.5f;   ///< centre distance in FWHM, or IoU
    float threshold = 0.3f;  ///< score from which a unit is reported; fixed on validation fields
    int top_k = 4000;        ///< candidates per level and tile
    float temperature = 1;   ///< of the class probabilities, given a unit; fitted on validation fields
    int orientations = 1;    ///< that the network sees a tile in: 1, or 8, and the mean of what it says counts
};

/// Throws Error (Fault::usage) naming the field. Against its network: tiles must be multiples of the largest stride,
/// and several orientations need square anchors on the cells' middles, which turn into each other.
void check(const Procedure&, const Architecture&);

/// Where the anchors of an H x W input (network pixels) are. Throws Error (Fault::usage) if 32 bits don't number them.
AnchorGrid anchor_grid(const Architecture&, int height, int width);

}  // namespace star
