#include "loqa/intent/responses.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <vector>

#include "loqa/base/text.hpp"

namespace loqa::intent {
namespace {

constexpr std::size_t longest_template = 16'384;
constexpr std::size_t deepest_expression = 24;

using value = std::optional<slot_value>;  // nothing: not defined

bool is_true(const value& v) {
    if (!v) return false;
    if (const auto* text = std::get_if<std::string>(&*v)) return !text->empty();
    if (const auto* whole = std::get_if<std::int64_t>(&*v)) return *whole != 0;
    if (const auto* real = std::get_if<double>(&*v)) return *real != 0;
    return std::get<bool>(*v);
}

std::optional<double> number_of(const value& v) {
    if (!v) return std::nullopt;
    if (const auto* whole = std::get_if<std::int64_t>(&*v)) return static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&*v)) return *real;
    return std::nullopt;
}

// One expression: or, and, not, comparisons, ~ and +, filters, literals, dotted names.
class expression_reader {
public:
    expression_reader(std::string_view text, const answer_values& values) : text_(text), values_(values) {}

    result<value> read() {
        auto out = either();
        if (!out) return out;
        space();
        if (!text_.empty()) return not_understood();
        return out;
    }

private:
    failure not_understood() const {
        return fail(errc::invalid_config, "a response template has \"{}\", which is not understood here",
                    text_.substr(0, 40));
    }

    void space() {
        while (!text_.empty() && std::isspace(static_cast<unsigned char>(text_.front())) != 0) text_.remove_prefix(1);
    }

    bool take(std::string_view mark) {
        space();
        if (!text_.starts_with(mark)) return false;
        const bool word = std::isalpha(static_cast<unsigned char>(mark.back())) != 0;
        if (word && text_.size() > mark.size()) {
            const char next = text_[mark.size()];
            if (std::isalnum(static_cast<unsigned char>(next)) != 0 || next == '_') return false;
        }
        text_.remove_prefix(mark.size());
        return true;
    }

    std::string_view name() {
        space();
        std::size_t end = 0;
        while (end < text_.size() &&
               (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_' || text_[end] == '.'))
            ++end;
        const auto out = text_.substr(0, end);
        text_.remove_prefix(end);
        return out;
    }

    result<value> either() {
        auto left = both();
        while (left && take("or")) {
            auto right = both();
            if (!right) return right;
            if (!is_true(*left)) left = std::move(right);
        }
        return left;
    }

    result<value> both() {
        auto left = negated();
        while (left && take("and")) {
            auto right = negated();
            if (!right) return right;
            if (is_true(*left)) left = std::move(right);
        }
        return left;
    }

    result<value> negated() {
        if (++depth_ > deepest_expression) return not_understood();
        if (!take("not")) return compared();
        auto inner = negated();
        if (!inner) return inner;
        return value(slot_value(!is_true(*inner)));
    }

    result<value> compared() {
        auto left = joined();
        if (!left) return left;
        if (take("is")) {
            const bool inverse = take("not");
            const bool defined = take("defined");
            if (!defined && !take("none") && !take("undefined")) return not_understood();
            return value(slot_value(left->has_value() == (defined != inverse)));
        }
        constexpr std::array<std::string_view, 6> marks{"==", "!=", "<=", ">=", "<", ">"};
        for (const auto mark : marks) {
            if (!take(mark)) continue;
            auto right = joined();
            if (!right) return right;
            const auto a = number_of(*left), b = number_of(*right);
            bool out = false;
            if (mark == "==" || mark == "!=") {
                out = a && b ? *a == *b
                             : left->has_value() == right->has_value() && (!left->has_value() || **left == **right);
                if (mark == "!=") out = !out;
            } else {
                if (!a || !b) return not_understood();
                out = mark == "<" ? *a < *b : mark == ">" ? *a > *b : mark == "<=" ? *a <= *b : *a >= *b;
            }
            return value(slot_value(out));
        }
        return left;
    }

    result<value> joined() {
        auto left = filtered();
        while (left) {
            if (take("~")) {
                auto right = filtered();
                if (!right) return right;
                left = value(slot_value((*left ? spoken(**left) : "") + (*right ? spoken(**right) : "")));
            } else if (take("+") || take("-")) {
                return not_understood();
            } else {
                break;
            }
        }
        return left;
    }

    result<value> filtered() {
        auto out = simple();
        while (out && take("|")) {
            const auto filter = name();
            const std::string text = *out ? spoken(**out) : std::string();
            if (filter == "lower") {
                out = value(slot_value(to_lower(text)));
            } else if (filter == "trim") {
                out = value(slot_value(std::string(trim(text))));
            } else if (filter == "capitalize") {
                std::string changed = to_lower(text);
                if (!changed.empty())
                    changed[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(changed[0])));
                out = value(slot_value(std::move(changed)));
            } else if (filter == "int" || filter == "round") {
                if (const auto number = number_of(*out))
                    out = value(slot_value(static_cast<std::int64_t>(*number + (filter == "round" ? 0.5 : 0))));
            } else if (filter == "string") {
                out = value(slot_value(text));
            } else if (filter == "default") {
                if (!take("(")) return not_understood();
                auto otherwise = either();
                if (!otherwise) return otherwise;
                if (!take(")")) return not_understood();
                if (!*out) out = std::move(otherwise);
            } else {
                return not_understood();
            }
        }
        return out;
    }

    result<value> simple() {
        space();
        if (text_.empty()) return not_understood();
        const char c = text_.front();
        if (c == '\'' || c == '"') {
            const auto end = text_.find(c, 1);
            if (end == std::string_view::npos) return not_understood();
            value out = slot_value(std::string(text_.substr(1, end - 1)));
            text_.remove_prefix(end + 1);
            return out;
        }
        if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
            double number = 0;
            const auto [rest, code] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
            if (code != std::errc{}) return not_understood();
            text_.remove_prefix(static_cast<std::size_t>(rest - text_.data()));
            return value(slot_value(number));
        }
        if (take("(")) {
            auto inner = either();
            if (!inner) return inner;
            if (!take(")")) return not_understood();
            return inner;
        }
        if (take("true") || take("True")) return value(slot_value(true));
        if (take("false") || take("False")) return value(slot_value(false));
        if (take("none") || take("None")) return value();
        const auto path = name();
        if (path.empty() || (!text_.empty() && (text_.front() == '(' || text_.front() == '['))) return not_understood();
        const auto found = values_.find(std::string(path));
        return found == values_.end() ? value() : value(found->second);
    }

    std::string_view text_;
    const answer_values& values_;
    std::size_t depth_ = 0;
};

}  // namespace

std::string spoken(const slot_value& v) {
    if (const auto* real = std::get_if<double>(&v);
        real != nullptr && *real == static_cast<double>(static_cast<std::int64_t>(*real)))
        return fmt::format("{}", static_cast<std::int64_t>(*real));
    if (const auto* flag = std::get_if<bool>(&v)) return *flag ? "on" : "off";
    return to_string(v);
}

result<std::string> render_template(std::string_view text, const answer_values& values) {
    if (text.size() > longest_template)
        return fail(errc::too_long, "a response template of {} bytes, at most {} are allowed", text.size(),
                    longest_template);
    // One entry for each {% if %} that is open: whether the text inside is said, and whether a branch was taken
    // already.
    struct branch {
        bool outer, said, taken;
    };
    std::vector<branch> branches;
    bool saying = true;
    std::string out;
    while (!text.empty()) {
        const auto open = text.find('{');
        const bool is_mark = open != std::string_view::npos && open + 1 < text.size() &&
                             (text[open + 1] == '{' || text[open + 1] == '%' || text[open + 1] == '#');
        const auto plain = text.substr(0, open == std::string_view::npos ? text.size() : is_mark ? open : open + 1);
        if (saying) out += plain;
        text.remove_prefix(plain.size());
        if (!is_mark) continue;
        const char kind = text[1];
        const std::string_view closing = kind == '{' ? "}}" : kind == '%' ? "%}" : "#}";
        const auto close = text.find(closing, 2);
        if (close == std::string_view::npos)
            return fail(errc::invalid_config, "a response template has a {{{} that is never closed", kind);
        std::string_view inside = trim(text.substr(2, close - 2));
        text.remove_prefix(close + 2);
        if (inside.starts_with('-')) inside = trim(inside.substr(1));
        if (inside.ends_with('-') || inside.ends_with(':')) inside = trim(inside.substr(0, inside.size() - 1));
        if (kind == '#') continue;
        if (kind == '{') {
            if (!saying) continue;
            auto v = expression_reader(inside, values).read();
            if (!v) return fail(std::move(v));
            if (*v) out += spoken(**v);
            continue;
        }
        const bool is_if = inside.starts_with("if "), is_elif = inside.starts_with("elif ");
        if (is_if || is_elif) {
            if (is_elif && branches.empty())
                return fail(errc::invalid_config, "a response template has elif without if");
            if (is_if) branches.push_back({saying, false, false});
            branch& now = branches.back();
            now.said = false;
            if (now.outer && !now.taken) {
                auto v = expression_reader(inside.substr(is_if ? 3 : 5), values).read();
                if (!v) return fail(std::move(v));
                now.said = now.taken = is_true(*v);
            }
            saying = now.said;
        } else if (inside == "else" && !branches.empty()) {
            branch& now = branches.back();
            saying = now.said = now.outer && !now.taken;
            now.taken = true;
        } else if (inside == "endif" && !branches.empty()) {
            saying = branches.back().outer;
            branches.pop_back();
        } else {
            return fail(errc::invalid_config, "a response template has {{% {} %}}, which is not understood here",
                        inside.substr(0, 40));
        }
    }
    if (!branches.empty()) return fail(errc::invalid_config, "a response template has an if without endif");
    std::string tidy;
    for (const char c : out) {
        const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
        if (!blank) {
            tidy += c;
        } else if (!tidy.empty() && tidy.back() != ' ') {
            tidy += ' ';
        }
    }
    return std::string(trim(tidy));
}

std::optional<std::string> render(const collection& sentences, const recognized& command, const answer_values& more) {
    const auto keys = sentences.responses.find(command.intent);
    if (keys == sentences.responses.end()) return std::nullopt;
    auto text = keys->second.find(command.response);
    if (text == keys->second.end()) text = keys->second.find("default");
    if (text == keys->second.end()) return std::nullopt;
    answer_values values = more;
    for (const auto& one : command.slots)
        values.insert_or_assign("slots." + one.name, one.text.empty() ? one.value : slot_value(one.text));
    auto out = render_template(text->second, values);
    if (!out) return std::nullopt;
    return std::move(*out);
}

}  // namespace loqa::intent
