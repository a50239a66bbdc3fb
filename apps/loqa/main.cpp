#include "arguments.hpp"
#include "terminal.hpp"

int main(int argc, char** argv) {
    using namespace loqa;
    const auto line = cli::parse(argc, argv);
    if (const int* exit_code = std::get_if<int>(&line)) return *exit_code;
    const auto done = std::get<0>(line)();
    if (done) return *done;
    cli::print_error(done.error());
    return done.error().code == errc::invalid_argument || done.error().code == errc::invalid_config ? 2 : 1;
}
