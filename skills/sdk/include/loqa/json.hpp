// JSON for skills: one value that is read, built and written.
//
// A value owns what it holds. Reading never fails: a member that is not there is null, and null as text, number or
// truth is what the caller says it is. parse() takes no more than RFC 8259 allows, and at most 64 levels. No
// exceptions, no streams, no tables of numbers: it adds about 6 KB to a module.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loqa::json {

enum class kind : std::uint8_t { null, truth, number, text, list, object };

class value {
public:
    value() = default;
    value(bool truth) : kind_(kind::truth), number_(truth ? 1 : 0) {}  // NOLINT(google-explicit-constructor)
    value(int number) : kind_(kind::number), number_(number) {}        // NOLINT(google-explicit-constructor)
    value(unsigned number) : kind_(kind::number), number_(number) {}   // NOLINT(google-explicit-constructor)
    value(long number) : kind_(kind::number), number_(static_cast<double>(number)) {}       // NOLINT
    value(long long number) : kind_(kind::number), number_(static_cast<double>(number)) {}  // NOLINT
    value(double number) : kind_(kind::number), number_(number) {}                          // NOLINT
    value(const char* text) : kind_(kind::text), text_(text) {}                             // NOLINT
    value(std::string_view text) : kind_(kind::text), text_(text) {}                        // NOLINT
    value(std::string text) : kind_(kind::text), text_(std::move(text)) {}                  // NOLINT

    kind what() const { return kind_; }
    bool is(kind wanted) const { return kind_ == wanted; }
    explicit operator bool() const { return kind_ != kind::null; }

    std::string_view text(std::string_view otherwise = {}) const { return is(kind::text) ? text_ : otherwise; }
    double number(double otherwise = 0) const { return is(kind::number) ? number_ : otherwise; }
    std::int64_t integer(std::int64_t otherwise = 0) const {
        return is(kind::number) && number_ > -9e15 && number_ < 9e15 ? static_cast<std::int64_t>(number_) : otherwise;
    }
    bool truth(bool otherwise = false) const { return is(kind::truth) ? number_ != 0 : otherwise; }

    // Of a list, or what an object holds, in the order of names(); empty of anything else.
    const std::vector<value>& items() const { return items_; }
    std::size_t size() const { return items_.size(); }
    const value& operator[](std::size_t at) const { return at < items_.size() ? items_[at] : nothing(); }
    const value& operator[](int at) const { return (*this)[static_cast<std::size_t>(at)]; }  // 0 is no null pointer
    value& add(value item) {                                                                 // itself, to go on
        kind_ = kind::list;
        items_.push_back(std::move(item));
        return *this;
    }

    // Of an object; the last of several with one name counts.
    const std::vector<std::string>& names() const { return names_; }
    const value& operator[](std::string_view name) const {
        for (std::size_t i = names_.size(); i-- > 0;)
            if (names_[i] == name) return items_[i];
        return nothing();
    }
    const value& operator[](const char* name) const { return (*this)[std::string_view(name)]; }
    value& set(std::string_view name, value to) {  // itself, to go on
        kind_ = kind::object;
        for (std::size_t i = 0; i < names_.size(); ++i)
            if (names_[i] == name) return items_[i] = std::move(to), *this;
        names_.emplace_back(name);
        items_.push_back(std::move(to));
        return *this;
    }

    std::string dump() const {
        std::string out;
        write(out);
        return out;
    }

    friend value list(std::initializer_list<value> items);
    friend value object(std::initializer_list<std::pair<std::string_view, value>> members);
    friend class reader;

private:
    static const value& nothing() {
        static const value null;
        return null;
    }
    inline void write(std::string& out) const;
    inline static void write_text(std::string& out, std::string_view text);
    inline static void write_number(std::string& out, double number);

    kind kind_ = kind::null;
    double number_ = 0;
    std::string text_;
    std::vector<std::string> names_;  // of an object: those of the items
    std::vector<value> items_;
};

inline value list(std::initializer_list<value> items = {}) {
    value out;
    out.kind_ = kind::list;
    out.items_ = items;
    return out;
}

inline value object(std::initializer_list<std::pair<std::string_view, value>> members = {}) {
    value out;
    out.kind_ = kind::object;
    for (const auto& [name, is] : members) {
        out.names_.emplace_back(name);
        out.items_.push_back(is);
    }
    return out;
}

// ── Writing
// ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

inline void value::write(std::string& out) const {
    switch (kind_) {
        case kind::null:
            out += "null";
            return;
        case kind::truth:
            out += number_ != 0 ? "true" : "false";
            return;
        case kind::number:
            return write_number(out, number_);
        case kind::text:
            return write_text(out, text_);
        case kind::list:
        case kind::object:
            out += is(kind::list) ? '[' : '{';
            for (std::size_t i = 0; i < items_.size(); ++i) {
                if (i > 0) out += ',';
                if (is(kind::object)) {
                    write_text(out, names_[i]);
                    out += ':';
                }
                items_[i].write(out);
            }
            out += is(kind::list) ? ']' : '}';
            return;
    }
}

inline void value::write_text(std::string& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += "\\u00";
            out += digits[static_cast<unsigned char>(c) >> 4];
            out += digits[c & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

// Whole numbers as such, others with up to six digits after the point, which is more than a home measures.
inline void value::write_number(std::string& out, double number) {
    if (!(number > -9e15 && number < 9e15)) {  // what is not a number, too
        out += "null";
        return;
    }
    if (number < 0) out += '-';
    const double size = number < 0 ? -number : number;
    auto whole = static_cast<std::uint64_t>(size);
    auto millionths = static_cast<std::uint64_t>((size - static_cast<double>(whole)) * 1e6 + 0.5);
    if (millionths == 1'000'000) ++whole, millionths = 0;
    char digits[24];
    auto at = sizeof digits;
    do digits[--at] = static_cast<char>('0' + whole % 10);
    while ((whole /= 10) != 0);
    out.append(digits + at, sizeof digits - at);
    if (millionths == 0) return;
    out += '.';
    for (std::uint64_t unit = 100'000; millionths != 0; unit /= 10) {
        out += static_cast<char>('0' + millionths / unit);
        millionths %= unit;
    }
}

// ── Reading
// ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

class reader {
public:
    explicit reader(std::string_view text) : text_(text) {}

    std::optional<value> run() {
        value out;
        if (!read(out, 0)) return std::nullopt;
        space();
        if (at_ != text_.size()) return std::nullopt;
        return out;
    }

private:
    static constexpr int deepest = 64;

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(char wanted) {
        if (peek() != wanted) return false;
        ++at_;
        return true;
    }
    bool take(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }
    void space() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r') ++at_;
    }

    bool read(value& out, int depth) {
        space();
        switch (peek()) {
            case '{':
                return depth < deepest && read_object(out, depth);
            case '[':
                return depth < deepest && read_list(out, depth);
            case '"':
                out.kind_ = kind::text;
                return read_text(out.text_);
            case 't':
                out = value(true);
                return take("true");
            case 'f':
                out = value(false);
                return take("false");
            case 'n':
                return take("null");
            default:
                out.kind_ = kind::number;
                return read_number(out.number_);
        }
    }

    bool read_object(value& out, int depth) {
        out.kind_ = kind::object;
        ++at_;
        space();
        if (take('}')) return true;
        do {
            space();
            out.names_.emplace_back();
            out.items_.emplace_back();
            if (!read_text(out.names_.back())) return false;
            space();
            if (!take(':') || !read(out.items_.back(), depth + 1)) return false;
            space();
        } while (take(','));
        return take('}');
    }

    bool read_list(value& out, int depth) {
        out.kind_ = kind::list;
        ++at_;
        space();
        if (take(']')) return true;
        do {
            out.items_.emplace_back();
            if (!read(out.items_.back(), depth + 1)) return false;
            space();
        } while (take(','));
        return take(']');
    }

    bool read_text(std::string& out) {
        if (!take('"')) return false;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == '"') return true;
            if (static_cast<unsigned char>(c) < 0x20) return false;
            if (c != '\\') {
                out += c;
                continue;
            }
            constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
            const char escaped = peek();
            ++at_;
            if (const auto known = from.find(escaped); known != std::string_view::npos)
                out += to[known];
            else if (escaped != 'u' || !read_escape(out))
                return false;
        }
        return false;
    }

    bool hex(std::uint32_t& out) {
        out = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = peek();
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) return false;
            out = out * 16 + static_cast<std::uint32_t>(digit);
        }
        return true;
    }

    bool read_escape(std::string& out) {
        std::uint32_t code = 0, low = 0;
        if (!hex(code) || (code >= 0xdc00 && code < 0xe000)) return false;
        if (code >= 0xd800 && code < 0xdc00) {
            if (!take("\\u") || !hex(low) || low < 0xdc00 || low >= 0xe000) return false;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
        if (code < 0x80) {
            out += static_cast<char>(code);
        } else if (code < 0x800) {
            out += static_cast<char>(0xc0 | code >> 6), tail(0);
        } else if (code < 0x10000) {
            out += static_cast<char>(0xe0 | code >> 12), tail(6), tail(0);
        } else {
            out += static_cast<char>(0xf0 | code >> 18), tail(12), tail(6), tail(0);
        }
        return true;
    }

    bool digit() const { return peek() >= '0' && peek() <= '9'; }

    bool read_number(double& out) {
        const bool negative = take('-');
        if (!digit()) return false;
        double all = 0;
        int scale = 0;
        if (!take('0'))
            for (; digit(); ++at_) all = all * 10 + (peek() - '0');
        if (take('.')) {
            if (!digit()) return false;
            for (; digit(); ++at_, --scale) all = all * 10 + (peek() - '0');
        }
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            const bool down = take('-');
            if (!down) take('+');
            if (!digit()) return false;
            int power = 0;
            for (; digit(); ++at_) power = power < 1000 ? power * 10 + (peek() - '0') : power;
            scale += down ? -power : power;
        }
        double by = 1;
        for (int i = scale < 0 ? -scale : scale; i > 0 && by < 1e300; --i) by *= 10;
        out = scale < 0 ? all / by : all * by;
        if (negative) out = -out;
        return true;
    }

    const std::string_view text_;
    std::size_t at_ = 0;
};

// Nothing when it is not JSON.
inline std::optional<value> parse(std::string_view text) { return reader(text).run(); }

}  // namespace loqa::json
