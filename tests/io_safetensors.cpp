// safetensors: round trips of every type, half precision bit by bit, and files made to hurt.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "io/safetensors.h"
#include "tests/io_folder.h"

using namespace star;

namespace {

std::string file(const std::string& header, const std::string& data = "") {
    const std::uint64_t n = header.size();
    return std::string(reinterpret_cast<const char*>(&n), 8) + header + data;
}

const std::string four = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";

}  // namespace

TEST_CASE("tensors and metadata come back as they were, and twice the same bytes") {
    Folder folder;
    TensorFile out;
    const std::vector<float> floats{1, -2.5f, 1e-30f, std::numeric_limits<float>::infinity()};
    const std::vector<double> doubles{M_PI};
    const std::vector<std::int64_t> integers{-5, INT64_MAX, 0};
    const std::vector<std::uint8_t> bytes{1, 2, 255};
    out.tensors = {make_tensor("conv1.weight", {2, 2}, floats),
                   make_tensor("half", {4}, floats, Dtype::f16),
                   make_tensor("brain", {4}, floats, Dtype::bf16),
                   make_tensor("wide", {4}, floats, Dtype::f64),
                   make_tensor("scalar", {}, doubles),
                   make_tensor("counters", {3}, integers),
                   make_tensor("state", {3}, bytes),
                   make_tensor("none", {0, 7}, std::span<const float>{})};
    out.metadata = {{"schema", "1"}, {"quote", "\"\n\xc3\xa9"}};
    write_safetensors(folder / "a", out, false);
    const TensorFile in = read_safetensors(folder / "a");
    CHECK(in.metadata == out.metadata);
    REQUIRE(in.tensors.size() == out.tensors.size());
    for (const Tensor& t : out.tensors) {
        const Tensor* found = in.find(t.name);
        REQUIRE(found);
        CHECK(found->dtype == t.dtype);
        CHECK(found->shape == t.shape);
        CHECK(found->bytes == t.bytes);
    }
    CHECK(to_floats(*in.find("conv1.weight")) == floats);
    CHECK(to_floats(*in.find("half")) == std::vector<float>{1, -2.5f, 0, std::numeric_limits<float>::infinity()});
    CHECK(to_floats(*in.find("wide")) == floats);
    CHECK(to_floats(*in.find("scalar")) == std::vector<float>{float(M_PI)});
    CHECK(to_integers(*in.find("counters")) == integers);
    CHECK(to_integers(*in.find("state")) == std::vector<std::int64_t>{1, 2, 255});
    CHECK(fault([&] { to_integers(*in.find("half")); }) == Fault::input);
    CHECK(!in.find("no such"));
    write_safetensors(folder / "b", in, false);
    CHECK(folder.get("a") == folder.get("b"));
    CHECK(fault([&] { write_safetensors(folder / "b", in, false); }) == Fault::output);
    CHECK(fault([&] { make_tensor("short", {5}, floats); }) == Fault::internal);
    out.tensors.push_back(out.tensors[0]);
    CHECK(fault([&] { write_safetensors(folder / "c", out, false); }) == Fault::internal);
    CHECK(folder.get("c").empty());
}

TEST_CASE("half precision: every value comes back, and rounding is to nearest even") {
    for (std::uint32_t h = 0; h < 0x10000; ++h) {
        const float f = half_to_float(std::uint16_t(h));
        if (std::isnan(f))
            CHECK(std::isnan(half_to_float(float_to_half(f))));
        else
            CHECK(float_to_half(f) == h);
    }
    CHECK(half_to_float(0x3c01) == 1 + 0x1p-10f);
    CHECK(half_to_float(0x0001) == 0x1p-24f);
    CHECK(half_to_float(0x7bff) == 65504);
    // Between every pair of neighbours: the middle goes to the even one, a hair to either side to the nearer.
    for (std::uint32_t h = 0; h < 0x7bff; ++h) {
        const float low = half_to_float(std::uint16_t(h)), high = half_to_float(std::uint16_t(h + 1)),
                    middle = low + (high - low) / 2;
        CHECK(float_to_half(middle) == (h % 2 ? h + 1 : h));
        CHECK(float_to_half(std::nextafter(middle, 0.f)) == h);
        CHECK(float_to_half(std::nextafter(middle, 1e9f)) == h + 1);
        CHECK(float_to_half(-middle) == (0x8000 | (h % 2 ? h + 1 : h)));
    }
    CHECK(float_to_half(65519.996f) == 0x7bff);
    CHECK(float_to_half(65520.f) == 0x7c00);
    CHECK(float_to_half(1e30f) == 0x7c00);
    CHECK(std::isnan(half_to_float(float_to_half(std::bit_cast<float>(0x7f800001u)))));
}

TEST_CASE("hostile safetensors are refused in one line that names the file") {
    Folder folder;
    const std::string good = "{\"a\":{" + four + "}}", data(4, 'x');
    REQUIRE(read_safetensors(folder.put("good", file(good, data))).tensors.size() == 1);
    REQUIRE(read_safetensors(folder.put("empty", file("{}"))).tensors.empty());
    std::string huge = file(good, data);
    huge[7] = '\x7f';
    const std::string list16(16, '['), deep = std::string(1000000, '[');
    const auto two = [&](const std::string& a, const std::string& b) {
        return "{\"a\":{" + a + "},\"b\":{" + b + "}}";
    };
    const std::string bad[] = {
        "",
        "1234567",
        huge,
        file(good, data).substr(0, 20),
        file(good, "xxx"),
        file(good, "xxxxx"),
        file("", data),
        file("[]"),
        file("1"),
        file("{\"a\":1}"),
        file("{\"a\":{" + four + "}", data),
        file("{\"a\":{" + four + "}}}", data),
        file("{" + four + "}", data),
        file(two(four, four), data),                                                                // overlap
        file(two(four, R"("dtype":"F32","shape":[1],"data_offsets":[5,9])"), std::string(9, 'x')),  // gap
        file("{\"a\":{" + four + "},\"a\":{" + four + "}}", data),                                  // twice
        file("{\"a\":{\"dtype\":\"F32\"," + four + "}}", data),                                     // dtype twice
        file(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", data),  // ×4 wraps to 4
        file(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[1]}})", data),
        file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", data),
        file(R"({"a":{"dtype":null,"shape":[1],"data_offsets":[0,4]}})", data),
        file(R"({"__metadata__":{"a":1}})"),
        file(R"({"__metadata__":{"a":{"b":"c"}}})"),
        file(R"({"__metadata__":{},"__metadata__":{}})"),
        file("{\"\xff\":{}}"),
        file("{\"a\":" + deep),
        file("{\"a\":{\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", data),
        file(list16),
        file("{\"a\n\x01\":{}}"),
        file(std::string("{}\0", 3))};
    for (const std::string& bytes : bad) {
        const std::string path = folder.put("bad", bytes);
        const std::string what = message([&] { read_safetensors(path); });
        CAPTURE(bytes.substr(0, 200));
        CHECK(what.rfind(path + ": ", 0) == 0);
        CHECK(what.find('\n') == std::string::npos);
        CHECK(fault([&] { read_safetensors(path); }) == Fault::input);
    }
    CHECK(fault([&] { read_safetensors(folder / "missing"); }) == Fault::input);
    CHECK(fault([&] { read_safetensors(folder.path.string()); }) == Fault::input);
}
