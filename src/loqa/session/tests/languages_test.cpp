// What is answered in other languages than English: in the words of the collection, with the values in them.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/session/acting.hpp"

namespace loqa::session {
namespace {

constexpr std::string_view house_yaml = R"(
areas: [{id: k, name: KITCHEN}]
entities:
  - {id: light.lamp, name: LAMP, area: k, state: "off"}
  - {id: sensor.t, name: THERMO, area: k, state: "21.5", attributes: {device_class: temperature, unit_of_measurement: "°C"}}
  - {id: climate.c, name: HEATING, area: k, state: heat, attributes: {current_temperature: 20.5, temperature: 21}}
)";

struct said_case {
    std::string_view language, sentence, answer;
};

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

class Languages : public testing::TestWithParam<said_case> {
protected:
    // The same home everywhere; its names are those of the language.
    static intent::home house_in(std::string_view language) {
        struct names {
            std::string_view language, kitchen, lamp, thermometer, heating;
        };
        constexpr names known[] = {{"de", "Küche", "Stehlampe", "Thermometer", "Heizung"},
                                   {"fr", "Cuisine", "Lampe de chevet", "Thermomètre", "Chauffage"},
                                   {"es", "Cocina", "Lámpara de pie", "Termómetro", "Calefacción"}};
        for (const auto& one : known)
            if (one.language == language) {
                auto text = std::string(house_yaml);
                text = replaced(text, "KITCHEN", std::string(one.kitchen));
                text = replaced(text, "LAMP", std::string(one.lamp));
                text = replaced(text, "THERMO", std::string(one.thermometer));
                text = replaced(text, "HEATING", std::string(one.heating));
                return intent::parse_home(text, "house.yaml").value();
            }
        return {};
    }
};

TEST_P(Languages, AreAnsweredIn) {
    ::setenv("LOQA_SHARE_DIR", LOQA_SHARE, 1);
    ::setenv("LOQA_CACHE_DIR", LOQA_CACHE, 1);
    ::setenv("TZ", "UTC", 1);
    const auto& [language, sentence, answer] = GetParam();
    const auto as_built = house_in(language);
    auto live = intent::live_interpreter::start({.language = std::string(language)},
                                                std::make_shared<const intent::home>(as_built));
    if (!live || (*live)->now()->sentences->responses.size() < 10)
        GTEST_SKIP() << "the sentence collection is not installed: scripts/setup.sh";
    const auto folder = fs::path(testing::TempDir()) / ("loqa-languages-" + random_hex(4));
    fs::create_directories(folder);
    manual_clock clock(wall_time{seconds(1'772'004'300)});  // Wednesday, 25 February 2026, 07:25
    const auto log = telemetry::logger::silent();
    telemetry::metrics metrics;
    telemetry::tracer tracer{"test", {}, metrics, log};
    bus::testing::fake_connection bus;
    auto timers = timers::timer_service::open(folder / "timers.db", clock, log).value();
    auto home = house::simulated_home::open(folder / "home.db", as_built, clock, log).value();
    house_answers at_home(clock, *home, **live);
    answers own(clock, *timers, seconds(60));
    const actor does({clock, bus, *timers, tracer, own, &at_home});

    const auto understood = (*live)->now()->meaning->understand(sentence);
    const asker who{.session_id = "s"};
    if (!understood) {
        EXPECT_EQ(does.not_understood(understood.error()).text, answer);
    } else {
        deed what{.commands = understood->commands};
        EXPECT_TRUE(does.go_on(what, {who, "t", telemetry::new_trace(), {}}));
        EXPECT_EQ(what.so_far.text, answer);
    }
    timers.reset();
    home.reset();
    fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(
    German, Languages,
    testing::Values(said_case{"de", "schalte die Stehlampe ein", "Licht eingeschaltet."},
                    said_case{"de", "wie spät ist es", "Es ist 07:25."},
                    said_case{"de", "welcher Tag ist heute", "Es ist Mittwoch der 25. Februar 2026."},
                    said_case{"de", "ist die Stehlampe an", "Nein, aus."},
                    said_case{"de", "stelle einen Timer auf 5 Minuten", "Timer für 5 Minuten gestartet."},
                    said_case{"de", "schalte die Stehlampe ein in 5 Minuten",
                              "Anweisung wird in 5 Minuten ausgeführt."},
                    said_case{"de", "stoppe den Timer", "Diesen Timer konnte ich nicht finden."},
                    said_case{"de", "wiederhole das", "I haven't said anything yet."},
                    said_case{"de", "wie ist das Wetter", "Ich kenne das Wetter hier leider nicht."},
                    said_case{"de", "backe mir einen Kuchen", "Entschuldigung, das habe ich nicht verstanden."}));

INSTANTIATE_TEST_SUITE_P(French, Languages,
                         testing::Values(said_case{"fr", "allume la lampe de chevet", "Allumé."},
                                         said_case{"fr", "quelle heure est-il", "Il est 07:25."},
                                         said_case{"fr", "quel jour sommes-nous", "Nous sommes le 25 février 2026."},
                                         said_case{"fr", "quelle est la température dans la cuisine", "20.5 degrés."},
                                         said_case{"fr", "mets un minuteur de 5 minutes", "Minuteur lancé."}));

INSTANTIATE_TEST_SUITE_P(Spanish, Languages,
                         testing::Values(said_case{"es", "enciende la lámpara de pie", "Se ha activado la luz."},
                                         said_case{"es", "qué hora es", "Son las 7 y 25 de la mañana."},
                                         said_case{"es", "qué día es hoy", "Es miércoles, 25 de febrero de 2026."},
                                         said_case{"es", "qué temperatura hace en la cocina", "20,5 grados."}));

}  // namespace
}  // namespace loqa::session
