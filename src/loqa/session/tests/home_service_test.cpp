// The home on the bus: things are changed for whoever asks.
#include "loqa/session/home_service.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "loqa/base/ids.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {
namespace {

using nlohmann::json;

class HomeService : public testing::Test {
protected:
    void SetUp() override {
        fs::create_directories(folder_);
        intent::home built;
        built.entities = {{.id = "light.porch", .name = "Porch Light", .state = "off"},
                          {.id = "lock.door", .name = "Door", .state = "unlocked"}};
        home_ = house::simulated_home::open(folder_ / "events.db", built, clock_, telemetry::logger::silent()).value();
        service_ = home_service::start(*home_, bus_, clock_, telemetry::logger::silent(), metrics_).value();
    }
    void TearDown() override {
        service_.reset();
        home_.reset();
        fs::remove_all(folder_);
    }

    json act(const std::string& payload) {
        return json::parse(bus_.request(protocol::subject::home_act, payload, seconds(1))->payload);
    }

    const fs::path folder_ = fs::path(testing::TempDir()) / ("loqa-home-service-" + random_hex(4));
    manual_clock clock_;
    telemetry::metrics metrics_;
    bus::testing::fake_connection bus_;
    std::unique_ptr<house::simulated_home> home_;
    std::unique_ptr<home_service> service_;
};

TEST_F(HomeService, ChangesWhatItHasAndNamesWhatItDoesNotKnow) {
    const auto answer = act(R"({"changes": [
        {"id": "light.porch", "state": "on", "attributes": {"brightness": 40, "color": "red", "warm": true, "x": 0.5}},
        {"id": "light.nowhere", "state": "on"},
        {"id": "lock.door", "state": "locked"}]})");
    EXPECT_EQ(answer["done"], json({"light.porch", "lock.door"}));
    EXPECT_EQ(answer["unknown"], json({"light.nowhere"}));
    EXPECT_EQ(answer["failed"], json::array());
    const auto now = home_->snapshot();
    EXPECT_EQ(now->entities[0].state, "on");
    EXPECT_EQ(now->entities[0].attributes.at("brightness"), intent::slot_value(std::int64_t{40}));
    EXPECT_EQ(now->entities[1].state, "locked");
    EXPECT_EQ(bus_.published(protocol::subject::home_state).size(), 2u);
}

TEST_F(HomeService, WhatSomebodyToldOfIsLeftToWhoToldOfIt) {
    home_->rebuild({.floors = {},
                    .areas = {},
                    .entities = {{.id = "light.porch", .name = "Porch Light", .state = "off"},
                                 {.id = "light.attic", .name = "Attic Light", .state = "off", .source = "hub"}}});
    const auto answer =
        act(R"({"changes": [{"id": "light.porch", "state": "on"}, {"id": "light.attic", "state": "on"}]})");
    EXPECT_EQ(answer["done"], json({"light.porch"}));
    EXPECT_EQ(answer["failed"].at(0)["reason"], "no_skill");
    EXPECT_EQ(answer["failed"].at(0)["message"], "it belongs to hub, and no skill that controls it is running");

    ASSERT_TRUE(bus_.publish(protocol::subject::home_command, R"({"device": "Attic Light", "action": "on"})"));
    const auto status = json::parse(bus_.wait_for(protocol::subject::home_status).at(0).payload);
    EXPECT_EQ(status["state"], "failed");
    EXPECT_THAT(status.dump(), testing::HasSubstr("it belongs to hub"));
    EXPECT_EQ(home_->snapshot()->entities[1].state, "off");

    const auto shown = json::parse(bus_.request(protocol::subject::home_get, "{}", seconds(1))->payload)["entities"];
    EXPECT_FALSE(shown[0].contains("source"));
    EXPECT_EQ(shown[1]["source"], "hub");
}

TEST_F(HomeService, SaysWhatCannotBeRead) {
    for (const auto* unreadable : {"", "[]", "{}", R"({"changes": 7})"})
        EXPECT_EQ(act(unreadable)["error"]["code"], "invalid_message") << unreadable;
    const auto answer = act(R"({"changes": [7, {"state": "on"}, {"id": "light.porch", "attributes": {"a": []}}]})");
    EXPECT_EQ(answer["failed"].size(), 3u);
    EXPECT_EQ(home_->snapshot()->entities[0].state, "off");
}

}  // namespace
}  // namespace loqa::session
