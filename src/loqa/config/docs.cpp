#include <fmt/format.h>

#include "loqa/config/config.hpp"
#include "loqa/config/declarations.hpp"

namespace loqa::config {
namespace {

// A default as a person writes it in YAML.
std::string yaml_value(const property& declared) {
    const auto type = declared.type();
    if (type.starts_with("list")) return "[]";
    if (type == "true or false" || type == "whole number" || type == "number") return std::string(declared.fallback);
    const bool plain = !declared.fallback.empty() && declared.fallback.find(':') == std::string_view::npos;
    return plain ? std::string(declared.fallback) : fmt::format("\"{}\"", declared.fallback);
}

std::string table_cell_default(const property& declared) {
    if (!declared.derived.empty()) return std::string(declared.derived);
    return declared.fallback.empty() ? "empty" : fmt::format("`{}`", declared.fallback);
}

std::string table_cell_allowed(const property& declared) {
    auto text = declared.type();
    if (const auto range = declared.range(); !range.empty()) text += fmt::format(", {}", range);
    if (const auto unit = declared.unit(); !unit.empty()) text += fmt::format(" {}", unit);
    if (declared.secret) text += ", secret";
    return text;
}

template <class Section, class Property>
void walk(Section on_section, Property on_property) {
    for (const auto& part : sections()) {
        on_section(part);
        for (const auto& declared : declarations())
            if (declared.section() == part.name) on_property(declared);
    }
}

}  // namespace

std::vector<property_info> properties() {
    std::vector<property_info> all;
    for (const auto& declared : declarations())
        all.push_back({.key = std::string(declared.key),
                       .environment = declared.variable(),
                       .type = declared.type(),
                       .doc = std::string(declared.doc),
                       .default_text = std::string(declared.fallback),
                       .range = declared.range(),
                       .unit = declared.unit(),
                       .secret = declared.secret});
    return all;
}

std::string markdown() {
    std::string out =
        "# Configuration\n\n"
        "<!-- Generated from src/loqa/config/declarations.cpp; config_test says how. -->\n\n"
        "All processes read the same YAML file: the one given with `--config`, or named by `LOQA_CONFIG`, or\n"
        "`~/.config/loqa/loqa.yaml`, or `/etc/loqa/loqa.yaml`, whichever is there first. Every key can be left out,\n"
        "and a variable of the environment overrides it. A list in a variable is separated by commas;\n"
        "`node.capabilities` is written as in YAML. `loqad --print-config` prints a file with every key at its\n"
        "default, `loqad --check-config` says what is wrong with yours. What is unknown, of the wrong type or out of\n"
        "range is an error, never ignored.\n";
    walk(
        [&](const section& part) {
            out += part.name.empty() ? fmt::format("\n## Top level\n\n{}\n\n", part.doc)
                                     : fmt::format("\n## {}\n\n{}\n\n", part.name, part.doc);
            out += "| key | variable | default | allowed | meaning |\n|---|---|---|---|---|\n";
        },
        [&](const property& declared) {
            out += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", declared.key, declared.variable(),
                               table_cell_default(declared), table_cell_allowed(declared), declared.doc);
        });
    return out;
}

std::string help() {
    std::string out = "Configuration keys, each with its environment variable and default:\n";
    walk([&](const section& part) { out += fmt::format("\n{}\n", part.doc); },
         [&](const property& declared) {
             const auto fallback = declared.fallback.empty() ? std::string_view("empty") : declared.fallback;
             out += fmt::format("  {:<30} {} [{}; {}]\n      {}\n", declared.key, declared.variable(), fallback,
                                table_cell_allowed(declared), declared.doc);
         });
    return out;
}

std::string example_yaml() {
    std::string out = "# Loqa's configuration. Every key is at its default: take the # off what you change.\n";
    walk(
        [&](const section& part) {
            out += fmt::format("\n# {}\n", part.doc);
            if (!part.name.empty()) out += fmt::format("{}:\n", part.name);
        },
        [&](const property& declared) {
            const std::string_view indent = declared.section().empty() ? "" : "  ";
            out += fmt::format("{}# {} ({})\n", indent, declared.doc, table_cell_allowed(declared));
            out += fmt::format("{}# {}: {}\n", indent, declared.name(), yaml_value(declared));
        });
    return out;
}

}  // namespace loqa::config
