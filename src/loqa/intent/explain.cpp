#include "loqa/intent/explain.hpp"

#include <algorithm>
#include <set>

#include "loqa/intent/mending.hpp"
#include "loqa/intent/resolve.hpp"
#include "loqa/intent/sentence_template.hpp"

namespace loqa::intent {
namespace {

void collect(const expression& e, std::set<std::string>& rules, std::set<std::string>& lists) {
    if (e.type == expression::kind::rule) rules.insert(e.name);
    if (e.type == expression::kind::list) lists.insert(e.name);
    for (const auto& item : e.items) collect(item, rules, lists);
}

std::string slots_text(const recognized& r) {
    std::string out;
    for (const auto& one : r.slots) {
        out += fmt::format("\n    {} = {}", one.name, to_string(one.value));
        if (!one.text.empty() && one.text != to_string(one.value)) out += fmt::format("  (\"{}\")", one.text);
        if (one.wildcard) out += "  (free text)";
        if (one.text.empty()) out += "  (not said: from the template or the context)";
    }
    return out;
}

std::string reading_text(const recognized& r) {
    const auto wildcards = std::ranges::count_if(r.slots, &slot::wildcard);
    return fmt::format(
        "{}{}\n    by {}: {}\n    {} literal characters{}", r.intent, slots_text(r), to_string(r.where),
        r.sentence_template, r.literal_characters,
        wildcards == 0 ? "" : fmt::format(", {} part{} of free text", wildcards, wildcards == 1 ? "" : "s"));
}

std::string won_by(const recognized& first, const recognized& second) {
    const auto wildcards = [](const recognized& r) { return std::ranges::count_if(r.slots, &slot::wildcard); };
    const auto named = [](const recognized& r) {
        const slot* name = r.find("name");
        return name != nullptr && !name->wildcard;
    };
    if (named(first) != named(second)) return "it names a thing";
    if (named(first) && first.find("name")->text.size() != second.find("name")->text.size())
        return "it names the longer name";
    if (wildcards(first) != wildcards(second)) return "it leaves less to free text";
    if (first.literal_characters != second.literal_characters) return "more of the sentence is the template's own";
    return "its conditions fit closer, or its name comes first";
}

}  // namespace

std::vector<finding> lint(const fs::path& file, const collection& base, const home& house) {
    std::vector<finding> out;
    auto read = load_collection(file);
    if (!read) return {{std::move(read).error(), true}};
    const collection own = *read;

    collection all = base;
    all.merge(std::move(*read));
    std::vector<error> broken;
    if (auto compiled = matcher::compile(all, house, {}, &broken); !compiled)
        out.push_back({std::move(compiled).error(), true});
    const std::string name = file.string();
    for (auto& one : broken)
        if (one.message.starts_with(name)) out.push_back({std::move(one), true});

    std::set<std::string> rules, lists;
    const auto look_into = [&](const template_text& text) {
        if (const auto parsed = parse_template(text)) collect(*parsed, rules, lists);
    };
    for (const auto& [rule, text] : own.expansion_rules) look_into(text);
    std::set<std::pair<std::string, std::string>> sentences;
    for (const auto& intent : own.intents)
        for (const auto& block : intent.blocks) {
            for (const auto& [rule, text] : block.expansion_rules) look_into(text);
            for (const auto& text : block.sentences) {
                look_into(text);
                if (!sentences.emplace(intent.name, text.text).second && block.requires_context.empty())
                    out.push_back({{errc::invalid_config,
                                    fmt::format("{}: \"{}\" stands twice under {}", to_string(text.where), text.text,
                                                intent.name),
                                    {}},
                                   false});
            }
        }
    for (const auto& [rule, text] : own.expansion_rules)
        if (!rules.contains(rule) && !base.expansion_rules.contains(rule))
            out.push_back(
                {{errc::invalid_config, fmt::format("{}: rule <{}> is not used", to_string(text.where), rule), {}},
                 false});
    for (const auto& [list, definition] : own.lists)
        if (!lists.contains(list) && !base.lists.contains(list))
            out.push_back({{errc::invalid_config, fmt::format("{}: list {{{}}} is not used", name, list), {}}, false});
    return out;
}

std::string explain(const interpreter& with, std::string_view sentence, const context& where) {
    std::string out;
    const auto readings = with.sentences().match_all(sentence, where, 16);
    if (!readings.empty()) {
        out += reading_text(readings.front());
        const auto other = std::ranges::find_if(readings.begin() + 1, readings.end(), [&](const recognized& r) {
            return r.intent != readings.front().intent || r.sentence_template != readings.front().sentence_template;
        });
        if (other != readings.end())
            out += fmt::format("\nsecond: {}\n    the first won because {}", reading_text(*other),
                               won_by(readings.front(), *other));
    } else if (const answer why = with.sentences().match(sentence, where); !why) {
        out += fmt::format("no template fits: {} ({})", why.error().sentence(), to_string(why.error().reason));
    }
    const auto got = with.understand(sentence, where);
    if (!got) return out;
    if (got->mended)
        out += fmt::format("\nmended to \"{}\", confidence {:.2f}", got->commands.front().what.text, got->confidence);
    if (readings.empty() || got->commands.size() > 1 || got->commands.front().later())
        for (const auto& one : got->commands) {
            out += "\nunderstood: " + reading_text(one.what);
            if (one.delay) out += fmt::format("\n    {} s later", one.delay->count());
            if (one.at) out += fmt::format("\n    at {:02}:{:02}", one.at->hour, one.at->minute);
        }
    for (const auto& one : got->commands) {
        const auto touched = entities_of(with.house(), one.what);
        if (touched.empty()) continue;
        out += "\nconcerns:";
        for (std::size_t i = 0; i < touched.size() && i < 8; ++i) out += " " + touched[i]->id;
        if (touched.size() > 8) out += fmt::format(" and {} more", touched.size() - 8);
    }
    if (got->ask_first) out += "\nasks first: " + got->question;
    return out;
}

}  // namespace loqa::intent
