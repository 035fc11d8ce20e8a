#include "loader/signature.hpp"

#include "scratch.hpp"

namespace gantry::loader {
namespace {

const file_image order{"plugins/order.so", std::string("\x7F") + "ELF and so on"};

TEST(Signature, BothFormsOfMinisignAreAccepted) {
  const signer key;
  for (const bool prehashed : {true, false}) {
    const auto report = check_signature(order, key.sign(order.bytes, prehashed, "file:order.so"), {key.trusted()});
    EXPECT_EQ(report.state, signature_state::valid);
    EXPECT_EQ(report.trusted_comment, "file:order.so");
    EXPECT_EQ(report.key_id, key_id_text(key.trusted().id));
  }
}

TEST(Signature, AnAlteredFileIsRefusedAlsoWhereNoneIsRequired) {
  const signer key;
  file_image altered = order;
  altered.bytes.back() = '!';
  const auto report = check_signature(altered, key.sign(order.bytes), {key.trusted()});
  EXPECT_EQ(report.state, signature_state::altered);
  EXPECT_EQ(admit(report, {false, {}}).failure().text,
            "order.so: its bytes are not those that key " + key_id_text(key.trusted().id) +
                " signed: it was altered: fetch the file and its signature again, or sign it");
}

TEST(Signature, AnAlteredTrustedCommentIsRefused) {
  const signer key;
  std::string minisig = key.sign(order.bytes, true, "file:order.so");
  minisig.replace(minisig.find("file:order.so"), 13, "file:other.so");
  EXPECT_EQ(check_signature(order, minisig, {key.trusted()}).state, signature_state::altered);
}

TEST(Signature, AnotherKeyIsUnknownAndAForgedKeyIdIsAltered) {
  const signer ours;
  const signer theirs;
  const auto unknown = check_signature(order, theirs.sign(order.bytes), {ours.trusted()});
  EXPECT_EQ(unknown.state, signature_state::unknown_key);
  EXPECT_TRUE(admit(unknown, {false, {}}));
  EXPECT_TRUE(mentions(admit(unknown, {true, {}}).failure().text, "which is not trusted"));
  public_key forged = ours.trusted();
  forged.id = theirs.trusted().id;
  EXPECT_EQ(check_signature(order, theirs.sign(order.bytes), {forged}).state, signature_state::altered);
}

TEST(Signature, WhatIsNoneIsMalformed) {
  const signer key;
  const std::string good = key.sign(order.bytes);
  for (const std::string& bad : {std::string{}, std::string("hello"), good.substr(0, 80), good.substr(10),
                                 "untrusted comment: x\n!!!\ntrusted comment: y\n!!!\n" + good}) {
    EXPECT_EQ(check_signature(order, bad, {key.trusted()}).state, signature_state::malformed) << bad;
  }
}

TEST(PublicKey, IsReadAloneOrWithItsComment) {
  const signer key;
  EXPECT_TRUE(parse_public_key("untrusted comment: minisign public key\n" + key.public_text() + "\n"));
  EXPECT_EQ(key.public_text().size(), 56U);
  EXPECT_EQ(key.public_text().substr(0, 2), "RW");
  EXPECT_EQ(parse_public_key("abc").failure().text,
            "found \"abc\", expected the base64 line of a minisign public key: 56 characters beginning with RW");
  EXPECT_TRUE(mentions(make_trust(true, {key.public_text(), "x"}).failure().text, "trust.keys: found \"x\""));
}

}  // namespace
}  // namespace gantry::loader
