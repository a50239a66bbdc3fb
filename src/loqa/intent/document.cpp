#include "loqa/intent/document.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

namespace loqa::intent {
namespace {

constexpr std::size_t max_nodes = 500'000;  // YAML aliases can make a small file endless
constexpr std::size_t max_depth = 40;

bool convert(const YAML::Node& from, const std::string& file, std::size_t depth, std::size_t& budget, document& to) {
    if (depth > max_depth || budget == 0) return false;
    --budget;
    to.where = {file, from.Mark().line + 1, from.Mark().column + 1};
    if (from.IsScalar()) {
        to.type = document::kind::scalar;
        to.scalar = from.Scalar();
        to.quoted = from.Tag() == "!";
    } else if (from.IsSequence()) {
        to.type = document::kind::list;
        for (const auto& item : from)
            if (!convert(item, file, depth + 1, budget, to.items.emplace_back())) return false;
    } else if (from.IsMap()) {
        to.type = document::kind::map;
        for (const auto& member : from) {
            to.members.push_back({member.first.IsScalar() ? member.first.Scalar() : std::string(), {}});
            if (!convert(member.second, file, depth + 1, budget, to.members.back().content)) return false;
        }
    }
    return true;
}

bool convert(const nlohmann::ordered_json& from, const std::string& file, std::size_t depth, document& to) {
    if (depth > max_depth) return false;
    to.where.file = file;
    if (from.is_object()) {
        to.type = document::kind::map;
        for (const auto& [key, value] : from.items()) {
            to.members.push_back({key, {}});
            if (!convert(value, file, depth + 1, to.members.back().content)) return false;
        }
    } else if (from.is_array()) {
        to.type = document::kind::list;
        for (const auto& item : from)
            if (!convert(item, file, depth + 1, to.items.emplace_back())) return false;
    } else if (!from.is_null()) {
        to.type = document::kind::scalar;
        to.quoted = from.is_string();
        to.scalar = from.is_string() ? from.get<std::string>() : from.dump();
    }
    return true;
}

}  // namespace

const document* document::find(std::string_view key) const {
    for (const auto& [name, member] : members)
        if (name == key) return &member;
    return nullptr;
}

slot_value document::value() const {
    if (!quoted) {
        if (scalar == "true" || scalar == "True") return true;
        if (scalar == "false" || scalar == "False") return false;
        const char* end = scalar.data() + scalar.size();
        std::int64_t whole = 0;
        if (const auto [rest, code] = std::from_chars(scalar.data(), end, whole); code == std::errc{} && rest == end)
            return whole;
        double real = 0;
        if (const auto [rest, code] = std::from_chars(scalar.data(), end, real);
            code == std::errc{} && rest == end && !scalar.empty())
            return real;
    }
    return scalar;
}

result<document> parse_document(std::string_view text, std::string_view name) {
    document out;
    const std::string file(name);
    out.where.file = file;
    if (file.ends_with(".json")) {
        try {
            if (!convert(nlohmann::ordered_json::parse(text), file, 0, out))
                return fail(errc::invalid_config, "{}: nested deeper than {} levels", file, max_depth);
        } catch (const nlohmann::json::parse_error& e) {
            const auto before = text.substr(0, std::min(text.size(), e.byte == 0 ? 0 : e.byte - 1));
            const auto line = std::ranges::count(before, '\n') + 1;
            const auto column = before.size() - (before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1) + 1;
            // What stands before the last dash is where, as the library counts it.
            std::string_view why = e.what();
            if (const auto dash = why.rfind(" - "); dash != why.npos) why.remove_prefix(dash + 3);
            return fail(errc::invalid_config, "{}:{}:{}: this is not JSON: {}", file, line, column, why);
        } catch (const nlohmann::json::exception& e) {
            return fail(errc::invalid_config, "{}: {}", file, e.what());
        }
        return out;
    }
    try {
        std::size_t budget = max_nodes;
        if (!convert(YAML::Load(std::string(text)), file, 0, budget, out))
            return fail(errc::invalid_config, "{}: more than {} entries, or nested deeper than {} levels", file,
                        max_nodes, max_depth);
    } catch (const YAML::Exception& e) {
        return fail(errc::invalid_config, "{}:{}:{}: {}", file, e.mark.line + 1, e.mark.column + 1, e.msg);
    }
    return out;
}

failure wrong(const document& at, std::string_view what) {
    return fail(errc::invalid_config, "{}: {}", to_string(at.where), what);
}

}  // namespace loqa::intent
