// Sentences that nobody meant: what a conversation makes of them is a few commands, a question or a reason, soon, and
// keeps its promises. Two lines of the input are two turns of one conversation.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "loqa/intent/spoken_numbers.hpp"
#include "loqa/intent/spoken_time.hpp"
#include "loqa/intent/understanding.hpp"

namespace {

using namespace loqa::intent;

constexpr std::string_view templates = R"yaml(
language: en
skip_words: [please, could you]
lists:
  percent: {range: {type: percentage, from: 0, to: 100}}
  kelvin: {range: {from: 1000, to: 10000}}
  minutes: {range: {from: 1, to: 100}}
  song: {wildcard: true}
  later: {wildcard: true}
  color: {values: [red, green, {in: "(blue|azure)", out: blue}]}
expansion_rules:
  the: (the|my)
  turn: (turn|switch)
intents:
  HassTurnOn:
    data:
      - {sentences: ["<turn> on [<the>] {name}", "<turn> [<the>] {name} on", "[<the>] {name}"], excludes_context: {domain: [lock]}}
      - {sentences: ["<turn> on [all] [<the>] light[s] [in] [<the>] {area}"], slots: {domain: light}}
      - {sentences: ["lock [<the>] {name}"], requires_context: {domain: lock}}
  HassTurnOff:
    data:
      - {sentences: ["<turn> off [<the>] {name}", "unlock [<the>] {name}"]}
      - {sentences: ["<turn> off <the> lights"], requires_context: {area: {slot: true}}, slots: {domain: light}}
  HassLightSet:
    data:
      - sentences: ["set [<the>] {name} [to] ({percent:brightness}[%| percent];{color})", "[<the>] {name} {kelvin:temperature} kelvin"]
        requires_context: {domain: light}
  HassStartTimer:
    data:
      - {sentences: ["set a timer for {minutes} minute[s]", "{later:conversation_command} in {minutes} minutes"]}
  HassMediaSearchAndPlay:
    data:
      - {sentences: ["play {song} [in <the> {area}]"]}
)yaml";

const interpreter& made() {
    static const auto all = [] {
        home house;
        house.floors = {{"up", "Upstairs", {}}};
        house.areas = {{"k", "Kitchen", "up", {"cook[ing] room"}}, {"b", "Bedroom", "up", {}}};
        house.entities = {{"light.lamp", "Desk Lamp", "k", {"Lamp"}, "on", "", {}},
                          {"light.sink", "Sink Light", "k", {}, "on", "", {}},
                          {"lock.door", "Front Door", "b", {}, "locked", "", {}}};
        auto sentences = parse_collection(templates, "fuzz.yaml");
        if (!sentences) std::abort();
        auto compiled = matcher::compile(*sentences, house);
        if (!compiled) std::abort();
        return new interpreter(*compiled, std::make_shared<const home>(house));
    }();
    return *all;
}

void check(const understanding& got) {
    if (got.commands.empty() || got.commands.size() > 12) std::abort();
    if (!(got.confidence > 0 && got.confidence <= 1)) std::abort();
    if (got.ask_first == got.question.empty()) std::abort();
    for (const auto& one : got.commands)
        if (one.what.intent.empty() || (one.delay && one.at)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 600));
    const auto cut = std::min(input.find('\n'), input.size());
    const auto first = input.substr(0, cut), second = cut < input.size() ? input.substr(cut + 1) : std::string_view();
    const context where{.area = "Kitchen", .values = {}};

    const understood got = made().understand(first, where);
    conversation before;
    if (got) {
        check(*got);
        before.commands = got->commands;
    }
    if (const understood then = made().understand(second, where, before)) check(*then);
    const answer exact = made().sentences().match(first, where);
    if (exact && !made().sentences().feed(first, where).complete) std::abort();
    (void)parse_spoken_time(first);
    (void)parse_spoken_duration(first);
    (void)yes_or_no(first);
    for (const char* language : {"en", "de", "fr", "es"}) (void)parse_number(language, first);
    return 0;
}
