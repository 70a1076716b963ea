// safetensors: what is accepted is whole, and comes back as it was when it is written.
#include "io/safetensors.h"

#include "tests/fuzz/fuzz.h"

using namespace star;
using namespace star::fuzz;

namespace {

bool integral(Dtype d) {
    return d != Dtype::f16 && d != Dtype::bf16 && d != Dtype::f32 && d != Dtype::f64 && d != Dtype::u64;
}

void check_file(const TensorFile& file) {
    for (const Tensor& t : file.tensors) {
        expect(t.size() * size_of(t.dtype) == std::int64_t(t.bytes.size()), "shape and bytes agree");
        expect(file.find(t.name) == &t, "a name is one tensor's");
        expect(to_floats(t).size() == std::size_t(t.size()), "as many floats");
        if (integral(t.dtype)) expect(to_integers(t).size() == std::size_t(t.size()), "as many integers");
    }
}

void check_round_trip(const TensorFile& file) {
    const std::string copy = folder() / "copy";
    write_safetensors(copy, file, true);
    const TensorFile again = read_safetensors(copy);
    expect(again.metadata == file.metadata && again.tensors.size() == file.tensors.size(), "as much comes back");
    for (std::size_t i = 0; i < file.tensors.size(); ++i) {
        const Tensor &a = file.tensors[i], &b = again.tensors[i];
        expect(a.name == b.name && a.dtype == b.dtype && a.shape == b.shape && a.bytes == b.bytes, "a tensor again");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string path = input_file(data, size);
    TensorFile file;
    if (!accepts(path, [&] { file = read_safetensors(path); })) return 0;
    check_file(file);
    check_round_trip(file);
    return 0;
}
