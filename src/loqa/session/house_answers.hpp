// What the home answers: an intent about things is done, and said in the words of the collection's response templates.
//
// answer_for() plans, acts and gives the words; preview() gives the same words and does nothing. Safe from any thread,
// as the home and the sentences are. What somebody told of (home_feed.hpp) is real: it is not acted on here, only said.
#pragma once

#include <optional>
#include <string>

#include "loqa/base/clock.hpp"
#include "loqa/house/house.hpp"
#include "loqa/intent/live.hpp"
#include "loqa/intent/responses.hpp"
#include "loqa/intent/understanding.hpp"
#include "loqa/session/spoken_answer.hpp"

namespace loqa::session {

struct proposal {
    house::changes changes;
    std::string speech;
};

class house_answers {
public:
    house_answers(const clock& clock, house::simulated_home& home, const intent::live_interpreter& sentences)
        : clock_(clock), home_(home), sentences_(sentences) {}

    // Nothing when the intent is neither about the home nor one that the user's own sentences answer.
    std::optional<spoken_answer> answer_for(const intent::recognized& what, const asker& who);

    // What answer_for() would say if all goes well.
    std::optional<std::string> preview(const intent::recognized& what, const asker& who) const;

    // Why it cannot be done: what answer_for() would apologise with. Nothing when it can, or when it is not known.
    std::optional<spoken_answer> objection(const intent::recognized& what, const asker& who) const;

    // What answer_for() would do and say if all goes well, for somebody else to do it. Nothing when there is nothing to
    // be done.
    std::optional<proposal> propose(const intent::recognized& what) const;

    // What loqad answers itself, it answers in English: here it is said in the language that was spoken, in the words
    // of the collection.
    void translate(const intent::recognized& what, spoken_answer& given) const;
    std::string promise(const intent::command& command, wall_time now) const;
    spoken_answer not_understood(const intent::miss& why) const;

private:
    std::string words(const intent::recognized& what, const intent::answer_values& values) const;
    spoken_answer refused(std::string_view key, const intent::answer_values& values) const;
    // The apology for what only a skill could do.
    std::optional<spoken_answer> out_of_reach(const intent::recognized& what, const house::changes& wanted) const;

    const clock& clock_;
    house::simulated_home& home_;
    const intent::live_interpreter& sentences_;
};

}  // namespace loqa::session
