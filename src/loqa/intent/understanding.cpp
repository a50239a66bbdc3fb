#include "loqa/intent/understanding.hpp"

#include <algorithm>
#include <array>

#include "loqa/base/text.hpp"
#include "loqa/intent/mending.hpp"
#include "loqa/intent/resolve.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

constexpr std::size_t most_commands = 6;

using word_list = std::vector<std::string>;

word_list words_of(std::string_view sentence) {
    word_list out;
    for (auto& word : split(encode_utf8(normalize_sentence(decode_utf8(sentence))), ' '))
        if (!word.empty()) out.push_back(std::move(word));
    return out;
}

std::string join(const word_list& words, std::size_t begin, std::size_t end) {
    std::string out;
    for (std::size_t i = begin; i < end && i < words.size(); ++i) {
        if (!out.empty()) out += ' ';
        out += words[i];
    }
    return out;
}

std::string lowered(std::string_view text) { return encode_utf8(to_lower(decode_utf8(text))); }

bool has_free_text(const recognized& r) { return std::ranges::any_of(r.slots, &slot::wildcard); }

// Takes any of the phrases off the front, or off the end; both are compared in lower case.
bool strip_front(std::string& text, std::initializer_list<std::string_view> phrases) {
    const std::string low = lowered(text);
    for (const auto phrase : phrases) {
        if (!low.starts_with(phrase)) continue;
        if (low.size() > phrase.size() && low[phrase.size()] != ' ') continue;
        text = std::string(trim(std::string_view(text).substr(phrase.size())));
        return true;
    }
    return false;
}

bool strip_back(std::string& text, std::initializer_list<std::string_view> phrases) {
    const std::string low = lowered(text);
    for (const auto phrase : phrases) {
        if (!low.ends_with(phrase) || low.size() == phrase.size() || low[low.size() - phrase.size() - 1] != ' ')
            continue;
        text = std::string(trim(std::string_view(text).substr(0, text.size() - phrase.size())));
        return true;
    }
    return false;
}

// "Turn on the porch light, and lock the front door. Then …" → the pieces between, without the words that join them.
std::vector<std::string> pieces_of(std::string_view sentence) {
    std::vector<std::string> out(1);
    std::string word;
    const auto next_piece = [&] {
        if (!trim(out.back()).empty()) out.emplace_back();
    };
    const auto put = [&] {
        if (word.empty()) return;
        bool ends = false;
        while (!word.empty() &&
               (word.back() == ',' || word.back() == ';' || word.back() == '.' || word.back() == '!')) {
            // "7 p.m." keeps its dots, a decimal its point.
            if (word.back() == '.' && word.find('.') != word.size() - 1) break;
            word.pop_back();
            ends = true;
        }
        const std::string low = lowered(word);
        if (low == "and" || low == "then" || low == "plus") {
            next_piece();
        } else if (!word.empty()) {
            if (!out.back().empty()) out.back() += ' ';
            out.back() += word;
        }
        if (ends) next_piece();
        word.clear();
    };
    for (const char c : sentence) {
        if (c == ' ' || c == '\n' || c == '\t') {
            put();
        } else {
            word += c;
        }
    }
    put();
    while (!out.empty() && trim(out.back()).empty()) out.pop_back();
    return out;
}

// A word that a time of day or a date begins with.
bool starts_time(std::string_view word) {
    constexpr std::array<std::string_view, 15> cues{"at",        "on",       "tomorrow", "tonight",  "today",
                                                    "this",      "next",     "sunday",   "monday",   "tuesday",
                                                    "wednesday", "thursday", "friday",   "saturday", "the"};
    return std::ranges::find(cues, word) != cues.end();
}

// Nothing but a name or a place: what is to be done with it was said before, or not at all.
bool is_bare(std::string_view sentence, const recognized& r) {
    std::string text = lowered(sentence);
    while (strip_front(text, {"the", "my", "our", "a", "in", "on"})) {
    }
    return std::ranges::any_of(r.slots, [&](const slot& one) {
        return (one.name == "name" || one.name == "area" || one.name == "floor") && lowered(one.text) == text;
    });
}

// What stands where a timer's name should hardly is one: "cancel [one in it from my] timer". A recogniser got it wrong.
bool has_doubtful_name(const recognized& r) {
    constexpr std::array<std::string_view, 29> no_names{
        "a",     "an",     "the",     "my",   "in",    "it",     "from",    "for",  "to",  "on",
        "off",   "of",     "at",      "and",  "or",    "up",     "is",      "time", "set", "you",
        "timer", "minute", "minutes", "hour", "hours", "second", "seconds", "half", "one"};
    if (!r.intent.contains("Timer")) return false;
    const slot* name = r.find("name");
    if (name == nullptr || !name->wildcard) return false;
    const word_list words = words_of(lowered(name->text));
    return words.size() > 4 || std::ranges::any_of(words, [&](const std::string& word) {
               return std::ranges::find(no_names, word) != no_names.end();
           });
}

// A sentence that begins with a free name says nowhere what to do with it: "Santa timer for ten minutes".
bool begins_with_name(std::string_view sentence, const recognized& r) {
    const slot* name = r.find("name");
    return name != nullptr && name->wildcard && lowered(sentence).starts_with(lowered(name->text));
}

// "timer 490 seconds": written in digits, "for ninety" is one number with its "for".
bool may_have_lost_for(std::string_view sentence) {
    const word_list words = words_of(lowered(sentence));
    for (std::size_t i = 1; i < words.size(); ++i)
        if (words[i - 1] == "timer" && words[i].size() > 1 && words[i].starts_with('4') &&
            std::ranges::all_of(words[i], [](char c) { return c >= '0' && c <= '9'; }))
            return true;
    return false;
}

std::optional<std::chrono::seconds> duration_of(const recognized& r) {
    const double seconds = r.number_of("hours").value_or(0) * 3600 + r.number_of("minutes").value_or(0) * 60 +
                           r.number_of("seconds").value_or(0);
    if (seconds <= 0) return std::nullopt;
    return std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

}  // namespace

struct interpreter::impl {
    std::shared_ptr<const matcher> sentences;
    std::shared_ptr<const home> house;
    understanding_options options;
    mender mend;

    using commands = std::vector<command>;

    // One command, word for word, now or later.
    std::expected<command, miss> single(std::string_view sentence, const context& where, bool may_be_later) const {
        std::optional<miss> why;
        if (answer got = sentences->match(sentence, where)) {
            const slot* inner = got->find("conversation_command");
            if (inner == nullptr) return command{std::move(*got), {}, {}};
            if (!may_be_later) return std::unexpected(miss{miss_reason::unknown_words, inner->text, {}});
            auto then = single(inner->text, where, false);
            if (!then) return std::unexpected(then.error());
            then->delay = duration_of(*got);
            if (!then->delay) return std::unexpected(miss{miss_reason::unknown_words, std::string(sentence), {}});
            return then;
        } else {
            why = std::move(got.error());
        }
        if (may_be_later)
            if (auto later = said_for_later(sentence, where)) return std::move(*later);
        return std::unexpected(std::move(*why));
    }

    // "turn off the lights tomorrow at seven", "at half past nine close the blinds", "in half an hour turn it off"
    std::optional<command> said_for_later(std::string_view sentence, const context& where) const {
        const word_list words = words_of(sentence);
        for (std::size_t i = 0; i < words.size(); ++i) {
            const std::string cue = lowered(words[i]);
            const bool starts_duration = cue == "in" || cue == "after";
            if (!starts_duration && !starts_time(cue)) continue;
            const auto attempt = [&](std::size_t end, const std::string& rest) -> std::optional<command> {
                if (rest.empty()) return std::nullopt;
                std::optional<std::chrono::seconds> delay;
                std::optional<spoken_time> at;
                if (starts_duration) delay = parse_spoken_duration(join(words, i + 1, end));
                if (!delay) at = parse_spoken_time(join(words, i, end));
                if (!delay && !at) return std::nullopt;
                auto then = single(rest, where, false);
                if (!then || !acts(then->what.intent) || has_free_text(then->what)) return std::nullopt;
                then->delay = delay;
                then->at = at;
                return std::move(*then);
            };
            if (auto found = attempt(words.size(), join(words, 0, i))) return found;
            for (std::size_t end = words.size() - 1; i == 0 && end > i; --end)
                if (auto found = attempt(end, join(words, end, words.size()))) return found;
        }
        return std::nullopt;
    }

    // A piece of a sentence that leaves out what an earlier one said: "turn off the porch light and [turn off] the
    // kitchen light".
    std::optional<command> continued(const std::string& piece, const command& previous, const context& where,
                                     std::optional<miss>* why = nullptr) const {
        const word_list head = words_of(previous.what.text);
        for (std::size_t kept = head.size() - std::min<std::size_t>(head.size(), 1); kept > 0; --kept) {
            const std::string whole = join(head, 0, kept) + " " + piece;
            auto got = single(whole, where, true);
            if (!got && why != nullptr && !*why && got.error().reason == miss_reason::unknown_name) *why = got.error();
            if (!got || got->what.intent != previous.what.intent || has_free_text(got->what)) continue;
            // It has to say something of its own.
            if (got->what.slots.size() == previous.what.slots.size() &&
                std::ranges::all_of(got->what.slots, [&](const slot& one) {
                    const slot* before = previous.what.find(one.name);
                    return before != nullptr && before->value == one.value;
                }))
                continue;
            return std::move(*got);
        }
        return std::nullopt;
    }

    // "set two timers, one for three minutes and one for nine"
    std::optional<commands> several_timers(std::string_view sentence, const context& where) const {
        const word_list words = words_of(sentence);
        std::size_t timers = 0;
        while (timers < words.size() && lowered(words[timers]) != "timers") ++timers;
        if (timers < 2 || timers >= words.size()) return std::nullopt;
        const auto wanted = parse_small_number(lowered(words[timers - 1]));
        std::vector<word_list> lengths;
        for (std::size_t i = timers + 1; i < words.size(); ++i) {
            const std::string low = lowered(words[i]);
            const bool next_is_for = i + 1 < words.size() && lowered(words[i + 1]) == "for";
            if (next_is_for &&
                (low == "one" || low == "another" || low == "1" || low == "other" || low == "second" || low == "a")) {
                lengths.emplace_back();
                ++i;
            } else if (!lengths.empty() && low != "the") {
                lengths.back().push_back(words[i]);
            } else if (low != "the" && low != "and") {
                return std::nullopt;
            }
        }
        if (lengths.size() < 2 || lengths.size() > most_commands ||
            (wanted && *wanted != static_cast<int>(lengths.size())))
            return std::nullopt;
        commands out;
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            while (!lengths[i].empty() && lowered(lengths[i].back()) == "and") lengths[i].pop_back();
            if (lengths[i].empty()) return std::nullopt;
            std::string text = "set a timer for " + join(lengths[i], 0, lengths[i].size());
            auto got = single(text, where, false);
            // The unit may stand only once: before, or behind the last.
            for (const std::size_t other : {i - 1, i + 1}) {
                if (got || other >= lengths.size() || lengths[other].empty()) continue;
                got = single(text + " " + lengths[other].back(), where, false);
            }
            if (!got || got->what.intent != "HassStartTimer") return std::nullopt;
            out.push_back(std::move(*got));
        }
        return out;
    }

    // Every piece a command of its own, or nothing.
    std::expected<commands, miss> several(std::string_view sentence, const context& where) const {
        if (auto timers = several_timers(sentence, where)) return std::move(*timers);
        const auto pieces = pieces_of(sentence);
        if (pieces.size() < 2 || pieces.size() > 2 * most_commands) return std::unexpected(miss{});
        commands out;
        std::optional<miss> why, named;
        for (std::size_t i = 0; i < pieces.size();) {
            // "one hour and five minutes" is one piece after all: the longest run of pieces that means something
            // counts.
            bool found = false;
            for (std::size_t end = pieces.size(); end > i && !found; --end) {
                if (i == 0 && end == pieces.size()) continue;
                std::string text = pieces[i];
                for (std::size_t k = i + 1; k < end; ++k) text += " and " + pieces[k];
                auto got = single(text, where, true);
                const bool bare = !got || has_free_text(got->what) || is_bare(text, got->what);
                if (bare && !out.empty())
                    if (auto more = continued(text, out.back(), where, &named)) {
                        out.push_back(std::move(*more));
                        found = true;
                    }
                if (!found && got && !has_free_text(got->what)) {
                    out.push_back(std::move(*got));
                    found = true;
                }
                if (!got && !why) why = got.error();
                if (found) i = end;
            }
            if (!found || out.size() > most_commands) return std::unexpected(named ? *named : why.value_or(miss{}));
        }
        // A time at the end of the sentence is for all of it.
        if (out.back().later())
            for (auto& one : out)
                if (!one.later() && acts(one.what.intent)) {
                    one.delay = out.back().delay;
                    one.at = out.back().at;
                }
        return out;
    }

    std::optional<std::expected<commands, miss>> revoked(std::string_view sentence, const context& where,
                                                         const conversation& before, bool remembers) const;

    // What the last turn was about, in the ways it would be said: "the Bedroom Lamp"; "the lights in the kitchen", "the
    // kitchen lights".
    static std::vector<std::string> subjects_of(const recognized& r) {
        if (const slot* name = r.find("name"); name != nullptr && !name->wildcard)
            return {"the " + to_string(name->value)};
        const std::string domain = r.text_of("domain").empty() ? std::string(domain_of(r.intent)) : r.text_of("domain");
        const std::string device_class = r.text_of("device_class");
        const std::string things = !device_class.empty() ? device_class + "s"
                                   : domain == "light"   ? "lights"
                                   : domain == "fan"     ? "fans"
                                                         : "";
        if (things.empty()) return {};
        const std::string area = !r.text_of("area").empty() ? r.text_of("area") : r.text_of("floor");
        if (area.empty()) return {"the " + things};
        return {"the " + things + " in the " + area, "the " + area + " " + things};
    }

    // "make it warmer", "a bit darker": the last value, one step further.
    static std::optional<command> further(const word_list& words, const command& last) {
        struct step {
            std::string_view word, slot;
            int by;
        };
        constexpr std::array<step, 14> steps{{{"warmer", "temperature", 1},
                                              {"hotter", "temperature", 1},
                                              {"cooler", "temperature", -1},
                                              {"colder", "temperature", -1},
                                              {"brighter", "brightness", 20},
                                              {"lighter", "brightness", 20},
                                              {"darker", "brightness", -20},
                                              {"dimmer", "brightness", -20},
                                              {"louder", "volume_level", 10},
                                              {"quieter", "volume_level", -10},
                                              {"softer", "volume_level", -10},
                                              {"faster", "percentage", 20},
                                              {"slower", "percentage", -20},
                                              {"higher", "position", 20}}};
        constexpr std::array<std::string_view, 15> around{"make",   "it",   "them",   "that", "the",
                                                          "a",      "bit",  "little", "set",  "please",
                                                          "lights", "much", "turn",   "and",  "now"};
        const step* found = nullptr;
        for (const auto& said : words) {
            const std::string word = lowered(said);
            const auto known = std::ranges::find(steps, word, &step::word);
            if (known != steps.end() && found == nullptr) {
                found = &*known;
            } else if (std::ranges::find(around, word) == around.end()) {
                return std::nullopt;
            }
        }
        if (found == nullptr || last.later()) return std::nullopt;
        const auto value = last.what.number_of(found->slot);
        if (!value) return std::nullopt;
        command out = last;
        const bool is_share = found->slot != "temperature";
        const double next = is_share ? std::clamp(*value + found->by, 0.0, 100.0) : *value + found->by;
        for (slot& one : out.what.slots)
            if (one.name == found->slot) {
                one.value =
                    next == static_cast<double>(std::int64_t(next)) ? slot_value(std::int64_t(next)) : slot_value(next);
                one.text = to_string(one.value);
            }
        out.what.text = join(words, 0, words.size());
        return out;
    }

    // "turn it off again", "and the bedroom", "what about upstairs": read with the last turn in mind. A bare name goes
    // on with what was done last, whatever it would mean alone.
    std::optional<commands> follow_up(std::string_view sentence, const context& where, const conversation& before,
                                      bool bare_name) const {
        if (before.empty()) return std::nullopt;
        const command& last = before.commands.back();
        word_list words = words_of(sentence);
        if (auto more = further(words, last)) return commands{std::move(*more)};
        std::string text = join(words, 0, words.size());
        const auto one = [](command c) { return std::optional<commands>(commands{std::move(c)}); };

        const auto is_pronoun = [](const std::string& word) {
            const std::string low = lowered(word);
            return low == "it" || low == "them" || low == "that" || low == "those";
        };
        if (std::ranges::any_of(words, is_pronoun))
            for (const std::string& subject : subjects_of(last.what)) {
                word_list filled = words;
                std::ranges::replace_if(filled, is_pronoun, subject);
                std::string said = join(filled, 0, filled.size());
                while (strip_back(said, {"again", "too", "as well", "then", "now"})) {
                }
                strip_front(said, {"and", "then", "now", "also"});
                // "turn the lights off" may only be known as "turn off the lights".
                for (const std::string_view way : {"", "on", "off"}) {
                    std::string turned = said;
                    if (!way.empty()) {
                        if (!strip_front(turned, {"turn", "switch"}) || !strip_back(turned, {way})) continue;
                        turned = fmt::format("turn {} {}", way, turned);
                    }
                    if (auto got = single(turned, where, true); got && !has_free_text(got->what))
                        return one(std::move(*got));
                }
            }

        const bool cue =
            strip_front(text, {"and", "what about", "how about", "also", "now", "the same for", "same for", "same in"});
        if (cue) strip_front(text, {"what about", "how about", "also", "now", "the same for", "in", "for"});
        const bool tail = strip_back(text, {"too", "as well", "also"});
        if ((!cue && !tail && !bare_name) || text.empty()) return std::nullopt;
        std::string bare = text;
        strip_front(bare, {"in the", "on the", "in", "on", "the", "my", "for the", "for"});
        // The same sentence with the name or the place exchanged.
        for (const char* slot_name : {"area", "floor", "name"}) {
            const slot* said = last.what.find(slot_name);
            if (said == nullptr || said->text.empty() || said->wildcard) continue;
            const std::string whole = last.what.text, low = lowered(whole), part = lowered(said->text);
            const auto at = low.find(part);
            if (at == std::string::npos) continue;
            const std::string changed = whole.substr(0, at) + bare + whole.substr(at + part.size());
            if (auto got = single(changed, where, true);
                got && got->what.intent == last.what.intent && !has_free_text(got->what))
                return one(std::move(*got));
        }
        // The place was not said last time.
        for (const char* between : {" in the ", " on the ", " "})
            if (auto got = single(last.what.text + between + bare, where, true);
                got && got->what.intent == last.what.intent && !has_free_text(got->what))
                return one(std::move(*got));
        if (auto got = continued(text, last, where)) return one(std::move(*got));
        return std::nullopt;
    }
};

// What is not to be done after all: "cancel that", right after something was put off; "don't turn off the lights".
// Nothing when the sentence is neither; a miss when it says what is not to be done, and that is not understood.
std::optional<std::expected<std::vector<command>, miss>> interpreter::impl::revoked(std::string_view sentence,
                                                                                    const context& where,
                                                                                    const conversation& before,
                                                                                    bool remembers) const {
    const auto cancel = [&](std::string text) {
        recognized out;
        out.intent = "LoqaPlannedCancel";
        out.response = "named";
        out.language = sentences->language();
        out.text = std::move(text);
        return out;
    };
    const word_list words = words_of(sentence);
    std::string text = join(words, 0, words.size());
    const std::string low = lowered(text);
    if (remembers && before.commands.back().later()) {
        constexpr std::array<std::string_view, 22> takes_back{
            "cancel",      "cancel that",       "cancel it",      "cancel this",   "don't",       "do not",
            "never mind",  "nevermind",         "no don't",       "forget it",     "forget that", "forget about it",
            "don't do it", "don't do that",     "do not do that", "stop that",     "undo that",   "scrap that",
            "no cancel",   "i changed my mind", "no cancel that", "actually don't"};
        if (std::ranges::find(takes_back, low) != takes_back.end()) {
            std::vector<command> out;
            for (const command& one : before.commands) {
                if (!one.later()) continue;
                auto what = cancel(text);
                what.slots.push_back({"planned", one.what.text, {}, false});
                out.push_back({std::move(what), {}, {}});
            }
            return out;
        }
    }
    strip_front(text, {"no", "please", "actually"});
    const bool forbids = strip_front(text, {"please don't", "don't", "do not", "dont", "never"});
    if (!forbids && !strip_front(text, {"cancel", "forget about", "forget"})) return std::nullopt;
    // "Cancel turning off the lights."
    constexpr std::array<std::pair<std::string_view, std::string_view>, 9> doing{{{"turning", "turn"},
                                                                                  {"switching", "switch"},
                                                                                  {"opening", "open"},
                                                                                  {"closing", "close"},
                                                                                  {"locking", "lock"},
                                                                                  {"unlocking", "unlock"},
                                                                                  {"setting", "set"},
                                                                                  {"starting", "start"},
                                                                                  {"arming", "arm"}}};
    for (const auto& [ing, plain] : doing)
        if (strip_front(text, {ing})) {
            text = std::string(plain) + " " + text;
            break;
        }
    auto inner = single(text, where, true);
    if (!inner || !acts(inner->what.intent)) {
        if (!forbids) return std::nullopt;
        return std::unexpected(inner ? miss{miss_reason::unknown_words, text, {}} : inner.error());
    }
    auto what = cancel(join(words, 0, words.size()));
    what.slots = std::move(inner->what.slots);
    what.slots.push_back({"planned_intent", inner->what.intent, {}, false});
    return std::vector<command>{{std::move(what), {}, {}}};
}

interpreter::interpreter(std::shared_ptr<const matcher> sentences, std::shared_ptr<const home> house,
                         understanding_options options)
    : impl_(new impl{sentences, house, options, mender(sentences, *house)}) {}
interpreter::~interpreter() = default;

std::expected<std::vector<command>, miss> interpreter::word_for_word(std::string_view sentence,
                                                                     const context& where) const {
    if (sentence.size() > longest_sentence) return std::unexpected(miss{miss_reason::too_long, {}, {}});
    auto whole = impl_->single(sentence, where, true);
    // Free text swallows anything: a reading that explains every word is better.
    if (!whole || has_free_text(whole->what))
        if (auto more = impl_->several(sentence, where)) return std::move(*more);
    if (!whole) return std::unexpected(std::move(whole.error()));
    return std::vector<command>{std::move(*whole)};
}

const matcher& interpreter::sentences() const { return *impl_->sentences; }
const home& interpreter::house() const { return *impl_->house; }

understood interpreter::understand(std::string_view sentence, const context& where, const conversation& before,
                                   steady_time now, hearing how) const {
    const impl& my = *impl_;
    understanding out{.mended = how != hearing::clear};
    const bool remembers = !before.empty() && now - before.said_at <= my.options.memory;
    if (sentence.size() > longest_sentence) return std::unexpected(miss{miss_reason::too_long, {}, {}});
    auto whole = my.single(sentence, where, true);
    if (!whole || (remembers && before.commands.back().later()))
        if (auto taken_back = my.revoked(sentence, where, before, remembers)) {
            if (!*taken_back) return std::unexpected(std::move(taken_back->error()));
            out.commands = std::move(**taken_back);
            return out;
        }
    const bool certain = whole && !has_free_text(whole->what) && !is_bare(sentence, whole->what);
    if (whole) out.commands.push_back(*whole);
    std::optional<miss> why;
    if (!whole) why = whole.error();

    // Free text swallows anything, and a bare name means little: a reading that explains every word is better.
    if (!certain) {
        if (remembers)
            if (auto more = my.follow_up(sentence, where, before, whole && is_bare(sentence, whole->what)))
                out.commands = std::move(*more);
        if (out.commands.empty() || has_free_text(out.commands.front().what)) {
            if (auto more = my.several(sentence, where)) {
                out.commands = std::move(*more);
            } else if (out.commands.empty() && more.error().reason == miss_reason::unknown_name) {
                why = more.error();
            }
        }
    }

    // Understood as it stands, but hardly meant so: what it may have been before it was misheard comes first.
    bool doubtful = false;
    if (out.commands.size() == 1 && my.options.mend) {
        const command& one = out.commands.front();
        const bool later_timer = one.later() && one.what.intent == "HassStartTimer";
        doubtful = later_timer || has_doubtful_name(one.what);
        if (doubtful || begins_with_name(sentence, one.what)) {
            auto near = my.mend.mend(sentence, where);
            std::erase_if(near, [](const mended& m) { return has_free_text(m.meaning); });
            if (!near.empty() && near.front().meaning.confidence >= my.options.sure_confidence) {
                out.confidence = near.front().meaning.confidence;
                out.mended = true;
                out.ask_first = near.front().delicate || near.size() > 1;
                out.commands = {command{std::move(near.front().meaning), {}, {}}};
                doubtful = false;
            }
        }
    }
    if (doubtful || (!out.commands.empty() && may_have_lost_for(sentence))) {
        out.confidence = std::min(out.confidence, my.options.sure_confidence);
        out.ask_first = true;
    }

    if (out.commands.empty() && my.options.mend) {
        auto near = my.mend.mend(sentence, where);
        // A bare name is too little to go by.
        std::erase_if(near, [](const mended& m) { return is_bare(m.meaning.text, m.meaning); });
        if (!near.empty() && near.front().meaning.confidence >= my.options.least_confidence) {
            const double margin = near.size() > 1 ? near[1].cost - near[0].cost : 1;
            out.confidence = near.front().meaning.confidence;
            out.mended = true;
            std::optional<command> one = command{std::move(near.front().meaning), {}, {}};
            // A later command inside was taken as free text: it has to be understood itself.
            if (one->what.find("conversation_command") != nullptr) {
                auto then = my.single(one->what.text, where, true);
                if (then) then->what.confidence = out.confidence;
                one = then ? std::optional(std::move(*then)) : std::nullopt;
            }
            if (one) {
                out.ask_first = out.confidence < my.options.sure_confidence || margin < my.options.least_margin ||
                                near.front().delicate || has_doubtful_name(one->what);
                out.commands.push_back(std::move(*one));
            }
        }
    }
    if (out.commands.empty()) return std::unexpected(why.value_or(miss{}));

    for (const command& one : out.commands) {
        const risks what = risks_of(*my.house, one.what);
        out.ask_first = out.ask_first || what.many_areas || opens_house(*my.house, one.what) ||
                        (out.mended && what.any()) || (how == hearing::doubtful && acts(one.what.intent));
    }
    const bool clear = out.confidence >= 1 && how == hearing::clear;
    if (out.ask_first) out.question = question_about(out.commands, clear, my.sentences->language());
    return out;
}

namespace {

// What is asked and answered in each language. The commands themselves are said as they were understood.
struct language_words {
    std::string_view code, conjunction, really, did_you_mean;
    std::vector<std::string_view> yes, no;
};

const language_words& words_of_language(std::string_view language) {
    static const std::vector<language_words> known{
        {"en",
         " and ",
         "Shall I really {}?",
         "Did you mean: {}?",
         {"yes", "yeah", "yep", "yup", "sure", "okay", "ok", "of course", "right", "correct", "do it", "go ahead",
          "please do", "that's right"},
         {"no", "nope", "nah", "never mind", "nevermind", "cancel", "stop", "don't", "do not", "forget it", "not that",
          "wrong"}},
        {"de",
         " und ",
         "Soll ich das wirklich tun: {}?",
         "Meintest du: {}?",
         {"ja", "jawohl", "ja bitte", "klar", "gerne", "okay", "ok", "genau", "richtig", "mach das", "stimmt",
          "sicher"},
         {"nein", "nee", "nein danke", "abbrechen", "stopp", "lass das", "lass es", "falsch", "nicht", "doch nicht"}},
        {"fr",
         " et ",
         "Dois-je vraiment le faire : {} ?",
         "Vouliez-vous dire : {} ?",
         {"oui", "ouais", "d'accord", "ok", "okay", "bien sûr", "exactement", "c'est ça", "vas-y", "oui merci"},
         {"non", "non merci", "annule", "annuler", "stop", "arrête", "laisse tomber", "pas ça"}},
        {"es",
         " y ",
         "¿De verdad quieres que lo haga: {}?",
         "¿Querías decir: {}?",
         {"sí", "si", "claro", "vale", "ok", "okay", "de acuerdo", "exacto", "correcto", "hazlo", "por supuesto"},
         {"no", "no gracias", "cancela", "cancelar", "para", "déjalo", "olvídalo", "eso no"}}};
    const auto found = std::ranges::find(known, language.substr(0, 2), &language_words::code);
    return found == known.end() ? known.front() : *found;
}

}  // namespace

std::string question_about(const std::vector<command>& commands, bool heard_clearly, std::string_view language) {
    const auto& words = words_of_language(language);
    std::string said;
    for (std::size_t i = 0; i < commands.size(); ++i) {
        if (i > 0) said += i + 1 == commands.size() ? words.conjunction : std::string_view(", ");
        std::string text = commands[i].what.text;
        // A code is for nobody else's ears.
        if (const slot* code = commands[i].what.find("code"); code != nullptr && !code->text.empty())
            if (const auto at = lowered(text).find(lowered(code->text)); at != std::string::npos) {
                text = trim(std::string_view(text).substr(0, at));
                while (strip_back(text, {"code", "the", "my", "with"})) {
                }
            }
        while (!text.empty() && (text.back() == '.' || text.back() == '!' || text.back() == '?' || text.back() == ' '))
            text.pop_back();
        if (!text.empty()) text[0] = static_cast<char>(to_lower(static_cast<unsigned char>(text[0])));
        said += text;
    }
    return fmt::format(fmt::runtime(heard_clearly ? words.really : words.did_you_mean), said);
}

std::optional<bool> yes_or_no(std::string_view sentence, std::string_view language) {
    std::string text = lowered(encode_utf8(normalize_sentence(decode_utf8(sentence))));
    while (strip_back(text, {"please", "thanks", "thank you", "do it", "do that", "don't", "loqa"})) {
    }
    const auto& [code, conjunction, really, did_you_mean, yes, no] = words_of_language(language);
    if (std::ranges::find(yes, text) != yes.end()) return true;
    if (std::ranges::find(no, text) != no.end()) return false;
    return std::nullopt;
}

}  // namespace loqa::intent
