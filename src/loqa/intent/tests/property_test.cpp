// What holds for every sentence that the templates stand for, tried on some drawn from the shipped collection: each of
// its beginnings can grow, the whole is complete, and the words that may come next have the one that does. And what
// many threads get is what one gets.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "loqa/base/text.hpp"
#include "loqa/intent/sentence_template.hpp"
#include "loqa/intent/text.hpp"
#include "loqa/intent/understanding.hpp"

namespace loqa::intent {
namespace {

using kind = expression::kind;

struct drawing {
    const collection& all;
    const sentence_block& block;
    const home& house;
    std::mt19937& random;

    std::size_t pick(std::size_t count) { return random() % count; }

    const template_text* rule(const std::string& name) const {
        if (const auto own = block.expansion_rules.find(name); own != block.expansion_rules.end()) return &own->second;
        const auto found = all.expansion_rules.find(name);
        return found == all.expansion_rules.end() ? nullptr : &found->second;
    }

    std::string list(const std::string& name) {
        if (name == "area") return house.areas[pick(house.areas.size())].name;
        if (name == "floor") return house.floors[pick(house.floors.size())].name;
        if (name == "name") return house.entities[pick(house.entities.size())].name;
        const list_definition* found = nullptr;
        if (const auto own = block.lists.find(name); own != block.lists.end()) found = &own->second;
        if (const auto known = all.lists.find(name); found == nullptr && known != all.lists.end())
            found = &known->second;
        if (found == nullptr) return "?";
        if (const auto* texts = std::get_if<text_list>(found)) {
            const auto& value = texts->values[pick(texts->values.size())].in;
            auto parsed = parse_template(value);
            return parsed ? draw(*parsed) : "?";
        }
        if (const auto* range = std::get_if<number_range>(found)) {
            const auto count = static_cast<std::size_t>((range->to - range->from) / range->step + 1);
            return std::to_string(range->from + static_cast<std::int64_t>(pick(count)) * range->step);
        }
        return "?";  // free text is left out here
    }

    std::string draw(const expression& e) {
        std::string out;
        switch (e.type) {
            case kind::text:
                return encode_utf8(e.text);
            case kind::alternative:
                return draw(e.items[pick(e.items.size())]);
            case kind::permutation: {
                std::vector<std::size_t> order(e.items.size());
                for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
                std::ranges::shuffle(order, random);
                for (const std::size_t i : order) out += draw(e.items[i]);
                return out;
            }
            case kind::sequence:
                for (const auto& item : e.items) out += draw(item);
                return out;
            case kind::rule: {
                const template_text* body = rule(e.name);
                auto parsed = body == nullptr ? parse_template({"?", {}}) : parse_template(*body);
                return parsed ? draw(*parsed) : "?";
            }
            case kind::list:
                return list(e.name);
        }
        return out;
    }
};

struct setup {
    collection sentences;
    std::shared_ptr<const home> house;
    std::shared_ptr<const matcher> compiled;
};

const setup& shipped(std::size_t next_words) {
    static std::map<std::size_t, setup> made;
    setup& one = made[next_words];
    if (one.compiled) return one;
    auto sentences = load_shipped_collection("en");
    EXPECT_TRUE(sentences) << sentences.error().text();
    auto house = load_home(fs::path(LOQA_TEST_DATA) / "speech/home.yaml");
    EXPECT_TRUE(house) << house.error().text();
    auto compiled = matcher::compile(*sentences, *house, {.next_words = next_words});
    EXPECT_TRUE(compiled) << compiled.error().text();
    one = {std::move(*sentences), std::make_shared<const home>(std::move(*house)), std::move(*compiled)};
    return one;
}

std::vector<std::string> drawn_sentences(const setup& from, std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::pair<const sentence_block*, const template_text*>> templates;
    for (const auto& intent : from.sentences.intents)
        for (const auto& block : intent.blocks)
            for (const auto& text : block.sentences) templates.emplace_back(&block, &text);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i) {
        const auto& [block, text] = templates[random() % templates.size()];
        auto parsed = parse_template(*text);
        if (!parsed) continue;
        drawing draw{from.sentences, *block, *from.house, random};
        std::string sentence = encode_utf8(normalize_sentence(decode_utf8(draw.draw(*parsed))));
        if (!sentence.empty() && !sentence.contains('?')) out.push_back(std::move(sentence));
    }
    return out;
}

TEST(Properties, EveryBeginningOfASentenceCanGrow) {
    constexpr std::size_t all_words = 100'000, few_words = 64;
    const setup& every = shipped(all_words);
    const setup& few = shipped(few_words);
    const context where{.area = "Kitchen", .values = {}};
    std::size_t sentences = 0, beginnings = 0, told = 0, told_by_few = 0;
    for (const auto& sentence : drawn_sentences(every, 1'500, 7)) {
        const auto readings = every.compiled->match_all(sentence, where, 1);
        // A name of the wrong kind was drawn, or free text swallows it.
        if (readings.empty() || std::ranges::any_of(readings.front().slots, &slot::wildcard)) continue;
        ++sentences;
        EXPECT_TRUE(every.compiled->feed(sentence, where).complete) << sentence;
        const auto words = split(sentence, ' ');
        std::string so_far;
        for (std::size_t i = 0; i + 1 < words.size(); ++i) {
            so_far += (so_far.empty() ? "" : " ") + words[i];
            const progress got = every.compiled->feed(so_far, where);
            EXPECT_TRUE(got.can_grow) << "\"" << so_far << "\" of \"" << sentence << '"';
            ++beginnings;
            const auto has = [&](const progress& of) {
                const std::string next = encode_utf8(to_lower(decode_utf8(words[i + 1])));
                return of.open_text || std::ranges::any_of(of.next_words, [&](const std::string& word) {
                           return next.starts_with(word) || word.starts_with(next);
                       });
            };
            told += has(got) ? 1 : 0;
            told_by_few += has(few.compiled->feed(so_far, where)) ? 1 : 0;
        }
    }
    EXPECT_GT(sentences, 500u);
    const auto share = [&](std::size_t n) { return static_cast<double>(n) / static_cast<double>(beginnings); };
    fmt::print("{} sentences, {} beginnings: the next word is told for {:.1f} %, among {} for {:.1f} %\n", sentences,
               beginnings, 100 * share(told), few_words, 100 * share(told_by_few));
    EXPECT_GT(share(told), 0.95);
    EXPECT_GT(share(told_by_few), 0.9);
}

TEST(Properties, ManyThreadsUnderstandWhatOneDoes) {
    const setup& one = shipped(64);
    const interpreter all(one.compiled, one.house);
    std::vector<std::string> sentences{"turn on the redding lamp and the desk lamp", "set a time or four ten minutes",
                                       "turn off the kitchen lights in half an hour",
                                       "what is the temperature in the sauna"};
    for (const auto& sentence : drawn_sentences(one, 60, 11)) sentences.push_back(sentence);
    const auto text_of = [](const understood& got) {
        if (!got) return got.error().sentence();
        std::string out = got->question;
        for (const auto& each : got->commands) {
            out += each.what.intent;
            for (const auto& part : each.what.slots) out += part.name + to_string(part.value);
        }
        return out;
    };
    std::vector<std::string> expected;
    for (const auto& sentence : sentences) expected.push_back(text_of(all.understand(sentence)));
    std::atomic<int> wrong = 0;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                for (std::size_t i = 0; i < sentences.size(); ++i) {
                    const std::size_t at = (i * 7 + static_cast<std::size_t>(t) * 13) % sentences.size();
                    if (text_of(all.understand(sentences[at])) != expected[at]) ++wrong;
                    (void)one.compiled->feed(sentences[at]);
                }
            });
    }
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace loqa::intent
