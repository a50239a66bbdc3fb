// Microseconds a sentence, for homes of three sizes; compiling; and what a sentence costs that means nothing until it
// is mended. intent_hassil.py measures the same sentences beside hassil.
#include <array>
#include <map>

#include <benchmark/benchmark.h>

#include "loqa/intent/collection.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/intent/understanding.hpp"

namespace {

using namespace loqa::intent;

constexpr std::array rooms{"Kitchen", "Bedroom", "Living Room", "Office", "Garage", "Bathroom", "Hallway", "Attic"};
constexpr std::array kinds{std::pair{"light", "Lamp"}, std::pair{"switch", "Switch"}, std::pair{"fan", "Fan"},
                           std::pair{"lock", "Door"}};

home home_of(std::int64_t entities) {
    home out;
    out.floors = {{"ground", "Ground Floor", {}}, {"upper", "Upstairs", {}}};
    for (const char* room : rooms) out.areas.push_back({room, room, "ground", {}});
    for (std::int64_t i = 0; i < entities; ++i) {
        const auto& [domain, noun] = kinds[static_cast<std::size_t>(i) % kinds.size()];
        const char* room = rooms[static_cast<std::size_t>(i) / kinds.size() % rooms.size()];
        out.entities.push_back(
            {fmt::format("{}.thing_{}", domain, i), fmt::format("{} {} {}", room, noun, i), room, {}, "on", {}, {}});
    }
    return out;
}

const collection& sentences() {
    static const collection shipped = [] {
        auto read = load_shipped_collection("en");
        if (!read) std::abort();
        return *read;
    }();
    return shipped;
}

std::shared_ptr<const matcher> matcher_of(std::int64_t entities) {
    static std::map<std::int64_t, std::shared_ptr<const matcher>> made;
    auto& one = made[entities];
    if (!one) one = *matcher::compile(sentences(), home_of(entities));
    return one;
}

constexpr std::array spoken{"what time is it",
                            "set a timer for ten minutes",
                            "turn on the kitchen lights",
                            "turn off the bedroom lamp 4",
                            "is the hallway door 27 locked",
                            "set a ten minute pasta timer",
                            "please turn the lights in the office off",
                            "what is the temperature in the living room",
                            "stop",
                            "how much time is left on the pasta timer"};

void match(benchmark::State& state) {
    const auto m = matcher_of(state.range(0));
    std::size_t i = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(m->match_all(spoken[i++ % spoken.size()], {.area = "Kitchen", .values = {}}, 1));
    state.counters["nodes"] = static_cast<double>(m->stats().nodes);
    state.counters["bytes"] = static_cast<double>(m->stats().bytes);
}
BENCHMARK(match)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMicrosecond);

void feed(benchmark::State& state) {
    const auto m = matcher_of(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(m->feed("turn on the kitchen"));
}
BENCHMARK(feed)->Arg(1000)->Unit(benchmark::kMicrosecond);

void mend(benchmark::State& state) {
    const interpreter all(matcher_of(state.range(0)), std::make_shared<const home>(home_of(state.range(0))));
    for (auto _ : state)
        benchmark::DoNotOptimize(all.understand("turn on the kit chin lights", {.area = "Kitchen", .values = {}}));
}
BENCHMARK(mend)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond);

void compile(benchmark::State& state) {
    const home house = home_of(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(matcher::compile(sentences(), house));
}
BENCHMARK(compile)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
