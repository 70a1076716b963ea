// A trained network on disk: safetensors with PyTorch's names, and everything else about it as metadata.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "nn/params.h"
#include "nn/sky.h"
#include "sim/detector_noise.h"

namespace star {

struct Model {
    std::string name;    ///< of the file, without folder and extension
    std::string sha256;  ///< of its bytes
    Architecture architecture;
    Procedure procedure;
    Exposure exposure;       ///< that it was trained for: the noise of images that don't say theirs
    double pixel_scale = 0;  ///< arcsec/px of its training
    bool detectable = true;  ///< it counts the stars that an image can show; else, as the paper does, all there are
    std::string config;      ///< the whole effective configuration of its training, TOML
    std::map<std::string, std::string> metadata;
    std::map<std::string, NamedTensor> tensors;

    const NamedTensor* find(const std::string& name) const;
};

/// `name`: a file, or the name of a model built into the program; empty: the only one built in, or an error that lists
/// them. Throws Error (Fault::input) naming the file and the key for anything that doesn't fit.
Model read_model(const std::string& name);

/// The model built in whose training had pixels nearest in size to these (arcsec), of several such one that counts what
/// the image can show; the only one where there is one.
/// Throws Error (Fault::usage) that lists them where there are several and the size is NaN.
std::string built_in_model(double pixel_scale);

/// A network's tensors as a file, values in half precision if `half`. Atomic.
/// metadata: "config" (TOML with [network], [procedure], [exposure]...) and whatever else should be known.
void write_model(const std::string& path, const std::vector<NamedTensor>& tensors,
                 const std::map<std::string, std::string>& metadata, bool half, bool overwrite);

/// Starting weights from a model or checkpoint of ours, or from a safetensors file of torchvision or timm: a whole
/// RetinaNet ("backbone.body.conv1.weight"), or a ResNet-50 alone ("conv1.weight"); `whole` takes heads and pyramid
/// too, else the backbone only. Returns how many of the network's tensors were found. Throws Error (Fault::input)
/// naming file and tensor if a shape differs or none is found.
std::size_t load_pretrained(const std::string& path, bool whole, Stream stream, Params& params);

inline constexpr const char* model_schema = "starblend-model-1";

}  // namespace star
