#include "loqa/session/home_feed.hpp"

#include <algorithm>

#include "loqa/house/home_json.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {

namespace subject = protocol::subject;
using protocol::json;

namespace {

constexpr std::size_t max_entity_bytes = 256;

}  // namespace

result<void> home_feed::start(std::function<void()> changed) {
    changed_ = std::move(changed);
    using handler = result<std::string> (home_feed::*)(const bus::message&);
    const std::pair<std::string_view, handler> answers[] = {{subject::home_learn, &home_feed::learn},
                                                            {subject::home_update, &home_feed::update}};
    for (const auto& [on, answer] : answers) {
        auto made = bus_.subscribe(on, protocol::group::session, [this, answer = answer](const bus::message& m) {
            const auto done = (this->*answer)(m);
            if (!done) log_.warn(done.error());
            if (m.reply.empty()) return;
            if (auto sent = bus_.respond(m, done ? *done : protocol::refusal(done.error())); !sent)
                log_.warn(sent.error());
        });
        if (!made) return fail(std::move(made));
        subscriptions_.push_back(std::move(*made));
    }
    return {};
}

result<std::string> home_feed::learn(const bus::message& m) {
    const auto object = protocol::parse_object(m.payload);
    if (!object) return fail(object);
    std::string source;
    protocol::field_reader read(*object);
    read.text("source", source, max_entity_bytes, true);
    if (read.failed()) return failure(read.why());
    auto told = house::parse_learned(m.payload);
    if (!told) return fail(std::move(told));
    std::lock_guard lock(mutex_);
    const auto entities = told->entities;
    const auto others = learned_.learn(source, std::move(*told));
    if (!others) return fail(others);
    if (*others) {
        log_.info("{} tells of {} things of the home", source, entities.size());
        changed_();
    }
    // What it said of states counts, not what was known before.
    apply(entities);
    return protocol::dump({{"entities", entities.size()}});
}

result<std::string> home_feed::update(const bus::message& m) {
    const auto object = protocol::parse_object(m.payload);
    if (!object) return fail(object);
    const auto list = object->find("entities");
    if (list == object->end() || !list->is_array() || list->size() > house::max_learned_things)
        return fail(errc::invalid_message, "field entities is not a list of things");
    std::vector<intent::entity> told;
    for (const auto& one : *list) {
        if (!one.is_object()) return fail(errc::invalid_message, "field entities holds what is not a thing");
        intent::entity thing;
        protocol::field_reader read(one);
        read.text("id", thing.id, max_entity_bytes, true).text("state", thing.state, max_entity_bytes);
        if (read.failed()) return failure(read.why());
        if (const auto attributes = one.find("attributes"); attributes != one.end())
            thing.attributes = house::attributes_of(*attributes);
        told.push_back(std::move(thing));
    }
    std::lock_guard lock(mutex_);
    return protocol::dump({{"changed", apply(told)}});
}

// Only what the home has, and only what is another than it was. How many things that were.
std::size_t home_feed::apply(const std::vector<intent::entity>& told) {
    const auto now = home_.snapshot();
    house::changes what;
    for (const auto& one : told) {
        const auto found = std::ranges::find(now->entities, one.id, &intent::entity::id);
        if (found == now->entities.end()) continue;
        house::state_change change{.entity_id = one.id, .state = std::nullopt, .attributes = {}};
        if (!one.state.empty() && one.state != found->state) change.state = one.state;
        for (const auto& [key, value] : one.attributes)
            if (const auto known = found->attributes.find(key);
                known == found->attributes.end() || known->second != value)
                change.attributes.insert_or_assign(key, value);
        if (change.state || !change.attributes.empty()) what.states.push_back(std::move(change));
    }
    if (what.empty()) return 0;
    if (auto applied = home_.apply(what); !applied) {
        log_.warn(applied.error());
        return 0;
    }
    return what.states.size();
}

}  // namespace loqa::session
