#include "loqa/stt/phrase.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "loqa/base/text.hpp"
#include "loqa/intent/spoken_time.hpp"
#include "loqa/stt/wording.hpp"

namespace loqa::stt {
namespace {

// Words after which more must come, whatever the sentence: articles, prepositions, what joins two commands. Not "on"
// and "off": "turn it on" is over.
struct connecting {
    std::string_view language;
    std::string_view words;  // each between spaces
};
constexpr std::array<connecting, 4> connecting_words = {{
    {"en",
     " a an the my our your this of for to at in with by from into than until after and then or but set is what every "
     "please about all if called named "},
    {"de",
     " der die das den dem des ein eine einen einer mein meine im in zu zum für auf mit von bis nach und oder dann "
     "stell bitte alle um vom beim "},
    {"fr",
     " le la les un une des du de à au aux en dans pour sur avec par mon ma mes et ou puis mets cette chaque vers "},
    {"es", " el la los las un una de del al a en para por con sin mi mis y o luego pon este esta cada desde hasta "},
}};

bool connects(std::string_view language, std::string_view word) {
    const auto known = std::ranges::find(connecting_words, language.substr(0, 2), &connecting::language);
    return known != connecting_words.end() &&
           known->words.find(" " + std::string(word) + " ") != std::string_view::npos;
}

// One word that is meant to end something is never waited behind.
bool is_urgent(std::string_view word) {
    constexpr std::array<std::string_view, 9> urgent{"stop", "pause",  "quiet", "silence", "enough",
                                                     "mute", "snooze", "halt",  "stopp"};
    return std::ranges::find(urgent, word) != urgent.end();
}

constexpr std::size_t few_words = 3;

bool is_number(std::string_view word) { return intent::parse_small_number(word).has_value(); }

// The words behind the last "and" or "then": the command that is being said.
std::string_view last_command(std::string_view text) {
    std::size_t at = 0;
    for (const std::string_view joins : {" and ", " then ", " und ", " dann ", " et ", " puis ", " y ", " luego "}) {
        const auto found = text.rfind(joins);
        if (found != std::string_view::npos) at = std::max(at, found + joins.size());
    }
    return text.substr(at);
}

}  // namespace

std::string_view to_string(phrase what) {
    switch (what) {
        case phrase::unknown:
            return "unknown";
        case phrase::open:
            return "open";
        case phrase::growable:
            return "growable";
        case phrase::complete:
            return "complete";
    }
    return "unknown";
}

namespace {

phrase form_of(const intent::interpreter& with, std::string_view text, const std::string& said) {
    const auto& sentences = with.sentences();
    const auto words = split(said, ' ');
    const auto& last = words.back();
    const bool connected = words.size() > 1 && connects(sentences.language(), last);

    const auto progress = sentences.feed(said);
    // Free text takes anything, a connecting word at its end too.
    if (progress.complete && !(connected && progress.open_text)) {
        return progress.can_grow ? phrase::growable : phrase::complete;
    }
    if (connected) return phrase::open;
    // Which room is meant the one who decides may know.
    const auto exact = sentences.match(said);
    if (!exact && exact.error().reason == intent::miss_reason::missing_context) return phrase::growable;
    if (progress.can_grow && !progress.open_text) return phrase::open;
    // Several commands at once. What had to be mended was misheard: another look, with some silence behind it, may be
    // better.
    if (const auto meaning = with.understand(text); meaning && !meaning->mended) return phrase::growable;
    // What only free text lets go on may be anything, unless it has just begun.
    if (progress.can_grow && words.size() <= few_words) return phrase::open;
    const auto command = last_command(said);
    if (command.size() < said.size() && sentences.feed(command).can_grow) return phrase::open;
    // The word before a pause is often misheard: "turn on the" as "turn on me".
    if (words.size() > 1) {
        const auto shorter = sentences.feed(trim(std::string_view(said).substr(0, said.size() - last.size())));
        if (shorter.can_grow && !shorter.open_text && !shorter.complete) return phrase::open;
    }
    // One word that is no command hardly is all that somebody says.
    if (words.size() == 1) return phrase::open;
    // A number wants a unit.
    if (is_number(last)) return phrase::open;
    return phrase::unknown;
}

}  // namespace

phrase judge(const intent::interpreter& with, std::string_view text) {
    const auto said = without_punctuation(text);
    if (said.empty()) return phrase::unknown;
    const auto form = form_of(with, text, said);
    // "Cancel" may be all, or the first word of what is said with thought: "cancel … all timers".
    const bool one_word = !said.contains(' ');
    return form == phrase::growable && one_word && !is_urgent(said) ? phrase::unknown : form;
}

}  // namespace loqa::stt
