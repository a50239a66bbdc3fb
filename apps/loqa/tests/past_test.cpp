#include "../past.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../commands.hpp"

namespace loqa::cli {
namespace {

using nlohmann::json;
using testing::IsEmpty;
using testing::SizeIs;

json event(const std::string& trace, const std::string& type, json payload) {
    return {{"trace_id", trace}, {"type", type}, {"payload", std::move(payload)}};
}

const json start_ten{{"intent", "HassStartTimer"}, {"slots", {{"minutes", "10"}}}, {"later", false}};

TEST(Past, TurnsAreTakenTogetherByTheirTrace) {
    const auto turns = turns_of(
        {event("a", "turn.heard", {{"text", "set a timer"}}), event("b", "turn.heard", {{"text", ""}}),
         event("a", "turn.intent", {{"turn_id", "t1"}, {"area", "Kitchen"}, {"commands", json::array({start_ten})}}),
         event("c", "turn.heard", {{"text", "what time is it"}}),
         event("a", "turn.reply", {{"text", "Timer set."}, {"intent", "HassStartTimer"}}),
         event("c", "turn.ended", {{"intent", "HassGetCurrentTime"}}), event("b", "skill.log", "not an object")});
    ASSERT_THAT(turns, SizeIs(2)) << "in which something was said";
    EXPECT_EQ(turns[0].id, "t1");
    EXPECT_EQ(turns[0].heard, "set a timer");
    EXPECT_EQ(turns[0].area, "Kitchen");
    EXPECT_EQ(turns[0].reply, "Timer set.");
    EXPECT_EQ(turns[0].commands, json::array({start_ten}));
    EXPECT_EQ(turns[1].commands, json::parse(R"([{"intent":"HassGetCurrentTime"}])")) << "kept by an earlier version";
}

TEST(Past, DifferencesAreThoseOfMeaningAndWords) {
    const past_turn was{
        .heard = "set a timer", .reply = "Timer set.", .commands = json::array({start_ten}), .has_slots = true};
    const json same{{"understood", true},
                    {"commands", json::array({start_ten})},
                    {"reply", "Timer set."},
                    {"reply_depends", false}};
    EXPECT_THAT(differences(was, same), IsEmpty());

    auto other = same;
    other["commands"][0]["slots"]["minutes"] = "15";
    other["reply"] = "Timer set for 15.";
    const auto found = differences(was, other);
    ASSERT_THAT(found, SizeIs(2));
    EXPECT_EQ(found[0].what, "intent");
    EXPECT_EQ(found[0].was, "HassStartTimer minutes=10");
    EXPECT_EQ(found[0].is, "HassStartTimer minutes=15");
    EXPECT_EQ(found[1].what, "reply");

    const json lost{{"understood", false}, {"reason", "unknown_words"}, {"reply", "Sorry."}, {"reply_depends", false}};
    EXPECT_EQ(differences(was, lost).at(0).is, "nothing");
}

TEST(Past, AReplyThatDependsOnTheMomentIsExpectedToDiffer) {
    const past_turn was{
        .reply = "It is noon.", .commands = json::array({{{"intent", "HassGetCurrentTime"}}}), .has_slots = true};
    const json now{{"commands", json::array({{{"intent", "HassGetCurrentTime"}}})},
                   {"reply", "It is 1 PM."},
                   {"reply_depends", true}};
    const auto found = differences(was, now);
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_TRUE(found[0].expected);
    auto unknown = now;
    unknown.erase("reply");
    EXPECT_THAT(differences(was, unknown), IsEmpty());
}

TEST(Past, OfOlderTurnsTheFirstIntentIsCompared) {
    const past_turn was{.reply = "x", .commands = {{{"intent", "HassStartTimer"}}}};
    json now{{"commands", {start_ten, start_ten}}, {"reply", "x"}};
    EXPECT_THAT(differences(was, now), IsEmpty());
    now["commands"][0]["intent"] = "HassNevermind";
    EXPECT_THAT(differences(was, now), SizeIs(1));
}

TEST(Lengths, AreReadAsTheyAreWritten) {
    EXPECT_EQ(parse_length("90"), seconds(90));
    EXPECT_EQ(parse_length("90s"), seconds(90));
    EXPECT_EQ(parse_length("10m"), seconds(600));
    EXPECT_EQ(parse_length("1h30m"), seconds(5400));
    EXPECT_EQ(parse_length("-5m"), seconds(-300));
    for (const auto* wrong : {"", "-", "m", "10x", "soon", "99999999999999999999"})
        EXPECT_EQ(parse_length(wrong).error().code, errc::invalid_argument) << wrong;
}

}  // namespace
}  // namespace loqa::cli
