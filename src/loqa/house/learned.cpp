#include "loqa/house/learned.hpp"

#include <algorithm>

#include "loqa/base/text.hpp"
#include "loqa/house/home_json.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::house {
namespace {

constexpr std::size_t max_name_bytes = 200;
constexpr std::string_view template_marks = "[](){}<>|;:\\";

std::string plain(std::string name) {
    for (auto& c : name)
        if (template_marks.contains(c) || static_cast<unsigned char>(c) < ' ') c = ' ';
    return std::string(trim(name)).substr(0, max_name_bytes);
}

template <class Named>
void make_plain(std::vector<Named>& all) {
    for (auto& one : all) {
        one.name = plain(std::move(one.name));
        for (auto& alias : one.aliases) alias = plain(std::move(alias));
        std::erase_if(one.aliases, [](const std::string& alias) { return alias.empty(); });
    }
    std::erase_if(all, [](const Named& one) { return one.name.empty() || one.id.empty(); });
}

json to_json(const intent::home& home) {
    json out;
    add_places(out, home);
    for (const auto& one : home.entities)
        out["entities"].push_back({{"id", one.id},
                                   {"name", one.name},
                                   {"area", one.area},
                                   {"aliases", one.aliases},
                                   {"state", one.state},
                                   {"attributes", attributes_json(one.attributes)}});
    return out;
}

// All that sentences are compiled with.
std::string names_of(const intent::home& home) {
    std::string out;
    const auto add = [&](std::string_view id, std::string_view name, std::string_view in, const auto& aliases) {
        out += fmt::format("{}\t{}\t{}", id, name, in);
        for (const auto& alias : aliases) out += "\t" + alias;
        out += "\n";
    };
    for (const auto& one : home.floors) add(one.id, one.name, "", one.aliases);
    for (const auto& one : home.areas) add(one.id, one.name, one.floor, one.aliases);
    for (const auto& one : home.entities) {
        add(one.id, one.name, one.area, one.aliases);
        if (const auto kind = one.attributes.find("device_class"); kind != one.attributes.end())
            out += intent::to_string(kind->second) + "\n";
    }
    return out;
}

template <class Named>
void append_new(std::vector<Named>& to, const std::vector<Named>& what) {
    for (const auto& one : what)
        if (std::ranges::find(to, one.id, &Named::id) == to.end()) to.push_back(one);
}

}  // namespace

result<intent::home> parse_learned(std::string_view text) {
    auto home = intent::parse_home(text, "home.json");
    if (!home) return home;
    const auto count = home->floors.size() + home->areas.size() + home->entities.size();
    if (count > max_learned_things)
        return fail(errc::too_long, "the home has {} floors, areas and things, the limit is {}", count,
                    max_learned_things);
    make_plain(home->floors);
    make_plain(home->areas);
    make_plain(home->entities);
    std::erase_if(home->entities, [](const intent::entity& one) { return !one.id.contains('.'); });
    return home;
}

result<std::unique_ptr<learned_homes>> learned_homes::open(const fs::path& folder, const telemetry::logger& log) {
    if (auto made = make_writable_folder(folder, 0700); !made) return fail(std::move(made));
    auto out = std::unique_ptr<learned_homes>(new learned_homes(folder));
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(folder, ec)) {
        if (entry.path().extension() != ".json") continue;
        const auto text = read_file(entry.path());
        const auto object = text ? json::parse(*text, nullptr, false) : json();
        auto home = text ? parse_learned(*text) : fail(text);
        if (!home || !object.is_object() || !object.contains("source") || !object["source"].is_string()) {
            log.warn("{} is left out: it cannot be read", entry.path().string());
            continue;
        }
        out->by_source_.insert_or_assign(object["source"].get<std::string>(), std::move(*home));
    }
    return out;
}

result<bool> learned_homes::learn(const std::string& source, intent::home what) {
    if (source.empty() || source.size() > max_name_bytes)
        return fail(errc::invalid_message, "a source has a name of 1 to {} bytes", max_name_bytes);
    std::lock_guard lock(mutex_);
    const auto known = by_source_.find(source);
    const auto before = known == by_source_.end() ? std::string() : names_of(known->second);
    const auto now = names_of(what);
    const auto file = folder_ / (protocol::token(source) + ".json");
    std::error_code ec;
    if (now.empty()) {
        fs::remove(file, ec);
        by_source_.erase(source);
    } else {
        auto written = to_json(what);
        written["source"] = source;
        const auto text = written.dump(-1, ' ', false, json::error_handler_t::replace);
        if (auto done = write_file_atomically(file, text, 0600); !done) return fail(std::move(done));
        by_source_.insert_or_assign(source, std::move(what));
    }
    return now != before;
}

bool learned_homes::empty() const {
    std::lock_guard lock(mutex_);
    return by_source_.empty();
}

intent::home learned_homes::behind(intent::home first) const {
    std::lock_guard lock(mutex_);
    for (const auto& [source, home] : by_source_) {
        append_new(first.floors, home.floors);
        append_new(first.areas, home.areas);
        auto things = home.entities;
        for (auto& one : things) one.source = source;
        append_new(first.entities, things);
    }
    return first;
}

}  // namespace loqa::house
