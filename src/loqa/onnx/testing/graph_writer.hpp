// ONNX models of a few nodes, written by tests: so that the real runtime and the real engines run without a model file.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loqa::onnx::testing {

// A message in protobuf's encoding.
class protobuf {
public:
    protobuf& number(int field, std::uint64_t value) {
        return varint(static_cast<std::uint64_t>(field) << 3).varint(value);
    }
    protobuf& bytes(int field, std::string_view value) {
        varint(static_cast<std::uint64_t>(field) << 3 | 2).varint(value.size());
        text_ += value;
        return *this;
    }
    const std::string& text() const { return text_; }

private:
    protobuf& varint(std::uint64_t value) {
        for (; value > 127; value >>= 7) text_ += static_cast<char>(value | 128);
        text_ += static_cast<char>(value);
        return *this;
    }
    std::string text_;
};

enum class element : std::uint8_t { float32 = 1, int64 = 7 };

// A model is its graph, in the order it is written in: nodes after what they need.
class graph_writer {
public:
    // A dimension that is a name may be of any size.
    graph_writer& input(std::string_view name, element type, const std::vector<std::string>& shape) {
        graph_.bytes(11, value(name, type, shape));
        return *this;
    }
    graph_writer& output(std::string_view name, element type, const std::vector<std::string>& shape) {
        graph_.bytes(12, value(name, type, shape));
        return *this;
    }
    graph_writer& node(std::string_view operation, const std::vector<std::string>& inputs, std::string_view output) {
        protobuf made;
        for (const auto& name : inputs) made.bytes(1, name);
        graph_.bytes(1, made.bytes(2, output).bytes(4, operation).text());
        return *this;
    }
    graph_writer& weights(std::string_view name, const std::vector<std::uint64_t>& shape,
                          const std::vector<float>& values) {
        std::string raw;
        for (const float each : values)
            for (int byte = 0; byte < 4; ++byte)
                raw += static_cast<char>(std::bit_cast<std::uint32_t>(each) >> (8 * byte));
        return initializer(name, element::float32, shape, raw);
    }
    graph_writer& integers(std::string_view name, const std::vector<std::uint64_t>& values) {
        std::string raw;
        for (const auto each : values)
            for (int byte = 0; byte < 8; ++byte) raw += static_cast<char>(each >> (8 * byte));
        return initializer(name, element::int64, {values.size()}, raw);
    }
    graph_writer& note(std::string_view key, std::string_view text) {
        notes_.bytes(14, protobuf().bytes(1, key).bytes(2, text).text());
        return *this;
    }

    std::string model() const {
        const auto named = graph_.text() + protobuf().bytes(2, "test").text();
        const auto operators = protobuf().bytes(1, "").number(2, 15).text();
        return protobuf().number(1, 8).bytes(7, named).bytes(8, operators).text() + notes_.text();
    }

private:
    static std::string value(std::string_view name, element type, const std::vector<std::string>& shape) {
        protobuf dimensions;
        for (const auto& each : shape) {
            const bool fixed = each.find_first_not_of("0123456789") == std::string::npos;
            dimensions.bytes(1, (fixed ? protobuf().number(1, std::stoull(each)) : protobuf().bytes(2, each)).text());
        }
        const auto tensor = protobuf().number(1, static_cast<std::uint64_t>(type)).bytes(2, dimensions.text()).text();
        return protobuf().bytes(1, name).bytes(2, protobuf().bytes(1, tensor).text()).text();
    }
    graph_writer& initializer(std::string_view name, element type, const std::vector<std::uint64_t>& shape,
                              std::string_view raw) {
        protobuf tensor;
        for (const auto each : shape) tensor.number(1, each);
        graph_.bytes(5, tensor.number(2, static_cast<std::uint64_t>(type)).bytes(8, name).bytes(9, raw).text());
        return *this;
    }

    protobuf graph_, notes_;
};

}  // namespace loqa::onnx::testing
