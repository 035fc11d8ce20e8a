// Plugins of this host that run in processes of their own, as the operations ask them; and how their answers and this
// process's become one.
// Thread: any.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/endpoint.hpp"

namespace gantry::admin {

class apart {
 public:
  apart() = default;
  apart(const apart&) = delete;
  apart& operator=(const apart&) = delete;
  virtual ~apart() = default;

  virtual std::vector<std::string> plugins() const = 0;
  // What the plugin's process answers to an operation. `target`: with its query. unavailable: nothing.
  virtual result<http::reply> ask(std::string_view plugin, std::string_view method, std::string_view target,
                                  std::chrono::milliseconds at_most) = 0;
};

// The replies of all of them to GET `target`. unavailable: one has none, or one that is not 200; the text names it.
result<std::vector<std::string>> replies_of(apart& all, std::string_view target);

// An exposition of metrics with the series of one plugin out of its process's exposition put into their families.
// Series that are not labelled with that plugin are the process's own and left out.
std::string merged_exposition(std::string_view own, std::string_view plugin, std::string_view other);

}  // namespace gantry::admin
