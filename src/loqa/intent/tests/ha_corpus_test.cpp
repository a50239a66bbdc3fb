// Home Assistant's own English tests: every sentence gives exactly the intent and the slots that its author expected.
// The corpus is not part of the project: LOQA_HA_CORPUS names its folder, or it stands in
// ../shared/corpora/ha-intents-en beside the checkout.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "loqa/intent/document.hpp"
#include "loqa/intent/matcher.hpp"

namespace loqa::intent {
namespace {

fs::path corpus_folder() {
    if (const char* set = std::getenv("LOQA_HA_CORPUS")) return set;
    return fs::path(LOQA_SHARE).parent_path().parent_path() / "shared/corpora/ha-intents-en";
}

// Numbers compare as numbers; where the test lists several values, any of them will do.
bool fits(const slot_value& got, const document& expected) {
    if (expected.type == document::kind::list)
        return std::ranges::any_of(expected.items, [&](const document& one) { return fits(got, one); });
    if (const document* value = expected.find("value")) return fits(got, *value);
    return to_string(got) == to_string(expected.value());
}

TEST(HaCorpus, EverySentenceMeansWhatItsAuthorExpected) {
    const fs::path folder = corpus_folder();
    if (!fs::exists(folder / "collection.json")) GTEST_SKIP() << "no corpus in " << folder << "; set LOQA_HA_CORPUS";
    auto sentences = load_collection(folder / "collection.json");
    ASSERT_TRUE(sentences) << sentences.error().text();
    auto house = load_home(folder / "_fixtures.yaml");
    ASSERT_TRUE(house) << house.error().text();
    auto compiled = matcher::compile(*sentences, *house);
    ASSERT_TRUE(compiled) << compiled.error().text();

    std::size_t exact = 0, all = 0;
    for (const auto& file : fs::directory_iterator(folder / "tests")) {
        auto tests = parse_document(*read_file(file.path()), file.path().string());
        ASSERT_TRUE(tests) << tests.error().text();
        for (const auto& test : tests->find("tests")->items) {
            const document& intent = *test.find("intent");
            context where;
            if (const document* known = intent.find("context"))
                for (const auto& [key, value] : known->members) where.values[key] = value.value();
            for (const auto& sentence : test.find("sentences")->items) {
                ++all;
                const answer got = (*compiled)->match(sentence.scalar, where);
                const document* slots = intent.find("slots");
                const std::size_t expected_slots = slots == nullptr ? 0 : slots->members.size();
                bool good = got && got->intent == intent.find("name")->scalar && got->slots.size() == expected_slots;
                for (std::size_t i = 0; good && i < expected_slots; ++i) {
                    const auto& [name, value] = slots->members[i];
                    const slot* found = got->find(name);
                    good = found != nullptr && fits(found->value, value);
                }
                exact += good ? 1 : 0;
                EXPECT_TRUE(good) << to_string(sentence.where) << ": \"" << sentence.scalar << "\" gave "
                                  << (got ? got->intent + " by " + got->sentence_template : got.error().sentence());
            }
        }
    }
    RecordProperty("exact", static_cast<int>(exact));
    RecordProperty("sentences", static_cast<int>(all));
    EXPECT_GT(all, 0u);
}

}  // namespace
}  // namespace loqa::intent
