// Which subjects skills have taken over from loqad: those below "skill." that a loaded one subscribes to by their full
// names. The host tells, loqad looks at each message (docs/adr/0014-a-skill-takes-over-its-subjects.md). Safe from any
// thread.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace loqa::skills {

class claims {
public:
    // All that the skill subscribes to; nothing takes its claims back.
    void set(const std::string& skill, std::vector<std::string> subjects) {
        std::erase_if(subjects, [](const std::string& one) {
            return !one.starts_with("skill.") || one.find_first_of("*>") != std::string::npos;
        });
        std::lock_guard lock(mutex_);
        if (subjects.empty())
            by_skill_.erase(skill);
        else
            by_skill_.insert_or_assign(skill, std::move(subjects));
    }

    bool has(std::string_view subject) const {
        if (!subject.starts_with("skill.")) return false;
        std::lock_guard lock(mutex_);
        return std::ranges::any_of(
            by_skill_, [&](const auto& one) { return std::ranges::find(one.second, subject) != one.second.end(); });
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::vector<std::string>> by_skill_;
};

}  // namespace loqa::skills
