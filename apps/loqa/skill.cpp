#include <nlohmann/json.hpp>

#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/config/config.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/settings.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

using nlohmann::json;

constexpr milliseconds longest_load{60'000};  // a large module is compiled first

result<std::string> ask(const skill_options& options, json what) {
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));
    return ask_core(client->bus(), protocol::subject::skill_control, one_line(what), longest_load);
}

json list_in(const std::string& answer, const char* name) {
    const auto parsed = json::parse(answer, nullptr, false);
    if (!parsed.is_object() || !parsed.contains(name) || !parsed[name].is_array()) return json::array();
    return parsed[name];
}

result<int> list(const skill_options& options) {
    const auto answer = ask(options, {{"action", "list"}});
    if (!answer) return fail(answer);
    if (options.json) return print_line(*answer), 0;
    const auto all = list_in(*answer, "skills");
    if (all.empty()) return print_line("there are no skills"), 0;
    const auto grey = [](const std::string& line) { print_line(style_of_stdout().paint(colour::grey, line)); };
    grey(fmt::format("{}  {}  {}  {}", fit("name", 20), fit("version", 10), fit("state", 10), "signed by, intents"));
    for (const auto& one : all) {
        std::string more = printable(text_field(one, "signed_by"));
        for (const auto& intent : one.value("intents", json::array()))
            if (intent.is_string()) more += (more.empty() ? "" : " ") + printable(intent.get<std::string>());
        print_line(fmt::format("{}  {}  {}  {}", fit(printable(text_field(one, "name")), 20),
                               fit(printable(text_field(one, "version")), 10),
                               fit(printable(text_field(one, "state")), 10), more));
        for (const auto* field : {"error", "hint"})
            if (const auto why = text_field(one, field); !why.empty()) print_line("    " + printable(why));
    }
    return 0;
}

result<int> stats(const skill_options& options) {
    const auto answer = ask(options, {{"action", "stats"}, {"name", options.name}});
    if (!answer) return fail(answer);
    if (options.json) return print_line(*answer), 0;
    for (const auto& one : list_in(*answer, "skills")) {
        const auto runs = number_field(one, "invocations");
        const auto each = [&](const char* field) { return runs > 0 ? number_field(one, field) / runs : 0.0; };
        print_line(fmt::format("{}: {} invocations, {} failed, {} calls denied, {} messages dropped, {} waiting",
                               printable(text_field(one, "name")), runs, number_field(one, "failures"),
                               number_field(one, "denied"), number_field(one, "dropped"),
                               number_field(one, "waiting")));
        print_line(fmt::format("    {:.0f} µs each, {:.0f} µs of processor time, at most {:.1f} MiB", each("wall_us"),
                               each("cpu_us"), number_field(one, "memory_bytes") / (1024.0 * 1024.0)));
    }
    return 0;
}

result<int> logs(const skill_options& options) {
    const auto answer = ask(options, {{"action", "logs"}, {"name", options.name}, {"limit", options.limit}});
    if (!answer) return fail(answer);
    if (options.json) return print_line(*answer), 0;
    for (const auto& one : list_in(*answer, "events")) {
        auto payload = one.value("payload", json::object());
        if (payload.is_object()) {
            payload.erase("skill");
            payload.erase("invocation_id");
        }
        print_line(fmt::format("{}  {}  {}", printable(text_field(one, "created_at")),
                               fit(printable(text_field(one, "type")), 22), printable(one_line(payload))));
    }
    return 0;
}

// What loqad did, in a word.
result<int> tell(const skill_options& options, json what, std::string_view done) {
    const auto answer = ask(options, std::move(what));
    if (!answer) return fail(answer);
    if (options.json) return print_line(*answer), 0;
    const auto told = json::parse(*answer, nullptr, false);
    print_line(fmt::format("{} is {}", printable(text_field(told, "name")), done));
    if (const auto why = text_field(told, "waits_for"); !why.empty())
        print_line(fmt::format("It is used once it is configured: {}", printable(why)));
    if (const auto next = text_field(told, "hint"); !next.empty()) print_line("  " + printable(next));
    return 0;
}

// The manifest of a skill that loqad has.
result<skills::manifest> manifest_of(const skill_options& options) {
    const auto answer = ask(options, {{"action", "list"}, {"name", options.name}});
    if (!answer) return fail(answer);
    const auto all = list_in(*answer, "skills");
    const auto file = fs::path(all.empty() ? "" : text_field(all[0], "folder")) / "skill.yaml";
    const auto text = read_file(file, skills::max_manifest_bytes);
    if (!text) return fail(text);
    return skills::valid_manifest(*text, file);
}

// A value or secret that was just written: it may be what kept the skill from being loaded, or not all that did.
result<int> load_with_it(const skill_options& options) {
    auto done = tell(options, {{"action", "reload"}, {"name", options.name}}, "loaded with it");
    if (!done)
        done.error().message = fmt::format("the change of {} is kept, but {} is not loaded with it: {}", options.key,
                                           options.name, done.error().message);
    return done;
}

result<int> config(const skill_options& options) {
    const auto settings = load_settings(options.instance);
    if (!settings) return fail(settings);
    const auto about = manifest_of(options);
    if (!about) return fail(about);
    if (options.key.empty()) {
        const auto values = skills::read_config(*about, settings->data_dir);
        for (const auto& key : about->config) {
            const auto found = values ? values->find(key.name) : skills::config_values::const_iterator();
            const bool set = values && found != values->end();
            print_line(fmt::format("{} = {}", key.name,
                                   set ? printable(found->second) : printable(key.fallback.value_or("(not set)"))));
        }
        if (!values) return fail(values);
        return 0;
    }
    if (auto written =
            skills::write_config(*about, settings->data_dir, options.key, options.value ? &*options.value : nullptr);
        !written)
        return fail(std::move(written));
    return load_with_it(options);
}

// From standard input: a command line can be seen by others, and is remembered.
result<int> set_secret(const skill_options& options) {
    const auto settings = load_settings(options.instance);
    if (!settings) return fail(settings);
    const auto about = manifest_of(options);
    if (!about) return fail(about);
    if (std::ranges::find(about->secrets, options.key) == about->secrets.end())
        return fail(errc::not_found, "skill {} has no secret {}", options.name, options.key)
            .hint("its manifest lists: {}",
                  about->secrets.empty() ? "none" : fmt::format("{}", fmt::join(about->secrets, ", ")));
    auto value = read_hidden(fmt::format("{} of {}: ", options.key, options.name));
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
    if (auto written = skills::write_secret(settings->data_dir, options.name, options.key, value); !written)
        return fail(std::move(written));
    return load_with_it(options);
}

}  // namespace

result<int> skill(const skill_options& options) {
    const json by_name = {{"name", options.name}};
    const auto named = [&](const char* what) {
        json out = by_name;
        out["action"] = what;
        return out;
    };
    switch (options.what) {
        case skill_options::action::list:
            return list(options);
        case skill_options::action::stats:
            return stats(options);
        case skill_options::action::logs:
            return logs(options);
        case skill_options::action::install: {
            std::error_code ec;
            const auto folder = fs::canonical(options.name, ec);
            if (ec) return fail(errc::not_found, "{}: {}", options.name, ec.message());
            return tell(options, {{"action", "install"}, {"folder", folder.string()}}, "installed");
        }
        case skill_options::action::remove:
            return tell(options, named("remove"), "removed");
        case skill_options::action::enable:
            return tell(options, named("enable"), "enabled");
        case skill_options::action::disable:
            return tell(options, named("disable"), "disabled");
        case skill_options::action::reload:
            return tell(options, named("reload"), "loaded");
        case skill_options::action::config:
            return config(options);
        case skill_options::action::secret:
            return set_secret(options);
    }
    return 0;
}

}  // namespace loqa::cli
