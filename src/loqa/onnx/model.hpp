// ONNX models, run on the CPU by ONNX Runtime.
//
// A model is a loaded file: made once, owned by the engine that uses it. run() may be called from any thread, also from
// several at once; each call uses the model's own pool of `options::threads` threads. Only runtime.cpp knows the
// library, through the part of its C ABI that abi.hpp declares (docs/adr/0002-ort-abi.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::onnx {

// A dense tensor in row-major order. An empty shape is a scalar.
struct tensor {
    std::vector<std::int64_t> shape;
    std::variant<std::vector<float>, std::vector<std::int64_t>, std::vector<std::uint8_t>> values;  // bytes: truths

    // Empty when the tensor holds the other type.
    std::span<const float> floats() const;
    std::span<const std::int64_t> integers() const;
};

struct options {
    int threads = 1;

    // What run() takes and gives back, by name and in this order. load() fails when the model has no such input or
    // output, or has an input that is not named here. Empty: the model's own, in its order.
    std::vector<std::string> inputs, outputs;

    // Keeps the memory of a run for the next one: a seventh faster where runs are many and short, but what the largest
    // input took is never given back. Only for inputs that have a bound.
    bool keep_memory = false;
};

class model {
public:
    // Reads the whole file: seconds on a cold disk. model_missing when it is not there, model_truncated when it is cut
    // off, engine_failed when the runtime refuses it or its inputs and outputs are others.
    static result<std::unique_ptr<model>> load(const fs::path& file, options options);

    virtual ~model() = default;

    // engine_failed with the runtime's words and the file's name.
    virtual result<std::vector<tensor>> run(std::span<const tensor> inputs) = 0;

    // What run() takes and gives back, in its order.
    virtual std::span<const std::string> inputs() const = 0;
    virtual std::span<const std::string> outputs() const = 0;

    // What whoever exported the model wrote into it under this name; nothing when there is no such note.
    virtual result<std::optional<std::string>> note(const std::string& name) const = 0;
};

// Of the library that is loaded, e.g. "1.28.2".
std::string_view runtime_version();

}  // namespace loqa::onnx
