// Against a real nats-server: what the project relies on is the pair, not the client alone.
#include <algorithm>
#include <csignal>
#include <iterator>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/bus/embedded_server.hpp"

namespace loqa::bus {
namespace {

constexpr seconds patience{10};
steady_time soon() { return std::chrono::steady_clock::now() + patience; }

class Bus : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder = fs::path(testing::TempDir()) / ("loqa-bus-" + random_hex(4));
        auto started = embedded_server::start({.data_folder = folder}, telemetry::logger::silent());
        ASSERT_TRUE(started) << started.error().text();
        server = std::move(*started);
    }
    static void TearDownTestSuite() {
        server.reset();
        fs::remove_all(folder);
    }

    static std::unique_ptr<connection> open(role r, on_state_change on_change = {}, std::size_t pending = 4096) {
        auto made = connect({.servers = {server->server()},
                             .name = "test",
                             .username = server->username(r),
                             .password = server->password(r),
                             .ping_interval = seconds(1),
                             .pending_messages = pending},
                            telemetry::logger::silent(), metrics, std::move(on_change));
        EXPECT_TRUE(made) << made.error().text();
        return made ? std::move(*made) : nullptr;
    }

    static inline fs::path folder;
    static inline std::unique_ptr<embedded_server> server;
    static inline telemetry::metrics metrics;
};

TEST_F(Bus, AMessageArrivesWithItsHeadersAndBytes) {
    auto a = open(role::core);
    auto b = open(role::core);
    bounded_queue<message> got(4, overflow::reject_newest);
    auto subscription = b->subscribe("x.*", [&](message m) { got.push(std::move(m)); });
    ASSERT_TRUE(subscription && b->flush(patience));
    const std::string bytes("\0\1\xff", 3);
    ASSERT_TRUE(a->publish("x.y", bytes, {{"Loqa-Turn", "t"}, {"traceparent", "two\r\nlines"}}));
    const auto m = got.pop_until(soon());
    ASSERT_TRUE(m);
    EXPECT_EQ(m->subject, "x.y");
    EXPECT_EQ(m->payload, bytes);
    EXPECT_EQ(protocol::find(m->headers, "loqa-turn"), "t");
    EXPECT_EQ(protocol::find(m->headers, "traceparent"), "two  lines");
}

TEST_F(Bus, OneOfAGroupGetsEachMessage) {
    auto a = open(role::core);
    auto b = open(role::core);
    bounded_queue<int> got(200, overflow::reject_newest);
    auto first = a->subscribe("work", "g", [&](message) { got.push(1); });
    auto second = b->subscribe("work", "g", [&](message) { got.push(2); });
    auto end = a->subscribe("end", [&](message) { got.push(0); });
    ASSERT_TRUE(a->flush(patience) && b->flush(patience));
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(a->publish("work", ""));
    int count = 0;
    for (; count < 100; ++count) ASSERT_TRUE(got.pop_until(soon()));
    ASSERT_TRUE(a->flush(patience) && b->flush(patience));
    EXPECT_EQ(got.try_pop(), std::nullopt);
}

TEST_F(Bus, ARequestIsAnsweredOrSaysWhyNot) {
    auto a = open(role::core);
    auto b = open(role::core);
    auto echo = b->subscribe("echo", "g", [&](const message& m) { ASSERT_TRUE(b->respond(m, m.payload + "!")); });
    auto mute = b->subscribe("mute", "g", [](const message&) {});
    ASSERT_TRUE(b->flush(patience));
    EXPECT_EQ(a->request("echo", "hi", patience).value().payload, "hi!");
    EXPECT_EQ(a->request("mute", "", milliseconds(20)).error().code, errc::timed_out);
    EXPECT_EQ(a->request("nobody", "", patience).error().code, errc::unavailable);
}

TEST_F(Bus, ARoleCannotSayWhatIsNotItsToSay) {
    auto core = open(role::core);
    auto client = open(role::client);
    bounded_queue<std::string> got(4, overflow::reject_newest);
    auto status = core->subscribe("ctrl.component.status.*", [&](const message&) { got.push("forged"); });
    auto allowed = core->subscribe("tts.request", [&](message m) { got.push(m.subject); });
    ASSERT_TRUE(core->flush(patience));
    ASSERT_TRUE(client->publish("ctrl.component.status.stt", "{}"));
    ASSERT_TRUE(client->publish("tts.request", "{}"));
    EXPECT_EQ(got.pop_until(soon()), "tts.request");
}

TEST_F(Bus, WrongCredentialsAreAnErrorThatSaysWhereToLook) {
    const auto refused =
        connect({.servers = {server->server()}, .name = "test", .username = "core", .password = "guess"},
                telemetry::logger::silent(), metrics);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::not_permitted);
    EXPECT_NE(refused.error().hint.find("bus.password"), std::string::npos);
    EXPECT_EQ(refused.error().text().find("guess"), std::string::npos);
}

TEST_F(Bus, NobodyListeningIsAnErrorWithoutTheSecretsOfTheUrl) {
    const auto refused =
        connect({.servers = {"nats://user:secret@127.0.0.1:1"}, .name = "test", .connect_timeout = milliseconds(500)},
                telemetry::logger::silent(), metrics);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::unavailable);
    EXPECT_NE(refused.error().message.find("nats://127.0.0.1:1"), std::string::npos);
    EXPECT_EQ(refused.error().text().find("secret"), std::string::npos);
}

TEST_F(Bus, AKilledServerComesBackAndSubscriptionsWithIt) {
    bounded_queue<link> changes(8, overflow::reject_newest);
    auto a = open(role::core, [&](link l) { changes.push(l); });
    bounded_queue<std::string> got(8, overflow::reject_newest);
    auto subscription = a->subscribe("after", [&](message m) { got.push(m.payload); });
    ASSERT_TRUE(a->flush(patience));
    ::kill(server->pid(), SIGKILL);
    EXPECT_EQ(changes.pop_until(soon()), link::down);
    EXPECT_EQ(changes.pop_until(soon()), link::up);
    ASSERT_TRUE(a->publish("after", "again"));
    EXPECT_EQ(got.pop_until(soon()), "again");
}

TEST_F(Bus, WhatAHandlerIsTooSlowForIsCounted) {
    auto a = open(role::core, {}, 4);
    bounded_queue<int> gate(1, overflow::reject_newest);
    bounded_queue<int> handled(64, overflow::reject_newest);
    bool first = true;
    auto slow = a->subscribe("slow", [&](const message&) {
        if (std::exchange(first, false)) gate.pop_until(soon());
        handled.push(1);
    });
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(a->publish("slow", ""));
    ASSERT_TRUE(a->flush(patience));
    gate.push(1);
    const auto& dropped = metrics.counter("loqa_bus_dropped_total", "Messages that came faster than they were handled",
                                          {{"subject", "slow"}});
    while (dropped.value() == 0 && handled.pop_until(soon())) {
    }
    EXPECT_GT(dropped.value(), 0);
}

TEST_F(Bus, AMessageAboveTheServersLimitIsTooLong) {
    auto a = open(role::core);
    EXPECT_EQ(a->publish("x.big", std::string(3u << 20, 'x')).error().code, errc::too_long);
}

TEST_F(Bus, ATakenPortIsAnErrorThatSaysWhatToDo) {
    const int port = std::stoi(server->server().substr(server->server().rfind(':') + 1));
    const auto second =
        embedded_server::start({.data_folder = folder / "second", .port = port}, telemetry::logger::silent());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::already_exists);
    EXPECT_NE(second.error().hint.find("bus.port"), std::string::npos);
}

TEST_F(Bus, AMissingBinaryIsAnErrorThatNamesIt) {
    const auto none = embedded_server::start({.data_folder = folder / "none", .binary = "/no/nats-server"},
                                             telemetry::logger::silent());
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, errc::not_found);
    EXPECT_NE(none.error().message.find("/no/nats-server"), std::string::npos);
}

TEST_F(Bus, TheInstanceFilesAreForTheOwnerAloneAndSayWhenNothingRuns) {
    ASSERT_TRUE(write_bus_info(folder, "nats://client:x@127.0.0.1:1", ::getpid()));
    ASSERT_TRUE(write_http_info(folder, "http://127.0.0.1:2"));
    EXPECT_EQ(read_instance_info(folder).value().http_url, "http://127.0.0.1:2");
    EXPECT_EQ(fs::status(folder / "run" / "bus.json").permissions(), fs::perms::owner_read | fs::perms::owner_write);
    remove_instance_info(folder);
    EXPECT_EQ(read_instance_info(folder).error().code, errc::not_found);
}

// ── Work that the server keeps
// ────────────────────────────────────────────────────────────────────────────────────────

TEST_F(Bus, KeptWorkComesAgainUntilItIsDone) {
    auto taker = open(role::core);
    auto giver = open(role::client);
    const work_options options{.name = "jobs", .subjects = {"skill.jobs.*"}, .patience = milliseconds(1000)};
    auto queue = taker->work(options);
    ASSERT_TRUE(queue) << queue.error().text();
    ASSERT_TRUE(giver->publish("skill.jobs.one", "1", {{"Loqa-Turn", "t"}}));
    ASSERT_TRUE(giver->publish("skill.jobs.two", "2"));
    ASSERT_TRUE(giver->flush(patience));

    std::vector<std::shared_ptr<work_item>> taken;
    while (taken.size() < 2) {
        auto some = (*queue)->take(2, seconds(5));
        ASSERT_TRUE(some) << some.error().text();
        ASSERT_FALSE(some->empty());
        std::ranges::move(*some, std::back_inserter(taken));
    }
    EXPECT_EQ(taken[0]->what().payload, "1");
    EXPECT_EQ(protocol::find(taken[0]->what().headers, "Loqa-Turn"), "t");
    EXPECT_TRUE(taken[0]->what().reply.empty());
    EXPECT_EQ(taken[0]->attempt(), 1);
    const auto id = taken[0]->id();
    EXPECT_NE(id, taken[1]->id());
    ASSERT_TRUE(taken[0]->again(milliseconds(10)));
    ASSERT_TRUE(taken[1]->done());
    taken.clear();

    // Another process takes over what this one let go of, under the same id.
    auto other = open(role::core);
    queue->reset();
    auto second = other->work(options);
    ASSERT_TRUE(second) << second.error().text();
    auto again = (*second)->take(1, seconds(5));
    ASSERT_TRUE(again && again->size() == 1);
    EXPECT_EQ(again->front()->id(), id);
    EXPECT_EQ(again->front()->attempt(), 2);
    again->clear();  // without a word, as by a process that was killed
    again = (*second)->take(1, seconds(5));
    ASSERT_TRUE(again && again->size() == 1);
    EXPECT_EQ(again->front()->attempt(), 3);
    ASSERT_TRUE(again->front()->done());
    again = (*second)->take(1, milliseconds(1500));
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_TRUE(again->empty());
}

TEST_F(Bus, OfTwoQueuesOneHasASubject) {
    auto bus = open(role::core);
    const auto first = bus->work({.name = "first", .subjects = {"skill.shared"}});
    ASSERT_TRUE(first) << first.error().text();
    const auto second = bus->work({.name = "second", .subjects = {"skill.shared"}});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::already_exists);
    // The same again with other subjects is the same queue.
    EXPECT_TRUE(bus->work({.name = "first", .subjects = {"skill.shared", "skill.more"}}));
}

}  // namespace
}  // namespace loqa::bus
