// Reading JSON objects field by field with errors that name the field. Private to the modules that speak JSON on the
// bus.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "loqa/base/result.hpp"

namespace loqa::protocol {

using json = nlohmann::json;

// Dumps without throwing on text that is not UTF-8: what cannot be written becomes U+FFFD.
inline std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// What a request is answered with that was not done.
inline std::string refusal(const error& why) {
    return dump({{"error", {{"code", to_string(why.code)}, {"message", why.message}, {"hint", why.hint}}}});
}

inline result<json> parse_object(std::string_view text) {
    // 32 levels are far beyond any message of ours; the parser recurses by level.
    int depth = 0;
    bool too_deep = false;
    auto value = json::parse(
        text,
        [&](int level, json::parse_event_t, json&) {
            depth = level;
            too_deep = too_deep || depth > 32;
            return !too_deep;
        },
        false);
    if (too_deep) return fail(errc::invalid_message, "JSON is nested deeper than 32 levels");
    if (value.is_discarded()) return fail(errc::invalid_message, "not JSON: {} bytes", text.size());
    if (!value.is_object()) return fail(errc::invalid_message, "JSON is not an object but {}", value.type_name());
    return value;
}

// Reads fields one after the other; the first fault sticks and is what error() gives.
class field_reader {
public:
    explicit field_reader(const json& object) : object_(object) {}

    field_reader& text(const char* name, std::string& out, std::size_t max_bytes, bool required = false) {
        const json* value = get(name, required);
        if (value == nullptr) return *this;
        if (!value->is_string()) return wrong(name, "text", *value);
        out = value->get_ref<const std::string&>();
        if (out.size() > max_bytes && !failed_) {
            failed_ = true;
            error_ = {
                errc::too_long, fmt::format("field {} has {} bytes, the limit is {}", name, out.size(), max_bytes), {}};
        }
        return *this;
    }

    template <class Int>
    field_reader& integer(const char* name, Int& out, std::int64_t least, std::int64_t most, bool required = false) {
        const json* value = get(name, required);
        if (value == nullptr) return *this;
        if (!value->is_number()) return wrong(name, "a whole number", *value);
        const double number = value->get<double>();
        if (!(number >= static_cast<double>(least) && number <= static_cast<double>(most))) {
            if (!failed_) {
                failed_ = true;
                error_ = {errc::invalid_message,
                          fmt::format("field {} is {}, allowed are {} to {}", name, value->dump(), least, most),
                          {}};
            }
            return *this;
        }
        out = value->is_number_float() ? static_cast<Int>(number) : value->get<Int>();
        return *this;
    }

    field_reader& number(const char* name, double& out) {
        const json* value = get(name, false);
        if (value == nullptr) return *this;
        if (!value->is_number()) return wrong(name, "a number", *value);
        out = value->get<double>();
        return *this;
    }

    field_reader& boolean(const char* name, bool& out) {
        const json* value = get(name, false);
        if (value == nullptr) return *this;
        if (!value->is_boolean()) return wrong(name, "true or false", *value);
        out = value->get<bool>();
        return *this;
    }

    void refuse(error e) {
        if (failed_) return;
        failed_ = true;
        error_ = std::move(e);
    }

    bool failed() const { return failed_; }
    const loqa::error& why() const { return error_; }

private:
    const json* get(const char* name, bool required) {
        if (failed_) return nullptr;
        const auto it = object_.find(name);
        if (it != object_.end() && !it->is_null()) return &*it;
        if (required) refuse({errc::invalid_message, fmt::format("field {} is missing", name), {}});
        return nullptr;
    }
    field_reader& wrong(const char* name, std::string_view wanted, const json& found) {
        refuse({errc::invalid_message, fmt::format("field {} is {}, wanted {}", name, found.type_name(), wanted), {}});
        return *this;
    }

    const json& object_;
    bool failed_ = false;
    loqa::error error_;
};

}  // namespace loqa::protocol
