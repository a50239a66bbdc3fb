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
    int urgency = 0;
    std::uint64_t order = 0;
    std::int64_t mark = 0;
    steady_time asked;
    bool running = false;
    bool superseded = false;     // what runs is not wanted any more
    milliseconds interrupted{};  // since the last outcome
    bool forgotten = false;
};

decoder::decoder(recognizer& engine, const clock& clock, decoder_options options, phrase_judge judge,
                 std::function<void(outcome)> deliver)
    : engine_(engine),
      clock_(clock),
      options_(std::move(options)),
      judge_(std::move(judge)),
      deliver_(std::move(deliver)),
      thread_([this] { run(); }) {}

decoder::~decoder() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
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
            entry->urgency = 0;
        }
        entry->wanted = std::max(what, entry->wanted.value_or(what));
        // What is read without these samples is not the last word any more.
        if (entry->running && what != reading::partial) {
            entry->superseded = true;
            entry->input->interrupt();
        }
        entry->urgency = std::max(entry->urgency, static_cast<int>(what));
        entry->mark = mark;
    }
    changed_.notify_one();
}

void decoder::ask(std::function<void()> alive) {
    {
        std::lock_guard lock(mutex_);
        asked_.push_back(std::move(alive));
    }
    changed_.notify_one();
}

void decoder::hurry(std::uint64_t utterance) {
    std::lock_guard lock(mutex_);
    if (const auto found = jobs_.find(utterance); found != jobs_.end()) {
        found->second->urgency = static_cast<int>(reading::final);
    }
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
    return !reading_ && std::ranges::none_of(jobs_, [](const auto& each) { return each.second->wanted.has_value(); });
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

decoder::job* decoder::most_urgent() {
    job* best = nullptr;
    for (const auto& [utterance, entry] : jobs_) {
        if (!entry->wanted) continue;
        if (best == nullptr || entry->urgency > best->urgency ||
            (entry->urgency == best->urgency && entry->order < best->order)) {
            best = entry.get();
        }
    }
    return best;
}

void decoder::run() {
    name_this_thread("stt-decode");
    std::unique_lock lock(mutex_);
    for (;;) {
        job* next = nullptr;
        changed_.wait(lock, [&] { return stopping_ || !asked_.empty() || (next = most_urgent()) != nullptr; });
        if (stopping_) return;
        for (const auto& alive : std::exchange(asked_, {})) alive();
        if (next == nullptr) continue;

        const auto samples = std::exchange(next->samples, {});
        outcome made{next->utterance, *next->wanted, next->mark, hypothesis{}, next->asked, {}, {}};
        next->wanted.reset();
        if (!next->input) next->input = engine_.start();
        next->running = reading_ = true;
        lock.unlock();

        made.began = clock_.steady();
        // Samples beyond what the engine takes are left out: what was said before them is still worth reading.
        const auto accepted = next->input->accept(samples);
        if (!accepted && accepted.error().code != errc::too_long) {
            made.heard = fail(accepted);
        } else {
            made.heard = made.what == reading::final ? next->input->finish() : next->input->read();
        }
        if (made.heard && made.what != reading::partial && options_.expect) {
            if (const auto expected = options_.expect())
                made.heard = next->input->listen_again(std::move(*made.heard), expected);
        }
        made.ended = clock_.steady();
        if (judge_ && made.heard) made.form = form_of(*made.heard, judge_);

        lock.lock();
        next->running = reading_ = false;
        if (made.what == reading::partial) {
            const std::chrono::duration<double> took = made.ended - made.began;
            next_partial_ =
                made.ended + std::chrono::duration_cast<steady_time::duration>(took * (1 / options_.partial_share - 1));
        }
        const bool superseded = std::exchange(next->superseded, false);
        const bool wanted = !next->forgotten && !superseded;
        if (superseded)
            next->interrupted += std::chrono::duration_cast<milliseconds>(made.ended - made.began);
        else
            made.interrupted = std::exchange(next->interrupted, {});
        if (made.what == reading::final || next->forgotten) jobs_.erase(made.utterance);
        lock.unlock();
        if (wanted) deliver_(std::move(made));
        lock.lock();
    }
}

}  // namespace loqa::stt
