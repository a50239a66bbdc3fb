#include "loqa/tts/volumes.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

namespace loqa::tts {

namespace {

using json = nlohmann::json;

constexpr float knee = 0.7F;  // up to here samples stay as they are; above it they approach 1

float rounded(float sample) {
    const float size = std::abs(sample);
    if (size <= knee) return sample;
    return std::copysign(knee + (1 - knee) * std::tanh((size - knee) / (1 - knee)), sample);
}

}  // namespace

volumes::volumes(fs::path file, telemetry::logger log) : file_(std::move(file)), log_(std::move(log)) {
    std::error_code ec;
    if (file_.empty() || !fs::exists(file_, ec)) return;
    const auto text = read_file(file_, 1u << 20);
    const auto all = text ? json::parse(*text, nullptr, false) : json();
    if (!all.is_object()) {
        log_.warn("how loud the speakers were is lost: {} cannot be read", file_.string());
        return;
    }
    for (const auto& [target, percent] : all.items())
        if (percent.is_number_integer() && percent_.size() < max_targets)
            percent_[target] = std::clamp(percent.get<int>(), least, most);
}

int volumes::of(const std::string& target) const {
    std::lock_guard lock(mutex_);
    const auto at = percent_.find(target);
    return at == percent_.end() ? usual : at->second;
}

int volumes::change(const std::string& target, std::optional<int> percent, int change) {
    std::lock_guard lock(mutex_);
    const auto at = percent_.find(target);
    const int now = at == percent_.end() ? usual : at->second;
    const int then = std::clamp(percent.value_or(now + change), least, most);
    if (then == now) return now;
    if (at == percent_.end() && percent_.size() >= max_targets) percent_.erase(percent_.begin());
    percent_[target] = then;
    if (file_.empty()) return then;
    const auto content = json(percent_).dump(-1, ' ', false, json::error_handler_t::replace);
    if (auto written = write_file_atomically(file_, content, 0600); !written) log_.warn(written.error());
    return then;
}

void volumes::apply(const std::string& target, std::span<float> samples) const {
    const int percent = of(target);
    if (percent == usual) return;
    const float gain = static_cast<float>(percent) / 100;
    for (float& sample : samples) sample = percent > usual ? rounded(sample * gain) : sample * gain;
}

}  // namespace loqa::tts
