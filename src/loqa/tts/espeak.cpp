#include "loqa/tts/espeak.hpp"

#include <utility>

#include <dlfcn.h>

namespace loqa::tts {

namespace {

constexpr const char* library_name = "libespeak-ng.so.1";

// eSpeak NG's C interface, as far as it is called here.
constexpr int output_retrieval = 1;  // samples would be handed to us: no sound device is opened
constexpr int initialize_dont_exit = 0x8000;
constexpr int text_is_utf8 = 1;
constexpr int phonemes_as_ipa = 0x02;

}  // namespace

std::u32string code_points(std::string_view utf8) {
    std::u32string out;
    for (std::size_t i = 0; i < utf8.size();) {
        const auto lead = static_cast<unsigned char>(utf8[i]);
        const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 0;
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

struct phonemizer::library {
    void* handle = nullptr;
    bool initialized = false;
    int (*initialize)(int output, int buffer_ms, const char* data_folder, int options) = nullptr;
    int (*set_voice)(const char* name) = nullptr;
    const char* (*text_to_phonemes)(const void** text, int text_mode, int phoneme_mode) = nullptr;
    int (*terminate)() = nullptr;

    library() = default;
    library(const library&) = delete;
    library& operator=(const library&) = delete;
    ~library() {
        if (initialized) terminate();
        if (handle) dlclose(handle);
    }

    template <class F>
    bool find(F*& function, const char* symbol) {
        function = reinterpret_cast<F*>(dlsym(handle, symbol));
        return function != nullptr;
    }
};

phonemizer::phonemizer(std::unique_ptr<library> loaded) : library_(std::move(loaded)) {}
phonemizer::~phonemizer() = default;

result<std::unique_ptr<phonemizer>> phonemizer::load(const std::string& voice) {
    constexpr auto install = "apt install libespeak-ng1 espeak-ng-data";
    auto loaded = std::make_unique<library>();
    loaded->handle = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (!loaded->handle)
        return fail(errc::unavailable, "eSpeak NG cannot be loaded: {}", dlerror()).hint("{}", install);
    if (!loaded->find(loaded->initialize, "espeak_Initialize") ||
        !loaded->find(loaded->set_voice, "espeak_SetVoiceByName") ||
        !loaded->find(loaded->text_to_phonemes, "espeak_TextToPhonemes") ||
        !loaded->find(loaded->terminate, "espeak_Terminate"))
        return fail(errc::unavailable, "{} is no eSpeak NG: {}", library_name, dlerror()).hint("{}", install);
    if (loaded->initialize(output_retrieval, 0, nullptr, initialize_dont_exit) < 0)
        return fail(errc::unavailable, "eSpeak NG has no data: its folder espeak-ng-data is missing")
            .hint("{}", install);
    loaded->initialized = true;
    if (loaded->set_voice(voice.c_str()) != 0)
        return fail(errc::not_found, "eSpeak NG has no voice '{}'", voice).hint("espeak-ng --voices");
    return std::unique_ptr<phonemizer>(new phonemizer(std::move(loaded)));
}

std::u32string phonemizer::phonemes(std::string_view text) {
    const std::string terminated(text);
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

}  // namespace loqa::tts
