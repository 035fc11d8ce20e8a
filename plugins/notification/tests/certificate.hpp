// A certificate that a test makes for itself, so that TLS is really spoken and really verified.
#pragma once

#include <string>

namespace notification::testing {

struct certificate {
  std::string certificate_pem;
  std::string key_pem;
};

// Signed by itself, valid for an hour around now, for this DNS name.
certificate make_certificate(const std::string& host);

// A file with this content that goes away with the object.
class temporary_file {
 public:
  explicit temporary_file(const std::string& content);
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace notification::testing
