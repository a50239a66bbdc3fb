#include "loqa/intent/responses.hpp"

#include <gtest/gtest.h>

namespace loqa::intent {
namespace {

TEST(Responses, AreRendered) {
    const answer_values values{{"slots.area", std::string("Kitchen")},
                               {"slots.level", std::int64_t{3}},
                               {"state.state", std::string("On")},
                               {"slots.warm", 21.0},
                               {"empty", std::string()}};
    struct render_case {
        std::string_view text, said;  // "!": refused
    };
    for (const auto& [text, said] : std::vector<render_case>{
             {"Turned on the lights", "Turned on the lights"},
             {"Turned on the {{ slots.area }} lights", "Turned on the Kitchen lights"},
             {"{{ slots.area | lower }} is {{state.state|lower}}.", "kitchen is on."},
             {"{% if slots.level == 3 %}three{% else %}other{% endif %}", "three"},
             {"{% if slots.level < 3: %} few {% elif slots.level > 2 %} many {% endif %}", "many"},
             {"{% if slots.name is defined %}{{ slots.name }}{% else %}it{% endif %}", "it"},
             {"{% if slots.area and not empty %}a{% if slots.level != 3 %}b{% else %}c{% endif %}d{% endif %}", "acd"},
             {"{{ slots.name | default('nobody') }}", "nobody"},
             {"{{ 'in the ' ~ slots.area }}", "in the Kitchen"},
             {"{{ slots.warm }} degrees", "21 degrees"},
             {"{# not said #} said \n\n here", "said here"},
             {"a { b", "a { b"},
             {"{{ slots.area", "!"},
             {"{% for x in y %}{% endfor %}", ""},
             {"{% include 'x' %}", "!"},
             {"{% if slots.level %}", "!"},
             {"{% else %}", "!"},
             {"{{ slots.area | shout }}", "!"},
             {"", ""},
         }) {
        const auto got = render_template(text, values);
        EXPECT_EQ(got ? *got : "!", said) << text;
    }
}

TEST(Responses, ComeFromTheCollection) {
    auto sentences = parse_collection(R"(
responses:
  intents:
    Light:
      default: "Done"
      area: "Lights in {{ slots.area }} on"
      clever: "{% import x %}"
)",
                                      "r.yaml");
    ASSERT_TRUE(sentences) << sentences.error().text();
    recognized r;
    r.intent = "Light";
    r.slots = {{"area", std::string("Kitchen"), "kitchen", false}};
    EXPECT_EQ(render(*sentences, r), "Done");
    r.response = "area";
    EXPECT_EQ(render(*sentences, r), "Lights in kitchen on");
    r.response = "unheard of";
    EXPECT_EQ(render(*sentences, r), "Done");
    r.response = "clever";
    EXPECT_EQ(render(*sentences, r), std::nullopt);
    r.intent = "Other";
    EXPECT_EQ(render(*sentences, r), std::nullopt);
}

}  // namespace
}  // namespace loqa::intent
