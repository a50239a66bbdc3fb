#include "loqa/tts/standby.hpp"

#include <atomic>
#include <future>

#include <gtest/gtest.h>

namespace loqa::tts {
namespace {

class named_voice final : public voice {
public:
    explicit named_voice(std::string name, int rate) : name_(std::move(name)), rate_(rate) {}
    std::string name() const override { return name_; }
    int sample_rate_hz() const override { return rate_; }
    result<std::unique_ptr<speech>> speak(std::string_view) override {
        return fail(errc::engine_failed, "{} has nothing to say", name_);
    }

private:
    const std::string name_;
    const int rate_;
};

const error missing{errc::model_missing, "model file x cannot be read", "loqa models pull x"};

TEST(StandbyVoice, AnotherSpeaksUntilItIsBack) {
    named_voice plain("plain", 8'000);
    std::atomic<bool> there{false};
    std::atomic<int> tries{0};
    std::promise<std::string> back;
    std::promise<error> told;
    standby_voice both(
        [&]() -> result<std::unique_ptr<voice>> {
            ++tries;
            if (!there) return std::unexpected(missing);
            return std::make_unique<named_voice>("joe", 22'050);
        },
        plain, milliseconds(1), telemetry::logger::silent(),
        {.on_loaded = [&](const voice& loaded) { back.set_value(loaded.name()); },
         .on_failed = [&](const error& why) { told.set_value(why); }});
    both.start();
    EXPECT_EQ(told.get_future().get().code, errc::model_missing);
    EXPECT_EQ(both.name(), "plain");
    ASSERT_TRUE(both.lacking());
    EXPECT_EQ(both.lacking()->code, errc::model_missing);
    voice& in_use = both.current();
    while (tries < 3) std::this_thread::yield();

    there = true;
    EXPECT_EQ(back.get_future().get(), "joe");
    EXPECT_EQ(both.name(), "joe");
    EXPECT_FALSE(both.lacking());
    EXPECT_EQ(in_use.sample_rate_hz(), 8'000) << "what was begun with the plain voice is ended with it";
}

TEST(StandbyVoice, AnotherSpeaksWhileItIsLoadedForTheFirstTime) {
    named_voice plain("plain", 8'000);
    std::promise<void> loaded;
    std::promise<std::string> there;
    standby_voice both(
        [&, done = loaded.get_future().share()]() -> result<std::unique_ptr<voice>> {
            done.wait();
            return std::make_unique<named_voice>("joe", 22'050);
        },
        plain, seconds(3600), telemetry::logger::silent(),
        {.on_loaded = [&](const voice& voice) { there.set_value(voice.name()); }, .on_failed = {}});
    both.start();
    EXPECT_EQ(both.current().name(), "plain");
    ASSERT_TRUE(both.lacking());
    EXPECT_EQ(both.lacking()->code, errc::unavailable);
    loaded.set_value();
    EXPECT_EQ(there.get_future().get(), "joe");
    EXPECT_FALSE(both.lacking());
}

TEST(StandbyVoice, EndsWhileItWaits) {
    named_voice plain("plain", 8'000);
    std::promise<void> tried;
    standby_voice both([]() -> result<std::unique_ptr<voice>> { return std::unexpected(missing); }, plain,
                       seconds(3600), telemetry::logger::silent(),
                       {.on_loaded = {}, .on_failed = [&](const error&) { tried.set_value(); }});
    both.start();
    tried.get_future().wait();
}

}  // namespace
}  // namespace loqa::tts
