#include "terminal.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace loqa::cli {
namespace {

constexpr std::array<std::string_view, 8> codes = {"90", "31", "32", "33", "34", "35", "36", "1"};
constexpr std::size_t least_width = 40;

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::size_t width_of(int fd) {
    std::size_t width = 80;
    const auto chosen = variable("COLUMNS");
    winsize size{};
    if (std::from_chars(chosen.data(), chosen.data() + chosen.size(), width).ec == std::errc{} && width > 0)
        return std::max(width, least_width);
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return std::max<std::size_t>(size.ws_col, least_width);
    return 80;
}

style style_of(int fd) {
    const bool wanted = variable("NO_COLOR").empty() && variable("TERM") != "dumb";
    return {.colours = wanted && ::isatty(fd) == 1, .width = width_of(fd)};
}

// The bytes of a character that follow its first.
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string style::paint(colour with, std::string_view text) const {
    if (!colours) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<std::size_t>(with)], text);
}

style style_of_stdout() { return style_of(STDOUT_FILENO); }
style style_of_stderr() { return style_of(STDERR_FILENO); }

std::size_t columns(std::string_view utf8) {
    return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return !continues(c); }));
}

std::string fit(std::string_view text, std::size_t width) {
    const auto have = columns(text);
    if (have <= width) return std::string(text) + std::string(width - have, ' ');
    if (width == 0) return {};
    std::size_t bytes = 0;
    for (std::size_t kept = 0; bytes < text.size(); ++bytes)
        if (!continues(text[bytes]) && kept++ == width - 1) break;
    return std::string(text.substr(0, bytes)) + "…";
}

std::string printable(std::string_view text) {
    std::string out(text);
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
    return out;
}

std::string read_hidden(std::string_view prompt) {
    termios shown{};
    if (::tcgetattr(STDIN_FILENO, &shown) != 0) return {std::istreambuf_iterator<char>(std::cin), {}};
    sigset_t interruptions, before;
    sigemptyset(&interruptions);
    for (const int one : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) sigaddset(&interruptions, one);
    ::pthread_sigmask(SIG_BLOCK, &interruptions, &before);
    auto hidden = shown;
    hidden.c_lflag = (hidden.c_lflag & ~static_cast<tcflag_t>(ECHO)) | ECHONL;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fmt::print(stderr, "{}", prompt);
    std::string line;
    std::getline(std::cin, line);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &shown);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return line;
}

void print_line(std::string_view line) {
    fmt::print(stdout, "{}\n", line);
    std::fflush(stdout);
}

void print_error(const error& failed) { fmt::print(stderr, "loqa: {}\n", failed.text()); }

}  // namespace loqa::cli
