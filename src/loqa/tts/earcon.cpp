#include "loqa/tts/earcon.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace loqa::tts {
namespace {

// Two rising notes, each fading in and out so that nothing clicks.
struct note {
    double hz, seconds;
};
constexpr std::array<note, 2> done{{{880, 0.07}, {1174.7, 0.11}}};
constexpr double loudness = 0.25;
constexpr double fade_s = 0.01;

std::vector<float> samples_of_done(int rate_hz) {
    std::vector<float> out;
    for (const auto& one : done) {
        const auto count = static_cast<std::size_t>(one.seconds * rate_hz);
        for (std::size_t i = 0; i < count; ++i) {
            const double at = static_cast<double>(i) / rate_hz, left = one.seconds - at;
            const double fade = std::min({1.0, at / fade_s, left / fade_s});
            out.push_back(static_cast<float>(loudness * fade * std::sin(2 * std::numbers::pi * one.hz * at)));
        }
    }
    return out;
}

class earcon final : public speech {
public:
    explicit earcon(std::vector<float> samples) : samples_(std::move(samples)) {}
    result<piece> next() override { return piece{.samples = std::move(samples_), .last = true}; }

private:
    std::vector<float> samples_;
};

class sounding_voice final : public voice {
public:
    explicit sounding_voice(voice& below) : below_(below) {}
    std::string name() const override { return below_.name(); }
    int sample_rate_hz() const override { return below_.sample_rate_hz(); }
    std::string identity() const override { return below_.identity(); }
    std::optional<error> lacking() const override { return below_.lacking(); }
    result<std::unique_ptr<speech>> speak(std::string_view text) override {
        if (text != earcon_done) return below_.speak(text);
        return std::make_unique<earcon>(samples_of_done(sample_rate_hz()));
    }

private:
    voice& below_;
};

}  // namespace

std::unique_ptr<voice> with_earcons(voice& below) { return std::make_unique<sounding_voice>(below); }

}  // namespace loqa::tts
