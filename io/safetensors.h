// safetensors: named tensors with a JSON header, read as hostile input and written atomically.
// Format: u64 little-endian length of the header, the header, then the tensors' bytes without gaps
// (https://huggingface.co/docs/safetensors).
#pragma once
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace star {

enum class Dtype { boolean, u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64 };

/// The name in files: "BOOL", "U8", ..., "F64".
const char* to_string(Dtype dtype);
std::int64_t size_of(Dtype dtype);  // bytes

struct Tensor {
    std::string name;
    Dtype dtype = Dtype::f32;
    std::vector<std::int64_t> shape;  // empty: one value
    std::vector<std::byte> bytes;     // little-endian, last index fastest; size() × size_of(dtype) of them

    std::int64_t size() const;  // the product of the shape
};

struct TensorFile {
    std::vector<Tensor> tensors;                  // in the order of their bytes in the file
    std::map<std::string, std::string> metadata;  // __metadata__

    /// The tensor of that name, or null.
    const Tensor* find(std::string_view name) const;
};

/// Fault::input, one line naming file and tensor, for anything but a whole and consistent file: header over 100 MB,
/// invalid or too deep JSON, unknown types, names given twice, shapes whose product isn't the bytes, bytes that
/// overlap, leave gaps or aren't covered. Fault::device if memory doesn't suffice.
TensorFile read_safetensors(const std::string& path);
/// The same from a stream of `length` bytes; `where` names it in errors.
TensorFile read_safetensors(std::istream& in, std::uint64_t length, const std::string& where);

/// Names must differ, and bytes fit shapes. The tensors lie in the file in the order given, metadata sorted by key:
/// equal content gives equal bytes. Fault::output if it can't be written.
void write_safetensors(const std::string& path, const TensorFile& file, bool overwrite);

/// The values as float: exact for f16, bf16, f32 and integers to 24 bits; rounded to nearest otherwise.
std::vector<float> to_floats(const Tensor& tensor);

/// The values as 64-bit integers. Fault::input unless the tensor holds integers or booleans that fit.
std::vector<std::int64_t> to_integers(const Tensor& tensor);

/// A tensor of those values, rounded to nearest even. dtype: f32, f16, bf16 or f64. Finite values beyond f16's range
/// become infinite, as IEEE 754 rounds them.
Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> values,
                   Dtype dtype = Dtype::f32);
Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const double> values);        // f64
Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const std::int64_t> values);  // i64
Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const std::uint8_t> values);  // u8

/// IEEE binary16, for files only.
float half_to_float(std::uint16_t half);
std::uint16_t float_to_half(float value);  // to nearest, ties to even; NaN stays NaN

}  // namespace star
