// Commands as the ear that ships writes them down (data/speech/heard.tsv, made by bench/speech_errors.py): how many end
// in the right action, as heard word for word, by mending the words, and by listening again; and that none ends in a
// wrong one. LOQA_SPEECH_LIST=1 lists what did not go well.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "loqa/base/text.hpp"
#include "loqa/intent/resolve.hpp"
#include "loqa/intent/understanding.hpp"

namespace loqa::intent {
namespace {

// What one utterance was heard as.
struct heard_text {
    std::string first, again;  // the latter where the recogniser listened again
    bool doubtful = false;
};

struct heard_case {
    std::string said, voices;
    std::vector<heard_text> heard;  // several where a pause was taken for an end
    std::size_t times = 1;          // how many voices were heard so
};

std::vector<heard_case> heard_cases() {
    std::vector<heard_case> out;
    std::ifstream file(fs::path(LOQA_TEST_DATA) / "speech/heard.tsv");
    for (std::string line; std::getline(file, line);) {
        const auto fields = split(line, '\t');
        if (fields.size() != 5) continue;
        const auto first = split(fields[1], '|'), again = split(fields[2], '|'), doubtful = split(fields[3], '|');
        heard_case one{.said = fields[0], .voices = fields[4], .heard = {}};
        for (std::size_t i = 0; i < first.size(); ++i)
            one.heard.push_back({first[i], again.at(i), !doubtful.at(i).empty()});
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

enum class outcome { right, asked, asked_wrongly, missed, part, other_text, other_answer, misheard, wrong_action };
constexpr std::array<std::string_view, 9> outcome_names{"right",
                                                        "asked back, rightly",
                                                        "asked back, wrongly",
                                                        "not understood",
                                                        "only one of the commands",
                                                        "right but for free text",
                                                        "wrong answer",
                                                        "heard word for word as another command",
                                                        "wrong action"};

outcome outcome_of(const home& house, const understanding& meant, const understood& got) {
    if (!got) return outcome::missed;
    if (same(house, meant, *got, false)) return got->ask_first && !meant.ask_first ? outcome::asked : outcome::right;
    if (got->ask_first) return outcome::asked_wrongly;
    const auto was_meant = [&](const command& one) {
        return std::ranges::any_of(meant.commands,
                                   [&](const command& other) { return same(house, one, other, false); });
    };
    if (std::ranges::all_of(got->commands, was_meant)) return outcome::part;
    if (same(house, meant, *got, true)) return outcome::other_text;
    if (std::ranges::none_of(got->commands, [](const command& one) { return acts(one.what.intent); }))
        return outcome::other_answer;
    return got->mended ? outcome::wrong_action : outcome::misheard;
}

// What all of it comes to, one utterance after the other.
understood taken_together(const interpreter& with, const std::vector<heard_text>& all, bool again) {
    understood out = std::unexpected(miss{});
    conversation before;
    for (const auto& each : all) {
        const bool second = again && !each.again.empty();
        const auto how = !second ? hearing::clear : each.doubtful ? hearing::doubtful : hearing::again;
        auto got = with.understand(second ? each.again : each.first, {}, before, {}, how);
        if (!got) {
            if (!out) out = std::move(got);
            continue;
        }
        before.commands = got->commands;
        if (!out) {
            out = std::move(got);
            continue;
        }
        out->commands.insert(out->commands.end(), got->commands.begin(), got->commands.end());
        out->mended = out->mended || got->mended;
        out->ask_first = out->ask_first || got->ask_first;
    }
    return out;
}

std::string text_of(const std::vector<heard_text>& all) {
    std::string out;
    for (const auto& each : all)
        out += fmt::format("{}\"{}\"{}{}", out.empty() ? "" : ", ", each.first,
                           each.again.empty() ? "" : fmt::format(" and then \"{}\"", each.again),
                           each.doubtful ? " in doubt" : "");
    return out;
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

    using counts = std::array<std::size_t, outcome_names.size()>;
    counts strictly{}, mended{}, again{};
    std::size_t all = 0;
    for (const auto& one : heard_cases()) {
        const understood meant = strict.understand(one.said);
        ASSERT_TRUE(meant) << one.said << ": " << meant.error().sentence();
        const auto count = [&](counts& in, const understood& got) {
            const outcome is = outcome_of(*house, *meant, got);
            in[static_cast<std::size_t>(is)] += one.times;
            return is;
        };
        all += one.times;
        count(strictly, taken_together(strict, one.heard, false));
        const understood by_words = taken_together(lenient, one.heard, false);
        EXPECT_NE(count(mended, by_words), outcome::wrong_action)
            << one.said << " / " << text_of(one.heard) << ": " << text_of(by_words);
        const understood got = taken_together(lenient, one.heard, true);
        const outcome is = count(again, got);
        if (list && is != outcome::right)
            fmt::print("{}: \"{}\" heard as {} ({}) → {}\n", outcome_names[static_cast<std::size_t>(is)], one.said,
                       text_of(one.heard), one.voices, text_of(got));
        EXPECT_NE(is, outcome::wrong_action) << one.said << " / " << text_of(one.heard) << ": " << text_of(got);
    }
    ASSERT_GT(all, 900u);
    fmt::print("{} utterances                          word for word    with mending     heard again\n", all);
    const auto share = [&](std::size_t n) { return 100.0 * static_cast<double>(n) / static_cast<double>(all); };
    for (std::size_t i = 0; i < outcome_names.size(); ++i) {
        fmt::print("{:<40}", outcome_names[i]);
        for (const auto* of : {&strictly, &mended, &again})
            fmt::print(" {:>6} {:>5.1f} %  ", (*of)[i], share((*of)[i]));
        fmt::print("\n");
    }
    const auto good = [](const counts& of) {
        return of[static_cast<std::size_t>(outcome::right)] + of[static_cast<std::size_t>(outcome::asked)];
    };
    // What is a command word for word is another one now and then ("fourteen" for "forty"), or its beginning: nothing
    // tells it from what was meant.
    EXPECT_LE(again[static_cast<std::size_t>(outcome::misheard)], all / 200);
    EXPECT_GT(good(mended), good(strictly) + all / 20);
    EXPECT_GT(good(again), good(mended) + all / 20);
}

}  // namespace
}  // namespace loqa::intent
