// What the author of a skill wrote: its manifest, where it may connect to, its keys.
//
// The first byte says which; scripts/fuzz.sh builds and runs this with libFuzzer.
#include <cstdint>
#include <string_view>

#include "loqa/skills/http_client.hpp"
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/signature.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loqa::skills;
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 4) {
        case 0:
            (void)parse_grant(rest, false);
            break;
        case 1:
            (void)parse_public_key(rest);
            (void)parse_secret_key(rest);
            break;
        case 2:
            (void)parse_trusted_key(rest);
            break;
        default:
            (void)parse_manifest(rest);
    }
    return 0;
}
