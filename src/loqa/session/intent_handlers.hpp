// Who else takes intents: programs on the bus that declared which, and what was asked of them.
//
// A declaration holds for a while and is repeated; of several handlers of one intent the bus picks one. ask() only
// sends: the answer, or that nobody is there, comes as a message on inbox(), whose last token is what ask() gave.
// Used by one thread at a time.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "loqa/base/clock.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/session/house_answers.hpp"
#include "loqa/session/spoken_answer.hpp"

namespace loqa::session {

inline constexpr seconds declaration_holds{15};
inline constexpr std::size_t max_handlers = 256;
inline constexpr std::size_t max_intents_per_handler = 256;

class intent_handlers {
public:
    intent_handlers(const clock& clock, bus::connection& bus);

    // {"handler", "intents": […]}. An empty list takes the declaration back.
    result<void> declare(std::string_view payload);
    bool takes(const std::string& intent) const;

    struct question {
        const intent::recognized& what;
        const asker& who;
        std::string turn_id;
        bool confirmed = false;                           // the person said yes to what the handler asked
        std::optional<proposal> proposed = std::nullopt;  // of an intent about things
    };
    // The token of the answer.
    result<std::string> ask(const question& about, const bus::headers& headers);

    const std::string& inbox() const { return inbox_; }  // a pattern to subscribe to
    std::optional<std::string> token_of(std::string_view subject) const;

    struct answer {
        bool handled = false;  // false: the handler does not want it after all
        bool ask = false;      // the words are a question, to be asked again with confirmed after a yes
        spoken_answer words;
    };
    // unavailable when nobody was there, invalid_message when the answer cannot be read.
    static result<answer> read(const bus::message& m);

private:
    struct handler {
        steady_time until{};
        std::set<std::string> intents;
    };
    const clock& clock_;
    bus::connection& bus_;
    const std::string prefix_, inbox_;
    std::uint64_t asked_ = 0;
    std::map<std::string, handler> handlers_;
};

}  // namespace loqa::session
