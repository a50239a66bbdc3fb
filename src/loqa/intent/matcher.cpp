#include "loqa/intent/matcher.hpp"

#include <algorithm>

#include "loqa/intent/program.hpp"
#include "loqa/intent/search.hpp"

namespace loqa::intent {
namespace {

scratch& thread_scratch() {
    thread_local scratch s;
    return s;
}

// The area is a context value like any other.
context with_area(const context& where) {
    context out = where;
    if (!out.area.empty()) out.values.try_emplace("area", out.area);
    return out;
}

recognized to_recognized(const program& p, const search& s, const reading& r, std::string_view sentence) {
    const compiled_template& t = p.templates[r.template_index];
    const compiled_block& block = p.blocks[t.block];
    recognized out;
    out.intent = p.intents[block.intent];
    out.language = p.language;
    out.response = block.response;
    out.metadata = block.metadata;
    out.text = sentence;
    out.sentence_template = t.source.text;
    out.where = t.source.where;
    out.literal_characters = r.literal;
    const auto put = [&](slot one) {
        // Said twice: the last counts.
        for (auto& there : out.slots)
            if (there.name == one.name) {
                there = std::move(one);
                return;
            }
        out.slots.push_back(std::move(one));
    };
    for (const link& l : r.values) {
        if (l.capture) continue;
        slot one;
        one.name = p.slot_names[l.slot];
        one.text = s.said(r, l);
        one.wildcard = l.wildcard;
        if (l.digits) {
            if (l.number == static_cast<double>(static_cast<std::int64_t>(l.number))) {
                one.value = static_cast<std::int64_t>(l.number);
            } else {
                one.value = l.number;
            }
        } else if (l.value == none || p.lists[l.list].values[l.value].out_is_text) {
            one.value = one.text;
        } else {
            one.value = p.lists[l.list].values[l.value].out;
        }
        put(std::move(one));
    }
    const auto add_missing = [&](const std::string& name, const slot_value& value) {
        if (out.find(name) == nullptr) out.slots.push_back({name, value, {}, false});
    };
    for (const auto& [name, value] : block.slots) add_missing(name, value);
    for (const auto& [name, value] : r.from_context) add_missing(p.slot_names[name], value);
    return out;
}

}  // namespace

struct matcher::impl {
    program code;
    compile_options options;
    statistics stats;
};

matcher::matcher(std::unique_ptr<impl> parts) : impl_(std::move(parts)) {}
matcher::~matcher() = default;

const slot* recognized::find(std::string_view name) const {
    const auto found = std::ranges::find(slots, name, &slot::name);
    return found == slots.end() ? nullptr : &*found;
}

std::string recognized::text_of(std::string_view name) const {
    const slot* found = find(name);
    return found == nullptr ? "" : to_string(found->value);
}

std::optional<double> recognized::number_of(std::string_view name) const {
    const slot* found = find(name);
    if (found == nullptr) return std::nullopt;
    if (const auto* whole = std::get_if<std::int64_t>(&found->value)) return static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&found->value)) return *real;
    if (const auto* text = std::get_if<std::string>(&found->value)) {
        char* end = nullptr;
        const double value = std::strtod(text->c_str(), &end);
        if (end != text->c_str() && *end == '\0') return value;
    }
    return std::nullopt;
}

std::string_view to_string(miss_reason reason) {
    switch (reason) {
        case miss_reason::empty:
            return "empty";
        case miss_reason::unknown_words:
            return "unknown_words";
        case miss_reason::unknown_name:
            return "unknown_name";
        case miss_reason::wrong_kind:
            return "wrong_kind";
        case miss_reason::missing_context:
            return "missing_context";
        case miss_reason::too_ambiguous:
            return "too_ambiguous";
        case miss_reason::too_long:
            return "too_long";
    }
    return "unknown_words";
}

std::string miss::sentence() const {
    switch (reason) {
        case miss_reason::empty:
            return "I heard nothing.";
        case miss_reason::unknown_words:
            return word.empty() ? "I didn't understand that." : fmt::format("I didn't understand \"{}\".", word);
        case miss_reason::unknown_name:
            if (list == "area") return fmt::format("I don't know an area called {}.", word);
            if (list == "floor") return fmt::format("I don't know a floor called {}.", word);
            if (list == "name") return fmt::format("I don't know anything called {}.", word);
            return fmt::format("I don't know {} here.", word);
        case miss_reason::wrong_kind:
            return fmt::format("I can't do that with {}.", word);
        case miss_reason::missing_context:
            return word == "area" ? "I don't know which room you mean."
                                  : fmt::format("I don't know which {} you mean.", word);
        case miss_reason::too_ambiguous:
            return "That could mean too many things.";
        case miss_reason::too_long:
            return "That was too much at once.";
    }
    return "I didn't understand that.";
}

result<std::shared_ptr<const matcher>> matcher::compile(const collection& sentences, const home& house,
                                                        const compile_options& options, std::vector<error>* left_out) {
    const auto begin = std::chrono::steady_clock::now();
    auto code = compile_program(sentences, house, options, left_out);
    if (!code) return fail(std::move(code));
    auto parts = std::make_unique<impl>();
    parts->code = std::move(*code);
    parts->options = options;
    const program& p = parts->code;
    statistics& stats = parts->stats;
    stats.templates = p.templates.size();
    stats.nodes = p.nodes.size();
    stats.vocabulary = p.vocabulary.size();
    stats.bytes = p.nodes.capacity() * sizeof(node) + p.targets.capacity() * 4 + p.texts.capacity() * 4 +
                  p.word_sets.size() * (p.takes_anything.words().size() * 8 + 24) + p.vocabulary.size() * 80;
    for (const auto& list : p.lists) {
        stats.bytes += list.words.bytes() + list.values.size() * sizeof(compiled_value);
        if (list.name == "name" || list.name == "area" || list.name == "floor") stats.names += list.values.size();
    }
    stats.compile_time =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
    return std::shared_ptr<const matcher>(new matcher(std::move(parts)));
}

answer matcher::match(std::string_view sentence, const context& where) const {
    if (sentence.size() > longest_sentence) return std::unexpected(miss{miss_reason::too_long, {}, {}});
    const program& p = impl_->code;
    const context known = with_area(where);
    scratch& s = thread_scratch();
    search look(p, s, search::mode::match);
    if (!look.prepare(sentence, known)) return std::unexpected(miss{miss_reason::empty, {}, {}});
    std::vector<reading> readings;
    look.run(readings, true);
    if (!readings.empty()) return to_recognized(p, look, readings.front(), sentence);
    if (look.exhausted()) return std::unexpected(miss{miss_reason::too_ambiguous, {}, {}});
    if (look.missing_key() != none)
        for (const auto& [key, id] : p.keys)
            if (id == look.missing_key()) return std::unexpected(miss{miss_reason::missing_context, key, {}});

    if (look.only_skip_words()) return std::unexpected(miss{miss_reason::empty, {}, {}});
    search why(p, s, search::mode::diagnose);
    why.prepare(sentence, known);
    why.run(readings, true);
    if (readings.empty()) return std::unexpected(miss{miss_reason::unknown_words, {}, {}});
    const link* unknown = nullptr;
    for (const link& l : readings.front().values) {
        if (!l.unknown) continue;
        // Two guesses are no diagnosis.
        if (unknown != nullptr) return std::unexpected(miss{miss_reason::unknown_words, {}, {}});
        unknown = &l;
    }
    const std::string& list = p.lists[unknown->list].name;
    if (list != "area" && list != "floor" && list != "name")
        return std::unexpected(miss{miss_reason::unknown_words, why.said(readings.front(), *unknown), {}});
    const bool has_it = why.is_value(readings.front(), *unknown);
    return std::unexpected(miss{has_it ? miss_reason::wrong_kind : miss_reason::unknown_name,
                                why.said(readings.front(), *unknown), p.lists[unknown->list].name});
}

std::vector<recognized> matcher::match_all(std::string_view sentence, const context& where, std::size_t limit) const {
    if (sentence.size() > longest_sentence) return {};
    const program& p = impl_->code;
    const context known = with_area(where);
    search look(p, thread_scratch(), search::mode::match);
    if (!look.prepare(sentence, known)) return {};
    std::vector<reading> readings;
    look.run(readings, false);
    std::ranges::stable_sort(readings, [&](const reading& a, const reading& b) { return better(p, a, b); });
    std::vector<recognized> out;
    for (const reading& r : readings) {
        if (out.size() >= limit) break;
        out.push_back(to_recognized(p, look, r, sentence));
    }
    return out;
}

progress matcher::feed(std::string_view partial, const context& where) const {
    if (partial.size() > longest_sentence) return {};
    const program& p = impl_->code;
    const context known = with_area(where);
    search look(p, thread_scratch(), search::mode::grow);
    look.continuations().limit = impl_->options.next_words;
    progress out;
    if (!look.prepare(partial, known)) {
        out.can_grow = true;
        return out;
    }
    std::vector<reading> readings;
    look.run(readings, true);
    auto& found = look.continuations();
    out.complete = found.complete;
    // Free text could swallow anything: behind a complete command it is not worth waiting for.
    out.can_grow = found.grows || found.text_next || (found.grows_after_text && !found.complete);
    out.open_text = found.text_next || found.ends_in_text || (found.grows_after_text && !found.complete);
    out.next_words = std::move(found.words);
    return out;
}

void matcher::for_each_word(const std::function<void(std::u32string_view, bool)>& found) const {
    for (const auto& [word, index] : impl_->code.vocabulary) found(word, index.number);
}

const program& matcher::code() const { return impl_->code; }
const matcher::statistics& matcher::stats() const { return impl_->stats; }
const std::string& matcher::language() const { return impl_->code.language; }

}  // namespace loqa::intent
