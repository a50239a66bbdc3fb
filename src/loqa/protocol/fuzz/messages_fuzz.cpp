// Payloads and headers that nobody meant well: every decoder refuses or reads, and what it read can be written and read
// again.
//
// The first byte says which decoder; scripts/fuzz.sh builds and runs this with libFuzzer.
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/protocol/turn_headers.hpp"

namespace {

using namespace loqa::protocol;

template <class T>
void try_as(std::string_view payload) {
    const auto first = decode<T>(payload);
    if (!first) return;
    if (!decode<T>(encode(*first))) std::abort();  // what we say ourselves we understand
}

using attempt = void (*)(std::string_view);
constexpr attempt attempts[] = {
    &try_as<audio_frame>,      &try_as<transcript>,       &try_as<nlu_request>,   &try_as<tts_request>,
    &try_as<tts_audio>,        &try_as<tts_done>,         &try_as<tts_started>,   &try_as<tts_cancel>,
    &try_as<playback_started>, &try_as<speech_started>,   &try_as<stt_error>,     &try_as<session_reply>,
    &try_as<session_state>,    &try_as<session_degraded>, &try_as<session_ended>, &try_as<timer_start>,
    &try_as<timer_cancel>,     &try_as<timer_status>,     &try_as<node_announce>, &try_as<node_heartbeat>,
    &try_as<component_status>, &try_as<readiness>,        &try_as<tts_prepare>,   &try_as<playback_stopped>,
    &try_as<playback_volume>,  &try_as<session_listen>,   &try_as<tts_flush>,
};

void try_headers(std::string_view text) {
    constexpr std::string_view names[] = {header::turn,   header::traceparent, header::budget_ms,
                                          header::age_ms, header::privacy,     header::audio};
    headers all;
    for (const auto name : names) {
        const auto end = text.find('\n');
        all.emplace_back(std::string(name), std::string(text.substr(0, end)));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    const auto once = write_turn(read_turn(all));
    if (write_turn(read_turn(once)) != once) std::abort();
    (void)token(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto which = data[0] % (std::size(attempts) + 1);
    if (which < std::size(attempts))
        attempts[which](rest);
    else
        try_headers(rest);
    return 0;
}
