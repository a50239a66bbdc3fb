#include "loqa/intent/jinja.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>

#include "loqa/base/text.hpp"
#include "loqa/intent/jinja_syntax.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent::jinja {
namespace {

constexpr std::size_t longest_template = 16'384;
constexpr std::size_t longest_answer = 16'384;
constexpr std::size_t most_items = 4'096;  // of one list
constexpr std::size_t most_steps = 50'000;
constexpr std::size_t deepest_calls = 16;

using kind = expression::kind;

std::string lowered(std::string_view text) { return encode_utf8(intent::to_lower(decode_utf8(text))); }

// Of alphabets whose capitals stand 32 or 1 before their small letters, which is all that have capitals, nearly.
char32_t to_upper(char32_t c) {
    if (intent::to_lower(c) != c) return c;
    for (const char32_t before : {32u, 1u, 48u, 80u})
        if (c > before && intent::to_lower(c - before) == c) return c - before;
    return c;
}

std::string uppered(std::string_view text) {
    auto all = decode_utf8(text);
    std::ranges::transform(all, all.begin(), to_upper);
    return encode_utf8(all);
}

std::string capitalised(std::string_view text, bool each_word) {
    auto all = intent::to_lower(decode_utf8(text));
    bool begins = true;
    for (auto& c : all) {
        if (begins) c = to_upper(c);
        begins = each_word && !is_letter(c);
    }
    return encode_utf8(all);
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    if (what.empty()) return text;
    std::string out;
    for (std::size_t at = 0;;) {
        const auto found = text.find(what, at);
        out += text.substr(at, found == std::string::npos ? found : found - at);
        if (found == std::string::npos) return out;
        out += with;
        at = found + what.size();
        if (out.size() > 2 * longest_answer) return out;
    }
}

std::optional<double> read_number(const value& of) {
    if (of.is_bool()) return of.is_true() ? 1 : 0;
    if (const auto known = of.number()) return known;
    if (of.text() == nullptr) return std::nullopt;
    const auto digits = trim(*of.text());
    double number = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (code != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(number)) return std::nullopt;
    return number;
}

bool is_whole(double number) { return number == std::floor(number) && std::abs(number) < 1e15; }

// What for loops and filters go through: a list, the keys of a dictionary, the letters of a text.
list items_of(const value& of) {
    if (const auto all = of.items()) return *all;
    list out;
    if (const auto members = of.members()) {
        for (const auto& [key, content] : *members) out.emplace_back(key);
    } else if (of.text() != nullptr) {
        for (const char32_t c : decode_utf8(*of.text())) out.emplace_back(encode_utf8(std::u32string(1, c)));
    }
    return out;
}

class writer {
public:
    explicit writer(const value& values) : scopes_{*values.members()} {}

    result<std::string> write(const std::vector<statement>& all) {
        std::string out;
        run(all, out);
        if (why_) return fail(errc::invalid_config, "a response template has {}", *why_);
        return out;
    }

private:
    value wrong(std::string what) {
        if (!why_) why_ = std::move(what);
        return {};
    }

    bool goes_on() {
        if (!why_ && ++steps_ > most_steps) wrong("too much to do");
        return !why_;
    }

    const value* variable(const std::string& name) const {
        for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
            for (const auto& [key, content] : *scope)
                if (key == name) return &content;
        return nullptr;
    }

    void assign(const std::string& name, value what) {
        for (auto& [key, content] : scopes_.back())
            if (key == name) {
                content = std::move(what);
                return;
            }
        scopes_.back().emplace_back(name, std::move(what));
    }

    void run(const std::vector<statement>& all, std::string& out) {
        for (const auto& one : all) {
            if (!goes_on()) return;
            run(one, out);
            if (out.size() > longest_answer) wrong("more to say than can be said");
        }
    }

    void run(const statement& one, std::string& out) {
        switch (one.is) {
            case statement::kind::text:
                out += one.text;
                return;
            case statement::kind::output:
                out += of(*one.first).said();
                return;
            case statement::kind::choice:
                return run(one.bodies[of(*one.first).is_true() ? 0 : 1], out);
            case statement::kind::loop:
                return loop(one, out);
            case statement::kind::macro:
                macros_[one.text] = &one;
                return;
            case statement::kind::set:
                break;
        }
        value what;
        if (one.first) {
            what = of(*one.first);
        } else {
            std::string written;
            run(one.bodies[0], written);
            what = value(std::move(written));
        }
        if (one.names.size() == 1) return assign(one.names[0], std::move(what));
        const auto* whose = variable(one.names[0]);
        if (whose == nullptr || !whose->members()) {
            wrong(fmt::format("\"{}\", which has no parts to set", one.names[0]));
            return;
        }
        value shared = *whose;
        shared.set(one.names[1], copied(what));
    }

    void loop(const statement& one, std::string& out) {
        const auto all = items_of(of(*one.first));
        if (all.empty()) return run(one.bodies[1], out);
        scopes_.emplace_back();
        for (std::size_t i = 0; i < all.size() && goes_on(); ++i) {
            const auto index = static_cast<std::int64_t>(i);
            scopes_.back() = {{"loop", value(dictionary{{"first", value(i == 0)},
                                                        {"last", value(i + 1 == all.size())},
                                                        {"index", value(index + 1)},
                                                        {"index0", value(index)},
                                                        {"length", value(static_cast<std::int64_t>(all.size()))}})}};
            if (one.names.size() == 1) {
                assign(one.names[0], all[i]);
            } else {
                const auto parts = items_of(all[i]);
                for (std::size_t k = 0; k < one.names.size(); ++k)
                    assign(one.names[k], k < parts.size() ? parts[k] : value());
            }
            run(one.bodies[0], out);
        }
        scopes_.pop_back();
    }

    // No value grows without bound, however often it is put together with itself.
    value of(const expression& what) {
        if (!goes_on()) return {};
        auto out = evaluated(what);
        const bool too_long = (out.text() != nullptr && out.text()->size() > longest_answer) ||
                              (out.items() != nullptr && out.items()->size() > most_items);
        return too_long ? wrong("more than can be said") : out;
    }

    // What is put into a list or a namespace is a copy: nothing holds itself.
    value copied(const value& what) {
        if (!goes_on()) return {};
        if (const auto all = what.items()) {
            list out;
            for (const auto& one : *all) out.push_back(copied(one));
            return value(std::move(out));
        }
        if (const auto all = what.members()) {
            value out{dictionary{}};
            for (const auto& [key, one] : *all) out.set(key, copied(one));
            return out;
        }
        return what;
    }

    value evaluated(const expression& what) {
        const auto part = [&](std::size_t i) {
            return i < what.parts.size() && what.parts[i] ? of(*what.parts[i]) : value();
        };
        switch (what.is) {
            case kind::literal:
                return what.what;
            case kind::name: {
                const auto* found = variable(what.text);
                return found == nullptr ? value() : *found;
            }
            case kind::list: {
                list all;
                for (const auto& one : what.parts) all.push_back(of(*one));
                return value(std::move(all));
            }
            case kind::dictionary: {
                value all{dictionary{}};
                for (std::size_t i = 0; i + 1 < what.parts.size(); i += 2) all.set(part(i).said(), part(i + 1));
                return all;
            }
            case kind::attribute:
                return part(0).at(what.text);
            case kind::index:
                return indexed(part(0), part(1));
            case kind::slice:
                return sliced(part(0), what.parts[1] ? std::optional(part(1)) : std::nullopt,
                              what.parts[2] ? std::optional(part(2)) : std::nullopt);
            case kind::negation:
                return value(!part(0).is_true());
            case kind::minus: {
                const auto number = part(0);
                if (const auto whole = number.whole()) return value(-*whole);
                const auto real = number.number();
                return real ? value(-*real) : wrong("a minus before what is no number");
            }
            case kind::conditional:
                return part(part(1).is_true() ? 0 : 2);
            case kind::binary:
                return combined(what);
            case kind::test:
                return value(tested(what.text, part(0), part(1)));
            case kind::filter:
                return filtered(what);
            case kind::call:
                return what.parts[0] ? method(what) : function(what);
        }
        return {};
    }

    static value indexed(const value& whole, const value& which) {
        if (whole.members()) return whole.at(which.said());
        const auto at = which.whole();
        if (!at) return {};
        const auto all = items_of(whole);
        const auto index = *at < 0 ? *at + static_cast<std::int64_t>(all.size()) : *at;
        return index < 0 || index >= static_cast<std::int64_t>(all.size()) ? value()
                                                                           : all[static_cast<std::size_t>(index)];
    }

    static value sliced(const value& whole, const std::optional<value>& from, const std::optional<value>& to) {
        const auto all = items_of(whole);
        const auto size = static_cast<std::int64_t>(all.size());
        const auto place = [&](const std::optional<value>& said, std::int64_t otherwise) {
            const auto at = said ? said->whole().value_or(otherwise) : otherwise;
            return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
        };
        const auto begin = place(from, 0), end = std::max(begin, place(to, size));
        list out(all.begin() + begin, all.begin() + end);
        if (whole.text() == nullptr) return value(std::move(out));
        std::string text;
        for (const auto& letter : out) text += letter.said();
        return value(std::move(text));
    }

    value combined(const expression& what) {
        const auto& sign = what.text;
        auto a = of(*what.parts[0]);
        if (sign == "and" || sign == "or") {
            if (a.is_true() == (sign == "or")) return a;
            return of(*what.parts[1]);
        }
        const auto b = of(*what.parts[1]);
        if (sign == "==") return value(a == b);
        if (sign == "!=") return value(!(a == b));
        if (sign == "~") return value(a.said() + b.said());
        if (sign == "in") return value(contains(b, a));
        if (sign == "+" && a.text() != nullptr && b.text() != nullptr) return value(*a.text() + *b.text());
        if (sign == "+" && a.items() && b.items()) {
            auto all = *a.items();
            all.insert(all.end(), b.items()->begin(), b.items()->end());
            return value(std::move(all));
        }
        if (a.text() != nullptr && b.text() != nullptr) {
            if (sign == "<") return value(*a.text() < *b.text());
            if (sign == ">") return value(*a.text() > *b.text());
            if (sign == "<=") return value(*a.text() <= *b.text());
            if (sign == ">=") return value(*a.text() >= *b.text());
        }
        const auto x = a.number(), y = b.number();
        if (!x || !y) return wrong(fmt::format("a \"{}\" beside what is no number", sign));
        if (sign == "<") return value(*x < *y);
        if (sign == ">") return value(*x > *y);
        if (sign == "<=") return value(*x <= *y);
        if (sign == ">=") return value(*x >= *y);
        const bool divides = sign == "/" || sign == "//" || sign == "%";
        if (divides && *y == 0) return wrong("a division by nothing");
        const double out = sign == "+"    ? *x + *y
                           : sign == "-"  ? *x - *y
                           : sign == "*"  ? *x * *y
                           : sign == "/"  ? *x / *y
                           : sign == "//" ? std::floor(*x / *y)
                                          : *x - *y * std::floor(*x / *y);
        if (a.whole() && b.whole() && sign != "/" && is_whole(out)) return value(static_cast<std::int64_t>(out));
        return value(out);
    }

    static bool contains(const value& whole, const value& part) {
        if (whole.text() != nullptr) return part.text() != nullptr && whole.text()->contains(*part.text());
        const auto all = items_of(whole);
        return std::ranges::find(all, part) != all.end();
    }

    bool tested(const std::string& test, const value& what, const value& other) {
        if (test == "defined") return what.is_defined();
        if (test == "undefined") return !what.is_defined();
        // What was never said is as good as none.
        if (test == "none") return what.is_none() || !what.is_defined();
        if (test == "number") return what.number().has_value();
        if (test == "integer") return what.whole().has_value();
        if (test == "string") return what.text() != nullptr;
        if (test == "mapping") return what.members() != nullptr;
        if (test == "sequence" || test == "iterable")
            return what.items() != nullptr || what.text() != nullptr || what.members() != nullptr;
        if (test == "true" || test == "false") return what.is_bool() && what.is_true() == (test == "true");
        if (test == "odd" || test == "even") return what.whole() && (*what.whole() % 2 != 0) == (test == "odd");
        if (test == "in") return contains(other, what);
        if (test == "eq" || test == "equalto") return what == other;
        wrong(fmt::format("the test \"{}\", which is not known here", test));
        return false;
    }

    value filtered(const expression& what) {
        std::vector<value> with;
        for (std::size_t i = 1; i < what.parts.size(); ++i) with.push_back(of(*what.parts[i]));
        std::map<std::string, value, std::less<>> named;
        for (const auto& [key, one] : what.named) named.emplace(key, of(*one));
        return filtered(what.text, of(*what.parts[0]), with, named);
    }

    value filtered(const std::string& filter, const value& what, const std::vector<value>& with,
                   const std::map<std::string, value, std::less<>>& named) {
        const auto argument = [&](std::size_t i, std::string_view name) {
            const auto found = named.find(name);
            return i < with.size() ? with[i] : found != named.end() ? found->second : value();
        };
        if (filter == "lower") return value(lowered(what.said()));
        if (filter == "upper") return value(uppered(what.said()));
        if (filter == "capitalize") return value(capitalised(what.said(), false));
        if (filter == "title") return value(capitalised(what.said(), true));
        if (filter == "trim") return value(std::string(trim(what.said())));
        if (filter == "string") return value(what.said());
        if (filter == "replace")
            return value(replaced(what.said(), argument(0, "old").said(), argument(1, "new").said()));
        if (filter == "default" || filter == "d") {
            const bool empty_too = argument(1, "boolean").is_true();
            return what.is_defined() && (!empty_too || what.is_true()) ? what : argument(0, "default_value");
        }
        if (filter == "float" || filter == "int") {
            const auto number = read_number(what);
            if (!number) return argument(0, "default").is_defined() ? argument(0, "default") : value(0);
            return filter == "int" ? value(static_cast<std::int64_t>(*number)) : value(*number);
        }
        if (filter == "round" || filter == "abs") {
            const auto number = read_number(what);
            if (!number) return wrong(fmt::format("a {} of what is no number", filter));
            if (filter == "abs") return what.whole() ? value(std::abs(*what.whole())) : value(std::abs(*number));
            const double scale = std::pow(10.0, static_cast<double>(argument(0, "precision").whole().value_or(0)));
            const auto how = argument(1, "method").said();
            const double scaled = *number * scale;
            return value((how == "floor"  ? std::floor(scaled)
                          : how == "ceil" ? std::ceil(scaled)
                                          : std::round(scaled)) /
                         scale);
        }
        auto all = items_of(what);
        if (filter == "list") return value(std::move(all));
        if (filter == "length" || filter == "count") return value(static_cast<std::int64_t>(all.size()));
        if (filter == "first") return all.empty() ? value() : all.front();
        if (filter == "last") return all.empty() ? value() : all.back();
        if (filter == "reverse") {
            std::ranges::reverse(all);
            return value(std::move(all));
        }
        if (filter == "unique") {
            list out;
            for (auto& one : all)
                if (std::ranges::find(out, one) == out.end()) out.push_back(std::move(one));
            return value(std::move(out));
        }
        if (filter == "join") {
            std::string out;
            for (std::size_t i = 0; i < all.size(); ++i) out += (i == 0 ? "" : argument(0, "d").said()) + all[i].said();
            return value(std::move(out));
        }
        if (filter == "sort") {
            const auto by = argument(1, "attribute").is_defined() ? argument(1, "attribute") : value();
            const auto key = [&](const value& one) { return by.is_defined() ? one.at(by.said()) : one; };
            std::ranges::stable_sort(all, [&](const value& a, const value& b) {
                const auto x = key(a), y = key(b);
                if (x.number() && y.number()) return *x.number() < *y.number();
                return lowered(x.said()) < lowered(y.said());
            });
            if (argument(0, "reverse").is_true()) std::ranges::reverse(all);
            return value(std::move(all));
        }
        if (filter == "map") {
            const auto attribute = named.find("attribute");
            for (auto& one : all)
                one = attribute != named.end()
                          ? one.at(attribute->second.said())
                          : filtered(argument(0, "filter").said(), one,
                                     {with.begin() + std::min<std::ptrdiff_t>(1, std::ssize(with)), with.end()}, {});
            return value(std::move(all));
        }
        const bool of_attribute = filter == "selectattr" || filter == "rejectattr";
        if (of_attribute || filter == "select" || filter == "reject") {
            const bool keeps = filter.starts_with("select");
            const std::size_t at = of_attribute ? 1 : 0;
            std::erase_if(all, [&](const value& one) {
                const auto subject = of_attribute ? one.at(argument(0, "attribute").said()) : one;
                const auto test = argument(at, "test");
                return (test.is_defined() ? tested(test.said(), subject, argument(at + 1, "other"))
                                          : subject.is_true()) != keeps;
            });
            return value(std::move(all));
        }
        return wrong(fmt::format("the filter \"{}\", which is not known here", filter));
    }

    value function(const expression& what) {
        std::vector<value> with;
        for (std::size_t i = 1; i < what.parts.size(); ++i) with.push_back(of(*what.parts[i]));
        if (const auto macro = macros_.find(what.text); macro != macros_.end())
            return called(*macro->second, with, what);
        if (what.text == "namespace") {
            value out{dictionary{}};
            for (const auto& [key, one] : what.named) out.set(key, of(*one));
            return out;
        }
        if (what.text == "range" && with.size() == 1) {
            list out;
            for (std::int64_t i = 0; i < with[0].whole().value_or(0) && goes_on(); ++i) out.emplace_back(i);
            return value(std::move(out));
        }
        if (what.text == "state_attr" && with.size() == 2) {
            // Of the thing that is spoken of; of others nothing is known here.
            const auto* thing = variable("state");
            if (thing == nullptr || !(thing->at("entity_id") == with[0])) return value(value::none{});
            const auto found = thing->at("attributes").at(with[1].said());
            return found.is_defined() ? found : value(value::none{});
        }
        return wrong(fmt::format("the function \"{}\", which is not known here", what.text));
    }

    value called(const statement& macro, const std::vector<value>& with, const expression& what) {
        if (++calls_ > deepest_calls) return wrong("macros that call each other too deep");
        dictionary own;
        for (std::size_t i = 0; i < macro.names.size(); ++i) {
            const auto named = std::ranges::find(what.named, macro.names[i], [](const auto& one) { return one.first; });
            const auto first_default = macro.names.size() - macro.defaults.size();
            own.emplace_back(macro.names[i], i < with.size()             ? with[i]
                                             : named != what.named.end() ? of(*named->second)
                                             : i >= first_default        ? of(*macro.defaults[i - first_default])
                                                                         : value());
        }
        scopes_.push_back(std::move(own));
        std::string out;
        run(macro.bodies[0], out);
        scopes_.pop_back();
        --calls_;
        return value(std::move(out));
    }

    value method(const expression& what) {
        const auto whose = of(*what.parts[0]);
        std::vector<value> with;
        for (std::size_t i = 1; i < what.parts.size(); ++i) with.push_back(of(*what.parts[i]));
        const auto argument = [&](std::size_t i) { return i < with.size() ? with[i] : value(); };
        const auto& name = what.text;
        if (const auto members = whose.members()) {
            if (name == "get") {
                const auto found = whose.at(argument(0).said());
                return found.is_defined() ? found : with.size() > 1 ? with[1] : value(value::none{});
            }
            list out;
            if (name == "items" || name == "keys" || name == "values") {
                for (const auto& [key, content] : *members)
                    out.push_back(name == "items"  ? value(list{value(key), content})
                                  : name == "keys" ? value(key)
                                                   : content);
                return value(std::move(out));
            }
            // What a date can be asked for is known beforehand: slots.date.weekday().
            if (whose.at(name).is_defined()) return whose.at(name);
        }
        if (const auto all = whose.items(); all && name == "append") {
            if (all->size() >= most_items) return wrong("more than can be said");
            all->push_back(copied(argument(0)));
            return value(value::none{});
        }
        if (name == "is_integer" && whose.number()) return value(is_whole(*whose.number()));
        if (const auto* text = whose.text()) {
            if (name == "lower") return value(lowered(*text));
            if (name == "upper") return value(uppered(*text));
            if (name == "title") return value(capitalised(*text, true));
            if (name == "capitalize") return value(capitalised(*text, false));
            if (name == "replace") return value(replaced(*text, argument(0).said(), argument(1).said()));
            if (name == "startswith") return value(text->starts_with(argument(0).said()));
            if (name == "endswith") return value(text->ends_with(argument(0).said()));
            if (name == "isdigit")
                return value(!text->empty() && std::ranges::all_of(*text, [](char c) { return c >= '0' && c <= '9'; }));
            if (name == "join") return filtered("join", argument(0), {whose}, {});
            if (name == "split") return value(parts_of(*text, with.empty() ? "" : argument(0).said()));
            if (name == "strip" || name == "lstrip" || name == "rstrip") {
                const auto marks = with.empty() ? std::string(" \t\r\n") : argument(0).said();
                std::string_view left = *text;
                while (name != "rstrip" && !left.empty() && marks.contains(left.front())) left.remove_prefix(1);
                while (name != "lstrip" && !left.empty() && marks.contains(left.back())) left.remove_suffix(1);
                return value(std::string(left));
            }
            if (name == "format") return formatted(*text, with);
        }
        return wrong(fmt::format("the method \"{}\" of what has none", name));
    }

    static list parts_of(const std::string& text, const std::string& by) {
        list out;
        if (by.empty()) {
            for (const auto& word : split(text, ' '))
                if (!trim(word).empty()) out.emplace_back(std::string(trim(word)));
            return out;
        }
        for (std::size_t at = 0;;) {
            const auto found = text.find(by, at);
            out.emplace_back(text.substr(at, found == std::string::npos ? found : found - at));
            if (found == std::string::npos) return out;
            at = found + by.size();
        }
    }

    // "{0:02d}", "{}": a place, and perhaps a width that is filled with zeros.
    value formatted(const std::string& text, const std::vector<value>& with) {
        std::string out;
        std::size_t next = 0;
        for (std::size_t at = 0; at < text.size(); ++at) {
            if (text[at] != '{') {
                out += text[at];
                continue;
            }
            const auto end = text.find('}', at);
            if (end == std::string::npos) return wrong("a format that is never closed");
            std::string_view inside = std::string_view(text).substr(at + 1, end - at - 1);
            at = end;
            const auto colon = inside.find(':');
            const auto place = inside.substr(0, colon);
            std::size_t index = next++;
            if (!place.empty() && std::from_chars(place.data(), place.data() + place.size(), index).ec != std::errc{})
                return wrong("a format by name");
            if (index >= with.size()) return wrong("a format of more than is there");
            auto said = with[index].said();
            if (colon != std::string_view::npos) {
                auto width_text = inside.substr(colon + 1);
                if (width_text.ends_with('d')) width_text.remove_suffix(1);
                const bool zeros = width_text.starts_with('0');
                std::size_t width = 0;
                if (!width_text.empty() &&
                    std::from_chars(width_text.data(), width_text.data() + width_text.size(), width).ec != std::errc{})
                    return wrong("a format that is not understood here");
                while (said.size() < std::min<std::size_t>(width, 32)) said.insert(0, 1, zeros ? '0' : ' ');
            }
            out += said;
        }
        return value(std::move(out));
    }

    std::vector<dictionary> scopes_;
    std::map<std::string, const statement*, std::less<>> macros_;
    std::size_t steps_ = 0, calls_ = 0;
    std::optional<std::string> why_;
};

}  // namespace

value::value(const slot_value& what) : value(std::visit([](const auto& content) { return value(content); }, what)) {}

bool value::is_true() const {
    struct truth {
        bool operator()(undefined /*of*/) const { return false; }
        bool operator()(none /*of*/) const { return false; }
        bool operator()(bool of) const { return of; }
        bool operator()(std::int64_t of) const { return of != 0; }
        bool operator()(double of) const { return of != 0; }
        bool operator()(const std::string& of) const { return !of.empty(); }
        bool operator()(const std::shared_ptr<list>& of) const { return !of->empty(); }
        bool operator()(const std::shared_ptr<dictionary>& of) const { return !of->empty(); }
    };
    return std::visit(truth{}, is_);
}

std::optional<double> value::number() const {
    if (const auto* whole = std::get_if<std::int64_t>(&is_)) return static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&is_)) return *real;
    return std::nullopt;
}

std::optional<std::int64_t> value::whole() const {
    if (const auto* whole = std::get_if<std::int64_t>(&is_)) return *whole;
    return std::nullopt;
}

std::shared_ptr<list> value::items() const {
    const auto* all = std::get_if<std::shared_ptr<list>>(&is_);
    return all == nullptr ? nullptr : *all;
}

std::shared_ptr<dictionary> value::members() const {
    const auto* all = std::get_if<std::shared_ptr<dictionary>>(&is_);
    return all == nullptr ? nullptr : *all;
}

value value::at(std::string_view key) const {
    if (const auto all = members())
        for (const auto& [name, content] : *all)
            if (name == key) return content;
    return {};
}

void value::set(std::string_view key, value what) {
    if (!is_defined()) is_ = std::make_shared<dictionary>();
    const auto all = members();
    if (!all) return;
    for (auto& [name, content] : *all)
        if (name == key) {
            content = std::move(what);
            return;
        }
    all->emplace_back(std::string(key), std::move(what));
}

std::string value::said() const {
    if (const auto* text = std::get_if<std::string>(&is_)) return *text;
    if (const auto* whole = std::get_if<std::int64_t>(&is_)) return fmt::format("{}", *whole);
    if (const auto* real = std::get_if<double>(&is_)) {
        if (is_whole(*real)) return fmt::format("{}", static_cast<std::int64_t>(*real));
        return fmt::format("{}", *real);
    }
    if (const auto* truth = std::get_if<bool>(&is_)) return *truth ? "on" : "off";
    std::string out;
    if (const auto all = items())
        for (const auto& one : *all) {
            if (out.size() > longest_answer) break;
            out += (out.empty() ? "" : ", ") + one.said();
        }
    return out;
}

bool value::operator==(const value& other) const {
    if (const auto a = number(), b = other.number(); a && b) return *a == *b;
    if (is_.index() != other.is_.index()) return false;
    if (text() != nullptr) return *text() == *other.text();
    if (is_bool()) return is_true() == other.is_true();
    if (const auto all = items()) return *all == *other.items();
    if (const auto all = members()) return *all == *other.members();
    return true;
}

result<std::string> render(std::string_view text, const value& values) {
    if (text.size() > longest_template)
        return fail(errc::too_long, "a response template of {} bytes, at most {} are allowed", text.size(),
                    longest_template);
    const auto parsed = parse(text);
    if (!parsed) return fail(parsed);
    return writer(values.members() ? values : value(dictionary{})).write(*parsed);
}

}  // namespace loqa::intent::jinja
