// The part of Jinja that the answers of sentence collections are written in.
//
// {{ }}, {# #}, if, for, set and macro; expressions with literals, lists, dictionaries, slices, comparisons,
// arithmetic, filters, tests and the methods of strings and dictionaries that translators use. What is not defined is
// nothing, and false. A template that uses more than this is an error, not half an answer; so is one that works too
// long. Stateless.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/intent/home.hpp"

namespace loqa::intent::jinja {

class value;
using list = std::vector<value>;
using dictionary = std::vector<std::pair<std::string, value>>;  // a number as key is its text

// Lists and dictionaries are shared by the copies of a value, as names in Python share them.
class value {
public:
    struct undefined {};
    struct none {};

    value() = default;
    value(none what) : is_(what) {}
    value(bool what) : is_(what) {}
    value(std::int64_t what) : is_(what) {}
    value(int what) : is_(std::int64_t{what}) {}
    value(double what) : is_(what) {}
    value(std::string what) : is_(std::move(what)) {}
    value(const char* what) : is_(std::string(what)) {}
    value(list what) : is_(std::make_shared<list>(std::move(what))) {}
    value(dictionary what) : is_(std::make_shared<dictionary>(std::move(what))) {}
    value(const slot_value& what);

    bool is_defined() const { return !std::holds_alternative<undefined>(is_); }
    bool is_none() const { return std::holds_alternative<none>(is_); }
    bool is_bool() const { return std::holds_alternative<bool>(is_); }
    bool is_true() const;                  // as `if` sees it
    std::optional<double> number() const;  // of a number, not of digits in a string
    std::optional<std::int64_t> whole() const;
    const std::string* text() const { return std::get_if<std::string>(&is_); }
    std::shared_ptr<list> items() const;
    std::shared_ptr<dictionary> members() const;
    value at(std::string_view key) const;        // of a dictionary; undefined when it has none
    void set(std::string_view key, value what);  // makes a dictionary of what is undefined
    std::string said() const;                    // as {{ }} writes it; 21.0 is "21"
    bool operator==(const value& other) const;

private:
    std::variant<undefined, none, bool, std::int64_t, double, std::string, std::shared_ptr<list>,
                 std::shared_ptr<dictionary>>
        is_;
};

// `values` is a dictionary of what the template may speak of.
result<std::string> render(std::string_view text, const value& values);

}  // namespace loqa::intent::jinja
