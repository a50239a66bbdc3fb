// What others tell of the home: kept, put behind the file, and harmless as a name in a sentence template.
#include "loqa/house/learned.hpp"

#include <gmock/gmock.h>

#include "loqa/base/ids.hpp"

namespace loqa::house {
namespace {

using testing::ElementsAre;

constexpr std::string_view told = R"json({"source": "hub",
  "floors": [{"id": "ground", "name": "Ground floor"}],
  "areas": [{"id": "kitchen", "name": "Kitchen", "floor": "ground", "aliases": ["the (big) kitchen"]}],
  "entities": [{"id": "light.kitchen", "name": "Ceiling [new]", "area": "kitchen", "state": "on",
                "attributes": {"brightness": 50}},
               {"id": "no_domain", "name": "Nothing"}, {"id": "light.nameless", "name": "()"}]})json";

class Learned : public testing::Test {
protected:
    void SetUp() override { open(); }
    void TearDown() override { fs::remove_all(folder); }
    void open() {
        auto made = learned_homes::open(folder, telemetry::logger::silent());
        ASSERT_TRUE(made) << made.error().text();
        homes = std::move(*made);
    }
    fs::path folder = fs::path(testing::TempDir()) / ("loqa-learned-" + random_hex(4));
    std::unique_ptr<learned_homes> homes;
};

TEST_F(Learned, NamesArePlainText) {
    const auto home = parse_learned(told).value();
    ASSERT_EQ(home.entities.size(), 1U);
    EXPECT_EQ(home.entities[0].name, "Ceiling  new");
    EXPECT_EQ(home.entities[0].state, "on");
    EXPECT_THAT(home.areas[0].aliases, ElementsAre("the  big  kitchen"));
    EXPECT_FALSE(parse_learned("{"));
}

TEST_F(Learned, IsKeptUntilItsSourceTellsOfNothing) {
    EXPECT_TRUE(homes->learn("hub", parse_learned(told).value()).value());
    EXPECT_FALSE(homes->learn("hub", parse_learned(told).value()).value());  // the same names
    open();
    EXPECT_FALSE(homes->empty());
    intent::home first;
    first.entities.push_back({.id = "light.kitchen", .name = "Mine", .area = {}, .aliases = {}, .state = {}});
    const auto all = homes->behind(first);
    ASSERT_EQ(all.entities.size(), 1U);
    EXPECT_EQ(all.entities[0].name, "Mine");
    EXPECT_EQ(all.entities[0].source, "");
    EXPECT_EQ(homes->behind({}).entities.at(0).source, "hub");
    EXPECT_EQ(all.areas.size(), 1U);
    EXPECT_TRUE(homes->learn("hub", {}).value());
    open();
    EXPECT_TRUE(homes->empty());
}

TEST_F(Learned, ABrokenFileIsLeftOut) {
    ASSERT_TRUE(write_file_atomically(folder / "broken.json", "{"));
    open();
    EXPECT_TRUE(homes->empty());
}

}  // namespace
}  // namespace loqa::house
