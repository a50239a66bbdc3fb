// What a person wants done, from what the recogniser heard: the matcher with everything around it that a conversation
// needs.
//
// On top of single templates: several commands in one sentence, commands for later, what "it" and "and the bedroom"
// refer to, mended recogniser errors, and which commands have to be asked back before they are carried out. Immutable:
// shared by every thread; made anew, with its matcher, when the home or the templates change.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/intent/home.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/intent/spoken_time.hpp"

namespace loqa::intent {

struct command {
    recognized what;
    std::optional<std::chrono::seconds> delay;  // "in ten minutes"
    std::optional<spoken_time> at;              // "tomorrow at seven"; next_occurrence() makes a moment of it

    bool later() const { return delay.has_value() || at.has_value(); }
};

struct understanding {
    std::vector<command> commands;  // in the order they were said; several are all carried out, or none
    double confidence = 1;          // of the least certain of them
    bool mended = false;            // words had to be exchanged, here or by the recogniser
    bool ask_first = false;         // say `question` and wait for a yes before doing anything
    std::string question;           // "Did you mean: turn on the kitchen lights?"
};

using understood = std::expected<understanding, miss>;

// The end of the conversation so far. Kept by the session, given back with the next sentence.
struct conversation {
    std::vector<command> commands;  // of the last turn
    steady_time said_at{};
    bool empty() const { return commands.empty(); }
};

struct understanding_options {
    bool mend = true;
    double least_confidence = 0.55;   // below it nothing is done: not even asked back
    double sure_confidence = 0.75;    // below it Loqa asks back
    double least_margin = 0.12;       // how much nearer the best meaning has to be than the second, or Loqa asks back
    std::chrono::seconds memory{60};  // how long "it" and "and the bedroom" are understood
};

// Whether the words are the recogniser's first reading, or what it took them for when it listened again for a command,
// and then whether it is sure of it.
enum class hearing { clear, again, doubtful };

class interpreter {
public:
    interpreter(std::shared_ptr<const matcher> sentences, std::shared_ptr<const home> house,
                understanding_options options = {});
    ~interpreter();

    // What was heard again is asked about where a mended sentence would be: a lock, a cover, an alarm, several rooms.
    // What is doubtful is asked about wherever it does something.
    understood understand(std::string_view sentence, const context& where = {}, const conversation& before = {},
                          steady_time now = {}, hearing how = hearing::clear) const;

    // The commands of a sentence that says every word of them, and needs nothing of what was said before; none where it
    // does not. Takes no longer than the words of it: nothing is mended.
    std::expected<std::vector<command>, miss> word_for_word(std::string_view sentence, const context& where = {}) const;

    const matcher& sentences() const;
    const home& house() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// "turn on the kitchen lights" → "Did you mean: turn on the kitchen lights?" In English where `language` is not known.
std::string question_about(const std::vector<command>& commands, bool heard_clearly, std::string_view language = "en");

// Whether a sentence is a plain yes or no to a question. Nothing if it is neither.
std::optional<bool> yes_or_no(std::string_view sentence, std::string_view language = "en");

}  // namespace loqa::intent
