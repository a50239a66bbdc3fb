#include "loqa/bus/connection.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

#include <fmt/ranges.h>
#include <nats/nats.h>

#include "loqa/config/config.hpp"

namespace loqa::bus {
namespace {

constexpr int max_pings_out = 2;
constexpr milliseconds reconnect_wait{100};
constexpr milliseconds reconnect_jitter{200};
constexpr int reconnect_buffer_bytes = 1 << 20;
constexpr const char* dropped_metric = "loqa_bus_dropped_total";
constexpr std::size_t pending_bytes = 64u << 20;  // of one subscription, beside its number of messages

errc code_of(natsStatus status) {
    switch (status) {
        case NATS_TIMEOUT:
            return errc::timed_out;
        case NATS_NOT_PERMITTED:
        case NATS_CONNECTION_AUTH_FAILED:
            return errc::not_permitted;
        case NATS_MAX_PAYLOAD:
            return errc::too_long;
        case NATS_NO_RESPONDERS:
        case NATS_NO_SERVER:
        case NATS_CONNECTION_CLOSED:
        case NATS_CONNECTION_DISCONNECTED:
        case NATS_INSUFFICIENT_BUFFER:
        case NATS_IO_ERROR:
            return errc::unavailable;
        case NATS_INVALID_ARG:
        case NATS_INVALID_SUBJECT:
            return errc::invalid_argument;
        default:
            return errc::internal;
    }
}

failure nats_failure(natsStatus status, std::string_view doing) {
    return fail(code_of(status), "bus: {}: {}", doing, natsStatus_GetText(status));
}

struct message_deleter {
    void operator()(natsMsg* m) const { natsMsg_Destroy(m); }
};
using message_ptr = std::unique_ptr<natsMsg, message_deleter>;

message to_message(natsMsg* from) {
    message m;
    m.subject = natsMsg_GetSubject(from);
    if (const char* reply = natsMsg_GetReply(from)) m.reply = reply;
    m.payload.assign(natsMsg_GetData(from), static_cast<std::size_t>(natsMsg_GetDataLength(from)));
    const char** keys = nullptr;
    int count = 0;
    if (natsMsgHeader_Keys(from, &keys, &count) == NATS_OK) {
        for (int i = 0; i < count; ++i) {
            const char* value = nullptr;
            if (natsMsgHeader_Get(from, keys[i], &value) == NATS_OK && value != nullptr)
                m.headers.emplace_back(keys[i], value);
        }
        ::free(static_cast<void*>(keys));
    }
    return m;
}

// A header value is one line: what would end it early is made a space.
std::string one_line(std::string value) {
    std::ranges::replace_if(value, [](char c) { return c == '\r' || c == '\n'; }, ' ');
    return value;
}

result<message_ptr> make_message(std::string_view subject, const std::string* reply, std::string_view payload,
                                 const headers& headers) {
    natsMsg* raw = nullptr;
    const auto status = natsMsg_Create(&raw, std::string(subject).c_str(), reply != nullptr ? reply->c_str() : nullptr,
                                       payload.data(), static_cast<int>(payload.size()));
    if (status != NATS_OK) return nats_failure(status, fmt::format("message for {}", subject));
    message_ptr made(raw);
    for (const auto& [name, value] : headers)
        if (const auto s = natsMsgHeader_Add(raw, name.c_str(), one_line(value).c_str()); s != NATS_OK)
            return nats_failure(s, fmt::format("header {} for {}", name, subject));
    return made;
}

class nats_subscription final : public subscription {
public:
    nats_subscription(std::string subject, handler on_message, telemetry::counter& dropped)
        : subject_(std::move(subject)), on_message_(std::move(on_message)), dropped_(dropped) {}

    ~nats_subscription() override {
        if (subscription_ == nullptr) return;
        natsSubscription_Unsubscribe(subscription_);
        {
            std::unique_lock lock(mutex_);
            done_.wait(lock, [this] { return complete_; });
        }
        natsSubscription_Destroy(subscription_);
    }

    result<void> start(natsConnection* connection, const std::string* group, std::size_t pending_messages) {
        const auto status = group == nullptr
                                ? natsConnection_Subscribe(&subscription_, connection, subject_.c_str(), &deliver, this)
                                : natsConnection_QueueSubscribe(&subscription_, connection, subject_.c_str(),
                                                                group->c_str(), &deliver, this);
        if (status != NATS_OK) return nats_failure(status, "subscribing to " + subject_);
        natsSubscription_SetOnCompleteCB(
            subscription_,
            [](void* self) {
                auto* s = static_cast<nats_subscription*>(self);
                // Under the lock, so that the destructor cannot go on before notify_all() has returned.
                std::lock_guard lock(s->mutex_);
                s->complete_ = true;
                s->done_.notify_all();
            },
            this);
        natsSubscription_SetPendingLimits(subscription_, static_cast<int>(pending_messages),
                                          static_cast<int>(pending_bytes));
        return {};
    }

private:
    static void deliver(natsConnection*, natsSubscription* from, natsMsg* raw, void* closure) {
        const message_ptr owned(raw);
        auto* self = static_cast<nats_subscription*>(closure);
        // Only a full queue drops, and then there are messages still to come here: this sees every drop soon.
        std::int64_t total = 0;
        if (natsSubscription_GetDropped(from, &total) == NATS_OK && total > self->counted_) {
            self->dropped_.add(static_cast<double>(total - self->counted_));
            self->counted_ = total;
        }
        self->on_message_(to_message(raw));
    }

    const std::string subject_;
    const handler on_message_;
    telemetry::counter& dropped_;
    natsSubscription* subscription_ = nullptr;
    std::mutex mutex_;
    std::condition_variable done_;
    bool complete_ = false;
    std::int64_t counted_ = 0;  // used on the delivering thread alone
};

struct context_deleter {
    void operator()(jsCtx* js) const { jsCtx_Destroy(js); }
};
using context_ptr = std::shared_ptr<jsCtx>;

class kept_message final : public work_item {
public:
    kept_message(message_ptr raw, context_ptr js, const std::string& queue)
        : raw_(std::move(raw)), js_(std::move(js)), what_(to_message(raw_.get())) {
        what_.reply.clear();
        jsMsgMetaData* about = nullptr;
        if (natsMsg_GetMetaData(&about, raw_.get()) != NATS_OK) return;
        attempt_ = static_cast<int>(std::min<std::uint64_t>(about->NumDelivered, 1'000'000));
        // A queue that was made anew counts from 1 again.
        id_ = fmt::format("{}-{}-{}", queue, about->Sequence.Stream, about->Timestamp);
        jsMsgMetaData_Destroy(about);
    }

    const message& what() const override { return what_; }
    const std::string& id() const override { return id_; }
    int attempt() const override { return attempt_; }
    void keep() override {
        std::lock_guard lock(mutex_);
        if (!settled_) natsMsg_InProgress(raw_.get(), nullptr);
    }
    result<void> done() override {
        std::lock_guard lock(mutex_);
        settled_ = true;
        // Waits for the server's word: what it did not hear of would come again.
        if (const auto status = natsMsg_AckSync(raw_.get(), nullptr, nullptr); status != NATS_OK)
            return nats_failure(status, fmt::format("telling that {} is done", id_));
        return {};
    }
    result<void> again(milliseconds after) override {
        std::lock_guard lock(mutex_);
        settled_ = true;
        if (const auto status = natsMsg_NakWithDelay(raw_.get(), after.count(), nullptr); status != NATS_OK)
            return nats_failure(status, fmt::format("putting {} off", id_));
        return {};
    }

private:
    std::mutex mutex_;
    const message_ptr raw_;
    const context_ptr js_;
    message what_;
    std::string id_;
    int attempt_ = 1;
    bool settled_ = false;
};

class kept_queue final : public work_queue {
public:
    kept_queue(context_ptr js, std::string name) : js_(std::move(js)), name_(std::move(name)) {}
    ~kept_queue() override { natsSubscription_Destroy(subscription_); }

    result<void> open(const work_options& with) {
        std::vector<const char*> subjects;
        for (const auto& one : with.subjects) subjects.push_back(one.c_str());
        jsStreamConfig stream;
        jsStreamConfig_Init(&stream);
        stream.Name = name_.c_str();
        stream.Subjects = subjects.data();
        stream.SubjectsLen = static_cast<int>(subjects.size());
        stream.Retention = js_WorkQueuePolicy;
        stream.Discard = js_DiscardNew;
        stream.MaxBytes = static_cast<std::int64_t>(with.max_bytes);
        stream.Storage = js_FileStorage;
        jsErrCode why = static_cast<jsErrCode>(0);
        auto status = js_AddStream(nullptr, js_.get(), &stream, nullptr, &why);
        if (why == JSStreamNameExistErr) status = js_UpdateStream(nullptr, js_.get(), &stream, nullptr, &why);
        if (why == JSStreamSubjectOverlapErr)
            return fail(errc::already_exists, "bus: another queue keeps what comes on {}",
                        fmt::join(with.subjects, ", "));
        if (status != NATS_OK) return said(status, "keeping messages for " + name_);

        jsConsumerConfig consumer;
        jsConsumerConfig_Init(&consumer);
        consumer.Durable = name_.c_str();
        consumer.AckPolicy = js_AckExplicit;
        consumer.AckWait = std::chrono::nanoseconds(with.patience).count();
        consumer.MaxDeliver = -1;
        status = js_AddConsumer(nullptr, js_.get(), name_.c_str(), &consumer, nullptr, &why);
        if (status != NATS_OK) return said(status, "taking messages for " + name_);
        jsSubOptions binding;
        jsSubOptions_Init(&binding);
        binding.Stream = name_.c_str();
        binding.Consumer = name_.c_str();
        status = js_PullSubscribe(&subscription_, js_.get(), nullptr, name_.c_str(), nullptr, &binding, &why);
        if (status != NATS_OK) return said(status, "taking messages for " + name_);
        return {};
    }

    result<std::vector<std::shared_ptr<work_item>>> take(int most, milliseconds timeout) override {
        natsMsgList list{};
        jsErrCode why = static_cast<jsErrCode>(0);
        const auto status = natsSubscription_Fetch(&list, subscription_, most, timeout.count(), &why);
        std::vector<std::shared_ptr<work_item>> out;
        for (int i = 0; i < list.Count; ++i) {
            out.push_back(std::make_shared<kept_message>(message_ptr(list.Msgs[i]), js_, name_));
            list.Msgs[i] = nullptr;
        }
        natsMsgList_Destroy(&list);
        if (status != NATS_OK && status != NATS_TIMEOUT && out.empty()) return said(status, "taking from " + name_);
        return out;
    }

private:
    static failure said(natsStatus status, const std::string& doing) {
        const char* detail = nats_GetLastError(nullptr);
        return fail(code_of(status), "bus: {}: {}{}{}", doing, natsStatus_GetText(status),
                    detail != nullptr && *detail != '\0' ? ": " : "", detail != nullptr ? detail : "");
    }

    const context_ptr js_;
    const std::string name_;
    natsSubscription* subscription_ = nullptr;
};

class nats_connection final : public connection {
public:
    nats_connection(options options, telemetry::logger log, telemetry::metrics& metrics, on_state_change on_change)
        : options_(std::move(options)),
          log_(std::move(log)),
          metrics_(metrics),
          on_change_(std::move(on_change)),
          reconnects_(metrics.counter("loqa_bus_reconnects_total", "How often the connection to the bus came back")),
          errors_(metrics.counter("loqa_bus_errors_total", "Errors that the bus reported outside a call")) {}

    ~nats_connection() override {
        closing_ = true;
        if (connection_ != nullptr) {
            natsConnection_Close(connection_);
            {
                std::unique_lock lock(mutex_);
                closed_changed_.wait(lock, [this] { return closed_; });
            }
            natsConnection_Destroy(connection_);
        }
        natsOptions_Destroy(nats_options_);
    }

    result<void> start() {
        if (options_.servers.empty())
            return fail(errc::invalid_config, "bus: no server to connect to")
                .hint("set bus.servers, or bus.embedded: true");
        auto status = configure();
        if (status != NATS_OK) return nats_failure(status, "options for " + servers());
        status = natsConnection_Connect(&connection_, nats_options_);
        if (status != NATS_OK) {
            const char* detail = nats_GetLastError(nullptr);
            return fail(code_of(status), "bus: no connection to {}: {}{}{}", servers(), natsStatus_GetText(status),
                        detail != nullptr && *detail != '\0' ? ": " : "", detail != nullptr ? detail : "")
                .hint("{}", status == NATS_CONNECTION_AUTH_FAILED ? "check bus.username, bus.password and bus.token"
                                                                  : "is nats-server running there? check bus.servers");
        }
        return {};
    }

    result<void> publish(std::string_view subject, std::string_view payload, const headers& headers) override {
        return send(subject, nullptr, payload, headers);
    }

    result<void> publish_request(std::string_view subject, std::string_view reply, std::string_view payload,
                                 const headers& headers) override {
        const std::string to(reply);
        return send(subject, &to, payload, headers);
    }

    result<void> respond(const message& request, std::string_view payload, const headers& headers) override {
        if (request.reply.empty()) return {};
        return publish(request.reply, payload, headers);
    }

    result<std::unique_ptr<subscription>> subscribe(std::string_view subject, handler on_message) override {
        return subscribe_in(subject, nullptr, std::move(on_message));
    }
    result<std::unique_ptr<subscription>> subscribe(std::string_view subject, std::string_view group,
                                                    handler on_message) override {
        const std::string name(group);
        return subscribe_in(subject, &name, std::move(on_message));
    }

    result<message> request(std::string_view subject, std::string_view payload, milliseconds timeout,
                            const headers& headers) override {
        auto m = make_message(subject, nullptr, payload, headers);
        if (!m) return fail(std::move(m));
        natsMsg* raw = nullptr;
        const auto status = natsConnection_RequestMsg(&raw, connection_, m->get(), timeout.count());
        const message_ptr answer(raw);
        if (status == NATS_NO_RESPONDERS) return fail(errc::unavailable, "bus: nobody answers requests on {}", subject);
        if (status != NATS_OK) return nats_failure(status, fmt::format("request on {}", subject));
        return to_message(answer.get());
    }

    result<std::unique_ptr<work_queue>> work(const work_options& with) override {
        jsCtx* js = nullptr;
        if (const auto status = natsConnection_JetStream(&js, connection_, nullptr); status != NATS_OK)
            return nats_failure(status, "JetStream");
        auto made = std::make_unique<kept_queue>(context_ptr(js, context_deleter()), with.name);
        if (auto opened = made->open(with); !opened) return fail(std::move(opened));
        return made;
    }

    result<void> flush(milliseconds timeout) override {
        if (const auto status = natsConnection_FlushTimeout(connection_, timeout.count()); status != NATS_OK)
            return nats_failure(status, "flush");
        return {};
    }

    bool connected() const override { return natsConnection_Status(connection_) == NATS_CONN_STATUS_CONNECTED; }

    std::string connected_url() const override {
        char url[256] = "";
        natsConnection_GetConnectedUrl(connection_, url, sizeof url);
        return url;
    }

private:
    result<void> send(std::string_view subject, const std::string* reply, std::string_view payload,
                      const headers& headers) {
        natsStatus status = NATS_OK;
        if (headers.empty()) {
            // Not by way of a message of the library's: another of its threads is woken to free each of those.
            const auto size = static_cast<int>(payload.size());
            const std::string to(subject);
            status = reply != nullptr
                         ? natsConnection_PublishRequest(connection_, to.c_str(), reply->c_str(), payload.data(), size)
                         : natsConnection_Publish(connection_, to.c_str(), payload.data(), size);
        } else {
            const auto m = make_message(subject, reply, payload, headers);
            if (!m) return fail(m);
            status = natsConnection_PublishMsg(connection_, m->get());
        }
        if (status != NATS_OK)
            return nats_failure(status, fmt::format("publishing {} bytes on {}", payload.size(), subject));
        return {};
    }

    natsStatus configure() {
        std::vector<const char*> servers;
        for (const auto& s : options_.servers) servers.push_back(s.c_str());
        natsStatus s = natsOptions_Create(&nats_options_);
        const auto set = [&](auto call) {
            if (s == NATS_OK) s = call();
        };
        natsOptions* o = nats_options_;
        set([&] { return natsOptions_SetServers(o, servers.data(), static_cast<int>(servers.size())); });
        set([&] { return natsOptions_SetName(o, options_.name.c_str()); });
        set([&] { return natsOptions_SetTimeout(o, options_.connect_timeout.count()); });
        if (!options_.username.empty())
            set([&] { return natsOptions_SetUserInfo(o, options_.username.c_str(), options_.password.c_str()); });
        if (!options_.token.empty()) set([&] { return natsOptions_SetToken(o, options_.token.c_str()); });

        // For ever: the library would give up after two minutes. Versions before 3.8 also do after two refusals of the
        // same credentials, whatever is set here: then link::closed tells the process to start anew.
        set([&] { return natsOptions_SetMaxReconnect(o, -1); });
#ifdef LOQA_NATS_IGNORES_AUTH_ABORT
        set([&] { return natsOptions_SetIgnoreAuthErrorAbort(o, true); });
#endif
        set([&] { return natsOptions_SetReconnectWait(o, reconnect_wait.count()); });
        set([&] { return natsOptions_SetReconnectJitter(o, reconnect_jitter.count(), reconnect_jitter.count()); });
        set([&] { return natsOptions_SetReconnectBufSize(o, reconnect_buffer_bytes); });
        // A peer that vanished without a word is noticed after this many times the interval.
        set([&] { return natsOptions_SetPingInterval(o, options_.ping_interval.count()); });
        set([&] { return natsOptions_SetMaxPingsOut(o, max_pings_out); });
        // Each message is on its way when publish() returns, instead of at the next round of a flusher.
        set([&] { return natsOptions_SetSendAsap(o, true); });

        const bool tls =
            !options_.tls_ca.empty() || !options_.tls_cert.empty() ||
            std::ranges::any_of(options_.servers, [](const auto& url) { return url.starts_with("tls://"); });
        if (tls) {
            set([&] { return natsOptions_SetSecure(o, true); });
            if (!options_.tls_ca.empty())
                set([&] { return natsOptions_LoadCATrustedCertificates(o, options_.tls_ca.c_str()); });
            if (!options_.tls_cert.empty())
                set([&] {
                    return natsOptions_LoadCertificatesChain(o, options_.tls_cert.c_str(), options_.tls_key.c_str());
                });
            if (options_.tls_insecure) set([&] { return natsOptions_SkipServerVerification(o, true); });
        }
        set([&] { return natsOptions_SetErrorHandler(o, &on_error, this); });
        set([&] { return natsOptions_SetDisconnectedCB(o, &on_disconnected, this); });
        set([&] { return natsOptions_SetReconnectedCB(o, &on_reconnected, this); });
        set([&] { return natsOptions_SetClosedCB(o, &on_closed, this); });
        return s;
    }

    result<std::unique_ptr<subscription>> subscribe_in(std::string_view subject, const std::string* group,
                                                       handler on_message) {
        auto& dropped = metrics_.counter(dropped_metric, "Messages that came faster than they were handled",
                                         {{"subject", std::string(subject)}});
        auto made = std::make_unique<nats_subscription>(std::string(subject), std::move(on_message), dropped);
        if (auto started = made->start(connection_, group, options_.pending_messages); !started)
            return fail(std::move(started));
        return made;
    }

    // Credentials in a URL do not belong in a sentence.
    std::string servers() const {
        std::vector<std::string> shown;
        for (const auto& url : options_.servers) {
            const auto scheme = url.find("://");
            const auto at = url.rfind('@');
            shown.push_back(at == std::string::npos || scheme == std::string::npos
                                ? url
                                : url.substr(0, scheme + 3) + url.substr(at + 1));
        }
        return fmt::format("{}", fmt::join(shown, ", "));
    }

    // The subscription is not to be touched: this runs later, on a thread of the library's own, which does not keep it
    // alive, and its owner may have ended it meanwhile.
    static void on_error(natsConnection*, natsSubscription*, natsStatus status, void* self) {
        auto* c = static_cast<nats_connection*>(self);
        c->errors_.add();
        const char* detail = nats_GetLastError(nullptr);
        if (status == NATS_SLOW_CONSUMER) {
            c->log_.warn("bus: messages came faster than they were handled, some are dropped; {} says of which subject",
                         dropped_metric);
            return;
        }
        c->log_.warn("bus: {}{}{}", natsStatus_GetText(status), detail != nullptr && *detail != '\0' ? ": " : "",
                     detail != nullptr ? detail : "");
    }
    static void on_disconnected(natsConnection*, void* self) {
        auto* c = static_cast<nats_connection*>(self);
        if (c->closing_) return;
        c->log_.warn("bus: connection lost, trying to get it back");
        if (c->on_change_) c->on_change_(link::down);
    }
    static void on_reconnected(natsConnection*, void* self) {
        auto* c = static_cast<nats_connection*>(self);
        c->reconnects_.add();
        c->log_.info("bus: connected again to {}", c->connected_url());
        if (c->on_change_) c->on_change_(link::up);
    }
    static void on_closed(natsConnection*, void* self) {
        auto* c = static_cast<nats_connection*>(self);
        if (!c->closing_ && c->on_change_) c->on_change_(link::closed);
        std::lock_guard lock(c->mutex_);
        c->closed_ = true;
        c->closed_changed_.notify_all();
    }

    const options options_;
    const telemetry::logger log_;
    telemetry::metrics& metrics_;
    const on_state_change on_change_;
    telemetry::counter& reconnects_;
    telemetry::counter& errors_;
    natsOptions* nats_options_ = nullptr;
    natsConnection* connection_ = nullptr;
    std::mutex mutex_;
    std::condition_variable closed_changed_;
    bool closed_ = false;
    std::atomic<bool> closing_{false};
};

}  // namespace

options options_from(const config::bus_settings& settings, std::string name) {
    return {.servers = settings.servers,
            .name = std::move(name),
            .username = settings.username,
            .password = settings.password,
            .token = settings.token,
            .tls_insecure = settings.tls_insecure,
            .tls_ca = settings.tls_ca,
            .tls_cert = settings.tls_cert,
            .tls_key = settings.tls_key,
            .connect_timeout = settings.connect_timeout,
            .ping_interval = settings.ping_interval,
            .pending_messages = static_cast<std::size_t>(settings.pending_messages)};
}

result<std::unique_ptr<connection>> connect(options options, telemetry::logger log, telemetry::metrics& metrics,
                                            on_state_change on_change) {
    auto made = std::make_unique<nats_connection>(std::move(options), std::move(log), metrics, std::move(on_change));
    if (auto started = made->start(); !started) return fail(std::move(started));
    return made;
}

}  // namespace loqa::bus
