// safetensors in and out: the header goes through a strict event parser, the bytes are checked before they are read.
#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "io/atomic_file.h"
#include "kernels/check.h"
#include "kernels/types.h"

namespace star {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t max_header = 100'000'000;
constexpr std::size_t max_tensors = 1'000'000, max_dimensions = 16;

struct DtypeName {
    const char* name;
    std::int64_t bytes;
};
constexpr DtypeName dtypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"U16", 2}, {"I16", 2}, {"F16", 2}, {"BF16", 2},
                                {"U32", 4},  {"I32", 4}, {"F32", 4}, {"U64", 8}, {"I64", 8}, {"F64", 8}};

struct Entry {
    Tensor tensor;
    std::vector<std::uint64_t> offsets;
    bool has_dtype = false, has_shape = false;
};

/// Takes the header's JSON event by event. The form is fixed, {name: {dtype, shape, data_offsets}, __metadata__: {}},
/// so nothing nests deeper than it allows and duplicate names are seen, which a document tree would hide.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
public:
    std::vector<Entry> entries;
    std::map<std::string, std::string> metadata;
    std::string problem;

    bool start_object(std::size_t) override {
        if (where_ == Where::outside) return go(Where::top);
        if (where_ == Where::top && in_value_) {
            in_value_ = false;
            seen_.clear();
            if (key_ == "__metadata__") return go(Where::metadata);
            if (entries.size() == max_tensors) return complain("too many tensors");
            entries.emplace_back().tensor.name = key_;
            return go(Where::tensor);
        }
        return complain("an object where none belongs");
    }

    bool end_object() override {
        if (where_ == Where::tensor) {
            const Entry& e = entries.back();
            if (!e.has_dtype || !e.has_shape || e.offsets.size() != 2)
                return complain("tensor '" + e.tensor.name + "' lacks dtype, shape or two data_offsets");
        }
        return go(where_ == Where::top ? Where::outside : Where::top);
    }

    bool key(std::string& name) override {
        auto& seen = where_ == Where::top ? names_ : seen_;
        if (!seen.insert(name).second) return complain("the name '" + name + "' is given twice");
        key_ = name;
        in_value_ = true;
        return true;
    }

    bool string(std::string& value) override {
        if (where_ == Where::metadata) return metadata.emplace(key_, value), true;
        if (where_ != Where::tensor || key_ != "dtype") return complain("a string where none belongs");
        const auto found =
            std::find_if(std::begin(dtypes), std::end(dtypes), [&](const DtypeName& d) { return value == d.name; });
        if (found == std::end(dtypes))
            return complain("tensor '" + entries.back().tensor.name + "': unknown dtype '" + value + "'");
        entries.back().tensor.dtype = Dtype(found - dtypes);
        return entries.back().has_dtype = true;
    }

    bool start_array(std::size_t) override {
        if (where_ != Where::tensor || (key_ != "shape" && key_ != "data_offsets"))
            return complain("a list where none belongs");
        if (key_ == "shape") entries.back().has_shape = true;
        return go(Where::list);
    }

    bool end_array() override { return go(Where::tensor); }

    bool number_unsigned(number_unsigned_t value) override {
        if (where_ != Where::list) return complain("a number where none belongs");
        Entry& e = entries.back();
        if (value > std::uint64_t{INT64_MAX})
            return complain("tensor '" + e.tensor.name + "': a number beyond 63 bits");
        if (key_ == "shape") {
            if (e.tensor.shape.size() == max_dimensions)
                return complain("tensor '" + e.tensor.name + "': too many dimensions");
            e.tensor.shape.push_back(std::int64_t(value));
        } else {
            if (e.offsets.size() == 2) return complain("tensor '" + e.tensor.name + "': more than two data_offsets");
            e.offsets.push_back(value);
        }
        return true;
    }

    bool null() override { return complain("null where none belongs"); }
    bool boolean(bool) override { return complain("a boolean where none belongs"); }
    bool number_integer(number_integer_t) override { return complain("a negative number"); }
    bool number_float(number_float_t, const string_t&) override { return complain("a number that is no integer"); }
    bool binary(binary_t&) override { return complain("binary data"); }
    bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
        return complain("invalid JSON at byte " + std::to_string(at));
    }

private:
    enum class Where { outside, top, metadata, tensor, list };
    bool go(Where to) {
        where_ = to;
        return true;
    }
    bool complain(const std::string& what) {
        if (problem.empty()) problem = what;
        return false;
    }
    Where where_ = Where::outside;
    std::string key_;
    bool in_value_ = false;
    std::set<std::string> names_, seen_;
};

/// The bytes that shape and type ask for, or -1 if that overflows.
std::int64_t bytes_of(const Tensor& tensor) {
    std::int64_t bytes = size_of(tensor.dtype);
    bool zero = false, overflow = false;
    for (const std::int64_t n : tensor.shape) {
        zero = zero || n == 0;
        overflow = overflow || n < 0 || __builtin_mul_overflow(bytes, std::max<std::int64_t>(n, 1), &bytes);
    }
    return overflow ? -1 : zero ? 0 : bytes;
}

/// JSON for an error message must not carry control characters into a log.
std::string printable(std::string text) {
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return text.size() > 300 ? text.substr(0, 300) + "..." : text;
}

void check_layout(std::vector<Entry>& entries, std::uint64_t data_bytes, const std::string& path) {
    // By begin, then by end: empty tensors may share the begin of the next.
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
    std::uint64_t end = 0;
    for (const Entry& e : entries) {
        const std::string name = path + ": tensor '" + printable(e.tensor.name) + "'";
        if (e.offsets[0] != end)
            fail(Fault::input, name, ": data_offsets begin at ", e.offsets[0], ", the tensor before it ends at ", end);
        if (e.offsets[1] < e.offsets[0] || e.offsets[1] > data_bytes)
            fail(Fault::input, name, ": data_offsets end at ", e.offsets[1], ", but the file has ", data_bytes,
                 " bytes of data");
        const std::int64_t bytes = bytes_of(e.tensor);
        if (bytes < 0 || std::uint64_t(bytes) != e.offsets[1] - e.offsets[0])
            fail(Fault::input, name, ": its shape doesn't make the ", e.offsets[1] - e.offsets[0],
                 " bytes of its data_offsets");
        end = e.offsets[1];
    }
    if (end != data_bytes) fail(Fault::input, path, ": ", data_bytes - end, " bytes after the last tensor");
}

template <class T>
T value_at(const Tensor& tensor, std::size_t i) {
    T value;
    std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
    return value;
}

/// Calls f(value) for each value, in its own C++ type.
template <class F>
void each_value(const Tensor& tensor, F f) {
    require(bytes_of(tensor) == std::int64_t(tensor.bytes.size()), "tensor ", tensor.name, ": shape and bytes differ");
    const std::size_t n = tensor.bytes.size() / std::size_t(size_of(tensor.dtype));
    const auto run = [&]<class T>(T, auto convert) {
        for (std::size_t i = 0; i < n; ++i) f(convert(value_at<T>(tensor, i)));
    };
    const auto same = [](auto v) { return v; };
    switch (tensor.dtype) {
        case Dtype::boolean:
        case Dtype::u8:
            return run(std::uint8_t{}, same);
        case Dtype::i8:
            return run(std::int8_t{}, same);
        case Dtype::u16:
            return run(std::uint16_t{}, same);
        case Dtype::i16:
            return run(std::int16_t{}, same);
        case Dtype::f16:
            return run(std::uint16_t{}, half_to_float);
        case Dtype::bf16:
            return run(std::uint16_t{}, [](std::uint16_t v) { return widen(bf16{v}); });
        case Dtype::u32:
            return run(std::uint32_t{}, same);
        case Dtype::i32:
            return run(std::int32_t{}, same);
        case Dtype::f32:
            return run(float{}, same);
        case Dtype::u64:
            return run(std::uint64_t{}, same);
        case Dtype::i64:
            return run(std::int64_t{}, same);
        case Dtype::f64:
            return run(double{}, same);
    }
}

template <class T>
Tensor tensor_of(std::string name, std::vector<std::int64_t> shape, const T* values, std::size_t n, Dtype dtype) {
    Tensor tensor{std::move(name), dtype, std::move(shape), std::vector<std::byte>(n * sizeof(T))};
    require(bytes_of(tensor) == std::int64_t(tensor.bytes.size()), "tensor ", tensor.name, ": ", n,
            " values don't fill its shape");
    if (n) std::memcpy(tensor.bytes.data(), values, n * sizeof(T));
    return tensor;
}

}  // namespace

const char* to_string(Dtype dtype) { return dtypes[int(dtype)].name; }
std::int64_t size_of(Dtype dtype) { return dtypes[int(dtype)].bytes; }

std::int64_t Tensor::size() const {
    const std::int64_t bytes = bytes_of(*this);
    require(bytes >= 0, "tensor ", name, ": its size overflows");
    return bytes / size_of(dtype);
}

const Tensor* TensorFile::find(std::string_view name) const {
    for (const Tensor& tensor : tensors)
        if (tensor.name == name) return &tensor;
    return nullptr;
}

TensorFile read_safetensors(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) fail(Fault::input, path, ": no such file");
    if (!std::filesystem::is_regular_file(path, error)) fail(Fault::input, path, ": not a file");
    const std::uint64_t length = std::filesystem::file_size(path, error);
    std::ifstream in(path, std::ios::binary);
    if (error || !in) fail(Fault::input, path, ": can't be opened");
    return read_safetensors(in, length, path);
}

TensorFile read_safetensors(std::istream& in, std::uint64_t length, const std::string& where) {
    const auto read = [&](void* to, std::uint64_t size) {
        if (size && !in.read(static_cast<char*>(to), std::streamsize(size)))
            fail(Fault::input, where, ": can't be read to its end");
    };
    if (length < 8) fail(Fault::input, where, ": not a safetensors file: shorter than 8 bytes");
    std::uint64_t header_bytes;
    read(&header_bytes, 8);
    if (header_bytes > max_header || header_bytes > length - 8)
        fail(Fault::input, where, ": not a whole safetensors file: its header would have ", header_bytes, " bytes of ",
             length);
    try {
        std::string header(std::size_t(header_bytes), '\0');
        read(header.data(), header_bytes);
        // The JSON parser takes a zero byte for the end, whatever follows.
        if (header.find('\0') != header.npos) fail(Fault::input, where, ": header: a zero byte");
        HeaderReader reader;
        if (!nlohmann::json::sax_parse(header, &reader))
            fail(Fault::input, where, ": header: ", printable(reader.problem));
        check_layout(reader.entries, length - 8 - header_bytes, where);
        TensorFile file;
        file.metadata = std::move(reader.metadata);
        for (Entry& e : reader.entries) {
            e.tensor.bytes.resize(std::size_t(e.offsets[1] - e.offsets[0]));
            read(e.tensor.bytes.data(), e.tensor.bytes.size());
            file.tensors.push_back(std::move(e.tensor));
        }
        return file;
    } catch (const std::bad_alloc&) {
        fail(Fault::device, where, ": not enough memory for ", length, " bytes");
    }
}

void write_safetensors(const std::string& path, const TensorFile& file, bool overwrite) {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
    std::set<std::string> names{"__metadata__"};
    std::int64_t end = 0;
    for (const Tensor& t : file.tensors) {
        require(names.insert(t.name).second, "tensor '", t.name, "': the name is taken");
        require(bytes_of(t) == std::int64_t(t.bytes.size()), "tensor '", t.name, "': shape and bytes differ");
        const std::int64_t begin = end;
        end += std::int64_t(t.bytes.size());
        header.push_back({t.name, {{"dtype", to_string(t.dtype)}, {"shape", t.shape}, {"data_offsets", {begin, end}}}});
    }
    // Invalid UTF-8 in metadata (a file's name) is replaced rather than refused; the header is padded to 8 bytes, so
    // that whoever maps the file finds the tensors aligned.
    std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    text.resize((text.size() + 7) / 8 * 8, ' ');
    AtomicFile out(path, overwrite);
    errno = 0;
    std::ofstream stream(out.path(), std::ios::binary | std::ios::trunc);
    const std::uint64_t header_bytes = text.size();
    stream.write(reinterpret_cast<const char*>(&header_bytes), 8);
    stream.write(text.data(), std::streamsize(text.size()));
    for (const Tensor& t : file.tensors)
        stream.write(reinterpret_cast<const char*>(t.bytes.data()), std::streamsize(t.bytes.size()));
    stream.close();
    if (!stream)
        fail(Fault::output, path, ": can't be written",
             errno ? ": " + std::generic_category().message(errno) : std::string());
    out.commit();
}

std::vector<float> to_floats(const Tensor& tensor) {
    std::vector<float> values;
    values.reserve(tensor.bytes.size() / std::size_t(size_of(tensor.dtype)));
    each_value(tensor, [&](auto v) { values.push_back(float(v)); });
    return values;
}

std::vector<std::int64_t> to_integers(const Tensor& tensor) {
    std::vector<std::int64_t> values;
    values.reserve(tensor.bytes.size() / std::size_t(size_of(tensor.dtype)));
    each_value(tensor, [&]<class T>(T v) {
        if constexpr (std::is_integral_v<T>) {
            if (std::in_range<std::int64_t>(v)) return values.push_back(std::int64_t(v));
        }
        fail(Fault::input, "tensor '", tensor.name, "': ", to_string(tensor.dtype), " where 64-bit integers belong");
    });
    return values;
}

Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> values, Dtype dtype) {
    if (dtype == Dtype::f32) return tensor_of(std::move(name), std::move(shape), values.data(), values.size(), dtype);
    if (dtype == Dtype::f64) {
        const std::vector<double> wide(values.begin(), values.end());
        return tensor_of(std::move(name), std::move(shape), wide.data(), wide.size(), dtype);
    }
    require(dtype == Dtype::f16 || dtype == Dtype::bf16, "tensor ", name, ": floats can't become ", to_string(dtype));
    std::vector<std::uint16_t> bits;
    bits.reserve(values.size());
    for (const float v : values) bits.push_back(dtype == Dtype::f16 ? float_to_half(v) : to_bf16(v).bits);
    return tensor_of(std::move(name), std::move(shape), bits.data(), bits.size(), dtype);
}

Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const double> values) {
    return tensor_of(std::move(name), std::move(shape), values.data(), values.size(), Dtype::f64);
}

Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const std::int64_t> values) {
    return tensor_of(std::move(name), std::move(shape), values.data(), values.size(), Dtype::i64);
}

Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const std::uint8_t> values) {
    return tensor_of(std::move(name), std::move(shape), values.data(), values.size(), Dtype::u8);
}

}  // namespace star
