// The conductor on a bus in memory, with the real clock: who does the work, and what happens when nobody brings any.
#include "loqa/session/service.hpp"

#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {
namespace {

namespace subject = protocol::subject;

class Service : public testing::Test {
protected:
    void SetUp() override {
        fs::create_directories(folder_);
        events_ = store::event_store::open({.path = folder_ / "events.db"}, clock_, log_, metrics_).value();
        timers_ = timers::timer_service::open(folder_ / "timers.db", clock_, log_).value();
        sentences_ = intent::live_interpreter::start({}, std::make_shared<const intent::home>()).value();
        service_ = service::start({.tts_timeout = milliseconds(500), .max_active_turns = 1000},
                                  {.clock = clock_,
                                   .bus = bus_,
                                   .timers = *timers_,
                                   .store = *events_,
                                   .tracer = tracer_,
                                   .metrics = metrics_,
                                   .log = log_},
                                  *sentences_)
                       .value();
    }
    void TearDown() override {
        service_->stop();
        timers_.reset();
        service_.reset();
        events_.reset();
        fs::remove_all(folder_);
    }

    void say(const std::string& session, const std::string& text) {
        ASSERT_TRUE(bus_.publish(subject::stt_final,
                                 protocol::encode(protocol::transcript{.session_id = session, .text = text})));
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa_session_" + random_hex(8));
    real_clock clock_;
    bus::testing::fake_connection bus_;
    telemetry::logger log_ = telemetry::logger::silent();
    telemetry::metrics metrics_;
    telemetry::tracer tracer_{"test", {}, metrics_, log_};
    std::unique_ptr<store::event_store> events_;
    std::unique_ptr<timers::timer_service> timers_;
    std::unique_ptr<intent::live_interpreter> sentences_;
    std::unique_ptr<service> service_;
};

TEST_F(Service, AnswersWhileTheMessageIsDelivered) {
    say("s", "what time is it");
    EXPECT_EQ(bus_.published(subject::tts_request).size(), 1U);
}

TEST_F(Service, DoesWhatIsDueWhenNobodyBringsAnything) {
    say("s", "what time is it");
    EXPECT_EQ(bus_.wait_for(subject::session_ended).size(), 1U);
}

TEST_F(Service, LosesNothingThatComesFromSeveralThreads) {
    constexpr int each = 50;
    {
        std::vector<std::jthread> clients;
        for (int client = 0; client < 4; ++client)
            clients.emplace_back([&, client] {
                for (int i = 0; i < each; ++i) say(fmt::format("{}-{}", client, i), "what time is it");
            });
    }
    EXPECT_EQ(bus_.wait_for(subject::tts_request, 4 * each, seconds(120)).size(), 4U * each);
}

TEST_F(Service, RingsAndStops) {
    ASSERT_TRUE(timers_->start({.duration = seconds(1)}));
    ASSERT_EQ(bus_.wait_for(subject::tts_request).size(), 1U);
    service_->stop();
    EXPECT_EQ(bus_.published(subject::session_ended).size(), 1U);
    say("s", "what time is it");
    EXPECT_EQ(bus_.published(subject::tts_request).size(), 1U);
}

}  // namespace
}  // namespace loqa::session
