#include "loqa/session/intent_handlers.hpp"

#include <algorithm>

#include "loqa/base/ids.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/session/slot_json.hpp"

namespace loqa::session {

namespace subject = protocol::subject;
using protocol::json;

namespace {

constexpr std::size_t max_name_bytes = 256;
constexpr std::string_view nobody_there = "503";  // what NATS answers itself

json changes_json(const house::changes& what) {
    json out = json::array();
    for (const auto& one : what.states) {
        json change{{"id", one.entity_id}};
        if (one.state) change["state"] = *one.state;
        for (const auto& [name, value] : one.attributes) change["attributes"][name] = to_json(value);
        out.push_back(std::move(change));
    }
    return out;
}

}  // namespace

intent_handlers::intent_handlers(const clock& clock, bus::connection& bus)
    : clock_(clock), bus_(bus), prefix_("_INBOX.intent-" + random_hex(8) + "."), inbox_(prefix_ + "*") {}

result<void> intent_handlers::declare(std::string_view payload) {
    const auto object = protocol::parse_object(payload);
    if (!object) return fail(object);
    std::string name;
    protocol::field_reader read(*object);
    read.text("handler", name, max_name_bytes, true);
    if (read.failed()) return failure(read.why());
    const auto list = object->find("intents");
    if (list == object->end() || !list->is_array() || list->size() > max_intents_per_handler)
        return fail(errc::invalid_message, "field intents is not a list of at most {} names", max_intents_per_handler);
    handler declared{.until = clock_.steady() + declaration_holds, .intents = {}};
    for (const auto& one : *list) {
        if (!one.is_string() || one.get_ref<const std::string&>().size() > max_name_bytes)
            return fail(errc::invalid_message, "field intents holds what is not a name");
        declared.intents.insert(one.get<std::string>());
    }
    std::erase_if(handlers_, [now = clock_.steady()](const auto& known) { return known.second.until < now; });
    if (declared.intents.empty()) {
        handlers_.erase(name);
        return {};
    }
    if (!handlers_.contains(name) && handlers_.size() >= max_handlers)
        return fail(errc::busy, "there are {} handlers of intents already", max_handlers);
    handlers_.insert_or_assign(name, std::move(declared));
    return {};
}

bool intent_handlers::takes(const std::string& intent) const {
    const auto now = clock_.steady();
    return std::ranges::any_of(handlers_, [&](const auto& known) {
        return known.second.until >= now && known.second.intents.contains(intent);
    });
}

result<std::string> intent_handlers::ask(const question& about, const bus::headers& headers) {
    json slots = json::object();
    for (const auto& one : about.what.slots) slots[one.name] = to_json(one.value);
    json request{{"intent", about.what.intent},        {"slots", slots},           {"text", about.what.text},
                 {"session_id", about.who.session_id}, {"turn_id", about.turn_id}, {"language", about.what.language}};
    if (!about.who.area.empty()) request["area"] = about.who.area;
    if (about.confirmed) request["confirmed"] = true;
    if (about.proposed) {
        request["changes"] = changes_json(about.proposed->changes);
        request["speech"] = about.proposed->speech;
    }
    auto token = std::to_string(++asked_);
    auto sent = bus_.publish_request(protocol::join(subject::intent, about.what.intent), prefix_ + token,
                                     protocol::dump(request), headers);
    if (!sent) return fail(std::move(sent));
    return token;
}

std::optional<std::string> intent_handlers::token_of(std::string_view on) const {
    if (!on.starts_with(prefix_)) return std::nullopt;
    return std::string(on.substr(prefix_.size()));
}

result<intent_handlers::answer> intent_handlers::read(const bus::message& m) {
    if (m.payload.empty() && protocol::find(m.headers, "Status") == nobody_there)
        return fail(errc::unavailable, "nobody answers for an intent that was declared");
    const auto object = protocol::parse_object(m.payload);
    if (!object) return fail(object);
    answer out;
    protocol::field_reader read(*object);
    read.boolean("handled", out.handled)
        .boolean("ask", out.ask)
        .boolean("failed", out.words.failed)
        .text("speech", out.words.text, protocol::max_text_bytes)
        .text("reason", out.words.reason, max_name_bytes);
    if (read.failed()) return failure(read.why());
    return out;
}

}  // namespace loqa::session
