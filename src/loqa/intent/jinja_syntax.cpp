#include "loqa/intent/jinja_syntax.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "loqa/base/text.hpp"

namespace loqa::intent::jinja {
namespace {

constexpr std::size_t deepest = 48;

using kind = expression::kind;

bool is_name_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

expression_ptr make(kind is, std::string text = {}) {
    auto out = std::make_unique<expression>();
    out->is = is;
    out->text = std::move(text);
    return out;
}

template <class... Parts>
expression_ptr make_of(kind is, std::string text, Parts... parts) {
    auto out = make(is, std::move(text));
    (out->parts.push_back(std::move(parts)), ...);
    return out;
}

// Reads one expression. The first thing that cannot be read ends it: what follows is null.
class expression_reader {
public:
    explicit expression_reader(std::string_view text) : rest_(text) {}

    bool failed() const { return failed_; }
    std::string_view rest() {
        space();
        return rest_;
    }

    expression_ptr whole() {
        auto out = conditional();
        space();
        if (!rest_.empty()) return wrong();
        return out;
    }

    bool take(std::string_view mark) {
        space();
        if (!rest_.starts_with(mark)) return false;
        if (is_name_part(mark.back()) && rest_.size() > mark.size() && is_name_part(rest_[mark.size()])) return false;
        rest_.remove_prefix(mark.size());
        return true;
    }

    std::string name() {
        space();
        std::size_t end = 0;
        while (end < rest_.size() && is_name_part(rest_[end])) ++end;
        if (end == 0 || std::isdigit(static_cast<unsigned char>(rest_.front())) != 0) {
            wrong();
            return {};
        }
        std::string out(rest_.substr(0, end));
        rest_.remove_prefix(end);
        return out;
    }

    expression_ptr conditional() {
        if (++depth_ > deepest) return wrong();
        auto out = either();
        if (!failed_ && take("if")) {
            auto condition = either();
            auto otherwise = !failed_ && take("else") ? conditional() : nullptr;
            out = make_of(kind::conditional, {}, std::move(out), std::move(condition), std::move(otherwise));
        }
        --depth_;
        return out;
    }

private:
    expression_ptr wrong() {
        failed_ = true;
        return make(kind::literal);
    }

    void space() {
        while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0) rest_.remove_prefix(1);
    }

    expression_ptr either() {
        auto left = both();
        while (!failed_ && take("or")) left = make_of(kind::binary, "or", std::move(left), both());
        return left;
    }

    expression_ptr both() {
        auto left = negated();
        while (!failed_ && take("and")) left = make_of(kind::binary, "and", std::move(left), negated());
        return left;
    }

    expression_ptr negated() {
        if (++depth_ > deepest) return wrong();
        auto out = take("not") ? make_of(kind::negation, {}, negated()) : compared();
        --depth_;
        return out;
    }

    expression_ptr compared() {
        auto left = sum();
        for (bool more = true; more && !failed_;) {
            more = false;
            constexpr std::array<std::string_view, 6> marks{"==", "!=", "<=", ">=", "<", ">"};
            for (const auto mark : marks) {
                if (!take(mark)) continue;
                left = make_of(kind::binary, std::string(mark), std::move(left), sum());
                more = true;
                break;
            }
            if (more) continue;
            if (take("in")) {
                left = make_of(kind::binary, "in", std::move(left), sum());
                more = true;
            } else if (starts_not_in()) {
                left = make_of(kind::negation, {}, make_of(kind::binary, "in", std::move(left), sum()));
                more = true;
            }
        }
        return left;
    }

    bool starts_not_in() {
        const auto before = rest_;
        if (take("not") && take("in")) return true;
        rest_ = before;
        return false;
    }

    expression_ptr sum() {
        auto left = product();
        while (!failed_) {
            std::string_view mark;
            space();
            for (const std::string_view one : {"+", "-", "~"})
                if (rest_.starts_with(one)) mark = one;
            if (mark.empty()) break;
            rest_.remove_prefix(1);
            left = make_of(kind::binary, std::string(mark), std::move(left), product());
        }
        return left;
    }

    expression_ptr product() {
        auto left = signed_one();
        while (!failed_) {
            std::string_view mark;
            for (const std::string_view one : {"//", "*", "/", "%"})
                if (mark.empty() && take(one)) mark = one;
            if (mark.empty()) break;
            left = make_of(kind::binary, std::string(mark), std::move(left), signed_one());
        }
        return left;
    }

    expression_ptr signed_one() { return filtered(unfiltered()); }

    expression_ptr unfiltered() {
        if (++depth_ > deepest) return wrong();
        auto out = take("-") ? make_of(kind::minus, {}, unfiltered()) : postfixed();
        --depth_;
        return out;
    }

    // Filters and tests bind tighter than any operator but a sign.
    expression_ptr filtered(expression_ptr out) {
        while (!failed_) {
            if (take("|")) {
                out = make_of(kind::filter, name(), std::move(out));
                if (!failed_ && take("(")) arguments(*out, ")");
            } else if (take("is")) {
                const bool inverse = take("not");
                auto test = make_of(kind::test, name(), std::move(out));
                if (!failed_ && take("(")) {
                    arguments(*test, ")");
                } else if (test->text == "in" || test->text == "eq" || test->text == "equalto") {
                    test->parts.push_back(postfixed());
                }
                out = inverse ? make_of(kind::negation, {}, std::move(test)) : std::move(test);
            } else {
                break;
            }
        }
        return out;
    }

    expression_ptr postfixed() {
        auto out = simple();
        while (!failed_) {
            if (!rest_.empty() && rest_.front() == '.') {
                rest_.remove_prefix(1);
                out = make_of(kind::attribute, name(), std::move(out));
                if (!failed_ && rest_.starts_with("(")) {
                    rest_.remove_prefix(1);
                    out->is = kind::call;
                    arguments(*out, ")");
                }
            } else if (!rest_.empty() && rest_.front() == '[') {
                rest_.remove_prefix(1);
                expression_ptr begin, end;
                if (!take(":")) {
                    begin = conditional();
                    if (failed_) break;
                    if (take("]")) {
                        out = make_of(kind::index, {}, std::move(out), std::move(begin));
                        continue;
                    }
                    if (!take(":")) return wrong();
                }
                if (!take("]")) {
                    end = conditional();
                    if (failed_ || !take("]")) return wrong();
                }
                out = make_of(kind::slice, {}, std::move(out), std::move(begin), std::move(end));
            } else {
                break;
            }
        }
        return out;
    }

    void arguments(expression& of, std::string_view closing) {
        while (!failed_ && !take(closing)) {
            const auto before = rest_;
            std::string key;
            space();
            if (!rest_.empty() && is_name_part(rest_.front()) &&
                std::isdigit(static_cast<unsigned char>(rest_.front())) == 0) {
                key = name();
                space();
                if (!rest_.starts_with("=") || rest_.starts_with("==")) {
                    key.clear();
                    rest_ = before;
                } else {
                    rest_.remove_prefix(1);
                }
            }
            if (key.empty())
                of.parts.push_back(conditional());
            else
                of.named.emplace_back(std::move(key), conditional());
            if (failed_) return;
            if (!take(",") && !rest().starts_with(closing)) wrong();
        }
    }

    expression_ptr text_literal(char quote) {
        std::string out;
        std::size_t at = 1;
        for (; at < rest_.size() && rest_[at] != quote; ++at) {
            if (rest_[at] != '\\' || at + 1 == rest_.size()) {
                out += rest_[at];
                continue;
            }
            const char next = rest_[++at];
            out += next == 'n' ? '\n' : next == 't' ? '\t' : next;
        }
        if (at >= rest_.size()) return wrong();
        rest_.remove_prefix(at + 1);
        auto made = make(kind::literal);
        made->what = value(std::move(out));
        return made;
    }

    expression_ptr number_literal() {
        std::size_t end = 0;
        while (end < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[end])) != 0) ++end;
        bool whole = true;
        if (end + 1 < rest_.size() && rest_[end] == '.' &&
            std::isdigit(static_cast<unsigned char>(rest_[end + 1])) != 0) {
            whole = false;
            ++end;
            while (end < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[end])) != 0) ++end;
        }
        auto made = make(kind::literal);
        const auto digits = rest_.substr(0, end);
        std::int64_t n = 0;
        double real = 0;
        const auto *begin = digits.data(), *last = digits.data() + digits.size();
        const auto read = whole ? std::from_chars(begin, last, n) : std::from_chars(begin, last, real);
        if (read.ec != std::errc{}) return wrong();
        made->what = whole ? value(n) : value(real);
        rest_.remove_prefix(end);
        return made;
    }

    expression_ptr simple() {
        space();
        if (rest_.empty()) return wrong();
        const char c = rest_.front();
        if (c == '\'' || c == '"') return text_literal(c);
        if (std::isdigit(static_cast<unsigned char>(c)) != 0) return number_literal();
        if (take("(")) {
            auto inner = conditional();
            if (failed_) return inner;
            if (take(")")) return inner;
            // (a, b) is a list that nobody changes.
            if (!take(",")) return wrong();
            auto out = make_of(kind::list, {}, std::move(inner));
            arguments(*out, ")");
            return out;
        }
        if (take("[")) {
            auto out = make(kind::list);
            arguments(*out, "]");
            return out;
        }
        if (take("{")) {
            auto out = make(kind::dictionary);
            while (!failed_ && !take("}")) {
                out->parts.push_back(conditional());
                if (failed_ || !take(":")) return wrong();
                out->parts.push_back(conditional());
                if (failed_ || (!take(",") && !rest().starts_with("}"))) return wrong();
            }
            return out;
        }
        auto made = make(kind::literal);
        if (take("true") || take("True")) {
            made->what = value(true);
            return made;
        }
        if (take("false") || take("False")) {
            made->what = value(false);
            return made;
        }
        if (take("none") || take("None")) {
            made->what = value(value::none{});
            return made;
        }
        auto word = name();
        if (failed_) return made;
        if (!rest_.starts_with("(")) return make(kind::name, std::move(word));
        rest_.remove_prefix(1);
        auto call = make_of(kind::call, std::move(word), expression_ptr());
        arguments(*call, ")");
        return call;
    }

    std::string_view rest_;
    std::size_t depth_ = 0;
    bool failed_ = false;
};

failure not_understood(std::string_view what) {
    return fail(errc::invalid_config, "a response template has \"{}\", which is not understood here",
                trim(what).substr(0, 60));
}

// Where a mark ends: its closing outside quotes.
std::size_t end_of_mark(std::string_view text, std::string_view closing) {
    char quote = 0;
    for (std::size_t at = 2; at < text.size(); ++at) {
        const char c = text[at];
        if (quote == 0 && text.substr(at).starts_with(closing)) return at;
        if (closing == "#}") continue;
        if (quote != 0) {
            if (c == '\\') ++at;
            if (c == quote) quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        }
    }
    return std::string_view::npos;
}

class template_reader {
public:
    explicit template_reader(std::string_view text) : rest_(text) {}

    result<std::vector<statement>> read() {
        std::string ended_by;
        auto out = body({}, ended_by);
        if (why_) return *std::move(why_);
        return out;
    }

private:
    // Until one of the words that end it, which is then in `ended_by`, or the end of the text.
    std::vector<statement> body(std::initializer_list<std::string_view> ends, std::string& ended_by) {
        std::vector<statement> out;
        if (++depth_ > deepest) why_ = not_understood("{%");
        while (!why_) {
            plain(out);
            if (rest_.empty()) {
                if (ends.size() > 0)
                    why_ = fail(errc::invalid_config, "a response template has an {} too few", *(ends.end() - 1));
                break;
            }
            const char mark = rest_[1];
            const std::string_view closing = mark == '{' ? "}}" : mark == '%' ? "%}" : "#}";
            const auto close = end_of_mark(rest_, closing);
            if (close == std::string_view::npos) {
                why_ = fail(errc::invalid_config, "a response template has a {{{} that is never closed", mark);
                break;
            }
            auto inside = rest_.substr(2, close - 2);
            rest_.remove_prefix(close + 2);
            if (inside.starts_with('-')) inside.remove_prefix(1);
            const bool eats_space = inside.ends_with('-');
            if (eats_space) inside.remove_suffix(1);
            inside = trim(inside);
            if (eats_space) {
                while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0)
                    rest_.remove_prefix(1);
            }
            if (mark == '#') continue;
            if (mark == '{') {
                statement one{.is = statement::kind::output};
                one.first = expression_of(inside);
                out.push_back(std::move(one));
                continue;
            }
            if (inside.ends_with(':')) inside = trim(inside.substr(0, inside.size() - 1));
            const auto word = inside.substr(0, inside.find_first_of(" \t\n"));
            for (const auto end : ends)
                if (word == end) {
                    ended_by = inside;
                    --depth_;
                    return out;
                }
            command(word, trim(inside.substr(word.size())), out);
        }
        --depth_;
        return out;
    }

    // The text before the next mark.
    void plain(std::vector<statement>& out) {
        std::size_t at = 0;
        for (; at + 1 < rest_.size(); ++at)
            if (rest_[at] == '{' && (rest_[at + 1] == '{' || rest_[at + 1] == '%' || rest_[at + 1] == '#')) break;
        if (at + 1 >= rest_.size()) at = rest_.size();
        std::string text(rest_.substr(0, at));
        rest_.remove_prefix(at);
        if (rest_.size() > 2 && rest_[2] == '-')
            while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
        if (!text.empty()) out.push_back({.is = statement::kind::text, .text = std::move(text)});
    }

    expression_ptr expression_of(std::string_view text) {
        expression_reader read(text);
        auto out = read.whole();
        if (read.failed()) why_ = not_understood(text);
        return out;
    }

    void command(std::string_view word, std::string_view rest, std::vector<statement>& out) {
        std::string ended_by;
        if (word == "if") return out.push_back(choice(rest));
        if (word == "for") {
            statement one{.is = statement::kind::loop};
            expression_reader read(rest);
            do one.names.push_back(read.name());
            while (read.take(","));
            if (!read.take("in") || read.failed()) {
                why_ = not_understood(rest);
                return;
            }
            one.first = expression_of(read.rest());
            one.bodies[0] = body({"else", "endfor"}, ended_by);
            if (!why_ && ended_by == "else") one.bodies[1] = body({"endfor"}, ended_by);
            return out.push_back(std::move(one));
        }
        if (word == "set") {
            statement one{.is = statement::kind::set};
            expression_reader read(rest);
            one.names.push_back(read.name());
            if (read.take(".")) one.names.push_back(read.name());
            if (!read.failed() && read.take("="))
                one.first = expression_of(read.rest());
            else if (!read.failed() && read.rest().empty())
                one.bodies[0] = body({"endset"}, ended_by);
            else
                why_ = not_understood(rest);
            return out.push_back(std::move(one));
        }
        if (word == "macro") {
            statement one{.is = statement::kind::macro};
            expression_reader read(rest);
            one.text = read.name();
            if (!read.take("(")) why_ = not_understood(rest);
            while (!why_ && !read.take(")")) {
                one.names.push_back(read.name());
                if (!read.failed() && read.take("="))
                    one.defaults.push_back(read.conditional());
                else if (!one.defaults.empty())
                    why_ = not_understood(rest);
                if (read.failed() || (!read.take(",") && !read.rest().starts_with(")"))) why_ = not_understood(rest);
            }
            one.bodies[0] = body({"endmacro"}, ended_by);
            return out.push_back(std::move(one));
        }
        why_ = not_understood(fmt::format("{{% {} {} %}}", word, rest));
    }

    statement choice(std::string_view condition) {
        statement one{.is = statement::kind::choice};
        one.first = expression_of(condition);
        std::string ended_by;
        one.bodies[0] = body({"elif", "else", "endif"}, ended_by);
        if (why_) return one;
        if (ended_by.starts_with("elif"))
            one.bodies[1].push_back(choice(trim(std::string_view(ended_by).substr(4))));
        else if (ended_by == "else")
            one.bodies[1] = body({"endif"}, ended_by);
        return one;
    }

    std::string_view rest_;
    std::size_t depth_ = 0;
    std::optional<failure> why_;
};

}  // namespace

result<std::vector<statement>> parse(std::string_view text) { return template_reader(text).read(); }

}  // namespace loqa::intent::jinja
