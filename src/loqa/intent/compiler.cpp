#include <algorithm>
#include <map>
#include <optional>

#include "loqa/intent/program.hpp"
#include "loqa/intent/sentence_template.hpp"
#include "loqa/intent/spoken_numbers.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

using kind = expression::kind;

constexpr std::size_t max_value_spellings = 4096;  // one list value in brackets and alternatives
constexpr std::size_t max_spoken_range = 2'000;    // more numbers than this are not spelled out but read
constexpr std::size_t max_permuted = 7;
constexpr std::size_t max_words_of_template = 20'000;
constexpr std::size_t max_flat_split = 64;

using rule_map = std::map<std::string, expression>;

struct node_hash {
    std::size_t operator()(const node& n) const noexcept {
        std::size_t h = static_cast<std::size_t>(n.code) | static_cast<std::size_t>(n.capture) << 2 |
                        static_cast<std::size_t>(n.white_space_follows) << 3;
        for (const std::uint32_t part : {n.next, n.a, n.b}) h = (h ^ part) * 0x9E3779B97F4A7C15u;
        return h ^ (h >> 29);
    }
};

struct target_hash {
    std::size_t operator()(const std::vector<std::uint32_t>& targets) const noexcept {
        std::size_t h = targets.size();
        for (const std::uint32_t t : targets) h = (h ^ t) * 0x9E3779B97F4A7C15u;
        return h ^ (h >> 29);
    }
};

// What a template sees: its block's rules and lists before the collection's.
struct scope {
    const rule_map* local_rules = nullptr;
    const rule_map* rules = nullptr;
    std::map<std::string, std::uint32_t> local_lists;

    const expression* rule(const std::string& name) const {
        if (local_rules != nullptr)
            if (const auto found = local_rules->find(name); found != local_rules->end()) return &found->second;
        const auto found = rules->find(name);
        return found == rules->end() ? nullptr : &found->second;
    }
};

class compiler {
public:
    compiler(const collection& sentences, const home& house, const compile_options& options,
             std::vector<error>* left_out)
        : sentences_(sentences), house_(house), options_(options), left_out_(left_out) {}

    result<program> run() {
        out_.language = sentences_.language;
        out_.ignore_whitespace = sentences_.ignore_whitespace;
        for (const auto& word : sentences_.skip_words) {
            auto text = to_lower(normalize_spelling(decode_utf8(word)));
            while (!text.empty() && is_space(text.back())) text.pop_back();
            while (!text.empty() && is_space(text.front())) text.erase(0, 1);
            if (!text.empty()) out_.skip_words.push_back(std::move(text));
        }
        std::ranges::stable_sort(out_.skip_words, std::ranges::greater{}, &std::u32string::size);

        collect_context_keys();
        for (const auto& [name, source] : sentences_.expansion_rules)
            if (auto added = add_rule(rules_, name, source); !added) return fail(std::move(added));
        for (const auto& [name, definition] : sentences_.lists)
            if (auto added = add_list(name, definition, lists_); !added) return fail(std::move(added));
        if (auto added = add_home(); !added) return fail(std::move(added));

        end_ = intern({.code = node::op::end});
        out_.name_slot = slot_name("name");
        for (const auto& intent : sentences_.intents) {
            out_.intents.push_back(intent.name);
            for (const auto& block : intent.blocks)
                if (auto added = add_block(block); !added) return fail(std::move(added));
        }
        index_words();
        return std::move(out_);
    }

private:
    // Something is wrong with one template or list: fail, or note it and go on without.
    result<void> give_up(failure what) {
        if (left_out_ == nullptr) return what;
        left_out_->push_back(what.error());
        return {};
    }

    std::uint32_t slot_name(const std::string& name) {
        const auto [at, fresh] = slot_names_.try_emplace(name, static_cast<std::uint32_t>(out_.slot_names.size()));
        if (fresh) out_.slot_names.push_back(name);
        return at->second;
    }

    std::uint32_t context_value(const slot_value& value) {
        const auto [at, fresh] = out_.context_values.try_emplace(
            context_key(value), static_cast<std::uint32_t>(out_.context_value_list.size()));
        if (fresh) out_.context_value_list.push_back(value);
        return at->second;
    }

    // Only what some block asks about is worth carrying along.
    void collect_context_keys() {
        const auto add = [&](const std::string& key) {
            out_.keys.try_emplace(key, static_cast<std::uint32_t>(out_.keys.size()));
        };
        for (const auto& intent : sentences_.intents)
            for (const auto& block : intent.blocks) {
                for (const auto& [key, condition] : block.requires_context) add(key);
                for (const auto& [key, condition] : block.excludes_context) add(key);
            }
    }

    result<void> add_rule(rule_map& rules, const std::string& name, const template_text& source) {
        auto parsed = parse_template(source);
        if (!parsed) return give_up(fail(std::move(parsed)));
        rules.insert_or_assign(name, std::move(*parsed));
        return {};
    }

    void add_context(compiled_value& value, const std::map<std::string, slot_value>& context) {
        value.context = static_cast<std::uint32_t>(out_.pairs.size());
        for (const auto& [key, content] : context)
            if (const auto known = out_.keys.find(key); known != out_.keys.end())
                out_.pairs.push_back({known->second, context_value(content)});
        value.context_count = static_cast<std::uint32_t>(out_.pairs.size()) - value.context;
    }

    // Every spelling of a list value.
    result<std::vector<std::u32string>> spellings(const template_text& source, const rule_map& rules) const {
        if (!is_template(source.text)) return std::vector{to_lower(normalize_spelling(decode_utf8(source.text)))};
        auto parsed = parse_template(source);
        if (!parsed) return fail(std::move(parsed));
        auto all = expand(*parsed, rules, max_value_spellings);
        if (!all)
            return fail(
                errc::invalid_config,
                "{}: list value \"{}\" has more than {} spellings, or refers to a list or to a rule that is not there",
                to_string(source.where), source.text, max_value_spellings);
        return std::move(*all);
    }

    result<void> add_list(const std::string& name, const list_definition& definition,
                          std::map<std::string, std::uint32_t>& names) {
        compiled_list list;
        list.name = name;
        std::vector<trie::entry> entries;
        if (const auto* texts = std::get_if<text_list>(&definition)) {
            for (const auto& value : texts->values) {
                auto all = spellings(value.in, rules_);
                if (!all) {
                    if (auto noted = give_up(fail(std::move(all))); !noted) return noted;
                    continue;
                }
                compiled_value compiled;
                if (value.out) {
                    compiled.out = *value.out;
                } else {
                    compiled.out_is_text = true;
                }
                add_context(compiled, value.context);
                for (auto& text : *all)
                    add_spelling(entries, std::move(text), static_cast<std::uint32_t>(list.values.size()));
                list.values.push_back(std::move(compiled));
            }
        } else if (const auto* range = std::get_if<number_range>(&definition)) {
            if (auto filled = fill_range(list, *range, entries); !filled) return give_up(fail(std::move(filled)));
        } else {
            list.type = compiled_list::kind::wildcard;
        }
        list.words.build(std::move(entries));
        names.insert_or_assign(name, static_cast<std::uint32_t>(out_.lists.size()));
        out_.lists.push_back(std::move(list));
        return {};
    }

    void add_spelling(std::vector<trie::entry>& entries, std::u32string text, std::uint32_t value) {
        while (!text.empty() && is_space(text.front())) text.erase(0, 1);
        if (text.empty() || text == U" ") return;
        list_texts_.resize(std::max(list_texts_.size(), out_.lists.size() + 1));
        list_texts_[out_.lists.size()].push_back(text);
        entries.push_back({std::move(text), value});
    }

    result<void> fill_range(compiled_list& list, const number_range& range, std::vector<trie::entry>& entries) {
        list.type = compiled_list::kind::range;
        list.range = range;
        if (range.from > range.to || range.step <= 0 || (!range.digits && !range.words))
            return fail(errc::invalid_config, "list {{{}}} has no numbers: from {} to {} in steps of {}", list.name,
                        range.from, range.to, range.step);
        const std::string& language = range.words_language.empty() ? sentences_.language : range.words_language;
        const auto count =
            static_cast<std::uint64_t>(range.to - range.from) / static_cast<std::uint64_t>(range.step) + 1;
        if (!range.words || !knows_numbers(language)) return {};
        if (count > max_spoken_range) {
            list.grammar = language;
            list_texts_.resize(std::max(list_texts_.size(), out_.lists.size() + 1));
            list_texts_[out_.lists.size()] = number_words(language);
            return {};
        }
        for (std::int64_t n = range.from; n <= range.to; n += range.step) {
            for (int tenths = 0; tenths < 10; ++tenths) {
                if (tenths != 0 && range.fractions != 10 && !(range.fractions == 2 && tenths == 5)) continue;
                const double number = static_cast<double>(n) + tenths / 10.0;
                compiled_value value;
                if (const double scaled = number * range.multiplier.value_or(1);
                    scaled == static_cast<double>(std::int64_t(scaled))) {
                    value.out = static_cast<std::int64_t>(scaled);
                } else {
                    value.out = scaled;
                }
                for (const auto& words : spell_number(language, n, tenths)) {
                    std::u32string text = decode_utf8(words);
                    std::u32string broken = text;
                    std::ranges::replace(broken, U'-', U' ');
                    if (broken != text)
                        add_spelling(entries, std::move(broken), static_cast<std::uint32_t>(list.values.size()));
                    add_spelling(entries, std::move(text), static_cast<std::uint32_t>(list.values.size()));
                }
                list.values.push_back(std::move(value));
            }
        }
        return {};
    }

    // The lists that every home has. A name written as a template is several names, each its own value.
    result<void> add_home() {
        text_list floors, areas, names;
        const auto add = [&](text_list& list, const std::string& name,
                             const std::map<std::string, slot_value>& context) -> result<void> {
            if (!is_template(name)) {
                list.values.push_back({{name, {"home", 0, 0}}, name, context});
                return {};
            }
            const template_text source{name, {"home", 0, 0}};
            auto parsed = parse_template(source);
            if (!parsed) return give_up(fail(std::move(parsed)));
            auto all = expand_names(*parsed, name);
            if (!all) return give_up(fail(std::move(all)));
            for (auto& one : *all) list.values.push_back({{one, {"home", 0, 0}}, one, context});
            return {};
        };
        const auto add_all = [&](text_list& list, const std::string& name, const std::vector<std::string>& aliases,
                                 const std::map<std::string, slot_value>& context) -> result<void> {
            if (auto added = add(list, name, context); !added) return added;
            for (const auto& alias : aliases)
                if (auto added = add(list, alias, context); !added) return added;
            return {};
        };
        for (const auto& one : house_.floors)
            if (auto added = add_all(floors, one.name, one.aliases, {}); !added) return added;
        for (const auto& one : house_.areas)
            if (auto added = add_all(areas, one.name, one.aliases, {}); !added) return added;
        for (const auto& one : house_.entities) {
            std::map<std::string, slot_value> context{{"domain", std::string(one.domain())}};
            for (const auto& [key, value] : one.attributes) context.insert_or_assign(key, value);
            if (auto added = add_all(names, one.name, one.aliases, context); !added) return added;
        }
        for (auto& [name, list] : {std::pair{"floor", &floors}, std::pair{"area", &areas}, std::pair{"name", &names}})
            if (auto added = add_list(name, std::move(*list), lists_); !added) return added;
        return {};
    }

    // Spellings of a name with its capitals kept, for it is also what the slot will say.
    result<std::vector<std::string>> expand_names(const expression& parsed, const std::string& name) const {
        auto lowered = expand(parsed, {}, 64);
        if (!lowered)
            return fail(errc::invalid_config, "home: the name \"{}\" has more than 64 spellings or refers to a rule",
                        name);
        // The parser lowers its texts; capitals come back by walking the name as written beside each spelling.
        const std::u32string written = decode_utf8(name);
        std::vector<std::string> out;
        for (const auto& spelling : *lowered) {
            std::u32string cased;
            std::size_t at = 0;
            for (const char32_t c : spelling) {
                std::size_t look = at;
                while (look < written.size() && to_lower(written[look]) != c) ++look;
                cased.push_back(look < written.size() ? written[look] : c);
                if (look < written.size()) at = look + 1;
            }
            std::string text = encode_utf8(cased);
            if (const auto first = text.find_first_not_of(' '); first != std::string::npos)
                out.push_back(text.substr(first, text.find_last_not_of(' ') + 1 - first));
        }
        return out;
    }

    std::vector<compiled_condition> conditions(const std::map<std::string, context_condition>& written) {
        std::vector<compiled_condition> out;
        for (const auto& [key, condition] : written) {
            compiled_condition compiled;
            compiled.key = out_.keys.at(key);
            for (const auto& value : condition.any_of) compiled.any_of.push_back(context_value(value));
            if (!condition.copy_to_slot.empty()) compiled.slot = slot_name(condition.copy_to_slot);
            out.push_back(std::move(compiled));
        }
        return out;
    }

    result<void> add_block(const sentence_block& block) {
        compiled_block compiled;
        compiled.intent = static_cast<std::uint32_t>(out_.intents.size() - 1);
        compiled.requires_context = conditions(block.requires_context);
        compiled.excludes_context = conditions(block.excludes_context);
        for (const auto& word : block.required_keywords)
            compiled.required_keywords.push_back(to_lower(decode_utf8(word)));
        for (const auto& [name, value] : block.slots) {
            compiled.slots.emplace_back(name, value);
            if (const auto key = out_.keys.find(name); key != out_.keys.end())
                compiled.own_context.push_back({key->second, context_value(value)});
        }
        compiled.metadata = block.metadata;
        compiled.response = block.response.empty() ? "default" : block.response;
        if (const auto mark = block.metadata.find(options_.custom_metadata_key); mark != block.metadata.end()) {
            const bool* flag = std::get_if<bool>(&mark->second);
            compiled.custom = flag == nullptr || *flag;
        }
        const auto block_index = static_cast<std::uint32_t>(out_.blocks.size());
        out_.blocks.push_back(std::move(compiled));

        rule_map local_rules;
        for (const auto& [name, source] : block.expansion_rules)
            if (auto added = add_rule(local_rules, name, source); !added) return added;
        required_of_rule_.clear();
        scope here;
        here.local_rules = &local_rules;
        here.rules = &rules_;
        for (const auto& [name, definition] : block.lists)
            if (auto added = add_list(name, definition, here.local_lists); !added) return added;

        // Templates with free text are tried in order of how much they spell themselves: "play {album} by {artist}"
        // before "play {album}".
        struct parsed_sentence {
            expression tree;
            const template_text* source;
            std::size_t texts = 0;
        };
        std::vector<parsed_sentence> parsed;
        for (const auto& source : block.sentences) {
            auto tree = parse_template(source);
            if (!tree) {
                if (auto noted = give_up(fail(std::move(tree))); !noted) return noted;
                continue;
            }
            const std::size_t texts = mentions_wildcard(*tree) ? count_texts(*tree) : 0;
            parsed.push_back({std::move(*tree), &source, texts});
        }
        std::ranges::stable_sort(parsed, std::ranges::greater{}, &parsed_sentence::texts);
        for (const auto& sentence : parsed) {
            scope_ = &here;
            source_ = sentence.source;
            budget_ = options_.max_nodes_per_template;
            rule_stack_.clear();
            auto entry = emit(sentence.tree, end_);
            if (!entry) {
                if (auto noted = give_up(fail(std::move(entry))); !noted) return noted;
                continue;
            }
            out_.templates.push_back({block_index, *entry, form_of(sentence.tree), *sentence.source});
            requirements_.push_back(required(sentence.tree));
        }
        return {};
    }

    bool is_wildcard(const expression& e) const {
        if (e.type != kind::list) return false;
        const auto found = lists_.find(e.name);
        return found != lists_.end() && out_.lists[found->second].type == compiled_list::kind::wildcard;
    }

    bool mentions_wildcard(const expression& e) const {
        return is_wildcard(e) ||
               std::ranges::any_of(e.items, [&](const expression& item) { return mentions_wildcard(item); });
    }

    // Skip words may be part of free text: where a template begins or ends with it, they are only taken from the other
    // end.
    sentence_form form_of(const expression& e) const {
        if (e.type != kind::sequence || e.items.empty()) return sentence_form::plain;
        if (e.items.size() == 1) return is_wildcard(e.items.front()) ? sentence_form::whole : sentence_form::plain;
        if (is_wildcard(e.items.front())) return sentence_form::skip_at_end;
        if (is_wildcard(e.items.back())) return sentence_form::skip_at_start;
        return sentence_form::plain;
    }

    failure refuse(std::string_view why) const {
        return fail(errc::invalid_config, "{}: sentence template \"{}\" is refused: {}", to_string(source_->where),
                    source_->text, why);
    }

    std::uint32_t intern(const node& n) {
        const auto [at, fresh] = interned_.try_emplace(n, static_cast<std::uint32_t>(out_.nodes.size()));
        if (fresh) out_.nodes.push_back(n);
        return at->second;
    }

    std::uint32_t intern_split(std::vector<std::uint32_t> targets) {
        std::vector<std::uint32_t> flat;
        for (const std::uint32_t t : targets) {
            const node& n = out_.nodes[t];
            if (n.code == node::op::split && flat.size() + n.b <= max_flat_split) {
                for (std::uint32_t i = 0; i < n.b; ++i) flat.push_back(out_.targets[n.a + i]);
            } else {
                flat.push_back(t);
            }
        }
        // What comes again later can only find the same again.
        std::vector<std::uint32_t> unique;
        for (const std::uint32_t t : flat)
            if (std::ranges::find(unique, t) == unique.end()) unique.push_back(t);
        if (unique.size() == 1) return unique.front();
        const auto [at, fresh] = interned_splits_.try_emplace(unique, static_cast<std::uint32_t>(out_.nodes.size()));
        if (fresh) {
            node n{.code = node::op::split};
            n.a = static_cast<std::uint32_t>(out_.targets.size());
            n.b = static_cast<std::uint32_t>(unique.size());
            out_.targets.insert(out_.targets.end(), unique.begin(), unique.end());
            out_.nodes.push_back(n);
        }
        return at->second;
    }

    std::uint32_t intern_chunk(const std::u32string& text) {
        const auto [at, fresh] = interned_chunks_.try_emplace(text, static_cast<std::uint32_t>(out_.chunks.size()));
        if (fresh) {
            chunk c;
            c.text = static_cast<std::uint32_t>(out_.texts.size());
            c.length = static_cast<std::uint16_t>(text.size());
            std::size_t begin = 0, end = text.size();
            while (begin < end && is_space(text[begin])) ++begin;
            while (end > begin && is_space(text[end - 1])) --end;
            c.leading_spaces = static_cast<std::uint16_t>(begin);
            c.stripped_length = static_cast<std::uint16_t>(end - begin);
            c.only_spaces = begin == end;
            c.ends_word = text.back() == U' ' || text.back() == U'\'';
            out_.texts += text;
            out_.chunks.push_back(c);
        }
        return at->second;
    }

    // The step that begins the expression and goes on to `next` behind it.
    result<std::uint32_t> emit(const expression& e, std::uint32_t next) {
        if (budget_ == 0 || out_.nodes.size() >= options_.max_nodes)
            return refuse(fmt::format("it needs more than {} steps", options_.max_nodes_per_template));
        --budget_;
        switch (e.type) {
            case kind::text: {
                if (e.text.empty()) return next;
                node n{.code = node::op::text, .next = next};
                n.a = intern_chunk(e.text);
                return intern(n);
            }
            case kind::sequence: {
                for (std::size_t i = e.items.size(); i-- > 0;) {
                    auto entry = emit(e.items[i], next);
                    if (!entry) return entry;
                    next = *entry;
                }
                return next;
            }
            case kind::alternative: {
                std::vector<std::uint32_t> targets;
                for (const auto& item : e.items) {
                    auto entry = emit(item, next);
                    if (!entry) return entry;
                    targets.push_back(*entry);
                }
                return intern_split(std::move(targets));
            }
            case kind::permutation: {
                if (e.items.size() > max_permuted)
                    return refuse(fmt::format("more than {} permuted items", max_permuted));
                std::map<std::uint32_t, std::uint32_t> done;
                return emit_permutation(e, (std::uint32_t{1} << e.items.size()) - 1, next, done);
            }
            case kind::list:
                return emit_list(e, next);
            case kind::rule: {
                const expression* body = scope_->rule(e.name);
                if (body == nullptr) return refuse(fmt::format("there is no rule <{}>", e.name));
                if (std::ranges::find(rule_stack_, body) != rule_stack_.end())
                    return refuse(fmt::format("rule <{}> refers to itself", e.name));
                if (rule_stack_.size() >= options_.max_depth)
                    return refuse(fmt::format("rules refer to rules more than {} deep", options_.max_depth));
                rule_stack_.push_back(body);
                auto entry = emit(*body, next);
                rule_stack_.pop_back();
                return entry;
            }
        }
        return refuse("it cannot be read");
    }

    result<std::uint32_t> emit_permutation(const expression& e, std::uint32_t left, std::uint32_t next,
                                           std::map<std::uint32_t, std::uint32_t>& done) {
        if (left == 0) return next;
        if (const auto known = done.find(left); known != done.end()) return known->second;
        std::vector<std::uint32_t> targets;
        for (std::uint32_t i = 0; i < e.items.size(); ++i) {
            if ((left >> i & 1) == 0) continue;
            auto rest = emit_permutation(e, left & ~(std::uint32_t{1} << i), next, done);
            if (!rest) return rest;
            auto entry = emit(e.items[i], *rest);
            if (!entry) return entry;
            targets.push_back(*entry);
        }
        return done[left] = intern_split(std::move(targets));
    }

    result<std::uint32_t> emit_list(const expression& e, std::uint32_t next) {
        std::uint32_t index = none;
        if (const auto local = scope_->local_lists.find(e.name); local != scope_->local_lists.end()) {
            index = local->second;
        } else if (const auto known = lists_.find(e.name); known != lists_.end()) {
            index = known->second;
        } else if (const auto range = inline_range(e.name)) {
            if (auto added = add_list(e.name, *range, lists_); !added) return fail(std::move(added));
            if (const auto now = lists_.find(e.name); now != lists_.end()) index = now->second;
        }
        if (index == none) return refuse(fmt::format("there is no list {{{}}}", e.name));
        node n{
            .code = node::op::list, .capture = e.capture, .white_space_follows = e.white_space_follows, .next = next};
        n.a = index;
        n.b = slot_name(e.slot);
        return intern(n);
    }

    // --- the word index
    // -------------------------------------------------------------------------------------------------

    std::uint32_t word_id(std::u32string_view word) {
        if (const auto known = out_.vocabulary.find(word); known != out_.vocabulary.end()) return known->second.takers;
        const auto id = static_cast<std::uint32_t>(words_.size());
        const auto [at, fresh] = out_.vocabulary.emplace(std::u32string(word), program::word_index{id, none, false});
        words_.push_back({at->first, template_set(), {}});
        return id;
    }

    // The words that can begin at the start of node `n`, or inside its text. `prefix` is what stands before it
    // unseparated.
    void words_from(std::uint32_t n, std::u32string& prefix, std::size_t& limit, std::vector<std::uint32_t>& found) {
        const node& step = out_.nodes[n];
        if (step.code == node::op::split) {
            for (std::uint32_t i = 0; i < step.b && limit > 0; ++i)
                words_from(out_.targets[step.a + i], prefix, limit, found);
            return;
        }
        if (step.code != node::op::text) {
            if (!prefix.empty()) found.push_back(word_id(prefix)), --limit;
            return;
        }
        const auto text = out_.text_of(out_.chunks[step.a]);
        std::size_t i = 0;
        const std::size_t kept = prefix.size();
        const bool digits = !prefix.empty() && is_digit(prefix.back());
        const auto belongs = [&](char32_t c) { return digits ? is_digit(c) : is_letter(c); };
        while (i < text.size() && belongs(text[i])) prefix.push_back(text[i++]);
        if (i == text.size()) {
            if (limit > 0) words_from(step.next, prefix, limit, found);
        } else if (!prefix.empty()) {
            found.push_back(word_id(prefix)), --limit;
        }
        prefix.resize(kept);
    }

    const std::vector<std::uint32_t>& words_of(std::uint32_t n) {
        words_of_node_.resize(out_.nodes.size());
        auto& known = words_of_node_[n];
        if (known.first) return known.second;
        known.first = true;
        std::vector<std::uint32_t> found;
        const node& step = out_.nodes[n];
        if (step.code == node::op::text) {
            const auto text = out_.text_of(out_.chunks[step.a]);
            std::vector<std::u32string_view> tokens;
            tokenize(text, tokens);
            for (const auto token : tokens) {
                const bool at_end = token.data() + token.size() == text.data() + text.size();
                if (at_end && (is_letter(token.back()) || is_digit(token.back()))) {
                    std::u32string prefix(token);
                    std::size_t limit = max_words_of_template;
                    words_from(step.next, prefix, limit, found);
                } else {
                    found.push_back(word_id(token));
                }
            }
        }
        std::ranges::sort(found);
        found.erase(std::ranges::unique(found).begin(), found.end());
        words_of_node_[n].second = std::move(found);
        return words_of_node_[n].second;
    }

    void index_words() {
        const std::size_t count = out_.templates.size();
        std::vector<template_set> list_users(out_.lists.size(), template_set(count));
        std::vector<std::uint32_t> seen(out_.nodes.size(), none), todo;
        for (std::uint32_t t = 0; t < count; ++t) {
            todo.assign(1, out_.templates[t].entry);
            while (!todo.empty()) {
                const std::uint32_t n = todo.back();
                todo.pop_back();
                if (n == none || seen[n] == t) continue;
                seen[n] = t;
                const node& step = out_.nodes[n];
                if (step.code == node::op::split) {
                    for (std::uint32_t i = 0; i < step.b; ++i) todo.push_back(out_.targets[step.a + i]);
                } else if (step.code != node::op::end) {
                    todo.push_back(step.next);
                    if (step.code == node::op::list) {
                        list_users[step.a].add(t);
                    } else {
                        for (const std::uint32_t word : words_of(n)) {
                            auto& literal = words_[word].literal;
                            if (literal.words().empty()) literal = template_set(count);
                            literal.add(t);
                        }
                    }
                }
            }
        }
        out_.takes_anything = template_set(count);
        out_.takes_numbers = template_set(count);
        out_.takes_compounds = template_set(count);
        list_texts_.resize(out_.lists.size());
        std::vector<std::u32string_view> tokens;
        for (std::uint32_t l = 0; l < out_.lists.size(); ++l) {
            const compiled_list& list = out_.lists[l];
            if (list.type == compiled_list::kind::wildcard) out_.takes_anything.add_all(list_users[l]);
            if (list.type == compiled_list::kind::range && list.range.digits) out_.takes_numbers.add_all(list_users[l]);
            if (!list.grammar.empty()) out_.takes_compounds.add_all(list_users[l]);
            for (const auto& text : list_texts_[l]) {
                tokenize(text, tokens);
                for (const auto token : tokens) {
                    auto& lists = words_[word_id(token)].lists;
                    if (lists.empty() || lists.back() != l) lists.push_back(l);
                    if (list.type == compiled_list::kind::range) out_.vocabulary.find(token)->second.number = true;
                }
            }
        }
        list_texts_.clear();

        // Most words of a home are only names: they share one set.
        std::map<std::vector<std::uint32_t>, std::uint32_t> sets_by_lists;
        std::vector<std::uint32_t> set_of(words_.size());
        for (std::uint32_t w = 0; w < words_.size(); ++w) {
            auto& word = words_[w];
            const bool own = !word.literal.words().empty();
            if (!own)
                if (const auto known = sets_by_lists.find(word.lists); known != sets_by_lists.end()) {
                    set_of[w] = known->second;
                    continue;
                }
            template_set all = own ? std::move(word.literal) : template_set(count);
            for (const std::uint32_t l : word.lists) all.add_all(list_users[l]);
            set_of[w] = static_cast<std::uint32_t>(out_.word_sets.size());
            if (!own) sets_by_lists.emplace(word.lists, set_of[w]);
            out_.word_sets.push_back(std::move(all));
        }
        // "lamps" is also "lamp" and "s" for a template that spells {name}[s].
        for (std::uint32_t w = 0, known_words = static_cast<std::uint32_t>(words_.size()); w < known_words; ++w) {
            const std::u32string_view text = words_[w].text;
            template_set more(count);
            bool any = false;
            for (std::size_t cut = 1; cut < text.size(); ++cut) {
                const auto head = out_.vocabulary.find(text.substr(0, cut));
                if (head == out_.vocabulary.end()) continue;
                const auto tail = out_.vocabulary.find(text.substr(cut));
                if (tail == out_.vocabulary.end()) continue;
                template_set both = out_.word_sets[set_of[head->second.takers]];
                both.keep_only(out_.word_sets[set_of[tail->second.takers]]);
                more.add_all(both);
                any = true;
            }
            if (!any) continue;
            template_set all = out_.word_sets[set_of[w]];
            all.add_all(more);
            if (all == out_.word_sets[set_of[w]]) continue;
            glued_.emplace_back(w, std::move(all));
        }
        for (auto& [word, set] : glued_) {
            set_of[word] = static_cast<std::uint32_t>(out_.word_sets.size());
            out_.word_sets.push_back(std::move(set));
        }
        for (auto& [text, index] : out_.vocabulary) index.takers = set_of[index.takers];
        index_requirements();
    }

    // Each requirement is a choice of fragments, one of which has to be in the sentence.
    using requirement = std::vector<std::u32string>;

    std::vector<requirement> required(const expression& e) {
        switch (e.type) {
            case kind::text: {
                std::vector<requirement> out;
                std::vector<std::u32string_view> tokens;
                tokenize(e.text, tokens);
                for (const auto token : tokens)
                    if (is_letter(token.front())) out.push_back({std::u32string(token)});
                return out;
            }
            case kind::alternative: {
                if (e.optional || e.items.empty()) return {};
                requirement any;
                for (const auto& item : e.items) {
                    const auto all = required(item);
                    if (all.empty()) return {};
                    // Long words tell more than short ones.
                    const auto& least = *std::ranges::max_element(all, {}, [](const requirement& r) {
                        return std::ranges::min_element(r, {}, &std::u32string::size)->size();
                    });
                    any.insert(any.end(), least.begin(), least.end());
                }
                std::ranges::sort(any);
                any.erase(std::ranges::unique(any).begin(), any.end());
                return {any};
            }
            case kind::sequence:
            case kind::permutation: {
                std::vector<requirement> out;
                for (const auto& item : e.items) std::ranges::move(required(item), std::back_inserter(out));
                return out;
            }
            case kind::rule: {
                // Without cycles: the template has compiled.
                const expression* body = scope_->rule(e.name);
                if (body->items.empty()) return required(*body);
                auto& known = required_of_rule_[body];
                if (!known) known = required(*body);
                return *known;
            }
            case kind::list:
                return {};
        }
        return {};
    }

    void index_requirements() {
        const std::size_t count = out_.templates.size();
        const auto empty_set = [&] {
            program::clause_set set;
            set.fill(template_set(count));
            return set;
        };
        // The rarer its fragments, the more a requirement rules out.
        std::map<std::u32string, std::size_t, std::less<>> uses;
        for (const auto& all : requirements_)
            for (const auto& one : all)
                for (const auto& fragment : one) ++uses[fragment];
        const auto commonness = [&](const requirement& one) {
            std::size_t sum = 0;
            for (const auto& fragment : one) sum += uses[fragment];
            return sum;
        };
        out_.met_anyway = empty_set();
        for (std::size_t t = 0; t < count; ++t) {
            auto& all = requirements_[t];
            std::ranges::stable_sort(all, {}, commonness);
            for (std::size_t k = 0; k < program::clauses; ++k) {
                if (k >= all.size()) {
                    out_.met_anyway[k].add(t);
                    continue;
                }
                for (const auto& fragment : all[k]) {
                    const auto [at, fresh] =
                        out_.fragments.try_emplace(fragment, static_cast<std::uint32_t>(out_.met_by_fragment.size()));
                    if (fresh) out_.met_by_fragment.push_back(empty_set());
                    out_.met_by_fragment[at->second][k].add(t);
                    out_.longest_fragment = std::max(out_.longest_fragment, fragment.size());
                }
            }
        }
        requirements_.clear();
        // Words that contain the same fragments share a set.
        std::map<std::vector<std::uint32_t>, std::uint32_t> shared;
        for (auto& [text, index] : out_.vocabulary) {
            std::vector<std::uint32_t> contained;
            for_each_fragment(out_, text, [&](std::uint32_t f) { contained.push_back(f); });
            if (contained.empty()) continue;
            std::ranges::sort(contained);
            const auto [at, fresh] =
                shared.try_emplace(contained, static_cast<std::uint32_t>(out_.met_by_words.size()));
            if (fresh) {
                auto set = empty_set();
                for (const std::uint32_t f : contained)
                    for (std::size_t k = 0; k < program::clauses; ++k) set[k].add_all(out_.met_by_fragment[f][k]);
                out_.met_by_words.push_back(std::move(set));
            }
            index.meets = at->second;
        }
    }

    struct indexed_word {
        std::u32string_view text;
        template_set literal;
        std::vector<std::uint32_t> lists;
    };

    const collection& sentences_;
    const home& house_;
    const compile_options& options_;
    std::vector<error>* left_out_;

    program out_;
    rule_map rules_;
    std::map<std::string, std::uint32_t> lists_;
    std::map<std::string, std::uint32_t> slot_names_;
    std::unordered_map<node, std::uint32_t, node_hash> interned_;
    std::unordered_map<std::vector<std::uint32_t>, std::uint32_t, target_hash> interned_splits_;
    text_map<std::uint32_t> interned_chunks_;
    std::uint32_t end_ = none;

    // The template at work.
    const scope* scope_ = nullptr;
    const template_text* source_ = nullptr;
    std::size_t budget_ = 0;
    std::vector<const expression*> rule_stack_;

    std::vector<std::vector<requirement>> requirements_;  // of each template
    std::map<const expression*, std::optional<std::vector<requirement>>> required_of_rule_;
    std::vector<indexed_word> words_;
    std::vector<std::pair<bool, std::vector<std::uint32_t>>> words_of_node_;
    std::vector<std::vector<std::u32string>> list_texts_;
    std::vector<std::pair<std::uint32_t, template_set>> glued_;
};

}  // namespace

void trie::build(std::vector<entry> entries) {
    std::ranges::stable_sort(entries, {}, &entry::text);
    cells_.assign(1, {});
    values_.clear();
    std::vector<std::uint32_t> path{0}, last_child{none};
    const std::u32string* previous = nullptr;
    for (const entry& e : entries) {
        std::size_t common = 0;
        if (previous != nullptr)
            while (common < e.text.size() && common < previous->size() && e.text[common] == (*previous)[common])
                ++common;
        path.resize(common + 1);
        last_child.resize(common + 1);
        for (std::size_t i = common; i < e.text.size(); ++i) {
            const auto fresh = static_cast<std::uint32_t>(cells_.size());
            cells_.push_back({.c = e.text[i]});
            if (last_child[i] == none) {
                cells_[path[i]].child = fresh;
            } else {
                cells_[last_child[i]].sibling = fresh;
            }
            last_child[i] = fresh;
            path.push_back(fresh);
            last_child.push_back(none);
        }
        cell& end = cells_[path.back()];
        if (end.count == 0) end.values = static_cast<std::uint32_t>(values_.size());
        ++end.count;
        values_.push_back(e.value);
        previous = &e.text;
    }
}

std::string context_key(const slot_value& value) {
    // Numbers compare as numbers, whatever they are stored as.
    if (std::holds_alternative<std::string>(value)) return "s:" + std::get<std::string>(value);
    return "v:" + to_string(value);
}

result<program> compile_program(const collection& sentences, const home& house, const compile_options& options,
                                std::vector<error>* left_out) {
    return compiler(sentences, house, options, left_out).run();
}

}  // namespace loqa::intent
