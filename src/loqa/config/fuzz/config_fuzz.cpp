// Configuration files and variables that nobody meant well: load() gives settings or sentences.
//
// The input is a YAML file, then a zero byte, then NAME=VALUE lines of the environment. scripts/fuzz.sh builds and runs
// this with libFuzzer.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include <unistd.h>

#include "loqa/config/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loqa;
    static const fs::path file =
        fs::temp_directory_path() / ("loqa-config-fuzz-" + std::to_string(::getpid()) + ".yaml");
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto cut = std::min(input.find('\0'), input.size());
    std::ofstream(file, std::ios::binary) << input.substr(0, cut);
    config::source from{.file = file, .environment = {{"HOME", "/tmp"}}};
    std::string_view rest = cut < input.size() ? input.substr(cut + 1) : std::string_view();
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const auto sign = line.find('=');
        if (sign != std::string_view::npos)
            from.environment.emplace_back("LOQA_" + std::string(line.substr(0, sign)),
                                          std::string(line.substr(sign + 1)));
    }
    const auto loaded = config::load(from);
    if (!loaded && loaded.error().message.empty()) std::abort();  // a refusal says why
    return 0;
}
