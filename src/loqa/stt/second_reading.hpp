// Listening again, for what may be said.
//
// A recogniser writes what is probable in any text; of a home command it often makes another word that sounds the same.
// A second reading of the same sound writes nothing but commands, several side by side, letter by letter as a follower
// allows, and takes the most probable one where it is hardly less probable than what was written freely, and clearly
// more probable than any that would do something else. How much is tried is bounded by numbers alone, whatever the
// home. One object is used by one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loqa/stt/expectation.hpp"
#include "loqa/stt/second_reading_options.hpp"
#include "loqa/stt/spelling.hpp"

namespace loqa::stt {

// What was heard, when it was written freely.
struct first_reading {
    std::string text;
    double score = 0;  // the logarithm of its probability
};

struct nearest_command {
    std::string text;       // as the model writes it; empty: none is near
    double behind = 0;      // how much less probable it is than what was heard
    double lead = 0;        // how much more probable than any that does something else
    bool likely = false;    // near enough, and clear enough, to be what was said
    bool doubtful = false;  // likely, but not to be done without asking

    // The beginning of a command is more probable than any whole one, and near enough to be all that was said so far.
    // If no more is said, it was not what was said.
    bool begins = false;
};

class second_reading {
public:
    // `begin` and `end` are the model's tokens for where a text begins and ends.
    second_reading(std::shared_ptr<const token_table> tokens, token begin, token end, second_reading_options options);

    // What is nearest to what was said. Nothing when what was heard is a command already, or none is near.
    // `model` writes of the same sound, and has not written yet.
    result<std::optional<nearest_command>> listen(const first_reading& first, spelling& model,
                                                  const std::shared_ptr<expectation>& for_what);

private:
    struct option {
        token next = 0;
        std::uint32_t to = 0;
    };
    struct text {
        std::uint32_t state = 0;
        double score = 0;
        bool closed = false;  // its full stop is written
        std::vector<token> tokens;
    };
    struct finished {
        std::string text, meaning;  // no meaning: it is only the beginning of a command
        double score = 0;
    };

    const std::vector<option>& options_at(std::uint32_t state);
    void walk(std::size_t first, std::size_t last, std::size_t depth, std::uint32_t state, std::vector<option>& found);
    result<std::vector<finished>> write(spelling& model, double floor);
    double lead_of(const std::vector<finished>& found) const;

    const std::shared_ptr<const token_table> tokens_;
    const token begin_, end_;
    const second_reading_options options_;
    std::vector<std::pair<std::string, token>> spelled_;  // tokens that are letters, in lower case, sorted
    std::vector<token> stops_;                            // . ? !

    std::shared_ptr<expectation> for_what_;
    std::uint64_t generation_ = 0;
    std::map<std::uint32_t, std::vector<option>> known_;  // by state, of this generation
};

}  // namespace loqa::stt
