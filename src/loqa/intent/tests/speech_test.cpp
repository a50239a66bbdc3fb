// Commands as the real recogniser writes them down (data/speech/heard.tsv, made by bench/speech_errors.py): how many
// end in the right action, and that none ends in a wrong one. LOQA_SPEECH_LIST=1 lists what did not go well.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "loqa/intent/resolve.hpp"
#include "loqa/intent/understanding.hpp"

namespace loqa::intent {
namespace {

struct heard_case {
    std::string said, heard, voices;
    std::size_t times = 1;  // how many voices were heard so
};

std::vector<heard_case> heard_cases() {
    std::vector<heard_case> out;
    std::ifstream file(fs::path(LOQA_TEST_DATA) / "speech/heard.tsv");
    for (std::string line; std::getline(file, line);) {
        heard_case one;
        std::istringstream parts(line);
        std::getline(parts, one.said, '\t');
        std::getline(parts, one.heard, '\t');
        std::getline(parts, one.voices, '\t');
        one.times = static_cast<std::size_t>(std::ranges::count(one.voices, ' ')) + 1;
        out.push_back(std::move(one));
    }
    return out;
}

bool same(const home& house, const command& a, const command& b, bool but_for_free_text) {
    if (a.what.intent != b.what.intent || a.delay != b.delay || a.at != b.at) return false;
    // "the kitchen blind" and "the Kitchen Blinds" are one thing.
    if (a.what.intent == "HassTurnOn" || a.what.intent == "HassTurnOff" || a.what.intent == "HassSetPosition")
        if (const auto touched = entities_of(house, a.what);
            !touched.empty() && touched == entities_of(house, b.what) &&
            a.what.number_of("position") == b.what.number_of("position"))
            return true;
    const auto has_all = [&](const recognized& in, const recognized& of) {
        return std::ranges::all_of(of.slots, [&](const slot& one) {
            const slot* other = in.find(one.name);
            if (other == nullptr) return but_for_free_text && one.wildcard;
            return other->value == one.value || (but_for_free_text && one.wildcard && other->wildcard);
        });
    };
    return has_all(a.what, b.what) && has_all(b.what, a.what);
}

bool same(const home& house, const understanding& a, const understanding& b, bool but_for_free_text) {
    return std::ranges::equal(a.commands, b.commands, [&](const command& one, const command& other) {
        return same(house, one, other, but_for_free_text);
    });
}

enum class outcome { right, asked, asked_wrongly, missed, other_text, other_answer, misheard, wrong_action };
constexpr std::array<std::string_view, 8> outcome_names{"right",
                                                        "asked back, rightly",
                                                        "asked back, wrongly",
                                                        "not understood",
                                                        "right but for free text",
                                                        "wrong answer",
                                                        "heard word for word as another command",
                                                        "wrong action"};

outcome outcome_of(const home& house, const understanding& meant, const understood& got) {
    if (!got) return outcome::missed;
    if (same(house, meant, *got, false)) return got->ask_first && !meant.ask_first ? outcome::asked : outcome::right;
    if (got->ask_first) return outcome::asked_wrongly;
    if (same(house, meant, *got, true)) return outcome::other_text;
    if (std::ranges::none_of(got->commands, [](const command& one) { return acts(one.what.intent); }))
        return outcome::other_answer;
    return got->mended ? outcome::wrong_action : outcome::misheard;
}

std::string text_of(const understood& got) {
    if (!got) return "! " + got.error().sentence();
    std::string out = got->ask_first ? "(asks) " : "";
    for (const auto& one : got->commands) {
        out += one.what.intent;
        for (const auto& part : one.what.slots) out += " " + part.name + "=" + to_string(part.value);
        out += "; ";
    }
    if (got->mended) out += fmt::format("by \"{}\", {:.2f}", got->commands.front().what.text, got->confidence);
    return out;
}

TEST(Speech, RecognisersErrorsEndInNoWrongAction) {
    auto sentences = load_shipped_collection("en");
    ASSERT_TRUE(sentences) << sentences.error().text();
    if (std::ranges::find(sentences->intents, "HassTurnOn", &intent_definition::name) == sentences->intents.end())
        GTEST_SKIP() << "the sentence collection is not installed: scripts/setup.sh";
    auto house = load_home(fs::path(LOQA_TEST_DATA) / "speech/home.yaml");
    ASSERT_TRUE(house) << house.error().text();
    auto compiled = matcher::compile(*sentences, *house);
    ASSERT_TRUE(compiled) << compiled.error().text();
    const auto shared_house = std::make_shared<const home>(*house);
    const interpreter strict(*compiled, shared_house, {.mend = false}), lenient(*compiled, shared_house);
    const bool list = std::getenv("LOQA_SPEECH_LIST") != nullptr;

    std::array<std::size_t, outcome_names.size()> before{}, after{};
    std::size_t all = 0;
    for (const auto& one : heard_cases()) {
        const understood meant = strict.understand(one.said);
        ASSERT_TRUE(meant) << one.said << ": " << meant.error().sentence();
        const outcome was = outcome_of(*house, *meant, strict.understand(one.heard));
        const understood got = lenient.understand(one.heard);
        const outcome is = outcome_of(*house, *meant, got);
        all += one.times;
        before[static_cast<std::size_t>(was)] += one.times;
        after[static_cast<std::size_t>(is)] += one.times;
        if (list && is != outcome::right)
            fmt::print("{}: \"{}\" heard as \"{}\" → {}\n", outcome_names[static_cast<std::size_t>(is)], one.said,
                       one.heard, text_of(got));
        EXPECT_NE(is, outcome::wrong_action) << one.said << " / " << one.heard << ": " << text_of(got);
    }
    ASSERT_GT(all, 900u);
    fmt::print("{} utterances           before mending    after\n", all);
    const auto share = [&](std::size_t n) { return 100.0 * static_cast<double>(n) / static_cast<double>(all); };
    for (std::size_t i = 0; i < outcome_names.size(); ++i)
        fmt::print("{:<40} {:>4} {:>5.1f} %   {:>4} {:>5.1f} %\n", outcome_names[i], before[i], share(before[i]),
                   after[i], share(after[i]));
    const auto count = [](const auto& of, outcome what) { return of[static_cast<std::size_t>(what)]; };
    const auto good = [&](const auto& of) { return count(of, outcome::right) + count(of, outcome::asked); };
    EXPECT_EQ(count(after, outcome::wrong_action), 0u);
    // "Fourteen" for "twenty" is a sentence like any other: nothing tells it from what was meant.
    EXPECT_LE(count(after, outcome::misheard), 1u);
    EXPECT_GT(good(after), good(before) + all / 10);
}

}  // namespace
}  // namespace loqa::intent
