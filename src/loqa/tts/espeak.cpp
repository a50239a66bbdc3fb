#include "loqa/tts/espeak.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>

#include <dlfcn.h>

#include "loqa/base/text.hpp"
#include "loqa/tts/clauses.hpp"
#include "loqa/tts/spoken.hpp"

namespace loqa::tts {

namespace {

constexpr const char* library_name = "libespeak-ng.so.1";

// eSpeak NG's C interface, as far as it is called here.
constexpr int output_synchronous = 2;  // samples are handed to us before synth() returns; no sound device is opened
constexpr int initialize_dont_exit = 0x8000;
constexpr int text_is_utf8 = 1;
constexpr int phonemes_as_ipa = 0x02;
constexpr int position_in_characters = 1;

struct event {
    int type;
    unsigned id;
    int text_position, length, audio_position_ms, sample;
    void* user_data;  // of the synth() call
    // More follows that is not read here.
};

// Takes the samples of a synth() call; the answer 0 goes on.
int take_samples(short* samples, int count, event* events) {
    if (!samples || count <= 0) return 0;
    auto& all = *static_cast<std::vector<float>*>(events->user_data);
    for (int i = 0; i < count; ++i) all.push_back(static_cast<float>(samples[i]) / 32'768.F);
    return 0;
}

}  // namespace

std::u32string code_points(std::string_view utf8) {
    std::u32string out;
    for (std::size_t i = 0; i < utf8.size();) {
        const auto lead = static_cast<unsigned char>(utf8[i]);
        const std::size_t length = utf8_length(utf8[i]);
        if (length == 0 || i + length > utf8.size()) {
            ++i;
            continue;
        }
        char32_t point = length == 1 ? lead : lead & (0xFFu >> (length + 1));
        for (std::size_t k = 1; k < length; ++k) point = point << 6 | (static_cast<unsigned char>(utf8[i + k]) & 0x3Fu);
        out += point;
        i += length;
    }
    return out;
}

struct espeak::library {
    void* handle = nullptr;
    int sample_rate_hz = 0;  // once it is initialized
    int (*initialize)(int output, int buffer_ms, const char* data_folder, int options) = nullptr;
    int (*set_voice)(const char* name) = nullptr;
    const char* (*text_to_phonemes)(const void** text, int text_mode, int phoneme_mode) = nullptr;
    void (*set_callback)(int (*)(short*, int, event*)) = nullptr;
    int (*synth)(const void* text, std::size_t bytes, unsigned position, int position_type, unsigned end_position,
                 unsigned flags, unsigned* id, void* user_data) = nullptr;
    int (*terminate)() = nullptr;

    library() = default;
    library(const library&) = delete;
    library& operator=(const library&) = delete;
    ~library() {
        if (sample_rate_hz > 0) terminate();
        if (handle) dlclose(handle);
    }

    template <class F>
    bool find(F*& function, const char* symbol) {
        function = reinterpret_cast<F*>(dlsym(handle, symbol));
        return function != nullptr;
    }
};

espeak::espeak(std::unique_ptr<library> loaded) : library_(std::move(loaded)) {}
espeak::~espeak() = default;

result<std::unique_ptr<espeak>> espeak::load() {
    constexpr auto install = "apt install libespeak-ng1 espeak-ng-data";
    auto loaded = std::make_unique<library>();
    loaded->handle = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (!loaded->handle)
        return fail(errc::unavailable, "eSpeak NG cannot be loaded: {}", dlerror()).hint("{}", install);
    if (!loaded->find(loaded->initialize, "espeak_Initialize") ||
        !loaded->find(loaded->set_voice, "espeak_SetVoiceByName") ||
        !loaded->find(loaded->text_to_phonemes, "espeak_TextToPhonemes") ||
        !loaded->find(loaded->set_callback, "espeak_SetSynthCallback") ||
        !loaded->find(loaded->synth, "espeak_Synth") || !loaded->find(loaded->terminate, "espeak_Terminate"))
        return fail(errc::unavailable, "{} is no eSpeak NG: {}", library_name, dlerror()).hint("{}", install);
    loaded->sample_rate_hz = loaded->initialize(output_synchronous, 0, nullptr, initialize_dont_exit);
    if (loaded->sample_rate_hz <= 0)
        return fail(errc::unavailable, "eSpeak NG has no data: its folder espeak-ng-data is missing")
            .hint("{}", install);
    loaded->set_callback(take_samples);
    return std::unique_ptr<espeak>(new espeak(std::move(loaded)));
}

result<void> espeak::set_voice(const std::string& name) {
    std::lock_guard lock(mutex_);
    if (library_->set_voice(name.c_str()) == 0) return {};
    return fail(errc::not_found, "eSpeak NG has no voice '{}'", name).hint("espeak-ng --voices");
}

int espeak::sample_rate_hz() const { return library_->sample_rate_hz; }

result<std::vector<float>> espeak::samples(std::string_view text) {
    std::vector<float> all;
    if (phonemes(text).empty()) return all;  // it would be some silence
    const std::string terminated(text);
    std::lock_guard lock(mutex_);
    if (library_->synth(terminated.c_str(), terminated.size() + 1, 0, position_in_characters, 0, text_is_utf8, nullptr,
                        &all) != 0)
        return fail(errc::engine_failed, "eSpeak NG could not say a text of {} bytes", text.size());
    return all;
}

std::u32string espeak::phonemes(std::string_view text) {
    const std::string terminated(text);
    std::lock_guard lock(mutex_);
    const void* rest = terminated.c_str();
    std::u32string out;
    while (rest) {  // one clause a call
        const char* clause = library_->text_to_phonemes(&rest, text_is_utf8, phonemes_as_ipa);
        if (!clause || !*clause) continue;
        if (!out.empty() && out.back() != U' ') out += U' ';
        // A word that is read by another language's rules stands between marks such as (fr) and (en): not to be spoken.
        bool mark = false;
        for (const char32_t point : code_points(clause)) {
            if (point == U'(') mark = true;
            if (!mark) out += point;
            if (point == U')') mark = false;
        }
    }
    const auto first = out.find_first_not_of(U' ');
    if (first == std::u32string::npos) return {};
    return out.substr(first, out.find_last_not_of(U' ') - first + 1);
}

namespace {

class espeak_speech final : public speech {
public:
    espeak_speech(espeak& by, std::vector<unit> units) : by_(by), units_(std::move(units)) {}
    result<piece> next() override {
        if (at_ == units_.size()) return piece{.samples = {}, .last = true};
        std::string text;
        for (const auto& phrase : units_[at_].phrases) text += phrase.text + phrase.mark + " ";
        auto samples = by_.samples(text);
        if (!samples) return fail(std::move(samples));
        return piece{.samples = std::move(*samples), .last = ++at_ == units_.size()};
    }

private:
    espeak& by_;
    const std::vector<unit> units_;
    std::size_t at_ = 0;
};

class espeak_voice final : public voice {
public:
    explicit espeak_voice(espeak& by) : by_(by) {}
    std::string name() const override { return "espeak-ng"; }
    int sample_rate_hz() const override { return by_.sample_rate_hz(); }
    result<std::unique_ptr<speech>> speak(std::string_view text) override {
        return std::make_unique<espeak_speech>(by_, split_into_units(spoken(text)));
    }

private:
    espeak& by_;
};

}  // namespace

std::unique_ptr<voice> make_espeak_voice(espeak& by) { return std::make_unique<espeak_voice>(by); }

}  // namespace loqa::tts
