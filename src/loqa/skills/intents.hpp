// Intents as skills answer them: what is asked first, and what the host says where a skill does not. Stateless.
#pragma once

#include <string>
#include <string_view>

#include "loqa/skills/manifest.hpp"

namespace loqa::skills {

// The answer that asks, for a request of an intent whose manifest wants a yes that was not given yet; else empty.
std::string question_before(const skill_intent& of, std::string_view request);

enum class no_answer : std::uint8_t { failed, silent, suspended, busy };
std::string apology_for(no_answer why);

// What the request names as the session it belongs to; empty when it names none.
std::string session_of(std::string_view request);

}  // namespace loqa::skills
