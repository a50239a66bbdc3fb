// The headers of one turn's messages, as a value.
//
// read_turn() never fails: a header that is absent or unreadable is simply not there, since clients of the older
// protocol send none. Value types.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loqa/base/result.hpp"

namespace loqa::protocol {

// Name and value, in order. Names are compared without regard to case.
using headers = std::vector<std::pair<std::string, std::string>>;

std::string_view find(const headers& all, std::string_view name);  // "" when absent
// `missing` when it is absent; invalid_message when it is something else.
result<std::int64_t> whole_number(const headers& all, std::string_view name, std::int64_t missing);

enum class audio_form { json, pcm };

// Of what is said. Later ones come first.
enum class urgency : std::uint8_t { reply, announcement, alarm };

struct turn_headers {
    std::string turn_id;
    std::string traceparent;
    std::optional<std::chrono::milliseconds> budget;               // what is left of the turn's time
    std::optional<std::chrono::duration<double, std::milli>> age;  // since the last speech sample
    std::string privacy;
    std::string area;  // name of the room that is spoken from
    audio_form audio = audio_form::json;
    protocol::urgency urgency = protocol::urgency::reply;
    std::string again;  // of a message that is sent once more: what was last known of its turn
    std::string owner;  // and the process that took it up, as session.state names it
};

turn_headers read_turn(const headers& all);
headers write_turn(const turn_headers& turn);

}  // namespace loqa::protocol
