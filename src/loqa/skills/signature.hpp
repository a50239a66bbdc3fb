// Signatures in minisign's format: Ed25519 over BLAKE2b, with a comment that is signed too.
//
// A skill is signed as a list of sums: skill.sums names the manifest and the module with their SHA-256, as sha256sum
// writes and checks it, and skill.sums.minisig signs that list. So neither file can be exchanged for an older one that
// was signed as well. Stateless: safe from any thread.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::skills {

inline constexpr std::string_view sums_file = "skill.sums";
inline constexpr std::string_view signature_suffix = ".minisig";

struct public_key {
    std::array<unsigned char, 8> id{};
    std::array<unsigned char, 32> key{};
    bool operator==(const public_key&) const = default;

    std::string text() const;  // in base64, "RW…"
    std::string name() const;  // the id as minisign shows it
};

struct secret_key {
    std::array<unsigned char, 8> id{};
    std::array<unsigned char, 64> key{};

    public_key open() const;
};

secret_key make_key();

// Both take a key's file or, of a public key, its base64 alone.
result<public_key> parse_public_key(std::string_view text);
result<secret_key> parse_secret_key(std::string_view text);
std::string public_key_file(const public_key& key);
std::string secret_key_file(const secret_key& key);

// The .minisig file for `content`.
std::string sign(const secret_key& key, std::string_view content, std::string_view comment);

// The signed comment; not_permitted when the signature is none of this key over this content.
result<std::string> verify(const public_key& key, std::string_view content, std::string_view signature);

// Which key a .minisig file says it was made with.
result<std::array<unsigned char, 8>> signer_of(std::string_view signature);

// A key that a host trusts, and whose skills it may sign: those with this author, or all when it is empty.
struct trusted_key {
    std::string publisher;
    public_key key;
};

// "RW…" or "Author's name=RW…".
result<trusted_key> parse_trusted_key(std::string_view text);

// The list of the manifest `skill.yaml` and of the module, whose path is relative to `folder`.
result<std::string> sums_of(const fs::path& folder, const fs::path& module);

// Writes skill.sums and its signature into the folder.
result<void> sign_skill(const secret_key& key, const fs::path& folder, const fs::path& module,
                        std::string_view comment);

// By whom a skill is signed: not_found when it is not, not_permitted when the signature is none of a key that is
// trusted for this author, or a file was changed since. `manifest` and `wasm` are what was read and will be used.
result<trusted_key> verify_skill(const std::vector<trusted_key>& trusted, const fs::path& folder,
                                 const fs::path& module, std::string_view author, std::string_view manifest,
                                 std::string_view wasm);

}  // namespace loqa::skills
