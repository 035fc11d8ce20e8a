// The templates that people have written, and the cache of the compiled ones.
//
// A message is rendered from a template that was compiled once. The cache holds the current version of every template;
// a save reaches it by the event TemplateSaved, which carries the text, on every host that runs this plugin and only
// after the save is committed. If events may have been missed, the cache forgets everything and reads the store again.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gantry/db.hpp>
#include <gantry/time.hpp>
#include <gantry/tx.hpp>

#include "domain/message_template.hpp"

namespace notification {

using template_ptr = std::shared_ptr<const message_template>;

// The current version, or the one asked for. Null if there is none.
template_ptr find_template(gantry::db& d, notice about, std::string_view locale,
                           std::optional<std::int64_t> version = std::nullopt);

// The current version of all, built-in ones included.
std::vector<template_ptr> current_templates(gantry::db& d);

// Adds a version. It must be the successor of the current one, or the store refuses.
void insert_template(gantry::tx& t, const message_template& version, gantry::instant at);

// Thread: any.
class template_cache {
 public:
  // The current template that fits this locale best: "de-AT", else "de", else the fallback's, else English. Reads the
  // store only if nothing is cached.
  template_ptr current(gantry::db& d, notice about, std::string_view locale, std::string_view fallback);
  // Reads the store now.
  void load(gantry::db& d);
  // This very version, or null if it is not the one cached.
  template_ptr version(notice about, std::string_view locale, std::int64_t number) const;
  // A version that was saved; ignored if it is older than the cached one.
  void put(template_ptr saved);
  void forget();

 private:
  using key = std::pair<notice, std::string>;
  struct by_key {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const {
      if (a.first != b.first) return a.first < b.first;
      return std::string_view(a.second) < std::string_view(b.second);
    }
  };

  template_ptr best(notice about, std::string_view locale, std::string_view fallback) const;
  template_ptr get(notice about, std::string_view locale) const;

  mutable std::shared_mutex lock_;
  bool loaded_ = false;                      // under lock_
  std::map<key, template_ptr, by_key> all_;  // under lock_
};

}  // namespace notification
