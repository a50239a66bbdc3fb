// Moonshine's two networks: what is heard, and what may be written of it.
//
// One loaded model; used by one thread at a time, as are the spellings, which it outlives.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/onnx/model.hpp"
#include "loqa/stt/spelling.hpp"

namespace loqa::stt {

class moonshine_model {
public:
    // The encoder and the merged decoder, as they are exported for ONNX Runtime.
    static result<std::unique_ptr<moonshine_model>> load(const fs::path& encoder, const fs::path& decoder, int threads);

    // What is in the samples, for spell().
    result<onnx::tensor> hear(std::vector<float> samples);
    std::unique_ptr<spelling> spell(onnx::tensor heard);

    static constexpr token begin = 1, end = 2;

private:
    class text;

    std::unique_ptr<onnx::model> encoder_, decoder_;
    // Where things stand among the decoder's inputs and outputs.
    struct places {
        std::optional<std::size_t> mask;
        std::size_t ids = 0, heard = 0, cached = 0;
        struct memory {
            std::size_t in = 0, out = 0;
        };
        std::vector<memory> spoken, written;  // of each layer, keys and values: of what was heard; of the text so far
    } at_;
};

}  // namespace loqa::stt
