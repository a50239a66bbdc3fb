// Sentence templates as they stand in their files: what is said, and which intent it means.
//
// Reads both the JSON of the home-assistant-intents package and YAML in the same shape; several sources merge into one.
// A plain value: matcher::compile() takes it and keeps what it needs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/intent/home.hpp"

namespace loqa::intent {

// Where a text stands: "loqa.yaml:12:9". Line 0 is unknown (JSON).
struct source_position {
    std::string file;
    int line = 0;
    int column = 0;
};
std::string to_string(const source_position& where);

struct template_text {
    std::string text;
    source_position where;
};

// A condition on the context that a sentence is said in, such as area or the domain of the named entity.
struct context_condition {
    std::vector<slot_value> any_of;  // empty: any value will do, as long as there is one
    std::string copy_to_slot;        // empty: the value does not become a slot
};

struct list_value {
    template_text in;
    std::optional<slot_value> out;  // none: the text as it was said
    std::map<std::string, slot_value> context;
};

struct text_list {
    std::vector<list_value> values;
};

struct number_range {
    std::int64_t from = 0;
    std::int64_t to = 0;
    std::int64_t step = 1;
    int fractions = 0;  // 0, 2 (halves) or 10 (tenths)
    std::optional<double> multiplier;
    bool digits = true;
    bool words = true;
    std::string words_language;  // empty: the collection's
    bool percentage = false;
    bool temperature = false;
};

struct wildcard {};

using list_definition = std::variant<text_list, number_range, wildcard>;

// A group of sentences that share everything but their words.
struct sentence_block {
    std::vector<template_text> sentences;
    std::map<std::string, slot_value> slots;
    std::map<std::string, context_condition> requires_context;
    std::map<std::string, context_condition> excludes_context;
    std::map<std::string, template_text> expansion_rules;
    std::map<std::string, list_definition> lists;
    std::vector<std::string> required_keywords;
    std::map<std::string, slot_value> metadata;
    std::string response;  // key of the answer's template; empty: "default"
};

struct intent_definition {
    std::string name;
    std::vector<sentence_block> blocks;
};

struct collection {
    std::string language;
    bool ignore_whitespace = false;
    std::vector<intent_definition> intents;  // in the order of the file: ties go to the first
    std::map<std::string, list_definition> lists;
    std::map<std::string, template_text> expansion_rules;
    std::vector<std::string> skip_words;
    std::map<std::string, std::map<std::string, std::string>> responses;  // intent → key → template
    std::map<std::string, std::string> errors;                            // key → template

    // Adds the other's intents behind this one's; its lists, rules and responses win over those of the same name.
    void merge(collection other);
};

// .json or .yaml. A broken file is named with line and column.
result<collection> load_collection(const fs::path& file);
result<collection> parse_collection(std::string_view text, std::string_view name_for_errors);

// Every *.yaml and *.json of a folder, in the order of their names. One broken file does not keep the others out: it is
// reported in `broken` and left aside. A folder that does not exist is an empty collection.
struct folder_collection {
    collection sentences;
    std::vector<error> broken;
};
folder_collection load_collection_folder(const fs::path& folder);

// What Loqa speaks without being told more: the sentence collection of the language, where setup has put it into the
// cache, and Loqa's own sentences from share/. not_found when there is neither.
result<collection> load_shipped_collection(std::string_view language);

// Where sentences come from, as configured.
struct sentence_sources {
    std::string language = "en";
    fs::path own;       // the user's folder; empty, or one that does not exist: none
    fs::path skills{};  // as `own`, of what skills ask for; the user's win
};

// All of them: what ships, and behind it the user's own, which win over what ships (metadata custom).
result<folder_collection> load_sentences(const sentence_sources& from);

}  // namespace loqa::intent
