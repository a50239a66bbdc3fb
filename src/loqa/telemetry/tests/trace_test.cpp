#include "loqa/telemetry/trace.hpp"

#include <future>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>

namespace loqa::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr auto trace_id = "0af7651916cd43dd8448eb211c80319c";
constexpr auto span_id = "b7ad6b7169203331";

struct header_case {
    std::string_view name, header;
    bool valid, sampled;
};

class Traceparent : public ::testing::TestWithParam<header_case> {};

TEST_P(Traceparent, IsReadAsW3cSays) {
    const auto context = parse_traceparent(GetParam().header);
    ASSERT_EQ(context.has_value(), GetParam().valid);
    if (!context) return;
    EXPECT_EQ(context->trace_id, trace_id);
    EXPECT_EQ(context->span_id, span_id);
    EXPECT_EQ(context->sampled, GetParam().sampled);
}

INSTANTIATE_TEST_SUITE_P(
    Trace, Traceparent,
    ::testing::Values(
        header_case{"sampled", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true, true},
        header_case{"not_sampled", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true, false},
        header_case{"unknown_flags", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0a", true, false},
        header_case{"later_version", "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", true, true},
        header_case{"longer_first_version", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", false,
                    false},
        header_case{"later_version_without_dash", "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", false,
                    false},
        header_case{"forbidden_version", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
        header_case{"upper_case", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false, false},
        header_case{"no_trace", "00-00000000000000000000000000000000-b7ad6b7169203331-01", false, false},
        header_case{"no_parent", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false, false},
        header_case{"short_trace", "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", false, false},
        header_case{"empty", "", false, false}, header_case{"words", "hello", false, false}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Trace, ContextSurvivesTheHeader) {
    const auto context = new_trace();
    const auto read = parse_traceparent(to_traceparent(context));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->trace_id, context.trace_id);
    EXPECT_EQ(read->span_id, context.span_id);
    EXPECT_TRUE(read->sampled);
    EXPECT_NE(context.trace_id, new_trace().trace_id);
}

span example_span() {
    return {.trace_id = trace_id,
            .span_id = span_id,
            .parent_span_id = "00f067aa0ba902b7",
            .name = "stt.finalise",
            .process = "loqa-stt",
            .start = wall_time(microseconds(1'700'000'000'123'456)),
            .end = wall_time(microseconds(1'700'000'000'223'456)),
            .attributes = {{"session", "s1"}, {"text", "turn on the \"lights\""}},
            .failed = true,
            .status_message = "too long"};
}

TEST(SpanJson, SurvivesTheRoundTrip) {
    const span before = example_span();
    const auto after = span_from_json(span_to_json(before));
    ASSERT_TRUE(after) << after.error().text();
    EXPECT_EQ(after->trace_id, before.trace_id);
    EXPECT_EQ(after->span_id, before.span_id);
    EXPECT_EQ(after->parent_span_id, before.parent_span_id);
    EXPECT_EQ(after->name, before.name);
    EXPECT_EQ(after->process, before.process);
    EXPECT_EQ(after->start, before.start);
    EXPECT_EQ(after->end, before.end);
    EXPECT_EQ(after->attributes, before.attributes);
    EXPECT_EQ(after->failed, before.failed);
    EXPECT_EQ(after->status_message, before.status_message);
}

struct json_case {
    std::string_view name, from, to, field;
};

class BrokenSpanJson : public ::testing::TestWithParam<json_case> {};

TEST_P(BrokenSpanJson, IsRefusedByNameOfTheField) {
    std::string json = span_to_json(example_span());
    const auto at = json.find(GetParam().from);
    ASSERT_NE(at, std::string::npos) << json;
    json.replace(at, GetParam().from.size(), GetParam().to);
    const auto read = span_from_json(json);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, errc::invalid_message);
    EXPECT_THAT(read.error().message, ::testing::HasSubstr(std::string(GetParam().field)));
}

INSTANTIATE_TEST_SUITE_P(Trace, BrokenSpanJson,
                         ::testing::Values(json_case{"not_json", "{", "[", "JSON"},
                                           json_case{"trace_id", "0af76519", "0AF76519", "trace_id"},
                                           json_case{"span_id", "\"b7ad6b7169203331\"", "17", "span_id"},
                                           json_case{"parent", "00f067aa0ba902b7", "00", "parent_span_id"},
                                           json_case{"name", "stt.finalise", "", "name"},
                                           json_case{"start", "1700000000123456", "-1", "start_us"},
                                           json_case{"end_text", "1700000000223456", "\"now\"", "end_us"},
                                           json_case{"end_far", "1700000000223456", "9223372036854775807", "end_us"}),
                         [](const auto& row) { return std::string(row.param.name); });

// Keeps what it is given; can be told to hang until a stop.
class recording_sink final : public span_sink {
public:
    struct shared {
        std::mutex mutex;
        std::vector<std::vector<span>> batches;
        std::latch entered{1};
        bool hang = false;
        std::size_t count() {
            std::lock_guard lock(mutex);
            std::size_t n = 0;
            for (const auto& batch : batches) n += batch.size();
            return n;
        }
        std::vector<span> all() {
            std::lock_guard lock(mutex);
            std::vector<span> every;
            for (const auto& batch : batches) every.insert(every.end(), batch.begin(), batch.end());
            return every;
        }
    };
    explicit recording_sink(std::shared_ptr<shared> to) : to_(std::move(to)) {}
    std::string_view name() const override { return to_->hang ? "hanging" : "recording"; }
    result<void> accept(const std::vector<span>& batch, std::stop_token stop) override {
        if (to_->hang) {
            to_->entered.count_down();
            std::promise<void> stopped;
            const std::stop_callback on_stop(stop, [&] { stopped.set_value(); });
            stopped.get_future().wait();
            return fail(errc::timed_out, "stopped");
        }
        std::lock_guard lock(to_->mutex);
        to_->batches.push_back(batch);
        return {};
    }

private:
    std::shared_ptr<shared> to_;
};

struct Tracer : ::testing::Test {
    std::shared_ptr<recording_sink::shared> kept = std::make_shared<recording_sink::shared>();
    std::shared_ptr<recording_sink::shared> hung = std::make_shared<recording_sink::shared>();
    metrics counts;

    std::unique_ptr<tracer> make(bool with_hanging = false) {
        std::vector<std::unique_ptr<span_sink>> sinks;
        sinks.push_back(std::make_unique<recording_sink>(kept));
        hung->hang = true;
        if (with_hanging) sinks.push_back(std::make_unique<recording_sink>(hung));
        return std::make_unique<tracer>("loqad", std::move(sinks), counts, logger::silent());
    }
    double count(const std::string& what, const std::string& sink) {
        return counts
            .counter("loqa_spans_" + what + "_total",
                     what == "exported" ? "Trace spans handed to a sink." : "Trace spans lost before a sink took them.",
                     {{"sink", sink}})
            .value();
    }
};

steady_time in(milliseconds time) { return std::chrono::steady_clock::now() + time; }

TEST_F(Tracer, ShutdownDeliversWhatWasRecorded) {
    auto to = make();
    for (int i = 0; i < 1000; ++i) to->record(example_span());
    to->shutdown(in(seconds(5)));
    EXPECT_EQ(kept->count(), 1000u);
    EXPECT_EQ(count("exported", "recording"), 1000);
    EXPECT_EQ(count("dropped", "recording"), 0);
    for (const auto& batch : kept->batches) EXPECT_LE(batch.size(), tracer::batch_size);
    to->record(example_span());
    EXPECT_EQ(count("dropped", "recording"), 1);
}

TEST_F(Tracer, HangingSinkDelaysNeitherCallersNorOtherSinks) {
    auto to = make(true);
    constexpr int many = 3 * tracer::queue_capacity;
    to->record(example_span());
    hung->entered.wait();
    const auto began = std::chrono::steady_clock::now();
    for (int i = 1; i < many; ++i) to->record(example_span());
    EXPECT_LT(to_ms(std::chrono::steady_clock::now() - began), 10'000);
    // Full, and what came then was dropped: one span is with the sink, a queue full of them waits.
    EXPECT_EQ(count("dropped", "hanging"), many - 1 - static_cast<int>(tracer::queue_capacity));

    const auto asked = std::chrono::steady_clock::now();
    to->shutdown(in(milliseconds(200)));
    EXPECT_LT(to_ms(std::chrono::steady_clock::now() - asked), 3000);
    EXPECT_EQ(count("dropped", "hanging"), many);
    EXPECT_EQ(count("exported", "recording") + count("dropped", "recording"), many);
    EXPECT_GT(kept->count(), 0u);
}

TEST_F(Tracer, RecordsFromManyThreads) {
    auto to = make();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (int n = 0; n < 200; ++n) to->record(example_span());
            });
        }
    }
    to->shutdown(in(seconds(5)));
    EXPECT_EQ(kept->count(), 800u);
}

TEST_F(Tracer, TimedSpansMakeOneTree) {
    manual_clock clock;
    auto to = make();
    std::string root_id, root_trace;
    {
        timed_span root(*to, clock, "voice.session");
        root_id = root.context().span_id;
        root_trace = root.context().trace_id;
        clock.advance(milliseconds(10));
        timed_span child(*to, clock, "intent", *parse_traceparent(to_traceparent(root.context())));
        child.set("intent", "SetTimer");
        clock.jump_wall(std::chrono::hours(1));
        clock.advance(milliseconds(5));
        child.fail("no template fits");
        child.end();
        clock.advance(milliseconds(5));
    }
    to->shutdown(in(seconds(5)));
    const auto all = kept->all();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].name, "intent");
    EXPECT_EQ(all[0].trace_id, root_trace);
    EXPECT_EQ(all[0].parent_span_id, root_id);
    EXPECT_EQ(all[0].process, "loqad");
    EXPECT_THAT(all[0].attributes, ElementsAre(Pair("intent", "SetTimer")));
    EXPECT_TRUE(all[0].failed);
    EXPECT_EQ(all[0].status_message, "no template fits");
    EXPECT_EQ(all[0].end - all[0].start, milliseconds(5));
    EXPECT_EQ(all[1].name, "voice.session");
    EXPECT_EQ(all[1].span_id, root_id);
    EXPECT_THAT(all[1].parent_span_id, IsEmpty());
    EXPECT_EQ(all[1].end - all[1].start, milliseconds(20));
}

TEST_F(Tracer, SpanIsRecordedOnceHoweverItMoves) {
    const real_clock clock;
    auto to = make();
    {
        timed_span first(*to, clock, "a");
        timed_span second(std::move(first));
        timed_span third(*to, clock, "b");
        third = std::move(second);
        third.end();
        third.end();
    }
    to->shutdown(in(seconds(5)));
    std::multiset<std::string> names;
    for (const auto& each : kept->all()) names.insert(each.name);
    EXPECT_THAT(names, ElementsAre("a", "b"));
}

TEST_F(Tracer, UnsampledTraceIsNotRecorded) {
    const real_clock clock;
    auto to = make();
    {
        auto context = new_trace();
        context.sampled = false;
        const timed_span quiet(*to, clock, "quiet", context);
        EXPECT_FALSE(quiet.context().sampled);
    }
    to->shutdown(in(seconds(5)));
    EXPECT_EQ(kept->count(), 0u);
}

TEST(CallbackSink, HandsOnTheBatch) {
    std::promise<std::string> got;
    metrics counts;
    std::vector<std::unique_ptr<span_sink>> sinks;
    sinks.push_back(callback_sink("bus", [&](const std::vector<span>& batch) { got.set_value(batch.at(0).name); }));
    tracer to("loqad", std::move(sinks), counts, logger::silent());
    to.record(example_span());
    EXPECT_EQ(got.get_future().get(), "stt.finalise");
}

}  // namespace
}  // namespace loqa::telemetry
