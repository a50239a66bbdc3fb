#include "loqa/house/house.hpp"

#include <algorithm>

#include "loqa/base/text.hpp"
#include "loqa/house/home_json.hpp"
#include "loqa/store/database.hpp"

namespace loqa::house {
namespace {

using intent::entity;
using intent::slot_value;

json entity_json(const entity& one) {
    json out{{"id", one.id}, {"name", one.name}};
    if (!one.area.empty()) out["area"] = one.area;
    if (!one.aliases.empty()) out["aliases"] = one.aliases;
    if (one.spoken_state.empty())
        out["state"] = one.state;
    else
        out["state"] = {{"in", one.spoken_state}, {"out", one.state}};
    if (!one.source.empty()) out["source"] = one.source;
    auto shown = one.attributes;
    shown.erase(std::string(secret_attribute));
    if (!shown.empty()) out["attributes"] = attributes_json(shown);
    return out;
}

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// What the database knows of one thing: the state, and the attributes that were ever changed.
struct known {
    std::optional<std::string> state;
    std::map<std::string, slot_value> attributes;
};

class stored_home final : public simulated_home {
public:
    stored_home(store::database file, const clock& time) : clock_(time), file_(std::move(file)) {}

    result<void> load(intent::home as_built) {
        auto rows = file_.prepare("SELECT entity_id, state, attributes FROM home_states");
        if (!rows) return fail(std::move(rows));
        for (;;) {
            auto row = rows->step();
            if (!row) return fail(std::move(row));
            if (!*row) break;
            known_[rows->text(0)] = {rows->text(1), attributes_of(json::parse(rows->text(2), nullptr, false))};
        }
        auto items = file_.prepare("SELECT list_id, item, done FROM home_items ORDER BY id");
        if (!items) return fail(std::move(items));
        for (;;) {
            auto row = items->step();
            if (!row) return fail(std::move(row));
            if (!*row) break;
            items_[items->text(0)].push_back({items->text(1), items->integer(2) != 0});
        }
        rebuild(std::move(as_built));
        return {};
    }

    void tell(on_change whom) override { told_ = std::move(whom); }

    std::shared_ptr<const intent::home> snapshot() const override {
        std::lock_guard lock(mutex_);
        return now_;
    }

    std::vector<list_item> items(const std::string& list_id) const override {
        std::lock_guard lock(mutex_);
        const auto found = items_.find(list_id);
        return found == items_.end() ? std::vector<list_item>{} : found->second;
    }

    result<void> apply(const changes& what) override {
        std::vector<entity> changed;
        {
            std::lock_guard lock(mutex_);
            auto next = std::make_shared<intent::home>(*now_);
            auto known_next = known_;
            auto items_next = items_;
            std::vector<entity*> touched;
            const auto touch = [&](const std::string& id) -> entity* {
                const auto found = std::ranges::find(next->entities, id, &entity::id);
                if (found == next->entities.end()) return nullptr;
                if (std::ranges::find(touched, &*found) == touched.end()) touched.push_back(&*found);
                return &*found;
            };
            for (const auto& one : what.states) {
                entity* thing = touch(one.entity_id);
                if (thing == nullptr) return fail(errc::not_found, "the home has no {}", one.entity_id);
                if (one.state && *one.state != thing->state) {
                    thing->state = *one.state;
                    thing->spoken_state.clear();
                }
                auto& remembered = known_next[one.entity_id];
                remembered.state = thing->state;
                for (const auto& [key, value] : one.attributes) {
                    thing->attributes.insert_or_assign(key, value);
                    if (!what.ephemeral || !std::holds_alternative<std::string>(value))
                        remembered.attributes.insert_or_assign(key, value);
                }
            }
            for (const auto& one : what.items) {
                entity* list = touch(one.list_id);
                if (list == nullptr) return fail(errc::not_found, "the home has no {}", one.list_id);
                if (auto done = change(items_next[one.list_id], one, what.ephemeral); !done) return done;
                count(*list, items_next);
            }
            if (auto saved = save(what, known_next, items_next); !saved) return saved;
            known_ = std::move(known_next);
            items_ = std::move(items_next);
            for (const entity* one : touched) changed.push_back(*one);
            now_ = std::move(next);
        }
        if (told_ && !changed.empty()) told_(changed);
        return {};
    }

    void rebuild(intent::home as_built) override {
        std::lock_guard lock(mutex_);
        for (auto& one : as_built.entities) {
            if (const auto found = known_.find(one.id); found != known_.end()) {
                if (found->second.state && *found->second.state != one.state) {
                    one.state = *found->second.state;
                    one.spoken_state.clear();
                }
                for (const auto& [key, value] : found->second.attributes) one.attributes.insert_or_assign(key, value);
            }
            count(one, items_);
        }
        now_ = std::make_shared<const intent::home>(std::move(as_built));
    }

private:
    using lists = std::map<std::string, std::vector<list_item>>;

    // A list's state is how much is left to do on it.
    static void count(entity& list, const lists& items) {
        if (list.domain() != "todo") return;
        const auto found = items.find(list.id);
        list.state =
            std::to_string(found == items.end() ? 0 : std::ranges::count_if(found->second, [](const list_item& item) {
                return !item.done;
            }));
        list.spoken_state.clear();
    }

    static result<void> change(std::vector<list_item>& list, const item_change& what, bool ephemeral) {
        const auto text = std::string(trim(what.text));
        const auto found =
            std::ranges::find_if(list, [&](const list_item& item) { return to_lower(item.text) == to_lower(text); });
        if (what.what == item_change::kind::add) {
            if (text.empty() || text.size() > max_item_bytes)
                return fail(errc::too_long, "an item has 1 to {} bytes, this one {}", max_item_bytes, text.size());
            if (found != list.end()) {
                found->done = false;
                found->ephemeral = found->ephemeral && ephemeral;
                return {};
            }
            if (list.size() >= max_items_per_list)
                return fail(errc::too_long, "a list has at most {} items", max_items_per_list);
            list.push_back({.text = text, .ephemeral = ephemeral});
            return {};
        }
        if (found == list.end()) return fail(errc::not_found, "{} is not on the list", text);
        if (what.what == item_change::kind::remove)
            list.erase(found);
        else
            found->done = true;
        return {};
    }

    result<void> save(const changes& what, const std::map<std::string, known>& states, const lists& items) {
        auto change = store::transaction::begin(file_);
        if (!change) return fail(std::move(change));
        auto row = file_.prepare(
            "INSERT INTO home_states (entity_id, state, attributes, changed_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (entity_id) DO UPDATE SET state = excluded.state, attributes = excluded.attributes, "
            "changed_at = excluded.changed_at");
        if (!row) return fail(std::move(row));
        const auto now = to_rfc3339(clock_.wall());
        for (const auto& one : what.states) {
            const auto& is = states.at(one.entity_id);
            row->bind(1, one.entity_id).bind(2, is.state.value_or("")).bind(3, text_of(attributes_json(is.attributes)));
            if (auto done = row->bind(4, now).run(); !done) return done;
        }
        for (const auto& one : what.items) {
            auto clear = file_.prepare("DELETE FROM home_items WHERE list_id = ?");
            if (!clear) return fail(std::move(clear));
            if (auto done = clear->bind(1, one.list_id).run(); !done) return done;
            auto add = file_.prepare("INSERT INTO home_items (list_id, item, done) VALUES (?, ?, ?)");
            if (!add) return fail(std::move(add));
            for (const auto& item : items.at(one.list_id)) {
                if (item.ephemeral) continue;
                if (auto done = add->bind(1, one.list_id).bind(2, item.text).bind(3, std::int64_t{item.done}).run();
                    !done)
                    return done;
            }
        }
        return change->commit();
    }

    const clock& clock_;
    on_change told_;
    mutable std::mutex mutex_;  // held while the file is written: an answer says what is there
    store::database file_;
    std::map<std::string, known> known_;
    lists items_;
    std::shared_ptr<const intent::home> now_ = std::make_shared<const intent::home>();
};

}  // namespace

result<std::unique_ptr<simulated_home>> simulated_home::open(const fs::path& database, intent::home as_built,
                                                             const clock& time, const telemetry::logger& log) {
    // A power cut may turn a lamp back; it never breaks the file.
    auto opened = store::open_database(database, store::durability::after_checkpoint, time, log);
    if (!opened) return fail(std::move(opened));
    auto made = std::make_unique<stored_home>(std::move(*opened), time);
    if (auto loaded = made->load(std::move(as_built)); !loaded) return fail(std::move(loaded));
    return made;
}

const entity* told_by_another(const intent::home& home, const changes& what) {
    const auto touched = [&](const entity& one) {
        return !one.source.empty() &&
               (std::ranges::find(what.states, one.id, &state_change::entity_id) != what.states.end() ||
                std::ranges::find(what.items, one.id, &item_change::list_id) != what.items.end());
    };
    const auto found = std::ranges::find_if(home.entities, touched);
    return found == home.entities.end() ? nullptr : &*found;
}

std::string to_json(const intent::entity& one) { return text_of(entity_json(one)); }

std::string to_json(const simulated_home& home, std::uint64_t revision, std::uint64_t sentences) {
    const auto now = home.snapshot();
    json out{{"revision", revision}, {"sentences", sentences}};
    add_places(out, *now);
    for (const auto& one : now->entities) {
        auto thing = entity_json(one);
        if (one.domain() == "todo") {
            thing["items"] = json::array();
            for (const auto& item : home.items(one.id))
                thing["items"].push_back({{"item", item.text}, {"done", item.done}});
        }
        out["entities"].push_back(std::move(thing));
    }
    return text_of(out);
}

}  // namespace loqa::house
