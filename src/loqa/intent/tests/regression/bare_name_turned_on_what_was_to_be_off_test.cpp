// The collection has a template that is a name and nothing else, and it turns things on. In "turn off the sink light
// and the table light", and in "the table light" said after "turn off the sink light", the name goes on with what was
// said before.
#include "loqa/intent/tests/house.hpp"
#include "loqa/intent/understanding.hpp"

namespace loqa::intent {
namespace {

using namespace std::chrono_literals;

TEST(BareName, GoesOnWithWhatWasSaidBefore) {
    collection all = testing_house::sentences();
    auto bare = parse_collection("intents: {HassTurnOn: {data: [{sentences: [\"[the] {name}\"]}]}}", "bare.yaml");
    ASSERT_TRUE(bare) << bare.error().text();
    all.merge(std::move(*bare));
    auto compiled = matcher::compile(all, testing_house::house());
    ASSERT_TRUE(compiled) << compiled.error().text();
    const interpreter with(*compiled, std::make_shared<home>(testing_house::house()));

    const auto alone = with.understand("the table light");
    ASSERT_TRUE(alone);
    EXPECT_EQ(testing_house::text_of(alone->commands.front().what), "HassTurnOn name=Table Light");

    const auto both = with.understand("turn off the sink light and the table light");
    ASSERT_TRUE(both);
    ASSERT_EQ(both->commands.size(), 2u);
    EXPECT_EQ(testing_house::text_of(both->commands[1].what), "HassTurnOff name=Table Light");

    const auto first = with.understand("turn off the sink light");
    ASSERT_TRUE(first);
    const auto then = with.understand("the table light", {}, {first->commands, steady_time{}}, steady_time{} + 5s);
    ASSERT_TRUE(then);
    EXPECT_EQ(testing_house::text_of(then->commands.front().what), "HassTurnOff name=Table Light");
}

}  // namespace
}  // namespace loqa::intent
