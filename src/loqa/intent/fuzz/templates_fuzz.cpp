// Templates and sentences that nobody meant well: the compiler refuses or compiles, the matcher answers, neither
// crashes or hangs.
//
// The input is a template document, then a zero byte, then a sentence. run.sh builds this with libFuzzer and
// runs it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "loqa/intent/matcher.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loqa::intent;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto cut = std::min(input.find('\0'), input.size());
    const auto sentence = cut < input.size() ? input.substr(cut + 1) : std::string_view();

    static const home house = [] {
        home h;
        h.floors = {{"f", "Upstairs", {}}};
        h.areas = {{"a", "Kitchen", "f", {"cook[ing] room"}}};
        h.entities = {{"light.l", "Lamp", "a", {}, "on", "", {}}};
        return h;
    }();
    compile_options limits;
    limits.max_nodes_per_template = 2'000;
    limits.max_nodes = 20'000;
    auto sentences = parse_collection(input.substr(0, cut), "fuzz.yaml");
    if (!sentences) return 0;
    std::vector<loqa::error> left_out;
    const auto compiled = matcher::compile(*sentences, house, limits, &left_out);
    if (!compiled) return 0;
    const auto got = (*compiled)->match(sentence, {.area = "Kitchen", .values = {}});
    if (got && got->sentence_template.empty()) std::abort();  // whatever matched was matched by something
    const auto growing = (*compiled)->feed(sentence, {.area = "Kitchen", .values = {}});
    if (got && !growing.complete) std::abort();  // what matches is complete
    return 0;
}
