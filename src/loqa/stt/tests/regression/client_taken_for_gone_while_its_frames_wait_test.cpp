// A second of sound that took long to hear made every other client look silent: its frames were there, but the silence
// was counted from the last one that had been heard. Each utterance then ended in pieces, as timeout or no_speech.
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/stt/service.hpp"
#include "loqa/stt/tests/fakes.hpp"

namespace loqa::stt {
namespace {

using ::testing::SizeIs;

// The first frame of all is heard only when it is let go.
class slow_to_begin final : public audio::voice_model {
public:
    std::unique_ptr<audio::voice_detector> start() override { return std::make_unique<detector>(*this); }
    void wait_until_busy() { busy_.get_future().wait(); }
    void let_go() { go_.set_value(); }

private:
    struct detector final : audio::voice_detector {
        explicit detector(slow_to_begin& owner) : owner_(owner), hears_(owner.loudness_.start()) {}
        result<std::optional<float>> score(audio::vad_frame frame) override {
            if (!std::exchange(owner_.begun_, true)) {
                owner_.busy_.set_value();
                owner_.go_.get_future().wait();
            }
            return hears_->score(frame);
        }
        void reset() override { hears_->reset(); }
        slow_to_begin& owner_;
        std::unique_ptr<audio::voice_detector> hears_;
    };

    testing::loudness loudness_;
    bool begun_ = false;  // of the one thread that hears
    std::promise<void> busy_, go_;
};

TEST(Regression, ClientTakenForGoneWhileItsFramesWait) {
    constexpr milliseconds client_timeout{100};
    bus::testing::fake_connection bus;
    const real_clock clock;
    telemetry::metrics metrics;
    telemetry::tracer tracer("stt", {}, metrics, telemetry::logger::silent());
    slow_to_begin voices;
    testing::stopwatch engine;
    service_options options;
    options.session.interim = false;
    options.session.client_timeout = client_timeout;
    auto service = service::start(engine, voices, options, {bus, clock, metrics, tracer, telemetry::logger::silent()});
    ASSERT_TRUE(service) << service.error().text();

    const auto send = [&](const std::string& session, std::int64_t sequence, bool last) {
        const protocol::audio_frame frame{session, sequence, 16'000, 1, testing::sound(true, milliseconds{64}), last};
        ASSERT_TRUE(bus.publish("audio.frame", protocol::encode(frame)));
    };
    send("slow", 0, false);
    voices.wait_until_busy();
    for (std::int64_t i = 0; i < 10; ++i) send("waits", i, i == 9);
    std::this_thread::sleep_for(5 * client_timeout);  // this delay is the fault's cause: it has no event
    voices.let_go();

    // Both sessions end, and the one whose frames waited does so once and whole.
    ASSERT_THAT(bus.wait_for("stt.text.final", 2), SizeIs(2));
    service->reset();
    std::vector<std::string> waits;
    for (const auto& each : bus.wait_for("stt.text.final", 2)) {
        const auto said = *protocol::decode<protocol::transcript>(each.payload);
        if (said.session_id == "waits") waits.push_back(said.text + " " + said.reason);
    }
    EXPECT_THAT(waits, ::testing::ElementsAre("640 ms client_final"));
}

}  // namespace
}  // namespace loqa::stt
