#include "loqa/intent/collection.hpp"

#include <algorithm>
#include <iterator>

#include "loqa/intent/document.hpp"

namespace loqa::intent {
namespace {

class reader {
public:
    explicit reader(const document& root) : root_(root) {}

    result<collection> read() {
        if (root_.type == document::kind::nothing) return std::move(out_);
        if (root_.type != document::kind::map) return wrong(root_, "expected keys such as language, intents and lists");
        for (const auto& [key, value] : root_.members) {
            result<void> good;
            if (key == "language") {
                out_.language = value.scalar;
            } else if (key == "settings") {
                if (const document* flag = value.find("ignore_whitespace"))
                    out_.ignore_whitespace = flag->scalar == "true";
            } else if (key == "intents") {
                good = each(value, [&](const std::string& name, const document& body) { return intent(name, body); });
            } else if (key == "lists") {
                good = each(
                    value, [&](const std::string& name, const document& body) { return list(name, body, out_.lists); });
            } else if (key == "expansion_rules") {
                good = each(value, [&](const std::string& name, const document& body) {
                    return rule(name, body, out_.expansion_rules);
                });
            } else if (key == "skip_words") {
                for (const auto& word : value.items) out_.skip_words.push_back(word.scalar);
            } else if (key == "responses") {
                responses(value);
            } else {
                good = wrong(
                    value, fmt::format("unknown key {}; known are language, settings, intents, lists, expansion_rules, "
                                       "skip_words and responses",
                                       key));
            }
            if (!good) return fail(std::move(good));
        }
        return std::move(out_);
    }

private:
    template <class Read>
    result<void> each(const document& map, Read&& read) {
        if (map.type == document::kind::nothing) return {};
        if (map.type != document::kind::map) return wrong(map, "expected names with something under them");
        for (const auto& [name, body] : map.members)
            if (auto good = read(name, body); !good) return good;
        return {};
    }

    static result<template_text> text(const document& at) {
        if (!at.is_text()) return wrong(at, "expected a text");
        return template_text{at.scalar, at.where};
    }

    static result<void> rule(const std::string& name, const document& body,
                             std::map<std::string, template_text>& rules) {
        auto read = text(body);
        if (!read) return fail(std::move(read));
        rules.insert_or_assign(name, std::move(*read));
        return {};
    }

    static result<void> list(const std::string& name, const document& body,
                             std::map<std::string, list_definition>& lists) {
        if (const document* values = body.find("values")) {
            text_list out;
            for (const auto& item : values->items) {
                list_value value;
                if (item.is_text()) {
                    value.in = {item.scalar, item.where};
                    // A template is not what was said; a plain word is.
                    if (item.scalar.find_first_of("(){}<>[]|@") == std::string::npos) value.out = item.scalar;
                } else {
                    const document* in = item.find("in");
                    if (in == nullptr || !in->is_text())
                        return wrong(item, fmt::format("a value of list {} has no \"in\"", name));
                    value.in = {in->scalar, in->where};
                    if (const document* said = item.find("out"); said != nullptr && said->is_text())
                        value.out = said->value();
                    if (const document* context = item.find("context"))
                        for (const auto& [key, content] : context->members)
                            if (content.is_text()) value.context.insert_or_assign(key, content.value());
                }
                out.values.push_back(std::move(value));
            }
            lists.insert_or_assign(name, std::move(out));
            return {};
        }
        if (const document* range = body.find("range")) {
            number_range out;
            for (const auto& [key, value] : range->members) {
                const slot_value content = value.value();
                const auto* whole = std::get_if<std::int64_t>(&content);
                const auto* real = std::get_if<double>(&content);
                if ((key == "from" || key == "to" || key == "step") && whole == nullptr)
                    return wrong(value, fmt::format("{} of range {} is not a whole number", key, name));
                if (key == "from") out.from = *whole;
                if (key == "to") out.to = *whole;
                if (key == "step") out.step = *whole;
                if (key == "multiplier")
                    out.multiplier = whole != nullptr ? static_cast<double>(*whole) : real != nullptr ? *real : 1;
                if (key == "fractions")
                    out.fractions = value.scalar == "halves" ? 2 : value.scalar == "tenths" ? 10 : 0;
                if (key == "digits") out.digits = value.scalar != "false";
                if (key == "words") out.words = value.scalar != "false";
                if (key == "words_language") out.words_language = value.scalar;
                if (key == "type") {
                    out.percentage = value.scalar == "percentage";
                    out.temperature = value.scalar == "temperature";
                }
            }
            constexpr std::int64_t far = 1'000'000'000;
            if (out.from < -far || out.to > far || out.from > out.to || out.step <= 0)
                return wrong(
                    body, fmt::format("range {} goes from {} to {} in steps of {}", name, out.from, out.to, out.step));
            lists.insert_or_assign(name, out);
            return {};
        }
        if (const document* free = body.find("wildcard"); free != nullptr && free->scalar == "true") {
            lists.insert_or_assign(name, wildcard{});
            return {};
        }
        return wrong(body, fmt::format("list {} has neither values nor range nor wildcard: true", name));
    }

    static result<std::map<std::string, context_condition>> conditions(const document& map) {
        std::map<std::string, context_condition> out;
        for (const auto& [key, body] : map.members) {
            context_condition condition;
            const document* value = &body;
            if (body.type == document::kind::map) {
                value = body.find("value");
                if (const document* slot = body.find("slot"); slot != nullptr && slot->is_text()) {
                    const slot_value name = slot->value();
                    if (const bool* copy = std::get_if<bool>(&name)) {
                        if (*copy) condition.copy_to_slot = key;
                    } else {
                        condition.copy_to_slot = slot->scalar;
                    }
                }
            }
            if (value != nullptr) {
                if (value->is_text()) condition.any_of.push_back(value->value());
                for (const auto& item : value->items) condition.any_of.push_back(item.value());
            }
            out.emplace(key, std::move(condition));
        }
        return out;
    }

    result<void> intent(const std::string& name, const document& body) {
        intent_definition out{name, {}};
        const document* data = body.find("data");
        if (data == nullptr || data->type != document::kind::list)
            return wrong(body, fmt::format("intent {} has no list \"data\"", name));
        for (const auto& item : data->items) {
            sentence_block block;
            const document* sentences = item.find("sentences");
            if (sentences == nullptr || sentences->type != document::kind::list)
                return wrong(item, fmt::format("a block of intent {} has no list of sentences", name));
            for (const auto& sentence : sentences->items) {
                auto read = text(sentence);
                if (!read) return fail(std::move(read));
                block.sentences.push_back(std::move(*read));
            }
            for (const auto& [key, value] : item.members) {
                result<void> good;
                if (key == "slots" || key == "metadata") {
                    auto& into = key == "slots" ? block.slots : block.metadata;
                    for (const auto& [slot, content] : value.members)
                        if (content.is_text()) into.insert_or_assign(slot, content.value());
                } else if (key == "requires_context" || key == "excludes_context") {
                    auto read = conditions(value);
                    if (!read) return fail(std::move(read));
                    (key == "requires_context" ? block.requires_context : block.excludes_context) = std::move(*read);
                } else if (key == "expansion_rules") {
                    good = each(value, [&](const std::string& rule_name, const document& at) {
                        return rule(rule_name, at, block.expansion_rules);
                    });
                } else if (key == "lists") {
                    good = each(value, [&](const std::string& list_name, const document& at) {
                        return list(list_name, at, block.lists);
                    });
                } else if (key == "required_keywords") {
                    for (const auto& word : value.items) block.required_keywords.push_back(word.scalar);
                } else if (key == "response") {
                    block.response = value.scalar;
                }
                if (!good) return good;
            }
            out.blocks.push_back(std::move(block));
        }
        out_.intents.push_back(std::move(out));
        return {};
    }

    void responses(const document& map) {
        if (const document* errors = map.find("errors"))
            for (const auto& [key, value] : errors->members) out_.errors.insert_or_assign(key, value.scalar);
        if (const document* intents = map.find("intents"))
            for (const auto& [intent_name, keys] : intents->members)
                for (const auto& [key, value] : keys.members)
                    out_.responses[intent_name].insert_or_assign(key, value.scalar);
    }

    const document& root_;
    collection out_;
};

}  // namespace

std::string to_string(const source_position& where) {
    if (where.line == 0) return where.file;
    return fmt::format("{}:{}:{}", where.file, where.line, where.column);
}

void collection::merge(collection other) {
    if (language.empty()) language = other.language;
    ignore_whitespace = ignore_whitespace || other.ignore_whitespace;
    for (auto& intent : other.intents) {
        const auto known = std::ranges::find(intents, intent.name, &intent_definition::name);
        if (known == intents.end()) {
            intents.push_back(std::move(intent));
        } else {
            std::ranges::move(intent.blocks, std::back_inserter(known->blocks));
        }
    }
    for (auto& [name, list] : other.lists) lists.insert_or_assign(name, std::move(list));
    for (auto& [name, rule] : other.expansion_rules) expansion_rules.insert_or_assign(name, std::move(rule));
    for (auto& word : other.skip_words)
        if (std::ranges::find(skip_words, word) == skip_words.end()) skip_words.push_back(std::move(word));
    for (auto& [intent, keys] : other.responses)
        for (auto& [key, text] : keys) responses[intent].insert_or_assign(key, std::move(text));
    for (auto& [key, text] : other.errors) errors.insert_or_assign(key, std::move(text));
}

result<collection> parse_collection(std::string_view text, std::string_view name_for_errors) {
    auto root = parse_document(text, name_for_errors);
    if (!root) return fail(std::move(root));
    return reader(*root).read();
}

result<collection> load_collection(const fs::path& file) {
    auto content = read_file(file);
    if (!content) return fail(std::move(content));
    return parse_collection(*content, file.string());
}

folder_collection load_collection_folder(const fs::path& folder) {
    folder_collection out;
    std::vector<fs::path> files;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder, failed)) {
        const auto extension = entry.path().extension();
        if (extension == ".yaml" || extension == ".yml" || extension == ".json") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const auto& file : files) {
        auto one = load_collection(file);
        if (one) {
            out.sentences.merge(std::move(*one));
        } else {
            out.broken.push_back(std::move(one).error());
        }
    }
    return out;
}

result<collection> load_shipped_collection(std::string_view language) {
    const auto family = language.substr(0, language.find_first_of("-_"));
    collection out;
    std::vector<fs::path> versions;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(cache_folder() / "intents", failed))
        if (entry.path().filename().string().starts_with("home-assistant-intents-")) versions.push_back(entry.path());
    std::ranges::sort(versions);
    if (!versions.empty()) {
        for (const auto wanted : {language, family}) {
            const fs::path file = versions.back() / fmt::format("{}.json", wanted);
            if (!fs::exists(file)) continue;
            auto read = load_collection(file);
            if (!read) return read;
            out = std::move(*read);
            break;
        }
    }
    auto own = load_collection_folder(share_folder() / "intents" / std::string(family));
    if (!own.broken.empty()) return failure(std::move(own.broken.front()));
    out.merge(std::move(own.sentences));
    if (out.intents.empty())
        return fail(errc::not_found, "there are no sentence templates for the language \"{}\"", language)
            .hint("scripts/setup.sh installs the collection; English is the language that Loqa's own sentences are in");
    return out;
}

result<folder_collection> load_sentences(const sentence_sources& from) {
    auto shipped = load_shipped_collection(from.language);
    if (!shipped) return fail(std::move(shipped));
    folder_collection out{.sentences = std::move(*shipped), .broken = {}};
    if (!from.skills.empty()) {
        auto asked = load_collection_folder(from.skills);
        out.broken = std::move(asked.broken);
        out.sentences.merge(std::move(asked.sentences));
    }
    if (from.own.empty()) return out;
    auto own = load_collection_folder(from.own);
    for (auto& intent : own.sentences.intents)
        for (auto& block : intent.blocks) block.metadata.try_emplace("custom", true);
    std::ranges::move(own.broken, std::back_inserter(out.broken));
    out.sentences.merge(std::move(own.sentences));
    return out;
}

}  // namespace loqa::intent
