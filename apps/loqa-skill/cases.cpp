#include "cases.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

namespace loqa::skill_app {
namespace {

constexpr std::string_view steps_may_have = "intent, event, timer or start";

// ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

struct misread {
    int line = 0;
    std::string what;
};

[[noreturn]] void wrong(const YAML::Node& at, std::string what) { throw misread{at.Mark().line + 1, std::move(what)}; }

json scalar(const YAML::Node& of) {
    const auto& text = of.Scalar();
    if (of.Tag() == "!") return text;  // in quotes
    if (text == "~" || text == "null" || text.empty()) return nullptr;
    bool truth = false;
    if (YAML::convert<bool>::decode(of, truth) && (text == "true" || text == "false")) return truth;
    std::int64_t whole = 0;
    if (YAML::convert<std::int64_t>::decode(of, whole)) return whole;
    double number = 0;
    if (YAML::convert<double>::decode(of, number)) return number;
    return text;
}

json to_json(const YAML::Node& of) {
    if (of.IsScalar()) return scalar(of);
    if (of.IsSequence()) {
        auto out = json::array();
        for (const auto& one : of) out.push_back(to_json(one));
        return out;
    }
    if (!of.IsMap()) return nullptr;
    auto out = json::object();
    for (const auto& one : of) out[one.first.as<std::string>()] = to_json(one.second);
    return out;
}

std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void known(const YAML::Node& map, std::initializer_list<std::string_view> names) {
    if (!map.IsMap()) wrong(map, "this is not a map");
    for (const auto& one : map)
        if (const auto name = one.first.as<std::string>(); std::ranges::find(names, name) == names.end())
            wrong(one.first, fmt::format("{} is not known here; there is {}", name, fmt::join(names, ", ")));
}

std::map<std::string, std::string> texts(const YAML::Node& map, bool as_yaml = false) {
    std::map<std::string, std::string> out;
    if (!map) return out;
    if (!map.IsMap()) wrong(map, "this is not a map");
    for (const auto& one : map) {
        const auto value = to_json(one.second);
        out[one.first.as<std::string>()] = as_yaml ? value.dump() : text_of(value);  // JSON is YAML too
    }
    return out;
}

surroundings read_surroundings(const YAML::Node& node) {
    surroundings out{.config = texts(node["config"], true),
                     .secrets = texts(node["secrets"]),
                     .kept = texts(node["kept"]),
                     .timers = texts(node["timers"])};
    if (node["home"]) out.home = to_json(node["home"]);
    if (const auto answers = node["answers"]; answers && !answers.IsMap())
        wrong(answers, "answers is not a map of subjects and answers");
    for (const auto& one : node["answers"]) out.answers.emplace_back(one.first.as<std::string>(), to_json(one.second));
    for (const auto& one : node["http"]) {
        known(one, {"request", "status", "body"});
        if (!one["request"]) wrong(one, "http needs a request such as \"GET /api/states\"");
        const auto body = one["body"] ? to_json(one["body"]) : json("");
        out.http.push_back(
            {one["request"].as<std::string>(), one["status"] ? one["status"].as<int>() : 200, text_of(body)});
    }
    return out;
}

happening read_given(const YAML::Node& given, bool asks) {
    if (!given || !given.IsMap()) wrong(given, "given is not a map");
    const auto payload = given["payload"] ? text_of(to_json(given["payload"])) : std::string();
    if (given["intent"]) {
        known(given, {"intent", "slots", "area", "text", "confirmed", "changes", "speech"});
        auto more = json::object();
        for (const auto* name : {"area", "text", "confirmed", "changes", "speech"})
            if (given[name]) more[name] = to_json(given[name]);
        const auto name = given["intent"].as<std::string>();
        return {.what = happening::kind::intent,
                .subject = name,
                .payload = intent_payload(name, given["slots"] ? to_json(given["slots"]) : json::object(), more)};
    }
    if (given["event"]) {
        known(given, {"event", "payload"});
        return {.subject = given["event"].as<std::string>(), .payload = payload, .asks = asks};
    }
    if (given["timer"]) {
        known(given, {"timer"});
        return {.what = happening::kind::timer, .subject = given["timer"].as<std::string>()};
    }
    if (given["start"]) return {.what = happening::kind::start};
    wrong(given, fmt::format("given has none of {}", steps_may_have));
}

step read_step(const YAML::Node& node) {
    expectation out;
    if (const auto expect = node["expect"]) {
        known(expect, {"answer", "published", "log", "http", "timers", "kept", "denied", "asked", "learned", "updated",
                       "error"});
        const auto take = [&](const char* name, std::optional<json>& to) {
            if (expect[name]) to = to_json(expect[name]);
        };
        take("answer", out.answer);
        take("published", out.published);
        take("log", out.log);
        take("http", out.http);
        take("timers", out.timers);
        take("kept", out.kept);
        take("denied", out.denied);
        take("asked", out.asked);
        take("learned", out.learned);
        take("updated", out.updated);
        if (expect["error"]) out.error = text_of(to_json(expect["error"]));
    }
    return {.given = read_given(node["given"], out.answer && !out.answer->is_null()), .expect = out};
}

test_case read_case(const YAML::Node& node) {
    known(node, {"name", "given", "expect", "steps", "config", "secrets", "kept", "timers", "home", "answers", "http"});
    if (!node["name"]) wrong(node, "a case needs a name");
    test_case out{
        .name = node["name"].as<std::string>(), .line = node.Mark().line + 1, .around = read_surroundings(node)};
    if (node["steps"]) {
        if (node["given"]) wrong(node, "a case has either steps, or given and expect");
        for (const auto& one : node["steps"]) {
            known(one, {"given", "expect"});
            out.steps.push_back(read_step(one));
        }
    } else {
        out.steps.push_back(read_step(node));
    }
    return out;
}

// ── Comparing ───────────────────────────────────────────────────────────────────────────────────────────────────────

std::string shown(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// What `wanted` mentions must be in `found`; lists are compared whole.
void compare(const std::string& at, const json& wanted, const json& found, std::vector<std::string>& out) {
    if (wanted.is_object() && found.is_object()) {
        for (const auto& [name, value] : wanted.items())
            compare(at.empty() ? name : at + "." + name, value, found.contains(name) ? found[name] : json(), out);
        return;
    }
    if (wanted.is_array() && found.is_array() && wanted.size() == found.size()) {
        for (std::size_t i = 0; i < wanted.size(); ++i) compare(fmt::format("{}[{}]", at, i), wanted[i], found[i], out);
        return;
    }
    if (wanted == found) return;
    out.push_back(fmt::format("{}\n    expected {}\n    found    {}", at, shown(wanted), shown(found)));
}

// Each text that is wanted is a part of one that was found.
void compare_lines(const std::string& at, const json& wanted, const std::vector<std::string>& found,
                   std::vector<std::string>& out) {
    const auto list = wanted.is_array() ? wanted : json::array({wanted});
    if (list.empty() && !found.empty())
        out.push_back(fmt::format("{}\n    expected none\n    found    {}", at, shown(found)));
    for (const auto& one : list)
        if (std::ranges::none_of(found, [&](const auto& line) { return line.find(text_of(one)) != std::string::npos; }))
            out.push_back(
                fmt::format("{}\n    expected a line with {}\n    found    {}", at, shown(one), shown(found)));
}

}  // namespace

json value_of(const std::string& text) {
    auto read = json::parse(text, nullptr, false);
    return read.is_discarded() ? json(text) : read;
}

std::string intent_payload(const std::string& name, const json& slots, const json& more) {
    json out{{"intent", name},          {"slots", slots},  {"text", ""}, {"session_id", "loqa-skill"},
             {"turn_id", "loqa-skill"}, {"language", "en"}};
    out.update(more);
    return out.dump();
}

result<std::vector<test_case>> read_cases(std::string_view yaml, const std::string& file) {
    try {
        const auto top = YAML::Load(std::string(yaml));
        if (!top.IsMap() || !top["cases"] || !top["cases"].IsSequence())
            return fail(errc::invalid_config, "{}: there is no list of cases", file);
        std::vector<test_case> out;
        for (const auto& one : top["cases"]) out.push_back(read_case(one));
        return out;
    } catch (const misread& e) {
        return fail(errc::invalid_config, "{}:{}: {}", file, e.line, e.what);
    } catch (const YAML::Exception& e) {
        return fail(errc::invalid_config, "{}:{}: {}", file, e.mark.line + 1, e.msg);
    }
}

std::vector<std::string> differences(const expectation& wanted, const outcome& found,
                                     const std::map<std::string, std::string>& kept) {
    std::vector<std::string> out;
    if (!found.error.empty() && !wanted.error)
        out.push_back(fmt::format("the invocation failed: {}{}{}", found.error, found.output.empty() ? "" : "\n    ",
                                  found.output));
    if (wanted.error && found.error.find(*wanted.error) == std::string::npos)
        out.push_back(fmt::format("error\n    expected a failure with {}\n    found    {}", shown(*wanted.error),
                                  found.error.empty() ? "none" : found.error));
    if (wanted.answer) compare("answer", *wanted.answer, found.answer ? value_of(*found.answer) : json(), out);
    const auto messages = [](const std::vector<outcome::published_message>& list) {
        auto all = json::array();
        for (const auto& one : list) all.push_back({{"subject", one.subject}, {"payload", value_of(one.payload)}});
        return all;
    };
    if (wanted.published) compare("published", *wanted.published, messages(found.published), out);
    if (wanted.asked) {
        auto subjects = json::array();
        for (const auto& one : found.asked) subjects.push_back(one.subject);
        compare("asked", *wanted.asked, subjects, out);
    }
    if (wanted.http) {
        auto all = json::array();
        for (const auto& one : found.http) all.push_back({{"request", one.request}, {"body", value_of(one.body)}});
        compare("http", *wanted.http, all, out);
    }
    if (wanted.timers)
        compare("timers", *wanted.timers, found.timers.empty() ? json::object() : json(found.timers), out);
    if (wanted.kept) {
        auto all = json::object();
        for (const auto& [key, value] : kept) all[key] = value_of(value);
        compare("kept", *wanted.kept, all, out);
    }
    if (wanted.learned) compare("learned", *wanted.learned, found.learned, out);
    if (wanted.updated) compare("updated", *wanted.updated, found.updated, out);
    if (wanted.log) compare_lines("log", *wanted.log, found.log, out);
    if (wanted.denied)
        compare_lines("denied", *wanted.denied, found.denied, out);
    else if (!found.denied.empty())
        out.push_back(fmt::format("the host denied: {}", fmt::join(found.denied, "; ")));
    return out;
}

}  // namespace loqa::skill_app
