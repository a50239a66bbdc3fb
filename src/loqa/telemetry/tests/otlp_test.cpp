#include <future>
#include <map>
#include <mutex>

#include <gmock/gmock.h>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "loqa/telemetry/listener.hpp"
#include "loqa/telemetry/otlp_codec.hpp"
#include "loqa/telemetry/tests/raw_http.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::telemetry {
namespace {

using protozero::pbf_reader;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

span example() {
    return {.trace_id = "0af7651916cd43dd8448eb211c80319c",
            .span_id = "b7ad6b7169203331",
            .parent_span_id = "00f067aa0ba902b7",
            .name = "stt.finalise",
            .process = "loqa-stt",
            .start = wall_time(std::chrono::nanoseconds(1'700'000'000'123'456'789)),
            .end = wall_time(std::chrono::nanoseconds(1'700'000'000'223'456'789)),
            .attributes = {{"session", "s1"}, {"text", "a\xffz"}},
            .failed = true,
            .status_message = "too long"};
}

// A request read field by field as opentelemetry-proto numbers them, so that a wrong number in the encoder shows.
struct read_span {
    std::string trace_id, span_id, parent_span_id, name, status_message;
    std::uint64_t start = 0, end = 0;
    int kind = 0, status_code = 0;
    std::map<std::string, std::string> attributes;
};

struct read_resource {
    std::map<std::string, std::string> attributes;
    std::vector<read_span> spans;
};

std::pair<std::string, std::string> read_attribute(pbf_reader pair) {
    std::pair<std::string, std::string> read;
    while (pair.next()) {
        if (pair.tag() == 1) {
            read.first = pair.get_string();
        } else if (pair.tag() == 2) {
            auto value = pair.get_message();
            while (value.next(1)) read.second = value.get_string();
        } else {
            ADD_FAILURE() << "key-value field " << pair.tag();
            pair.skip();
        }
    }
    return read;
}

read_span read_one(pbf_reader from) {
    read_span read;
    while (from.next()) {
        switch (from.tag()) {
            case 1:
                read.trace_id = from.get_bytes();
                break;
            case 2:
                read.span_id = from.get_bytes();
                break;
            case 4:
                read.parent_span_id = from.get_bytes();
                break;
            case 5:
                read.name = from.get_string();
                break;
            case 6:
                read.kind = from.get_enum();
                break;
            case 7:
                read.start = from.get_fixed64();
                break;
            case 8:
                read.end = from.get_fixed64();
                break;
            case 9:
                read.attributes.insert(read_attribute(from.get_message()));
                break;
            case 15: {
                auto status = from.get_message();
                while (status.next()) {
                    if (status.tag() == 2) {
                        read.status_message = status.get_string();
                    } else if (status.tag() == 3) {
                        read.status_code = status.get_enum();
                    } else {
                        status.skip();
                    }
                }
                break;
            }
            default:
                ADD_FAILURE() << "span field " << from.tag();
                from.skip();
        }
    }
    return read;
}

std::vector<read_resource> read_request(const std::string& bytes) {
    std::vector<read_resource> all;
    pbf_reader request(bytes);
    while (request.next(1)) {
        auto& read = all.emplace_back();
        auto group = request.get_message();
        while (group.next()) {
            const auto field = group.tag();
            auto inner = group.get_message();
            if (field == 1) {
                while (inner.next(1)) read.attributes.insert(read_attribute(inner.get_message()));
            } else if (field == 2) {
                while (inner.next()) {
                    if (inner.tag() == 2) {
                        read.spans.push_back(read_one(inner.get_message()));
                    } else {
                        inner.skip();
                    }
                }
            }
        }
    }
    return all;
}

TEST(OtlpCodec, WritesWhatTheProtocolNumbers) {
    span root = example();
    root.process = "loqad";
    root.parent_span_id.clear();
    root.failed = false;
    const auto all = read_request(encode_otlp({example(), root, root}, {{"service.version", "0.1.0"}}));
    ASSERT_THAT(all, SizeIs(2));

    EXPECT_THAT(all[0].attributes, ElementsAre(Pair("service.name", "loqa-stt"), Pair("service.version", "0.1.0")));
    ASSERT_THAT(all[0].spans, SizeIs(1));
    const read_span& child = all[0].spans[0];
    EXPECT_EQ(child.trace_id, "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c");
    EXPECT_EQ(child.span_id, "\xb7\xad\x6b\x71\x69\x20\x33\x31");
    EXPECT_EQ(child.parent_span_id, std::string("\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8));
    EXPECT_EQ(child.name, "stt.finalise");
    EXPECT_EQ(child.kind, 1);
    EXPECT_EQ(child.start, 1'700'000'000'123'456'789u);
    EXPECT_EQ(child.end, 1'700'000'000'223'456'789u);
    EXPECT_THAT(child.attributes, ElementsAre(Pair("session", "s1"), Pair("text", "a\xEF\xBF\xBDz")));
    EXPECT_EQ(child.status_code, 2);
    EXPECT_EQ(child.status_message, "too long");

    EXPECT_THAT(all[1].attributes, ::testing::Contains(Pair("service.name", "loqad")));
    ASSERT_THAT(all[1].spans, SizeIs(2));
    EXPECT_EQ(all[1].spans[0].parent_span_id, "");
    EXPECT_EQ(all[1].spans[0].status_code, 0);
}

TEST(OtlpCodec, ReadsAPartialSuccess) {
    std::string bytes;
    {
        protozero::pbf_writer response(bytes);
        protozero::pbf_writer partly(response, 1);
        partly.add_int64(1, 3);
        partly.add_string(2, "too old");
        partly.add_string(9, "from the future");
    }
    const auto read = decode_otlp_response(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->rejected_spans, 3);
    EXPECT_EQ(read->message, "too old");
    EXPECT_EQ(decode_otlp_response("")->rejected_spans, 0);
    EXPECT_EQ(decode_otlp_response("\x0a\x7f").error().code, errc::invalid_message);
    // Fields of another wire type than theirs are unknown ones: partial_success as a number, both of its fields
    // swapped.
    EXPECT_EQ(decode_otlp_response("\x08\x01")->rejected_spans, 0);
    const auto swapped = decode_otlp_response("\x0a\x05\x0a\x01x\x10\x01");
    ASSERT_TRUE(swapped);
    EXPECT_EQ(swapped->rejected_spans, 0);
    EXPECT_EQ(swapped->message, "");
}

// Answers with each status in turn, the last of them for ever.
class receiver {
public:
    explicit receiver(std::vector<response> answers) : answers_(std::move(answers)) {
        auto on = listener::start({.host = "127.0.0.1", .key = "test"}, [this](const request& r) {
            std::lock_guard lock(mutex_);
            got_.push_back(r);
            const response answer = answers_.front();
            if (answers_.size() > 1) answers_.erase(answers_.begin());
            return answer;
        });
        on_ = std::move(on.value());
    }
    std::string url() const { return on_->url(); }
    int port() const { return on_->port(); }
    std::vector<request> got() {
        std::lock_guard lock(mutex_);
        return got_;
    }

private:
    std::mutex mutex_;
    std::vector<response> answers_;
    std::vector<request> got_;
    std::unique_ptr<listener> on_;  // last: its threads use the others
};

response status(int code) { return {.status = code}; }

response ok() { return {.content_type = "application/x-protobuf"}; }

result<void> send_to(const std::string& endpoint, bool insecure = true) {
    auto sink = otlp_sink({.endpoint = endpoint, .insecure = insecure});
    if (!sink) return fail(std::move(sink));
    return (*sink)->accept({example()}, {});
}

TEST(OtlpSink, PostsTheBatch) {
    receiver to({ok()});
    auto sink = otlp_sink({.endpoint = to.url(), .resource = {{"service.version", "1"}}});
    ASSERT_TRUE(sink) << sink.error().text();
    for (int i = 0; i < 2; ++i) ASSERT_TRUE((*sink)->accept({example()}, {}));
    ASSERT_THAT(to.got(), SizeIs(2));
    EXPECT_EQ(to.got()[0].method, "POST");
    EXPECT_EQ(to.got()[0].path, "/v1/traces");
    EXPECT_EQ(to.got()[0].body, encode_otlp({example()}, {{"service.version", "1"}}));
}

struct endpoint_case {
    std::string_view name, format, path;
};

class OtlpEndpoints : public ::testing::TestWithParam<endpoint_case> {};

TEST_P(OtlpEndpoints, ReachTheReceiver) {
    receiver to({ok()});
    const auto sent = send_to(fmt::format(fmt::runtime(GetParam().format), to.port()));
    ASSERT_TRUE(sent) << sent.error().text();
    EXPECT_EQ(to.got().at(0).path, GetParam().path);
}

INSTANTIATE_TEST_SUITE_P(Telemetry, OtlpEndpoints,
                         ::testing::Values(endpoint_case{"url", "http://127.0.0.1:{}", "/v1/traces"},
                                           endpoint_case{"slash", "HTTP://127.0.0.1:{}/", "/v1/traces"},
                                           endpoint_case{"whole", "http://127.0.0.1:{}/v1/traces", "/v1/traces"},
                                           endpoint_case{"prefix", "http://127.0.0.1:{}/otlp", "/otlp/v1/traces"},
                                           endpoint_case{"host_and_port", "127.0.0.1:{}", "/v1/traces"},
                                           // A name with several addresses, of which only one may have a listener.
                                           endpoint_case{"name", "localhost:{}", "/v1/traces"}),
                         [](const auto& row) { return std::string(row.param.name); });

class BadOtlpEndpoints : public ::testing::TestWithParam<const char*> {};

TEST_P(BadOtlpEndpoints, AreConfigErrors) {
    const auto sink = otlp_sink({.endpoint = GetParam()});
    ASSERT_FALSE(sink);
    EXPECT_EQ(sink.error().code, errc::invalid_config);
    EXPECT_THAT(sink.error().message, HasSubstr("telemetry.otlp_endpoint"));
}

INSTANTIATE_TEST_SUITE_P(Telemetry, BadOtlpEndpoints,
                         ::testing::Values("", "grpc://host:4317", "http://", "http://host:0", "http://host:port",
                                           "http://[::1", "http://user@host"));

TEST(OtlpSink, TriesAgainWhenTheReceiverIsOverloaded) {
    receiver to({status(503), status(429), ok()});
    EXPECT_TRUE(send_to(to.url()));
    EXPECT_THAT(to.got(), SizeIs(3));
}

TEST(OtlpSink, DoesNotTryAgainWhatIsRefused) {
    receiver to({status(400)});
    const auto sent = send_to(to.url());
    ASSERT_FALSE(sent);
    EXPECT_THAT(sent.error().message, HasSubstr("400"));
    EXPECT_THAT(to.got(), SizeIs(1));
}

TEST(OtlpSink, GivesUpAfterFourAttempts) {
    receiver to({status(503)});
    EXPECT_EQ(send_to(to.url()).error().code, errc::unavailable);
    EXPECT_THAT(to.got(), SizeIs(4));
}

TEST(OtlpSink, PlainReceiverIsNotSpokenToUnlessAllowed) {
    receiver to({ok()});
    EXPECT_FALSE(send_to(fmt::format("127.0.0.1:{}", to.port()), false));
    EXPECT_THAT(to.got(), SizeIs(0));
}

struct OtlpTracer : ::testing::Test {
    metrics counts;
    std::unique_ptr<tracer> make(const std::string& endpoint) {
        std::vector<std::unique_ptr<span_sink>> sinks;
        sinks.push_back(otlp_sink({.endpoint = endpoint}).value());
        return std::make_unique<tracer>("loqad", std::move(sinks), counts, logger::silent());
    }
};

TEST_F(OtlpTracer, ShutdownFlushesToTheReceiver) {
    receiver to({ok()});
    auto from = make(to.url());
    for (int i = 0; i < 1000; ++i) from->record(example());
    from->shutdown(std::chrono::steady_clock::now() + seconds(5));
    std::size_t spans = 0;
    for (const auto& each : to.got()) spans += read_request(each.body).at(0).spans.size();
    EXPECT_EQ(spans, 1000u);
    EXPECT_THAT(counts.text(), HasSubstr("loqa_spans_exported_total{sink=\"otlp\"} 1000\n"));
}

void expect_bounded(OtlpTracer& test, const std::string& endpoint) {
    auto from = test.make(endpoint);
    constexpr int many = 20'000;
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < many; ++i) from->record(example());
    EXPECT_LT(to_ms(std::chrono::steady_clock::now() - began), 10'000);
    const auto asked = std::chrono::steady_clock::now();
    from->shutdown(asked + milliseconds(300));
    EXPECT_LT(to_ms(std::chrono::steady_clock::now() - asked), 3000);
    EXPECT_THAT(test.counts.text(), HasSubstr(fmt::format("loqa_spans_dropped_total{{sink=\"otlp\"}} {}\n", many)));
}

TEST_F(OtlpTracer, NobodyThereNeitherBlocksNorPilesUp) {
    const int port = receiver({ok()}).port();  // free again
    expect_bounded(*this, fmt::format("http://127.0.0.1:{}", port));
}

TEST_F(OtlpTracer, ReceiverThatNeverAnswersNeitherBlocksNorPilesUp) {
    std::promise<void> go;
    const auto gone = go.get_future().share();
    auto silent = listener::start({.host = "127.0.0.1", .key = "test"}, [gone](const request&) {
        gone.wait();
        return ok();
    });
    expect_bounded(*this, (*silent)->url());
    go.set_value();
}

TEST_F(OtlpTracer, UnknownHostNeitherBlocksNorPilesUp) { expect_bounded(*this, "http://receiver.invalid:4318"); }

}  // namespace
}  // namespace loqa::telemetry
