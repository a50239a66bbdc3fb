#include "loqa/telemetry/metrics.hpp"

#include <limits>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "loqa/telemetry/tests/raw_http.hpp"

namespace loqa::telemetry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, TextIsWhatPrometheusReads) {
    metrics all;
    all.counter("loqa_errors_total", "Errors by kind.", {{"kind", "timed_out"}}).add(3);
    all.gauge("loqa_queue_depth", "Messages waiting.").set(7.5);
    auto& latency =
        all.histogram("loqa_voice_latency_ms", "End of speech to sound.", latency_buckets_ms, {{"stage", "stt"}});
    latency.observe(42);
    latency.observe(20'000);
    EXPECT_THAT(all.text(),
                AllOf(HasSubstr("# HELP loqa_errors_total Errors by kind.\n# TYPE loqa_errors_total counter\n"
                                "loqa_errors_total{kind=\"timed_out\"} 3\n"),
                      HasSubstr("# TYPE loqa_queue_depth gauge\nloqa_queue_depth 7.5\n"),
                      HasSubstr("loqa_voice_latency_ms_bucket{stage=\"stt\",le=\"20\"} 0\n"),
                      HasSubstr("loqa_voice_latency_ms_bucket{stage=\"stt\",le=\"50\"} 1\n"),
                      HasSubstr("loqa_voice_latency_ms_bucket{stage=\"stt\",le=\"10000\"} 1\n"),
                      HasSubstr("loqa_voice_latency_ms_bucket{stage=\"stt\",le=\"+Inf\"} 2\n"),
                      HasSubstr("loqa_voice_latency_ms_count{stage=\"stt\"} 2\n"),
                      HasSubstr("loqa_voice_latency_ms_sum{stage=\"stt\"} 20042\n")));
}

TEST(Metrics, LabelValuesAreEscaped) {
    metrics all;
    all.gauge("loqa_g", "", {{"l", "a\"b\\c\nd"}}).set(1);
    EXPECT_THAT(all.text(), HasSubstr(R"(loqa_g{l="a\"b\\c\nd"} 1)"));
}

TEST(Metrics, SameNameAndLabelsAreTheSameMetric) {
    metrics all;
    counter& first = all.counter("loqa_n_total", "Help.", {{"a", "1"}});
    counter& other = all.counter("loqa_n_total", "Help.", {{"a", "2"}});
    EXPECT_EQ(&first, &all.counter("loqa_n_total", "Help.", {{"a", "1"}}));
    EXPECT_NE(&first, &other);
    first.add();
    first.add();
    EXPECT_EQ(first.value(), 2);
    EXPECT_EQ(other.value(), 0);
}

TEST(Metrics, AddFromManyThreadsWhileScraped) {
    metrics all;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&all] {
                for (int n = 0; n < 1000; ++n) {
                    all.counter("loqa_n_total", "n").add();
                    all.histogram("loqa_h_ms", "h", latency_buckets_ms).observe(n);
                }
            });
        }
        for (int n = 0; n < 20; ++n) all.text();
    }
    EXPECT_EQ(all.counter("loqa_n_total", "n").value(), 4000);
    EXPECT_THAT(all.text(), HasSubstr("loqa_h_ms_count 4000\n"));
}

using MetricsDeathTest = ::testing::Test;

TEST(MetricsDeathTest, NameTakenByAnotherKindIsAFaultOfTheProgram) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    metrics all;
    all.counter("loqa_n", "n");
    EXPECT_DEATH(all.gauge("loqa_n", "n"), "metric loqa_n cannot be registered");
    EXPECT_DEATH(all.gauge("loqa-n", "n"), "metric loqa-n cannot be registered");
}

TEST(MetricsServer, AnswersUntilDestroyed) {
    metrics all;
    all.counter("loqa_n_total", "n").add(5);
    auto server = metrics_server::start(all, "127.0.0.1:0");
    ASSERT_TRUE(server) << server.error().text();
    const int port = (*server)->port();
    const auto answer = raw_http::get(port, "/metrics");
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.head, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
    EXPECT_EQ(answer.body, all.text());
    EXPECT_EQ(raw_http::get(port, "/").status, 404);
    EXPECT_EQ(raw_http::talk(port, "POST /metrics HTTP/1.1\r\n\r\n").status, 405);
    server->reset();
    EXPECT_FALSE(raw_http::connection(port).connected());
}

TEST(MetricsServer, BusyPortNamesThePortAndTheKey) {
    metrics all;
    auto first = metrics_server::start(all, "127.0.0.1:0");
    ASSERT_TRUE(first);
    const int port = (*first)->port();
    const auto second = metrics_server::start(all, fmt::format("127.0.0.1:{}", port - 1), 1);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::already_exists);
    EXPECT_THAT(second.error().message,
                AllOf(HasSubstr(fmt::format("127.0.0.1:{}", port)), HasSubstr("telemetry.prometheus_bind")));
    EXPECT_THAT(second.error().hint, HasSubstr("another port"));
}

TEST(MetricsServer, EmptyListensNowhere) {
    metrics all;
    const auto server = metrics_server::start(all, "", 2);
    ASSERT_TRUE(server);
    EXPECT_EQ((*server)->port(), 0);
}

TEST(MetricsServer, ColonAloneMeansAllInterfaces) {
    metrics all;
    const auto server = metrics_server::start(all, ":0", 3);
    ASSERT_TRUE(server) << server.error().text();
    EXPECT_EQ(raw_http::get((*server)->port(), "/metrics").status, 200);
}

class MetricsBind : public ::testing::TestWithParam<const char*> {};

TEST_P(MetricsBind, ThatCannotBeReadIsAConfigError) {
    metrics all;
    const auto server = metrics_server::start(all, GetParam(), 1);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, errc::invalid_config);
    EXPECT_THAT(server.error().message, HasSubstr("telemetry.prometheus_bind"));
    EXPECT_THAT(server.error().hint, Not(::testing::IsEmpty()));
}

INSTANTIATE_TEST_SUITE_P(Metrics, MetricsBind,
                         ::testing::Values("9091", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536",
                                           "127.0.0.1:-1", "::1:9091", "127.0.0.1:65535", "no such host:9091"));

}  // namespace
}  // namespace loqa::telemetry
