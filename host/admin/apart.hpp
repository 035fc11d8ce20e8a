// Plugins of this host that run in processes of their own, as the operations ask them; and how their answers and this
// process's become one.
// Thread: any.
#pragma once

#include <chrono>
#include <set>
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
  // What the plugin's process answers to an operation. `target`: with its query. unavailable: nothing. not_found: it
  // has none.
  virtual result<http::reply> ask(std::string_view plugin, std::string_view method, std::string_view target,
                                  std::chrono::milliseconds at_most, std::string_view body) = 0;
};

// What one of them answers.
struct apart_answer {
  std::string plugin;
  result<http::reply> reply;

  bool good() const { return reply && reply->status == 200; }
  // Why it is not good.
  std::string why() const;
};
// Asks all of them GET `target` side by side, in their order: who does not answer keeps nobody else waiting, and the
// caller no longer than `at_most`.
std::vector<apart_answer> ask_all(apart& all, std::string_view target, std::chrono::milliseconds at_most);

// A plugin that an answer over all of them lacks.
struct unanswered_plugin {
  std::string plugin;
  std::string why;
};
// "unanswered":[{"plugin","why"}], behind a member of an object.
void append_unanswered(std::string& out, const std::vector<unanswered_plugin>& all);

// An exposition of metrics with the series of one plugin out of its process's exposition put into their families.
// Series that are not labelled with that plugin are the process's own and left out.
std::string merged_exposition(std::string_view own, std::string_view plugin, std::string_view other);

// Completes expositions of this process with the series of what runs apart. One that does not answer has none then: the
// series gantry_scrape_incomplete says so, and the log, once until it answers again.
// Owned by operations. Thread: one, that of the scrapes.
class apart_series {
 public:
  explicit apart_series(apart& all) : all_(all) {}
  void complete(std::string& text, std::chrono::milliseconds at_most);

 private:
  apart& all_;
  std::set<std::string, std::less<>> silent_;
};

}  // namespace gantry::admin
