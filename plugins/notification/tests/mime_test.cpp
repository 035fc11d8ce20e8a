// Mails as RFC 5322 and MIME want them.
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "domain/mime.hpp"

namespace notification {
namespace {

mail sample() {
  return {"n-1", {"Shop", "orders@shop.example"}, "ada@customers.example", "Hello", "Hi.\n", "", 1'767'225'600'000'000};
}

// Undoes quoted-printable, by the book.
std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i];
    } else if (text.substr(i + 1, 2) == "\r\n") {
      i += 2;
    } else {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    }
  }
  return out;
}

TEST(Mime, AMailWithTextOnly) {
  EXPECT_EQ(write_mail(sample()),
            "From: \"Shop\"\r\n <orders@shop.example>\r\n"
            "To: <ada@customers.example>\r\n"
            "Subject: Hello\r\n"
            "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            "Message-ID: <n-1@shop.example>\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            "Hi.\r\n");
}

TEST(Mime, TextAndHtmlAreAlternatives) {
  mail m = sample();
  m.html = "<p>Hi</p>";
  const std::string text = write_mail(m);
  EXPECT_NE(text.find("Content-Type: multipart/alternative;\r\n boundary=\"=_n-1\"\r\n\r\n--=_n-1\r\n"),
            std::string::npos);
  EXPECT_NE(text.find("Content-Type: text/html; charset=utf-8"), std::string::npos);
  EXPECT_TRUE(text.ends_with("<p>Hi</p>\r\n--=_n-1--\r\n"));
}

TEST(Mime, TheSameMailHasTheSameBytes) { EXPECT_EQ(write_mail(sample()), write_mail(sample())); }

TEST(Mime, EveryLineIsShortAscii) {
  mail m = sample();
  m.subject = "Ihre Bestellung über viele schöne Dinge ist bestätigt und wird bald auf den Weg gebracht, bestimmt";
  m.from.name = "Lädchen";
  m.text = std::string(500, 'x') + " ä\n" + std::string(80, ' ') + "\n";
  m.html = "<p>" + std::string(300, '=') + "</p>";
  std::istringstream lines(write_mail(m));
  for (std::string line; std::getline(lines, line);) {
    ASSERT_TRUE(line.ends_with('\r'));
    EXPECT_LE(line.size(), 79U) << line;
    for (const char c : line) EXPECT_GE(c, 0) << line;
  }
}

TEST(Mime, EncodedWordsNeverCutACharacter) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "\xF0\x9F\x8E\x81";
  std::istringstream words(encode_header_text(text, 9));
  for (std::string word; words >> word;) {
    EXPECT_LE(word.size(), 75U);
    // 12 characters of frame; every four of base64 are three bytes.
    const std::string code = word.substr(10, word.size() - 12);
    const auto padding = static_cast<std::size_t>(std::count(code.begin(), code.end(), '='));
    EXPECT_EQ((code.size() / 4 * 3 - padding) % 4, 0U);
  }
}

TEST(Mime, AsciiHeadersStayReadable) { EXPECT_EQ(encode_header_text("Your order", 9), "Your order"); }

TEST(Mime, QuotedPrintableGivesBackWhatItGot) {
  std::mt19937 random(11);
  constexpr std::string_view pieces[] = {"a", " ", "\t", "=", "\n", ".", "\xC3\xA4", "word ", "<b>", "\xE2\x82\xAC"};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::size_t i = random() % 200; i > 0; --i) text += pieces[random() % std::size(pieces)];
    std::string expected;
    for (const char c : text) expected += c == '\n' ? "\r\n" : std::string(1, c);
    if (!expected.empty() && !expected.ends_with("\r\n")) expected += "\r\n";
    const std::string encoded = quoted_printable(text);
    ASSERT_EQ(decode(encoded), expected);
    EXPECT_EQ(encoded.find(" \r\n"), std::string::npos);
    std::istringstream lines(encoded);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 77U);
  }
}

TEST(Mime, BothLineEndsBecomeOne) { EXPECT_EQ(quoted_printable("a\r\nb\nc"), "a\r\nb\r\nc\r\n"); }

TEST(Mime, Base64IsTheStandardOne) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Mime, MailboxesAreReadWithAndWithoutAName) {
  EXPECT_EQ(parse_mailbox("Gantry Shop <a@b.example>")->name, "Gantry Shop");
  EXPECT_EQ(parse_mailbox("Gantry Shop <a@b.example>")->address, "a@b.example");
  EXPECT_EQ(parse_mailbox("a@b.example")->name, "");
  for (const char* bad : {"", "a", "@b", "a@", "a@b@c", "a b@c", "<a@b", "a@b>\r\nX: y", "X <a@b> y"}) {
    EXPECT_FALSE(parse_mailbox(bad)) << bad;
  }
}

TEST(Mime, QuotesInANameAreEscaped) {
  mail m = sample();
  m.from.name = "The \"Shop\"";
  EXPECT_TRUE(write_mail(m).starts_with("From: \"The \\\"Shop\\\"\"\r\n <orders@shop.example>\r\n"));
}

}  // namespace
}  // namespace notification
