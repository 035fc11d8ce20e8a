#include "store/templates.hpp"

#include <gantry/failure.hpp>

namespace notification {
namespace {

template_ptr compiled(notice about, std::string_view locale, std::int64_t version, template_source source) {
  std::vector<template_error> errors;
  auto out = message_template::compile(about, locale, version, std::move(source), errors);
  if (!out) {
    // Saved templates were compiled before, so only a changed vocabulary leads here.
    throw gantry::failure(GANTRY_FAILED, "template " + std::string(name_of(about)) + " (" + std::string(locale) +
                                             ") version " + std::to_string(version) + " can't be compiled: " +
                                             errors.front().field + ": " + errors.front().text);
  }
  return std::make_shared<const message_template>(std::move(*out));
}

template_ptr built_in(notice about, std::string_view locale) {
  for (built_in_template& entry : built_in_templates()) {
    if (entry.about == about && entry.locale == locale) return compiled(about, locale, 1, std::move(entry.source));
  }
  return nullptr;
}

// A row of locale, version, subject, text_body, html_body, short_body.
template <typename Row>
template_ptr from_row(notice about, const Row& row) {
  template_source source{row.template get<std::string>(2), row.template get<std::string>(3),
                         row.template get<std::string>(4), row.template get<std::string>(5)};
  return compiled(about, row.template get<std::string>(0), row.template get<std::int64_t>(1), std::move(source));
}

}  // namespace

template_ptr find_template(gantry::db& d, notice about, std::string_view locale, std::optional<std::int64_t> version) {
  const auto row = d.one(
      "SELECT locale, version, subject, text_body, html_body, short_body FROM message_template "
      "WHERE name = $1 AND locale = $2 AND ($3 = 0 OR version = $3) ORDER BY version DESC LIMIT 1",
      name_of(about), locale, version.value_or(0));
  if (row) return from_row(about, *row);
  return version.value_or(1) == 1 ? built_in(about, locale) : nullptr;
}

std::vector<template_ptr> current_templates(gantry::db& d) {
  std::map<std::pair<notice, std::string>, template_ptr> latest;
  for (built_in_template& entry : built_in_templates()) {
    latest[{entry.about, std::string(entry.locale)}] = compiled(entry.about, entry.locale, 1, std::move(entry.source));
  }
  for (const auto& row :
       d.query("SELECT t.locale, t.version, t.subject, t.text_body, t.html_body, t.short_body, t.name "
               "FROM message_template t WHERE t.version = (SELECT MAX(o.version) FROM "
               "message_template o WHERE o.name = t.name AND o.locale = t.locale)")) {
    const auto about = notice_of(row.get<std::string_view>(6));
    if (about) latest[{*about, row.get<std::string>(0)}] = from_row(*about, row);
  }
  std::vector<template_ptr> out;
  for (auto& [name, found] : latest) out.push_back(std::move(found));
  return out;
}

void insert_template(gantry::tx& t, const message_template& version, gantry::instant at) {
  const template_source& source = version.source();
  t.exec(
      "INSERT INTO message_template (name, locale, version, subject, text_body, html_body, short_body, saved_us) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      name_of(version.about()), version.locale(), version.version(), source.subject, source.text, source.html,
      source.brief, at.us);
}

template_ptr template_cache::get(notice about, std::string_view locale) const {
  const auto at = all_.find(std::pair(about, locale));
  return at == all_.end() ? nullptr : at->second;
}

template_ptr template_cache::best(notice about, std::string_view locale, std::string_view fallback) const {
  for (const std::string_view wanted : {locale, fallback}) {
    if (auto found = get(about, wanted)) return found;
    if (wanted.size() > 2) {
      if (auto found = get(about, wanted.substr(0, 2))) return found;
    }
  }
  return get(about, "en");
}

void template_cache::load(gantry::db& d) {
  // Read before the lock is taken, so that a slow store holds up nobody else; put() may come in between, so the newer
  // of two versions stays.
  const auto found = current_templates(d);
  const std::unique_lock held(lock_);
  for (const template_ptr& entry : found) {
    template_ptr& slot = all_[{entry->about(), entry->locale()}];
    if (!slot || slot->version() < entry->version()) slot = entry;
  }
  loaded_ = true;
}

template_ptr template_cache::current(gantry::db& d, notice about, std::string_view locale, std::string_view fallback) {
  {
    const std::shared_lock held(lock_);
    if (loaded_) return best(about, locale, fallback);
  }
  load(d);
  const std::shared_lock held(lock_);
  return best(about, locale, fallback);
}

template_ptr template_cache::version(notice about, std::string_view locale, std::int64_t number) const {
  const std::shared_lock held(lock_);
  const template_ptr found = get(about, locale);
  return found && found->version() == number ? found : nullptr;
}

void template_cache::put(template_ptr saved) {
  const std::unique_lock held(lock_);
  template_ptr& slot = all_[{saved->about(), saved->locale()}];
  if (!slot || slot->version() <= saved->version()) slot = std::move(saved);
}

void template_cache::forget() {
  const std::unique_lock held(lock_);
  loaded_ = false;
  all_.clear();
}

}  // namespace notification
