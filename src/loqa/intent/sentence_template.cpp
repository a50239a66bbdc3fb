#include "loqa/intent/sentence_template.hpp"

#include <algorithm>
#include <charconv>

#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

using kind = expression::kind;

char32_t closing_of(char32_t opening) {
    switch (opening) {
        case U'(':
            return U')';
        case U'[':
            return U']';
        case U'{':
            return U'}';
        case U'<':
            return U'>';
        default:
            return 0;
    }
}

bool is_delimiter(char32_t c) { return std::u32string_view(U"()[]{}<>|;").find(c) != std::u32string_view::npos; }

expression text_of(std::u32string text) {
    expression e;
    e.type = kind::text;
    e.text = std::move(text);
    return e;
}

class parser {
public:
    explicit parser(const template_text& source) : source_(source) {}

    result<expression> sentence() {
        if (source_.text.size() > max_template_length)
            return fail(errc::too_long, "{}: a template of {} bytes, at most {} are allowed: {}…",
                        to_string(source_.where), source_.text.size(), max_template_length, source_.text.substr(0, 60));
        std::u32string text = decode_utf8(source_.text);
        while (!text.empty() && is_space(text.back())) text.pop_back();
        while (!text.empty() && is_space(text.front())) text.erase(0, 1);
        if (text.empty()) return wrong("it is empty");
        auto parsed = group(text, 0);
        if (!parsed) return parsed;
        // "(a|b)" is the alternative itself, not a sequence of one.
        if (parsed->items.size() == 1 && parsed->type != kind::text) {
            const kind inner = parsed->items.front().type;
            if (inner == kind::sequence || inner == kind::alternative || inner == kind::permutation) {
                expression only = std::move(parsed->items.front());
                return only;
            }
        }
        return parsed;
    }

private:
    failure wrong(std::string_view what) const {
        return fail(errc::invalid_config, "{}: sentence template \"{}\" cannot be read: {}", to_string(source_.where),
                    source_.text, what);
    }

    // The index behind the delimiter that closes the one at `begin`; 0 if nothing does. Only delimiters of the same
    // kind count.
    static std::size_t find_end(std::u32string_view text, std::size_t begin) {
        const char32_t open = text[begin], close = closing_of(open);
        int depth = 0;
        for (std::size_t i = begin; i < text.size(); ++i) {
            if (text[i] == U'\\') {
                ++i;
            } else if (text[i] == open) {
                ++depth;
            } else if (text[i] == close && --depth == 0) {
                return i + 1;
            }
        }
        return 0;
    }

    // One word with the spaces behind it (and before it, where it begins with them).
    static std::size_t find_word_end(std::u32string_view text, std::size_t begin) {
        bool separated = false;
        for (std::size_t i = begin; i < text.size(); ++i) {
            if (text[i] == U'\\') {
                if (separated) return i;
                ++i;
                continue;
            }
            if (i > begin && text[i] == U' ') {
                separated = true;
                continue;
            }
            if (separated || is_delimiter(text[i])) return i;
        }
        return text.size();
    }

    static std::u32string unescape(std::u32string_view text) {
        std::u32string out;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == U'\\' && i + 1 < text.size()) ++i;
            out.push_back(text[i]);
        }
        return out;
    }

    result<expression> list(std::u32string_view inside, bool white_space_follows) {
        expression e;
        e.type = kind::list;
        e.white_space_follows = white_space_follows;
        e.name = encode_utf8(unescape(inside));
        if (const auto colon = e.name.find(':'); colon != std::string::npos) {
            e.slot = e.name.substr(colon + 1);
            e.name.resize(colon);
            if (e.slot.starts_with('@')) {
                e.capture = true;
                e.slot.erase(0, 1);
            }
        } else if (e.name.starts_with('@')) {
            e.capture = true;
            e.name.erase(0, 1);
            e.slot = e.name;
        } else {
            e.slot = e.name;
        }
        if (e.name.empty() || e.slot.empty()) return wrong("a list without a name");
        return e;
    }

    result<expression> group(std::u32string_view text, std::size_t depth) {
        if (depth > max_template_depth) return wrong(fmt::format("groups nest deeper than {}", max_template_depth));
        if (text.empty()) return wrong("an empty group");
        expression whole;
        const auto add = [&](expression item) {
            if (whole.type == kind::sequence) {
                whole.items.push_back(std::move(item));
            } else {
                whole.items.back().items.push_back(std::move(item));
            }
        };
        for (std::size_t i = 0; i < text.size();) {
            const char32_t c = text[i];
            if (c == U'|' || c == U';') {
                const kind wanted = c == U'|' ? kind::alternative : kind::permutation;
                if (whole.type != wanted) {
                    if (whole.type == kind::alternative)
                        return wrong("'|' and ';' in one group; put one of them in a group of its own");
                    expression outer;
                    outer.type = wanted;
                    outer.items.push_back(std::move(whole));
                    whole = std::move(outer);
                }
                whole.items.emplace_back();
                ++i;
                continue;
            }
            if (closing_of(c) == 0) {
                if (is_delimiter(c)) return wrong(fmt::format("'{}' closes nothing", static_cast<char>(c)));
                const std::size_t end = find_word_end(text, i);
                add(text_of(to_lower(normalize_spelling(unescape(text.substr(i, end - i))))));
                i = end;
                continue;
            }
            const std::size_t end = find_end(text, i);
            if (end == 0) return wrong(fmt::format("'{}' is never closed", static_cast<char>(c)));
            const auto inside = text.substr(i + 1, end - i - 2);
            if (inside.empty()) return wrong("an empty group");
            if (c == U'{') {
                auto item = list(inside, end < text.size() && is_space(text[end]));
                if (!item) return item;
                add(std::move(*item));
            } else if (c == U'<') {
                expression item;
                item.type = kind::rule;
                item.name = encode_utf8(unescape(inside));
                add(std::move(item));
            } else {
                auto item = group(inside, depth + 1);
                if (!item) return item;
                if (c == U'[') {
                    if (item->type != kind::alternative) {
                        expression outer;
                        outer.type = kind::alternative;
                        outer.items.push_back(std::move(*item));
                        *item = std::move(outer);
                    }
                    item->optional = true;
                    item->items.push_back(text_of({}));
                }
                add(std::move(*item));
            }
            i = end;
        }
        if (whole.type == kind::permutation) {
            // Its items are words of their own, however they are written.
            for (expression& item : whole.items) {
                if (item.type != kind::sequence)
                    return wrong("'|' and ';' in one group; put one of them in a group of its own");
                item.items.insert(item.items.begin(), text_of(U" "));
                item.items.push_back(text_of(U" "));
            }
        }
        return whole;
    }

    const template_text& source_;
};

bool expand_into(const expression& e, const std::map<std::string, expression>& rules, std::size_t limit,
                 std::size_t depth, std::vector<std::u32string>& out) {
    if (depth > max_template_depth) return false;
    switch (e.type) {
        case kind::text:
            out.push_back(e.text);
            return true;
        case kind::list:
            return false;
        case kind::rule: {
            const auto rule = rules.find(e.name);
            return rule != rules.end() && expand_into(rule->second, rules, limit, depth + 1, out);
        }
        case kind::alternative:
            for (const expression& item : e.items)
                if (!expand_into(item, rules, limit, depth + 1, out) || out.size() > limit) return false;
            return true;
        case kind::sequence: {
            std::vector<std::u32string> all{U""};
            for (const expression& item : e.items) {
                std::vector<std::u32string> next, product;
                if (!expand_into(item, rules, limit, depth + 1, next) || all.size() * next.size() > limit) return false;
                for (const auto& head : all)
                    for (const auto& tail : next) product.push_back(head + tail);
                all = std::move(product);
            }
            out.insert(out.end(), all.begin(), all.end());
            return true;
        }
        case kind::permutation: {
            std::vector<std::size_t> order(e.items.size());
            for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
            if (order.size() > 6) return false;
            do {
                expression sequence;
                for (const std::size_t i : order) sequence.items.push_back(e.items[i]);
                if (!expand_into(sequence, rules, limit, depth + 1, out) || out.size() > limit) return false;
            } while (std::ranges::next_permutation(order).found);
            return true;
        }
    }
    return false;
}

}  // namespace

result<expression> parse_template(const template_text& source) { return parser(source).sentence(); }

bool is_template(std::string_view text) { return text.find_first_of("(){}<>[]|@") != std::string_view::npos; }

std::optional<number_range> inline_range(const std::string& list_name) {
    number_range range;
    const char* at = list_name.data();
    const char* end = at + list_name.size();
    const auto number = [&](std::int64_t& out) {
        const auto [rest, code] = std::from_chars(at, end, out);
        if (code != std::errc{} || rest == at) return false;
        at = rest;
        return true;
    };
    if (!number(range.from) || end - at < 3 || at[0] != '.' || at[1] != '.') return std::nullopt;
    at += 2;
    if (!number(range.to)) return std::nullopt;
    if (at != end) {
        if (*at != ',') return std::nullopt;
        ++at;
        if (!number(range.step) || at != end) return std::nullopt;
    }
    return range;
}

std::size_t count_texts(const expression& e) {
    if (e.type == kind::text) return 1;
    std::size_t count = 0;
    for (const expression& item : e.items) count += count_texts(item);
    return count;
}

std::optional<std::vector<std::u32string>> expand(const expression& e, const std::map<std::string, expression>& rules,
                                                  std::size_t limit) {
    std::vector<std::u32string> out;
    if (!expand_into(e, rules, limit, 0, out)) return std::nullopt;
    for (auto& text : out) text = normalize_spelling(text);
    return out;
}

}  // namespace loqa::intent
