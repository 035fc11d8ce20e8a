// A directory of its own for each test, a signer with a minisign key, and the sample plugins.
#pragma once

#include <gtest/gtest.h>
#include <sodium.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "loader/file_image.hpp"
#include "loader/signature.hpp"

namespace gantry::loader {

class scratch_test : public ::testing::Test {
 protected:
  scratch_test() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::temp_directory_path() / ("gantry-" + std::string(test->test_suite_name()) + "-" +
                                                           test->name() + "-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
  }
  ~scratch_test() override { std::filesystem::remove_all(directory_); }

  static std::filesystem::path sample(const std::string& name) { return std::string(SAMPLE_DIR) + "/" + name; }

  // A copy of a sample that the test may change.
  std::filesystem::path own(const std::string& name) {
    std::filesystem::copy_file(sample(name), directory_ / name, std::filesystem::copy_options::overwrite_existing);
    return directory_ / name;
  }

  static std::string bytes(const std::filesystem::path& file) { return read_image(file)->bytes; }

  static void write(const std::filesystem::path& file, std::string_view text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc)
        .write(text.data(), static_cast<std::streamsize>(text.size()));
  }

  std::filesystem::path directory_;
};

// Writes keys and signatures as minisign does.
class signer {
 public:
  signer() {
    EXPECT_GE(sodium_init(), 0);
    crypto_sign_keypair(public_.data(), secret_.data());
    randombytes_buf(id_.data(), id_.size());
  }

  std::string public_text() const { return base64("Ed" + text(id_) + text(public_)); }
  public_key trusted() const { return *parse_public_key(public_text()); }

  std::string sign(std::string bytes, bool prehashed = true, const std::string& comment = "timestamp:1") const {
    if (prehashed) {
      std::array<unsigned char, 64> hash{};
      crypto_generichash(hash.data(), hash.size(), raw(bytes), bytes.size(), nullptr, 0);
      bytes = text(hash);
    }
    const std::string signature = signed_text(bytes);
    return "untrusted comment: signature from a test\n" + base64((prehashed ? "ED" : "Ed") + text(id_) + signature) +
           "\ntrusted comment: " + comment + "\n" + base64(signed_text(signature + comment)) + "\n";
  }

 private:
  static const unsigned char* raw(const std::string& bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
  }

  template <std::size_t N>
  static std::string text(const std::array<unsigned char, N>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::string signed_text(const std::string& message) const {
    std::array<unsigned char, crypto_sign_BYTES> out{};
    crypto_sign_detached(out.data(), nullptr, raw(message), message.size(), secret_.data());
    return text(out);
  }

  static std::string base64(const std::string& bytes) {
    std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(out.data(), out.size(), raw(bytes), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
    out.resize(out.size() - 1);
    return out;
  }

  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> public_{};
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret_{};
  std::array<unsigned char, 8> id_{};
};

inline bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace gantry::loader
