#include "loqa/stt/decoder.hpp"

#include <algorithm>
#include <utility>

#include "loqa/base/process.hpp"

namespace loqa::stt {

std::string_view to_string(reading what) {
    switch (what) {
        case reading::partial:
            return "partial";
        case reading::ahead:
            return "ahead";
        case reading::final:
            return "final";
    }
    return "unknown";
}

phrase form_of(const hypothesis& heard, const phrase_judge& judge) {
    // Any short noise is near to some single word: it is not enough to cut somebody off.
    if (!heard.heard.empty() && !heard.text.contains(' ')) return phrase::unknown;
    auto form = judge(heard.doubtful ? heard.heard : heard.text);
    // What is doubtful may be clear with more of the silence behind it.
    if (heard.doubtful && form != phrase::open) form = phrase::unknown;
    return heard.begins && (form == phrase::unknown || !heard.heard.empty()) ? phrase::open : form;
}

struct decoder::job {
    std::uint64_t utterance = 0;
    std::unique_ptr<stream> input;
    std::vector<float> samples;  // not yet accepted by input
    std::optional<reading> wanted;
    bool hurried = false;
    std::uint64_t order = 0;
    std::int64_t mark = 0;
    steady_time asked;
    std::optional<reading> running;
    bool superseded = false;     // what runs is not wanted any more
    bool delivering = false;     // what ran: no other thread may overtake it
    milliseconds interrupted{};  // since the last outcome
    bool forgotten = false;

    reading urgency() const { return hurried ? reading::final : *wanted; }  // of what is wanted
};

decoder::decoder(recognizer& engine, const clock& clock, decoder_options options, phrase_judge judge,
                 std::function<void(outcome)> deliver)
    : engine_(engine),
      clock_(clock),
      options_(std::move(options)),
      judge_(std::move(judge)),
      deliver_(std::move(deliver)) {
    const std::lock_guard lock(mutex_);  // all of them count
    for (std::size_t i = 0; i < engine_.at_once(); ++i) threads_.emplace_back([this] { run(); });
}

decoder::~decoder() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    for (auto& each : threads_) each.join();
}

void decoder::submit(std::uint64_t utterance, std::vector<float> samples, reading what, std::int64_t mark) {
    {
        std::lock_guard lock(mutex_);
        auto& entry = jobs_[utterance];
        if (!entry) {
            entry = std::make_unique<job>();
            entry->utterance = utterance;
        }
        entry->samples.insert(entry->samples.end(), samples.begin(), samples.end());
        if (!entry->wanted) {
            entry->asked = clock_.steady();
            entry->order = ++requests_;
            entry->hurried = false;
        }
        entry->wanted = std::max(what, entry->wanted.value_or(what));
        // What is read without these samples is not the last word any more.
        if (entry->running && what != reading::partial) {
            entry->superseded = true;
            entry->input->interrupt();
        }
        entry->mark = mark;
        if (what != reading::partial) make_way(*entry);
    }
    changed_.notify_all();
}

// Partials of others are made later.
void decoder::make_way(const job& for_what) {
    for (auto& [utterance, each] : jobs_)
        if (each.get() != &for_what && each->running == reading::partial && !each->hurried) each->input->interrupt();
}

void decoder::ask(std::function<void()> alive) {
    {
        std::lock_guard lock(mutex_);
        asked_.emplace(++questions_, question{std::move(alive), threads_.size()});
    }
    changed_.notify_all();
}

// The questions since the last that this thread has answered.
void decoder::answer(std::uint64_t& answered) {
    for (auto next = asked_.upper_bound(std::exchange(answered, questions_)); next != asked_.end();) {
        if (--next->second.unanswered == 0) {
            next->second.alive();
            next = asked_.erase(next);
        } else {
            ++next;
        }
    }
}

void decoder::hurry(std::uint64_t utterance) {
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(utterance);
    if (found == jobs_.end()) return;
    found->second->hurried = true;
    // Nobody speaks any more, and it is to be as thorough as what is read in a pause.
    if (found->second->wanted == reading::partial) found->second->wanted = reading::ahead;
}

void decoder::put_off(std::uint64_t utterance) {
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(utterance);
    if (found == jobs_.end() || found->second->wanted != reading::ahead || found->second->hurried) return;
    found->second->wanted = reading::partial;
}

void decoder::forget(std::uint64_t utterance) {
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(utterance);
    if (found == jobs_.end()) return;
    if (found->second->running) {
        found->second->forgotten = true;
        found->second->input->interrupt();
    } else {
        jobs_.erase(found);
    }
}

bool decoder::is_idle() const {
    return reading_ == 0 &&
           std::ranges::none_of(jobs_, [](const auto& each) { return each.second->wanted.has_value(); });
}

bool decoder::idle() const {
    std::lock_guard lock(mutex_);
    return is_idle();
}

bool decoder::spare() const {
    std::lock_guard lock(mutex_);
    return is_idle() && clock_.steady() >= next_partial_;
}

std::size_t decoder::waiting() const {
    std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& [utterance, entry] : jobs_) count += entry->wanted.has_value() ? 1 : 0;
    return count;
}

// Of what waits and can be read now.
decoder::job* decoder::most_urgent() {
    job* best = nullptr;
    for (const auto& [utterance, entry] : jobs_) {
        if (!entry->wanted || entry->running || entry->delivering) continue;
        if (entry->wanted == reading::partial && reading_ > 0) continue;  // there is no time for it
        if (best == nullptr || entry->urgency() > best->urgency() ||
            (entry->urgency() == best->urgency() && entry->order < best->order)) {
            best = entry.get();
        }
    }
    return best;
}

// What is wanted of it is known; it alone uses the input while it runs.
outcome decoder::read(stream& input, outcome made, const std::vector<float>& samples) {
    made.began = clock_.steady();
    // Samples beyond what the engine takes are left out: what was said before them is still worth reading.
    const auto accepted = input.accept(samples);
    if (!accepted && accepted.error().code != errc::too_long) {
        made.heard = fail(accepted);
    } else {
        made.heard = made.what == reading::final ? input.finish() : input.read();
    }
    if (made.heard && made.what != reading::partial && options_.expect) {
        const std::lock_guard alone(listening_again_);
        if (const auto expected = options_.expect()) made.heard = input.listen_again(std::move(*made.heard), expected);
    }
    made.ended = clock_.steady();
    if (judge_ && made.heard) made.form = form_of(*made.heard, judge_);
    return made;
}

void decoder::run() {
    name_this_thread("stt-decode");
    std::uint64_t answered = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
        job* next = nullptr;
        changed_.wait(lock, [&] { return stopping_ || answered < questions_ || (next = most_urgent()) != nullptr; });
        if (stopping_) return;
        answer(answered);
        if (next == nullptr) continue;

        const auto utterance = next->utterance;
        const auto what = *std::exchange(next->wanted, {});
        const auto samples = std::exchange(next->samples, {});
        if (!next->input) next->input = engine_.start();
        next->running = what;
        ++reading_;
        outcome made{utterance, what, next->mark, hypothesis{}, next->asked, {}, {}};
        lock.unlock();
        made = read(*next->input, std::move(made), samples);
        lock.lock();
        --reading_;
        next->running.reset();
        if (what == reading::partial) {
            const std::chrono::duration<double> took = made.ended - made.began;
            next_partial_ =
                made.ended + std::chrono::duration_cast<steady_time::duration>(took * (1 / options_.partial_share - 1));
        }
        const bool made_way = what == reading::partial && !made.heard && made.heard.error().code == errc::cancelled;
        const bool superseded = std::exchange(next->superseded, false) || made_way;
        const bool wanted = !next->forgotten && !superseded;
        if (superseded)
            next->interrupted += std::chrono::duration_cast<milliseconds>(made.ended - made.began);
        else
            made.interrupted = std::exchange(next->interrupted, {});
        if (made_way && !next->wanted) next->wanted = next->hurried ? reading::ahead : what;
        next->delivering = wanted;
        if (what == reading::final || next->forgotten) jobs_.erase(utterance);
        changed_.notify_all();  // what could not be read beside this can now
        if (!wanted) continue;
        lock.unlock();
        deliver_(std::move(made));
        lock.lock();
        if (const auto still = jobs_.find(utterance); still != jobs_.end()) still->second->delivering = false;
    }
}

}  // namespace loqa::stt
