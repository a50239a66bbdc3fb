#include "loqa/intent/jinja.hpp"

#include <gtest/gtest.h>

namespace loqa::intent::jinja {
namespace {

value people() {
    value out{dictionary{}};
    out.set("names", list{"Zoë", "anna", "Bert"});
    out.set("timers", list{dictionary{{"name", "tea"}, {"is_active", true}, {"left", 90}},
                           dictionary{{"name", "eggs"}, {"is_active", false}, {"left", 30}},
                           dictionary{{"name", "rice"}, {"is_active", true}, {"left", 20}}});
    out.set("state", dictionary{{"entity_id", "light.a"}, {"attributes", dictionary{{"warm", 21.5}}}});
    out.set("day", dictionary{{"weekday", 2}, {"month", 3}});
    out.set("hours", "1");
    out.set("level", 3);
    return out;
}

struct jinja_case {
    std::string_view text, said;  // "!": refused
};

class Jinja : public testing::TestWithParam<jinja_case> {};

TEST_P(Jinja, IsRendered) {
    const auto got = render(GetParam().text, people());
    EXPECT_EQ(got ? *got : "!", GetParam().said) << GetParam().text << (got ? "" : "\n" + got.error().text());
}

INSTANTIATE_TEST_SUITE_P(
    Expressions, Jinja,
    testing::Values(
        jinja_case{"{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 7 / 2 }} {{ -level }}", "7 3 3 3.5 -3"},
        jinja_case{"{{ 'a' ~ 1 ~ 'b' }}{{ 'x' + 'y' }}", "a1bxy"},
        jinja_case{"{{ hours in ['1', 'one'] }} {{ 'in' in 'line' }} {{ 2 not in [1] }}", "on on on"},
        jinja_case{"{{ 'few' if level < 3 else 'many' }}{{ '!' if level == 3 }}", "many!"},
        jinja_case{"{{ none is none }} {{ nobody is defined }} {{ level is number }} {{ level is not string }}",
                   "on off on on"},
        jinja_case{"{{ 'it' if not nobody and level }}", "it"},
        jinja_case{"{{ {1: 'one', 'b': 'two'}[1] }} {{ {'a': 1}.get('z', 'none') }}", "one none"},
        jinja_case{"{{ ['a', 'b', 'c'][1] }}{{ ['a', 'b', 'c'][-1] }}{{ 'words'[:3] }}", "bcwor"},
        jinja_case{"{{ [1, 2, 3][:-1] | join(', ') ~ ' and ' ~ [1, 2, 3][-1] }}", "1, 2 and 3"},
        jinja_case{"{{ ['', 'b', '', 'd'] | select() | list | join('+') }}", "b+d"},
        jinja_case{"{{ names | sort | join(' ') }}", "anna Bert Zoë"},
        jinja_case{"{{ timers | map(attribute='name') | list | length }}", "3"},
        jinja_case{"{{ (timers | selectattr('is_active') | sort(attribute='left') | first).name }}", "rice"},
        jinja_case{"{{ timers | rejectattr('is_active') | map(attribute='name') | join }}", "eggs"},
        jinja_case{"{{ ['minute', 'x'] | select('in', 'minutes') | list | count }}", "1"},
        jinja_case{"{{ '21.46' | float | round(1) | replace('.', ',') }} {{ 21.0 }}", "21,5 21"},
        jinja_case{"{{ 'x' | float(7) }} {{ '3' | int + 1 }} {{ -2 | abs }}", "7 4 2"},
        jinja_case{"{{ 'öl über' | capitalize }} {{ 'ÄÖ' | lower }} {{ 'straße'.upper()[:2] }}", "Öl über äö ST"},
        jinja_case{"{{ '{0:02d}:{1:02d}'.format(7, 5) }} {{ '{}'.format(12) }}", "07:05 12"},
        jinja_case{"{{ day.weekday() }} {{ ['a', 'b', 'c'][day.weekday()] }}", "2 c"},
        jinja_case{"{{ state_attr('light.a', 'warm') }} {{ state_attr('light.b', 'warm') is none }}", "21.5 on"},
        jinja_case{"{{ 'a b'.split(' ') | last }}{{ ' x '.strip() }}{{ 'ab'.startswith('a') }}", "bxon"},
        jinja_case{"{{ nobody | default('who') }} {{ \"it's\" }}", "who it's"}, jinja_case{"{{ 'a' < 1 }}", "!"},
        jinja_case{"{{ 1 / 0 }}", "!"}, jinja_case{"{{ level | shout }}", "!"},
        jinja_case{"{{ open('/etc/passwd') }}", "!"}, jinja_case{"{{ names.clear() }}", "!"},
        jinja_case{"{{ (1 }}", "!"}, jinja_case{"{{ 1 2 }}", "!"}, jinja_case{"{{ }}", "!"}, jinja_case{"{{ 1", "!"}));

INSTANTIATE_TEST_SUITE_P(
    Statements, Jinja,
    testing::Values(
        jinja_case{"{% if level > 5: %}a{% elif level > 2 %}b{% else: %}c{% endif %}", "b"},
        jinja_case{"{% for name in names -%}\n{% if not loop.first and not loop.last %}, {% elif loop.last and not "
                   "loop.first %} and {% endif -%}\n{{ name }}\n{%- endfor %}",
                   "Zoë, anna and Bert"},
        jinja_case{"{% for x in [] %}a{% else %}nobody{% endfor %}", "nobody"},
        jinja_case{"{% for key, content in {'a': 1, 'b': 2}.items() %}{{ key }}{{ content }}{% endfor %}", "a1b2"},
        jinja_case{"{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "2"},
        jinja_case{"{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
                   "3"},
        jinja_case{"{% set words = [] %}{% set _ = words.append('a') %}{{ words | length }}", "1"},
        jinja_case{"{% set x %}a{{ level }}{% endset %}{{ x }}{{ x }}", "a3a3"},
        jinja_case{"{% macro plural(n, one, many='s') %}{{ n }} {{ one }}{{ many if n != 1 }}{% endmacro %}"
                   "{{ plural(1, 'egg') }}, {{ plural(2, 'egg') }}",
                   "1 egg, 2 eggs"},
        jinja_case{"a {%- if true -%}  b  {%- endif -%} c{# d #}{{ -1 }}", "abc-1"}, jinja_case{"{ % } {", "{ % } {"},
        jinja_case{"{% if level %}", "!"}, jinja_case{"{% else %}", "!"}, jinja_case{"{% include 'x' %}", "!"},
        jinja_case{"{% for in x %}{% endfor %}", "!"}, jinja_case{"{% set %}", "!"}));

// What a hostile template could do is bounded: work, memory, and the stack.
TEST(JinjaBounds, AreKept) {
    std::string deep;
    for (int i = 0; i < 2000; ++i) deep += "(";
    for (const std::string& text :
         {std::string("{% for a in range(1000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}"),
          std::string("{% set a = 'xxxxxxxxxxxxxxxx' %}{% for i in range(40) %}{{ a ~ a ~ a ~ a }}{% endfor %}"
                      "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}"),
          std::string(
              "{% set ns = namespace(x='aaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
          std::string(
              "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
          "{{ " + deep + " }}", std::string(20'000, 'x')})
        EXPECT_FALSE(render(text, people())) << text.substr(0, 60);
    // A list that is put into itself is a copy there.
    EXPECT_TRUE(render("{% set a = [1] %}{% set _ = a.append(a) %}{{ a }}", people()));
}

}  // namespace
}  // namespace loqa::intent::jinja
