#include "loqa/tts/cache.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"

namespace loqa::tts {

namespace {

// A file is one line, "loqa-speech 1 RATE SAMPLES SHA256", and the samples. A new layout takes a new number.
constexpr std::string_view layout = "loqa-speech 1";
constexpr std::size_t key_length = 64;
constexpr std::uintmax_t block_bytes = 4096;  // what a file takes on the disk is whole blocks
constexpr std::uintmax_t longest_file = 64u << 20;

std::string hash_of(std::string_view bytes) { return sha256_hex(std::as_bytes(std::span(bytes))); }
std::size_t bytes_of(const sound& what) { return sizeof(sound) + 2 * what.samples.size(); }
std::uintmax_t on_blocks(std::uintmax_t bytes) { return (bytes + block_bytes - 1) / block_bytes * block_bytes; }

std::string to_file(const sound& what) {
    const auto pcm = audio::to_s16le(what.samples);
    return fmt::format("{} {} {} {}\n", layout, what.sample_rate_hz, what.samples.size(), hash_of(pcm)) + pcm;
}

std::optional<sound> from_file(std::string_view content) {
    const auto end = content.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const auto words = split(content.substr(0, end), ' ');
    const auto pcm = content.substr(end + 1);
    if (words.size() != 5 || words[0] + " " + words[1] != layout) return std::nullopt;
    const auto number = [](const std::string& text) {
        int value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    const int rate = number(words[2]);
    if (rate < 8000 || rate > 48'000 || fmt::to_string(pcm.size() / 2) != words[3] || pcm.size() % 2 != 0 ||
        hash_of(pcm) != words[4])
        return std::nullopt;
    return sound{rate, audio::from_s16le(pcm)};
}

bool is_key(std::string_view text) {
    return text.size() == key_length &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

sound_cache::sound_cache(cache_options options, const clock& clock, telemetry::metrics& metrics, telemetry::logger log)
    : options_(std::move(options)),
      log_(std::move(log)),
      complain_(log_, clock),
      memory_bytes_(metrics.gauge("loqa_tts_cache_memory_bytes", "Speech that is kept in memory")),
      disk_bytes_(metrics.gauge("loqa_tts_cache_disk_bytes", "Speech that is kept on disk")),
      broken_(metrics.counter("loqa_tts_cache_broken_total", "Files of kept speech that were not whole")),
      unwritten_(metrics.counter("loqa_tts_cache_unwritten_total", "Speech that could not be written to the disk")) {
    if (options_.folder.empty()) options_.disk_bytes = 0;
    if (!on_disk()) return;
    if (auto usable = make_writable_folder(options_.folder, 0700); !usable) {
        log_.warn("speech is kept in memory alone: {}", usable.error().message);
        options_.disk_bytes = 0;
        return;
    }
    scan();
    writer_ = std::jthread([this] { write_files(); });
}

sound_cache::~sound_cache() {
    to_write_.close();
    if (writer_.joinable()) writer_.join();
}

std::string sound_cache::key(std::string_view voice, std::string_view text) {
    return hash_of(fmt::format("{}\n{}\n{}", layout, voice, text));
}

void sound_cache::scan() {
    struct seen {
        filed file;
        fs::file_time_type asked_for;
    };
    std::vector<seen> all;
    std::error_code ec;
    for (fs::directory_iterator at(options_.folder, ec), end; !ec && at != end; at.increment(ec)) {
        const auto name = at->path().filename().string();
        if (name.size() < key_length || !is_key(std::string_view(name).substr(0, key_length))) continue;
        std::error_code gone;
        if (at->path() != path_of(name.substr(0, key_length))) {
            fs::remove(at->path(), gone);  // what a process that was killed had not finished
            continue;
        }
        const auto bytes = at->file_size(gone);
        const auto time = gone ? fs::file_time_type{} : at->last_write_time(gone);
        if (!gone) all.push_back({{name.substr(0, key_length), on_blocks(bytes)}, time});
    }
    std::ranges::sort(all, std::ranges::greater{}, &seen::asked_for);
    for (auto& each : all) {
        filed_bytes_ += each.file.bytes;
        const auto at = files_.insert(files_.end(), std::move(each.file));
        files_by_key_[at->key] = at;
    }
    while (filed_bytes_ > options_.disk_bytes) forget_file(files_.back().key);
    disk_bytes_.set(static_cast<double>(filed_bytes_));
}

bool sound_cache::has(const std::string& key) const {
    std::lock_guard lock(mutex_);
    return held_by_key_.contains(key) || files_by_key_.contains(key);
}

sound_cache::found sound_cache::find(const std::string& key, trace leaves) {
    std::lock_guard lock(mutex_);
    const auto at = held_by_key_.find(key);
    if (at == held_by_key_.end()) return read(key, leaves);
    held_.splice(held_.begin(), held_, at->second);
    if (leaves == trace::disk) file(key, at->second->what);
    return at->second->what;
}

void sound_cache::put(const std::string& key, found what, trace leaves) {
    std::lock_guard lock(mutex_);
    if (leaves == trace::disk) file(key, what);
    hold(key, std::move(what));
}

void sound_cache::hold(const std::string& key, found what) {
    if (const auto at = held_by_key_.find(key); at != held_by_key_.end()) {
        held_bytes_ -= bytes_of(*at->second->what);
        held_.erase(at->second);
        held_by_key_.erase(at);
    }
    if (bytes_of(*what) <= options_.memory_bytes) {
        held_bytes_ += bytes_of(*what);
        held_.push_front({key, std::move(what)});
        held_by_key_[key] = held_.begin();
    }
    while (held_bytes_ > options_.memory_bytes) {
        held_bytes_ -= bytes_of(*held_.back().what);
        held_by_key_.erase(held_.back().key);
        held_.pop_back();
    }
    memory_bytes_.set(static_cast<double>(held_bytes_));
}

sound_cache::found sound_cache::read(const std::string& key, trace leaves) {
    const auto at = files_by_key_.find(key);
    if (at == files_by_key_.end()) return nullptr;
    const auto content = read_file(path_of(key), longest_file);
    auto whole = content ? from_file(*content) : std::nullopt;
    if (!whole) {
        broken_.add();
        complain_("kept speech {} was not whole, and is made anew", path_of(key).string());
        forget_file(key);
        return nullptr;
    }
    auto what = std::make_shared<const sound>(std::move(*whole));
    if (leaves == trace::disk) file(key, what);
    hold(key, what);
    return what;
}

// Marks it as asked for now, and has it written when it is not there yet.
void sound_cache::file(const std::string& key, const found& what) {
    if (!on_disk()) return;
    if (const auto at = files_by_key_.find(key); at != files_by_key_.end()) {
        files_.splice(files_.begin(), files_, at->second);
        std::error_code ignored;
        fs::last_write_time(path_of(key), fs::file_time_type::clock::now(), ignored);
        return;
    }
    if (!to_write_.push({key, what})) unwritten_.add();
}

void sound_cache::forget_file(const std::string& key) {
    const auto at = files_by_key_.find(key);
    if (at == files_by_key_.end()) return;
    std::error_code ignored;
    fs::remove(path_of(key), ignored);
    filed_bytes_ -= at->second->bytes;
    files_.erase(at->second);
    files_by_key_.erase(at);
    disk_bytes_.set(static_cast<double>(filed_bytes_));
}

void sound_cache::write_files() {
    name_this_thread("speech-cache");
    while (auto next = to_write_.pop()) {
        const auto content = to_file(*next->what);
        const auto bytes = on_blocks(content.size());
        {
            std::lock_guard lock(mutex_);
            if (files_by_key_.contains(next->key) || bytes > options_.disk_bytes) continue;
            // Room first: the folder is never larger than it may be.
            while (filed_bytes_ + bytes > options_.disk_bytes) forget_file(files_.back().key);
        }
        if (auto written = options_.write(path_of(next->key), content); !written) {
            unwritten_.add();
            complain_("speech is not kept on disk: {}", written.error().message);
            continue;
        }
        std::lock_guard lock(mutex_);
        filed_bytes_ += bytes;
        files_.push_front({next->key, bytes});
        files_by_key_[next->key] = files_.begin();
        disk_bytes_.set(static_cast<double>(filed_bytes_));
    }
}

}  // namespace loqa::tts
