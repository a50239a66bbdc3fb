// One text on its way to being sound, for all who want it.
//
// Made by the service, for a request or ahead of one; whoever asks for the same text while it is under way takes part
// in it. Used by the synthesis thread alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/tts/cache.hpp"
#include "loqa/tts/voice.hpp"

namespace loqa::tts {

class synthesis {
public:
    // With an empty key it is not kept. `by` outlives the synthesis.
    synthesis(std::string key, std::string text, voice& by)
        : key_(std::move(key)), text_(std::move(text)), by_(&by), rate_hz_(by.sample_rate_hz()) {}

    // Whole already.
    synthesis(std::string key, std::string text, const sound& kept);

    const std::string& key() const { return key_; }
    const std::string& text() const { return text_; }
    int sample_rate_hz() const { return rate_hz_; }
    const std::vector<float>& samples() const { return samples_; }  // so far
    bool whole() const { return whole_; }
    const std::optional<error>& failed() const { return failed_; }

    // The most that any of those who want it allows.
    void may_leave(trace what) {
        if (what == trace::disk) leaves_ = trace::disk;
    }

    // One more piece; not once it is whole or has failed. The last one puts it into the cache.
    void make_piece(sound_cache& cache);

private:
    const std::string key_, text_;
    voice* by_ = nullptr;
    std::unique_ptr<speech> speech_;
    int rate_hz_;
    std::vector<float> samples_;
    bool whole_ = false;
    std::optional<error> failed_;
    trace leaves_ = trace::none;
};

}  // namespace loqa::tts
