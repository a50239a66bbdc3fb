#include "loqa/skills/signature.hpp"

#include <gmock/gmock.h>

#include "loqa/base/ids.hpp"

namespace loqa::skills {
namespace {

using testing::HasSubstr;

TEST(Signature, HoldsForItsContentAndKey) {
    const auto key = make_key();
    const auto signature = sign(key, "content", "made today");

    const auto held = verify(key.open(), "content", signature);
    ASSERT_TRUE(held) << held.error().text();
    EXPECT_EQ(*held, "made today");
    EXPECT_FALSE(verify(key.open(), "Content", signature));
    EXPECT_FALSE(verify(make_key().open(), "content", signature));
    auto forged = make_key().open();
    forged.id = key.id;
    EXPECT_FALSE(verify(forged, "content", signature));
}

TEST(Signature, EveryChangedByteBreaksIt) {
    const auto key = make_key();
    const auto signature = sign(key, "content", "made today");
    const auto comment = signature.find("made");
    for (std::size_t i = signature.find('\n') + 1; i < signature.size() - 1; ++i) {
        if (signature[i] == '\n' || signature[i] == '=') continue;
        auto changed = signature;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        // The last letter of base64 may have bits that count for nothing.
        const auto held = verify(key.open(), "content", changed);
        EXPECT_TRUE(!held || (i < comment && changed[i + 1] == '=') || changed[i + 1] == '=') << i;
    }
}

TEST(Keys, SurviveTheirFiles) {
    const auto key = make_key();

    EXPECT_EQ(parse_secret_key(secret_key_file(key)).value().key, key.key);
    EXPECT_EQ(parse_public_key(public_key_file(key.open())).value(), key.open());
    EXPECT_EQ(parse_public_key(key.open().text()).value(), key.open());
    EXPECT_THAT(key.open().text(), testing::StartsWith("RW"));
}

TEST(Keys, NonsenseIsRefused) {
    for (const auto* text : {"", "RW", "untrusted comment: x", "untrusted comment: x\nRWQ", "AAAA"}) {
        EXPECT_FALSE(parse_public_key(text)) << text;
        EXPECT_FALSE(parse_secret_key(text)) << text;
        EXPECT_FALSE(verify(make_key().open(), "", text)) << text;
    }
    auto damaged = secret_key_file(make_key());
    auto& letter = damaged[damaged.size() - 80];  // in the key's second half
    letter = letter == 'A' ? 'B' : 'A';
    EXPECT_THAT(parse_secret_key(damaged).error().message, HasSubstr("damaged"));
}

TEST(Keys, MayBeTrustedForOneAuthorAlone) {
    const auto key = make_key().open();

    EXPECT_EQ(parse_trusted_key(key.text()).value().publisher, "");
    const auto named = parse_trusted_key("Some Body=" + key.text()).value();
    EXPECT_EQ(named.publisher, "Some Body");
    EXPECT_EQ(named.key, key);
    EXPECT_FALSE(parse_trusted_key("Some Body"));
}

class SignedSkill : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / ("loqa-signed-" + random_hex(8));
        fs::create_directories(folder_ / "build");
        ASSERT_TRUE(write_file_atomically(folder_ / "skill.yaml", "manifest"));
        ASSERT_TRUE(write_file_atomically(folder_ / "build" / "a.wasm", "module"));
        ASSERT_TRUE(sign_skill(key_, folder_, "build/a.wasm", "a 1.0"));
    }
    void TearDown() override { fs::remove_all(folder_); }

    result<trusted_key> check(std::string_view manifest, std::string_view module, std::string_view author = "me") {
        return verify_skill({{.publisher = "me", .key = key_.open()}}, folder_, "build/a.wasm", author, manifest,
                            module);
    }

    secret_key key_ = make_key();
    fs::path folder_;
};

TEST_F(SignedSkill, IsWhatWasSigned) {
    EXPECT_TRUE(check("manifest", "module"));
    EXPECT_THAT(check("other", "module").error().message, HasSubstr("another manifest or module"));
    EXPECT_THAT(check("manifest", "other").error().message, HasSubstr("another manifest or module"));
    EXPECT_THAT(check("manifest", "module", "you").error().message, HasSubstr("not trusted for skills by \"you\""));
}

TEST_F(SignedSkill, SumsCannotBeRewritten) {
    ASSERT_TRUE(write_file_atomically(folder_ / "build" / "a.wasm", "other"));
    ASSERT_TRUE(write_file_atomically(folder_ / "skill.sums", sums_of(folder_, "build/a.wasm").value()));
    EXPECT_THAT(check("manifest", "other").error().message, HasSubstr("does not hold"));
}

TEST_F(SignedSkill, WithoutASignatureItIsNotSigned) {
    fs::remove(folder_ / "skill.sums.minisig");
    EXPECT_EQ(check("manifest", "module").error().code, errc::not_found);
}

}  // namespace
}  // namespace loqa::skills
