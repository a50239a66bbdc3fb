#include "loqa/stt/sentences.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>

#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::stt {
namespace {

constexpr std::string_view templates = R"(
language: en
intents:
  HassTurnOn:
    data:
      - sentences: ["turn on [the] {name}"]
)";

class Sentences : public ::testing::Test {
protected:
    // What loqad would say; "" and nobody answers.
    void answer_with(std::string home) {
        std::lock_guard lock(mutex_);
        home_ = std::move(home);
        if (loqad_) return;
        auto made = bus_.subscribe(protocol::subject::home_get, [this](const bus::message& asked) {
            std::string known;
            {
                std::lock_guard guard(mutex_);
                known = home_;
            }
            std::ignore = bus_.respond(asked, known);
            {
                std::lock_guard guard(mutex_);
                answered_.push_back(std::move(known));
            }
            has_answered_.notify_all();
        });
        loqad_ = std::move(*made);
    }
    // Twice: whoever asks again has read the first.
    bool was_answered_twice_with(const std::string& home) {
        std::unique_lock lock(mutex_);
        return has_answered_.wait_for(lock, seconds{20}, [&] { return std::ranges::count(answered_, home) >= 2; });
    }
    static std::string home_with(const std::string& name) {
        return R"({"floors": [], "areas": [], "entities": [{"id": "light.one", "name": ")" + name + R"("}]})";
    }

    void start() {
        made_ = std::make_unique<sentences>(
            bus_,
            [this] {
                ++loads_;
                return intent::parse_collection(templates, "a test");
            },
            sentences::options{.home_timeout = milliseconds{200}, .home_retry = milliseconds{20}},
            telemetry::logger::silent());
    }
    // Polls: compiling is done by a thread that tells nobody.
    bool becomes(std::string_view text, phrase form) {
        const auto deadline = std::chrono::steady_clock::now() + seconds{20};
        while (made_->judge(text) != form) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(milliseconds{2});
        }
        return true;
    }

    std::mutex mutex_;
    std::condition_variable has_answered_;
    std::string home_;
    std::vector<std::string> answered_;
    std::atomic<int> loads_ = 0;
    bus::testing::fake_connection bus_;
    std::unique_ptr<bus::subscription> loqad_;
    std::unique_ptr<sentences> made_;
};

TEST_F(Sentences, AreThereWithoutAHome) {
    start();
    EXPECT_TRUE(becomes("turn on the", phrase::open));
    EXPECT_NE(made_->judge("turn on the porch light"), phrase::complete);
}

TEST_F(Sentences, AreAboutTheHomeThatLoqadKnows) {
    answer_with(home_with("Porch Light"));
    start();
    EXPECT_TRUE(becomes("turn on the porch light", phrase::complete));
}

TEST_F(Sentences, AskAgainForAHomeThatNobodyKnewAtFirst) {
    start();
    ASSERT_TRUE(becomes("turn on the", phrase::open));
    answer_with(home_with("Porch Light"));
    EXPECT_TRUE(becomes("turn on the porch light", phrase::complete));
}

TEST_F(Sentences, AreMadeAnewWhenTheHomeChanges) {
    answer_with(home_with("Porch Light"));
    start();
    ASSERT_TRUE(becomes("turn on the porch light", phrase::complete));
    answer_with(home_with("Desk Lamp"));
    ASSERT_TRUE(bus_.publish(protocol::subject::home_changed, "{}"));
    EXPECT_TRUE(becomes("turn on the desk lamp", phrase::complete));
}

TEST_F(Sentences, AHomeThatCannotBeReadLeavesThemAsTheyWere) {
    answer_with(home_with("Porch Light"));
    start();
    ASSERT_TRUE(becomes("turn on the porch light", phrase::complete));
    answer_with("entities: 7");
    ASSERT_TRUE(bus_.publish(protocol::subject::home_changed, "{}"));
    ASSERT_TRUE(was_answered_twice_with("entities: 7"));
    EXPECT_EQ(made_->judge("turn on the porch light"), phrase::complete);
    answer_with(home_with("Desk Lamp"));
    EXPECT_TRUE(becomes("turn on the desk lamp", phrase::complete));
}

}  // namespace
}  // namespace loqa::stt
