#include "waterfall.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace loqa::cli {
namespace {

using telemetry::span;

struct row {
    const span* of;
    std::size_t depth;
};

// Depth first, siblings by start. A span whose parent is not there, or is its own descendant, counts as a root.
std::vector<row> in_order(const std::vector<span>& by_start) {
    std::set<std::string_view> present;
    std::map<std::string_view, std::vector<const span*>> children;
    for (const auto& s : by_start) present.insert(s.span_id);
    std::vector<const span*> roots;
    for (const auto& s : by_start)
        (present.contains(s.parent_span_id) ? children[s.parent_span_id] : roots).push_back(&s);

    std::vector<row> rows;
    std::set<const span*> placed;
    const auto place = [&](const span* root) {
        std::vector<row> waiting{{root, 0}};
        while (!waiting.empty()) {
            const row next = waiting.back();
            waiting.pop_back();
            if (!placed.insert(next.of).second) continue;
            rows.push_back(next);
            const auto& below = children[next.of->span_id];
            for (auto child = below.rbegin(); child != below.rend(); ++child)
                waiting.push_back({*child, next.depth + 1});
        }
    };
    for (const auto* root : roots) place(root);
    for (const auto& s : by_start) place(&s);
    return rows;
}

std::string milliseconds_text(double ms) {
    if (ms >= 10'000) return fmt::format("{:.1f} s", ms / 1000);
    return ms < 10 ? fmt::format("{:.1f}", ms) : fmt::format("{:.0f}", ms);
}

}  // namespace

std::vector<std::string> waterfall(std::vector<span> spans, const style& style) {
    if (spans.empty()) return {};
    std::ranges::stable_sort(spans, {}, &span::start);
    const auto rows = in_order(spans);
    const auto begin = spans.front().start;
    const auto end = std::ranges::max(spans, {}, &span::end).end;
    const double total_ms = std::max(to_ms(end - begin), 0.001);

    std::size_t name_width = 4;
    std::size_t process_width = 7;
    for (const auto& r : rows) {
        name_width = std::max(name_width, columns(r.of->name) + 2 * r.depth);
        process_width = std::max(process_width, columns(r.of->process));
    }
    process_width = std::min<std::size_t>(process_width, 10);
    constexpr std::size_t figures = 2 * 8 + 4;  // two columns of numbers, and the gaps
    name_width = std::min(name_width, std::max<std::size_t>(12, (style.width - figures) / 3));
    const std::size_t used = name_width + process_width + figures;
    const std::size_t bar_width = style.width > used + 8 ? style.width - used : 0;

    std::vector<std::string> lines;
    lines.push_back(style.paint(colour::grey, fmt::format("{}  {}  {:>7}  {:>7}", fit("span", name_width),
                                                          fit("process", process_width), "at ms", "ms")));
    for (const auto& [s, depth] : rows) {
        const double at = to_ms(s->start - begin);
        const double lasted = std::max(to_ms(s->end - s->start), 0.0);
        std::string line =
            fmt::format("{}  {}  {:>7}  {:>7}", fit(std::string(2 * depth, ' ') + printable(s->name), name_width),
                        style.paint(colour::grey, fit(printable(s->process), process_width)), milliseconds_text(at),
                        milliseconds_text(lasted));
        if (bar_width > 0) {
            const auto cells = static_cast<double>(bar_width - 2);
            const auto from = static_cast<std::size_t>(std::min(std::floor(at / total_ms * cells), cells - 1));
            const auto length = std::clamp<std::size_t>(
                static_cast<std::size_t>(std::lround(lasted / total_ms * cells)), 1, bar_width - 2 - from);
            std::string bar;
            for (std::size_t i = 0; i < length; ++i) bar += "█";
            line += std::string(2 + from, ' ') + style.paint(s->failed ? colour::red : colour::cyan, bar);
        }
        lines.push_back(std::move(line));
        if (s->failed && !s->status_message.empty()) {
            const auto why = std::string(2 * depth + 2, ' ') + "failed: " + printable(s->status_message);
            lines.push_back(style.paint(colour::red, columns(why) > style.width ? fit(why, style.width) : why));
        }
    }
    return lines;
}

}  // namespace loqa::cli
