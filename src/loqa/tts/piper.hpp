// Piper: neural voices that a CPU computes several times faster than they speak.
//
// Piper's model (VITS, Kim et al. 2021, arXiv:2106.06103) is one graph. We hold it as two: the encoder makes frames of
// a whole unit of text, the decoder makes samples of any frames that stand together. A frame's samples depend on ten
// frames to each side and on no more, so that the decoder works in pieces, the first of which is heard while the others
// are still to be made, and the samples are those of the whole graph.
#pragma once

#include <memory>
#include <string>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/tts/espeak.hpp"
#include "loqa/tts/voice.hpp"

namespace loqa::tts {

struct piper_config {
    std::string model;  // a folder with encoder.onnx, decoder.onnx and config.json, or an installed model's name
    int threads = 2;
    int first_piece_frames = 12;  // of 11.6 ms; each piece is twice as long as the one before
    int longest_piece_frames = 96;
    bool trim_lead = true;  // leaves out the silence before the first sound of a reply
};

// Takes seconds when the disk is cold. Speaks one sentence to itself, so that the first reply is as quick as any other.
// `phonemes` outlives the voice; its own voice is set to the one that the model was trained with.
result<std::unique_ptr<voice>> load_piper(const piper_config& config, espeak& phonemes);

}  // namespace loqa::tts
