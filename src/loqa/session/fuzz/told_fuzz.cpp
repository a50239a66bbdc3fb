// What others tell loqad in JSON, beside the messages of the protocol: commands that were put off, as the timers' file
// has them; spans; a home that a skill tells of.
//
// The first byte says which; scripts/fuzz.sh builds and runs this with libFuzzer.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "loqa/house/learned.hpp"
#include "loqa/session/later.hpp"
#include "loqa/session/traces.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 4) {
        case 0: {
            const auto read = loqa::session::from_action(rest);
            // What was read is written so that it can be read again.
            if (read && !loqa::session::from_action(loqa::session::to_action(read->what, read->area))) std::abort();
            break;
        }
        case 1: {
            loqa::session::recent_traces traces;
            (void)traces.accept(rest);
            (void)traces.answer("{}");
            break;
        }
        case 2: {
            loqa::session::recent_traces traces;
            (void)traces.answer(rest);
            break;
        }
        default:
            (void)loqa::house::parse_learned(rest);
    }
    return 0;
}
