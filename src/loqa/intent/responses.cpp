#include "loqa/intent/responses.hpp"

#include <cctype>

#include "loqa/base/text.hpp"

namespace loqa::intent {
namespace {

// "state.name" is the name of state.
void put(jinja::value& into, std::string_view path, jinja::value what) {
    const auto dot = path.find('.');
    if (dot == std::string_view::npos) return into.set(path, std::move(what));
    auto whole = into.at(path.substr(0, dot));
    if (!whole.members()) {
        whole = jinja::value(jinja::dictionary{});
        into.set(path.substr(0, dot), whole);
    }
    put(whole, path.substr(dot + 1), std::move(what));
}

}  // namespace

std::string spoken(const slot_value& v) {
    if (const auto* real = std::get_if<double>(&v);
        real != nullptr && *real == static_cast<double>(static_cast<std::int64_t>(*real)))
        return fmt::format("{}", static_cast<std::int64_t>(*real));
    if (const auto* flag = std::get_if<bool>(&v)) return *flag ? "on" : "off";
    return to_string(v);
}

result<std::string> render_template(std::string_view text, const answer_values& values) {
    jinja::value all{jinja::dictionary{}};
    for (const auto& [path, what] : values) put(all, path, what);
    auto out = jinja::render(text, all);
    if (!out) return out;
    std::string tidy;
    for (const char c : *out) {
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
        values.insert_or_assign("slots." + one.name,
                                one.text.empty() ? jinja::value(one.value) : jinja::value(one.text));
    auto out = render_template(text->second, values);
    if (!out) return std::nullopt;
    return std::move(*out);
}

}  // namespace loqa::intent
