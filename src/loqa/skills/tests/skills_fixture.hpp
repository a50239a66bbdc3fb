// Skills on a bus in memory: a folder of them, the service that runs them, and what it recorded.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "loqa/base/ids.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/skills/engine.hpp"
#include "loqa/skills/service.hpp"

namespace loqa::skills {

using nlohmann::json;

class Skills : public testing::Test {
protected:
    void SetUp() override {
        root_ = fs::temp_directory_path() / ("loqa-skills-" + random_hex(8));
        fs::create_directories(root_ / "skills");
        store_ = store::event_store::open({.path = root_ / "events.db"}, clock_, telemetry::logger::silent(), metrics_)
                     .value();
        options_.directory = root_ / "skills";
        options_.file = root_ / "events.db";
        options_.data = root_;
    }
    void TearDown() override {
        service_.reset();
        store_.reset();
        fs::remove_all(root_);
    }

    // Subscribed to test.<name>, may publish on test.out.
    void add(const std::string& name, std::string_view module, std::string_view more = {},
             const std::string& folder = {}, bool keeps = false) {
        const auto place = options_.directory / (folder.empty() ? name : folder);
        fs::create_directories(place);
        ASSERT_TRUE(write_file_atomically(place / "skill.wasm", assemble(module).value_or(std::string(module))));
        ASSERT_TRUE(write_file_atomically(place / "skill.yaml", fmt::format(R"(metadata: {{name: {0}, version: 1.0.0}}
runtime: {{mode: wasm, module: skill.wasm, entrypoint: run, host_version: v1}}
capabilities: {{bus: {{subscribe: [test.{0}], publish: [test.out]}}, storage: {{kv: {2}}}}}
permissions: [bus:publish, bus:subscribe]
{1}
)",
                                                                            name, more, keeps)));
    }

    void write(const std::string& name, std::string_view module, const std::string& manifest) {
        const auto place = options_.directory / name;
        fs::create_directories(place);
        ASSERT_TRUE(write_file_atomically(place / "skill.wasm", assemble(module).value_or(std::string(module))));
        ASSERT_TRUE(write_file_atomically(place / "skill.yaml", manifest));
    }

    void start() {
        auto made = service::start(
            options_,
            {.time = clock_, .bus = bus_, .store = *store_, .metrics = metrics_, .log = telemetry::logger::silent()});
        ASSERT_TRUE(made) << made.error().text();
        service_ = std::move(*made);
    }

    skill_status status(std::string_view name) const {
        for (auto& one : service_->list())
            if (one.name == name) return one;
        return {};
    }

    // Waits until the skill was invoked that often.
    void await(std::string_view name, std::uint64_t invocations) {
        const auto give_up = std::chrono::steady_clock::now() + seconds(20);
        while (status(name).invocations < invocations && std::chrono::steady_clock::now() < give_up)
            std::this_thread::sleep_for(milliseconds(2));
        ASSERT_GE(status(name).invocations, invocations);
    }

    // What was recorded of a skill, oldest first: types and payloads.
    std::vector<std::pair<std::string, json>> record(const std::string& name) {
        EXPECT_TRUE(store_->flush(std::chrono::steady_clock::now() + seconds(10)));
        std::vector<std::pair<std::string, json>> out;
        const auto events = store_->events({.session_id = "skill:" + name}).value();
        for (const auto& one : events) {
            EXPECT_EQ(one.actor_id, name);
            EXPECT_EQ(one.privacy_scope, "local");
            out.emplace_back(one.type, json::parse(one.payload));
        }
        return out;
    }
    std::vector<std::string> recorded_types(const std::string& name) {
        std::vector<std::string> out;
        for (const auto& [type, payload] : record(name)) out.push_back(type);
        return out;
    }
    json last(const std::string& name, std::string_view type) {
        json out;
        for (const auto& [found, payload] : record(name))
            if (found == type) out = payload;
        return out;
    }

    std::vector<std::string> answers(std::size_t count) {
        std::vector<std::string> out;
        for (const auto& m : bus_.wait_for("test.out", count)) out.push_back(m.payload);
        return out;
    }

    fs::path root_;
    manual_clock clock_;
    telemetry::metrics metrics_;
    bus::testing::fake_connection bus_;
    std::unique_ptr<store::event_store> store_;
    service_options options_;
    std::unique_ptr<service> service_;
};

}  // namespace loqa::skills
