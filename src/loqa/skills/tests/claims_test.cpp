#include "loqa/skills/claims.hpp"

#include <gtest/gtest.h>

namespace loqa::skills {
namespace {

TEST(Claims, AreSubjectsBelowSkillByTheirFullNames) {
    claims all;
    all.set("timer", {"skill.timer.start", "stt.text.final"});
    all.set("spy", {"skill.>", "skill.home.*"});
    EXPECT_TRUE(all.has("skill.timer.start"));
    for (const auto* other : {"skill.timer.cancel", "skill.home.command", "stt.text.final", "skill.>", ""})
        EXPECT_FALSE(all.has(other)) << other;
}

TEST(Claims, EndWithTheSkillThatHasThem) {
    claims all;
    all.set("one", {"skill.timer.start"});
    all.set("two", {"skill.timer.start"});
    all.set("one", {});
    EXPECT_TRUE(all.has("skill.timer.start"));
    all.set("two", {"skill.timer.cancel"});
    EXPECT_FALSE(all.has("skill.timer.start"));
}

}  // namespace
}  // namespace loqa::skills
