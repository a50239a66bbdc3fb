#include "loqa/protocol/turn_headers.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "loqa/protocol/subjects.hpp"

namespace loqa::protocol {
namespace {

bool same_name(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    // A day bounds both budget and age: what is beyond it was not written by a sane sender.
    constexpr double day_ms = 86'400'000;
    if (ec != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) || std::abs(value) > day_ms)
        return std::nullopt;
    return value;
}

constexpr std::size_t max_area_bytes = 128;

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= 64 &&
           std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

std::string_view find(const headers& all, std::string_view name) {
    const auto it = std::ranges::find_if(all, [&](const auto& entry) { return same_name(entry.first, name); });
    return it == all.end() ? std::string_view{} : std::string_view(it->second);
}

result<std::int64_t> whole_number(const headers& all, std::string_view name, std::int64_t missing) {
    const auto text = find(all, name);
    if (text.empty()) return missing;
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size()) {
        return fail(errc::invalid_message, "header {} is \"{}\", expected a whole number", name, text.substr(0, 32));
    }
    return value;
}

turn_headers read_turn(const headers& all) {
    turn_headers turn;
    if (const auto id = find(all, header::turn); is_id(id)) turn.turn_id = id;
    turn.traceparent = find(all, header::traceparent);
    turn.privacy = find(all, header::privacy);
    if (const auto area = find(all, header::area); area.size() <= max_area_bytes) turn.area = area;
    if (const auto budget = number(find(all, header::budget_ms)))
        turn.budget = std::chrono::milliseconds(static_cast<std::int64_t>(*budget));
    if (const auto age = number(find(all, header::age_ms))) turn.age = std::chrono::duration<double, std::milli>(*age);
    if (find(all, header::audio) == "pcm") turn.audio = audio_form::pcm;
    const auto priority = find(all, header::priority);
    if (priority == "alarm") turn.urgency = urgency::alarm;
    if (priority == "announcement") turn.urgency = urgency::announcement;
    if (const auto again = find(all, header::again); is_id(again)) turn.again = again;
    if (const auto owner = find(all, header::owner); is_id(owner)) turn.owner = owner;
    return turn;
}

headers write_turn(const turn_headers& turn) {
    headers all;
    const auto add = [&](std::string_view name, std::string value) {
        if (!value.empty()) all.emplace_back(name, std::move(value));
    };
    add(header::turn, turn.turn_id);
    add(header::traceparent, turn.traceparent);
    add(header::privacy, turn.privacy);
    add(header::area, turn.area);
    add(header::again, turn.again);
    add(header::owner, turn.owner);
    if (turn.budget) add(header::budget_ms, std::to_string(turn.budget->count()));
    if (turn.age) add(header::age_ms, fmt::format("{:.3f}", turn.age->count()));
    add(header::audio, turn.audio == audio_form::pcm ? "pcm" : "json");
    if (turn.urgency != urgency::reply)
        add(header::priority, turn.urgency == urgency::alarm ? "alarm" : "announcement");
    return all;
}

std::string token(std::string_view text) {
    if (text.empty()) return "%";
    std::string out;
    for (const unsigned char c : text) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')
            out.push_back(static_cast<char>(c));
        else
            out += fmt::format("%{:02X}", c);
    }
    return out;
}

std::string join(std::string_view prefix, std::string_view name) { return fmt::format("{}.{}", prefix, token(name)); }

}  // namespace loqa::protocol
