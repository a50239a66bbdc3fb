#include "loqa/session/phrases.hpp"

#include <array>
#include <cctype>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace loqa::session {
namespace {

constexpr std::array<std::string_view, 7> weekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                      "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> months = {"January",   "February", "March",    "April",
                                                     "May",       "June",     "July",     "August",
                                                     "September", "October",  "November", "December"};

std::string_view ordinal_suffix(int n) {
    if (n % 100 >= 11 && n % 100 <= 13) return "th";
    switch (n % 10) {
        case 1:
            return "st";
        case 2:
            return "nd";
        case 3:
            return "rd";
        default:
            return "th";
    }
}

}  // namespace

std::tm local_time(wall_time at) {
    const auto since_epoch = std::chrono::system_clock::to_time_t(at);
    std::tm local{};
    ::localtime_r(&since_epoch, &local);
    return local;
}

std::string say_time(const std::tm& local) {
    if (local.tm_min == 0 && local.tm_hour == 12) return "noon";
    if (local.tm_min == 0 && local.tm_hour == 0) return "midnight";
    const int hour = local.tm_hour % 12 == 0 ? 12 : local.tm_hour % 12;
    const auto half = local.tm_hour < 12 ? "AM" : "PM";
    return local.tm_min == 0 ? fmt::format("{} {}", hour, half) : fmt::format("{}:{:02} {}", hour, local.tm_min, half);
}

std::string say_date(const std::tm& local) {
    return fmt::format("{}, {} {}{}", weekdays.at(static_cast<std::size_t>(local.tm_wday)),
                       months.at(static_cast<std::size_t>(local.tm_mon)), local.tm_mday, ordinal_suffix(local.tm_mday));
}

std::string say_count(std::size_t count, const std::string& singular) {
    return fmt::format("{} {}{}", count, singular, count == 1 ? "" : "s");
}

std::string say_list(std::span<const std::string> items) {
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
        text += items[i];
    }
    return text;
}

std::string say_duration(std::chrono::nanoseconds duration) {
    const auto total = std::chrono::round<std::chrono::seconds>(duration).count();
    const auto days = total / 86'400;
    const auto hours = total / 3'600 % 24;
    const auto minutes = total / 60 % 60;
    const auto seconds = total >= 3'600 ? 0 : total % 60;
    std::vector<std::string> parts;
    const auto add = [&](std::int64_t n, const char* unit) {
        if (n > 0) parts.push_back(say_count(static_cast<std::size_t>(n), unit));
    };
    add(days, "day");
    add(hours, "hour");
    add(minutes, "minute");
    add(seconds, "second");
    return parts.empty() ? "0 seconds" : say_list(parts);
}

std::string capitalised(std::string text) {
    if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text;
}

}  // namespace loqa::session
