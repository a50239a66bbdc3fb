#include "loqa/store/sound_store.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "loqa/base/process.hpp"

namespace loqa::store {

namespace {

constexpr const char* ending = ".pcm";
constexpr seconds look_every{600};  // for what has become too old

// An id as the name of a file: what is no letter or digit becomes its number, and what is too long for a name ends in
// one.
std::string name_of(const std::string& id) {
    constexpr std::size_t longest = 120;
    std::string name;
    for (const unsigned char c : id) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        name += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
    }
    if (name.size() <= longest) return name.empty() ? "%" : name;
    std::uint64_t sum = 14'695'981'039'346'656'037ULL;  // FNV-1a
    for (const unsigned char c : id) sum = (sum ^ c) * 1'099'511'628'211ULL;
    return name.substr(0, longest) + fmt::format("%{:016x}", sum);
}

}  // namespace

result<std::unique_ptr<sound_store>> sound_store::open(sound_options options, const clock& time, telemetry::logger log,
                                                       telemetry::metrics& metrics) {
    if (auto made = make_writable_folder(options.folder, 0700); !made) return fail(std::move(made));
    std::unique_ptr<sound_store> store(new sound_store(std::move(options), time, std::move(log), metrics));
    store->scan();
    store->thread_ = std::jthread([s = store.get()] { s->run(); });
    return store;
}

sound_store::sound_store(sound_options options, const clock& time, telemetry::logger log, telemetry::metrics& metrics)
    : options_(std::move(options)),
      clock_(time),
      log_(std::move(log)),
      complain_(log_, time),
      lost_(metrics.counter("loqa_store_sound_lost_total", "Utterances whose sound was to be kept and was not")),
      bytes_(metrics.gauge("loqa_store_sound_bytes", "Sound that is kept of past turns")) {}

sound_store::~sound_store() {
    queue_.close();
    if (thread_.joinable()) thread_.join();
}

fs::path sound_store::folder_of(const std::string& session) const { return options_.folder / name_of(session); }

fs::path sound_store::file_of(const std::string& session, const std::string& turn) const {
    return folder_of(session) / (name_of(turn) + ending);
}

void sound_store::scan() {
    std::error_code ec;
    for (const auto& entry : fs::recursive_directory_iterator(options_.folder, ec)) {
        if (!entry.is_regular_file(ec) || entry.path().extension() != ending) continue;
        const auto age = fs::file_time_type::clock::now() - entry.last_write_time(ec);
        files_.push_back(
            {entry.path(), entry.file_size(ec), clock_.wall() - std::chrono::duration_cast<wall_time::duration>(age)});
        filed_bytes_ += files_.back().bytes;
    }
    std::ranges::sort(files_, {}, &filed::at);
}

void sound_store::keep(const std::string& session, const std::string& turn, std::string pcm) {
    if (session.empty() || turn.empty() || pcm.empty()) return;
    if (queue_.push({session, turn, std::move(pcm)})) return;
    lost_.add();
    complain_("the sound of a turn is not kept: the disk cannot keep up");
}

result<std::string> sound_store::find(const std::string& session, const std::string& turn) {
    std::lock_guard lock(mutex_);
    return read_file(file_of(session, turn));
}

std::size_t sound_store::forget(const std::string& session) {
    std::lock_guard lock(mutex_);
    const auto folder = folder_of(session);
    std::size_t gone = 0;
    std::erase_if(files_, [&](const filed& each) {
        if (each.path.parent_path() != folder) return false;
        filed_bytes_ -= each.bytes;
        ++gone;
        return true;
    });
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    bytes_.set(static_cast<double>(filed_bytes_));
    return gone;
}

void sound_store::run() {
    name_this_thread("sound-store");
    for (;;) {
        prune();
        const auto next = queue_.pop_until(std::chrono::steady_clock::now() + look_every);
        if (next)
            write(*next);
        else if (queue_.closed())
            return;
    }
}

void sound_store::write(const unwritten& what) {
    std::lock_guard lock(mutex_);
    const auto file = file_of(what.session, what.turn);
    auto done = make_writable_folder(file.parent_path(), 0700);
    if (done) done = write_file_atomically(file, what.pcm, 0600);
    if (!done) {
        lost_.add();
        return complain_("the sound of a turn is not kept: {}", done.error().message);
    }
    files_.push_back({file, what.pcm.size(), clock_.wall()});
    filed_bytes_ += what.pcm.size();
}

void sound_store::prune() {
    std::lock_guard lock(mutex_);
    const auto oldest = clock_.wall() - options_.keep_for;
    while (!files_.empty() && (filed_bytes_ > options_.most_bytes || files_.front().at < oldest)) {
        std::error_code ignored;
        fs::remove(files_.front().path, ignored);
        fs::remove(files_.front().path.parent_path(), ignored);  // when it was its last
        filed_bytes_ -= files_.front().bytes;
        files_.pop_front();
    }
    bytes_.set(static_cast<double>(filed_bytes_));
}

}  // namespace loqa::store
