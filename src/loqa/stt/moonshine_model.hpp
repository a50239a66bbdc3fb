// Moonshine's two networks: what is heard, and what may be written of it.
//
// One loaded model, for any thread and several at once; each spelling, which it outlives, is used by one at a time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/onnx/model.hpp"
#include "loqa/stt/spelling.hpp"

namespace loqa::stt {

class moonshine_model {
public:
    // The encoder and the merged decoder, as they are exported for ONNX Runtime.
    static result<std::unique_ptr<moonshine_model>> load(const fs::path& encoder, const fs::path& decoder, int threads);

    class text;

    // What is in the samples, for spell().
    result<onnx::tensor> hear(std::vector<float> samples);

    // `interrupted` outlives it: while it is set, no more is written and errc::cancelled returned.
    std::unique_ptr<text> spell(onnx::tensor heard, const std::atomic<bool>& interrupted);

    static constexpr token begin = 1, end = 2;

private:
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

// What may be written of something heard.
class moonshine_model::text final : public spelling {
public:
    text(moonshine_model& model, onnx::tensor heard, const std::atomic<bool>& interrupted);

    result<std::vector<float>> next(std::span<const branch> texts) override;
    std::size_t vocabulary() const override { return vocabulary_; }

    // As the first call only: all of these tokens at once, which costs little more than one of them. A row for each, as
    // of next().
    result<std::vector<float>> follow(std::span<const token> tokens);

    // Behind the first `count` tokens of a text that is the only one something else is to be written; with 0, all anew.
    void keep(std::size_t count);

private:
    result<std::vector<float>> run(onnx::tensor ids);

    moonshine_model& model_;
    const std::atomic<bool>& interrupted_;
    std::vector<onnx::tensor> inputs_;
    bool begun_ = false;
    std::size_t vocabulary_ = 0;
};

}  // namespace loqa::stt
