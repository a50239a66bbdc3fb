#include "loqa/session/speakers.hpp"

#include <algorithm>

#include "loqa/protocol/subjects.hpp"
#include "loqa/protocol/turn_headers.hpp"

namespace loqa::session {

speakers::speakers(const clock& clock, bus::connection& bus, std::string voice, std::vector<std::string> configured)
    : clock_(clock), bus_(bus), voice_(std::move(voice)), configured_(std::move(configured)) {}

void speakers::played(const protocol::playback_started& what) {
    const auto& name = what.target.empty() ? what.session_id : what.target;
    if (name.empty()) return;
    const auto now = clock_.steady();
    std::erase_if(played_, [&](const auto& known) { return now - known.second > remembered; });
    if (played_.size() >= most && !played_.contains(name))
        played_.erase(std::ranges::min_element(played_, {}, [](const auto& known) { return known.second; }));
    played_[name] = now;
}

bool speakers::takes_pcm(const std::string& name) const {
    const auto found = played_.find(name);
    return found != played_.end() && clock_.steady() - found->second <= remembered;
}

std::optional<std::string> speakers::last_but(const std::string& name) const {
    const std::pair<const std::string, steady_time>* last = nullptr;
    for (const auto& known : played_)
        if (known.first != name && takes_pcm(known.first) && (last == nullptr || known.second > last->second))
            last = &known;
    if (last == nullptr) return std::nullopt;
    return last->first;
}

result<std::size_t> speakers::announce(const std::string& text, const std::string& asked_at) {
    std::map<std::string, protocol::audio_form> all;
    for (const auto& name : configured_) all.emplace(name, protocol::audio_form::json);
    for (const auto& [name, when] : played_)
        if (takes_pcm(name)) all[name] = protocol::audio_form::pcm;
    all.erase(asked_at);
    const auto session = fmt::format("announcement-{}", ++announcements_);
    for (const auto& [name, form] : all) {
        const protocol::turn_headers headers{.audio = form, .urgency = protocol::urgency::announcement};
        auto sent =
            bus_.publish(protocol::subject::tts_request,
                         protocol::encode(protocol::tts_request{
                             .session_id = session, .text = text, .voice = voice_, .target = name, .trace_id = {}}),
                         protocol::write_turn(headers));
        if (!sent) return fail(std::move(sent));
    }
    return all.size();
}

}  // namespace loqa::session
