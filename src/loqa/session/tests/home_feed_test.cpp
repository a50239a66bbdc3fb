// What others tell of the home on the bus: taken in, and answered.
#include "loqa/session/home_feed.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "loqa/base/ids.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {
namespace {

using nlohmann::json;
namespace subject = protocol::subject;

class HomeFeed : public testing::Test {
protected:
    void SetUp() override {
        fs::create_directories(folder_);
        home_ = house::simulated_home::open(folder_ / "events.db", {}, clock_, telemetry::logger::silent()).value();
        open();
    }
    void TearDown() override {
        feed_.reset();
        home_.reset();
        fs::remove_all(folder_);
    }
    void open() {
        feed_.reset();
        learned_ = house::learned_homes::open(folder_ / "home", telemetry::logger::silent()).value();
        feed_ = std::make_unique<home_feed>(*home_, *learned_, bus_, telemetry::logger::silent());
        const auto rebuild = [this] {
            ++rebuilt_;
            home_->rebuild(learned_->behind({}));
        };
        ASSERT_TRUE(feed_->start(rebuild));
        home_->rebuild(learned_->behind({}));
    }

    json tell(std::string_view on, const std::string& payload) {
        return json::parse(bus_.request(on, payload, seconds(5))->payload);
    }
    std::string state(std::string_view id) const {
        for (const auto& one : home_->snapshot()->entities)
            if (one.id == id) return one.state;
        return "not there";
    }

    const fs::path folder_ = fs::path(testing::TempDir()) / ("loqa-home-feed-" + random_hex(4));
    manual_clock clock_;
    bus::testing::fake_connection bus_;
    std::unique_ptr<house::simulated_home> home_;
    std::unique_ptr<house::learned_homes> learned_;
    std::unique_ptr<home_feed> feed_;
    int rebuilt_ = 0;
};

constexpr const char* lamp = R"({"source": "hub", "floors": [], "areas": [{"id": "attic", "name": "Attic"}],
    "entities": [{"id": "light.lamp", "name": "Lamp", "area": "attic", "state": "on",
                  "attributes": {"brightness": 40}}]})";

TEST_F(HomeFeed, WhatIsToldIsThereAlsoAfterARestart) {
    EXPECT_EQ(tell(subject::home_learn, lamp), json({{"entities", 1}}));
    EXPECT_EQ(rebuilt_, 1);
    EXPECT_EQ(state("light.lamp"), "on");
    EXPECT_EQ(home_->snapshot()->areas.at(0).name, "Attic");
    EXPECT_EQ(home_->snapshot()->entities.at(0).source, "hub");

    tell(subject::home_learn, lamp);
    EXPECT_EQ(rebuilt_, 1);  // nothing is called otherwise than before
    open();
    EXPECT_EQ(state("light.lamp"), "on");
}

TEST_F(HomeFeed, OnlyWhatChangedIsTakenUp) {
    tell(subject::home_learn, lamp);
    int changes = 0;
    home_->tell([&](const std::vector<intent::entity>& what) { changes += static_cast<int>(what.size()); });
    const auto update = [&](const std::string& things) {
        return tell(subject::home_update, R"({"entities": [)" + things + "]}");
    };
    EXPECT_EQ(update(R"({"id": "light.lamp", "state": "on", "attributes": {"brightness": 40}})")["changed"], 0);
    EXPECT_EQ(update(R"({"id": "light.nowhere", "state": "on"})")["changed"], 0);
    EXPECT_EQ(changes, 0);
    EXPECT_EQ(update(R"({"id": "light.lamp", "attributes": {"brightness": 70}})")["changed"], 1);
    EXPECT_EQ(state("light.lamp"), "on");
    EXPECT_EQ(home_->snapshot()->entities.at(0).attributes.at("brightness"), intent::slot_value(std::int64_t{70}));
    EXPECT_EQ(update(R"({"id": "light.lamp", "state": "off"})")["changed"], 1);
    EXPECT_EQ(state("light.lamp"), "off");
    EXPECT_EQ(changes, 2);
    EXPECT_EQ(rebuilt_, 1);

    // Told anew, what is told counts and not what was known before.
    tell(subject::home_learn, lamp);
    EXPECT_EQ(state("light.lamp"), "on");
}

TEST_F(HomeFeed, EachSourceHasItsOwnThings) {
    tell(subject::home_learn, lamp);
    tell(subject::home_learn, R"({"source": "other", "floors": [], "areas": [],
        "entities": [{"id": "light.stairs", "name": "Stairs", "state": "off"}]})");
    EXPECT_EQ(home_->snapshot()->entities.size(), 2U);
    tell(subject::home_learn, R"({"source": "hub", "floors": [], "areas": [], "entities": []})");
    EXPECT_EQ(state("light.lamp"), "not there");
    EXPECT_EQ(state("light.stairs"), "off");
    EXPECT_EQ(rebuilt_, 3);
}

TEST_F(HomeFeed, WhatCannotBeReadIsRefusedAndChangesNothing) {
    tell(subject::home_learn, lamp);
    for (const auto* unreadable : {"", "[]", "{}", R"({"source": ""})", R"({"source": 7, "entities": []})"})
        EXPECT_TRUE(tell(subject::home_learn, unreadable).contains("error")) << unreadable;
    for (const auto* unreadable :
         {"", "{}", R"({"entities": 7})", R"({"entities": [7]})", R"({"entities": [{"state": "off"}]})",
          R"({"entities": [{"id": "light.lamp", "state": "off"}, {"id": 7}]})"})
        EXPECT_TRUE(tell(subject::home_update, unreadable).contains("error")) << unreadable;
    EXPECT_EQ(state("light.lamp"), "on");
    EXPECT_EQ(rebuilt_, 1);
}

}  // namespace
}  // namespace loqa::session
