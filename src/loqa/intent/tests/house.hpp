// The small house that the tests of this module speak about.
#pragma once

#include <gtest/gtest.h>

#include "loqa/intent/matcher.hpp"

namespace loqa::intent::testing_house {

inline collection sentences() {
    auto read = load_collection(fs::path(LOQA_TEST_DATA) / "house.yaml");
    EXPECT_TRUE(read) << read.error().text();
    return read ? *read : collection{};
}

inline home house() {
    auto read = load_home(fs::path(LOQA_TEST_DATA) / "house_home.yaml");
    EXPECT_TRUE(read) << read.error().text();
    return read ? *read : home{};
}

inline std::shared_ptr<const matcher> compiled() {
    auto made = matcher::compile(sentences(), house());
    EXPECT_TRUE(made) << made.error().text();
    return made ? *made : nullptr;
}

inline std::string text_of(const recognized& r) {
    std::map<std::string, std::string> slots;
    for (const auto& one : r.slots) slots[one.name] = to_string(one.value);
    std::string out = r.intent;
    for (const auto& [name, value] : slots) out += " " + name + "=" + value;
    return out;
}

}  // namespace loqa::intent::testing_house
