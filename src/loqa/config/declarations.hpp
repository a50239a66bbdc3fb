// What a property is, and the list of all of them. Used inside config/ only.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "loqa/config/config.hpp"

namespace loqa::config {

// Where a property's value lives in settings. The alternative says what kind of value it is.
using slot = std::variant<std::string*, bool*, int*, double*, milliseconds*, fs::path*, std::vector<std::string>*,
                          std::vector<capability>*>;

// Texts that are more than text.
enum class shape { any, not_empty, subject_token, host, address, web_url, otlp_url, bus_urls };

struct property {
    std::string_view key;                      // "section.name", or "name" at the top
    slot (*at)(settings&) = nullptr;           // where the value is
    std::string_view fallback = {};            // the default, written as in a variable
    std::string_view derived = {};             // what an empty default becomes, in words
    double min = 0, max = 0;                   // of numbers
    std::vector<std::string_view> words = {};  // when not empty, the only texts allowed
    shape form = shape::any;
    bool secret = false;
    std::string_view doc = {};

    std::string_view section() const;
    std::string_view name() const;
    std::string variable() const;  // "LOQA_STT_THREADS"
    std::string type() const;
    std::string range() const;
    std::string unit() const;
    std::string allowed() const;  // completes "must be …"
};

struct section {
    std::string_view name;  // "" is the top level
    std::string_view doc;
};

std::span<const section> sections();
std::span<const property> declarations();  // in file order, a section's together

// The prefix of a section's variables: "LOQA_STT_", and "LOQA_RUNTIME_" for the top level.
std::string variable_prefix(std::string_view section);

// Gives a property the value that `text` says; false when it is not one that is allowed. A list's text is separated by
// commas. Lists of capabilities have no such text: load.cpp reads them.
bool assign(const property& declared, settings& out, std::string_view text);
bool assign(const property& declared, settings& out, const std::vector<std::string>& list);

}  // namespace loqa::config
