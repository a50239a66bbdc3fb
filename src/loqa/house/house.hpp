// The simulated home: floors, areas and things from a file, their states in the event store's database.
//
// snapshot() is the home as it is now, a value that never changes: a change makes a new one. What was applied is in the
// file before apply() returns, so that it is there after a restart. Every function may be called from any thread;
// on_change is called on the thread that changed something, after the change.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/intent/home.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::house {

// What a thing asks for before it obeys: known to the home, shown to nobody.
inline constexpr std::string_view secret_attribute = "code";

inline constexpr std::size_t max_items_per_list = 500;
inline constexpr std::size_t max_item_bytes = 200;

struct state_change {
    std::string entity_id;
    std::optional<std::string> state;                      // none: stays what it is
    std::map<std::string, intent::slot_value> attributes;  // those that change
};

struct list_item {
    std::string text;
    bool done = false;
    bool ephemeral = false;  // in memory alone
    bool operator==(const list_item&) const = default;
};

struct item_change {
    enum class kind : std::uint8_t { add, complete, remove };
    std::string list_id;
    kind what = kind::add;
    std::string text;
};

struct changes {
    std::vector<state_change> states;
    std::vector<item_change> items;
    // Of a turn that must leave no trace: its words (new items, attributes of text) are in memory alone, and a restart
    // forgets them.
    bool ephemeral = false;
    bool empty() const { return states.empty() && items.empty(); }
};

class simulated_home {
public:
    // With the entities that changed, as they are now.
    using on_change = std::function<void(const std::vector<intent::entity>&)>;

    // `as_built` is the home as its file describes it; states that `database` knows win over those of the file.
    static result<std::unique_ptr<simulated_home>> open(const fs::path& database, intent::home as_built,
                                                        const clock& time, const telemetry::logger& log);
    virtual ~simulated_home() = default;

    virtual void tell(on_change whom) = 0;  // before anything is changed; one listener

    virtual std::shared_ptr<const intent::home> snapshot() const = 0;
    virtual std::vector<list_item> items(const std::string& list_id) const = 0;

    // All of it or nothing. not_found for a thing or an item that is not there, too_long for a list or an item that
    // would be.
    virtual result<void> apply(const changes& what) = 0;

    // The file was edited. What has a state in the database keeps it.
    virtual void rebuild(intent::home as_built) = 0;
};

// The first of the things that are to change which somebody told of: it is real, and only who told of it can change it.
const intent::entity* told_by_another(const intent::home& home, const changes& what);

// The home in the layout that intent::parse_home reads, in JSON; lists have their items.
std::string to_json(const simulated_home& home, std::uint64_t revision, std::uint64_t sentences);

// One thing of it: id, name, area, state, attributes.
std::string to_json(const intent::entity& one);

}  // namespace loqa::house
