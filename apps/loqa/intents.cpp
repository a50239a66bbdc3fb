#include <algorithm>
#include <iostream>

#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/base/text.hpp"
#include "loqa/intent/collection.hpp"
#include "loqa/intent/explain.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/intent/understanding.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

using ordered = nlohmann::ordered_json;

// Everything that answers a sentence: the templates, the home, and what is made of them.
struct brain {
    intent::collection sentences;
    std::shared_ptr<const intent::home> house;
    std::shared_ptr<const intent::matcher> matcher;
    std::unique_ptr<intent::interpreter> interpreter;
    intent::context where;
};

failure hinted(error e, std::string_view next) {
    if (e.hint.empty()) e.hint = next;
    return failure(std::move(e));
}

result<intent::collection> load_sentences(const intents_options& options) {
    if (options.collections.empty()) {
        auto all = intent::load_sentences({.language = options.language, .own = options.own});
        if (!all) return fail(std::move(all));
        for (const auto& broken : all->broken) print_error(broken);
        return std::move(all->sentences);
    }
    intent::collection all;
    for (const auto& file : options.collections) {
        auto one = intent::load_collection(file);
        if (!one)
            return hinted(std::move(one.error()), "--collection takes a file of sentence templates, JSON or YAML");
        all.merge(std::move(*one));
    }
    if (all.language.empty()) all.language = options.language;
    if (all.intents.empty())
        return fail(errc::invalid_config, "{} has no intents", options.collections.front().string())
            .hint("a collection has its sentences under intents: NAME: data: - sentences: [...]");
    return all;
}

result<brain> load(const intents_options& options) {
    brain out;
    auto sentences = load_sentences(options);
    if (!sentences) return fail(std::move(sentences));
    out.sentences = std::move(*sentences);
    intent::home house;
    if (options.home) {
        auto read = intent::load_home(*options.home);
        if (!read) return hinted(std::move(read.error()), "--home takes a YAML file with floors, areas and entities");
        house = std::move(*read);
    }
    auto compiled = intent::matcher::compile(out.sentences, house);
    if (!compiled) return fail(std::move(compiled));
    out.matcher = std::move(*compiled);
    out.house = std::make_shared<const intent::home>(std::move(house));
    out.interpreter = std::make_unique<intent::interpreter>(out.matcher, out.house);
    out.where.area = options.area;
    return out;
}

// Calls take(sentence) for each sentence given, or each line of standard input.
template <class Take>
void for_each_sentence(const intents_options& options, Take&& take) {
    for (const auto& sentence : options.sentences) take(sentence);
    if (!options.sentences.empty()) return;
    std::string line;
    for (bool first = true; std::getline(std::cin, line); first = false) {
        // What editors of other systems put before the first line.
        constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
        if (first && line.starts_with(byte_order_mark)) line.erase(0, byte_order_mark.size());
        if (line.ends_with('\r')) line.pop_back();
        take(line);
    }
}

ordered value_of(const intent::slot_value& value) {
    return std::visit([](const auto& content) { return ordered(content); }, value);
}

ordered slots_of(const intent::recognized& r) {
    ordered out = ordered::object();
    for (const auto& one : r.slots) out[one.name] = value_of(one.value);
    return out;
}

ordered reading_of(const intent::recognized& r) {
    return {{"intent", r.intent}, {"slots", slots_of(r)}, {"confidence", r.confidence}};
}

ordered command_of(const intent::command& c) {
    ordered out = reading_of(c.what);
    if (c.delay) out["delay_s"] = c.delay->count();
    if (c.at) {
        out["at"] = fmt::format("{:02}:{:02}", c.at->hour, c.at->minute);
        if (c.at->days_ahead >= 0) out["days_ahead"] = c.at->days_ahead;
    }
    return out;
}

bool same(const intent::recognized& a, const intent::recognized& b) {
    return a.intent == b.intent && slots_of(a) == slots_of(b);
}

// A sentence that a template takes word for word is what it says; only then is it taken apart or mended.
ordered match_one(const brain& with, const std::string& sentence, bool exact) {
    ordered out{{"text", sentence},  {"intent", nullptr}, {"slots", ordered::object()},
                {"confidence", 0.0}, {"second", nullptr}, {"error", nullptr}};
    const auto readings = with.matcher->match_all(sentence, with.where, 32);
    if (!readings.empty()) {
        out.update(reading_of(readings.front()));
        const auto second =
            std::ranges::find_if(readings, [&](const intent::recognized& r) { return !same(r, readings.front()); });
        if (second != readings.end()) out["second"] = reading_of(*second);
    }
    if (exact) {
        if (readings.empty()) out["error"] = with.matcher->match(sentence, with.where).error().sentence();
        return out;
    }
    const auto understood = with.interpreter->understand(sentence, with.where);
    if (!understood) {
        if (readings.empty()) out["error"] = understood.error().sentence();
        return out;
    }
    const auto& commands = understood->commands;
    if (readings.empty()) out.update(reading_of(commands.front().what));
    out["confidence"] = understood->confidence;
    if (commands.size() > 1 || commands.front().later() || (understood->mended && !readings.empty())) {
        out["commands"] = ordered::array();
        for (const auto& one : commands) out["commands"].push_back(command_of(one));
    }
    if (understood->mended) out["mended"] = commands.front().what.text;
    if (understood->ask_first) out["ask_first"] = understood->question;
    return out;
}

// Text of several lines, each made safe for a terminal.
std::string printable_lines(const std::string& text) {
    std::string out;
    for (const auto& line : split(text, '\n')) out += (out.empty() ? "" : "\n") + printable(line);
    return out;
}

std::string plain(const ordered& answer) {
    if (answer["intent"].is_null())
        return fmt::format("{}\n  -  {}", answer["text"].get<std::string>(), text_field(answer, "error"));
    std::string slots;
    for (const auto& [name, value] : answer["slots"].items()) slots += fmt::format(" {}={}", name, value.dump());
    std::string out =
        fmt::format("{}\n  {}{}", answer["text"].get<std::string>(), answer["intent"].get<std::string>(), slots);
    if (answer.contains("commands"))
        for (const auto& one : answer["commands"]) out += fmt::format("\n  = {}", one.dump());
    if (answer.contains("mended")) out += fmt::format("\n  mended: {}", text_field(answer, "mended"));
    if (answer.contains("ask_first")) out += fmt::format("\n  asks first: {}", text_field(answer, "ask_first"));
    return out;
}

result<int> match(const intents_options& options) {
    auto with = load(options);
    if (!with) return fail(std::move(with));
    bool all = true;
    for_each_sentence(options, [&](const std::string& sentence) {
        const ordered answer = match_one(*with, sentence, options.exact);
        all = all && !answer["intent"].is_null();
        print_line(options.json ? one_line(answer) : printable_lines(plain(answer)));
    });
    return all || options.json ? 0 : 1;
}

result<int> explain(const intents_options& options) {
    auto with = load(options);
    if (!with) return fail(std::move(with));
    for_each_sentence(options, [&](const std::string& sentence) {
        print_line(printable_lines(intent::explain(*with->interpreter, sentence, with->where)));
    });
    return 0;
}

result<int> list(const intents_options& options) {
    auto sentences = load_sentences(options);
    if (!sentences) return fail(std::move(sentences));
    for (const auto& one : sentences->intents) {
        std::size_t templates = 0;
        std::string first;
        for (const auto& block : one.blocks) {
            templates += block.sentences.size();
            if (first.empty() && !block.sentences.empty()) first = block.sentences.front().text;
        }
        if (options.json) {
            ordered all = ordered::array();
            for (const auto& block : one.blocks)
                for (const auto& text : block.sentences) all.push_back(text.text);
            print_line(one_line(ordered{{"intent", one.name}, {"templates", all}}));
        } else {
            print_line(fmt::format("{}  {:>5}  {}", fit(one.name, 28), templates, printable(first)));
        }
    }
    return 0;
}

result<int> lint(const intents_options& options) {
    intent::collection base;
    if (auto shipped = intent::load_shipped_collection(options.language)) base = std::move(*shipped);
    bool good = true;
    for (const auto& file : options.sentences)
        for (const auto& found : intent::lint(file, base, intent::home{})) {
            good = good && !found.is_error;
            if (options.json) {
                print_line(one_line(
                    ordered{{"severity", found.is_error ? "error" : "warning"}, {"message", found.what.message}}));
            } else {
                print_line(fmt::format("{}: {}", found.is_error ? "error" : "warning", found.what.message));
            }
        }
    if (good && !options.json) print_line("no errors");
    return good ? 0 : 1;
}

result<int> bench(const intents_options& options) {
    const auto before = std::chrono::steady_clock::now();
    auto with = load(options);
    if (!with) return fail(std::move(with));
    const auto loaded = std::chrono::steady_clock::now() - before;
    std::vector<double> times_us;
    std::size_t matched = 0, sentences = 0;
    for_each_sentence(options, [&](const std::string& sentence) {
        ++sentences;
        matched += with->matcher->match_all(sentence, with->where, 1).empty() ? 0 : 1;
        for (int i = 0; i < 20; ++i) {
            const auto begin = std::chrono::steady_clock::now();
            const auto readings = with->matcher->match_all(sentence, with->where, 1);
            times_us.push_back(
                std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
        }
    });
    if (times_us.empty())
        return fail(errc::invalid_argument, "there are no sentences to match")
            .hint("give them as arguments, or one a line");
    std::ranges::sort(times_us);
    const auto at = [&](double share) {
        return times_us[static_cast<std::size_t>(share * static_cast<double>(times_us.size() - 1))];
    };
    const auto& stats = with->matcher->stats();
    const ordered out{
        {"sentences", sentences},    {"matched", matched},
        {"p50_us", at(0.5)},         {"p99_us", at(0.99)},
        {"max_us", times_us.back()}, {"templates", stats.templates},
        {"names", stats.names},      {"compile_ms", static_cast<double>(stats.compile_time.count()) / 1000},
        {"load_ms", to_ms(loaded)},  {"memory_bytes", stats.bytes}};
    if (options.json) {
        print_line(one_line(out));
        return 0;
    }
    for (const auto& [name, value] : out.items()) print_line(fmt::format("{}  {}", fit(name, 14), value.dump()));
    return 0;
}

}  // namespace

result<int> intents(const intents_options& options) {
    switch (options.what) {
        case intents_options::action::match:
            return match(options);
        case intents_options::action::explain:
            return explain(options);
        case intents_options::action::list:
            return list(options);
        case intents_options::action::lint:
            return lint(options);
        case intents_options::action::bench:
            return bench(options);
    }
    return 1;
}

}  // namespace loqa::cli
