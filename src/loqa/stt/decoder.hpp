// The threads that read with a recognizer.
//
// Everybody hands them samples and says how urgently they want a reading; as many are made at once as the recognizer
// can make, of each utterance one at a time, the most urgent first. Each utterance has at most one reading wanted:
// asking again adds samples to it and may make it more urgent, so a partial that is still waiting when its final is
// wanted disappears into it, and what waits is bounded by the number of utterances. Partials make way for all others.
// All functions are safe from any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/stt/phrase.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {

// From least to most urgent.
enum class reading : std::uint8_t {
    partial,  // while the person speaks
    ahead,    // in a pause: the final one, if the pause turns out to be the end
    final,
};

std::string_view to_string(reading what);

struct outcome {
    std::uint64_t utterance = 0;
    reading what = reading::partial;
    std::int64_t mark = 0;  // of the latest request that it answers
    result<hypothesis> heard;
    steady_time asked, began, ended;
    phrase form = phrase::unknown;  // of what was heard
    milliseconds interrupted{};     // spent on readings before it that were interrupted
};

// How much of a command a reading is, by its words and by how they were found.
phrase form_of(const hypothesis& heard, const phrase_judge& judge);

struct decoder_options {
    // How much of its time the decoder gives to readings while somebody speaks. They come less often when many speak at
    // once; readings in a pause and final ones are made at any time.
    double partial_share = 0.5;

    // What may be said, for readings that may become final; empty, or null: nothing is known. Called on the decoder's
    // threads, of which one at a time uses what it gives.
    std::function<std::shared_ptr<expectation>()> expect = {};
};

class decoder {
public:
    // `deliver` is called on the decoder's threads, of one utterance in order, as is `judge`, which may be empty;
    // neither may block.
    decoder(recognizer& engine, const clock& clock, decoder_options options, phrase_judge judge,
            std::function<void(outcome)> deliver);

    // Waits for the readings that are being made; those that wait are lost.
    ~decoder();

    // `mark` comes back with the outcome. After reading::final the utterance is forgotten. Anything but a partial makes
    // an end of the reading of the utterance that is being made, which has less of it: there is no outcome of that.
    void submit(std::uint64_t utterance, std::vector<float> samples, reading what, std::int64_t mark);

    // Calls `alive` once each of the decoder's threads has made the reading that it is at.
    void ask(std::function<void()> alive);

    // A reading that waits comes before all that are not final.
    void hurry(std::uint64_t utterance);

    // A reading that waits and is not final becomes a partial: speech goes on.
    void put_off(std::uint64_t utterance);

    // Nothing more is wanted; an outcome may still come when the reading is being made right now.
    void forget(std::uint64_t utterance);

    // Nothing is being read or waits.
    bool idle() const;

    // Whether there is time for a reading::partial now: it is idle, and they had not their share.
    bool spare() const;

    std::size_t waiting() const;

private:
    struct job;
    struct question {
        std::function<void()> alive;
        std::size_t unanswered = 0;  // by so many threads
    };

    void run();
    outcome read(stream& input, outcome made, const std::vector<float>& samples);
    void answer(std::uint64_t& answered);
    bool is_idle() const;
    job* most_urgent();
    void make_way(const job& for_what);

    recognizer& engine_;
    const clock& clock_;
    const decoder_options options_;
    const phrase_judge judge_;
    const std::function<void(outcome)> deliver_;

    std::mutex listening_again_;  // before mutex_
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::size_t reading_ = 0;  // threads that do
    steady_time next_partial_{};
    std::uint64_t requests_ = 0;
    std::map<std::uint64_t, std::unique_ptr<job>> jobs_;
    std::uint64_t questions_ = 0;
    std::map<std::uint64_t, question> asked_;
    std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace loqa::stt
