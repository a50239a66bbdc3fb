#include "loqa/skills/signature.hpp"

#include <algorithm>
#include <cstring>

#include <sodium.h>

#include "loqa/base/ids.hpp"
#include "loqa/base/text.hpp"

namespace loqa::skills {
namespace {

// Two letters tell what a line of base64 is: a key, or a signature of the content's hash.
constexpr std::string_view key_algorithm = "Ed";
constexpr std::string_view hashed_algorithm = "ED";
constexpr std::string_view checksum_algorithm = "B2";
constexpr std::size_t id_bytes = 8;
constexpr std::size_t signature_bytes = crypto_sign_BYTES;
constexpr std::size_t max_key_file_bytes = 4096;
constexpr std::string_view trusted_prefix = "trusted comment: ";
constexpr std::string_view untrusted_prefix = "untrusted comment: ";

template <class Array>
void append(std::string& to, const Array& bytes) {
    to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
template <class Array>
Array take(std::string_view& from) {
    Array out;
    std::copy_n(from.begin(), out.size(), out.begin());
    from.remove_prefix(out.size());
    return out;
}
std::string base64(std::string_view bytes) { return base64_encode(std::as_bytes(std::span(bytes))); }
const unsigned char* octets(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// Ed25519 keeps the public half beside the seed, from which it follows.
bool whole(const secret_key& key) {
    std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> open;
    std::array<unsigned char, crypto_sign_SECRETKEYBYTES> all;
    crypto_sign_seed_keypair(open.data(), all.data(), key.key.data());
    const bool same = all == key.key;
    sodium_memzero(all.data(), all.size());
    return same;
}

std::string hash_of(std::string_view content) {
    std::string out(crypto_generichash_BYTES_MAX, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(), octets(content), content.size(),
                       nullptr, 0);
    return out;
}

std::array<unsigned char, signature_bytes> sign_bytes(const secret_key& key, std::string_view what) {
    std::array<unsigned char, signature_bytes> out;
    crypto_sign_detached(out.data(), nullptr, octets(what), what.size(), key.key.data());
    return out;
}

// The bytes of a key's or signature's line: of a text with a comment above it, or of the line alone.
result<std::string> payload(std::string_view text, std::string_view what) {
    if (text.size() > max_key_file_bytes) return fail(errc::too_long, "{} has {} bytes", what, text.size());
    const auto lines = split(trim(text), '\n');
    const std::size_t at = lines.size() > 1 && lines[0].starts_with(untrusted_prefix) ? 1 : 0;
    auto bytes = base64_decode(trim(lines[at]));
    if (!bytes) return fail(errc::invalid_argument, "{} is not in minisign's format", what);
    return bytes;
}

struct parsed_signature {
    std::string algorithm;
    std::array<unsigned char, id_bytes> id{};
    std::array<unsigned char, signature_bytes> of_content{}, of_all{};
    std::string comment;
};

result<parsed_signature> parse_signature(std::string_view text) {
    const auto wrong = [] { return fail(errc::invalid_argument, "the signature is not in minisign's format"); };
    if (text.size() > max_key_file_bytes) return wrong();
    const auto lines = split(text, '\n');
    if (lines.size() < 4 || !lines[0].starts_with(untrusted_prefix) || !lines[2].starts_with(trusted_prefix))
        return wrong();
    const auto first = base64_decode(trim(lines[1]));
    const auto second = base64_decode(trim(lines[3]));
    if (!first || first->size() != 2 + id_bytes + signature_bytes || !second || second->size() != signature_bytes)
        return wrong();
    parsed_signature out;
    std::string_view rest = *first;
    out.algorithm = rest.substr(0, 2);
    rest.remove_prefix(2);
    out.id = take<decltype(out.id)>(rest);
    out.of_content = take<decltype(out.of_content)>(rest);
    rest = *second;
    out.of_all = take<decltype(out.of_all)>(rest);
    out.comment = lines[2].substr(trusted_prefix.size());
    if (out.comment.ends_with('\r')) out.comment.pop_back();
    return out;
}

std::string id_text(const std::array<unsigned char, id_bytes>& id) {
    std::string out;
    for (const auto byte : id) out.insert(0, fmt::format("{:02X}", byte));  // the last byte first, as minisign has it
    return out;
}

std::string sum_line(std::string_view content, std::string_view name) {
    return fmt::format("{}  {}\n", sha256_hex(std::as_bytes(std::span(content))), name);
}

}  // namespace

std::string public_key::text() const {
    std::string bytes(key_algorithm);
    append(bytes, id);
    append(bytes, key);
    return base64(bytes);
}

std::string public_key::name() const { return id_text(id); }

public_key secret_key::open() const {
    public_key out{.id = id};
    std::memcpy(out.key.data(), key.data() + 32, out.key.size());  // Ed25519 keeps it beside the seed
    return out;
}

secret_key make_key() {
    secret_key out;
    std::array<unsigned char, 32> unused;
    randombytes_buf(out.id.data(), out.id.size());
    crypto_sign_keypair(unused.data(), out.key.data());
    return out;
}

result<public_key> parse_public_key(std::string_view text) {
    const auto bytes = payload(text, "the public key");
    if (!bytes) return fail(bytes);
    std::string_view rest = *bytes;
    if (rest.size() != 2 + id_bytes + 32 || !rest.starts_with(key_algorithm))
        return fail(errc::invalid_argument, "the public key is not in minisign's format");
    rest.remove_prefix(2);
    public_key out;
    out.id = take<decltype(out.id)>(rest);
    out.key = take<decltype(out.key)>(rest);
    return out;
}

result<secret_key> parse_secret_key(std::string_view text) {
    auto bytes = payload(text, "the secret key");
    if (!bytes) return fail(bytes);
    constexpr std::size_t kdf_bytes = 32 + 8 + 8;
    std::string_view rest = *bytes;
    if (rest.size() != 6 + kdf_bytes + id_bytes + 64 + 32 || !rest.starts_with(key_algorithm) ||
        rest.substr(4, 2) != checksum_algorithm)
        return fail(errc::invalid_argument, "the secret key is not in minisign's format");
    if (rest.substr(2, 2) != std::string_view("\0\0", 2))
        return fail(errc::invalid_argument, "the secret key is protected by a password")
            .hint("sign {} with minisign -S, or make a key without one: loqa-skill keygen", sums_file);
    rest.remove_prefix(6 + kdf_bytes);
    secret_key out;
    out.id = take<decltype(out.id)>(rest);
    out.key = take<decltype(out.key)>(rest);
    sodium_memzero(bytes->data(), bytes->size());
    if (!whole(out)) return fail(errc::invalid_argument, "the secret key is damaged");
    return out;
}

std::string public_key_file(const public_key& key) {
    return fmt::format("{}minisign public key {}\n{}\n", untrusted_prefix, key.name(), key.text());
}

std::string secret_key_file(const secret_key& key) {
    std::string bytes(key_algorithm);
    bytes.append(2, '\0');  // no password
    bytes += checksum_algorithm;
    bytes.append(32 + 8 + 8, '\0');
    append(bytes, key.id);
    append(bytes, key.key);
    bytes.append(32, '\0');  // nor a checksum, which only tells a wrong password
    auto out = fmt::format("{}minisign secret key {}\n{}\n", untrusted_prefix, id_text(key.id), base64(bytes));
    sodium_memzero(bytes.data(), bytes.size());
    return out;
}

std::string sign(const secret_key& key, std::string_view content, std::string_view comment) {
    const auto of_content = sign_bytes(key, hash_of(content));
    std::string line(hashed_algorithm);
    append(line, key.id);
    append(line, of_content);
    std::string all;
    append(all, of_content);
    all += comment;
    std::string second;
    append(second, sign_bytes(key, all));
    return fmt::format("{}signature of {}\n{}\n{}{}\n{}\n", untrusted_prefix, id_text(key.id), base64(line),
                       trusted_prefix, comment, base64(second));
}

result<std::string> verify(const public_key& key, std::string_view content, std::string_view signature) {
    auto parsed = parse_signature(signature);
    if (!parsed) return fail(std::move(parsed));
    if (parsed->id != key.id)
        return fail(errc::not_permitted, "it is signed with key {}, not with {}", id_text(parsed->id), key.name());
    // minisign's older form signs the content itself.
    const auto signed_bytes = parsed->algorithm == hashed_algorithm ? hash_of(content) : std::string(content);
    std::string all;
    append(all, parsed->of_content);
    all += parsed->comment;
    const auto holds = [&](const auto& of, const std::string& bytes) {
        return crypto_sign_verify_detached(of.data(), octets(bytes), bytes.size(), key.key.data()) == 0;
    };
    if ((parsed->algorithm != hashed_algorithm && parsed->algorithm != key_algorithm) ||
        !holds(parsed->of_content, signed_bytes) || !holds(parsed->of_all, all))
        return fail(errc::not_permitted, "the signature of key {} does not hold: what it signed was changed",
                    key.name());
    return std::move(parsed->comment);
}

result<std::array<unsigned char, 8>> signer_of(std::string_view signature) {
    const auto parsed = parse_signature(signature);
    if (!parsed) return fail(parsed);
    return parsed->id;
}

result<trusted_key> parse_trusted_key(std::string_view text) {
    // Base64 has "=" in it only at its end.
    const auto at = text.find("=RW");
    auto key = parse_public_key(at == std::string_view::npos ? text : text.substr(at + 1));
    if (!key) return fail(key);
    return trusted_key{std::string(trim(text.substr(0, at == std::string_view::npos ? 0 : at))), *key};
}

result<std::string> sums_of(const fs::path& folder, const fs::path& module) {
    std::string out;
    for (const auto& file : {fs::path("skill.yaml"), module}) {
        const auto content = read_file(folder / file);
        if (!content) return fail(content);
        out += sum_line(*content, file.generic_string());
    }
    return out;
}

result<void> sign_skill(const secret_key& key, const fs::path& folder, const fs::path& module,
                        std::string_view comment) {
    const auto sums = sums_of(folder, module);
    if (!sums) return fail(sums);
    if (auto written = write_file_atomically(folder / sums_file, *sums); !written) return written;
    return write_file_atomically(folder / (std::string(sums_file) + std::string(signature_suffix)),
                                 sign(key, *sums, comment));
}

result<trusted_key> verify_skill(const std::vector<trusted_key>& trusted, const fs::path& folder,
                                 const fs::path& module, std::string_view author, std::string_view manifest,
                                 std::string_view wasm) {
    const auto file = folder / (std::string(sums_file) + std::string(signature_suffix));
    if (std::error_code ec; !fs::exists(file, ec))
        return fail(errc::not_found, "{} is not there: the skill is not signed", file.string());
    const auto signature = read_file(file, max_key_file_bytes);
    if (!signature) return fail(signature);
    const auto sums = read_file(folder / sums_file, max_key_file_bytes);
    if (!sums) return fail(sums);
    const auto signer = signer_of(*signature);
    if (!signer) return fail(signer.error().code, "{}: {}", file.string(), signer.error().message);
    const auto known = std::ranges::find_if(trusted, [&](const trusted_key& one) {
        return one.key.id == *signer && (one.publisher.empty() || one.publisher == author);
    });
    if (known == trusted.end())
        return fail(errc::not_permitted, "{} is of key {}, which is not trusted for skills by \"{}\"", file.string(),
                    id_text(*signer), author);
    if (const auto held = verify(known->key, *sums, *signature); !held)
        return fail(held.error().code, "{}: {}", file.string(), held.error().message);
    if (*sums != sum_line(manifest, "skill.yaml") + sum_line(wasm, module.generic_string()))
        return fail(errc::not_permitted, "{} was signed for another manifest or module than those that are there",
                    (folder / sums_file).string());
    return *known;
}

}  // namespace loqa::skills
