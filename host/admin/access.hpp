// Who may use /admin: with a token, whoever presents it; without, only a program on this machine that speaks for
// itself. Owned by operations. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/endpoint.hpp"

namespace gantry::admin {

class access {
 public:
  // No tokens: callers on this machine.
  explicit access(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}

  // The refusal, or nothing when the caller may go on.
  std::optional<http::reply> refuse(const http::request& in) const;

 private:
  const std::vector<std::string> tokens_;
};

// Takes as long for a wrong text as for the right one.
bool same_text(std::string_view given, std::string_view expected) noexcept;

}  // namespace gantry::admin
